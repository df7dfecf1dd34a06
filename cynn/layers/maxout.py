"""Maxout units: the largest of several affine functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from cynn import activations, kernels
from cynn.components.declarations import attribute, whole_number
from cynn.engine.operations import MAX_DIMENSION
from cynn.errors import check_whole_number
from cynn.layers.dense import Dense

if TYPE_CHECKING:
    from cynn.layers.builder import Builder

__all__ = ["Maxout"]


class Maxout(Dense):
    """Units that compute the largest of several affine functions of x: a = max over pieces of x W_piece + b_piece.

    Source: Goodfellow et al., "Maxout networks", 2013, section 3.

    Parameters
    ----------
    units : int
        The number of neurons.
    pieces : int
        The number of affine functions of each neuron.
    use_bias, trainable : bool
        As for `Dense`.
    initializer, regularizer, constraint : str, object of that kind or dict, optional
        As for `Dense`.
    learning_rate_factor, bias_learning_rate_factor : float, optional
        As for `Dense`.

    Attributes
    ----------
    weights : array of shape (inputs, pieces * units)
        The weights of the first piece of all units, then those of the second piece, and so on. A live view, only in a
        network.
    biases : array of shape (pieces * units,), or None
        The biases, in the same order.

    Examples
    --------
    >>> import cynn
    >>> net = cynn.Network([cynn.Input(1), cynn.Maxout(1, pieces=2)])
    >>> net.layers[0].weights = [[1.0, -1.0]]
    >>> net.predict([-3.0])
    array([3.], dtype=float32)
    """

    name: ClassVar[str] = "maxout"
    activation: Any = attribute(None)
    pieces: int = whole_number(default=2, minimum=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.activation = activations.Identity()
        check_whole_number(self.pieces, "pieces", type(self).__name__, minimum=1, maximum=MAX_DIMENSION // self.units)

    def build(self, builder: Builder, values: list[int]) -> int:
        z = self._affine(builder, values, self.pieces * self.units)
        return builder.add(kernels.parametric_activations.KERNELS["maximum"], [z], self.units)
