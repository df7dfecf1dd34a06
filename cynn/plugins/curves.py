"""Points on the curve of an activation and of its derivative."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cynn.activations import Activation

__all__ = ["points", "takes_rows"]

Array = npt.NDArray[Any]


def takes_rows(activation: Activation) -> bool:
    """Whether an element of a depends on its whole row of z.

    Examples
    --------
    >>> import cynn
    >>> takes_rows(cynn.activations.Softmax())
    True
    >>> takes_rows(cynn.activations.Tanh())
    False
    """
    z = np.linspace(-5, 5, 61)[:, None]
    pairs = np.hstack([z, z + 0.7])  # if it does, a changes with the second element
    with np.errstate(all="ignore"):
        return not np.allclose(activation.forward(pairs)[:, :1], activation.forward(z), equal_nan=True)


def points(activation: Activation, z: Array) -> tuple[Array, Array]:
    """f(z) and f′(z). For a function of a whole row, those of the first element of the row (z, 0).

    Examples
    --------
    >>> import cynn
    >>> points(cynn.activations.Tanh(), np.zeros(1))
    (array([0.]), array([1.]))
    """
    rows = z[:, None]
    if takes_rows(activation):
        rows = np.hstack([rows, np.zeros_like(rows)])
    with np.errstate(all="ignore"):
        a = activation.forward(rows)
        grad = np.zeros_like(a)
        grad[:, 0] = 1
        return a[:, 0], activation.backward(rows, a, grad)[:, 0]
