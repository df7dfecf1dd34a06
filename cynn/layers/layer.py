"""The base class of layers. A layer is a description; its copy in a network has arrays."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from cynn import initializers
from cynn.components.configurable import Configurable
from cynn.components.declarations import attribute, number, switch
from cynn.engine.operations import MAX_DIMENSION, ParameterRule
from cynn.engine.weights_lock import WeightsLock
from cynn.errors import (
    CynnError,
    DataError,
    InvalidParameterError,
    ShapeError,
    as_list,
    check_held,
    check_number,
    check_switch,
    check_whole_number,
    not_allowed,
    shown,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    from cynn.engine.operations import Operation
    from cynn.layers.builder import Builder

    Array = npt.NDArray[Any]

__all__ = ["Layer", "Node", "Parameter", "arrays", "as_values", "walk"]

# Older files and checkpoints have no factors.
_NO_FACTORS = [("learning_rate_factor", 1.0), ("bias_learning_rate_factor", None)]


class Layer(Configurable):
    """A part of a network, with one output.

    A subclass has a `name` and declares its arrays as class attributes of the type `Parameter`. It has either

    - `build`, which adds its operations to the network. Their functions come from a `kernel`, a capsule of the plugin
      ABI that holds a `cynn_operation`, made in Cython or C, or by `from_addresses`. `cynn.layers.Builder` has an
      example;
    - `forward` and `backward`, methods over NumPy arrays.

    The class declares its other parameters, or its `__init__` keeps each of its arguments as an attribute of the same
    name. `repr` and `get_config` use these.

    Parameters
    ----------
    trainable : bool
        Whether training updates its parameters.
    learning_rate_factor : float
        A factor for the optimizer's learning rate for its parameters.

    Attributes
    ----------
    inputs, units : int
        The number of columns of its input and output; None outside a network, if they are unknown.
    parameter_count : int
        The number of trained values, including those of nested layers.
    """

    kind = "layer"
    config_key: ClassVar[str] = "layer"
    max_nested: ClassVar[int] = 160  # enough for 50 nested layers with branches, and the configuration of the last one
    # compared by identity: two equal layers have different weights
    __eq__ = object.__eq__
    __hash__ = object.__hash__
    trainable: bool = switch(default=True, kw_only=True)
    learning_rate_factor: float = number(default=1.0, above=0, kw_only=True)
    inputs: int | None = attribute(None)
    units: int | None = attribute(None)
    #: The capsule with the functions of its operation; None for a layer that uses the operations of other layers.
    kernel: ClassVar[Any] = None
    #: What it computes of the row `z`, its only input, as C: as in an activation, an expression, if it
    #: keeps the number of columns, or a whole function. Its arrays and settings have their names.
    c_source: ClassVar[str | None] = None
    #: As in an activation: a method `onnx_nodes(dtype, opset)` that yields what makes `a` from `z`.
    onnx_nodes: ClassVar[Any] = None
    #: Of a layer in Python: a method `jvp(x, parameters, a, dx, dparameters)` that returns da, the tangent of a where
    #: dx and dparameters are those of x and of the parameters, in the same form. `net.jvp`, Hessians and training on
    #: derivatives need it. Compiled layers have it in the kernel.
    jvp: ClassVar[Any] = None
    #: Likewise `backward_jvp(x, parameters, a, grad, dx, dparameters, da, dgrad)`, which returns the tangents of what
    #: `backward` returns, where da and dgrad are those of a and grad. dgrad may be overwritten.
    backward_jvp: ClassVar[Any] = None
    #: How deep the layers within it are nested.
    depth: int = attribute(0)

    def __post_init__(self) -> None:
        self._arrays: dict[str, Array] = {}
        self._weights_lock = WeightsLock()

    #: The number of inputs that it takes; None: any number. Methods in Python get a list of them, unless it is 1.
    n_inputs: ClassVar[int | None] = 1

    def bind(self, builder: Builder, values: list[int]) -> tuple[Self, int]:
        """Make a copy of this layer for one network, with its own arrays; return it and the number of its output.

        Parameters
        ----------
        builder : Builder
            Collects the operations of the network.
        values : list of int
            The numbers of its input values.

        Returns
        -------
        layer : Layer
            The copy.
        output : int
            The number of its output value.
        """
        if self.n_inputs is not None and len(values) != self.n_inputs:
            inputs = "1 input" if self.n_inputs == 1 else f"{self.n_inputs} inputs"
            raise ShapeError(f"It must be called on {inputs}. Got {len(values)} instead.")
        layer = copy.copy(self)
        layer._arrays, layer._weights_lock = {}, builder.weights_lock
        layer.inputs = sum(builder.widths[value] for value in values)
        around, builder.layer = builder.layer, layer
        first = len(builder.operations)
        output = layer.build(builder, values) if layer.is_compiled() else layer._build_in_python(builder, values)
        builder.layer = around
        if not builder.only_shapes:
            layer._declare(builder.operations[first:], builder.dtype)
        layer.units = builder.widths[output]
        return layer, output

    def factor_of(self, name: str) -> float:
        """The factor of the learning rate for a parameter.

        Parameters
        ----------
        name : str
            The name of the parameter.

        Returns
        -------
        float
            The factor of the layer, times the factor that the parameter declares.
        """
        return self.learning_rate_factor * self._declared(name).learning_rate_factor

    def _declared(self, name: str) -> Parameter:
        found = getattr(type(self), name, None)
        return found if isinstance(found, Parameter) else Parameter()

    def _declare(self, operations: list[Operation], dtype: str) -> None:
        """Pass the declarations of this layer's parameters to the operations."""
        for operation in operations:
            missing = len(operation.parameters) - len(operation.rules)
            operation.rules = [*operation.rules, *(ParameterRule() for _ in range(missing))]
            for parameter, rule in zip(operation.parameters, operation.rules, strict=True):
                for name, array in self._arrays.items():
                    if parameter is not None and np.may_share_memory(parameter, array):
                        rule.learning_rate_factor = self.factor_of(name)
                        rule.decays = self._declared(name).decays
                        check_held(rule.learning_rate_factor, "learning_rate_factor", type(self).__name__, dtype)

    @classmethod
    def is_compiled(cls) -> bool:
        """Whether the layer uses compiled operations, by `build`, and not Python methods `forward` and `backward`.

        Returns
        -------
        bool
            The most derived class that defines `build` or `forward` decides.
        """
        owner = next(owner for owner in cls.__mro__ if {"build", "forward"} & vars(owner).keys())
        return "build" in vars(owner)

    def _build_in_python(self, builder: Builder, values: list[int]) -> int:
        widths = [builder.widths[value] for value in values]
        self.units = check_whole_number(
            self.units_of(*widths), "units", type(self).__name__, minimum=1, maximum=MAX_DIMENSION
        )
        for name in self.parameters:
            declared = self._declared(name)
            builder.parameter(name, builder.initial(declared.initializer, *declared.shape_in(self)))
        return builder.add_methods(values, self.units)

    def units_of(self, inputs: int, *others: int) -> int:
        """The number of output columns of a Python layer. A subclass may override it.

        Parameters
        ----------
        inputs : int
            The number of columns of its first input.
        *others : int
            The numbers of columns of its other inputs.

        Returns
        -------
        int
            By default its `units` or, if these were not given, `inputs`.
        """
        return inputs if self.units is None else self.units

    def forward(self, x: Any, parameters: dict[str, Array]) -> Array:
        """Compute the output of a Python layer. A subclass defines it, together with `backward`.

        Parameters
        ----------
        x : array of shape (rows, inputs)
            The rows of a batch; in a prediction, perhaps only some of them. Read-only. If `n_inputs` is not 1, a list
            of such arrays.
        parameters : dict of str to array
            Its parameters by name. Read-only.

        Returns
        -------
        array of shape (rows, units)
            The output.
        """
        raise NotImplementedError(f"{type(self).__name__} must define build, or forward and backward.")

    def backward(
        self, x: Any, parameters: dict[str, Array], a: Array, grad: Array
    ) -> tuple[Any, dict[str, Array]]:
        """Compute the gradients by the input and the parameters, from the gradient by the output.

        Parameters
        ----------
        x : array of shape (rows, inputs)
            The input, as for `forward`.
        parameters : dict of str to array
            As for `forward`.
        a : array of shape (rows, units)
            The output of `forward`.
        grad : array of shape (rows, units)
            ∂C/∂a of every row. It may be overwritten.

        Returns
        -------
        dx : array of shape (rows, inputs)
            ∂C/∂x; a list if x is a list.
        gradients : dict of str to array
            ∂C/∂w of every parameter by name, summed over the rows.
        """
        raise NotImplementedError(f"{type(self).__name__} must define backward, as it defines forward.")

    def build(self, builder: Builder, values: list[int]) -> int:
        """Add the operations to the network, and return the number of the output value.

        Parameters
        ----------
        builder : Builder
            Collects the operations of the network.
        values : list of int
            The numbers of its input values.

        Returns
        -------
        int
            The number of its output value.
        """
        raise NotImplementedError(f"{type(self).__name__} must define build, or forward and backward.")

    @staticmethod
    def from_addresses(
        *,
        propagates_nonfinite: bool = False,
        divisible: bool = False,
        gradient_in_place: bool = False,
        in_place: bool = False,
        needs_out: bool = False,
        only_training: bool = False,
        prefetches: bool = False,
        affine_in_x: bool = False,
        **functions: Any,
    ) -> Any:
        """Make the `kernel` of a class from the addresses of compiled functions.

        The functions are those of `cynn_operation` in the header `cynn/abi.h`, with its rules: they run without the
        GIL, on any thread.

        Parameters
        ----------
        propagates_nonfinite, divisible, gradient_in_place, in_place, needs_out, only_training, prefetches : bool
            The flags of the struct, such as CYNN_NEEDS_OUT.
        affine_in_x : bool
            The flag CYNN_AFFINE_IN_X.
        **functions : int, Numba cfunc or ctypes function
            `forward_f32`, `backward_f32` and the other fields of the struct: addresses, or objects with an address,
            which are kept alive. A function that is left out is not offered.

        Returns
        -------
        capsule
            The value for `kernel` in the body of a class.

        Examples
        --------
        This example uses the functions of a compiled layer.

        >>> import cynn
        >>> from cynn.testing import abi
        >>> functions = abi.functions(cynn.PReLU())
        >>> class SamePReLU(cynn.PReLU):
        ...     name = "same_prelu"
        ...     kernel = cynn.layers.Layer.from_addresses(**functions)
        >>> cynn.Network([cynn.Input(2), SamePReLU()]).predict([-1.0, 2.0])
        array([-0.25,  2.  ], dtype=float32)
        """
        from cynn.plugins.addresses import operation_kernel

        return operation_kernel(
            functions,
            propagates_nonfinite=propagates_nonfinite,
            divisible=divisible,
            gradient_in_place=gradient_in_place,
            in_place=in_place,
            needs_out=needs_out,
            only_training=only_training,
            prefetches=prefetches,
            affine_in_x=affine_in_x,
        )

    def __call__(self, *inputs: Any) -> Node:
        """Call this layer on others, for a network that is not a chain.

        Parameters
        ----------
        *inputs : Input or Node
            The inputs of the layer: the input of the network, or results of calling other layers.

        Examples
        --------
        >>> import cynn
        >>> x = cynn.Input(4)
        >>> h = cynn.Dense(8, "relu")(x)
        >>> net = cynn.Network(cynn.Dense(1)(cynn.Concatenate()(h, x)), seed=0)
        >>> net.layers[-1].weights.shape
        (12, 1)
        """
        given = list(inputs[0]) if len(inputs) == 1 and isinstance(inputs[0], (list, tuple)) else list(inputs)
        if not given:
            raise InvalidParameterError("A layer must be called on something. Got nothing instead.")
        return Node(self, given)

    def _parameters(self) -> dict[str, Any]:
        """The parameters of `__init__`, without factors of the learning rate that are 1."""
        return {name: value for name, value in super()._parameters().items() if (name, value) not in _NO_FACTORS}

    @property
    def layers(self) -> list[Layer]:
        """The layers nested in this one."""
        return []

    @property
    def parameters(self) -> dict[str, Array | None]:
        """The trained arrays by name, without those of nested layers; None for an array that it does not have."""
        own = self._in_network()
        declared = [name for cls in reversed(type(self).__mro__) for name in vars(cls)]
        trained = [name for name in declared if getattr(getattr(type(self), name), "is_trained", False)]
        return {name: own.get(name) for name in trained}

    @property
    def parameter_count(self) -> int:
        """The number of trained values, including those of nested layers."""
        own = sum(array.size for array in self.parameters.values() if array is not None)
        return own + sum(layer.parameter_count for layer in self.layers)

    def arrays(self) -> Iterator[tuple[str, Array]]:
        """All arrays that are saved, by name: parameters and other state that training changes.

        Yields
        ------
        name : str
            Such as `weights`, or `layers.0.weights` for a nested layer.
        array : ndarray
            The array itself.
        """
        yield from self._arrays.items()
        yield from arrays(self.layers)

    def _in_network(self) -> dict[str, Array]:
        if self.units is None or self.inputs is None:
            raise CynnError(
                "A layer must be in a network to have weights. Got a description alone: "
                "cynn.Network([...]).layers holds the layers with their weights."
            )
        return self._arrays


