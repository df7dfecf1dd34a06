"""Layer normalization: normalizes every row to mean 0 and variance 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from cynn import kernels
from cynn.components.declarations import number, switch
from cynn.engine.operations import SavedForBackward
from cynn.layers.layer import Layer, Parameter

if TYPE_CHECKING:
    from cynn.layers.builder import Builder

__all__ = ["LayerNorm"]


class LayerNorm(Layer):
    """Normalizes every row to mean 0 and variance 1: a = γ (x - mean) / √(variance + epsilon) + β.

    Source: Ba, Kiros and Hinton, "Layer normalization", 2016.

    Parameters
    ----------
    epsilon : float
        Added to the variance.
    use_scale, use_bias : bool
        Whether to use γ and β (`scale` and `center` in Keras).
    trainable : bool
        Whether training updates γ and β.
    learning_rate_factor : float
        A factor for the optimizer's learning rate for γ and β.

    Attributes
    ----------
    gamma, beta : array of shape (units,), or None
        γ and β. Live views, only in a network.

    Examples
    --------
    >>> import cynn
    >>> net = cynn.Network([cynn.Input(2), cynn.LayerNorm(epsilon=0)])
    >>> net.predict([3.0, 5.0])
    array([-1.,  1.], dtype=float32)
    """

    name: ClassVar[str] = "layer_norm"
    kernel = kernels.normalization.KERNELS["row"]
    gamma = Parameter()
    beta = Parameter()
    epsilon: float = number(default=1e-3, minimum=0)
    use_scale: bool = switch(default=True, kw_only=True)
    use_bias: bool = switch(default=True, kw_only=True)

    #: Whether the mean is subtracted.
    is_centered: ClassVar[bool] = True

    def build(self, builder: Builder, values: list[int]) -> int:
        units = builder.widths[values[0]]
        gamma = builder.parameter("gamma", builder.ones(units)) if self.use_scale else None
        beta = builder.parameter("beta", builder.zeros(units)) if self.use_bias else None
        return builder.add(
            self.kernel,
            values,
            units,
            parameters=[gamma, beta],
            trainable=self.trainable,
            saved=[SavedForBackward(units), SavedForBackward(1)],
            hyperparameters=[self.epsilon, self.is_centered],
        )
