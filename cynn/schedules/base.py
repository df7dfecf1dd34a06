"""What a schedule is, and what becomes one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from cynn import registry
from cynn.components.configurable import Configurable
from cynn.components.declarations import as_given, checked_by, number
from cynn.errors import InvalidParameterError, bounds_in_words, check_number, shown
from cynn.schedules.monitoring import Directions

__all__ = ["Constant", "LearningRate", "Rates", "Schedule", "learning_rate_of", "started"]

Rates = npt.NDArray[np.float64]

_MANY_STEPS = 2**40


class Schedule(Configurable):
    """The base of schedules. A subclass of one's own defines `at`.

    What `__init__` takes it keeps as attributes of the same names: of these parameters are made the configuration,
    the repr, and whether two schedules are equal.

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
    >>> cynn.optimizers.SGD(learning_rate=InverseSquareRoot(0.1)).learning_rate.rates(0, 4)
    array([0.1       , 0.07071068, 0.05773503, 0.05      ])
    """

    kind = "schedule"

    def at(self, steps: Rates, total_steps: int | None) -> Any:
        """The rates of steps.

        Parameters
        ----------
        steps : float64 array
            Numbers of steps, from 0 for the first that the optimizer takes.
        total_steps : int or None
            How many there will be when the `fit` that runs is over; None where nobody knows.

        Returns
        -------
        float64 array
            One rate for each of `steps`.
        """
        raise NotImplementedError(f"{type(self).__name__} must define at(steps, total_steps).")

    def rates(self, first_step: int, count: int, total_steps: int | None = None) -> Rates:
        """The rates of `count` steps from `first_step`, which counts from 0: finite, and not negative.

        Parameters
        ----------
        first_step, count : int
            Which steps, counted from 0, and how many.
        total_steps : int, optional
            How many there will be in all; None where nobody knows.

        Returns
        -------
        float64 array of shape (count,)
            Their rates.
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
        """Before the first epoch of a `fit`, and where the learning rate is set to this schedule in its course.

        Parameters
        ----------
        greater_is_better : mapping of str to bool or None
            Of each figure of the training by its name, whether it is to rise; None where nothing says it.
        """

    def on_epoch_end(self, logs: Mapping[str, float]) -> None:
        """After every epoch, with its figures: for a schedule that follows them.

        Parameters
        ----------
        logs : mapping of str to float
            The figures of the epoch by name.
        """

    def get_state(self) -> dict[str, Any]:
        """What it has learned from figures so far, in numbers."""
        return {}

    def _state_schema(self) -> Any:
        """What `get_state` returns, in the words of cynn.components.schema."""
        return {}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `get_state` returned.

        Parameters
        ----------
        state : mapping
            As `get_state` returned it.
        """


#: What an optimizer takes for its learning rate.
LearningRate = float | Schedule | Callable[[int], float]


class Constant(Schedule):
    """The same rate at every step; what a number becomes.

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
    """A function of the step, called for each."""

    name = "function"
    function: Callable[[int], float] = checked_by(as_given)

    def at(self, steps: Rates, total_steps: int | None) -> Any:
        return [self.function(int(step)) for step in steps]


def learning_rate_of(value: Any, name: str, owner: str) -> Any:
    """A learning rate as an optimizer keeps it: a schedule, also from its config, a function, or a number > 0."""
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
    """A number within bounds, or a schedule of it: for what else may change from step to step.

    Such a schedule depends on the step alone.
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
    """The numbers of `count` steps from `first_step`, for what `number_of` returned: all of them below a bound."""
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
    """What it begins with, however many steps there will be."""
    return float(started(value).rates(0, 1, _MANY_STEPS)[0]) if isinstance(value, Schedule) else value


def started(value: LearningRate) -> Schedule:
    """A schedule of one's own to follow a learning rate: what it learns is no other's business."""
    if isinstance(value, Schedule):
        return copy.deepcopy(value)
    return _Function(value) if callable(value) else Constant(value)
