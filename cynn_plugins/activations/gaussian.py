"""The Gaussian bump as an activation, in plain Python."""

from typing import Any

import numpy as np
import numpy.typing as npt

from cynn.activations import Activation

Array = npt.NDArray[Any]


class Gaussian(Activation):
    """a = exp(-z²); f′ = -2 z a.

    Source: Broomhead and Lowe, "Multivariable functional interpolation and adaptive networks", 1988
    (with the radius taken as 1).

    Examples
    --------
    >>> import cynn
    >>> cynn.registry.activations.get("gaussian")([-1.0, 0.0]).round(4)
    array([0.3679, 1.    ])
    """

    name = "gaussian"

    def forward(self, z: Array) -> Array:
        a: Array = np.exp(-z * z)
        return a

    def backward(self, z: Array, a: Array, grad: Array) -> Array:
        return -2 * z * a * grad
