"""Temperature scaling: calibrates probabilities on held-out rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

__all__ = ["apply_temperature", "fit_temperature"]

Array = npt.NDArray[Any]

_LARGEST = 20.0


def apply_temperature(probabilities: Array, temperature: float) -> npt.NDArray[np.float64]:
    """Raise probabilities to the power 1 / temperature and normalize each row to the sum 1."""
    with np.errstate(divide="ignore"):
        z = np.log(probabilities.astype(np.float64)) / temperature
    z -= z.max(axis=1, keepdims=True)
    found: npt.NDArray[np.float64] = np.exp(z, out=z)
    found /= found.sum(axis=1, keepdims=True)
    return found


def fit_temperature(probabilities: Array, codes: Array, weight: Array | None) -> float:
    """Find the temperature with the smallest cross-entropy.

    Source: Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", 2017, section 4.2.

    Parameters
    ----------
    probabilities : array of shape (rows, classes)
        Predicted probabilities of held-out rows.
    codes : array of shape (rows,)
        Class codes.
    weight : array of shape (rows,), or None
        How often each row is there.
    """
    rows, smallest = np.arange(len(codes)), np.finfo(np.float64).tiny

    def loss(logarithm: float) -> float:
        own = apply_temperature(probabilities, float(np.exp(logarithm)))[rows, codes]
        return -float(np.average(np.log(np.maximum(own, smallest)), weights=weight))

    limit = np.log(_LARGEST)
    return float(np.exp(minimize_scalar(loss, bounds=(-limit, limit), method="bounded").x))
