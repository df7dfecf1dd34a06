"""The Gaussian activation."""

from cynn.activations import Activation
from cynn_plugins.activations._gaussian import KERNELS

__all__ = ["Gaussian"]


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
    c_source = "exp(-z * z)"
    kernel = KERNELS["gaussian"]
