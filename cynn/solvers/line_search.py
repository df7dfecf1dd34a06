"""A line search for Wolfe's strong conditions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cynn.solvers.vectors import inner

__all__ = ["strong_wolfe"]

Vector = npt.NDArray[np.float64]

_FALL = 1e-4  # c₁
_CURVATURE = 0.9  # c₂


class _Point(NamedTuple):
    """A step along the line: its length, C there, the slope of C, the weights and the gradient."""

    length: float
    value: float
    slope: float
    theta: Vector
    gradient: Vector


def strong_wolfe(
    function: Callable[[Vector], tuple[float, Vector]],
    theta: Vector,
    direction: Vector,
    value: float,
    gradient: Vector,
    first: float,
    *,
    noise: float,
    max_evaluations: int,
) -> tuple[tuple[Vector, Vector] | None, int]:
    """Find a step along a direction that fulfils Wolfe's strong conditions.

    Source: Nocedal and Wright, "Numerical optimization", 2006, algorithms 3.5 and 3.6, with cubic interpolation.

    Parameters
    ----------
    function : callable
        Returns C(θ) and its gradient; values that are not finite count as infinite.
    theta, direction : array
        Where the line begins, and where it leads.
    value, gradient : float, array
        C and its gradient at its beginning.
    first : float
        The first step that is tried.
    noise : float
        How much C may rise by rounding alone.
    max_evaluations : int
        The largest number of evaluations.

    Returns
    -------
    found : tuple (theta, gradient), or None
        The weights, and the gradient there. None if C does not fall along this line. If the evaluations do not suffice,
        the best point of those tried.
    evaluations : int
        How many there were.
    """
    slope = inner(gradient, direction)
    if not slope < 0:
        return None, 0
    evaluations = 0

    def at(length: float) -> _Point:
        nonlocal evaluations
        evaluations += 1
        moved = theta + length * direction
        found, gradient_there = function(moved)
        if not math.isfinite(found):
            return _Point(length, math.inf, math.nan, moved, gradient_there)
        return _Point(length, found, inner(gradient_there, direction), moved, gradient_there)

    def falls(point: _Point) -> bool:
        return point.value <= value + _FALL * point.length * slope + noise

    low = _Point(0.0, value, slope, theta, gradient)
    high: _Point | None = None
    length = first
    while evaluations < max_evaluations:
        point = at(length)
        if not falls(point) or (point.value > low.value + noise):
            high = point
        elif abs(point.slope) <= -_CURVATURE * slope:
            return (point.theta, point.gradient), evaluations
        elif high is None and point.slope < 0:
            low, length = point, point.length * 2 if low.length == 0 else _beyond(low, point)
            continue
        else:  # of low and point, the minimum lies where the slope of point leads
            if high is None or point.slope * (high.length - low.length) >= 0:
                high = low
            low = point
        length = _between(low, high)
        if abs(high.length - low.length) <= 1e-12 * max(high.length, low.length):
            break
    if low.length > 0 and low.value < value:
        return (low.theta, low.gradient), evaluations
    return None, evaluations


def _minimum_of_cubic(a: _Point, b: _Point) -> float:
    """The minimum of the cubic with the values and the slopes at two points (Nocedal and Wright, 3.59)."""
    if not (math.isfinite(b.value) and math.isfinite(a.value)):
        return math.nan
    first = a.slope + b.slope - 3 * (a.value - b.value) / (a.length - b.length)
    square = first * first - a.slope * b.slope
    if square < 0:
        return math.nan
    second = math.copysign(math.sqrt(square), b.length - a.length)
    below = b.slope - a.slope + 2 * second
    if below == 0:
        return math.nan
    return b.length - (b.length - a.length) * (b.slope + second - first) / below


def _between(low: _Point, high: _Point) -> float:
    """A point between two, away from both."""
    least, most = sorted([low.length, high.length])
    found = _minimum_of_cubic(low, high)
    margin = 0.1 * (most - least)
    if not least + margin <= found <= most - margin:  # or it is a NaN
        return 0.5 * (least + most) if not math.isnan(found) or math.isfinite(high.value) else least + margin
    return found


def _beyond(last: _Point, point: _Point) -> float:
    """A point beyond the last two, where C still falls."""
    found = _minimum_of_cubic(last, point)
    step = point.length - last.length
    if not point.length + step <= found:
        return point.length + step if not math.isnan(found) else point.length + 4 * step
    return min(found, point.length + 9 * step)
