"""A buffer for batches that arrive one by one, and the steps on these batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from cynn.data import row_weights
from cynn.data.row_weights import RowWeights
from cynn.data.sparse import as_dense
from cynn.data.targets import Targets
from cynn.engine.batch_copier import BatchCopier
from cynn.engine.batch_step import BatchStep
from cynn.engine.trainer import UnusableRow
from cynn.errors import DataError, InvalidParameterError
from cynn.losses import Loss
from cynn.training.context import TrainingContext

__all__ = ["BatchBuffer", "checked_batch"]

Array = npt.NDArray[Any]


class BatchBuffer:
    """A buffer with parts that each hold one batch, and a trainer that reads it.

    Parameters
    ----------
    context : TrainingContext
    rows, target : array, Targets
        The first batch. It determines the dtypes, and whether targets are classes or values.
    capacity : int
        The number of rows of a part.
    parts : int
        The number of parts.
    keeps_gradients : bool
        Whether the trainer keeps all gradients after a step.
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
        n_rows = parts * capacity
        self.rows = np.zeros((n_rows, rows.shape[1]), rows.dtype)
        self.target = target.with_room(n_rows)
        self.weights = RowWeights.room(n_rows, len(target.parts))
        self.trainer = context.trainer(self.rows, self.target, self.weights, capacity, keeps_gradients=keeps_gradients)
        all_weights = [*self.weights.each, self.weights.rows]
        self.steps = BatchStep(self.trainer, n_rows)
        self.copier = BatchCopier(
            context.network.dtype,
            self.rows,
            self.target.values,
            self.target.classes,
            self.target.outputs,
            [one for one in all_weights if one is not None],
            capacity,
        )
        objective = context.objective
        #: The fast path: checks a batch of plain arrays, copies it to the rows from `begin` on, and returns its number
        #: of rows. 0 means that the batch needs `checked_batch` and `put`, which convert other forms and raise errors.
        self.put_as_given: Callable[[int, Any, Any, bool], int] = self.copier.put
        if not objective.takes_plain_targets or target.derivatives is not None:
            self.put_as_given = lambda begin, x, y, check_finite: 0
        elif type(objective.losses[0]).check_target is not Loss.check_target:
            self.put_as_given = self._put_and_check
        self._lock = context.network._weights_lock

    def takes(self, rows: Array, target: Targets) -> bool:
        """Whether this batch fits into a part: in its number of rows, dtypes and kind of targets."""
        return len(rows) <= self.capacity and rows.dtype == self.rows.dtype and self.target.has_form_of(target)

    def put(self, part: int, rows: Array, target: Targets, weights: RowWeights) -> int:
        """Copy a checked batch into a part; return its number of rows."""
        begin = part * self.capacity
        place = slice(begin, begin + len(rows))
        self.rows[place] = rows
        self.target.put(place, target)
        self.weights.put(place, weights)
        return len(rows)

    def _put_and_check(self, begin: int, x: Any, y: Any, check_finite: bool) -> int:
        n = self.copier.put(begin, x, y, check_finite)
        if n and self.target.values is not None:
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
    """Validate and convert a batch, and leave out rows of weight 0. The values of x are checked in the step."""
    network = context.network
    rows = network.as_rows(x, f"x{of}")
    if len(rows) == 0:
        raise DataError(f"x{of} must have at least one row. Got none instead.")
    objective = context.objective
    weights = objective.sample_weights(sample_weight, len(rows), may_be_zero=True)
    target = objective.targets(y, len(rows), f"y{of}", weights, check_finite=context.check_finite)
    target.derivatives = objective.derivatives(*derivatives, network.input.units, len(rows), "{}" + of, weights)
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
