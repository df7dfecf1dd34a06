"""Smooth versions of ReLU, sign, clip and shrinkage."""

from cynn.activations import Activation
from cynn.hyperparameters import hyperparameter
from cynn_plugins.activations._soft import KERNELS

__all__ = ["LogSigmoid", "SmoothClip", "Softplus", "Softsign", "Squareplus", "TanhShrink"]


class Softplus(Activation):
    """a = log(1 + exp(beta z)) / beta: a smooth ReLU, positive everywhere; f′ = σ(beta z).

    Source: Dugas, Bengio, Bélisle, Nadeau and Garcia, "Incorporating second-order functional knowledge
    for better option pricing", 2001, equation 3.

    Examples
    --------
    >>> import cynn
    >>> softplus = cynn.registry.activations.get("softplus")
    >>> softplus([-1.0, 0.0, 100.0]).round(4)
    array([  0.3133,   0.6931, 100.    ])
    """

    name = "softplus"
    initializer = "he_uniform"
    c_source = "((beta * z < 0 ? 0 : beta * z) + log1p(exp(-fabs(beta * z)))) / beta"
    kernel = KERNELS["softplus"]
    beta: float = hyperparameter(default=1.0, above=0, doc="The sharpness of the bend.")


class LogSigmoid(Activation):
    """a = log σ(z) = -log(1 + exp(-z)); f′ = σ(-z).

    Source: Goodfellow, Bengio and Courville, "Deep learning", 2016, section 3.10.

    Examples
    --------
    >>> import cynn
    >>> log_sigmoid = cynn.registry.activations.get("log_sigmoid")
    >>> log_sigmoid([-1.0, 0.0, 1.0]).round(4)
    array([-1.3133, -0.6931, -0.3133])
    """

    name = "log_sigmoid"
    c_source = "-((z > 0 ? 0 : -z) + log1p(exp(-fabs(z))))"
    kernel = KERNELS["log_sigmoid"]


class Squareplus(Activation):
    """a = (z + sqrt(z² + b)) / 2: a smooth ReLU without an exponential; f′ = a / sqrt(z² + b).

    Source: Barron, "Squareplus: a softplus-like algebraic rectifier", 2021, equations 1 and 2.

    Examples
    --------
    >>> import cynn
    >>> squareplus = cynn.registry.activations.get("squareplus")
    >>> squareplus([-1.0, 0.0, 1.0]).round(4)
    array([0.618, 1.   , 1.618])
    """

    name = "squareplus"
    initializer = "he_uniform"
    c_source = "z > 0 ? 0.5 * (z + sqrt(z * z + b)) : 0.5 * b / (sqrt(z * z + b) - z)"
    kernel = KERNELS["squareplus"]
    b: float = hyperparameter(
        default=4.0, above=0, doc="The width of the bend. With 4, a(0) = 1."
    )


class Softsign(Activation):
    """a = z / (1 + |z|): a tanh that saturates slowly; f′ = 1 / (1 + |z|)².

    Source: Bergstra, Desjardins, Lamblin and Bengio, "Quadratic polynomials learn better image
    features", 2009; Glorot and Bengio, 2010, section 3.2.

    Examples
    --------
    >>> import cynn
    >>> cynn.registry.activations.get("softsign")([-1.0, 0.0, 3.0])
    array([-0.5 ,  0.  ,  0.75])
    """

    name = "softsign"
    c_source = "z / (1 + fabs(z))"
    kernel = KERNELS["softsign"]


class SmoothClip(Activation):
    """a = z / sqrt(1 + (z / c)²), f′ = (1 + (z / c)²)^(-3/2): close to z near 0, and between -c and c.

    After robust scaling of the inputs, it limits outliers.

    Source: Holzmüller, Grinsztajn and Steinwart, "Better by default: strong pre-tuned MLPs and boosted
    trees on tabular data", 2024, section 3, with c = 3.

    Examples
    --------
    >>> import cynn
    >>> smooth_clip = cynn.registry.activations.get("smooth_clip")
    >>> smooth_clip([-100.0, 0.0, 3.0]).round(4)
    array([-2.9987,  0.    ,  2.1213])
    """

    name = "smooth_clip"
    c_source = "z / sqrt(1 + (z / c) * (z / c))"
    kernel = KERNELS["smooth_clip"]
    c: float = hyperparameter(default=3.0, above=0, doc="The limit of |a|.")


class TanhShrink(Activation):
    """a = z - tanh(z): close to 0 near 0; f′ = tanh(z)².

    Source: as `Tanhshrink` in Torch7 and PyTorch; a smooth relative of soft thresholding (Donoho,
    1995).

    Examples
    --------
    >>> import cynn
    >>> tanhshrink = cynn.registry.activations.get("tanhshrink")
    >>> tanhshrink([-1.0, 0.0, 1.0]).round(4)
    array([-0.2384,  0.    ,  0.2384])
    """

    name = "tanhshrink"
    c_source = "z - tanh(z)"
    kernel = KERNELS["tanhshrink"]
