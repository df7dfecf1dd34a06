"""What layers hand to the engine: the operations of a network, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from cynn.engine.activation_kernel import ActivationKernel
    from cynn.engine.operation_kernel import OperationKernel

__all__ = [
    "MAX_DIMENSION", "HyperparameterSchedule", "Operation", "ParameterRule", "SavedForBackward", "UpdateSettings"
]  # fmt: skip

MAX_DIMENSION = 2**31 - 1  # BLAS counts in 32 bits

#: The first step, how many, and how many there will be in all, if that is known: a row of numbers for each.
HyperparameterSchedule = Callable[[int, int, int | None], npt.NDArray[np.float64]]


class SavedForBackward:
    """A matrix that forward leaves for backward: a row for each row of the batch, or one row.

    Parameters
    ----------
    columns : int
        Its columns.
    for_each_row : bool
        Whether it has a row for each row of the batch.
    """

    def __init__(
        self,
        columns: int,
        for_each_row: bool = True,
    ) -> None:
        self.columns = columns
        self.for_each_row = for_each_row


class ParameterRule:
    """What holds for a parameter in training: a penalty on its size, and what it is brought back to.

    Attributes
    ----------
    l1, l2 : float
        l1 |w| + l2 w², summed over the elements, is added to the loss.
    constraint : {"none", "max_norm", "unit_norm", "non_negative"}
        Holds after every step, for the norm of each column.
    value : float
        The norm.
    of_rows : bool
        Whether it is that of each row instead.
    learning_rate_factor : float
        What the learning rate is multiplied by.
    decays : bool
        Whether the optimizer's weight decay touches it.
    follows_network : bool
        Whether the penalty is that of the network, which may be assigned.
    """

    def __init__(
        self,
        l1: float = 0.0,
        l2: float = 0.0,
        constraint: str = "none",
        value: float = 1.0,
        of_rows: bool = False,
        learning_rate_factor: float = 1.0,
        decays: bool = True,
        follows_network: bool = False,
    ) -> None:
        self.l1 = l1
        self.l2 = l2
        self.constraint = constraint
        self.value = value
        self.of_rows = of_rows
        self.learning_rate_factor = learning_rate_factor
        self.decays = decays
        self.follows_network = follows_network


class UpdateSettings:
    """What happens to the gradients before a step, and to the parameters after it.

    Attributes
    ----------
    clip_value, clip_norm, global_clip_norm : float
        The largest element, the largest norm of each parameter's gradient, and of all together; 0: none.
    accumulation : int
        A step is taken on the mean gradient over the rows of so many batches.
    average_momentum : float
        Of the exponential moving average of the parameters; 0: there is none.
    averages : list of arrays
        Where it is, for each place of `Engine.trained_parameters`.
    decay_place : int or None
        Which of the optimizer's hyperparameters, as its kernel gets them, is its weight decay; None: it has none.
    decays_biases : bool
        Whether that touches parameters of one dimension, too.
    is_decay_scheduled : bool
        Whether it changes from step to step.
    """

    def __init__(
        self,
        clip_value: float = 0.0,
        clip_norm: float = 0.0,
        global_clip_norm: float = 0.0,
        accumulation: int = 1,
        average_momentum: float = 0.0,
        averages: list[npt.NDArray[Any] | None] | None = None,
        decay_place: int | None = None,
        decays_biases: bool = True,
        is_decay_scheduled: bool = False,
    ) -> None:
        self.clip_value = clip_value
        self.clip_norm = clip_norm
        self.global_clip_norm = global_clip_norm
        self.accumulation = accumulation
        self.average_momentum = average_momentum
        self.averages: list[npt.NDArray[Any] | None] = averages or []
        self.decay_place = decay_place
        self.decays_biases = decays_biases
        self.is_decay_scheduled = is_decay_scheduled


class Operation:
    """One step of a network: values in, one value out.

    Value 0 is what the network takes; operation i makes value i + 1. Each value is a matrix with a row
    for each row of the batch.

    Attributes
    ----------
    kernel : OperationKernel
        The functions.
    inputs : list of int
        The values that it takes, by number.
    widths : list of int
        Their columns.
    units : int
        Columns of the value that it makes.
    parameters : list of arrays
        What an optimizer moves; None stands for one that the functions know and this operation lacks.
    trainable : bool
        Whether it does.
    rules : list of ParameterRule
        What holds for each parameter; empty for none.
    states : list of arrays
        What training changes beside parameters, such as running averages.
    saved : list of SavedForBackward
    hyperparameters : list of float
    schedule : function, optional
        Their values in steps of training, where these change: `schedule(first_step, count, total_steps)` returns a row
        for each of `count` steps.
    activation : ActivationKernel, optional
        Which the functions call.
    is_activation : bool
        It is a = f(z) and nothing more: a loss may be fused with it, and f may be in Python.
    python : Layer, optional
        Whose methods in Python are called in place of the kernels' forward and backward.
    names : list of str
        Of the parameters, as it knows them.
    number : int
        Which of the operations that draw random numbers it is.
    column_piece : int
        In training it works on columns of the whole batch, so many at a time; 0: on rows.
    multiplications : int
        Per row.
    """

    def __init__(
        self,
        kernel: OperationKernel,
        inputs: list[int],
        widths: list[int],
        units: int,
        parameters: list[npt.NDArray[Any] | None] | None = None,
        trainable: bool = True,
        rules: list[ParameterRule] | None = None,
        states: list[npt.NDArray[Any]] | None = None,
        saved: list[SavedForBackward] | None = None,
        hyperparameters: list[float] | None = None,
        schedule: HyperparameterSchedule | None = None,
        activation: ActivationKernel | None = None,
        is_activation: bool = False,
        python: Any = None,
        names: list[str] | None = None,
        number: int = 0,
        column_piece: int = 0,
        multiplications: int = 0,
    ) -> None:
        self.kernel = kernel
        self.inputs = inputs
        self.widths = widths
        self.units = units
        self.parameters: list[npt.NDArray[Any] | None] = parameters or []
        self.trainable = trainable
        self.rules: list[ParameterRule] = rules or []
        self.states: list[npt.NDArray[Any]] = states or []
        self.saved: list[SavedForBackward] = saved or []
        self.hyperparameters: list[float] = hyperparameters or []
        self.schedule = schedule
        self.activation = activation
        self.is_activation = is_activation
        self.python = python
        self.names: list[str] = names or []
        self.number = number
        self.column_piece = column_piece
        self.multiplications = multiplications

    @property
    def needs_output(self) -> bool:
        """Whether backward reads the output of forward."""
        of_activation = self.is_activation and self.activation is not None and self.activation.needs_a
        return self.kernel.needs_out or of_activation

    def check(self, dtype: str) -> None:
        """Raise a PluginError unless the functions can do what is asked of them.

        Parameters
        ----------
        dtype : {"float32", "float64"}
            That of the network.
        """
        self.kernel.require_dtype(dtype)
        shapes = [None if array is None else array.shape for array in self.parameters]
        self.kernel.require_shapes(self.widths, self.units, shapes, len(self.states), len(self.saved))
        if self.trainable and any(shape is not None for shape in shapes):
            self.kernel.require_gradient()
        if self.column_piece:
            self.kernel.require_columns()
