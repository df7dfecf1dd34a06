"""The dense layer, in which every unit sees every input."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict

from cynn import constraints, initializers, kernels, registry, regularizers
from cynn.engine.operations import MAX_DIMENSION
from cynn.errors import check_switch, check_whole_number
from cynn.layers.layer import Layer, Parameter, check_factor

if TYPE_CHECKING:
    from cynn.layers.builder import Builder

__all__ = ["Dense", "DenseOptions"]


_ANY = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}


class DenseOptions(TypedDict, total=False):
    """What `Dense` and the layers that are made from it take by name."""

    use_bias: bool
    initializer: Any
    regularizer: Any
    constraint: Any
    trainable: bool
    learning_rate_factor: float
    bias_learning_rate_factor: float | None


class Dense(Layer):
    """A layer in which every unit sees every input: a = f(x W + b).

    Parameters
    ----------
    units : int
        The neurons of the layer.
    activation : str, Activation or dict
        f; `"identity"` by default.
    use_bias : bool
        Whether there is a b.
    initializer : str, Initializer or dict, optional
        How the weights start; `cynn.initializers` has the names. By default the activation's own choice,
        that of its source: he for the relu family, lecun for selu, the two of SIREN for sine, glorot for most.
    regularizer : str, Regularizer or dict, optional
        A penalty on the size of W.
    constraint : str, Constraint or dict, optional
        What W is brought back to after every step.
    trainable : bool
        Whether training moves W and b.
    learning_rate_factor : float
        What the optimizer's learning rate is multiplied by for W and b.
    bias_learning_rate_factor : float, optional
        That of b, where it is another.

    Attributes
    ----------
    weights : array of shape (inputs, units)
        W, so that z = x @ weights + biases: the transpose of the lecture's W. A live view: what is
        written to it, the network uses. Only in a network.
    biases : array of shape (units,)
        b, likewise; None without.

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
    #: Settings that the repr leaves out where they are so.
    _usual: ClassVar[dict[str, Any]] = {
        "use_bias": True, "initializer": None, "regularizer": None, "constraint": None, "trainable": True,
        "learning_rate_factor": 1.0, "bias_learning_rate_factor": None
    }
    weights = Parameter()
    biases = Parameter()
    bias_learning_rate_factor: float | None = None  # in what was pickled before there was one

    def __init_subclass__(cls) -> None:
        """The signature shows the options that `__init__` only hands on, as `**options`."""
        super().__init_subclass__()
        parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
        if {each.kind for each in parameters} & _ANY == {inspect.Parameter.VAR_KEYWORD}:
            base = next(each for each in cls.__mro__[1:] if issubclass(each, Dense))
            names = {each.name for each in parameters}
            options = [each for each in inspect.signature(base).parameters.values() if each.kind is each.KEYWORD_ONLY]
            parameters[-1:] = [each for each in options if each.name not in names]
        cls.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # read by inspect alone

    def __init__(
        self,
        units: int,
        activation: Any = "identity",
        *,
        use_bias: bool = True,
        initializer: Any = None,
        regularizer: Any = None,
        constraint: Any = None,
        trainable: bool = True,
        learning_rate_factor: float = 1.0,
        bias_learning_rate_factor: float | None = None,
    ) -> None:
        super().__init__(trainable=trainable, learning_rate_factor=learning_rate_factor)
        owner = type(self).__name__
        self.units = check_whole_number(units, "units", owner, minimum=1, maximum=MAX_DIMENSION)
        self.activation = registry.activations.get("identity" if activation is None else activation)
        self.use_bias = check_switch(use_bias, "use_bias", owner)
        self.initializer = initializers.check_name(initializer)
        self.regularizer = regularizers.get(regularizer)
        self.constraint = constraints.get(constraint)
        self.bias_learning_rate_factor = (
            None
            if bias_learning_rate_factor is None
            else check_factor(bias_learning_rate_factor, "bias_learning_rate_factor", owner)
        )

    def factor_of(self, name: str) -> float:
        if name == "biases" and self.bias_learning_rate_factor is not None:
            return self.bias_learning_rate_factor
        return super().factor_of(name)

    def build(self, builder: Builder, values: list[int]) -> int:
        assert self.units is not None
        return builder.add_activation(self._affine(builder, values, self.units), self.activation)

    def _affine(self, builder: Builder, values: list[int], columns: int) -> int:
        """z = x W + b of that many columns."""
        assert self.inputs is not None
        start = self.initializer or self.activation.initializer_of(is_first=builder.is_first(values))
        W = builder.parameter("weights", builder.weights(start, self.inputs, columns))
        b = builder.parameter("biases", builder.zeros(columns)) if self.use_bias else None
        return builder.add(
            Dense.kernel,
            values,
            columns,
            parameters=[W, b],
            trainable=self.trainable,
            rules=[builder.rule(self.regularizer, self.constraint)],
            multiplications=self.inputs * columns,
        )

    def __repr__(self) -> str:
        named = [(name, getattr(self, name)) for name in self._parameters() if name != "units"]
        told = [f"{name}={value!r}" for name, value in named if name not in self._usual or value != self._usual[name]]
        return f"{type(self).__name__}({', '.join([str(self.units), *told])})"
