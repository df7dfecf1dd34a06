"""The operations of a network, which layers pass to the engine in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from cynn.engine.activation_kernel import ActivationKernel
    from cynn.engine.operation_kernel import OperationKernel

    # (first step, number of steps, total number of steps or None) -> one row of values per step
    HyperparameterSchedule = Callable[[int, int, int | None], npt.NDArray[np.float64]]

__all__ = [
    "MAX_DIMENSION", "Operation", "ParameterRule", "SavedForBackward", "UpdateSettings"
]  # fmt: skip

MAX_DIMENSION = 2**31 - 1  # BLAS uses 32-bit integers


class SavedForBackward:
    """A matrix that forward saves for backward, with one row per row of the batch, or a single row.

    Parameters
    ----------
    columns : int
        The number of columns.
    for_each_row : bool
        Whether it has one row per row of the batch.
    """

    def __init__(
        self,
        columns: int,
        for_each_row: bool = True,
    ) -> None:
        self.columns = columns
        self.for_each_row = for_each_row


class ParameterRule:
    """The rules for a parameter in training: a penalty, a constraint, a learning rate factor, weight decay.

    Attributes
    ----------
    l1, l2 : float
        l1 |w| + l2 w², summed over the elements, is added to the loss.
    constraint : {"none", "max_norm", "unit_norm", "non_negative"}
        The constraint, which is applied to each column after every step.
    value : float
        The norm of the constraint.
    of_rows : bool
        Whether the constraint is applied to each row instead.
    learning_rate_factor : float
        A factor for the learning rate.
    decays : bool
        Whether the optimizer's weight decay is applied to it.
    follows_network : bool
        Whether the penalty is that of the network, which may change later.
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
    """Settings for changing the gradients before a step, and the parameters after it.

    Attributes
    ----------
    clip_value, clip_norm, global_clip_norm : float
        The limit for the elements, for the norm of each parameter's gradient, and for that of all together; 0: none.
    accumulation : int
        The number of batches per step, which uses the mean gradient over their rows.
    average_momentum : float
        The momentum of the exponential moving average of the parameters.
    averages : list of arrays
        The averages, one for each entry of `Engine.trained_parameters`; empty: none.
    decay_place : int or None
        The index of weight decay among the hyperparameters that the optimizer's kernel gets; None if it has none.
    decays_biases : bool
        Whether weight decay is applied to parameters with one dimension, too.
    is_decay_scheduled : bool
        Whether weight decay changes from step to step.
    regularizes : bool
        Whether the penalties of regularizers belong to the loss.
    keeps_gradients : bool
        Whether the gradients are kept whole, for the caller, even where the optimizer could update each block at once.
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
        regularizes: bool = True,
        keeps_gradients: bool = False,
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
        self.regularizes = regularizes
        self.keeps_gradients = keeps_gradients


class Operation:
    """One operation of a network, with one or more input values and one output value.

    Value 0 is the input of the network; operation i computes value i + 1. Each value is a matrix with one row per row
    of the batch.

    Attributes
    ----------
    kernel : OperationKernel
        The functions.
    inputs : list of int
        The numbers of its input values.
    widths : list of int
        Their numbers of columns.
    units : int
        The number of columns of its output.
    parameters : list of arrays
        The parameters that an optimizer updates; None for one that this operation lacks.
    trainable : bool
        Whether the optimizer updates them.
    rules : list of ParameterRule
        One for each parameter, or empty.
    states : list of arrays
        What training changes besides parameters, such as moving averages.
    saved : list of SavedForBackward
    hyperparameters : list of float
    schedule : function, optional
        If the hyperparameters change from step to step: `schedule(first_step, count, total_steps)` returns a row of
        values for each of `count` steps.
    activation : ActivationKernel, optional
        The activation that the functions call.
    is_activation : bool
        Whether it only computes a = f(z). Then a loss may be fused with it, and f may be in Python.
    python : Layer, optional
        A layer whose Python methods are called in place of the kernel's forward and backward.
    names : list of str
        The names of the parameters in these methods.
    draws : bool
        Whether it draws random numbers.
    number : int
        Its number among the operations that draw random numbers.
    column_piece : int
        How many columns of the whole batch it computes at a time in training; 0: it computes rows.
    multiplications : int
        The number of multiplications per row.
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
        draws: bool = False,
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
        self.draws = draws
        self.number = number
        self.column_piece = column_piece
        self.multiplications = multiplications

    @property
    def needs_output(self) -> bool:
        """Whether backward reads the output of forward."""
        of_activation = self.is_activation and self.activation is not None and self.activation.needs_a
        return self.kernel.needs_out or of_activation

    def check(self, dtype: str) -> None:
        """Raise a PluginError unless the kernel has the functions that this operation needs.

        Parameters
        ----------
        dtype : {"float32", "float64"}
            The dtype of the network.
        """
        self.kernel.require_dtype(dtype)
        shapes = [None if array is None else array.shape for array in self.parameters]
        self.kernel.require_shapes(self.widths, self.units, shapes, len(self.states), len(self.saved))
        if self.trainable and any(shape is not None for shape in shapes):
            self.kernel.require_gradient()
        if self.column_piece:
            self.kernel.require_columns()
