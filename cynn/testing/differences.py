"""Derivatives by finite differences in float64, one-sided at the kinks of a function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cynn.testing.memory import Array

__all__ = ["Slopes", "find_kinks", "slopes", "wrong"]

# Powers of two, so that z ± h is exact for every z that the kit uses.
_H = 2.0**-10
_NEAR = 2.0**-20
_STEP = 2.0**-12
_KINKS = 24  # the most suspected kinks to examine


@dataclass(frozen=True)
class Slopes:
    """A derivative estimated by finite differences.

    Attributes
    ----------
    central : array
        The central difference, valid where the function is smooth.
    uncertainty : array
        How much the central difference changes with a smaller step.
    rounding : array
        The error that rounding may add to it.
    left, right : array
        The one-sided derivatives.
    """

    central: Array
    uncertainty: Array
    rounding: Array
    left: Array
    right: Array


def slopes(moved: Callable[[float], Array]) -> Slopes:
    """The derivative of `moved(t)` at t = 0, element by element.

    The central difference has five points, (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12h, and an error of
    order h⁴. The one-sided differences have three points and start a little beside t = 0, so that they are correct
    even if the function jumps there.
    """

    def central(h: float) -> Array:
        found: Array = (8 * (moved(h) - moved(-h)) - (moved(2 * h) - moved(-2 * h))) / (12 * h)
        return found

    def one_sided(sign: int) -> Array:
        near, middle, far = (moved(sign * (_NEAR + k * _STEP)) for k in range(3))
        found: Array = sign * (4 * middle - 3 * near - far) / (2 * _STEP)
        return found

    coarse, fine = central(_H), central(_H / 4)
    rounding = np.finfo(np.float64).eps * np.abs(moved(0.0)) / (_H / 4) * 8
    return Slopes(fine, np.abs(coarse - fine), rounding, one_sided(-1), one_sided(1))


def wrong(analytic: Array, found: Slopes) -> Array:
    """A mask of the elements at which an analytic derivative is wrong.

    It must be near the central difference. Where that is uncertain, it may lie between the one-sided derivatives: at a
    kink they differ, and they are more exact where the second derivative jumps. Where the function overflows,
    anything but NaN is accepted.
    """
    scale = np.maximum(1, np.abs(found.central))
    allowed = 1e-6 * scale + np.minimum(2 * found.uncertainty, 1e-5 * scale) + found.rounding
    right = np.abs(analytic - found.central) <= allowed
    low, high = np.fmin(found.left, found.right), np.fmax(found.left, found.right)
    side_scale = np.maximum(1, np.minimum(np.abs(found.left), np.abs(found.right)))
    uncertain = ~(found.uncertainty <= 1e-6 * scale) | ~(high - low <= 1e-3 * side_scale)
    side_allowed = 2e-5 * side_scale + 8 * found.rounding
    between = (analytic >= low - side_allowed) & (analytic <= high + side_allowed)
    overflows = ~np.isfinite(found.central) & ~np.isnan(analytic)
    result: Array = ~(right | (uncertain & between) | overflows)
    return result


def find_kinks(f: Callable[[Array], Array], *, low: float = -8.0, high: float = 8.0) -> list[float]:
    """The kinks and jumps of an elementwise function in an interval.

    The grid is refined where the slope changes much from one cell to the next. For a smooth function the change
    shrinks with the cells; at a kink it does not.
    """
    kinks: list[float] = []
    grid = np.linspace(low, high, 2001)
    bend = _bend(f, grid)
    width = grid[1] - grid[0]
    suspects = np.flatnonzero(bend > 0.02 * width)
    order = suspects[np.argsort(-bend[suspects])]
    seen: set[int] = set()
    tried = 0
    for i in order:
        if seen & {i - 1, i, i + 1}:
            continue
        seen.add(int(i))
        tried += 1
        if tried > _KINKS:
            break
        kink = _refine(f, grid[i], grid[i + 2], float(bend[i]))
        if kink is not None:
            kinks.append(kink)
    return sorted({place for kink in kinks for place in (kink, round(kink, 5))})


def _bend(f: Callable[[Array], Array], grid: Array) -> Array:
    values = f(grid)
    result: Array = np.nan_to_num(np.abs(np.diff(np.diff(values) / np.diff(grid))))
    return result


def _refine(f: Callable[[Array], Array], low: float, high: float, bend: float) -> float | None:
    while high - low > 1e-7:
        grid = np.linspace(low, high, 33)
        bends = _bend(f, grid)
        i = int(np.argmax(bends))
        if bends[i] < 0.3 * bend:
            return None
        bend = float(bends[i])
        low, high = grid[i], grid[i + 2]
    return float((low + high) / 2)
