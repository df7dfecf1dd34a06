"""From layers to operations: what a layer is given when it becomes part of a network."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from cynn import activations, initializers, kernels
from cynn.constraints import Constraint
from cynn.engine import randomness
from cynn.engine.activation_kernel import ActivationKernel
from cynn.engine.operations import MAX_DIMENSION, Operation, ParameterRule
from cynn.engine.weights_lock import WeightsLock
from cynn.engine.workspace import aligned_zeros
from cynn.errors import InvalidParameterError, ShapeError, check_held, check_number, shown
from cynn.regularizers import Regularizer
from cynn.schedules.base import Schedule, first_of, numbers_of

__all__ = ["Builder"]

_MAX_NUMBERS = 2**48  # more than any memory has

# What the engine does after a step.
_RULES = ("max_norm", "unit_norm", "non_negative")

Array = npt.NDArray[Any]


class Builder:
    """Collects the operations of a network.

    With `only_shapes`, arrays have their shapes and no memory: to see what a description asks for.

    Attributes
    ----------
    dtype : str
    seed : int
    regularizer : Regularizer or None
        Of layers that have none of their own.
    operations : list of Operation
    widths : list of int
        The columns of every value, by its number; value 0 is the input.
    weights_lock : WeightsLock
        That of the network.
    """

    def __init__(
        self,
        inputs: int,
        dtype: str,
        seed: int,
        *,
        regularizer: Regularizer | None = None,
        only_shapes: bool = False,
    ) -> None:
        self.dtype = dtype
        self.seed = seed
        self.regularizer = regularizer
        self.only_shapes = only_shapes
        self.weights_lock = WeightsLock()
        self.operations: list[Operation] = []
        self.widths = [inputs]
        #: Values that are others without some columns, in ascending order, and with new ones behind.
        self.without: dict[int, tuple[int, list[int]]] = {}
        #: How many categories there are, for columns of the input that must be categories.
        self.categories: dict[int, int] = {}
        self._drawn = dict.fromkeys(randomness.Purpose, 0)

    def number(self, purpose: randomness.Purpose) -> int:
        """The next number of what draws random numbers, counted for each purpose: noise moves no weights."""
        self._drawn[purpose] += 1
        return self._drawn[purpose] - 1

    def input_column(self, value: int, column: int) -> int | None:
        """Which column of the input a column of a value is; None where it is none."""
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
        """Whether no matrix of weights stands between the input and these values."""
        return all(
            value == 0
            or (not self.operations[value - 1].multiplications and self.is_first(self.operations[value - 1].inputs))
            for value in values
        )

    def zeros(self, *shape: int) -> Array:
        """An array for a parameter or a state, in the network's dtype."""
        if math.prod(shape) > _MAX_NUMBERS:
            raise ShapeError(f"An array must hold no more than {_MAX_NUMBERS} numbers. Got the shape {shape} instead.")
        if self.only_shapes:
            return np.broadcast_to(np.zeros((), self.dtype), shape)
        return aligned_zeros(shape, self.dtype)

    def constant(self, value: float, *shape: int) -> Array:
        """Likewise, of equal numbers."""
        array = self.zeros(*shape)
        if not self.only_shapes:
            array[...] = value
        return array

    def ones(self, *shape: int) -> Array:
        """Likewise, of ones."""
        return self.constant(1, *shape)

    def weights(self, start: Any, inputs: int, units: int) -> Array:
        """A matrix of initial weights, by an initializer, its name or its configuration."""
        return self._initial(
            inputs, units, lambda number: initializers.initial_weights(start, inputs, units, self.seed, number)
        )

    def uniform(self, limit: float, inputs: int, units: int) -> Array:
        """A matrix of initial weights between -limit and limit."""
        purpose = randomness.Purpose.INITIAL_WEIGHTS
        return self._initial(
            inputs,
            units,
            lambda number: limit * (2 * randomness.uniform((inputs, units), self.seed, purpose, number) - 1),
        )

    def _initial(self, inputs: int, units: int, drawn: Callable[[int], Array]) -> Array:
        number = self.number(randomness.Purpose.INITIAL_WEIGHTS)
        W = self.zeros(inputs, units)
        if not self.only_shapes:
            with np.errstate(over="ignore"):
                W[...] = drawn(number)
            if not np.isfinite(W).all():
                raise InvalidParameterError(
                    f"The initial weights of a layer must be finite in {self.dtype}. Got an infinity instead."
                )
        return W

    def scheduled(
        self,
        value: float | Schedule,
        name: str,
        owner: str,
        becomes: Callable[[Any], list[Any]],
        below: float = math.inf,
    ) -> dict[str, Any]:
        """For `add`: the hyperparameters of an operation that follow from a number, or from a schedule of it.

        Parameters
        ----------
        value : float or Schedule
            The number, of a parameter of that `name` of an `owner`.
        name, owner : str
            For messages.
        becomes : function
            Makes the list of hyperparameters of the number, or of an array of the numbers of many steps.
        below : float
            What the number must be below at every step.

        Returns
        -------
        dict
            `hyperparameters`, and `schedule` where they have one.
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
        """What holds for weights of a layer with these; the constraint for each column, or for each row."""
        rule = ParameterRule(of_rows=of_rows)
        regularizer = regularizer or self.regularizer
        if regularizer is not None:
            rule.l1 = check_number(regularizer.l1, "l1", "a regularizer", minimum=0)
            rule.l2 = check_number(regularizer.l2, "l2", "a regularizer", minimum=0)
            check_held(rule.l1, "l1", "a regularizer", self.dtype)
            check_held(rule.l2, "l2", "a regularizer", self.dtype)
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

    def add(self, kernel: Any, inputs: list[int], units: int, **rest: Any) -> int:
        """Add an operation; the number of the value that it makes.

        It gets views: whoever changes the shape of a layer's array changes nothing for the engine.
        """
        if units > MAX_DIMENSION:
            raise ShapeError(f"A layer must return no more than {MAX_DIMENSION} columns. Got {units} instead.")
        for name in ("parameters", "states"):
            rest[name] = [None if array is None else array.view() for array in rest.get(name, ())]
        widths = [self.widths[value] for value in inputs]
        for number in rest.get("hyperparameters", []):
            check_held(number, "hyperparameters", "a layer", self.dtype)
        self.operations.append(Operation(kernel, inputs, widths, units, **rest))
        self.widths.append(units)
        return len(self.widths) - 1

    def add_activation(self, value: int, activation: activations.Activation) -> int:
        """Add a = f(z); the identity adds nothing.

        z and a are apart even where the kernel allows one in the place of the other: a compiler vectorizes
        its loop under the condition that they do not overlap, and the way it takes otherwise is slow.
        """
        if type(activation) is activations.Identity:
            return value
        activation.check_held(self.dtype)
        kernel = ActivationKernel(activation)
        return self.add(
            kernels.activation_op.KERNELS["activation"],
            [value],
            self.widths[value],
            activation=kernel,
            is_activation=True,
            gradient_in_place=True,
            needs_output=kernel.needs_a,
        )
