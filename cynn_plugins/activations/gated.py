"""Self-gated activations: z times a gate between 0 and 1."""

from typing import Any

from cynn.activations import Activation
from cynn.hyperparameters import hyperparameter
from cynn_plugins.activations._gated import KERNELS

__all__ = ["GELU", "Mish", "Swish"]


class Swish(Activation):
    """a = z σ(beta z): smooth, and close to ReLU for large beta. SiLU where beta is 1.

    f′ = s + beta a (1 - s) with s = σ(beta z).

    Sources: Elfwing, Uchibe and Doya, "Sigmoid-weighted linear units for neural network function
    approximation in reinforcement learning", 2018, equation 4; Ramachandran, Zoph and Le, "Searching
    for activation functions", 2017.

    Examples
    --------
    >>> import cynn
    >>> swish = cynn.registry.activations.get("swish", beta=1)
    >>> swish([-1.0, 0.0, 1.0]).round(4)
    array([-0.2689,  0.    ,  0.7311])
    """

    name = "swish"
    aliases = ("silu",)
    initializer = "he_uniform"
    c_source = "z * (1 / (1 + exp(-beta * z)))"
    kernel = KERNELS["swish"]
    beta: float = hyperparameter(default=1.0, minimum=0, doc="The sharpness of the bend.")


class GELU(Activation):
    """The Gaussian error linear unit: a = z Φ(z), with Φ the distribution of the standard normal.

    f′ = Φ(z) + z φ(z). With `approximate`, a = z (1 + tanh(sqrt(2/π) (z + 0.044715 z³))) / 2 and the
    derivative of that.

    Source: Hendrycks and Gimpel, "Gaussian error linear units (GELUs)", 2016, section 2.

    Examples
    --------
    >>> import cynn
    >>> gelu = cynn.registry.activations.get("gelu")
    >>> gelu([-1.0, 0.0, 1.0]).round(4)
    array([-0.1587,  0.    ,  0.8413])
    >>> gelu = cynn.registry.activations.get("gelu", approximate=True)
    >>> gelu([-1.0, 0.0, 1.0]).round(4)
    array([-0.1588,  0.    ,  0.8412])
    """

    name = "gelu"
    initializer = "he_uniform"
    approximate: bool = hyperparameter(default=False, doc="Whether to use the approximation with tanh, as in GPT-2.")

    @property
    def kernel(self) -> Any:
        """The capsule of the exact form, or of the approximate one."""
        return KERNELS["gelu_tanh" if self.approximate else "gelu"]

    @property
    def c_source(self) -> str:  # type: ignore[override]  # depends on the hyperparameter, and is read-only
        """The expression of the exact form, or of the approximate one."""
        if not self.approximate:
            return "z * (0.5 * erfc(-0.70710678118654752440 * z))"
        near = "(z < -25 ? -25 : z > 25 ? 25 : z)"
        return f"z * (1 / (1 + exp(-1.59576912160573071176 * {near} * (1 + 0.044715 * {near} * {near}))))"


class Mish(Activation):
    """a = z tanh(log(1 + exp(z))): smooth, not monotonic, without an upper bound.

    f′ = t + z (1 - t²) σ(z) with t = a / z.

    Source: Misra, "Mish: a self regularized non-monotonic activation function", 2020, equation 1.

    Examples
    --------
    >>> import cynn
    >>> cynn.registry.activations.get("mish")([-1.0, 0.0, 1.0]).round(4)
    array([-0.3034,  0.    ,  0.8651])
    """

    name = "mish"
    initializer = "he_uniform"
    c_source = (
        "z * ((z > 0 ? 1 + 2 * exp(-fabs(z)) : exp(-fabs(z)) * (exp(-fabs(z)) + 2))"
        " / (z > 0 ? 1 + 2 * exp(-fabs(z)) + 2 * exp(-fabs(z)) * exp(-fabs(z))"
        " : exp(-fabs(z)) * (exp(-fabs(z)) + 2) + 2))"
    )
    kernel = KERNELS["mish"]
