"""Piecewise polynomial activations."""

from cynn.activations import Activation
from cynn.errors import InvalidParameterError
from cynn.hyperparameters import hyperparameter
from cynn_plugins.activations._piecewise import KERNELS

__all__ = [
    "HardShrink",
    "HardSigmoid",
    "HardSwish",
    "HardTanh",
    "ReLU6",
    "SoftShrink",
    "SparsePlus",
    "SquaredReLU",
    "Threshold",
]


class ReLU6(Activation):
    """a = min(max(z, 0), 6): a ReLU with an upper limit, for quantized networks.

    f′ = 1 between 0 and 6; at both kinks it is 0.

    Source: Krizhevsky, "Convolutional deep belief networks on CIFAR-10", 2010, section 2.

    Examples
    --------
    >>> import cynn
    >>> cynn.registry.activations.get("relu6")([-1.0, 3.0, 7.0])
    array([0., 3., 6.])
    """

    name = "relu6"
    initializer = "he_uniform"
    c_source = "z < 0 ? 0 : z > 6 ? 6 : z"
    kernel = KERNELS["relu6"]


class HardTanh(Activation):
    """a = min(max(z, minimum), maximum).

    f′ = 1 between the two; at both kinks it is 0.

    Source: Collobert, "Large scale machine learning", 2004 (with -1 and 1).

    Examples
    --------
    >>> import cynn
    >>> cynn.registry.activations.get("hardtanh")([-2.0, 0.5, 2.0])
    array([-1. ,  0.5,  1. ])
    """

    name = "hardtanh"
    c_source = "z < minimum ? minimum : z > maximum ? maximum : z"
    kernel = KERNELS["hardtanh"]
    minimum: float = hyperparameter(default=-1.0, doc="The minimum of a.")
    maximum: float = hyperparameter(default=1.0, doc="The maximum of a. It must be greater than `minimum`.")

    def __post_init__(self) -> None:
        if self.minimum >= self.maximum:
            raise InvalidParameterError(
                f"The 'maximum' parameter of HardTanh must be > its minimum, {self.minimum:g}. "
                f"Got {self.maximum!r} instead."
            )


class HardSigmoid(Activation):
    """a = min(max(z + 3, 0), 6) / 6: a sigmoid of three straight pieces.

    f′ = 1/6 between -3 and 3; at both kinks it is 0.

    Sources: Courbariaux, Bengio and David, "BinaryConnect", 2015, equation 3 (with another slope);
    Howard and others, "Searching for MobileNetV3", 2019, section 5.2 (this one).

    Examples
    --------
    >>> import cynn
    >>> cynn.registry.activations.get("hard_sigmoid")([-4.0, 0.0, 1.5, 4.0])
    array([0.  , 0.5 , 0.75, 1.  ])
    """

    name = "hard_sigmoid"
    c_source = "z <= -3 ? 0 : z >= 3 ? 1 : (z + 3) / 6"
    kernel = KERNELS["hard_sigmoid"]


class HardSwish(Activation):
    """a = z min(max(z + 3, 0), 6) / 6: swish of two straight pieces and a parabola.

    f′ = (2 z + 3) / 6 between -3 and 3; at -3 it is 0 and at 3 it is 1.

    Source: Howard and others, "Searching for MobileNetV3", 2019, section 5.2.

    Examples
    --------
    >>> import cynn
    >>> hard_swish = cynn.registry.activations.get("hard_swish")
    >>> hard_swish([-4.0, 1.0, 4.0]).round(4)
    array([0.    , 0.6667, 4.    ])
    """

    name = "hard_swish"
    initializer = "he_uniform"
    c_source = "z <= -3 ? 0 : z >= 3 ? z : z * (z + 3) / 6"
    kernel = KERNELS["hard_swish"]


class SquaredReLU(Activation):
    """a = max(z, 0)²; f′ = 2 max(z, 0).

    Source: So and others, "Primer: searching for efficient transformers for language modeling", 2021,
    section 4.

    Examples
    --------
    >>> import cynn
    >>> cynn.registry.activations.get("squared_relu")([-1.0, 0.5, 3.0])
    array([0.  , 0.25, 9.  ])
    """

    name = "squared_relu"
    initializer = "he_uniform"
    c_source = "z < 0 ? 0 : z * z"
    kernel = KERNELS["squared_relu"]


class SparsePlus(Activation):
    """a = 0 below -1, z above 1, (z + 1)² / 4 between: softplus with exact zeros.

    f′ = 0, 1 and (z + 1) / 2, without a kink. It is to `sparsemax` as softplus is to softmax.

    Source: Martins and Astudillo, "From softmax to sparsemax", 2016, proposition 3 (their loss in one
    dimension); the form here as in Keras and JAX.

    Examples
    --------
    >>> import cynn
    >>> cynn.registry.activations.get("sparse_plus")([-2.0, 0.0, 2.0])
    array([0.  , 0.25, 2.  ])
    """

    name = "sparse_plus"
    initializer = "he_uniform"
    c_source = "z <= -1 ? 0 : z >= 1 ? z : (z + 1) * (z + 1) / 4"
    kernel = KERNELS["sparse_plus"]


class SoftShrink(Activation):
    """a = z - threshold where z > threshold, z + threshold where z < -threshold, 0 elsewhere.

    f′ = 1 where |z| > threshold, 0 elsewhere and at both kinks.

    Source: Donoho, "De-noising by soft-thresholding", 1995, equation 3.

    Examples
    --------
    >>> import cynn
    >>> cynn.registry.activations.get("softshrink")([-2.0, 0.3, 2.0])
    array([-1.5,  0. ,  1.5])
    """

    name = "softshrink"
    c_source = "z > threshold ? z - threshold : z < -threshold ? z + threshold : 0 * z"
    kernel = KERNELS["softshrink"]
    threshold: float = hyperparameter(default=0.5, minimum=0, doc="The shrinkage, and the |z| below which a is 0.")


class HardShrink(Activation):
    """a = z where |z| > threshold, 0 elsewhere.

    f′ = 1 where |z| > threshold, 0 elsewhere and at both steps.

    Source: Donoho and Johnstone, "Ideal spatial adaptation by wavelet shrinkage", 1994, equation 9.

    Examples
    --------
    >>> import cynn
    >>> cynn.registry.activations.get("hardshrink")([-2.0, 0.3, 2.0])
    array([-2.,  0.,  2.])
    """

    name = "hardshrink"
    c_source = "z > threshold || z < -threshold ? z : 0 * z"
    kernel = KERNELS["hardshrink"]
    threshold: float = hyperparameter(default=0.5, minimum=0, doc="The |z| up to which a is 0.")


class Threshold(Activation):
    """a = z where z > threshold, `value` elsewhere.

    f′ = 1 where z > threshold, 0 elsewhere and at the threshold.

    Source: Konda, Memisevic and Krueger, "Zero-bias autoencoders and the benefits of co-adapting
    features", 2015, equation 5 (with 1 and 0).

    Examples
    --------
    >>> import cynn
    >>> cynn.registry.activations.get("threshold")([-1.0, 0.5, 2.0])
    array([0., 0., 2.])
    """

    name = "threshold"
    initializer = "he_uniform"
    c_source = "z <= threshold ? value : z"
    kernel = KERNELS["threshold"]
    threshold: float = hyperparameter(default=1.0, doc="The z up to which a is `value`.")
    value: float = hyperparameter(default=0.0, doc="The value of a for z <= threshold.")
