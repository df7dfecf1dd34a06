"""A buffer for batches that come one by one, and the steps on it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cynn.data import row_weights
from cynn.data.row_weights import RowWeights
from cynn.data.sparse import as_dense
from cynn.data.targets import Targets
from cynn.engine.batch_step import BatchStep
from cynn.engine.trainer import UnusableRow
from cynn.errors import DataError, InvalidParameterError
from cynn.losses import Loss
from cynn.training.context import TrainingContext

__all__ = ["BatchBuffer", "checked_batch"]

Array = npt.NDArray[Any]


class BatchBuffer:
    """A buffer of parts that each have room for a batch, and a trainer on it.

    Parameters
    ----------
    context : TrainingContext
    rows, target : array, Targets
        The first batch, which determines the dtypes, and whether targets are classes or values.
    capacity : int
        Rows of a part.
    parts : int
        Their number.
    keeps_gradients : bool
        Whether the trainer keeps gradients whole.
    """

    def __init__(
        self,
        context: TrainingContext,
        rows: Array,
        target: Targets,
        capacity: int,
        parts: int = 1,
        *,
        keeps_gradients: bool = False,
    ) -> None:
        if context.state is not None and context.state.settings.accumulation > 1:
            raise InvalidParameterError(
                "The 'gradient_accumulation_steps' parameter of an optimizer must be 1 where batches come one by "
                f"one. Got {context.state.settings.accumulation} instead: give larger batches."
            )
        self.context = context
        self.capacity = capacity
        room = parts * capacity
        self.rows = np.zeros((room, rows.shape[1]), rows.dtype)
        self.target = target.with_room(room)
        self.weights = RowWeights.room(room, len(target.parts))
        self.trainer = context.trainer(self.rows, self.target, self.weights, capacity, keeps_gradients=keeps_gradients)
        all_weights = [*self.weights.each, self.weights.rows]
        self.steps = BatchStep(
            self.trainer,
            self.rows,
            self.target.values,
            self.target.classes,
            self.target.outputs,
            [one for one in all_weights if one is not None],
            capacity,
        )
        objective, network = context.objective, context.network
        losses = objective.losses
        # labels and names of columns are for other forms of x and y than those that `put_as_given` takes
        self._takes_as_given = len(losses) == 1 and objective.classes == [None] and target.derivatives is None
        self._has_check = type(losses[0]).check_target is not Loss.check_target
        self._lock = network._weights_lock

    def takes(self, rows: Array, target: Targets) -> bool:
        """Whether this batch fits into a part."""
        return len(rows) <= self.capacity and rows.dtype == self.rows.dtype and self.target.has_form_of(target)

    def put(self, part: int, rows: Array, target: Targets, weights: RowWeights) -> int:
        """Copy a checked batch into a part; return its number of rows."""
        begin = part * self.capacity
        place = slice(begin, begin + len(rows))
        self.rows[place] = rows
        self.target.put(place, target)
        self.weights.put(place, weights)
        return len(rows)

    def put_as_given(self, part: int, x: Any, y: Any) -> int:
        """Check and copy a batch in the usual form; 0 if it must go the other way, where errors are told."""
        if not self._takes_as_given:
            return 0
        begin = part * self.capacity
        n = self.steps.put(begin, x, y, self.context.check_finite)
        if n and self._has_check and self.target.values is not None:
            self.context.objective.losses[0].check_target(self.target.values[begin : begin + n])
        return n

    def step(
        self,
        part: int,
        n: int,
        rate: float,
        scheduled: npt.NDArray[np.float64] | None,
        predictions: list[Array] | None,
        name: str,
    ) -> None:
        """Take a step on n rows of a part."""
        context, begin = self.context, part * self.capacity
        if n == 1:
            context.warn_of_a_single_row()
        try:
            self.steps.take(self._lock, context.state, begin, n, rate, scheduled, predictions)
        except UnusableRow:
            context.network.raise_unusable(self.rows[begin : begin + n], name, check_finite=context.check_finite)


def checked_batch(
    context: TrainingContext,
    x: Any,
    y: Any,
    sample_weight: Any,
    of: str,
    class_weight: Any = None,
    derivatives: tuple[Any, Any] = (None, None),
) -> tuple[Array, Targets, RowWeights]:
    """Validate and convert a batch, and leave out rows of weight 0. The numbers of x are checked in its step."""
    network = context.network
    rows = network.as_rows(x, f"x{of}")
    if len(rows) == 0:
        raise DataError(f"x{of} must have at least one row. Got none instead.")
    objective = context.objective
    weights = objective.sample_weights(sample_weight, len(rows), may_be_zero=True)
    target = objective.targets(y, len(rows), f"y{of}", weights, check_finite=context.check_finite)
    if objective.derivative_weights is not None:
        target.derivatives = objective.derivatives(
            *derivatives, network.input.units, len(rows), "{}" + of, weights
        )
    if class_weight is not None:
        weights = objective.with_class_weights(weights, class_weight, target, None)
    row_weights.check_as_given(weights, of, network.dtype)
    network.remember_names(x)
    places = weights.places()
    if places is not None:
        rows, target, weights = rows[places], target.take(places), weights.take(places)
    if target.derivatives is not None:
        target.derivatives.weigh(weights)
    return as_dense(rows), target, weights
