"""An activation and a loss, in C."""

from cynn import hyperparameter
from cynn.activations import Activation
from cynn.losses import Loss
from cynn.plugins.levels import search_path

__path__ = search_path(__path__)

from cynn_example_c import _kernel


class InverseSquareRoot(Activation):
    """a = z / sqrt(1 + alpha z²); f′ = (1 + alpha z²)^(-3/2).

    Source: Carlile, Delamarter, Kinney, Marti and Whitney, "Improving
    deep learning by inverse square root linear units", 2017,
    equation 3.
    """

    name = "inverse_square_root"
    kernel = _kernel.INVERSE_SQUARE_ROOT
    alpha: float = hyperparameter(
        default=1.0, above=0, doc="How early a levels off."
    )


class Cauchy(Loss):
    """C = mean over the outputs of scale² / 2 log(1 + (d / scale)²).

    d = prediction - target.

    Source: Barron, "A general and adaptive robust loss function", 2019,
    equation 10 with alpha = 0.
    """

    name = "cauchy"
    kernel = _kernel.CAUCHY
    scale: float = hyperparameter(
        default=1.0,
        above=0,
        doc="Outliers count less beyond this distance.",
    )
