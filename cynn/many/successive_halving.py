"""`search`: finds good parameters of a network by successive halving."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from cynn import file_access, metrics
from cynn.callbacks.stop_after import StopAfter
from cynn.errors import (
    InvalidParameterError,
    as_list,
    check_switch,
    check_whole_number,
    not_allowed,
    shown,
)
from cynn.interop.needed import needed
from cynn.many import fleet
from cynn.many.each import options_of
from cynn.many.member import Member
from cynn.many.space import as_space
from cynn.many.table import to_pandas
from cynn.network import Network
from cynn.training.progress import Progress

__all__ = ["SearchResult", "search"]


class _Candidate:
    """Parameters, the network that was built from them, and its progress."""

    def __init__(self, number: int, parameters: dict[str, Any], network: Network, own: dict[str, Any]) -> None:
        self.number, self.parameters, self.network, self.own = number, parameters, network, own
        self.epochs = 0
        self.figure = math.nan
        self.error: BaseException | None = None


class SearchResult:
    """The candidates of a search, with their results.

    Parameters
    ----------
    candidates : list
        The candidates that `search` has tried.
    monitor : str
        The name of the loss or metric by which they are compared.
    is_greater_better : bool
        Whether a greater value is better.
    epochs_run : int
        As the attribute.

    Attributes
    ----------
    parameters : list of dict
        The parameters of each candidate.
    networks : list of Network
    figures : list of float
        The monitored value of each candidate after its last epoch; NaN if it failed.
    epochs : list of int
        The number of epochs for which each candidate was trained.
    best : int
        The number of the best candidate among those that were trained longest.
    epochs_run : int
        The number of epochs that this call has trained. Without `resume` it is the sum of `epochs`: no epoch is trained
        twice.
    """

    def __init__(self, candidates: list[_Candidate], monitor: str, is_greater_better: bool, epochs_run: int) -> None:
        self._candidates = candidates
        self.monitor = monitor
        self.parameters = [one.parameters for one in candidates]
        self.networks = [one.network for one in candidates]
        self.figures = [one.figure for one in candidates]
        self.epochs = [one.epochs for one in candidates]
        self.errors = [one.error for one in candidates]
        self.epochs_run = epochs_run
        self._order = [one.number for one in _ranked(candidates, is_greater_better)]
        self.best = self._order[0]

    @property
    def best_parameters(self) -> dict[str, Any]:
        """The parameters of the best candidate."""
        return self.parameters[self.best]

    @property
    def best_network(self) -> Network:
        """The network of the best candidate, as trained in the search."""
        return self.networks[self.best]

    def rows(self) -> list[dict[str, Any]]:
        """The candidates, best first: number, parameters, epochs, monitored value and error."""
        found = []
        for number in self._order:
            error = self.errors[number]
            found.append(
                {"candidate": number, **self.parameters[number], "epochs": self.epochs[number]}
                | {self.monitor: self.figures[number]}
                | {"error": None if error is None else f"{type(error).__name__}: {error}"}
            )
        return found

    def to_pandas(self) -> Any:
        """A pandas DataFrame with a row for each candidate, best first: see `rows`."""
        return to_pandas(self.rows())

    def __repr__(self) -> str:
        best = self.figures[self.best]
        return f"SearchResult(candidates={len(self.networks)}, {self.monitor}={best:.4g}, best={self.best_parameters})"


def search(
    build: Callable[..., Any],
    space: dict[str, Any],
    x: Any,
    y: Any,
    *,
    candidates: int = 27,
    epochs: int = 27,
    min_epochs: int = 1,
    reduction: int = 3,
    brackets: int = 1,
    monitor: str = "val_loss",
    seed: int = 0,
    sampler: Any = None,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
    executor: Any = None,
    allow_mixed: bool = False,
    progress: bool = True,
    n_threads: int | None = None,
    **options: Any,
) -> SearchResult:
    """Find good parameters by successive halving: all candidates start, and only the best ones continue.

    After `min_epochs` epochs, 1 of `reduction` candidates continues to `reduction` times as many epochs, and so on up
    to `epochs`. A candidate continues from its checkpoint, with the same bits as without a pause: no epoch is trained
    twice.

    Parameters
    ----------
    build : function
        Called with a value for each name of the space; returns a network, or a network and a dict of parameters of
        `Network.fit`, such as its optimizer.
    space : dict
        For each parameter of `build` a list of values, a range (`cynn.many.uniform`, `log_uniform`, `whole_numbers`),
        or a distribution of `scipy.stats`.
    x, y : array
        The data, as for `Network.fit`.
    candidates : int
        The number of candidates, in all brackets together.
    epochs, min_epochs : int
        The largest and the smallest number of epochs of a candidate. A learning-rate schedule extends over `epochs` for
        all candidates.
    reduction : int
        One of this many candidates continues.
    brackets : int
        The number of groups, which run one after the other. A sampler learns from each group for the next.
    monitor : str
        The loss or metric of the history by which candidates are compared.
    seed : int
        Determines the candidates that are drawn.
    sampler : optuna.samplers.BaseSampler, optional
        Proposes the candidates, which are otherwise drawn at random (extra `optuna`).
    checkpoint : str or path, optional
        As for `fit_many`. By default, a temporary folder.
    resume : bool
        As for `fit_many`.
    executor : optional
        As for `fit_many`.
    allow_mixed, progress : bool
        As for `fit_many`.
    n_threads : int, optional
        As for `fit_many`.
    **options
        Parameters of `Network.fit` for all candidates, such as `validation_split`, `validation_data` or
        `validation_rows` for the monitored value.

    Returns
    -------
    SearchResult
        The candidates with their results.

    Raises
    ------
    InvalidParameterError
        A parameter is invalid, or `monitor` is not in the history.
    Exception
        The error of a candidate, if all candidates failed.

    Notes
    -----
    Source: Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization", 2016; Li
    et al., "Hyperband", 2018.

    Examples
    --------
    >>> import cynn
    >>> x, y = np.linspace(-1, 1, 60)[:, None], np.linspace(-1, 1, 60) ** 2
    >>> def build(units, learning_rate):
    ...     net = cynn.Network.mlp([1, units, 1], seed=0)
    ...     optimizer = cynn.optimizers.Adam(learning_rate=learning_rate)
    ...     return net, {"optimizer": optimizer}
    >>> rates = cynn.many.log_uniform(1e-4, 1e-1)
    >>> space = {"units": [4, 8, 16], "learning_rate": rates}
    >>> found = cynn.search(
    ...     build, space, x, y, candidates=9, epochs=9, validation_split=0.2
    ... )
    >>> found.epochs_run == sum(found.epochs), sorted(found.epochs)[-1]
    (True, 9)
    """
    of_space = as_space(space)
    candidates = check_whole_number(candidates, "candidates", "search", minimum=1)
    epochs = check_whole_number(epochs, "epochs", "search", minimum=1)
    min_epochs = check_whole_number(min_epochs, "min_epochs", "search", minimum=1, maximum=epochs)
    reduction = check_whole_number(reduction, "reduction", "search", minimum=2)
    brackets = check_whole_number(brackets, "brackets", "search", minimum=1, maximum=candidates)
    draw = _Draw(of_space, seed, sampler)
    folder = None if checkpoint is None else file_access.as_path(checkpoint, "checkpoint", "search")
    resume = check_switch(resume, "resume", "search")
    of_fit = options | {"x": x, "y": y, "epochs": epochs}
    bar = Progress(check_switch(progress, "progress", "search"), 1, candidates, unit=" candidates")
    tried: list[_Candidate] = []
    epochs_run = 0
    with (
        file_access.temporary_folder() as temporary,
        fleet.training(executor, allow_mixed, n_threads) as train,
    ):
        halving = _Halving(of_fit, folder or temporary, resume, monitor, epochs, min_epochs, reduction)
        if folder is not None:
            os.makedirs(folder, exist_ok=True)
        try:
            for size in [(candidates + k) // brackets for k in range(brackets)]:
                group = [_built(build, len(tried) + k, parameters) for k, parameters in enumerate(draw.ask(size))]
                tried += group
                for members in halving.rungs(group):
                    train(members, lambda done: None)
                    epochs_run += sum(member.epochs_run for member in members)
                    bar.advance_to(len(tried) - len(group) + sum(one.epochs > 0 for one in group))
                draw.tell(group, halving.is_greater_better)
        finally:
            bar.close()
    if all(one.error is not None for one in tried):
        assert tried[0].error is not None
        raise tried[0].error
    return SearchResult(tried, monitor, halving.is_greater_better, epochs_run)


class _Halving:
    """The rungs of a group of candidates."""

    def __init__(
        self, options: dict[str, Any], folder: str, resume: bool, monitor: str, epochs: int, min_epochs: int,
        reduction: int,
    ) -> None:  # fmt: skip
        self.options, self.folder, self.resume, self.monitor = options, folder, resume, monitor
        self.epochs, self.min_epochs, self.reduction = epochs, min_epochs, reduction
        self.is_greater_better = False

    def rungs(self, group: list[_Candidate]) -> Any:
        """For each rung the members of the fleet to train. Candidates are compared once these have been trained."""
        until, going_on, is_first = self.min_epochs, group, True
        self.is_greater_better = self._rises(group[0])
        while True:
            members = [self._member(one, until, is_first) for one in going_on]
            yield members
            for one, member in zip(going_on, members, strict=True):
                self._look(one, member)
            going_on = [one for one in _ranked(going_on, self.is_greater_better) if one.error is None]
            going_on = going_on[: math.ceil(len(members) / self.reduction)]
            if until == self.epochs or not going_on:
                return
            until, is_first = min(until * self.reduction, self.epochs), False

    def _member(self, one: _Candidate, until: int, is_first: bool) -> Member:
        [options] = options_of({**self.options, **one.own}, 1)
        own = options.get("callbacks", ())
        callbacks = list(as_list(own) or []) if not isinstance(own, (str, dict)) else [own]
        options["callbacks"] = [*callbacks, StopAfter(until)]
        return Member(one.number, one.network, options, self.folder, self.resume or not is_first)

    def _look(self, one: _Candidate, member: Member) -> None:
        """Take the epochs and the figure of a candidate after a rung."""
        one.error = member.error
        history = one.network.history
        one.epochs = 0 if history is None else history.epochs
        if one.error is None:
            if history is None or self.monitor not in history.history:
                there = [] if history is None else sorted(history.history)
                raise InvalidParameterError(
                    f"The 'monitor' parameter of search must be a figure of the history: {', '.join(there)}. "
                    f"Got {self.monitor!r} instead. Those that begin with val_ need validation rows."
                )
            one.figure = history[self.monitor][-1]
        else:
            one.figure = math.nan

    def _rises(self, one: _Candidate) -> bool:
        outputs = one.network.objective(self.options.get("loss"), self.options.get("loss_weights")).outputs
        by_name = metrics.of_outputs(outputs, {**self.options, **one.own}.get("metrics"))
        metric = by_name.get(self.monitor.removeprefix("val_"))
        return metric is not None and bool(metric.greater_is_better)


class _Draw:
    """Draws the parameters of candidates at random, or lets a sampler of Optuna propose them."""

    def __init__(self, space: dict[str, Any], seed: int, sampler: Any) -> None:
        self.space, self.sampler = space, sampler
        self.generator = np.random.Generator(np.random.Philox(check_whole_number(seed, "seed", "search")))
        self.study: Any = None
        if sampler is not None:
            optuna = needed("optuna", "optuna")
            if not isinstance(sampler, optuna.samplers.BaseSampler):
                raise not_allowed("sampler", "search", "an optuna.samplers.BaseSampler", sampler)
            self.optuna = optuna

    def ask(self, n: int) -> list[dict[str, Any]]:
        """The parameters of n candidates."""
        if self.sampler is None:
            return [{name: one.draw(self.generator) for name, one in self.space.items()} for _ in range(n)]
        if self.study is None:
            self.study = self.optuna.create_study(sampler=self.sampler)
        self.trials = [self.study.ask() for _ in range(n)]
        return [{name: one.suggest(trial, name) for name, one in self.space.items()} for trial in self.trials]

    def tell(self, group: list[_Candidate], is_greater_better: bool) -> None:
        """Tell the sampler how a group of candidates did."""
        if self.sampler is not None:
            for trial, one in zip(self.trials, group, strict=True):
                if math.isnan(one.figure):
                    self.study.tell(trial, state=self.optuna.trial.TrialState.FAIL)
                else:
                    self.study.tell(trial, -one.figure if is_greater_better else one.figure)


def _built(build: Callable[..., Any], number: int, parameters: dict[str, Any]) -> _Candidate:
    made = build(**parameters)
    network, own = made if isinstance(made, tuple) and len(made) == 2 else (made, {})
    if not isinstance(network, Network) or not isinstance(own, dict):
        raise InvalidParameterError(
            "The 'build' parameter of search must return a Network, or a Network and a dict of parameters of fit. "
            f"Got {shown(made)} instead."
        )
    return _Candidate(number, parameters, network, own)


def _ranked(candidates: list[_Candidate], is_greater_better: bool) -> list[_Candidate]:
    """The candidates from the best on: first those that were trained the longest; those that failed come last."""
    sign = -1.0 if is_greater_better else 1.0

    def key(one: _Candidate) -> tuple[bool, int, float, int]:
        has_failed = math.isnan(one.figure)
        return has_failed, -one.epochs, 0.0 if has_failed else sign * one.figure, one.number

    return sorted(candidates, key=key)
