"""Schedules that modify another rate or schedule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cynn.components.declarations import checked_by, choice, number, whole_number
from cynn.schedules.base import Rates, Schedule, learning_rate_of, started
from cynn.schedules.monitoring import MODES, Directions, check_name, is_better, monitored, rises

__all__ = ["ReduceOnPlateau", "WarmUp"]


class WarmUp(Schedule):
    """A linear warm-up to a rate or to the first rate of a schedule.

    For the first `warmup_steps` steps, rate = start + (target - start) (step + 1) / warmup_steps. The target is the
    first rate of the schedule. With start = 0, the first step has the rate target / warmup_steps, the last the target.

    Parameters
    ----------
    learning_rate : float, Schedule, dict or callable
        The rate or schedule after the warm-up. Its steps are counted from the end of the warm-up.
    warmup_steps : int
        The length of the warm-up.
    initial_learning_rate : float
        The rate at the start.

    Notes
    -----
    Source: Goyal and others, "Accurate, large minibatch SGD: training ImageNet in 1 hour", 2017, section 2.2.

    Examples
    --------
    >>> from cynn.schedules import StepDecay, WarmUp
    >>> decay = StepDecay(0.4, decay_steps=2, decay_rate=0.5)
    >>> WarmUp(decay, warmup_steps=4).rates(0, 8)
    array([0.1, 0.2, 0.3, 0.4, 0.4, 0.4, 0.2, 0.2])
    """

    name = "warm_up"
    learning_rate: Any = checked_by(learning_rate_of)
    warmup_steps: int = whole_number(minimum=1)
    initial_learning_rate: float = number(default=0.0, minimum=0)

    def __post_init__(self) -> None:
        self._after = started(self.learning_rate)

    def at(self, steps: Rates, total_steps: int | None) -> Any:
        left = None if total_steps is None else max(1, total_steps - self.warmup_steps)
        warming = steps < self.warmup_steps
        found = np.empty(len(steps))
        if warming.any():
            start, target = self.initial_learning_rate, self._after.rates(0, 1, left)[0]
            found[warming] = start + (target - start) * (steps[warming] + 1) / self.warmup_steps
        if not warming.all():
            after = steps[~warming] - self.warmup_steps
            found[~warming] = self._after.rates(int(after[0]), len(after), left)
        return found

    def on_train_begin(self, greater_is_better: Directions) -> None:
        self._after.on_train_begin(greater_is_better)

    def on_epoch_end(self, logs: Mapping[str, float]) -> None:
        self._after.on_epoch_end(logs)

    def get_state(self) -> dict[str, Any]:
        return self._after.get_state()

    def _state_schema(self) -> Any:
        from cynn.components import schema  # which checkpoints alone need

        return schema.of_state(self._after)

    def set_state(self, state: Mapping[str, Any]) -> None:
        self._after.set_state(state)


class ReduceOnPlateau(Schedule):
    """A rate that is reduced when a figure has stopped improving.

    An epoch is an improvement if the figure is below the best so far by more than `min_delta` (above it for "max").
    After `patience` epochs without an improvement, the rate is multiplied by `factor`.

    Parameters
    ----------
    learning_rate : float, Schedule, dict or callable
        The rate or schedule to reduce.
    monitor : str
        The name of a figure in the history: `"val_loss"`, `"loss"`, a metric, or `val_` and a metric.
    factor : float
        The factor of a reduction.
    patience : int
        How many epochs in a row may pass without an improvement.
    min_delta : float
        The smallest change that counts as an improvement.
    cooldown : int
        How many epochs after a reduction are not counted, as in PyTorch. In Keras it is one less, since the last of
        them counts.
    min_learning_rate : float
        The lower bound of the rate.
    mode : {"auto", "min", "max"}
        Whether a smaller or a larger figure is better. "auto": smaller for a loss; for a metric, its attribute
        `greater_is_better` decides, for a function of `sklearn.metrics` its name. See `cynn.metrics.greater_is_better`.

    Raises
    ------
    InvalidParameterError
        When training begins, if `mode` is "auto" and it is not known whether larger or smaller figures are better.

    Notes
    -----
    As the callback `ReduceLROnPlateau` in Keras, except for `cooldown`. In PyTorch the rate is reduced after
    `patience` + 1 such epochs, and `min_delta` (there `threshold`) is relative to the best figure.

    Examples
    --------
    >>> import cynn
    >>> schedule = cynn.schedules.ReduceOnPlateau(
    ...     0.1, monitor="loss", factor=0.5, patience=2
    ... )
    >>> for loss in [1.0, 1.0, 1.0]:
    ...     schedule.on_epoch_end({"loss": loss})
    >>> schedule(0)
    0.05
    """

    name = "reduce_on_plateau"
    learning_rate: Any = checked_by(learning_rate_of)
    monitor: str = checked_by(check_name, default="val_loss")
    factor: float = number(default=0.1, above=0, below=1)
    patience: int = whole_number(default=10)
    min_delta: float = number(default=1e-4, minimum=0)
    cooldown: int = whole_number(default=0)
    min_learning_rate: float = number(default=0.0, minimum=0)
    mode: str = choice(*MODES, default="auto")

    def __post_init__(self) -> None:
        self._rate = started(self.learning_rate)
        self._scale = 1.0
        self._wait = 0
        self._cooling = 0
        self._best: float | None = None
        self._directions: Directions = {}

    def _rises(self) -> bool:
        return rises(self.monitor, self.mode, self._directions, type(self).__name__)

    def at(self, steps: Rates, total_steps: int | None) -> Any:
        rates = self._rate.at(steps, total_steps)
        if self._scale == 1:
            return rates
        return np.maximum(self._scale * rates, np.minimum(rates, self.min_learning_rate))

    def on_train_begin(self, greater_is_better: Directions) -> None:
        self._rate.on_train_begin(greater_is_better)
        self._directions = greater_is_better
        if self.monitor in greater_is_better:  # otherwise a callback may add it later
            self._rises()

    def on_epoch_end(self, logs: Mapping[str, float]) -> None:
        self._rate.on_epoch_end(logs)
        figure = monitored(logs, self.monitor, type(self).__name__)
        is_cooling = self._cooling > 0
        if is_cooling:
            self._cooling -= 1
        if is_better(figure, self._best, self.min_delta, rising=self._rises()):
            self._best = figure
            self._wait = 0
        elif not is_cooling:
            self._wait += 1
            if self._wait >= self.patience:
                self._scale *= self.factor
                self._cooling = self.cooldown
                self._wait = 0

    def get_state(self) -> dict[str, Any]:
        return {
            "scale": self._scale,
            "wait": self._wait,
            "cooling": self._cooling,
            "best": self._best,
            "learning_rate": self._rate.get_state(),
        }

    def _state_schema(self) -> Any:
        from cynn.components import schema  # which checkpoints alone need

        return {
            "scale": schema.number(0, 1),
            "wait": schema.whole_number(),
            "cooling": schema.whole_number(),
            "best": schema.Optional(schema.number(is_finite=False)),
            "learning_rate": schema.of_state(self._rate),
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        self._scale, self._wait = float(state["scale"]), int(state["wait"])
        self._cooling, self._best = int(state["cooling"]), state["best"]
        self._rate.set_state(state["learning_rate"])
