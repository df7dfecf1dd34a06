"""`cross_validate`: trains a network for each fold, without the rows of the fold, and tests it on these rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from cynn.data.row_numbers import as_row_numbers
from cynn.engine import randomness
from cynn.errors import InvalidParameterError, as_list, check_whole_number, shown
from cynn.many.each import each
from cynn.many.ensemble import Ensemble
from cynn.many.fleet import fit_many
from cynn.many.member import taken
from cynn.many.table import to_pandas
from cynn.network import Network

__all__ = ["CrossValidation", "cross_validate"]

Places = npt.NDArray[np.int64]
Folds = list[tuple[Places, Places]]

# The options of `fit` that `evaluate` takes, too.
_OF_EVALUATE = ("loss", "loss_weights", "metrics")


class CrossValidation:
    """The networks of a cross-validation, with their loss and metrics on the test rows.

    Parameters
    ----------
    networks : list of Network
        A network for each fold.
    folds : list of (array, array)
        For each network, the numbers of its training rows and of its test rows.
    each : list of dict of str to float
        The loss and the metrics of each network on its test rows.

    Attributes
    ----------
    networks : list of Network
    folds : list of (array, array)
    figures : dict of str to array of shape (folds,)
        The loss, and the metrics.
    """

    def __init__(self, networks: list[Network], folds: Folds, each: list[dict[str, float]]) -> None:
        self.networks, self.folds = networks, folds
        self.figures = {name: np.array([figures[name] for figures in each]) for name in each[0]}

    def mean(self) -> dict[str, float]:
        """The mean of each figure over the folds."""
        return {name: float(figures.mean()) for name, figures in self.figures.items()}

    def std(self) -> dict[str, float]:
        """The standard deviation of each figure over the folds."""
        return {name: float(figures.std()) for name, figures in self.figures.items()}

    def ensemble(self) -> Ensemble:
        """The networks as one ensemble."""
        return Ensemble(self.networks)

    def rows(self) -> list[dict[str, Any]]:
        """For each fold: its number, the numbers of training and test rows, the loss and the metrics."""
        return [
            {"fold": number, "training_rows": len(train), "test_rows": len(test)}
            | {name: float(figures[number]) for name, figures in self.figures.items()}
            for number, (train, test) in enumerate(self.folds)
        ]

    def to_pandas(self) -> Any:
        """A pandas DataFrame with a row for each fold: see `rows`."""
        return to_pandas(self.rows())

    def __repr__(self) -> str:
        std = self.std()
        figures = ", ".join(f"{name}={mean:.4g}±{std[name]:.2g}" for name, mean in self.mean().items())
        return f"CrossValidation(folds={len(self.folds)}, {figures})"


def cross_validate(
    build: Callable[[], Network] | Network,
    x: Any,
    y: Any,
    *,
    folds: Any = 5,
    seed: int = 0,
    validate_each_epoch: bool = False,
    **options: Any,
) -> CrossValidation:
    """Cross-validation: for each fold, train a network on the rows of the other folds and test it on those of the fold.

    Parameters
    ----------
    build : function, or Network
        A function that returns a new network; or a network, from whose configuration a new one is made for each fold.
    x, y : array
        The data, as for `Network.fit`. Training rows are not copied; test rows are.
    folds : int, list of (array, array), or a splitter of scikit-learn
        The number of folds, which are random and stratified by class; or, for each fold, the numbers of its training
        rows and of its test rows; or an object with `split(x, y)`.
    seed : int
        Determines the folds, if their number is given.
    validate_each_epoch : bool
        Whether to evaluate the test rows after every epoch, too, as `val_loss` and so on, for callbacks that monitor
        them. The test results are then too optimistic.
    **options
        Options of `fit_many`: an executor, a checkpoint folder, the number of threads, and the parameters of
        `Network.fit`.

    Returns
    -------
    CrossValidation
        The networks, and the loss and metrics of each on its test rows.

    Raises
    ------
    InvalidParameterError
        `build` or `folds` is invalid.

    Examples
    --------
    >>> import cynn
    >>> x, y = np.linspace(-1, 1, 60)[:, None], np.linspace(-1, 1, 60) ** 2
    >>> def build():
    ...     return cynn.Network.mlp([1, 8, 1], seed=0)
    >>> found = cynn.cross_validate(build, x, y, folds=3, epochs=20)
    >>> found
    CrossValidation(folds=3, loss=...)
    """
    parts = _folds(folds, x, y, seed)
    networks = [_built(build) for _ in parts]
    training_rows = each([train for train, _ in parts])
    validation_rows = each([test for _, test in parts]) if validate_each_epoch else None
    result = fit_many(networks, x, y, rows=training_rows, validation_rows=validation_rows, **options)
    for error in result.errors:
        if error is not None:
            raise error
    of_evaluate = {name: options[name] for name in _OF_EVALUATE if name in options}
    weight, found = options.get("sample_weight"), []
    for network, (_, test) in zip(networks, parts, strict=True):
        own = None if weight is None else taken(weight, test)
        found.append(network.evaluate(taken(x, test), taken(y, test), sample_weight=own, **of_evaluate))
    return CrossValidation(networks, parts, found)


def _built(build: Any) -> Network:
    network = Network.from_config(build.get_config()) if isinstance(build, Network) else build()
    if not isinstance(network, Network):
        raise InvalidParameterError(
            f"The 'build' parameter of cross_validate must return a Network. Got {shown(network)} instead."
        )
    return network


def _folds(given: Any, x: Any, y: Any, seed: int) -> Folds:
    if hasattr(given, "split") and not isinstance(given, (str, bytes)):
        given = list(given.split(x, y))
    if isinstance(given, (list, tuple)):
        n = len(x)
        if not given or not all(isinstance(fold, (list, tuple)) and len(fold) == 2 for fold in given):
            raise InvalidParameterError(
                "The 'folds' parameter of cross_validate must have (training rows, test rows) for each fold. "
                f"Got {shown(given)} instead."
            )
        return [
            (as_row_numbers(train, n, "folds", "cross_validate"), as_row_numbers(test, n, "folds", "cross_validate"))
            for train, test in given
        ]
    n_folds = check_whole_number(given, "folds", "cross_validate", minimum=2, maximum=len(x))
    order = randomness.permutation(len(x), randomness.as_seed(seed), randomness.Purpose.SPLIT)
    labels = np.asarray(y) if as_list(y) is not None and not isinstance(y, dict) else None
    if labels is not None and labels.ndim == 1 and labels.dtype.kind in "biuOUS":
        order = order[np.argsort(np.unique(labels, return_inverse=True)[1][order], kind="stable")]
    fold_of = np.empty(len(x), np.int64)
    fold_of[order] = np.arange(len(x)) % n_folds  # sorted by class: every n-th row
    return [(np.flatnonzero(fold_of != k), np.flatnonzero(fold_of == k)) for k in range(n_folds)]
