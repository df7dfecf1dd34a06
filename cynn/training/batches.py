"""Feeds: where the steps of an epoch take their rows from.

`RowFeed` has all rows in an array, and an epoch is one call of the engine. `BatchFeed` gets batches one by
one, from outside or from a transform: one half of a buffer is filled while the other half is trained on. The caller's
own thread draws the batches, so that Ctrl-C is heard in what draws them, and another takes the step.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from cynn.components import schema
from cynn.data import row_weights
from cynn.data.inputs import Targets
from cynn.data.row_weights import RowWeights
from cynn.engine import randomness
from cynn.engine.operations import UpdateSettings
from cynn.engine.optimizer_kernel import OptimizerKernel
from cynn.engine.trainer import Diverged, Trainer, UnusableRow
from cynn.errors import DataError, InvalidParameterError
from cynn.training import moving_averages
from cynn.training.background import Background
from cynn.training.optimizer_state import OptimizerState

if TYPE_CHECKING:
    from cynn.data.objective import Objective
    from cynn.network import Network

__all__ = ["BatchBuffer", "BatchFeed", "Feed", "RowFeed", "Setting", "transformed"]

Array = npt.NDArray[Any]
#: Rows, targets and weights of a batch, before they have been looked at.
RawBatch = tuple[Any, Any, Any]
_NONE: Any = object()  # where there is no batch: a user may give None


class Setting:
    """What the steps of a `fit` have in common."""

    def __init__(
        self,
        network: Network,
        objective: Objective,
        state: OptimizerState | None,
        n_threads: int,
        check_finite: bool,
    ) -> None:
        self.network = network
        self.objective = objective
        self.state = state
        self.n_threads = n_threads
        self.check_finite = check_finite
        self._has_met_a_single_row = False

    def warn_of_a_single_row(self) -> None:
        """Say, once, that a batch of one row has no statistics, where the network wants some."""
        if not self._has_met_a_single_row:
            self._has_met_a_single_row = True
            moving_averages.warn_of_a_single_row(self.network)

    def trainer(self, rows: Array, target: Targets, weights: RowWeights, batch_size: int) -> Trainer:
        """A trainer on these data."""
        kernel = None
        if self.state is not None:
            kernel = OptimizerKernel(self.state.optimizer)
            kernel.require_dtype(self.network.dtype)
        return Trainer(
            self.network._engine,
            rows,
            [(part.values, part.classes) for part in target.parts],
            weights.each,
            weights.rows,
            self.objective.kernels,
            self.objective.weights,
            kernel,
            self.state.slots if self.state else [],
            self.state.settings if self.state else UpdateSettings(),
            batch_size,
            self.n_threads,
        )

    def room_for_predictions(self, rows: int) -> list[Array]:
        """A matrix for each output."""
        return [np.empty((rows, units), self.network.dtype) for units in self.objective.outputs.units]

    def schemas_of_predictions(self, rows: int) -> list[Any]:
        """What such matrices are in a checkpoint."""
        return [
            schema.array((rows, units), self.network.dtype, is_finite=False) for units in self.objective.outputs.units
        ]

    def schema_of_sums(self) -> dict[str, Any]:
        """What every feed has in a checkpoint, beside its steps."""
        sums = schema.array((2 + len(self.objective.kernels),), np.float64)
        return {"sums": sums, "last_rate": schema.number(0)}

    def count(self, trainer: Trainer, take_steps: Callable[[int], object]) -> None:
        """Have steps taken, from the number t that is handed over, and count them whatever happens."""
        assert self.state is not None
        with self.network._weights_lock.turn():
            t_before = self.state.t - trainer.steps
            try:
                take_steps(self.state.t + 1)
            finally:
                # Ctrl-C is heard as `run` returns, and a plugin may raise in it
                self.state.t = t_before + trainer.steps


class Feed(Protocol):
    """The steps of an epoch, one epoch after the other."""

    setting: Setting
    #: Rows and steps of an epoch; None where nobody knows.
    rows_per_epoch: int | None
    steps_per_epoch: int | None
    #: Rows of the largest batch so far: the borders of the work depend on it.
    capacity: int
    #: Of this epoch, so far.
    step: int
    rows_done: int
    #: Of the last step, or of the one that failed.
    last_rate: float

    def begin_epoch(self, number: int, total_steps: int | None, state: Mapping[str, Any] | None = None) -> None:
        """Get ready for an epoch of that number in the life of the network, from 0; or for the rest of one."""

    def take_steps(self, seconds: float, most_steps: int) -> bool:
        """Take steps until the time is up or so many are taken; False, and none, where the epoch is over."""

    def sums(self) -> npt.NDArray[np.float64]:
        """Over the rows of the epoch so far, as `Trainer.sums`."""

    def predicted(self) -> tuple[Targets, list[Array], RowWeights]:
        """The targets of the epoch's rows so far, what each output was for them in their steps, and their weights."""

    def is_finite(self) -> bool:
        """Whether all that the steps so far have changed is finite."""

    def training_rows(self) -> Iterable[tuple[Array, Array | None]]:
        """The rows of an epoch as they are trained on, a piece at a time, and how often each is there."""

    def get_state(self) -> dict[str, Any]:
        """How far the epoch is, for `begin_epoch` to go on with it."""

    def state_schema(self) -> Any:
        """What `get_state` returns."""

    def capacity_schema(self) -> Any:
        """What `capacity` may be."""

    def close(self) -> None:
        """Give back what is held."""


