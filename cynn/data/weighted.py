"""Statistics of weighted rows: a weight of w means w copies of the row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["mean_and_deviation", "quantiles"]

Array = npt.NDArray[Any]


def quantiles(x: Array, parts: Sequence[float], weight: Array | None = None) -> list[float]:
    """Weighted quantiles of x.

    They are the inverse of the distribution function, averaged at its jumps, so the median is the usual one. Source:
    Hyndman and Fan, "Sample quantiles in statistical packages", 1996, definition 2.

    Parameters
    ----------
    x : array of shape (rows,)
        One number or more, finite.
    parts : list of float
        From 0 to 1.
    weight : array of shape (rows,), optional
        Above 0. Only ratios matter.
    """
    order = np.argsort(x, kind="stable")
    ordered = x[order]
    below = np.arange(1.0, len(x) + 1) if weight is None else np.cumsum(weight[order])
    found = []
    for part in parts:
        wanted = part * below[-1]
        slack = 1e-12 * below[-1]  # sums of weights are rounded
        first = min(int(np.searchsorted(below, wanted - slack)), len(x) - 1)
        is_at_end = first + 1 < len(x) and abs(below[first] - wanted) <= slack and 0 < part < 1
        found.append(float(ordered[first] / 2 + ordered[first + 1] / 2 if is_at_end else ordered[first]))
    return found


def mean_and_deviation(y: Array, weight: Array | None = None) -> tuple[Array, Array]:
    """The mean and the standard deviation of each column. For a constant column, the standard deviation is 1."""
    mean = np.average(y, axis=0, weights=weight)
    deviation = np.sqrt(np.average((y - mean) ** 2, axis=0, weights=weight))
    is_flat = deviation <= 1e-12 * np.abs(mean)
    return mean, np.where(is_flat, 1.0, deviation)
