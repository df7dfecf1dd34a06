"""Single steps: `Network.train_batch`, and `Network.gradients`, which is a step without an optimizer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cynn import layers
from cynn.engine import threads
from cynn.engine.trainer import Diverged, UnusableRow
from cynn.errors import TrainingDivergedError, check_switch
from cynn.training import evaluation, moving_averages
from cynn.training.batch_buffer import BatchBuffer, checked_batch
from cynn.training.batch_steps import BatchSteps
from cynn.training.context import TrainingContext
from cynn.training.history import History
from cynn.training.optimizer_state import optimizer_state

if TYPE_CHECKING:
    from cynn.model import Model

__all__ = ["gradients", "gradients_of_layers", "not_finite_error", "train_batch"]

Array = npt.NDArray[Any]
_MAX_KEPT_BYTES = 1 << 20  # bytes of rows that `gradients` copies to buffers that it keeps


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
) -> float:
    """`Network.train_batch`."""
    check_finite = check_switch(check_finite, "check_finite", "train_batch")
    kept: BatchSteps | None = network._kept_steps
    if kept is not None and kept.were_given(loss, loss_weights, optimizer, n_threads):
        return kept.step(x, y, sample_weight, check_finite)
    objective = network.objective(loss, loss_weights)
    number = threads.resolve(n_threads)
    context = TrainingContext(network, objective, None, number, check_finite)
    batch = checked_batch(context, x, y, sample_weight, "")
    state = context.state = optimizer_state(network, optimizer, equal_goes_on=True)
    if kept is None or not kept.are_for(objective, state, number):
        network._kept_steps = None
        kept = BatchSteps(context)
    kept.context.check_finite = check_finite
    kept.remember(loss, loss_weights, optimizer, n_threads)
    network._kept_steps = kept
    return kept.step_on(*batch)


def gradients(
    network: Model, x: Any, y: Any, *, loss: Any, loss_weights: Any, sample_weight: Any
) -> list[tuple[Array | None, ...]]:
    """`Network.gradients`: a step over all rows without an optimizer."""
    objective, n_threads = network.objective(loss, loss_weights), threads.resolve(None)
    settings, key = network._settings, (objective.losses, objective.weights, n_threads)
    buffer = _kept_buffer(network, key)
    n = 0
    if buffer is not None and sample_weight is None and buffer.capacity == _length(x):
        n = buffer.put_as_given(0, x, y)
    if not n:
        given = evaluation.checked(network, objective, x, y, sample_weight, "", check_finite=True)
        rows, target, weights = evaluation.counted(*given)
        n = len(rows)
        context = TrainingContext(network, objective, None, n_threads, check_finite=True)
        if not isinstance(rows, np.ndarray) or rows.nbytes > _MAX_KEPT_BYTES:
            trainer = context.trainer(rows, target, weights, n)
            _compute(network, lambda: trainer.run(np.arange(n), 0, 1, np.zeros(1), None, 0.0), rows)
            return gradients_of_layers(network, trainer.gradients)
        if buffer is None or buffer.capacity != n or not buffer.takes(rows, target):
            buffer = BatchBuffer(context, rows, target, n)
        buffer.put(0, rows, target, weights)
    assert buffer is not None
    steps = buffer.steps
    steps.begin(True, 0, 0)
    _compute(network, lambda: steps.compute_gradients(n), buffer.rows[:n])
    found = gradients_of_layers(network, [None if each is None else each.copy() for each in buffer.trainer.gradients])
    if network._settings is settings:
        network._kept_gradients[:] = [(key, buffer)]
    return found


def _compute(network: Model, gradients: Callable[[], object], rows: Array) -> None:
    """Let gradients be computed."""
    if len(rows) == 1:
        moving_averages.warn_of_a_single_row(network)
    try:
        gradients()
    except Diverged as diverged:
        raise not_finite_error(diverged) from None
    except UnusableRow:
        network.raise_unusable(rows, "x", check_finite=True)


def not_finite_error(diverged: Diverged) -> TrainingDivergedError:
    """The error for a loss that is not finite."""
    return TrainingDivergedError(
        f"The loss must be finite to have gradients. Got {diverged.figure} instead.", 1, 1, History()
    )


def _length(x: Any) -> int:
    return len(x) if type(x) is np.ndarray and x.ndim else 0


def _kept_buffer(network: Model, key: tuple[Any, ...]) -> BatchBuffer | None:
    """The buffer of an earlier call with these settings, which no other thread gets meanwhile."""
    try:
        kept_key, buffer = network._kept_gradients.pop()
    except IndexError:
        return None
    return buffer if kept_key == key else None


def gradients_of_layers(network: Model, of_parameters: Sequence[Array | None]) -> list[tuple[Array | None, ...]]:
    """Arrays for the trained parameters in the order of the layers, None for the others."""
    if network._places_of_layers is None:
        network._places_of_layers = _places_of_layers(network)
    return [
        tuple(None if place is None else of_parameters[place] for place in places)
        for places in network._places_of_layers
    ]


def _places_of_layers(network: Model) -> list[tuple[int | None, ...]]:
    """For each array of each layer its place among the trained parameters."""
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
