"""Gated linear units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from cynn import activations, kernels
from cynn.components.declarations import part, whole_number
from cynn.engine.operations import MAX_DIMENSION, SavedForBackward
from cynn.errors import InvalidParameterError
from cynn.layers.dense import Dense

if TYPE_CHECKING:
    from cynn.layers.builder import Builder

__all__ = ["GLU"]


class GLU(Dense):
    """Units that are multiplied by gates: a = (x V + c) f(x W + b).

    With `"swish"` it is SwiGLU, with `"gelu"` GEGLU, with `"relu"` ReGLU.

    Sources: Dauphin et al., "Language modeling with gated convolutional networks", 2017, equation 1; Shazeer, "GLU
    variants improve transformer", 2020, equation 5.

    Parameters
    ----------
    units : int
        The number of neurons.
    activation : str, Activation or dict
        The function f, which must be compiled; `"sigmoid"` by default.
    use_bias, trainable : bool
        As for `Dense`.
    initializer, regularizer, constraint : str, object of that kind or dict, optional
        As for `Dense`.
    learning_rate_factor, bias_learning_rate_factor : float, optional
        As for `Dense`.

    Attributes
    ----------
    weights : array of shape (inputs, 2 * units)
        V, then W: the values first, then the gates, as in PyTorch. A live view, only in a network.
    biases : array of shape (2 * units,), or None
        c, then b.

    Examples
    --------
    >>> import cynn
    >>> net = cynn.Network([cynn.Input(1), cynn.GLU(1, "relu")])
    >>> net.layers[0].weights = [[2.0, 1.0]]
    >>> net.predict([3.0])
    array([18.], dtype=float32)
    """

    name: ClassVar[str] = "glu"
    units: int = whole_number(minimum=1, maximum=MAX_DIMENSION // 2)
    activation: Any = part(activations.Activation, default="sigmoid")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.activation.is_compiled():
            raise InvalidParameterError(
                f"The 'activation' parameter of GLU must be compiled. Got {self.activation!r} instead, "
                "whose methods are Python."
            )

    def build(self, builder: Builder, values: list[int]) -> int:
        z = self._affine(builder, values, 2 * self.units)
        return builder.add(
            kernels.parametric_activations.KERNELS["product"],
            [z],
            self.units,
            saved=[SavedForBackward(self.units)],
            activation=self.activation,
        )
