"""Checks of hyperparameters at their bounds: all allowed values must work."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from cynn.components.hyperparameters import Component, Hyperparameter
from cynn.testing.common import changed
from cynn.testing.report import Failure, Skipped

if TYPE_CHECKING:
    from cynn.testing.checks import Checks

__all__ = ["interval", "is_number", "no_nan_at_bounds", "of_kernel"]

_NEAR = 1e-4  # relative distance from an excluded bound


def of_kernel(component: Component) -> dict[str, Hyperparameter]:
    """The constant hyperparameters of a component (no schedules)."""
    return {name: each for name, each in component.hyperparameters.items() if name not in component.assignable}


def is_number(declared: Hyperparameter) -> bool:
    """Whether a hyperparameter is a number (not a switch or a choice)."""
    return not isinstance(declared.default, bool | str)


def interval(declared: Hyperparameter) -> tuple[float, float]:
    """The bounds of the allowed values, infinite where there is none."""
    low = declared.bounds.get("minimum", declared.bounds.get("above", -np.inf))
    return low, declared.bounds.get("maximum", declared.bounds.get("below", np.inf))


def _at_bounds(component: Component) -> Iterator[tuple[str, float, Any]]:
    """The component with each hyperparameter at each of its bounds, or close to an excluded bound."""
    for name, declared in of_kernel(component).items():
        if not is_number(declared):
            continue
        low, high = interval(declared)
        width = high - low if np.isfinite(high - low) else max(1.0, abs(float(declared.default)))
        for key, sign in [("minimum", 0), ("maximum", 0), ("above", 1), ("below", -1)]:
            if key in declared.bounds:
                value = declared.bounds[key] + sign * _NEAR * width
                one = changed(component, **{name: value})
                if one is not None:
                    yield name, value, one


def no_nan_at_bounds(checks: Checks[Any, Any]) -> str:
    """With each hyperparameter at its bounds, moderate inputs give finite results."""
    n = 0
    for name, value, one in _at_bounds(checks.component):
        results = [(dtype, result) for dtype in checks.dtypes for result in checks.moderate(one, dtype).values()]
        for dtype, result in results:
            if not np.isfinite(result).all():
                bad = result[~np.isfinite(result)][0]
                raise Failure(
                    f"with {name}={value:g}, which is allowed, moderate inputs must give finite results in {dtype}. "
                    f"Got {bad}: exclude the value by above= or below=, or take care of it"
                )
        n += 1
    if not n:
        raise Skipped("it has no hyperparameters with bounds")
    return f"{n} bounds"