class RowFeed(Feed):
    """Rows in an array, in an order of each epoch."""

    def __init__(
        self,
        setting: Setting,
        rows: Array,
        target: Targets,
        weights: RowWeights,
        batch_size: int,
        order_of: Callable[[int], npt.NDArray[np.int64]],
        n: int,
        keep_predictions: bool,
    ) -> None:
        self.setting = setting
        self.rows = rows
        self.target = target
        self.weights = weights
        assert setting.state is not None
        self.batch_size = self.capacity = min(batch_size, n)
        self.batches_per_step = setting.state.settings.accumulation
        self.order_of = order_of
        self.rows_per_epoch: int | None = n
        self.steps_per_epoch: int | None = -(-n // (self.batch_size * self.batches_per_step))
        self.trainer = setting.trainer(rows, target, weights, self.batch_size)
        self.predictions = setting.room_for_predictions(n) if keep_predictions else None
        self.check_finite = setting.check_finite
        self.n = n
        self.last_rate = 0.0

    def begin_epoch(self, number: int, total_steps: int | None, state: Mapping[str, Any] | None = None) -> None:
        """The order and the rates of the epoch."""
        assert self.setting.state is not None
        assert self.steps_per_epoch is not None
        if 1 in (self.batch_size, self.n % self.batch_size):
            self.setting.warn_of_a_single_row()
        self.order = self.order_of(number)
        self.step = state["step"] if state else 0
        self.total_steps = total_steps
        self.rates = self.setting.state.rates(self.steps_per_epoch, total_steps, ahead=-self.step)
        self.given = self.setting.state.optimizer.learning_rate
        batches = min(self.step * self.batches_per_step, -(-self.n // self.batch_size))
        self.trainer.begin_epoch(self.check_finite, number, batches, state["sums"] if state else None)
        self.rows_done = min(self.n, batches * self.batch_size)
        if state:
            self.last_rate = state["last_rate"]
            if self.predictions is not None:
                for own, saved in zip(self._seen_predictions(), state["predictions"], strict=True):
                    own[...] = saved
        self.check_finite = False  # every epoch sees every row

    def take_steps(self, seconds: float, most_steps: int) -> bool:
        state, trainer = self.setting.state, self.trainer
        assert state is not None
        if self.rows_done == self.n:
            return False
        if state.optimizer.learning_rate is not self.given:  # a callback of this epoch's steps has set it
            self.rates[self.step :] = state.rates(len(self.rates) - self.step, self.total_steps)
            self.given = state.optimizer.learning_rate
        steps = trainer.steps
        try:
            self.setting.count(
                trainer,
                lambda t: trainer.run(
                    self.order, trainer.batches, t, self.rates, self.predictions, seconds, most_steps
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
        """Whole epochs from that number on, as `Trainer.run_epochs`, after an epoch that has begun as others do."""
        try:
            self.setting.count(
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

    def predicted(self) -> tuple[Targets, list[Array], RowWeights]:
        assert self.predictions is not None
        seen = self.order[: self.rows_done]
        return self.target.take(seen), self._seen_predictions(), self.weights.take(seen)

    def _seen_predictions(self) -> list[Array]:
        return [prediction[: self.rows_done] for prediction in self.predictions or []]

    def training_rows(self) -> Iterable[tuple[Array, Array | None]]:
        return moving_averages.pieces(self.rows, self.weights.rows, np.sort(self.order_of(0)))

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
            seen = [] if self.predictions is None else self.setting.schemas_of_predictions(rows)
            return {**self.setting.schema_of_sums(), "step": schema.ANYTHING, "predictions": seen}

        return schema.Then(schema.Having({"step": schema.whole_number(0, self.steps_per_epoch)}), with_predictions)

    def capacity_schema(self) -> Any:
        return schema.whole_number(self.capacity, self.capacity)

    def close(self) -> None:
        pass


class BatchBuffer:
    """A buffer of two halves, each for a batch, and a trainer on it.

    Parameters
    ----------
    setting : Setting
    rows, target : array, Targets
        The first batch: it decides on the dtypes, and on classes or values.
    capacity : int
        Rows of a half.
    """

    def __init__(self, setting: Setting, rows: Array, target: Targets, capacity: int) -> None:
        if setting.state is not None and setting.state.settings.accumulation > 1:
            raise InvalidParameterError(
                "The 'gradient_accumulation_steps' parameter of an optimizer must be 1 where batches come one by "
                f"one. Got {setting.state.settings.accumulation} instead: give larger batches."
            )
        self.setting = setting
        self.capacity = capacity
        self.rows = np.zeros((2 * capacity, rows.shape[1]), rows.dtype)
        self.target = target.with_room(2 * capacity)
        self.weights = RowWeights.room(2 * capacity, len(target.parts))
        self.trainer = setting.trainer(self.rows, self.target, self.weights, capacity)

    def takes(self, rows: Array, target: Targets) -> bool:
        """Whether this batch has a place in it."""
        return len(rows) <= self.capacity and rows.dtype == self.rows.dtype and self.target.has_form_of(target)

    def put(self, half: int, rows: Array, target: Targets, weights: RowWeights) -> Array:
        """Copy a batch into a half; returns where its rows are."""
        begin = half * self.capacity
        place = slice(begin, begin + len(rows))
        self.rows[place] = rows
        self.target.put(place, target)
        self.weights.put(place, weights)
        return np.arange(place.start, place.stop)

    def step(self, order: Array, rate: float, predictions: list[Array] | None, name: str) -> None:
        """A step on what lies at `order`."""
        if len(order) == 1:
            self.setting.warn_of_a_single_row()
        try:
            self.setting.count(
                self.trainer, lambda t: self.trainer.run(order, 0, t, np.array([rate]), predictions, 0.0)
            )
        except UnusableRow:
            self.setting.network.raise_unusable(self.rows[order], name, check_finite=self.setting.check_finite)


class BatchFeed(Feed):
    """Batches that come one after the other."""

    def __init__(
        self,
        setting: Setting,
        batches_of: Callable[[int, int], Iterable[RawBatch]],
        class_weight: Any,
        capacity: int,
        rows_per_epoch: int | None,
        steps_per_epoch: int | None,
        keep_predictions: bool,
        *,
        are_all: bool,
    ) -> None:
        self.setting = setting
        self.batches_of = batches_of
        self.class_weight = class_weight
        self.capacity = capacity
        self.rows_per_epoch = rows_per_epoch
        self.steps_per_epoch = steps_per_epoch
        self.keep_predictions = keep_predictions
        self.are_all = are_all  # the steps of an epoch: else there may be more batches, which are left
        self.buffer: BatchBuffer | None = None
        self.last_rate = 0.0
        self.half = 0
        self.background = Background("cynn-steps")

    def begin_epoch(self, number: int, total_steps: int | None, state: Mapping[str, Any] | None = None) -> None:
        """Fetch the first batch."""
        self.step = self.fetched = state["step"] if state else 0
        self.batches: Iterator[Any] = iter(self.batches_of(number, self.step))
        self.number = number
        self.rows_done = 0
        self.total_steps = total_steps
        self.targets: list[Targets] = []
        self.predictions: list[list[Array]] = []
        self.weights: list[RowWeights] = []
        self.sums_before = state["sums"] if state else np.zeros(2 + len(self.setting.objective.kernels))
        if state:
            self.rows_done, self.last_rate = state["rows"], state["last_rate"]
            if self.keep_predictions:
                objective = self.setting.objective
                thresholds = [loss.decision_threshold for loss in objective.losses]
                parts = zip(state["values"], state["classes"], objective.outputs.units, thresholds, strict=True)
                self.targets = [objective.as_one([Targets(*part) for part in parts])]
                self.predictions = [state["predictions"]]
                self.weights = [RowWeights(state["weights"], objective.outputs.names)]
        if self.buffer is not None:
            self.buffer.trainer.begin_epoch(self.setting.check_finite, number, self.step, self.sums_before)
        self._fetch_next()

    def _fetch_next(self) -> None:
        """The next batch; what is wrong with it is raised when its turn comes."""
        self.next, self.problem = None, None
        try:
            self.next = self._fetch()
        except Exception as problem:
            self.problem = problem

    def _fetch(self) -> tuple[Array | None, Array, Targets, RowWeights] | None:
        """The next batch, in the half that is not trained on where it fits; None after the last."""
        is_at_end = self.fetched == self.steps_per_epoch
        raw = _NONE if is_at_end and not self.are_all else next(self.batches, _NONE)
        if raw is _NONE and (self.steps_per_epoch is None or is_at_end):
            if self.fetched == 0:
                raise DataError(
                    "The batches of an epoch must be at least one. Got none instead: what can be gone through once "
                    "is at its end. A function that returns an iterator anew, or steps_per_epoch, helps."
                )
            return None
        if raw is _NONE or is_at_end:
            raise DataError(
                f"The batches of an epoch must be {self.steps_per_epoch}, as "
                f"{'the length of x' if self.are_all else 'steps_per_epoch'} says. Got "
                f"{'more' if is_at_end else self.fetched} in epoch {self.number + 1} instead."
            )
        self.fetched += 1
        name = f"batch {self.fetched}"
        if not isinstance(raw, (tuple, list)) or len(raw) not in (2, 3):
            raise InvalidParameterError(
                f"A batch must be a tuple (x, y) or (x, y, sample_weight). Got {type(raw).__name__} for {name} "
                "instead."
            )
        x, y, *rest = raw
        rows, target, weights = checked_batch(
            self.setting, x, y, rest[0] if rest else None, f" of {name}", self.class_weight
        )
        order = None
        if self.buffer is not None and self.buffer.takes(rows, target):
            order = self.buffer.put(1 - self.half, rows, target, weights)
        return order, rows, target, weights

    def take_steps(self, seconds: float, most_steps: int) -> bool:
        """One step, whatever the time."""
        state = self.setting.state
        assert state is not None
        if self.problem is not None:
            raise self.problem
        if self.next is None:
            return False
        order, rows, target, weights = self.next
        self.half = 1 - self.half
        if order is None:
            order = self._new_buffer(rows, target).put(self.half, rows, target, weights)
        self.last_rate = float(state.rates(1, self.total_steps)[0])
        predictions = None
        if self.keep_predictions:
            predictions = self.setting.room_for_predictions(len(rows))
            self.targets.append(target.take(np.arange(len(rows))))  # the next batch may come in the same memory
            self.predictions.append(predictions)
            self.weights.append(weights)
        self._step_and_fetch(order, predictions)
        self.step += 1
        self.rows_done += len(rows)
        return True

    def _step_and_fetch(self, order: Array, predictions: list[Array] | None) -> None:
        buffer, rate, name = self.buffer, self.last_rate, f"x of batch {self.step + 1}"
        assert buffer is not None
        if buffer.trainer.calls_python:
            buffer.step(order, rate, predictions, name)
            self._fetch_next()
            return
        try:
            self.background.start(lambda: buffer.step(order, rate, predictions, name))
            self._fetch_next()
        finally:
            self.background.finish()

    def _new_buffer(self, rows: Array, target: Targets) -> BatchBuffer:
        sums = self.sums()
        self.capacity = max(self.capacity, len(rows))
        self.buffer = BatchBuffer(self.setting, rows, target, self.capacity)
        self.buffer.trainer.begin_epoch(self.setting.check_finite, self.number, self.step, sums)
        return self.buffer

    def sums(self) -> npt.NDArray[np.float64]:
        return self.sums_before if self.buffer is None else self.buffer.trainer.sums

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
        number = max(0, self.setting.network.epochs_trained - 1)
        for batch in islice(self.batches_of(number, 0), self.steps_per_epoch):
            rows, _, weights = checked_batch(
                self.setting, *batch[:2], batch[2] if len(batch) == 3 else None, "", self.class_weight
            )
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
            rows, units = state["rows"], self.setting.objective.outputs.units
            seen = {
                "values": [schema.Optional(schema.array((rows, each), "u1", "f4", "f8")) for each in units],
                "classes": [schema.Optional(_classes((rows,), max(2, each))) for each in units],
                "predictions": self.setting.schemas_of_predictions(rows),
                "weights": [schema.Optional(schema.array((rows,), np.float64)) for _ in units],
            }
            return {**counts, **self.setting.schema_of_sums(), **(seen if self.keep_predictions else {})}

        def with_one_form(state: Mapping[str, Any]) -> Any:
            if not self.keep_predictions:
                return schema.ANYTHING
            classes = [schema.ANYTHING if each is None else schema.NOTHING for each in state["values"]]
            return schema.Having({"classes": classes})

        return schema.Then(schema.Having(counts), lambda state: schema.Then(with_predictions(state), with_one_form))

    def capacity_schema(self) -> Any:
        """So many rows as there is memory for, with all that the layers make of them."""
        network = self.setting.network
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


def checked_batch(
    setting: Setting, x: Any, y: Any, sample_weight: Any, of: str, class_weight: Any = None
) -> tuple[Array, Targets, RowWeights]:
    """A batch as the engine takes it, without rows of weight 0. NaN in x is looked for in its step."""
    network = setting.network
    rows = network.as_rows(x, f"x{of}")
    if len(rows) == 0:
        raise DataError(f"x{of} must have at least one row. Got none instead.")
    objective = setting.objective
    weights = objective.sample_weights(sample_weight, len(rows), may_be_zero=True)
    target = objective.targets(y, len(rows), f"y{of}", weights, check_finite=setting.check_finite)
    if class_weight is not None:
        weights = objective.with_class_weights(weights, class_weight, target, None)
    row_weights.check_as_given(weights, of, network.dtype)
    places = weights.places()
    return (rows, target, weights) if places is None else (rows[places], target.take(places), weights.take(places))


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
    """The batches of an epoch from that step on, each as `transform(x, y, generator)` gives it."""
    for step in range(first_step, -(-len(order) // batch_size)):
        places = order[step * batch_size : (step + 1) * batch_size]
        generator = randomness.generator(seed, randomness.Purpose.TRANSFORM, epoch, step)
        given = transform(rows[places], target.take(places).as_given(), generator)
        if not isinstance(given, tuple) or len(given) != 2:
            raise InvalidParameterError(
                f"The 'transform' parameter of fit must return a tuple (x, y). Got {type(given).__name__} instead."
            )
        yield given[0], given[1], weights.take(places)
