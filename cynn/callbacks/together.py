"""The list of callbacks of a `fit`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from cynn import file_access, registry
from cynn.callbacks.averaging import StochasticWeightAveraging
from cynn.callbacks.base import Callback
from cynn.callbacks.checkpoint import Checkpoint
from cynn.callbacks.stopping import EarlyStopping
from cynn.components import schema
from cynn.errors import InvalidParameterError, as_list, shown
from cynn.schedules.monitoring import Directions

if TYPE_CHECKING:
    from cynn.data.examples import Examples
    from cynn.model import Model

__all__ = ["CallbackList", "as_callbacks", "checked_callbacks", "restoring"]


def as_callbacks(callbacks: Any) -> list[Any] | None:
    """A list of callbacks from callbacks, names and configurations; None if `callbacks` is not iterable."""
    given = [callbacks] if isinstance(callbacks, (Callback, str, dict)) else as_list(callbacks)
    return given and [registry.callbacks.get(one) if isinstance(one, (str, dict)) else one for one in given]


def checked_callbacks(callbacks: Any) -> list[Callback]:
    """Likewise, where anything else is an error."""
    given = as_callbacks(callbacks)
    if given is None or not all(isinstance(callback, Callback) for callback in given):
        raise InvalidParameterError(
            "The 'callbacks' parameter of fit must be a list of cynn.callbacks.Callback. "
            f"Got {shown(callbacks)} instead."
        )
    return given


def restoring(callbacks: Iterable[Callback]) -> list[EarlyStopping]:
    """Those that restore the weights of the best epoch."""
    return [each for each in callbacks if isinstance(each, EarlyStopping) and each.restore_best_weights]


class CallbackList:
    """The callbacks of a `fit`. Each of its methods calls that of every callback."""

    def __init__(self, callbacks: Any, network: Model) -> None:
        self._all = checked_callbacks(callbacks)
        self.averaging = [callback for callback in self._all if isinstance(callback, StochasticWeightAveraging)]
        self.restoring = restoring(self._all)
        self.checkpoints = [callback for callback in self._all if isinstance(callback, Checkpoint)]
        self._kept = [callback for callback in self._all if not isinstance(callback, Checkpoint)]
        self._network = network
        self.training_rows: Callable[[], Iterable[Any]] | None = None
        self.greater_is_better: Directions = {}
        self.final_weights: Callable[[], list[Any]] = network.get_weights
        self.examples: Examples | None = None
        self.sampled_gradients: Callable[[int], list[Any]] | None = None
        self.rank = 0
        self._of_steps = [c for c in self._all if type(c).on_step_end is not Callback.on_step_end]

    def __bool__(self) -> bool:
        return bool(self._all)

    @property
    def callbacks(self) -> list[Callback]:
        """All callbacks, in order."""
        return self._all

    @property
    def want_steps(self) -> bool:
        """Whether any callback overrides `on_step_end`."""
        return bool(self._of_steps)

    @property
    def stop_training(self) -> bool:
        """Whether any callback has asked to end the training."""
        return any(callback.stop_training for callback in self._all)

    @property
    def names(self) -> list[str]:
        """The class names of the callbacks whose state a checkpoint holds."""
        return [type(callback).__qualname__ for callback in self._kept]

    def get_state(self) -> list[dict[str, Any]]:
        """The state of every callback, for a checkpoint."""
        return [{"stop_training": callback.stop_training, "state": callback.get_state()} for callback in self._kept]

    def state_schema(self) -> Any:
        """A schema of what `get_state` returns."""
        return [
            {"stop_training": schema.SWITCH, "state": schema.of_state(callback, self._network)}
            for callback in self._kept
        ]

    def set_state(self, states: list[dict[str, Any]]) -> None:
        """Restore the states that `get_state` returned."""
        for callback, state in zip(self._kept, states, strict=True):
            callback.stop_training = state["stop_training"]
            with schema.taken_by(type(callback).__qualname__):
                callback.set_state(state["state"])

    def checkpoint_for(self, resume: Any) -> str | None:
        """The path of the checkpoint that `fit(resume=...)` asks for, or None."""
        if resume is None or (isinstance(resume, (bool, np.bool_)) and not resume):
            return None
        if isinstance(resume, (str, os.PathLike)):
            return file_access.as_path(resume, "resume", "fit")
        if not isinstance(resume, (bool, np.bool_)):
            raise InvalidParameterError(
                "The 'resume' parameter of fit must be the path of a checkpoint, True or False. "
                f"Got {shown(resume)} instead."
            )
        if not self.checkpoints:
            raise InvalidParameterError(
                "The 'resume' parameter of fit may be True only if there is a Checkpoint among the callbacks. Got none "
                "instead."
            )
        found = [path for path in (checkpoint.newest() for checkpoint in self.checkpoints) if path is not None]
        return max(found, key=os.path.getmtime, default=None)

    def __enter__(self) -> CallbackList:
        from contextlib import ExitStack

        with ExitStack() as stack:
            for callback in self._all:
                callback.network = self._network
                callback.training_rows = self.training_rows
                callback.greater_is_better = self.greater_is_better
                callback.final_weights = self.final_weights
                callback._examples, callback._rank = self.examples, self.rank
                callback._sampled_gradients = self.sampled_gradients
                callback.stop_training = False
                stack.callback(callback.on_train_end)
                callback.on_train_begin()
            self._end = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        try:
            self._end.__exit__(*error)  # calls on_train_end of every callback, even if one raises
        finally:
            for callback in self._all:
                callback.training_rows = None  # frees the data
                callback.final_weights = callback._examples = callback._sampled_gradients = None

    def on_epoch_begin(self, epoch: int) -> None:
        """Call `on_epoch_begin` of every callback."""
        for callback in self._all:
            callback.on_epoch_begin(epoch)

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Call `on_epoch_end` of every callback."""
        for callback in self._all:
            callback.on_epoch_end(epoch, logs)

    def on_step_end(self, step: int, logs: dict[str, float]) -> None:
        """Call `on_step_end` of the callbacks that override it."""
        for callback in self._of_steps:
            callback.on_step_end(step, logs)
