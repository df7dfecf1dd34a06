"""The domain of a function: declared by its class, or found from the NaNs that it returns."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cynn.testing.memory import Array

__all__ = ["MARGIN", "inside", "seen"]

MARGIN = 1e-3  # no point is tried closer to the end of a domain: a slope may be infinite there


def seen(f: Callable[[Array], Array]) -> tuple[float, float]:
    """The interval outside of which an elementwise function is NaN, or all numbers if there is none."""
    grid = np.linspace(-8, 8, 161)
    defined = ~np.isnan(f(grid))
    if defined.all() or not defined.any():
        return -np.inf, np.inf
    places = np.flatnonzero(defined)
    first, last = int(places[0]), int(places[-1])
    if not defined[first : last + 1].all():
        return -np.inf, np.inf
    low = -np.inf if first == 0 else _edge(f, grid[first], grid[first - 1])
    high = np.inf if last == len(grid) - 1 else _edge(f, grid[last], grid[last + 1])
    return low, high


def _edge(f: Callable[[Array], Array], good: float, bad: float) -> float:
    for _ in range(50):
        middle = (good + bad) / 2
        if np.isnan(f(np.array([middle])))[0]:
            bad = middle
        else:
            good = middle
    return round(float(good), 9)


def inside(z: Array, domain: tuple[float, float]) -> Array:
    """z with the numbers outside of a domain folded into it."""
    low, high = domain
    if low == -np.inf and high == np.inf:
        return z
    if high == np.inf:
        folded = low + np.maximum(np.abs(z - low), MARGIN)
    elif low == -np.inf:
        folded = high - np.maximum(np.abs(z - high), MARGIN)
    else:
        width = high - low
        place = np.abs((z - low) % (2 * width))
        folded = low + np.clip(np.where(place > width, 2 * width - place, place), MARGIN * width, (1 - MARGIN) * width)
    return np.asarray(folded, z.dtype)