class _WithoutParameters(Layer):
    """A layer that has no parameters of its own. Nested layers may have some."""

    trainable: bool = attribute(True)
    learning_rate_factor: float = attribute(1.0)


class Parameter:
    """An array of a layer, declared in the body of its class.

    In a network, the attribute is a live view of the array, and assigned values are checked.

    Parameters
    ----------
    shape : tuple of int or str
        For a Python layer: the shape, as numbers or names of attributes of the layer, such as `("inputs", "units")`.
        Other layers make the array in `build`.
    initializer : str, Initializer or dict, optional
        For a Python layer: the initializer. The default is `"glorot_uniform"`, or zeros for an array of one dimension.
    is_trained : bool
        Whether optimizers update the array.
    learning_rate_factor : float
        A factor for the learning rate, in addition to the factor of the layer.
    decays : bool
        Whether the optimizer's weight decay applies to it.

    Examples
    --------
    >>> import cynn
    >>> class SlowBiases(cynn.Dense):
    ...     name = "slow_biases"
    ...     biases = cynn.layers.Parameter(
    ...         learning_rate_factor=0.1, decays=False
    ...     )
    >>> SlowBiases(3).factor_of("biases")
    0.1
    """

    def __init__(
        self,
        shape: Sequence[int | str] = (),
        *,
        initializer: Any = None,
        is_trained: bool = True,
        learning_rate_factor: float = 1.0,
        decays: bool = True,
    ) -> None:
        sizes = as_list(shape)
        if sizes is None:  # `shape_in` checks the elements
            raise not_allowed("shape", "Parameter", "a list of whole numbers and names of attributes", shape)
        self.shape = tuple(sizes)
        self.initializer = initializers.check_name(initializer)
        self.__doc__ = None  # the docstring of the layer describes it
        self.is_trained = is_trained
        self.learning_rate_factor = check_number(learning_rate_factor, "learning_rate_factor", "Parameter", above=0)
        self.decays = check_switch(decays, "decays", "Parameter")

    def __set_name__(self, owner: type[Layer], name: str) -> None:
        self.name = name

    def shape_in(self, layer: Layer) -> tuple[int, ...]:
        """The shape of the array in a layer whose sizes are known.

        Parameters
        ----------
        layer : Layer
            The layer.

        Returns
        -------
        tuple of int
            The shape.
        """
        sizes: list[Any] = [getattr(layer, size, None) if isinstance(size, str) else size for size in self.shape]
        if not sizes or not all(isinstance(size, int) and 0 < size <= MAX_DIMENSION for size in sizes):
            raise ShapeError(
                f"The shape of {self.name} of {type(layer).__name__} must be whole numbers from 1 to {MAX_DIMENSION}, "
                f"or names of attributes of the layer that are such. Got {self.shape} instead."
            )
        return tuple(sizes)

    def __get__(self, layer: Layer | None, owner: type[Layer]) -> Any:
        if layer is None:
            return self
        return layer._in_network().get(self.name)

    def __set__(self, layer: Layer, value: npt.ArrayLike) -> None:
        array = layer._in_network().get(self.name)
        if array is None:
            raise InvalidParameterError(
                f"The {self.name} of a layer must be there to be assigned. Got a layer without."
            )
        values = as_values(value, array, f"{self.name} of this layer")
        with layer._weights_lock.turn_to_set(f"an assignment of {self.name}"):
            array[...] = values


