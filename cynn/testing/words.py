"""Comparisons and descriptions of differences, for the evidence of checks."""

from __future__ import annotations

from typing import Any

import numpy as np

from cynn.testing.memory import Array
from cynn.testing.report import Failure

__all__ = ["apart", "near", "require_close", "short", "worst"]


def short(row: Array) -> str:
    """Format a row of numbers briefly."""
    shown = ", ".join(f"{value:.4g}" for value in row[:8])
    return f"[{shown}, ... {len(row)} numbers]" if len(row) > 8 else f"[{shown}]"


def apart(expected: Any, got: Any) -> tuple[str, str]:
    """Format two numbers with enough digits to distinguish them."""
    for digits in (6, 9, 12, 17):
        first, second = f"{expected:.{digits}g}", f"{got:.{digits}g}"
        if first != second:
            return first, second
    return first, f"{second}, of other bits"


def near(got: Array, expected: Array, dtype: str) -> bool:
    """Whether two arrays differ by no more than the rounding of sums in another order."""
    tolerance = 1e-5 if dtype == "float32" else 1e-10
    return bool(np.allclose(got, expected, rtol=tolerance, atol=tolerance, equal_nan=True))


def worst(got: Array, expected: Array) -> tuple[float, float]:
    """The pair of elements with the largest difference."""
    difference = np.nan_to_num(np.abs(got - expected), nan=np.inf)
    difference[np.isnan(got) & np.isnan(expected)] = 0
    i = np.unravel_index(int(difference.argmax()), difference.shape)
    return float(got[i]), float(expected[i])


def require_close(got: Array, expected: Array, dtype: str, what: str, *, scale: float = 1, ulps: float = 64) -> None:
    """Raise Failure unless two arrays agree up to their last bits."""
    eps = np.finfo(dtype).eps
    with np.errstate(all="ignore"):
        bad = ~(np.abs(got - expected) <= ulps * eps * np.maximum(scale, np.abs(expected))) & (got != expected)
        bad &= ~(np.isnan(got) & np.isnan(expected))
    if bad.any():
        i = tuple(map(int, np.argwhere(bad)[0]))
        first, second = apart(expected[i], got[i])
        raise Failure(f"{what}. Element {i} must be {first}. Got {second}, {int(bad.sum())} of {bad.size} differ")
