"""Comparisons of arrays, and words for the differences, for the evidence of checks."""

from __future__ import annotations

import numpy as np

from cynn.testing.memory import Array
from cynn.testing.report import Failure

__all__ = ["near", "require_close", "short", "worst"]


def short(row: Array) -> str:
    """A row of numbers as text, with four digits each."""
    return "[" + ", ".join(f"{value:.4g}" for value in row) + "]"


def near(got: Array, expected: Array, dtype: str) -> bool:
    """Whether two arrays are equal up to the rounding of sums in another order."""
    tolerance = 1e-5 if dtype == "float32" else 1e-10
    return bool(np.allclose(got, expected, rtol=tolerance, atol=tolerance, equal_nan=True))


def worst(got: Array, expected: Array) -> tuple[float, float]:
    """The pair of elements with the largest difference."""
    difference = np.nan_to_num(np.abs(got - expected), nan=np.inf)
    i = np.unravel_index(int(difference.argmax()), difference.shape)
    return float(got[i]), float(expected[i])


def require_close(got: Array, expected: Array, dtype: str, what: str) -> None:
    """Raise a Failure unless two arrays are equal up to their last bits."""
    eps = np.finfo(dtype).eps
    with np.errstate(all="ignore"):
        bad = ~(np.abs(got - expected) <= 64 * eps * np.maximum(1, np.abs(expected))) & (got != expected)
        bad &= ~(np.isnan(got) & np.isnan(expected))
    if bad.any():
        i = tuple(map(int, np.argwhere(bad)[0]))
        raise Failure(f"{what}, {dtype}, element {i}: expected {expected[i]!s}, got {got[i]!s}")
