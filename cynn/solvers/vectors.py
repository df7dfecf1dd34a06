"""Sums over vectors of weights on one thread: with `@` NumPy may start threads, which are in the way of the engine."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["inner"]


def inner(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    """Σ a b, with the same bits whatever threads NumPy's BLAS has.

    Parameters
    ----------
    a, b : float64 array of shape (n,)
        The vectors.

    Returns
    -------
    float
        The sum.

    Examples
    --------
    >>> inner(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    11.0
    """
    return float(np.einsum("i,i->", a, b))
