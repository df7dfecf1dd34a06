"""Finds the kinks of a function, and checks its derivative on both sides of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from cynn.testing.differences import one_sided
from cynn.testing.memory import Array

__all__ = ["beside", "find_kinks", "places_of_kinks"]

_MAX_KINKS = 24
_FAR = [10.0**-k for k in range(1, 7)]  # distances from a kink whose position is known to 1e-7
_NEARER = [*(10.0**-k for k in range(7, 13)), 1e-20, 1e-40, 1e-310]  # from a kink whose position is exact


def find_kinks(f: Callable[[Array], Array], *, low: float = -8.0, high: float = 8.0) -> list[float]:
    """The kinks and jumps of an elementwise function in an interval, and round numbers close to them."""
    return sorted({place for kink in places_of_kinks(f, low, high) for place in (kink, round(kink, 5))})


def places_of_kinks(f: Callable[[Array], Array], low: float = -8.0, high: float = 8.0) -> list[float]:
    """The kinks and jumps to 1e-7.

    The grid is refined where the slope changes much more from one interval to the next than nearby. In a smooth
    function the change shrinks with the interval; at a kink it does not.
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
        if tried > _MAX_KINKS:
            break
        kink = _refine(f, grid[i], grid[i + 2], float(bend[i]))
        if kink is not None:
            kinks.append(kink)
    return sorted(kinks)


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


def beside(
    f: Callable[[Array], Array],
    derivative: Callable[[Array], Array],
    kinks: Iterable[float],
    exact: Iterable[float] = (0.0,),
) -> tuple[int, tuple[float, float, float] | None]:
    """Compare a derivative on both sides of kinks with one-sided differences.

    Parameters
    ----------
    f, derivative : function of an array
        Elementwise.
    kinks : iterable of float
        Their positions, to 1e-7.
    exact : iterable of float
        Possible exact positions of kinks.

    Returns
    -------
    tuple (n, fault)
        The number of points compared; and position, expected and actual value at the first wrong one, or None.
    """
    found, special = sorted(set(kinks)), set(exact)
    places = [(kink, distance) for kink in found for distance in _FAR]
    known = {place for place in special if any(abs(place - kink) < 1e-6 for kink in found)}
    places += [(kink, distance) for kink in known for distance in _NEARER]
    n = 0
    for sign in (-1, 1):
        z = np.array([kink + sign * d for kink, d in places if _is_clear(kink, d, sign, found, special)])
        if not len(z):
            continue
        expected, uncertainty = one_sided(lambda t, z=z: f(z + t), sign)  # type: ignore[misc]  # z is bound
        got = derivative(z)
        scale = np.maximum(1, np.abs(expected))
        sure = (uncertainty <= 1e-4 * scale) & np.isfinite(expected)
        bad = sure & ~(np.abs(got - expected) <= 1e-3 * scale)
        n += int(sure.sum())
        if bad.any():
            i = int(np.flatnonzero(bad)[0])
            return n, (float(z[i]), float(expected[i]), float(got[i]))
    return n, None


def _is_clear(kink: float, distance: float, sign: int, found: list[float], special: set[float]) -> bool:
    """Whether a point beside a kink is distinct from it, and no other kink is close on that side."""
    place = kink + sign * distance
    others = [other for other in found if sign * (other - kink) > 1e-5]
    others += [other for other in special if sign * (other - kink) > 0]
    return place != kink and all(distance < 0.5 * abs(other - kink) for other in others)
