"""Batches that come one by one from an iterable or a transform.

One half of a buffer is filled while the other half is trained on. The calling thread fetches the batches, so that
Ctrl-C interrupts the fetching, and another thread takes the steps.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from cynn.components import schema
from cynn.data.row_weights import RowWeights
from cynn.data.sparse import as_dense
from cynn.data.targets import Targets
from cynn.engine import randomness
from cynn.errors import DataError, InvalidParameterError
from cynn.training.background import Background
from cynn.training.batch_buffer import BatchBuffer, checked_batch
from cynn.training.batches import BatchSource
from cynn.training.context import TrainingContext

__all__ = ["IterableBatches", "transformed"]

Array = npt.NDArray[Any]
#: Rows, targets and weights of a batch, before they have been checked.
RawBatch = tuple[Any, Any, Any]
_NO_BATCH: Any = object()  # not None, since an iterable may yield None by mistake


class IterableBatches(BatchSource):
    """Batches from an iterable, one after the other."""

    def __init__(
        self,
        context: TrainingContext,
        batches_of: Callable[[int, int], Iterable[RawBatch]],
        class_weight: Any,
        capacity: int,
        rows_per_epoch: int | None,
        steps_per_epoch: int | None,
        keep_predictions: bool,
        *,
        are_all: bool,
    ) -> None:
        self.context = context
        self.batches_of = batches_of
        self.class_weight = class_weight
        self.capacity = capacity
        self.rows_per_epoch = rows_per_epoch
        self.steps_per_epoch = steps_per_epoch
        self.keep_predictions = keep_predictions
        self.are_all = are_all  # whether an epoch takes all batches of the iterable
        self.buffer: BatchBuffer | None = None
        self.last_rate = 0.0
        self.half = 0
        self.background = Background("cynn-steps")
        self.is_scheduled = context.is_scheduled

    def begin_epoch(self, number: int, total_steps: int | None, state: Mapping[str, Any] | None = None) -> None:
        """Begin an epoch: fetch its first batch."""
        self.step = self.fetched = state["step"] if state else 0
        self.batches: Iterator[Any] = iter(self.batches_of(number, self.step))
        self.number = number
        self.rows_done = 0
        self.total_steps = total_steps
        self.targets: list[Targets] = []
        self.predictions: list[list[Array]] = []
        self.weights: list[RowWeights] = []
        self.sums_before = state["sums"] if state else np.zeros(self.context.objective.n_sums)
        if state:
            self.rows_done, self.last_rate = state["rows"], state["last_rate"]
            if self.keep_predictions:
                objective = self.context.objective
                thresholds = [loss.decision_threshold for loss in objective.losses]
                parts = zip(state["values"], state["classes"], objective.outputs.units, thresholds, strict=True)
                self.targets = [objective.as_one([Targets(*part) for part in parts])]
                self.predictions = [state["predictions"]]
                self.weights = [RowWeights(state["weights"], objective.outputs.names)]
        if self.buffer is not None:
            self.buffer.trainer.begin_epoch(self.context.check_finite, number, self.step, self.sums_before)
        self._fetch_next()

    def _fetch_next(self) -> None:
        """Fetch the next batch. An error in it is raised when its turn comes."""
        self.next, self.problem = None, None
        try:
            self.next = self._fetch()
        except Exception as problem:
            self.problem = problem

    def _fetch(self) -> tuple[int, tuple[Array, Targets, RowWeights] | None] | None:
        """Get the next batch, and copy it into the free half if it fits; None after the last one."""
        is_at_end = self.fetched == self.steps_per_epoch
        raw = _NO_BATCH if is_at_end and not self.are_all else next(self.batches, _NO_BATCH)
        if raw is _NO_BATCH and (self.steps_per_epoch is None or is_at_end):
            if self.fetched == 0:
                raise DataError(
                    "The batches of an epoch must be at least one. Got none instead: what can be gone through once "
                    "is at its end. A function that returns an iterator anew, or steps_per_epoch, helps."
                )
            return None
        if raw is _NO_BATCH or is_at_end:
            raise DataError(
                f"The batches of an epoch must be {self.steps_per_epoch}, as "
                f"{'the length of x' if self.are_all else 'steps_per_epoch'} says. Got "
                f"{'more' if is_at_end else self.fetched} in epoch {self.number + 1} instead."
            )
        self.fetched += 1
        name = f"batch {self.fetched}"
        has_derivatives = self.context.objective.derivative_weights is not None
        if not isinstance(raw, (tuple, list)) or len(raw) not in ((4, 5) if has_derivatives else (2, 3)):
            form = "(x, y) or (x, y, sample_weight); with a derivative_weight, (x, y, sample_weight, dy_dx)"
            if has_derivatives:
                form = "(x, y, sample_weight, dy_dx) or (x, y, sample_weight, dy_dx, directions)"
            got = f"{len(raw)} things" if isinstance(raw, (tuple, list)) else type(raw).__name__
            raise InvalidParameterError(f"A batch must be a tuple {form}. Got {got} for {name} instead.")
        x, y, *rest = raw
        if self.buffer is not None and not rest and self.class_weight is None and not self.keep_predictions:
            begin = (1 - self.half) * self.buffer.capacity
            n = self.buffer.put_as_given(begin, x, y, self.context.check_finite)
            if n:
                return n, None
        rows, target, weights = self._checked(raw, f" of {name}")
        n = 0
        if self.buffer is not None and self.buffer.takes(rows, target):
            n = self.buffer.put(1 - self.half, rows, target, weights)
        return n, (rows, target, weights)

    def _checked(self, raw: Any, of: str) -> tuple[Array, Targets, RowWeights]:
        x, y, weight, dy_dx, directions = [*raw, None, None, None][:5]
        return checked_batch(self.context, x, y, weight, of, self.class_weight, (dy_dx, directions))

    def take_steps(self, seconds: float, max_steps: int) -> bool:
        """Take at least one step, and more until the time is up."""
        until, taken = time.monotonic() + seconds, 0
        while taken < max_steps and (not taken or time.monotonic() < until) and self._take_step():
            taken += 1
        return taken > 0

    def _take_step(self) -> bool:
        state = self.context.state
        assert state is not None
        if self.problem is not None:
            raise self.problem
        if self.next is None:
            return False
        n, checked = self.next
        self.half = 1 - self.half
        if not n:
            assert checked is not None
            n = self._new_buffer(*checked[:2]).put(self.half, *checked)
        rate = state.optimizer.learning_rate
        self.last_rate = rate if type(rate) is float else float(state.rates(1, self.total_steps)[0])
        predictions = None
        if self.keep_predictions:
            assert checked is not None
            rows, target, weights = checked
            predictions = self.context.room_for_predictions(n)
            self.targets.append(target.take(np.arange(len(rows))))  # a copy: the next batch may use the same memory
            self.predictions.append(predictions)
            self.weights.append(weights)
        self._step_and_fetch(n, predictions)
        self.step += 1
        self.rows_done += n
        return True

    def _step_and_fetch(self, n: int, predictions: list[Array] | None) -> None:
        buffer, rate, name = self.buffer, self.last_rate, f"x of batch {self.step + 1}"
        scheduled = self.context.scheduled(1, self.total_steps) if self.is_scheduled else None
        assert buffer is not None
        half = self.half
        if self.steps_here:
            buffer.step(half, n, rate, scheduled, predictions, name)
            self._fetch_next()
            return
        try:
            self.background.start(lambda: buffer.step(half, n, rate, scheduled, predictions, name))
            self._fetch_next()
        finally:
            self.background.finish()

    def _new_buffer(self, rows: Array, target: Targets) -> BatchBuffer:
        sums = self.sums()
        self.gather_memory()  # a larger trainer divides the work among the ranks differently
        self.capacity = max(self.capacity, len(rows))
        self.buffer = BatchBuffer(self.context, rows, target, self.capacity, parts=2)
        trainer = self.buffer.trainer
        # with one thread, a step is too short to hand it to another thread
        self.steps_here = trainer.calls_python or not trainer.uses_threads
        trainer.begin_epoch(self.context.check_finite, self.number, self.step, sums)
        return self.buffer

    def sums(self) -> npt.NDArray[np.float64]:
        return self.sums_before if self.buffer is None else self.buffer.trainer.sums

    def gather_memory(self) -> None:
        if self.buffer is not None:
            self.buffer.trainer.gather_memory()

    def is_finite(self) -> bool:
        return self.buffer is None or self.buffer.trainer.is_finite()

    def predicted(self) -> tuple[Targets, list[Array], RowWeights]:
        of_outputs = zip(*self.predictions, strict=True)
        sizes = [len(of_batch[0]) for of_batch in self.predictions]
        return (
            type(self.targets[0]).concatenated(self.targets),
            [np.concatenate(list(of_one)) for of_one in of_outputs],
            RowWeights.concatenated(self.weights, sizes),
        )

    def training_rows(self) -> Iterable[tuple[Array, Array | None]]:
        number = max(0, self.context.network.epochs_trained - 1)
        for batch in islice(self.batches_of(number, 0), self.steps_per_epoch):
            rows, _, weights = self._checked(batch, "")
            yield rows, weights.rows

    def get_state(self) -> dict[str, Any]:
        state: dict[str, Any] = {
            "step": self.step,
            "rows": self.rows_done,
            "sums": self.sums(),
            "last_rate": self.last_rate,
        }
        if self.keep_predictions:
            target, predictions, weights = self.predicted()
            state["values"] = [part.values for part in target.parts]
            state["classes"] = [part.classes for part in target.parts]
            state["predictions"] = predictions
            state["weights"] = weights.each
        return state

    def state_schema(self) -> Any:
        most = 2**31 if self.steps_per_epoch is None else self.steps_per_epoch
        counts = {"step": schema.whole_number(1, most), "rows": schema.whole_number(1)}

        def with_predictions(state: Mapping[str, Any]) -> Any:
            rows, units = state["rows"], self.context.objective.outputs.units
            seen = {
                "values": [schema.Optional(schema.array((rows, each), "u1", "f4", "f8")) for each in units],
                "classes": [schema.Optional(_classes((rows,), max(2, each))) for each in units],
                "predictions": self.context.schemas_of_predictions(rows),
                "weights": [schema.Optional(schema.array((rows,), np.float64)) for _ in units],
            }
            return {**counts, **self.context.schema_of_sums(), **(seen if self.keep_predictions else {})}

        def with_one_form(state: Mapping[str, Any]) -> Any:
            if not self.keep_predictions:
                return schema.ANYTHING
            classes = [schema.ANYTHING if each is None else schema.NOTHING for each in state["values"]]
            return schema.Having({"classes": classes})

        return schema.Then(schema.Having(counts), lambda state: schema.Then(with_predictions(state), with_one_form))

    def capacity_schema(self) -> Any:
        """The largest number of rows that fit into memory together with the outputs of all layers."""
        network = self.context.network
        columns = network.input.units + sum(operation.units for operation in network._engine.operations)
        memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return schema.whole_number(0, memory_bytes // (2 * columns * np.dtype(network.dtype).itemsize))

    def close(self) -> None:
        self.background.close()


def _classes(shape: tuple[int, ...], n_classes: int) -> schema.Kind:
    integers = schema.array(shape, np.int64)
    return schema.Kind(
        f"classes from 0 to {n_classes - 1} of shape {shape}",
        lambda value: integers.holds(value) and bool(((value >= 0) & (value < n_classes)).all()),
    )


def transformed(
    transform: Callable[..., Any],
    rows: Array,
    target: Targets,
    weights: RowWeights,
    order: npt.NDArray[np.int64],
    batch_size: int,
    seed: int,
    epoch: int,
    first_step: int,
) -> Iterator[RawBatch]:
    """Yield the batches of an epoch, starting at a step, as `transform(x, y, generator)` returns them."""
    for step in range(first_step, -(-len(order) // batch_size)):
        places = order[step * batch_size : (step + 1) * batch_size]
        generator = randomness.generator(seed, randomness.Purpose.TRANSFORM, epoch, step)
        given = transform(as_dense(rows[places]), target.take(places).as_given(), generator)
        if not isinstance(given, tuple) or len(given) != 2:
            raise InvalidParameterError(
                f"The 'transform' parameter of fit must return a tuple (x, y). Got {type(given).__name__} instead."
            )
        yield given[0], given[1], weights.take(places)
