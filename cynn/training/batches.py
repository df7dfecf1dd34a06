"""Batch sources, which take the steps of an epoch. `ArrayBatches` takes them on the rows of an array."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from cynn.components import schema
from cynn.data.row_weights import RowWeights
from cynn.data.targets import Targets
from cynn.engine.trainer import Diverged
from cynn.training import moving_averages
from cynn.training.context import TrainingContext

__all__ = ["ArrayBatches", "BatchSource", "RowBatches"]

Array = npt.NDArray[Any]


class BatchSource(Protocol):
    """Takes the steps of an epoch, one epoch after the other."""

    context: TrainingContext
    #: Rows and steps per epoch; None if they are not known beforehand.
    rows_per_epoch: int | None
    steps_per_epoch: int | None
    #: The number of rows of the largest batch so far. The division of the work depends on it.
    capacity: int
    #: Steps and rows of this epoch so far.
    step: int
    rows_done: int
    #: The learning rate of the last step, or of the one that failed; None if steps have none.
    last_rate: float | None

    def begin_epoch(self, number: int, total_steps: int | None, state: Mapping[str, Any] | None = None) -> None:
        """Begin an epoch, or continue one from its `state`. `number` counts all epochs of the network, from 0."""

    def take_steps(self, seconds: float, max_steps: int) -> bool:
        """Take steps until the time is up or `max_steps` are taken. False, without a step, if the epoch is over."""

    def sums(self) -> npt.NDArray[np.float64]:
        """The sums over the rows of the epoch so far: see `Trainer.sums`."""

    def predicted(self) -> tuple[Targets, list[Array], RowWeights]:
        """Targets, predictions and weights of the rows of the epoch so far. The predictions were made in the steps."""

    def is_finite(self) -> bool:
        """Whether all arrays that the steps change are finite."""

    def training_rows(self) -> Iterable[tuple[Array, Array | None]]:
        """Yield the training rows of an epoch in pieces, each with the weights of its rows."""

    def get_state(self) -> dict[str, Any]:
        """The state of the epoch, from which `begin_epoch` can continue it."""

    def state_schema(self) -> Any:
        """The schema of `get_state`."""

    def capacity_schema(self) -> Any:
        """The schema of `capacity`."""

    def gather_memory(self) -> None:
        """Get the parts of the optimizer's state that other ranks have."""

    def close(self) -> None:
        """Release resources."""


class RowBatches(BatchSource):
    """The base of batch sources that read the rows of an array."""

    rows: Array
    target: Targets
    weights: RowWeights
    order: npt.NDArray[np.int64]
    order_of: Callable[[int], npt.NDArray[np.int64]]
    #: The predictions of the epoch for each output, or None if no metric needs them.
    predictions: list[Array] | None

    def predicted(self) -> tuple[Targets, list[Array], RowWeights]:
        assert self.predictions is not None
        seen = self.order[: self.rows_done]
        return self.target.take(seen), self._seen_predictions(), self.weights.take(seen)

    def _seen_predictions(self) -> list[Array]:
        return [prediction[: self.rows_done] for prediction in self.predictions or []]

    def training_rows(self) -> Iterable[tuple[Array, Array | None]]:
        return moving_averages.pieces(self.rows, self.weights.rows, np.sort(self.order_of(0)))

    def capacity_schema(self) -> Any:
        return schema.whole_number(self.capacity, self.capacity)

    def close(self) -> None:
        pass