def as_values(given: Any, array: Array, name: str) -> Array:
    """Convert `given` to a new array for an array of a layer, whose name is used in messages.

    Finite numbers must stay finite in the dtype of the array.
    """
    try:
        numbers = None if isinstance(given, np.ma.MaskedArray) else np.asarray(given)
    except Exception:  # rows of different lengths, or an error in __array__
        numbers = None
    if numbers is None or numbers.dtype.kind not in "biuf":
        raise InvalidParameterError(f"The {name} must be numbers. Got {shown(given)} instead.")
    if numbers.shape != array.shape:
        raise ShapeError(f"The {name} must have the shape {array.shape}. Got {numbers.shape} instead.")
    with np.errstate(over="ignore"):
        values: Array = numbers.astype(array.dtype)
    lost = np.isfinite(numbers) & ~np.isfinite(values)
    if lost.any():
        raise DataError(f"The {name} must be finite in {array.dtype}. Got {numbers[lost][0]} instead.")
    return values


def arrays(layers: Iterable[Layer]) -> Iterator[tuple[str, Array]]:
    """All arrays of the layers that are saved, with their names: `layers.0.weights` and so on."""
    for place, layer in enumerate(layers):
        for name, array in layer.arrays():
            yield f"layers.{place}.{name}", array


def walk(layers: Iterable[Layer]) -> Iterator[Layer]:
    """Yield each layer, followed by the layers nested in it."""
    for layer in layers:
        yield layer
        yield from walk(layer.layers)


class Node:
    """The result of calling a layer, from which a network is made.

    Parameters
    ----------
    layer : Layer
        The layer that was called.
    inputs : list of Input or Node
        The arguments of the call.
    """

    def __init__(self, layer: Layer, inputs: list[Any]) -> None:
        self.layer = layer
        self.inputs = inputs

    def __repr__(self) -> str:
        return f"Node({self.layer!r}, behind {len(self.inputs)})"
