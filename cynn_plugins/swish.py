"""Swish, compiled."""

from cynn.activations import Activation
from cynn.hyperparameters import hyperparameter
from cynn_plugins import _swish


class Swish(Activation):
    """a = z σ(beta z): smooth, and close to ReLU for large beta. Also known as SiLU where beta is 1.

    Source: Ramachandran, Zoph and Le, "Searching for activation functions", 2017.

    Examples
    --------
    >>> import cynn
    >>> cynn.registry.activations.get("swish", beta=1)([-1.0, 0.0, 1.0]).round(4)
    array([-0.2689,  0.    ,  0.7311])
    """

    name = "swish"
    initializer = "he_uniform"
    kernel = _swish.KERNEL
    beta: float = hyperparameter(1.0, minimum=0, doc="How sharp the bend is.")
