"""A network of a fleet, with all that its training needs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from cynn.callbacks.checkpoint import Checkpoint
from cynn.callbacks.live import Live
from cynn.callbacks.stop_after import StopAfter
from cynn.callbacks.together import as_callbacks
from cynn.data.row_numbers import as_row_numbers
from cynn.errors import InvalidParameterError
from cynn.saving import checkpoint_file

if TYPE_CHECKING:
    from cynn.network import Network

__all__ = ["Member"]

# How often a training in this process writes its checkpoint.
_SECONDS_BETWEEN_CHECKPOINTS = 10.0


class Member:
    """A network of a fleet, with all that its training needs.

    Parameters
    ----------
    number : int
        Its place among the networks.
    network : Network
    options : dict
        The parameters of `fit`, with x, y and `validation_rows`.
    folder : str, optional
        The folder of the checkpoints.
    resume : bool
        Whether to go on from the checkpoint in that folder, if there is one.

    Attributes
    ----------
    error : Exception or None
        What ended its training.
    is_done : bool
        Whether its training has come to an end.
    """

    def __init__(
        self, number: int, network: Network, options: dict[str, Any], folder: str | None = None, resume: bool = False
    ) -> None:
        self.number, self.network, self.options = number, network, options
        self.path = None if folder is None else os.path.join(folder, f"network-{number:04d}.safetensors")
        self.resume = resume
        self.error: BaseException | None = None
        self.is_done = False
        self.epochs_elsewhere = 0
        given = options.get("callbacks", ())
        self.callbacks: list[Any] = as_callbacks(given) or []
        if any(isinstance(callback, Checkpoint) for callback in self.callbacks):
            raise InvalidParameterError(
                "The 'callbacks' parameter of fit_many must have no Checkpoint: its own 'checkpoint' parameter is the "
                "folder of a checkpoint for each network. Got one instead."
            )
        if any(isinstance(callback, Live) for callback in self.callbacks):
            raise InvalidParameterError(
                "The 'callbacks' parameter of fit_many must have no Live, which shows one training. Got one instead."
            )

    @property
    def checkpoint(self) -> str | None:
        """The checkpoint to go on from, or None."""
        return self.path if self.resume and self.path is not None and os.path.exists(self.path) else None

    def fit(self, n_threads: int) -> None:
        """Train the network in this process. What it raises is kept as `error`."""
        callbacks = list(self.callbacks)
        if self.path is not None:
            callbacks.append(Checkpoint(self.path, every_seconds=_SECONDS_BETWEEN_CHECKPOINTS))
        self.fit_from(self.checkpoint, callbacks, n_threads)

    def fit_from(
        self, checkpoint: str | None, callbacks: list[Any], n_threads: int, *, is_checked: bool = False
    ) -> None:
        """Train the network, from a checkpoint if there is one. What it raises is kept as `error`.

        `is_checked` says that a worker has read the same rows: they are not searched for NaN again.
        """
        try:
            options = with_validation(self.options)
            if is_checked:
                options["check_finite"] = False
            options |= {"callbacks": callbacks, "resume": checkpoint, "progress": False, "n_threads": n_threads}
            x, y = options.pop("x"), options.pop("y")
            self.network.fit(x, y, **options)
        except Exception as error:
            self.error = error
        self.is_done = True

    @property
    def epochs_run(self) -> int:
        """The epochs that callbacks with such a count have seen, here and in workers."""
        return self.epochs_elsewhere + sum(getattr(callback, "epochs_run", 0) for callback in self.callbacks)

    def is_finished_in(self, checkpoint: str) -> bool:
        """Whether nothing is left to train after a checkpoint."""
        state = checkpoint_file.read(checkpoint)
        has_stopped = any(
            callback.is_reached(saved["state"]) if isinstance(callback, StopAfter) else saved["stop_training"]
            for callback, saved in zip(self.callbacks, state["callbacks"], strict=True)
        )
        return state["feed"] is None and (has_stopped or state["epoch"] >= self.options.get("epochs", 10))


def with_validation(options: dict[str, Any]) -> dict[str, Any]:
    """The options of a fit, with `validation_data` in place of `validation_rows`."""
    options = dict(options)
    rows = options.pop("validation_rows", None)
    if rows is not None:
        if options.get("validation_data") is not None:
            raise InvalidParameterError(
                "The 'validation_rows' parameter of fit_many must be left out where there is validation_data. "
                "Got both instead."
            )
        x, y = options["x"], options["y"]
        places = as_row_numbers(rows, len(x), "validation_rows", "fit_many")
        weight = options.get("sample_weight")
        parts = (x, y) if weight is None else (x, y, weight)
        options["validation_data"] = tuple(taken(part, places) for part in parts)
    return options


def taken(part: Any, places: np.ndarray[Any, Any]) -> Any:
    """Some rows of an array, a DataFrame, or a list or dict of these for several outputs."""
    if isinstance(part, dict):
        return {name: taken(one, places) for name, one in part.items()}
    if hasattr(part, "iloc"):
        return part.iloc[places]
    if isinstance(part, (list, tuple)) and part and hasattr(part[0], "shape") and np.ndim(part[0]) > 0:
        return [taken(one, places) for one in part]
    return (part if hasattr(part, "shape") else np.asarray(part))[places]
