"""The values of a parameter from which a search may choose: lists, ranges and distributions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from cynn.errors import InvalidParameterError, as_list, check_number, check_whole_number, shown

__all__ = ["Choices", "Range", "as_space", "log_uniform", "uniform", "whole_numbers"]


class Choices:
    """A list of values with equal probabilities."""

    def __init__(self, values: Sequence[Any]) -> None:
        self.values = list(values)

    def draw(self, generator: np.random.Generator) -> Any:
        """Choose a value."""
        return self.values[int(generator.integers(len(self.values)))]

    def suggest(self, trial: Any, name: str) -> Any:
        """Let a trial of Optuna choose a value."""
        return self.values[trial.suggest_categorical(name, list(range(len(self.values))))]


class Range:
    """The numbers from low to high, uniformly distributed on a linear or a logarithmic scale."""

    def __init__(self, low: float, high: float, *, is_log: bool = False, is_whole: bool = False) -> None:
        self.low, self.high, self.is_log, self.is_whole = low, high, is_log, is_whole

    def draw(self, generator: np.random.Generator) -> Any:
        """Choose a number."""
        if self.is_whole:
            return int(generator.integers(int(self.low), int(self.high), endpoint=True))
        if self.is_log:
            return math.exp(generator.uniform(math.log(self.low), math.log(self.high)))
        return float(generator.uniform(self.low, self.high))

    def suggest(self, trial: Any, name: str) -> Any:
        """Let a trial of Optuna choose a number."""
        if self.is_whole:
            return trial.suggest_int(name, int(self.low), int(self.high))
        return trial.suggest_float(name, self.low, self.high, log=self.is_log)


def uniform(low: float, high: float) -> Range:
    """A uniform distribution from `low` to `high`.

    Parameters
    ----------
    low, high : float
        The ends.

    Returns
    -------
    Range
        A value of a search's space.

    Examples
    --------
    >>> import cynn
    >>> space = {"momentum": cynn.many.uniform(0.5, 0.99)}
    """
    return Range(*_ordered(check_number(low, "low", "uniform"), check_number(high, "high", "uniform")))


def log_uniform(low: float, high: float) -> Range:
    """A log-uniform distribution from `low` to `high`: from 0.001 to 0.01 is as likely as from 0.01 to 0.1.

    Parameters
    ----------
    low, high : float
        The ends, above 0.

    Returns
    -------
    Range
        A value of a search's space.

    Examples
    --------
    >>> import cynn
    >>> space = {"learning_rate": cynn.many.log_uniform(1e-4, 1e-1)}
    """
    low, high = check_number(low, "low", "log_uniform", above=0), check_number(high, "high", "log_uniform", above=0)
    return Range(*_ordered(low, high), is_log=True)


def whole_numbers(low: int, high: int) -> Range:
    """A uniform distribution over the whole numbers from `low` to `high`, both included.

    Parameters
    ----------
    low, high : int
        The ends.

    Returns
    -------
    Range
        A value of a search's space.

    Examples
    --------
    >>> import cynn
    >>> space = {"units": cynn.many.whole_numbers(16, 256)}
    """
    low, high = check_whole_number(low, "low", "whole_numbers"), check_whole_number(high, "high", "whole_numbers")
    return Range(*_ordered(low, high), is_whole=True)


def _ordered(low: Any, high: Any) -> tuple[Any, Any]:
    if low > high:
        raise InvalidParameterError(f"The range must go from its lower to its higher end. Got {low} to {high} instead.")
    return low, high


class _OfScipy:
    """A distribution of `scipy.stats`."""

    def __init__(self, distribution: Any) -> None:
        self._distribution = distribution

    def draw(self, generator: np.random.Generator) -> Any:
        """Choose a number."""
        return self._distribution.rvs(random_state=generator)

    def suggest(self, trial: Any, name: str) -> Any:
        """Refuse: Optuna has distributions of its own."""
        raise InvalidParameterError(
            f"With a sampler, the parameter {name!r} must be a list or a range of cynn.many. "
            "Got a distribution instead."
        )


def as_space(given: Any) -> dict[str, Any]:
    """Validate a space: names with a list, a range, or a distribution that has `rvs`."""
    if not isinstance(given, dict) or not all(isinstance(name, str) for name in given):
        raise InvalidParameterError(
            "The 'space' parameter of search must be a dict: names of parameters with what to choose from. "
            f"Got {shown(given)} instead."
        )
    found: dict[str, Any] = {}
    for name, one in given.items():
        values = None if isinstance(one, (str, bytes, dict)) else as_list(one)
        if isinstance(one, Range):
            found[name] = one
        elif hasattr(one, "rvs"):
            found[name] = _OfScipy(one)
        elif values:
            found[name] = Choices(values)
        else:
            raise InvalidParameterError(
                f"The parameter {name!r} of the space must be a list of values, a range of cynn.many, or a "
                f"distribution of scipy.stats. Got {shown(one)} instead."
            )
    return found
