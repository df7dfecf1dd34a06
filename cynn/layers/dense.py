"""The dense layer, in which every unit is connected to every input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from cynn import activations, constraints, initializers, kernels, regularizers
from cynn.components.declarations import checked_by, number, part, switch, whole_number
from cynn.engine.operations import MAX_DIMENSION
from cynn.layers.layer import Layer, Parameter

if TYPE_CHECKING:
    from cynn.layers.builder import Builder

__all__ = ["Dense"]


class Dense(Layer):
    """A layer in which every unit is connected to every input: a = f(x W + b).

    Parameters
    ----------
    units : int
        The number of neurons.
    activation : str, Activation or dict
        The function f; `"identity"` by default.
    use_bias : bool
        Whether the layer has biases b.
    initializer : str, Initializer or dict, optional
        The initializer of the weights: see `cynn.initializers`. The default depends on the activation: he_uniform for
        the relu family, lecun_normal for selu, siren for sine, glorot_uniform for most others.
    regularizer : str, Regularizer or dict, optional
        A penalty on W.
    constraint : str, Constraint or dict, optional
        A constraint that is applied to W after every step.
    trainable : bool
        Whether training updates W and b.
    learning_rate_factor : float
        A factor for the optimizer's learning rate for W and b.
    bias_learning_rate_factor : float, optional
        The factor for b, if it is different.

    Attributes
    ----------
    weights : array of shape (inputs, units)
        W in z = x @ weights + biases, the transpose of the lecture's W. A live view, only in a network: writing to it
        changes the network.
    biases : array of shape (units,), or None
        b, also a live view. None without biases.

    Examples
    --------
    >>> import cynn
    >>> net = cynn.Network([cynn.Input(2), cynn.Dense(1)], seed=0)
    >>> net.layers[0].weights = [[1.0], [2.0]]
    >>> net.predict([3.0, 4.0])
    array([11.], dtype=float32)
    """

    name: ClassVar[str] = "dense"
    kernel = kernels.dense.KERNELS["affine"]
    _unnamed: ClassVar[str] = "units"
    weights = Parameter()
    biases = Parameter()
    units: int = whole_number(minimum=1, maximum=MAX_DIMENSION)
    activation: Any = part(activations.Activation, default="identity")
    use_bias: bool = switch(default=True, kw_only=True)
    initializer: Any = checked_by(lambda value, *_: initializers.check_name(value), default=None, kw_only=True)
    regularizer: Any = part(regularizers.Regularizer, default=None, kw_only=True)
    constraint: Any = part(constraints.Constraint, default=None, kw_only=True)
    trainable: bool = switch(default=True, kw_only=True)
    learning_rate_factor: float = number(default=1.0, above=0, kw_only=True)
    bias_learning_rate_factor: float | None = number(default=None, above=0, kw_only=True)

    def factor_of(self, name: str) -> float:
        if name == "biases" and self.bias_learning_rate_factor is not None:
            return self.bias_learning_rate_factor
        return super().factor_of(name)

    def build(self, builder: Builder, values: list[int]) -> int:
        return builder.add_activation(self._affine(builder, values, self.units), self.activation)

    def _affine(self, builder: Builder, values: list[int], columns: int) -> int:
        """Add z = x W + b with this number of columns."""
        assert self.inputs is not None
        start = self.initializer or self.activation.initializer_of(is_first=builder.is_first(values))
        W = builder.parameter("weights", builder.weights(start, self.inputs, columns))
        b = builder.parameter("biases", builder.zeros(columns)) if self.use_bias else None
        return builder.add(
            Dense.kernel if builder.compute is None else _in_bfloat16(),
            values,
            columns,
            parameters=[W, b],
            trainable=self.trainable,
            rules=[builder.rule(self.regularizer, self.constraint)],
            multiplications=self.inputs * columns,
        )


def _in_bfloat16() -> Any:
    """The kernel for `compute="bfloat16"`, loaded when a network first asks for it."""
    from cynn.kernels import bfloat16

    return bfloat16.KERNELS["affine"]
