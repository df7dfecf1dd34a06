"""Callbacks that can end the training early."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cynn import layers
from cynn.callbacks.base import Callback
from cynn.components import schema
from cynn.components.declarations import checked_by, choice, number, switch, whole_number
from cynn.schedules.monitoring import MODES, check_name, is_better, monitored, rises

if TYPE_CHECKING:
    from cynn.model import Model

__all__ = ["EarlyStopping", "Timer"]


class EarlyStopping(Callback):
    """Ends the training when a figure has stopped improving.

    An epoch is an improvement if the figure is below the best so far by more than `min_delta` (above it for "max").
    Training ends after `patience` epochs in a row without an improvement.

    Parameters
    ----------
    monitor : str
        The name of a figure in the history: `"val_loss"`, `"loss"`, a metric, or `val_` and a metric.
    min_delta : float
        The smallest change that counts as an improvement.
    patience : int
        How many epochs in a row may pass without an improvement.
    mode : {"auto", "min", "max"}
        Whether a smaller or a larger figure is better. "auto": smaller for a loss; for a metric, its attribute
        `greater_is_better` decides, for a function of `sklearn.metrics` its name. See `cynn.metrics.greater_is_better`.
    restore_best_weights : bool
        Whether the network gets the weights of its best epoch when training ends for any reason. If weights are
        averaged, it gets the average as it was after that epoch.

    Attributes
    ----------
    best : float or None
    best_epoch : int
        The number of the best epoch, counted from 1; 0 before the first.

    Raises
    ------
    InvalidParameterError
        When training begins, if `mode` is "auto" and it is not known whether larger or smaller figures are better.

    Notes
    -----
    Source: Prechelt, "Early stopping - but when?", 1998; names as in Keras.

    Examples
    --------
    >>> import cynn
    >>> stopping = cynn.callbacks.EarlyStopping(
    ...     monitor="loss", min_delta=10, patience=2
    ... )
    >>> net = cynn.Network.mlp([1, 1], seed=0)
    >>> history = net.fit([[1.0]], [1.0], epochs=50, callbacks=[stopping])
    >>> history.epochs, stopping.best_epoch
    (3, 1)
    """

    name = "early_stopping"
    monitor: str = checked_by(check_name, default="val_loss")
    min_delta: float = number(default=0.0, minimum=0, kw_only=True)
    patience: int = whole_number(default=0, kw_only=True)
    mode: str = choice(*MODES, default="auto", kw_only=True)
    restore_best_weights: bool = switch(default=False, kw_only=True)

    def __post_init__(self) -> None:
        self.best: float | None = None
        self.best_epoch = 0
        self._wait = 0
        self._best_weights: list[Any] | None = None

    def on_train_begin(self) -> None:
        self.__post_init__()
        if self.monitor in self.greater_is_better:  # otherwise another callback may add it later
            self._rises()

    def _rises(self) -> bool:
        return rises(self.monitor, self.mode, self.greater_is_better, "EarlyStopping")

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        figure = monitored(logs, self.monitor, "EarlyStopping")
        if is_better(figure, self.best, self.min_delta, rising=self._rises()):
            self.best, self.best_epoch, self._wait = figure, epoch, 0
            if self.restore_best_weights:
                self._best_weights = (self.final_weights or self.network.get_weights)()
        else:
            self._wait += 1
            self.stop_training = self._wait >= self.patience

    def on_train_end(self) -> None:
        if self._best_weights is not None:
            self.network.set_weights(self._best_weights)

    def get_state(self) -> dict[str, Any]:
        return {
            "best": self.best,
            "best_epoch": self.best_epoch,
            "wait": self._wait,
            "best_weights": self._best_weights,
        }

    def _state_schema(self, network: Model) -> Any:
        return {
            "best": schema.Optional(schema.number(is_finite=False)),
            "best_epoch": schema.whole_number(),
            "wait": schema.whole_number(),
            "best_weights": schema.Optional([schema.array_like(w) for _, w in layers.arrays(network.layers)]),
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        self.best, self.best_epoch = state["best"], int(state["best_epoch"])
        self._wait, self._best_weights = int(state["wait"]), state["best_weights"]


class Timer(Callback):
    """Measures the time of every epoch, and can end the training after a time limit.

    Parameters
    ----------
    limit_seconds : float, optional
        Training ends after the epoch in which this time is exceeded.

    Attributes
    ----------
    epoch_seconds : list of float
        The time of every epoch, including validation and the callbacks that are called before this one.
    total_seconds : float

    Examples
    --------
    >>> import cynn
    >>> timer = cynn.callbacks.Timer()
    >>> net = cynn.Network.mlp([1, 1], seed=0)
    >>> history = net.fit([[1.0]], [1.0], epochs=3, callbacks=[timer])
    >>> len(timer.epoch_seconds), timer.total_seconds > 0
    (3, True)
    """

    name = "timer"
    limit_seconds: float | None = number(default=None, above=0)

    def __post_init__(self) -> None:
        self.epoch_seconds: list[float] = []
        self._epoch_begin = 0.0

    @property
    def total_seconds(self) -> float:
        """The sum over the epochs."""
        return sum(self.epoch_seconds)

    def on_train_begin(self) -> None:
        self.epoch_seconds = []

    def on_epoch_begin(self, epoch: int) -> None:
        self._epoch_begin = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        self.epoch_seconds.append(time.perf_counter() - self._epoch_begin)
        if self.limit_seconds is not None and self.total_seconds >= self.limit_seconds:
            self.stop_training = True

    def get_state(self) -> dict[str, Any]:
        return {
            "epoch_seconds": list(self.epoch_seconds),
            "seconds_of_this_epoch": time.perf_counter() - self._epoch_begin,
        }

    def _state_schema(self, network: Model) -> Any:
        return {"epoch_seconds": schema.ListOf(schema.number(0)), "seconds_of_this_epoch": schema.number(0)}

    def set_state(self, state: Mapping[str, Any]) -> None:
        self.epoch_seconds = list(state["epoch_seconds"])
        self._epoch_begin = time.perf_counter() - state["seconds_of_this_epoch"]
