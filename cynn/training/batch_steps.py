"""Steps on batches that arrive one by one. Buffers and plans are kept while the settings stay the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cynn.components.hyperparameters import Component
from cynn.data.row_weights import RowWeights
from cynn.data.targets import Targets
from cynn.engine import threads
from cynn.engine.plans import are_given_again
from cynn.engine.trainer import Diverged, UnusableRow
from cynn.errors import ShapeError
from cynn.optimizers import Optimizer
from cynn.training import moving_averages
from cynn.training.batch_buffer import BatchBuffer, checked_batch
from cynn.training.context import TrainingContext
from cynn.training.history import History
from cynn.training.loop import NOT_FINITE, diverged_error

if TYPE_CHECKING:
    from cynn.data.objective import Objective
    from cynn.training.optimizer_state import OptimizerState

__all__ = ["BatchSteps"]

Array = npt.NDArray[Any]
#: What is given of a batch: dy_dx, and directions.
Derivatives = tuple[Any, Any]
_FIXED = (Component.kernel_values, Optimizer.kernel_values)


class BatchSteps:
    """Takes steps on the batches of a caller.

    Parameters
    ----------
    context : TrainingContext
        With the state of the optimizer.
    batch_size : int, optional
        The largest number of rows per batch. By default, that of the largest batch so far.
    keeps_gradients : bool
        Whether `gradients_of` and `apply` will be called.

    Attributes
    ----------
    given : tuple
        The settings of the last call, as given: loss, loss_weights, n_threads.
    """

    given: tuple[Any, ...] | None = None

    def __init__(
        self, context: TrainingContext, batch_size: int | None = None, *, keeps_gradients: bool = False
    ) -> None:
        assert context.state is not None
        self.context, self.network = context, context.network
        self.state: OptimizerState = context.state
        self.keeps_gradients = keeps_gradients
        self.batch_size = batch_size
        self.capacity = batch_size or 0
        self.buffer: BatchBuffer | None = None
        self._lock, self._warns = context.network._weights_lock, moving_averages.has_moving_averages(context.network)
        objective = context.objective
        self._has_one_loss, self._weight = objective.n_sums == 3, objective.weights[0]
        self._is_scheduled = context.is_scheduled

    # -------------------------------------------------------------------------------------- whether they fit

    def key(self, objective: Objective, state: OptimizerState, n_threads: int) -> tuple[Any, ...]:
        """Everything that the steps of a call depend on, for comparison with another call."""
        losses = objective.losses, objective.weights, objective.derivative_weights
        return *losses, state, state.optimizer.kernel_values(), n_threads

    def are_for(self, objective: Objective, state: OptimizerState, n_threads: int) -> bool:
        """Whether the steps of a call with these settings are these steps."""
        return self.buffer is not None and self._key == self.key(objective, state, n_threads)

    def remember(self, loss: Any, loss_weights: Any, optimizer: Any, n_threads: Any) -> None:
        """Remember the settings of a call as given, if they certainly mean the same in the next call."""
        is_simple = all(value is None or isinstance(value, (str, int, float)) for value in (loss_weights, n_threads))
        names = (str, type(None))
        used = self.state.optimizer
        if (
            is_simple
            and (isinstance(loss, names) or loss is self.context.objective.losses[0])
            and (isinstance(optimizer, names) or optimizer is used)
            and used.is_compiled()
            and type(used).kernel_values in _FIXED
        ):
            self.given, self._optimizer_given = (loss, loss_weights, n_threads), optimizer
            self._optimizer_then, self._rate_then = used, used.learning_rate
        else:
            self.given = None

    def were_given(self, loss: Any, loss_weights: Any, optimizer: Any, n_threads: Any) -> bool:
        """Whether these settings certainly mean the same as the remembered ones."""
        if (
            self.given is None
            or self.network._optimizer_state is not self.state
            or self.state.optimizer is not self._optimizer_then
            or not are_given_again((loss, loss_weights, n_threads), self.given)
        ):
            return False
        if optimizer is not None and optimizer is not self.state.optimizer:
            # a name means an optimizer with the defaults of its class
            is_same = type(optimizer) is str and optimizer == self._optimizer_given
            if not is_same or self.state.optimizer.learning_rate is not self._rate_then:
                return False
        buffer = self.buffer
        if buffer is None or not buffer.trainer.uses_threads:
            return True
        return threads.resolve(n_threads) == self.context.n_threads

    # ---------------------------------------------------------------------------------------------- steps

    def again(
        self,
        x: Any,
        y: Any,
        loss: Any,
        loss_weights: Any,
        optimizer: Any,
        sample_weight: Any,
        n_threads: Any,
        check_finite: Any,
    ) -> float | None:
        """The fast path of `Network.train_batch`: see `cynn.engine.plans`."""
        if (
            sample_weight is not None
            or (check_finite is not True and check_finite is not False)
            or not self.were_given(loss, loss_weights, optimizer, n_threads)
        ):
            return None
        return self._step_as_given(x, y, check_finite)

    def _step_as_given(self, x: Any, y: Any, check_finite: bool) -> float | None:
        """Take a step on a batch of plain arrays; None if the batch has another form."""
        if self.buffer is None:
            return None
        n = self.buffer.put_as_given(0, x, y, check_finite)
        return self._take(n, check_finite) if n else None

    def step(
        self, x: Any, y: Any, sample_weight: Any, check_finite: bool, derivatives: Derivatives = (None, None)
    ) -> float:
        """Take a step on a batch; return its loss before the step."""
        self.context.check_finite = check_finite
        loss = self._step_as_given(x, y, check_finite) if sample_weight is None else None
        if loss is not None:
            return loss
        return self.step_on(*self._checked(x, y, sample_weight, derivatives))

    def _checked(
        self, x: Any, y: Any, sample_weight: Any, derivatives: Derivatives
    ) -> tuple[Array, Targets, RowWeights]:
        batch = checked_batch(self.context, x, y, sample_weight, "", derivatives=derivatives)
        if self.batch_size is not None and len(batch[0]) > self.batch_size:
            raise ShapeError(
                f"x must have at most {self.batch_size} rows, the batch_size of the loop. Got {len(batch[0])} instead."
            )
        return batch

    def step_on(self, rows: Array, target: Targets, weights: RowWeights) -> float:
        """Take a step on a checked batch."""
        return self._take(self._buffer_for(rows, target).put(0, rows, target, weights), self.context.check_finite)

    def _buffer_for(self, rows: Array, target: Targets) -> BatchBuffer:
        if self.buffer is None or not self.buffer.takes(rows, target):
            self.buffer = None  # frees its memory before the new buffer is allocated
            self.capacity = max(self.capacity, len(rows))
            self._key = self.key(self.context.objective, self.state, self.context.n_threads)
            self.buffer = BatchBuffer(
                self.context, rows, target, self.capacity, keeps_gradients=self.keeps_gradients
            )
        return self.buffer

    def _rate(self) -> tuple[float, npt.NDArray[np.float64] | None]:
        """The learning rate of the next step, and the values of other schedules."""
        rate = self.state.optimizer.__dict__.get("learning_rate")  # takes half the time of attribute access
        if type(rate) is not float:
            rate = float(self.state.rates(1, None)[0])
        return rate, self.context.scheduled(1, None) if self._is_scheduled else None

    def _take(self, n: int, check_finite: bool) -> float:
        buffer, network = self.buffer, self.network
        assert buffer is not None
        rate, scheduled = self._rate()
        if n == 1 and self._warns:
            self.context.warn_of_a_single_row()
        try:
            loss = buffer.steps.step(
                self._lock, self.state, n, check_finite, network.epochs_trained, rate, scheduled, self._weight
            )
        except Diverged as diverged:
            raise self._diverged((diverged.what, diverged.figure), rate) from None
        except UnusableRow:
            network.raise_unusable(buffer.rows[:n], "x", check_finite=check_finite)
        if loss is None:
            raise self._diverged(NOT_FINITE, rate)
        return loss if self._has_one_loss else float(self.context.objective.mean_losses(buffer.trainer.sums)[0])

    def _check_finite(self, rate: float) -> None:
        assert self.buffer is not None
        if not self.buffer.trainer.is_finite():
            raise self._diverged(NOT_FINITE, rate)

    def _diverged(self, problem: tuple[str, object], rate: float) -> Exception:
        assert self.buffer is not None
        network, is_finite = self.network, self.buffer.trainer.is_finite()
        return diverged_error(*problem, rate, network.epochs_trained + 1, 1, network.history or History(), is_finite)

    # ------------------------------------------------------------------------------- in two halves, for one's own

    def gradients_of(
        self, x: Any, y: Any, sample_weight: Any, derivatives: Derivatives = (None, None)
    ) -> list[Array]:
        """The gradients of the loss of a batch, for `apply`: the trainer's own arrays, not copies."""
        rows, target, weights = self._checked(x, y, sample_weight, derivatives)
        buffer = self._buffer_for(rows, target)
        n = buffer.put(0, rows, target, weights)
        if n == 1:
            self.context.warn_of_a_single_row()
        buffer.steps.begin(self.context.check_finite, self.network.epochs_trained, self.state.t)
        try:
            buffer.steps.compute_gradients(n)
        except UnusableRow:
            self.network.raise_unusable(buffer.rows[:n], "x", check_finite=self.context.check_finite)
        except Diverged as diverged:
            raise self._diverged((diverged.what, diverged.figure), self._rate()[0]) from None
        return buffer.trainer.gradients

    def gradients_to_apply(self) -> list[Array]:
        """The arrays from which `apply` reads the gradients."""
        if self.buffer is None:
            objective, network = self.context.objective, self.network
            units = objective.outputs.units
            target = objective.as_one([Targets(np.zeros((1, each), network.dtype), None, each) for each in units])
            self._buffer_for(np.zeros((1, network.input.units), network.dtype), target)
        assert self.buffer is not None
        return self.buffer.trainer.gradients

    def apply(self) -> None:
        """Take the optimizer's step with the gradients in the arrays of `gradients_of`."""
        assert self.buffer is not None
        rate, scheduled = self._rate()
        try:
            self.buffer.steps.apply_gradients(self.network._weights_lock, self.state, rate, scheduled)
        except Diverged as diverged:
            raise self._diverged((diverged.what, diverged.figure), rate) from None
        self._check_finite(rate)
