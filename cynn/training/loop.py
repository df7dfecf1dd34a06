"""The training loop: epochs, history, callbacks, and the state of a training for checkpoints."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from cynn import layers, registry
from cynn.callbacks.together import CallbackList
from cynn.components import schema
from cynn.engine.trainer import Diverged
from cynn.errors import InvalidParameterError, TrainingDivergedError
from cynn.saving import checkpoint_file, provenance
from cynn.training.batches import ArrayBatches, BatchSource
from cynn.training.history import History
from cynn.training.progress import Progress

if TYPE_CHECKING:
    from cynn.callbacks.checkpoint import Checkpoint
    from cynn.components.configurable import Configurable
    from cynn.model import Model
    from cynn.training.communicator import Communicator
    from cynn.training.optimizer_state import OptimizerState
    from cynn.training.solver_state import SolverState

__all__ = ["Loop", "diverged_error"]

# The engine returns to Python this often, for Ctrl-C and the progress bar.
_SECONDS_BETWEEN_LOOKS = 0.1
# Epochs shorter than this are trained many at a time, if nothing has to run between them.
_SHORT_SECONDS = 0.01
# The random generator takes an epoch number of 32 bits.
_MAX_EPOCHS = 2**31
_FIGURE = schema.number(is_finite=False)


class Loop:
    """A running training.

    Parameters
    ----------
    network : Model
    source : BatchSource
    called : CallbackList
    figures : function
        Returns the loss and the metrics of the epoch that has just ended.
    has_own_figures : bool
        Whether it returns more than the loss.
    epochs : int
    settings : dict
        The settings that must be the same if the training is resumed from a checkpoint.
    parts : list of Configurable
        Losses and metrics, whose packages are recorded in checkpoints.
    communicator : Communicator, optional
        The ranks that train together. Callbacks run on each; rank 0 writes checkpoints.
    """

    def __init__(
        self,
        network: Model,
        source: BatchSource,
        called: CallbackList,
        figures: Callable[[], dict[str, float]],
        has_own_figures: bool,
        epochs: int,
        settings: dict[str, Any],
        parts: list[Configurable],
        communicator: Communicator | None = None,
    ) -> None:
        self.network, self.source, self.called = network, source, called
        self.figures, self.has_own_figures = figures, has_own_figures
        self.epochs, self.settings, self.parts = epochs, settings, parts
        self.communicator = communicator
        self.optimizer: OptimizerState | SolverState = network._optimizer_state
        self.history = History()
        self.epoch = 0  # the current or the last epoch, counted from 1
        self.is_in_epoch = False
        self.has_begun = False
        self.began_at = time.perf_counter()
        self.t_before: int = self.optimizer.t

    @property
    def steps(self) -> int:
        """The steps that this training has taken."""
        return self.optimizer.t - self.t_before

    @property
    def total_steps(self) -> int | None:
        """The number of steps of the optimizer at the end of the training; None if it is not known beforehand."""
        per_epoch = self.source.steps_per_epoch
        return None if per_epoch is None else self.t_before + self.epochs * per_epoch

    def read(self, path: str) -> dict[str, Any]:
        """Read a checkpoint, and check that this training can continue from it. Nothing is changed."""
        state = checkpoint_file.read(path)
        checkpoint_file.check(path, state, schema.Having({"settings": schema.ANYTHING}))
        checkpoint_file.check_same(path, state["settings"], self.settings)
        checkpoint_file.check(path, state, schema.Then(self._schema(), self._schema_of_counts))
        self._check_rates(state)
        return state

    def run(self, state: Mapping[str, Any] | None, progress: bool) -> None:
        """Train to the end, from the beginning or from the state of a checkpoint."""
        self._check_final_weights()
        self.called.final_weights = self.final_weights
        self.optimizer.begin(self.network, self.called.greater_is_better)
        self.network.history = self.history
        if state is not None:
            self._set_state(state)
        done = (self.epoch - self.is_in_epoch) * (self.source.rows_per_epoch or 0)
        progress = progress and (self.communicator is None or self.communicator.rank == 0)
        self.bar = Progress(progress, self.epochs, self.source.rows_per_epoch, done)
        try:
            with self.called:
                self.has_begun = True
                if state is not None:
                    self.called.set_state(state["callbacks"])
                    for each in self.called.checkpoints:
                        each.last = self._place()
                try:
                    self._run_epochs()
                finally:
                    if self.is_averaging:
                        self.network.set_weights(self.final_weights())
        finally:
            self.bar.close()

    def _run_epochs(self) -> None:
        while self.is_in_epoch or (self.epoch < self.epochs and not self._is_to_stop()):
            self._run_epoch()
            if self._may_run_short_epochs():
                self._run_short_epochs()
        self._write_checkpoints(lambda each: each.last != self._place())
        self.source.gather_memory()

    def _is_to_stop(self) -> bool:
        """Whether a callback on any rank has asked to end the training, or the solver has finished."""
        is_stopped = self.called.stop_training or self.optimizer.is_done
        return is_stopped if self.communicator is None else self.communicator.any(is_stopped)

    def _run_epoch(self) -> None:
        if not self.is_in_epoch:
            self.began_at = time.perf_counter()
            self.epoch += 1
            self.called.on_epoch_begin(self.epoch)
            self.source.begin_epoch(self.network.epochs_trained, self.total_steps)
            self.is_in_epoch = True
        self.bar.begin_epoch(self.epoch)
        self._take_steps()
        self._check_finite()
        self.network.epochs_trained += 1
        for each in self.called.averaging:
            each.count(self.epoch)
        logs = self.figures()
        if self.optimizer.has_schedule:
            assert self.source.last_rate is not None
            logs["learning_rate"] = self.source.last_rate
        logs |= self.optimizer.figures()
        logs["seconds"] = time.perf_counter() - self.began_at
        self.history.append(logs)
        self.bar.end_epoch(logs)
        self.optimizer.on_epoch_end(logs)
        self.called.on_epoch_end(self.epoch, logs)
        self.is_in_epoch = False
        self._write_checkpoints(lambda each: each.is_due(self.steps, at_epoch_end=True))

    def _take_steps(self) -> None:
        sums = self.source.sums()
        try:
            while self.source.take_steps(*self._limits()):
                self.bar.advance_to(self.source.rows_done)
                if self.called.want_steps:
                    before, sums = sums, self.source.sums()
                    loss, _ = self.source.context.objective.mean_losses(sums - before)
                    self.called.on_step_end(self.source.step, {"loss": float(loss)})
                    if self._is_to_stop():
                        break
                self._write_checkpoints(lambda each: each.is_due(self.steps, at_epoch_end=False))
        except Diverged as diverged:
            raise self._diverged((diverged.what, diverged.figure), self.epoch, self.source.step + 1) from None

    def _limits(self) -> tuple[float, int]:
        """The seconds and steps that the engine may run until a callback or a checkpoint is due."""
        checkpoints = self.called.checkpoints
        seconds = 0.0 if self.called.want_steps else _SECONDS_BETWEEN_LOOKS
        return (
            min([seconds, *(each.seconds_left() for each in checkpoints)]),
            min((each.steps_left(self.steps) for each in checkpoints), default=1 << 62),
        )

    def _may_run_short_epochs(self) -> bool:
        is_short = isinstance(self.source, ArrayBatches) and self.history["seconds"][-1] < _SHORT_SECONDS
        wanted = self.called or self.has_own_figures or self.source.context.has_schedule or self.bar.is_shown
        return is_short and not wanted and self.communicator is None

    def _run_short_epochs(self) -> None:
        """Train the remaining epochs, many per call of the engine, since only their history is needed."""
        source = self.source
        assert isinstance(source, ArrayBatches)
        while self.epoch < self.epochs:
            figures = np.empty((min(self.epochs - self.epoch, 100_000), len(source.sums()) + 1))
            try:
                source.take_epochs(self.network.epochs_trained, figures, _SECONDS_BETWEEN_LOOKS)
            except Diverged as diverged:
                failed_epoch = self.epoch + source.trainer.epochs_done + 1
                raise self._diverged((diverged.what, diverged.figure), failed_epoch, source.step + 1) from None
            finally:
                done = source.trainer.epochs_done
                losses, _ = source.context.objective.mean_losses(figures[:done, :-1])
                self.history.extend({"loss": losses.tolist(), "seconds": figures[:done, -1].tolist()})
                self.network.epochs_trained += done
                self.epoch += done
            self._check_finite()

    def _check_finite(self) -> None:
        """Raise an error if weights are not finite, before they are returned, saved or kept as the best ones."""
        if not self.source.is_finite():
            raise self._diverged(NOT_FINITE, self.epoch, self.source.step)

    def _diverged(self, problem: tuple[str, object], epoch: int, step: int) -> TrainingDivergedError:
        return diverged_error(*problem, self.source.last_rate, epoch, step, self.history, self.source.is_finite())

    # -------------------------------------------------------------------------------------- final weights

    @property
    def is_averaging(self) -> bool:
        """Whether the final weights are an average."""
        return bool(self.called.averaging or self.optimizer.settings.averages)

    def _check_final_weights(self) -> None:
        """Raise an error if the final weights would depend on the order of the callbacks."""
        of_epochs = {(each.start_epoch, each.every_epochs) for each in self.called.averaging}
        averages = ["StochasticWeightAveraging"] * len(of_epochs)
        averages += ["use_ema"] if self.optimizer.settings.averages else []
        for kind, got in [
            ("average of the weights", averages),
            ("EarlyStopping that restores weights", ["EarlyStopping"] * len(self.called.restoring)),
        ]:
            if len(got) > 1:
                raise InvalidParameterError(f"A fit must have one {kind} at most. Got {' and '.join(got)} instead.")

    def final_weights(self) -> list[Any]:
        """Copies of the final weights if training ends here, unless EarlyStopping restores other weights."""
        found = self.optimizer.averaged(self.network)
        for each in self.called.averaging:
            found = each.averaged()
        return self.network.get_weights() if found is None else [array.copy() for array in found]

    @contextmanager
    def with_final_weights(self) -> Iterator[None]:
        """Give the network its final weights within the context, for validation."""
        if not self.is_averaging:
            yield
            return
        own = self.network.get_weights()
        self.network.set_weights(self.final_weights())
        try:
            yield
        finally:
            self.network.set_weights(own)

    # ---------------------------------------------------------------------------------------- checkpoints

    def _place(self) -> tuple[int, int, bool]:
        return self.epoch, self.steps, self.is_in_epoch

    def _write_checkpoints(self, is_wanted: Callable[[Checkpoint], bool]) -> None:
        for each in self.called.checkpoints:
            if is_wanted(each):
                self._check_finite()
                self.source.gather_memory()
                if self.communicator is None or self.communicator.rank == 0:
                    each.write(self._get_state(), self._place())
                else:
                    each.last = self._place()

    def _get_state(self) -> dict[str, Any]:
        parts = [self.optimizer.optimizer, *self.parts, *self.called.callbacks]
        return {
            "settings": self.settings,
            "plugins": [each for each in provenance.of_parts(parts) if each["version"] != registry.UNPACKAGED],
            "epoch": self.epoch,
            "epochs_trained": self.network.epochs_trained,
            "t_before": self.t_before,
            "history": self.history.history,
            "optimizer": self.optimizer.get_state(),
            "callbacks": self.called.get_state(),
            "capacity": self.source.capacity,
            "feed": self.source.get_state() if self.is_in_epoch else None,
            "seconds": time.perf_counter() - self.began_at,
        }

    def _schema(self) -> Any:
        """The schema of `_get_state`, with the arrays of the network."""
        return {
            "network": {name: schema.array_like(array) for name, array in layers.arrays(self.network.layers)},
            "settings": schema.ANYTHING,
            "epoch": schema.whole_number(maximum=_MAX_EPOCHS),
            "epochs_trained": schema.whole_number(maximum=_MAX_EPOCHS),
            "t_before": schema.whole_number(),
            "history": schema.ByName(schema.ListOf(_FIGURE)),
            "optimizer": self.optimizer.state_schema(),
            "callbacks": self.called.state_schema(),
            "capacity": self.source.capacity_schema(),
            "feed": schema.Optional(self.source.state_schema()),
            "seconds": schema.number(0),
        }

    def _schema_of_counts(self, state: Mapping[str, Any]) -> Any:
        """The schema of how the numbers of epochs and steps and the history must agree."""
        done = state["epoch"] - (state["feed"] is not None)
        steps = 0 if state["feed"] is None else state["feed"]["step"]
        loss = {"loss": schema.ListOf(_FIGURE, done, done)} if done else {}
        return schema.Having(
            {
                "epoch": schema.whole_number(state["epoch"] - done),
                "epochs_trained": schema.whole_number(done),
                "optimizer": schema.Having({"t": schema.whole_number(state["t_before"] + steps)}),
                "history": schema.Then(schema.ByName(schema.ListOf(_FIGURE, 0, done)), lambda _: schema.Having(loss)),
            }
        )

    def _check_rates(self, state: Mapping[str, Any]) -> None:
        """Raise an error unless the schedule has a rate for every step of the epoch that continues."""
        per_epoch = self.source.steps_per_epoch
        if state["feed"] is not None and per_epoch is not None:
            first = state["optimizer"]["t"] - state["feed"]["step"]
            total_steps = state["t_before"] + self.epochs * per_epoch
            self.optimizer.check_rates(state["optimizer"], first, per_epoch, total_steps)

    def _set_state(self, state: Mapping[str, Any]) -> None:
        """Continue from the result of `read`, which has been checked completely."""
        with self.network._weights_lock.turn():
            for name, array in layers.arrays(self.network.layers):
                array[...] = state["network"][name]
            self.optimizer.set_state(state["optimizer"])
        self.network.epochs_trained = state["epochs_trained"]
        self.history.history = state["history"]
        self.epoch, self.t_before = state["epoch"], state["t_before"]
        self.began_at = time.perf_counter() - state["seconds"]
        self.source.capacity = state["capacity"]
        if state["feed"] is not None:
            self.is_in_epoch = True
            self.source.begin_epoch(self.network.epochs_trained, self.total_steps, state["feed"])


#: What has diverged, and its value, if the losses themselves are finite.
NOT_FINITE = "weights, their averages and the optimizer's memory", "NaN or infinity"


def diverged_error(
    what: str, got: object, rate: float | None, epoch: int, step: int, history: History, is_finite: bool
) -> TrainingDivergedError:
    """Make the error for a training that diverged; `is_finite` says whether the weights are still finite."""
    holds = (
        "the network holds the weights from before that step"
        if is_finite
        else "what the network holds is not finite any more: set_weights, a checkpoint or a new network replaces it"
    )
    smaller = "Other initial weights" if rate is None else f"A smaller learning rate (it was {rate:g})"
    return TrainingDivergedError(
        f"The {what} must stay finite. Got {got} in epoch {epoch}, step {step}, "
        f"instead. {smaller} or scaled inputs often help; {holds}.",
        epoch,
        step,
        history,
    )
