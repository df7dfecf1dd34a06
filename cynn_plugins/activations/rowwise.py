"""Activations that are computed over a whole row."""

from cynn.activations import Activation
from cynn_plugins.activations._rowwise import KERNELS

__all__ = ["LogSoftmax", "Softmin", "Sparsemax"]


class Softmin(Activation):
    """a_j = exp(-z_j) / Σ_k exp(-z_k) over a row: the softmax of -z.

    ∂C/∂z_j = a_j (Σ_k a_k ∂C/∂a_k - ∂C/∂a_j). Computed relative to the smallest z of the row, so that
    nothing overflows.

    Source: Goodfellow, Bengio and Courville, "Deep learning", 2016, equation 6.29, of -z.

    Examples
    --------
    >>> import cynn
    >>> cynn.registry.activations.get("softmin")([0.0, 0.0, 1e4])
    array([0.5, 0.5, 0. ])
    """

    name = "softmin"
    min_units = 2
    c_source = "exp(row_min(z) - z) / row_sum(exp(row_min(z) - z))"
    kernel = KERNELS["softmin"]


class LogSoftmax(Activation):
    """a_j = z_j - log Σ_k exp(z_k) over a row: the logarithm of softmax, computed accurately.

    ∂C/∂z_j = ∂C/∂a_j - exp(a_j) Σ_k ∂C/∂a_k.

    Source: Goodfellow, Bengio and Courville, "Deep learning", 2016, equation 6.30.

    Examples
    --------
    >>> import cynn
    >>> log_softmax = cynn.registry.activations.get("log_softmax")
    >>> log_softmax([0.0, 0.0, -100.0]).round(4)
    array([  -0.6931,   -0.6931, -100.6931])
    """

    name = "log_softmax"
    min_units = 2
    c_source = "(z - row_max(z)) - log(row_sum(exp(z - row_max(z))))"
    kernel = KERNELS["log_softmax"]


class Sparsemax(Activation):
    """The row of probabilities nearest to z: a_j = max(z_j - τ, 0), with τ such that Σ_j a_j = 1.

    Like softmax, with exact zeros. ∂C/∂z is ∂C/∂a minus its mean over the outputs that are not 0, and 0 for the other
    outputs.

    Source: Martins and Astudillo, "From softmax to sparsemax", 2016, equations 2 and 14.

    Examples
    --------
    >>> import cynn
    >>> cynn.registry.activations.get("sparsemax")([0.1, 0.8, 1.1]).round(4)
    array([0.  , 0.35, 0.65])
    """

    name = "sparsemax"
    min_units = 2
    c_source = (
        "z - row_max(z) <= row_threshold(z - row_max(z)) ? 0 : (z - row_max(z)) - row_threshold(z - row_max(z))"
    )
    kernel = KERNELS["sparsemax"]
