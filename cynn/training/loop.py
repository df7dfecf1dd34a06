"""The loop of a fit: epochs of steps, figures, callbacks. What a checkpoint holds of a training is here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from cynn import layers
from cynn.callbacks.together import CallbackList
from cynn.components import schema
from cynn.engine.trainer import Diverged
from cynn.errors import InvalidParameterError, TrainingDivergedError
from cynn.saving import checkpoint_file
from cynn.training.batches import ArrayBatches, BatchSource
from cynn.training.history import History
from cynn.training.progress import Progress

if TYPE_CHECKING:
    from cynn.callbacks.checkpoint import Checkpoint
    from cynn.model import Model
    from cynn.training.optimizer_state import OptimizerState

__all__ = ["Loop", "diverged_error"]

# The engine comes back this often, so that Ctrl-C is heard and the progress bar moves.
_SECONDS_BETWEEN_LOOKS = 0.1
# Epochs that are over sooner are trained many at a time, where nobody looks at them one by one.
_SHORT_SECONDS = 0.01
# Random numbers know an epoch by 32 bits.
_MAX_EPOCHS = 2**31
_FIGURE = schema.number(is_finite=False)


class Loop:
    """A training under way.

    Parameters
    ----------
    network : Model
    source : BatchSource
    called : CallbackList
    figures : function
        Gives the figures of an epoch that is over.
    has_own_figures : bool
        Whether they are more than the loss.
    epochs : int
    settings : dict
        What must be the same where the training goes on from a checkpoint.
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
    ) -> None:
        self.network, self.source, self.called = network, source, called
        self.figures, self.has_own_figures = figures, has_own_figures
        self.epochs, self.settings = epochs, settings
        self.optimizer: OptimizerState = network._optimizer_state
        self.history = History()
        self.epoch = 0  # that runs, or that ran last, counted from 1
        self.is_in_epoch = False
        self.has_begun = False
        self.began_at = time.perf_counter()
        self.t_before: int = self.optimizer.t

    @property
    def steps(self) -> int:
        """How many steps this training has taken."""
        return self.optimizer.t - self.t_before

    @property
    def total_steps(self) -> int | None:
        """How many the optimizer will have taken at the end; None where nobody knows."""
        per_epoch = self.source.steps_per_epoch
        return None if per_epoch is None else self.t_before + self.epochs * per_epoch

    def read(self, path: str) -> dict[str, Any]:
        """The state in a checkpoint, all of it checked: that this training can go on from it. Nothing is changed."""
        state = checkpoint_file.read(path)
        checkpoint_file.check(path, state, schema.Having({"settings": schema.ANYTHING}))
        checkpoint_file.check_same(path, state["settings"], self.settings)
        checkpoint_file.check(path, state, schema.Then(self._schema(), self._schema_of_counts))
        self._check_rates(state)
        return state

    def run(self, state: Mapping[str, Any] | None, progress: bool) -> None:
        """Train to the end, from the beginning or from the state in a checkpoint on."""
        self._check_final_weights()
        self.called.final_weights = self.final_weights
        self.optimizer.begin(self.network, self.called.greater_is_better)
        self.network.history = self.history
        if state is not None:
            self._set_state(state)
        done = (self.epoch - self.is_in_epoch) * (self.source.rows_per_epoch or 0)
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
        while self.is_in_epoch or (self.epoch < self.epochs and not self.called.stop_training):
            self._run_epoch()
            if self._may_hurry():
                self._run_short_epochs()
        self._write_checkpoints(lambda each: each.last != self._place())

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
            logs["learning_rate"] = self.source.last_rate
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
                    if self.called.stop_training:
                        break
                self._write_checkpoints(lambda each: each.is_due(self.steps, at_epoch_end=False))
        except Diverged as diverged:
            raise self._diverged((diverged.what, diverged.figure), self.epoch, self.source.step + 1) from None

    def _limits(self) -> tuple[float, int]:
        """For how long, and how many, steps may be taken before somebody wants to look."""
        checkpoints = self.called.checkpoints
        seconds = 0.0 if self.called.want_steps else _SECONDS_BETWEEN_LOOKS
        return (
            min([seconds, *(each.seconds_left() for each in checkpoints)]),
            min((each.steps_left(self.steps) for each in checkpoints), default=1 << 62),
        )

    def _may_hurry(self) -> bool:
        is_short = isinstance(self.source, ArrayBatches) and self.history["seconds"][-1] < _SHORT_SECONDS
        wanted = self.called or self.has_own_figures or self.optimizer.has_schedule or self.bar.is_shown
        return is_short and not wanted

    def _run_short_epochs(self) -> None:
        """The other epochs, many between two looks: nobody wants to see anything of them but the figures."""
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
        """Nothing that is not is returned, written down, or kept as the best there was."""
        if not self.source.is_finite():
            raise self._diverged(NOT_FINITE, self.epoch, self.source.step)

    def _diverged(self, problem: tuple[str, object], epoch: int, step: int) -> TrainingDivergedError:
        return diverged_error(*problem, self.source.last_rate, epoch, step, self.history, self.source.is_finite())

    # -------------------------------------------------------------------------------------- final weights

    @property
    def is_averaging(self) -> bool:
        """Whether the network gets an average of its weights in the end."""
        return bool(self.called.averaging or self.optimizer.settings.averages)

    def _check_final_weights(self) -> None:
        """Which weights a fit ends with must not depend on the order of callbacks."""
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
        """Copies of what the network gets if training ends here, but for the best weights of an EarlyStopping."""
        found = self.optimizer.averaged(self.network)
        for each in self.called.averaging:
            found = each.averaged()
        return self.network.get_weights() if found is None else [array.copy() for array in found]

    @contextmanager
    def with_final_weights(self) -> Iterator[None]:
        """The network has its final weights within: those that validation is of."""
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
                each.write(self._get_state(), self._place())

    def _get_state(self) -> dict[str, Any]:
        return {
            "settings": self.settings,
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
        """What `_get_state` returns, with the arrays of the network."""
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
        """What the numbers of epochs and of steps say about each other, and about the history."""
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
        """Whether the schedule has a rate for every step of the epoch that goes on, if there is one."""
        per_epoch = self.source.steps_per_epoch
        if state["feed"] is not None and per_epoch is not None:
            first = state["optimizer"]["t"] - state["feed"]["step"]
            schedule = self.optimizer.schedule_of(state["optimizer"])
            schedule.rates(first, per_epoch, state["t_before"] + self.epochs * per_epoch)

    def _set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `read` returned: none of this fails."""
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


#: What is wrong after a step that met finite figures only.
NOT_FINITE = "weights, their averages and the optimizer's memory", "NaN or infinity"


def diverged_error(
    what: str, got: object, rate: float, epoch: int, step: int, history: History, is_finite: bool
) -> TrainingDivergedError:
    """The error for a training that has met what is not finite; `is_finite` says whether the network still is."""
    holds = (
        "the network holds the weights from before that step"
        if is_finite
        else "what the network holds is not finite any more: set_weights, a checkpoint or a new network replaces it"
    )
    return TrainingDivergedError(
        f"The {what} must stay finite. Got {got} in epoch {epoch}, step {step}, "
        f"instead. A smaller learning rate (it was {rate:g}) or scaled inputs often help; {holds}.",
        epoch,
        step,
        history,
    )
