"""The builder, which turns layers into operations: the argument of `build`, which a network calls for each layer."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cynn import activations, initializers, kernels
from cynn.constraints import Constraint
from cynn.engine import python_operations, randomness
from cynn.engine.abi_checks import describe
from cynn.engine.activation_kernel import ActivationKernel
from cynn.engine.operation_kernel import OperationKernel
from cynn.engine.operations import MAX_DIMENSION, Operation, ParameterRule, SavedForBackward
from cynn.engine.weights_lock import WeightsLock
from cynn.engine.workspace import aligned_zeros
from cynn.errors import InvalidParameterError, PluginError, ShapeError, check_held, check_number, shown
from cynn.regularizers import Regularizer
from cynn.schedules.base import Schedule, first_of, numbers_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from cynn.engine.operations import HyperparameterSchedule

    Array = npt.NDArray[Any]

__all__ = ["Builder", "penalty_of"]

_MAX_NUMBERS = 2**48  # more than fits into any memory

# The constraints that the engine applies after a step.
_RULES = ("max_norm", "unit_norm", "non_negative")


def penalty_of(regularizer: Regularizer | None, dtype: str) -> tuple[float, float]:
    """The l1 and l2 of a regularizer, checked for a network of that dtype; 0 and 0 without a regularizer."""
    if regularizer is None:
        return 0.0, 0.0
    l1 = check_number(regularizer.l1, "l1", "a regularizer", minimum=0)
    l2 = check_number(regularizer.l2, "l2", "a regularizer", minimum=0)
    check_held(l1, "l1", "a regularizer", dtype)
    check_held(l2, "l2", "a regularizer", dtype)
    return l1, l2


class Builder:
    """The argument of the `build` of a layer: it makes arrays and collects the operations of a network.

    Values are matrices with one row per row of the batch. They are numbered: 0 is the network's input, and each
    operation makes a new value. `widths` has the number of columns of each value. `build` gets the numbers of the
    layer's inputs and returns the number of its output. It does two things:

    1. It makes an array for each parameter and each state, by `weights`, `zeros`, `constant`, `uniform`, `normal` or
       `values`, and gives it the name of a `cynn.layers.Parameter` of the class, by `parameter` or `state`. The array
       is then an attribute of the layer with that name, and is saved, loaded and pickled.
    2. It adds one or more operations, by `add`, each with a kernel: a `cynn_operation` of `cynn/abi.h` in a capsule.

    Parameters
    ----------
    inputs : int
        The number of columns of the network's input.
    dtype : {"float32", "float64"}
        The dtype of the network.
    seed : int
        The seed of the network.
    regularizer : Regularizer, optional
        The regularizer of the network.
    compute : {"bfloat16"}, optional
        The precision of the products of wide layers, if it is not that of `dtype`.
    only_shapes : bool
        Whether arrays have only a shape and no memory, to compute the size of a network.

    Attributes
    ----------
    dtype : {"float32", "float64"}
        The dtype of the network and of every array.
    seed : int
        The seed of the network.
    widths : list of int
        The number of columns of each value.
    regularizer : Regularizer or None
        The regularizer of the network, for layers without their own.

    Examples
    --------
    A layer like `PReLU`, with the kernel of `PReLU`:

    >>> import cynn
    >>> class Leaky(cynn.layers.Layer):
    ...     '''a = z where z >= 0, else alpha z.'''
    ...     name = "leaky"
    ...     kernel = cynn.PReLU.kernel
    ...     alpha = cynn.layers.Parameter()
    ...     def build(self, builder, values):
    ...         units = builder.widths[values[0]]
    ...         half = builder.constant(0.5, units)
    ...         alpha = builder.parameter("alpha", half)
    ...         return builder.add(
    ...             self.kernel, values, units, parameters=[alpha]
    ...         )
    >>> net = cynn.Network([cynn.Input(2), Leaky()], seed=0)
    >>> net.predict([-1.0, 2.0])
    array([-0.5,  2. ], dtype=float32)
    """

    def __init__(
        self,
        inputs: int,
        dtype: str,
        seed: int,
        *,
        regularizer: Regularizer | None = None,
        compute: str | None = None,
        only_shapes: bool = False,
    ) -> None:
        self.dtype = dtype
        self.seed = seed
        self.regularizer = regularizer
        self.compute = compute
        self.only_shapes = only_shapes
        #: The layer that is being built.
        self.layer: Any = None
        #: The lock of the network.
        self.weights_lock = WeightsLock()
        self.operations: list[Operation] = []
        self.widths = [inputs]
        #: For a value that copies another one without some columns, perhaps with new columns at the end: the number of
        #: that other value, and the columns left out, in ascending order.
        self.without: dict[int, tuple[int, list[int]]] = {}
        #: The number of categories of each column of the input that holds categories.
        self.categories: dict[int, int] = {}
        self._drawn: dict[int, int] = {}

    def _number(self, purpose: int) -> int:
        """The next number for a purpose. Purposes are counted separately, so that noise does not change weights."""
        number = self._drawn.get(purpose, 0)
        self._drawn[purpose] = number + 1
        return number

    def input_column(self, value: int, column: int) -> int | None:
        """Find the column of the network's input that a column of a value is a copy of.

        Parameters
        ----------
        value : int
            The number of the value.
        column : int
            Its column.

        Returns
        -------
        int or None
            None if the column is not a copy.
        """
        while value:
            if value not in self.without:
                return None
            value, gone = self.without[value]
            if column >= self.widths[value] - len(gone):
                return None
            for other in gone:
                column += column >= other
        return column

    def is_first(self, values: list[int]) -> bool:
        """Whether these values are computed from the network's input without a matrix of weights.

        Parameters
        ----------
        values : list of int
            The numbers of the values.

        Returns
        -------
        bool
            Also True for the input itself.
        """
        return all(
            value == 0
            or (not self.operations[value - 1].multiplications and self.is_first(self.operations[value - 1].inputs))
            for value in values
        )

    def zeros(self, *shape: int) -> Array:
        """An array of zeros for a parameter or a state.

        Parameters
        ----------
        *shape : int
            The last is the number of columns.

        Returns
        -------
        array
            Of the network's dtype.
        """
        if math.prod(shape) > _MAX_NUMBERS:
            raise ShapeError(f"An array must hold no more than {_MAX_NUMBERS} numbers. Got the shape {shape} instead.")
        if self.only_shapes:
            return np.broadcast_to(np.zeros((), self.dtype), shape)
        return aligned_zeros(shape, self.dtype)

    def constant(self, value: float, *shape: int) -> Array:
        """An array filled with one number, like `zeros`.

        Parameters
        ----------
        value : float
            The number.
        *shape : int
            As for `zeros`.

        Returns
        -------
        array
            Of the network's dtype.
        """
        array = self.zeros(*shape)
        if not self.only_shapes:
            array[...] = value
        return array

    def ones(self, *shape: int) -> Array:
        """An array of ones, like `zeros`.

        Parameters
        ----------
        *shape : int
            As for `zeros`.

        Returns
        -------
        array
            Of the network's dtype.
        """
        return self.constant(1, *shape)

    def values(self, values: npt.ArrayLike) -> Array:
        """An array with the given numbers, for a parameter or a state.

        Parameters
        ----------
        values : array-like
            Numbers that are finite in the network's dtype.

        Returns
        -------
        array
            A copy, of the network's dtype.
        """
        given = np.asarray(values)
        return self._filled(given.shape, lambda: given)

    def weights(self, start: Any, inputs: int, units: int) -> Array:
        """A matrix of initial weights.

        Parameters
        ----------
        start : str, Initializer or dict
            The initializer.
        inputs, units : int
            Its shape.

        Returns
        -------
        array of shape (inputs, units)
            The random numbers depend on the network's seed, and differ between the matrices of a network.
        """
        number = self._number(randomness.Purpose.INITIAL_WEIGHTS)
        return self._filled(
            (inputs, units), lambda: initializers.initial_weights(start, inputs, units, self.seed, number)
        )

    def initial(self, start: Any, *shape: int) -> Array:
        """An array of initial weights with any number of dimensions.

        Parameters
        ----------
        start : str, Initializer, dict or None
            The initializer, for which the inputs are the product of all dimensions but the last. None means
            `"glorot_uniform"`, or zeros for an array of one dimension.
        *shape : int
            As for `zeros`.

        Returns
        -------
        array
            Of the network's dtype.
        """
        if start is None and len(shape) == 1:
            return self.zeros(*shape)
        start = "glorot_uniform" if start is None else start
        return self.weights(start, math.prod(shape[:-1]), shape[-1]).reshape(shape)

    def uniform(self, limit: float, *shape: int) -> Array:
        """An array of initial weights, uniform between -limit and limit, like `weights`.

        Parameters
        ----------
        limit : float
            The bound.
        *shape : int
            As for `zeros`.

        Returns
        -------
        array
            Of the network's dtype.
        """
        return self._drawn_by(randomness.uniform, shape, lambda drawn: limit * (2 * drawn - 1))

    def normal(self, deviation: float, *shape: int) -> Array:
        """An array of normally distributed initial weights with mean 0, like `weights`.

        Parameters
        ----------
        deviation : float
            Their standard deviation.
        *shape : int
            As for `zeros`.

        Returns
        -------
        array
            Of the network's dtype.
        """
        return self._drawn_by(randomness.normal, shape, lambda drawn: deviation * drawn)

    def _drawn_by(
        self, generator: Callable[..., Array], shape: tuple[int, ...], scaled: Callable[[Array], Array]
    ) -> Array:
        purpose = randomness.Purpose.INITIAL_WEIGHTS
        number = self._number(purpose)
        return self._filled(shape, lambda: scaled(generator(shape, self.seed, purpose, number)))

    def _filled(self, shape: tuple[int, ...], values: Callable[[], Array]) -> Array:
        array = self.zeros(*shape)
        if not self.only_shapes:
            with np.errstate(over="ignore"):
                array[...] = values()
            if not np.isfinite(array).all():
                raise InvalidParameterError(
                    f"The initial weights of a layer must be finite in {self.dtype}. Got an infinity instead."
                )
        return array

    def parameter(self, name: str, array: Array) -> Array:
        """Make an array a parameter of the layer that is being built, which the optimizer updates.

        Parameters
        ----------
        name : str
            An attribute of the layer's class: `name = cynn.layers.Parameter()`.
        array : array
            From `weights`, `zeros` and the like.

        Returns
        -------
        array
            The same array, for `add`.
        """
        return self._named(name, array, is_trained=True)

    def state(self, name: str, array: Array) -> Array:
        """Make an array a state of the layer that is being built, which training changes without the optimizer.

        Parameters
        ----------
        name : str
            An attribute of the layer's class: `name = cynn.layers.Parameter(is_trained=False)`.
        array : array
            From `weights`, `zeros` and the like.

        Returns
        -------
        array
            The same array, for `add`.
        """
        return self._named(name, array, is_trained=False)

    def _named(self, name: str, array: Array, *, is_trained: bool) -> Array:
        declared = getattr(type(self.layer), name, None)
        if getattr(declared, "is_trained", None) is not is_trained:
            kind, declaration = ("parameter", "") if is_trained else ("state", "is_trained=False")
            raise PluginError(
                f"The class of {describe(self.layer)} must declare the {kind} {name!r} in its body, as {name} = "
                f"cynn.layers.Parameter({declaration}). Got {shown(declared)} instead."
            )
        self.layer._arrays[name] = self._checked(array)
        return array

    def _checked(self, array: Any) -> Array:
        """Return an array after a check that the engine can use it."""
        is_ours = isinstance(array, np.ndarray) and array.dtype == self.dtype and array.ndim and array.size
        if not is_ours or not (self.only_shapes or array.flags.carray):
            raise PluginError(
                f"The arrays of {describe(self.layer)} must be those that methods of the builder have made, such as "
                f"builder.zeros, with one number at least. Got {shown(array)} instead."
            )
        return array  # type: ignore[no-any-return]  # as checked above

    def scheduled(
        self,
        value: float | Schedule,
        name: str,
        owner: str,
        becomes: Callable[[Any], list[Any]],
        below: float = math.inf,
    ) -> dict[str, Any]:
        """Compute the hyperparameters of an operation, for `add`, from a number or a schedule of it.

        Parameters
        ----------
        value : float or Schedule
            The number or schedule.
        name, owner : str
            The names of the parameter and of its layer, for messages.
        becomes : function
            Returns the list of hyperparameters for a number, or for an array with the numbers of many steps.
        below : float
            The exclusive upper bound of the number in every step.

        Returns
        -------
        dict
            `hyperparameters` and, for a schedule, `schedule`.
        """
        hyperparameters = [float(each) for each in becomes(np.float64(first_of(value)))]
        if not isinstance(value, Schedule):
            return {"hyperparameters": hyperparameters}

        def schedule(first_step: int, count: int, total_steps: int | None) -> npt.NDArray[np.float64]:
            found = numbers_of(value, name, owner, first_step, count, total_steps, below)
            return np.stack(becomes(found), axis=1)

        return {"hyperparameters": hyperparameters, "schedule": schedule}

    def rule(
        self, regularizer: Regularizer | None, constraint: Constraint | None, *, of_rows: bool = False
    ) -> ParameterRule:
        """Make the rule of a parameter: its penalty and its constraint.

        Parameters
        ----------
        regularizer : Regularizer or None
            The regularizer of the layer; None for that of the network.
        constraint : Constraint or None
            The constraint of the layer.
        of_rows : bool
            Whether the constraint applies to each row instead of each column.

        Returns
        -------
        ParameterRule
            For `add`.
        """
        rule = ParameterRule(of_rows=of_rows, follows_network=regularizer is None)
        rule.l1, rule.l2 = penalty_of(regularizer or self.regularizer, self.dtype)
        if constraint is not None:
            if constraint.rule not in _RULES:
                raise InvalidParameterError(
                    f"The 'rule' of a constraint must be {', '.join(map(repr, _RULES))}. Got {shown(constraint.rule)} "
                    f"of {constraint!r} instead."
                )
            rule.constraint = constraint.rule
            rule.value = check_number(constraint.max_value, "max_value", "a constraint", above=0)
            check_held(rule.value, "max_value", "a constraint", self.dtype)
        return rule

    def add(
        self,
        kernel: Any,
        inputs: list[int],
        units: int,
        *,
        parameters: Sequence[Array | None] = (),
        trainable: bool = True,
        rules: Sequence[ParameterRule] = (),
        states: Sequence[Array] = (),
        saved: Sequence[SavedForBackward] = (),
        hyperparameters: Sequence[float] = (),
        schedule: HyperparameterSchedule | None = None,
        activation: activations.Activation | None = None,
        draws: bool = False,
        column_piece: int = 0,
        multiplications: int = 0,
    ) -> int:
        """Add an operation.

        Its functions get the sequences in this order, as `parameters`, `states`, `saved` and `h` of the struct
        `cynn_operands` in `cynn/abi.h`, which describes them.

        Parameters
        ----------
        kernel : capsule
            A `cynn_operation`.
        inputs : list of int
            The numbers of its input values.
        units : int
            The number of columns of its output.
        parameters : list of array or None
            At most 16 arrays that the optimizer updates. Each must have been passed to `parameter`. None for a
            parameter that the kernel has but this layer does not.
        trainable : bool
            Whether the optimizer updates them.
        rules : list of ParameterRule
            The rule of each parameter, from `rule`. Parameters after the last rule have none.
        states : list of array
            At most 16 other arrays that training changes. Each must have been passed to `state`.
        saved : list of SavedForBackward
            At most 16 matrices that forward writes for backward in training.
        hyperparameters : list of float
            Numbers that are finite in the network's dtype.
        schedule : function, optional
            Computes the hyperparameters of each training step, if they change; from `scheduled`.
        activation : Activation, optional
            A compiled activation that the kernel calls.
        draws : bool
            Whether the kernel draws random numbers; the operation then gets its own `number`.
        column_piece : int
            0: training works on rows. Otherwise it works on columns of the whole batch, at most this many at a time.
        multiplications : int
            The approximate number of multiplications per row. It determines the size of the pieces of a batch, and how
            many threads are used.

        Returns
        -------
        int
            The number of its output value.
        """
        own = ActivationKernel(self._held(activation)) if activation is not None else None
        if own is not None and own.is_python:
            raise PluginError(
                f"An activation within an operation, of {describe(self.layer)}, must be compiled. Got {activation!r} "
                "instead, whose methods are Python."
            )
        if len(rules) > len(parameters):
            raise PluginError(
                f"An operation of {describe(self.layer)} must have at most a rule for each of its {len(parameters)} "
                f"parameters. Got {len(rules)} instead."
            )
        return self._add(
            kernel,
            inputs,
            units,
            parameters=[None if array is None else self._own(array, "parameter") for array in parameters],
            trainable=trainable,
            rules=list(rules),
            states=[self._own(array, "state") for array in states],
            saved=list(saved),
            hyperparameters=[float(number) for number in hyperparameters],
            schedule=schedule,
            activation=own,
            draws=draws,
            number=self._number(randomness.Purpose.NOISE) if draws else 0,
            column_piece=column_piece,
            multiplications=multiplications,
        )

    def add_methods(self, inputs: list[int], units: int) -> int:
        """Add the operation of a Python layer, which calls its methods `forward` and `backward`.

        Parameters
        ----------
        inputs : list of int
            The numbers of its input values.
        units : int
            The number of columns of its output.

        Returns
        -------
        int
            The number of its output value.
        """
        arrays = self.layer._arrays
        return self._add(
            python_operations.KERNEL,
            inputs,
            units,
            python=self.layer,
            names=list(arrays),
            parameters=[self._own(array, "parameter") for array in arrays.values()],
            trainable=self.layer.trainable,
            saved=[SavedForBackward(array.size, for_each_row=False) for array in arrays.values()],
        )

    def _own(self, array: Any, kind: str) -> Array:
        """A view of a layer's array: the engine's array keeps its shape even if that of the layer's array changes."""
        if not any(array is known for known in getattr(self.layer, "_arrays", {}).values()):
            raise PluginError(
                f"An array of {describe(self.layer)} must be given a name, as in builder.{kind}(name, array), before "
                f"it is handed to an operation: without, it would not be saved. Got {shown(array)} instead."
            )
        return self._checked(array).view()

    def _held(self, activation: activations.Activation) -> activations.Activation:
        activation.check_held(self.dtype)
        return activation

    def _add(self, kernel: Any, inputs: list[int], units: int, **rest: Any) -> int:
        """Add an operation after a check that its kernel fits the arguments."""
        if units > MAX_DIMENSION:
            raise ShapeError(f"A layer must return no more than {MAX_DIMENSION} columns. Got {units} instead.")
        widths = [self.widths[value] for value in inputs]
        for number in rest.get("hyperparameters", []):
            check_held(number, "hyperparameters", "a layer", self.dtype)
        operation = Operation(OperationKernel(self.layer, kernel), inputs, widths, units, **rest)
        operation.check(self.dtype)
        self.operations.append(operation)
        self.widths.append(units)
        return len(self.widths) - 1

    def add_activation(self, value: int, activation: activations.Activation) -> int:
        """Add the operation a = f(z); nothing for the identity.

        Parameters
        ----------
        value : int
            The number of z.
        activation : Activation
            The activation f, compiled or in Python.

        Returns
        -------
        int
            The number of a.
        """
        # a gets its own array even if the kernel may work in place: loops over arrays that do not overlap vectorize,
        # and others take a slow path
        if type(activation) is activations.Identity:
            return value
        return self._add(
            kernels.activation_op.KERNELS["activation"],
            [value],
            self.widths[value],
            activation=ActivationKernel(self._held(activation)),
            is_activation=True,
        )
