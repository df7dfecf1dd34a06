"""The base class of schedules, and conversion to schedules."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from cynn import registry
from cynn.components.configurable import Configurable
from cynn.components.declarations import as_given, checked_by, number
from cynn.errors import InvalidParameterError, bounds_in_words, check_number, shown
from cynn.schedules.monitoring import Directions

__all__ = ["Constant", "LearningRate", "Rates", "Schedule", "learning_rate_of", "started"]

Rates = np.ndarray[Any, np.dtype[np.float64]]

_MANY_STEPS = 2**40


class Schedule(Configurable):
    """The base class of schedules. A subclass defines `at`.

    The parameters of `__init__` must be kept as attributes of the same names. The configuration, the repr and equality
    are based on them.

    Examples
    --------
    >>> import cynn
    >>> class InverseSquareRoot(cynn.schedules.Schedule):
    ...     '''rate / sqrt(step + 1)'''
    ...     name = "inverse_square_root"
    ...     def __init__(self, rate):
    ...         self.rate = rate
    ...     def at(self, steps, total_steps):
    ...         return self.rate / np.sqrt(steps + 1)
    >>> sgd = cynn.optimizers.SGD(learning_rate=InverseSquareRoot(0.1))
    >>> sgd.learning_rate.rates(0, 4)
    array([0.1       , 0.07071068, 0.05773503, 0.05      ])
    """

    kind = "schedule"

    def at(self, steps: Rates, total_steps: int | None) -> Any:
        """Compute the rates of steps.

        Parameters
        ----------
        steps : float64 array
            The numbers of the steps; the first step of the optimizer is 0.
        total_steps : int or None
            The number of steps at the end of the current `fit`; None if it is unknown.

        Returns
        -------
        float64 array
            One rate for each of `steps`.
        """
        raise NotImplementedError(f"{type(self).__name__} must define at(steps, total_steps).")

    def rates(self, first_step: int, count: int, total_steps: int | None = None) -> Rates:
        """The rates of `count` steps from `first_step` on, which are finite and not negative.

        Parameters
        ----------
        first_step, count : int
            The first step, counted from 0, and the number of steps.
        total_steps : int, optional
            The number of all steps; None if it is unknown.

        Returns
        -------
        float64 array of shape (count,)
            The rates.
        """
        steps = np.arange(first_step, first_step + count, dtype=np.float64)
        found = np.ascontiguousarray(self.at(steps, total_steps), dtype=np.float64)
        if found.shape != steps.shape:
            raise InvalidParameterError(
                f"The rates of {count} steps must have the shape ({count},). Got {found.shape} instead."
            )
        wrong = ~np.isfinite(found) | (found < 0)
        if wrong.any():
            at = int(np.argmax(wrong))
            raise InvalidParameterError(
                f"The rate must be a finite number >= 0 at every step. Got {found[at]} at step "
                f"{first_step + at} of {self!r} instead."
            )
        return found

    def __call__(self, step: int) -> float:
        """The rate of one step."""
        return float(self.rates(step, 1)[0])

    def on_train_begin(self, greater_is_better: Directions) -> None:
        """Called before the first epoch of a `fit`, and when the learning rate is set to this schedule during it.

        Parameters
        ----------
        greater_is_better : mapping of str to bool or None
            For the name of each figure: True if larger is better, False if smaller is better, None if unknown.
        """

    def on_epoch_end(self, logs: Mapping[str, float]) -> None:
        """Called after every epoch with its figures, for a schedule that follows them.

        Parameters
        ----------
        logs : mapping of str to float
            The figures of the epoch by name.
        """

    def get_state(self) -> dict[str, Any]:
        """The state that depends on the figures so far, as numbers."""
        return {}

    def _state_schema(self) -> Any:
        """A schema of what `get_state` returns: see cynn.components.schema."""
        return {}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restore the state.

        Parameters
        ----------
        state : mapping
            What `get_state` returned.
        """


#: What an optimizer accepts as its learning rate.
LearningRate = float | Schedule | Callable[[int], float]


class Constant(Schedule):
    """The same rate at every step. A number is converted to this.

    Parameters
    ----------
    learning_rate : float
        The rate.

    Examples
    --------
    >>> from cynn.schedules import Constant
    >>> Constant(0.1).rates(0, 3)
    array([0.1, 0.1, 0.1])
    """

    name = "constant"
    learning_rate: float = number(minimum=0)

    def at(self, steps: Rates, total_steps: int | None) -> Any:
        return np.full(len(steps), self.learning_rate)


class _Function(Schedule):
    """A schedule that calls a function for each step."""

    name = "function"
    function: Callable[[int], float] = checked_by(as_given)

    def at(self, steps: Rates, total_steps: int | None) -> Any:
        return [self.function(int(step)) for step in steps]


def learning_rate_of(value: Any, name: str, owner: str) -> Any:
    """Convert a learning rate to the form that an optimizer keeps: a schedule, a function, or a number > 0."""
    if isinstance(value, dict) and isinstance(value.get("name"), str):
        return registry.schedules.get(value)
    if isinstance(value, Schedule) or (callable(value) and not isinstance(value, type)):
        return value
    try:
        return check_number(value, name, owner, above=0)
    except InvalidParameterError:
        raise InvalidParameterError(
            f"The {name!r} parameter of {owner} must be a finite number > 0, a schedule, its configuration or a "
            f"function of the step. Got {shown(value)} instead."
        ) from None


def number_of(value: Any, name: str, owner: str, **bounds: float) -> Any:
    """Check a number within bounds, or a schedule of it, for other parameters that may change from step to step.

    Such a schedule may depend only on the step.
    """
    if isinstance(value, dict) and isinstance(value.get("name"), str):
        value = registry.schedules.get(value)
    if not isinstance(value, Schedule):
        try:
            return check_number(value, name, owner, **bounds)
        except InvalidParameterError:
            raise InvalidParameterError(
                f"The {name!r} parameter of {owner} must be a finite number {' and '.join(bounds_in_words(**bounds))}, "
                f"a schedule or its configuration. Got {shown(value)} instead."
            ) from None
    if value.get_state():
        raise InvalidParameterError(
            f"The {name!r} parameter of {owner} must be a number, or a schedule that follows the step alone. Got "
            f"{value!r} instead, which follows a figure."
        )
    return value


def numbers_of(
    value: float | Schedule, name: str, owner: str, first_step: int, count: int, total_steps: int | None, below: float
) -> Rates:
    """The numbers for `count` steps from `first_step` on, from what `number_of` returned, all below a bound."""
    found = started(value).rates(first_step, count, total_steps)
    wrong = found >= below
    if wrong.any():
        at = int(np.argmax(wrong))
        raise InvalidParameterError(
            f"The {name!r} parameter of {owner} must be < {below:g} at every step. Got {found[at]} at step "
            f"{first_step + at} of {value!r} instead."
        )
    return found


def first_of(value: float | Schedule) -> float:
    """The first rate, for any number of steps."""
    return float(started(value).rates(0, 1, _MANY_STEPS)[0]) if isinstance(value, Schedule) else value


def started(value: LearningRate) -> Schedule:
    """A schedule for a learning rate, copied so that its state is not shared."""
    if isinstance(value, Schedule):
        return copy.deepcopy(value)
    return _Function(value) if callable(value) else Constant(value)
