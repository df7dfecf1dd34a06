"""Single steps: `Network.train_batch`, and `Network.gradients`, which is a step without an optimizer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cynn import layers
from cynn.engine import threads
from cynn.engine.plans import are_given_again
from cynn.engine.trainer import Diverged, UnusableRow
from cynn.errors import TrainingDivergedError, check_switch
from cynn.training import derivative_losses, evaluation, moving_averages
from cynn.training.batch_buffer import BatchBuffer, checked_batch
from cynn.training.batch_steps import BatchSteps
from cynn.training.context import TrainingContext
from cynn.training.history import History
from cynn.training.optimizer_state import optimizer_state

if TYPE_CHECKING:
    from cynn.data.examples import Examples
    from cynn.data.objective import Objective
    from cynn.data.row_weights import RowWeights
    from cynn.data.targets import Targets
    from cynn.model import Model

__all__ = ["gradients", "gradients_of_layers", "not_finite_error", "sampled_gradients", "train_batch"]

Array = npt.NDArray[Any]
#: For each layer, the gradients of its parameters.
Gradients = list[tuple[Array | None, ...]]
_MAX_KEPT_BYTES = 1 << 20  # the largest size of rows for which `gradients` keeps its buffers


def train_batch(
    network: Model,
    x: Any,
    y: Any,
    loss: Any,
    loss_weights: Any,
    optimizer: Any,
    sample_weight: Any,
    n_threads: int | None,
    check_finite: bool,
    dy_dx: Any = None,
    derivative_weight: Any = None,
    directions: Any = None,
) -> float:
    """`Network.train_batch`."""
    check_finite = check_switch(check_finite, "check_finite", "train_batch")
    is_plain = dy_dx is None and derivative_weight is None and directions is None
    plans, call = network._plans, "train_batch" if is_plain else "train_batch with dy_dx"
    kept: BatchSteps | None = plans.take(call)
    if kept is not None and kept.were_given(loss, loss_weights, optimizer, n_threads):
        try:
            return kept.step(x, y, sample_weight, check_finite)
        finally:
            plans.keep(call, kept)
    objective = derivative_losses.objective_with(
        network, network.objective(loss, loss_weights), dy_dx, directions, derivative_weight, "train_batch"
    )
    number = threads.resolve(n_threads)
    context = TrainingContext(network, objective, None, number, check_finite)
    batch = checked_batch(context, x, y, sample_weight, "", derivatives=(dy_dx, directions))
    state = context.state = optimizer_state(network, optimizer, equal_goes_on=True)
    if kept is None or not kept.are_for(objective, state, number):
        kept = None  # frees its memory before the new buffer is allocated
        kept = BatchSteps(context)
    kept.context.check_finite = check_finite
    if is_plain:
        kept.remember(loss, loss_weights, optimizer, n_threads)
    plans.keep(call, kept)
    return kept.step_on(*batch)


class GradientPlan:
    """The fast path of `Network.gradients`: a trainer without an optimizer, on a buffer for batches.

    Parameters
    ----------
    network : Model
    given : tuple
        The loss and its weights, as given by the user.
    key : tuple
        The losses and weights that they mean, and the number of threads.
    buffer : BatchBuffer
    """

    def __init__(self, network: Model, given: tuple[Any, Any], key: tuple[Any, ...], buffer: BatchBuffer) -> None:
        self.given, self.key, self.buffer = given, key, buffer
        self._network = network
        self._warns = moving_averages.has_moving_averages(network)

    def again(self, x: Any, y: Any, loss: Any, loss_weights: Any, sample_weight: Any) -> Gradients | None:
        """The fast path of `Network.gradients`: see `cynn.engine.plans`."""
        if sample_weight is not None or not are_given_again((loss, loss_weights), self.given):
            return None
        if self.buffer.trainer.uses_threads and threads.resolve(None) != self.key[-1]:
            return None
        n = self.buffer.put_as_given(0, x, y, True)
        return self.of(n) if n else None

    def of(self, n: int) -> Gradients:
        """The gradients of the loss of the first n rows."""
        buffer, network = self.buffer, self._network
        if n == 1 and self._warns:
            moving_averages.warn_of_a_single_row(network)
        buffer.steps.begin(True, 0, 0)
        _compute(network, buffer.steps.compute_gradients, n, buffer.rows)
        return copies_of_layers(network, buffer.trainer.gradients)


def gradients(
    network: Model, x: Any, y: Any, loss: Any, loss_weights: Any, sample_weight: Any
) -> Gradients:
    """`Network.gradients`: a step over all rows without an optimizer."""
    plans, objective, n_threads = network._plans, network.objective(loss, loss_weights), threads.resolve(None)
    key = objective.losses, objective.weights, n_threads
    plan: GradientPlan | None = plans.take("gradients")
    given = evaluation.checked(network, objective, x, y, sample_weight, "", check_finite=True)
    rows, target, weights = evaluation.counted(*given)
    n = len(rows)
    context = TrainingContext(network, objective, None, n_threads, check_finite=True)
    if not isinstance(rows, np.ndarray) or rows.nbytes > _MAX_KEPT_BYTES:
        if n == 1:
            moving_averages.warn_of_a_single_row(network)
        return _of_all(context, rows, target, weights)
    if plan is None or plan.key != key or not plan.buffer.takes(rows, target):
        plan = GradientPlan(network, (loss, loss_weights), key, BatchBuffer(context, rows, target, n))
    plan.given = loss, loss_weights
    plan.buffer.put(0, rows, target, weights)
    try:
        return plan.of(n)
    finally:
        plans.keep("gradients", plan)


def sampled_gradients(network: Model, objective: Objective, examples: Examples, most: int) -> Gradients:
    """The gradients of the loss of at most so many of the rows, on this thread; empty if none of them is finite."""
    rows, target, weights = examples.spread(most)
    context = TrainingContext(network, objective, None, 1, check_finite=True)
    return _of_all(context, rows, target, weights) if len(rows) else []


def _of_all(context: TrainingContext, rows: Array, target: Targets, weights: RowWeights) -> Gradients:
    """The gradients of the loss of all of these rows."""
    trainer = context.trainer(rows, target, weights, len(rows))
    _compute(context.network, lambda n: trainer.run(np.arange(n), 0, 1, np.zeros(1), None, 0.0), len(rows), rows)
    return gradients_of_layers(context.network, trainer.gradients)


def _compute(network: Model, compute: Callable[[int], object], n: int, rows: Array) -> None:
    """Call `compute` for n rows, with errors that name the row or the loss."""
    try:
        compute(n)
    except Diverged as diverged:
        raise not_finite_error(diverged) from None
    except UnusableRow:
        network.raise_unusable(rows[:n], "x", check_finite=True)


def not_finite_error(diverged: Diverged) -> TrainingDivergedError:
    """The error for a loss that is not finite."""
    return TrainingDivergedError(
        f"The loss must be finite to have gradients. Got {diverged.figure} instead.", 1, 1, History()
    )


def gradients_of_layers(network: Model, of_parameters: Sequence[Array | None]) -> Gradients:
    """Arrays for the trained parameters in the order of the layers, None for the others."""
    if network._places_of_layers is None:
        network._places_of_layers = _places_of_layers(network)
    return [
        tuple([None if place is None else of_parameters[place] for place in places])
        for places in network._places_of_layers
    ]


def copies_of_layers(network: Model, of_parameters: Sequence[Array | None]) -> Gradients:
    """The same with copies of the arrays."""
    return gradients_of_layers(network, [None if each is None else each.copy() for each in of_parameters])


def _places_of_layers(network: Model) -> list[tuple[int | None, ...]]:
    """For each array of each layer, its index among the trained parameters."""
    of_address = {
        parameter.ctypes.data: place
        for place, parameter in enumerate(network._engine.trained_parameters())
        if parameter is not None
    }
    return [
        tuple(None if array is None else of_address.get(array.ctypes.data) for array in layer.parameters.values())
        for layer in layers.walk(network.layers)
        if layer.parameters
    ]
