"""Exponential units: exp(z), and units that are exponential for negative z."""

from cynn.activations import Activation
from cynn.hyperparameters import hyperparameter
from cynn_plugins.activations._exponential import KERNELS

__all__ = ["CELU", "ELU", "SELU", "Exponential"]


class Exponential(Activation):
    """a = exp(z), for outputs that are positive, such as rates; f′ = a.

    It overflows to infinity from z = 88.7 on in float32 and z = 709.8 on in float64.

    Source: the inverse of the logarithmic link of generalized linear models, McCullagh and Nelder,
    "Generalized linear models", 1989, section 2.2.

    Examples
    --------
    >>> import cynn
    >>> exponential = cynn.registry.activations.get("exponential")
    >>> exponential([-1.0, 0.0, 1.0]).round(4)
    array([0.3679, 1.    , 2.7183])
    """

    name = "exponential"
    c_source = "exp(z)"
    kernel = KERNELS["exponential"]


class ELU(Activation):
    """The exponential linear unit: a = z where z > 0, alpha (exp(z) - 1) elsewhere.

    f′ = 1 where z > 0, a + alpha elsewhere; at 0, where the slopes differ unless alpha is 1, it is
    alpha.

    Source: Clevert, Unterthiner and Hochreiter, "Fast and accurate deep network learning by
    exponential linear units", 2016, equations 15 and 16.

    Examples
    --------
    >>> import cynn
    >>> cynn.registry.activations.get("elu")([-1.0, 0.0, 2.0]).round(4)
    array([-0.6321,  0.    ,  2.    ])
    """

    name = "elu"
    initializer = "he_uniform"
    c_source = "z < 0 ? alpha * expm1(z) : z"
    kernel = KERNELS["elu"]
    alpha: float = hyperparameter(default=1.0, above=0, doc="The limit for z towards -infinity is -alpha.")


class SELU(Activation):
    """The scaled exponential linear unit: a = s z where z > 0, s alpha (exp(z) - 1) elsewhere.

    s = 1.0507... and alpha = 1.6732... are such that layers keep mean 0 and variance 1. f′ = s where
    z > 0, a + s alpha elsewhere; at 0 it is s alpha.

    Source: Klambauer, Unterthiner, Mayr and Hochreiter, "Self-normalizing neural networks", 2017,
    equations 2 and 14; "lecun_normal" weights, as in the paper.

    Examples
    --------
    >>> import cynn
    >>> cynn.registry.activations.get("selu")([-1.0, 0.0, 1.0]).round(4)
    array([-1.1113,  0.    ,  1.0507])
    """

    name = "selu"
    initializer = "lecun_normal"
    c_source = "1.0507009873554804934 * (z < 0 ? 1.6732632423543772848 * expm1(z) : z)"
    kernel = KERNELS["selu"]


class CELU(Activation):
    """The continuously differentiable exponential linear unit.

    a = z where z > 0, alpha (exp(z / alpha) - 1) elsewhere; f′ = 1 where z > 0, a / alpha + 1
    elsewhere, smooth at 0 for every alpha.

    Source: Barron, "Continuously differentiable exponential linear units", 2017, equation 2.

    Examples
    --------
    >>> import cynn
    >>> celu = cynn.registry.activations.get("celu", alpha=2)
    >>> celu([-2.0, 0.0, 2.0]).round(4)
    array([-1.2642,  0.    ,  2.    ])
    """

    name = "celu"
    initializer = "he_uniform"
    c_source = "z < 0 ? alpha * expm1(z / alpha) : z"
    kernel = KERNELS["celu"]
    alpha: float = hyperparameter(default=1.0, above=0, doc="The limit for z towards -infinity is -alpha.")