class ArrayBatches(RowBatches):
    """Batches of rows of an array, shuffled in each epoch. One call of the engine takes many steps."""

    def __init__(
        self,
        context: TrainingContext,
        rows: Array,
        target: Targets,
        weights: RowWeights,
        batch_size: int,
        order_of: Callable[[int], npt.NDArray[np.int64]],
        n: int,
        keep_predictions: bool,
    ) -> None:
        self.context = context
        self.rows = rows
        self.target = target
        self.weights = weights
        assert context.state is not None
        self.batch_size = self.capacity = min(batch_size, n)
        self.batches_per_step = context.state.settings.accumulation
        self.order_of = order_of
        self.rows_per_epoch: int | None = n
        self.steps_per_epoch: int | None = -(-n // (self.batch_size * self.batches_per_step))
        self.trainer = context.trainer(rows, target, weights, self.batch_size)
        self.predictions = context.room_for_predictions(n) if keep_predictions else None
        self.check_finite = context.check_finite
        self.n = n
        self.last_rate: float | None = 0.0

    def begin_epoch(self, number: int, total_steps: int | None, state: Mapping[str, Any] | None = None) -> None:
        """Begin an epoch: set its order of rows and its learning rates."""
        assert self.context.state is not None
        assert self.steps_per_epoch is not None
        if 1 in (self.batch_size, self.n % self.batch_size):
            self.context.warn_of_a_single_row()
        self.order = self.order_of(number)
        self.step = state["step"] if state else 0
        self.total_steps = total_steps
        self.rates = self.context.state.rates(self.steps_per_epoch, total_steps, ahead=-self.step)
        self.scheduled = self.context.scheduled(self.steps_per_epoch, total_steps, ahead=-self.step)
        self.given = self.context.state.optimizer.learning_rate
        batches = min(self.step * self.batches_per_step, -(-self.n // self.batch_size))
        self.trainer.begin_epoch(self.check_finite, number, batches, state["sums"] if state else None)
        self.rows_done = min(self.n, batches * self.batch_size)
        if state:
            self.last_rate = state["last_rate"]
            if self.predictions is not None:
                for own, saved in zip(self._seen_predictions(), state["predictions"], strict=True):
                    own[...] = saved
        self.check_finite = False  # the first epoch reads every row, so later ones need no check

    def take_steps(self, seconds: float, max_steps: int) -> bool:
        state, trainer = self.context.state, self.trainer
        assert state is not None
        if self.rows_done == self.n:
            return False
        if state.optimizer.learning_rate is not self.given:  # a callback has set it after a step of this epoch
            self.rates[self.step :] = state.rates(len(self.rates) - self.step, self.total_steps)
            self.given = state.optimizer.learning_rate
        steps = trainer.steps
        try:
            self.context.count(
                trainer,
                lambda t: trainer.run(
                    self.order, trainer.batches, t, self.rates, self.predictions, seconds, max_steps, self.scheduled
                ),
            )
        except Diverged as diverged:
            self.last_rate = float(self.rates[diverged.step // self.batches_per_step])
            raise
        finally:
            self.step += trainer.steps - steps
            self.rows_done = min(self.n, trainer.batches * self.batch_size)
        self.last_rate = float(self.rates[self.step - 1])
        return True

    def take_epochs(self, number: int, figures: npt.NDArray[np.float64], seconds: float) -> None:
        """Train whole epochs with `Trainer.run_epochs`, starting with epoch `number`, after `begin_epoch`."""
        try:
            self.context.count(
                self.trainer,
                lambda t: self.trainer.run_epochs(self.order_of, number, t, self.rates, figures, seconds),
            )
        except Diverged as diverged:
            self.step = diverged.step // self.batches_per_step
            raise

    def sums(self) -> npt.NDArray[np.float64]:
        return self.trainer.sums

    def is_finite(self) -> bool:
        return self.trainer.is_finite()

    def get_state(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "sums": self.sums(),
            "last_rate": self.last_rate,
            "predictions": self._seen_predictions(),
        }

    def state_schema(self) -> Any:
        assert self.steps_per_epoch is not None

        def with_predictions(state: Mapping[str, Any]) -> Any:
            rows = min(self.n, state["step"] * self.batches_per_step * self.batch_size)
            seen = [] if self.predictions is None else self.context.schemas_of_predictions(rows)
            return {**self.context.schema_of_sums(), "step": schema.ANYTHING, "predictions": seen}

        return schema.Then(schema.Having({"step": schema.whole_number(0, self.steps_per_epoch)}), with_predictions)

    def gather_memory(self) -> None:
        self.trainer.gather_memory()
