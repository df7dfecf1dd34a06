"""Root mean square normalization: scales every row to mean square 1."""

from __future__ import annotations

from typing import ClassVar

from cynn.components.declarations import attribute, number
from cynn.layers.layer_norm import LayerNorm

__all__ = ["RMSNorm"]


class RMSNorm(LayerNorm):
    """Scales every row to mean square 1: a = γ x / √(mean of x² + epsilon).

    Source: Zhang and Sennrich, "Root mean square layer normalization", 2019, equation 4.

    Parameters
    ----------
    epsilon : float
        Added to the mean square.
    use_scale : bool
        Whether to use γ.
    trainable : bool
        Whether training updates γ.
    learning_rate_factor : float
        A factor for the optimizer's learning rate for γ.

    Attributes
    ----------
    gamma : array of shape (units,), or None
        γ. A live view, only in a network.

    Examples
    --------
    >>> import cynn
    >>> net = cynn.Network([cynn.Input(2), cynn.RMSNorm(epsilon=0)])
    >>> net.predict([1.0, 7.0])
    array([0.2, 1.4], dtype=float32)
    """

    name: ClassVar[str] = "rms_norm"
    is_centered: ClassVar[bool] = False
    epsilon: float = number(default=1e-6, minimum=0)
    use_bias: bool = attribute(False)
