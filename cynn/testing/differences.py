"""Finite differences in float64, one-sided where a function has a kink."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cynn.testing.memory import Array
from cynn.testing.report import Failure
from cynn.testing.words import apart

__all__ = ["Slopes", "along", "one_sided", "require_along", "slope", "slopes", "wrong"]

# Steps are powers of two, so that z ± h is exact for all z that are tried. The largest comes first. Where a function is
# steep, smaller steps are more accurate.
_H = 2.0**-10
_SIZES = 8
_STEPS = (2.0**-12, 2.0**-17, 2.0**-22)
_NEAR = 2.0**-8  # one-sided differences start this many steps away from the point
_EPS = np.finfo(np.float64).eps


@dataclass(frozen=True)
class Slopes:
    """A derivative from finite differences.

    Attributes
    ----------
    central : array
        The central difference, where the function is smooth.
    uncertainty : array
        How much it changes with a smaller step.
    rounding : array
        The possible rounding error.
    left, right : array
        The limits from either side.
    """

    central: Array
    uncertainty: Array
    rounding: Array
    left: Array
    right: Array


def slopes(moved: Callable[[float], Array]) -> Slopes:
    """The derivative of `moved(t)` at t = 0, element by element.

    The central difference has five points, (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12h, and an error of
    order h⁴. For each element, the most accurate of several steps h is used.
    """

    def central(h: float) -> Array:
        found: Array = (8 * (moved(h) - moved(-h)) - (moved(2 * h) - moved(-2 * h))) / (12 * h)
        return found

    size = np.abs(moved(0.0))
    before = central(_H)
    best, uncertainty, rounding = before, np.full(before.shape, np.inf), np.zeros(before.shape)
    for k in range(1, _SIZES):
        h = _H / 4**k
        now = central(h)
        change, noise = np.abs(now - before), _EPS * size / h * 8
        better = change + noise < uncertainty + rounding
        best, uncertainty = np.where(better, now, best), np.where(better, change, uncertainty)
        rounding = np.where(better, noise, rounding)
        before = now
        if (uncertainty <= 1e-7 * np.maximum(1, np.abs(best))).all():
            break
    (left, _), (right, _) = (one_sided(moved, sign, _STEPS[:1]) for sign in (-1, 1))
    if not (np.abs(left - right) <= 1e-4 * np.maximum(1, np.abs(best))).all():  # a kink, perhaps
        (left, _), (right, _) = (one_sided(moved, sign) for sign in (-1, 1))
    return Slopes(best, uncertainty, rounding, left, right)


def one_sided(moved: Callable[[float], Array], sign: int, steps: tuple[float, ...] = _STEPS) -> tuple[Array, Array]:
    """The one-sided derivative of `moved(t)` at t = 0, and its uncertainty.

    It also exists where the function jumps.
    """

    def difference(step: float) -> Array:
        near, middle, far = (moved(sign * step * (_NEAR + k)) for k in range(3))
        found: Array = sign * (4 * middle - 3 * near - far) / (2 * step)
        return found

    size = np.abs(moved(0.0))
    found = [difference(step) for step in steps]
    best, uncertainty = found[0], np.full(found[0].shape, np.inf)
    for before, now, step in zip(found, found[1:], steps[1:], strict=False):
        doubt = np.abs(now - before) + _EPS * size / step * 8
        # the coarser one has a smaller rounding error, if both agree
        best = np.where(doubt < uncertainty, np.where(np.abs(now - before) < 1e-5, before, now), best)
        uncertainty = np.fmin(uncertainty, doubt)
    return best, uncertainty


def wrong(analytic: Array, found: Slopes) -> Array:
    """Which elements of an analytic derivative disagree with finite differences.

    An element must be close to the central difference or, where that is uncertain, between the one-sided differences:
    these differ at a kink, and are more accurate where the second derivative jumps. Where the function overflows, any
    value but NaN is accepted.
    """
    size = np.abs(found.central)
    # in a flat function small slopes are significant; if all are nearly 0, it is at an extremum
    largest = float(np.max(size[np.isfinite(size)], initial=0.0))
    floor = min(1.0, largest) if largest > 1e-4 else 1.0
    scale = np.maximum(floor, size)
    allowed = 1e-6 * scale + np.minimum(2 * found.uncertainty, 1e-5 * scale) + found.rounding
    right = np.abs(analytic - found.central) <= allowed
    low, high = np.fmin(found.left, found.right), np.fmax(found.left, found.right)
    side_scale = np.maximum(floor, np.minimum(np.abs(found.left), np.abs(found.right)))
    uncertain = ~(found.uncertainty <= 1e-6 * scale) | ~(high - low <= 1e-3 * side_scale)
    side_allowed = 2e-5 * side_scale + 8 * found.rounding
    between = (analytic >= low - side_allowed) & (analytic <= high + side_allowed)
    overflows = ~np.isfinite(found.central) & ~np.isnan(analytic)
    result: Array = ~(right | (uncertain & between) | overflows)
    return result


def require_along(analytic: Array, unit: Array, found: Slopes, first: int, what: str, of: str) -> None:
    """Raise Failure unless the directional derivative of each row along `unit` agrees with finite differences.

    Parameters
    ----------
    analytic : array of shape (rows, columns)
        The gradient.
    unit : array of shape (columns,)
        The direction. It is 0 in the columns before `first`.
    found : Slopes
        The derivative of each row in that direction.
    first : int
        For the message.
    what, of : str
        For the message: the names of the derivative and the function.
    """
    along = (analytic * unit).sum(axis=1)
    bad = wrong(along, found)
    if bad.any():
        expected, got = apart(found.central[bad][0], along[bad][0])
        raise Failure(
            f"{what} must be the derivative of {of}: along the columns from {first} on it must be {expected}, by "
            f"differences. Got {got}"
        )


def slope(f: Callable[[float], float]) -> tuple[float, float]:
    """The derivative of f at 0, and how much it depends on the step size."""
    found = [(f(step) - f(-step)) / (2 * step) for step in (2.0**-12, 2.0**-16, 2.0**-20)]
    changes = [abs(after - before) for before, after in itertools.pairwise(found)]
    return found[int(np.argmin(changes)) + 1], min(changes)


def along(f: Callable[[], float], array: Array, unit: Array) -> tuple[float, float]:
    """The same along a direction of an array that f reads."""
    before = array.copy()

    def moved(step: float) -> float:
        array[...] = before + step * unit
        value = f()
        array[...] = before
        return value

    return slope(moved)
