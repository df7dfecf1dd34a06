"""Single steps: `Network.train_batch`, and `Network.gradients`, which is a step without an optimizer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cynn import layers
from cynn.engine import threads
from cynn.engine.trainer import Diverged
from cynn.errors import TrainingDivergedError, check_switch
from cynn.training import evaluation
from cynn.training.context import TrainingContext
from cynn.training.history import History
from cynn.training.iterable_batches import BatchBuffer, checked_batch
from cynn.training.loop import NOT_FINITE, diverged_error
from cynn.training.optimizer_state import optimizer_state

if TYPE_CHECKING:
    from cynn.model import Model

__all__ = ["gradients", "gradients_of_layers", "not_finite_error", "train_batch"]

Array = npt.NDArray[Any]


def train_batch(
    network: Model,
    x: Any,
    y: Any,
    *,
    loss: Any,
    loss_weights: Any,
    optimizer: Any,
    sample_weight: Any,
    n_threads: int | None,
    check_finite: bool,
) -> float:
    """`Network.train_batch`."""
    check_finite = check_switch(check_finite, "check_finite", "train_batch")
    objective = network.objective(loss, loss_weights)
    n_threads = threads.resolve(n_threads)
    context = TrainingContext(network, objective, None, n_threads, check_finite)
    rows, target, weights = checked_batch(context, x, y, sample_weight, "")
    state = context.state = optimizer_state(network, optimizer, equal_goes_on=True)
    key = (
        network._engine,
        network.regularizer,
        objective.losses,
        objective.weights,
        state,
        state.optimizer.kernel_values(),
        n_threads,
        check_finite,
    )
    kept: tuple[Any, BatchBuffer] | None = network._batch_buffer
    if kept is None or kept[0] != key or not kept[1].takes(rows, target):
        kept = network._batch_buffer = (key, BatchBuffer(context, rows, target, len(rows)))
    buffer = kept[1]
    rate = float(state.rates(1, None)[0])
    buffer.trainer.begin_epoch(check_finite, network.epochs_trained, state.t)
    try:
        buffer.step(buffer.put(0, rows, target, weights), rate, buffer.context.scheduled(1, None), None, "x")
    except Diverged as diverged:
        problem: tuple[str, object] | None = diverged.what, diverged.figure
    else:
        problem = None if buffer.trainer.is_finite() else NOT_FINITE
    if problem is not None:
        raise diverged_error(
            *problem, rate, network.epochs_trained + 1, 1, network.history or History(), buffer.trainer.is_finite()
        )
    return float(objective.mean_losses(buffer.trainer.sums)[0])


def gradients(
    network: Model, x: Any, y: Any, *, loss: Any, loss_weights: Any, sample_weight: Any
) -> list[tuple[Array | None, ...]]:
    """`Network.gradients`: a step over all rows without an optimizer."""
    objective = network.objective(loss, loss_weights)
    given = evaluation.checked(network, objective, x, y, sample_weight, "", check_finite=True)
    rows, target, weights = evaluation.counted(*given)
    context = TrainingContext(network, objective, None, threads.resolve(None), check_finite=True)
    if len(rows) == 1:
        context.warn_of_a_single_row()
    trainer = context.trainer(rows, target, weights, len(rows))
    try:
        trainer.run(np.arange(len(rows)), 0, 1, np.zeros(1), None, 0.0)
    except Diverged as diverged:
        raise not_finite_error(diverged) from None
    return gradients_of_layers(network, trainer.gradients)


def not_finite_error(diverged: Diverged) -> TrainingDivergedError:
    """The error for a loss that is not finite."""
    return TrainingDivergedError(
        f"The loss must be finite to have gradients. Got {diverged.figure} instead.", 1, 1, History()
    )


def gradients_of_layers(network: Model, gradients: Sequence[Array | None]) -> list[tuple[Array | None, ...]]:
    """Those of a Trainer, by the parameters of each layer that has some; None for those that are not trained."""
    of_address = {
        parameter.ctypes.data: gradient
        for parameter, gradient in zip(network._engine.trained_parameters(), gradients, strict=True)
        if parameter is not None
    }
    return [
        tuple(None if array is None else of_address.get(array.ctypes.data) for array in layer.parameters.values())
        for layer in layers.walk(network.layers)
        if layer.parameters
    ]
