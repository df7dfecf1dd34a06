"""The callback that writes checkpoints: when, where, and how many are kept."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from cynn import file_access
from cynn.callbacks.base import Callback
from cynn.components.declarations import checked_by, choice, number, whole_number
from cynn.errors import CheckpointError, InvalidParameterError, shown, warn
from cynn.saving import checkpoint_file, provenance

__all__ = ["Checkpoint"]

_NO_LIMIT = 1 << 62


class Checkpoint(Callback):
    """Saves the state of the training, so that `fit(resume=...)` can continue it with bit-identical results.

    A checkpoint is one safetensors file with everything that the rest of the training depends on. It is written
    atomically: if the process is killed, the file is either complete or not there. `cynn.load` reads the network
    from it.

    Parameters
    ----------
    path : str or path
        The file. `{epoch}` and `{step}` in its name, also in a form such as `{step:06d}`, are replaced by the number
        of the epoch and of the step in this training, both counted from 1. Every checkpoint then has its own file;
        otherwise each one replaces the last. The folder is created if it does not exist.
    every_steps : int, optional
        Write a checkpoint after this many steps, also in the middle of an epoch.
    every_seconds : float, optional
        Write a checkpoint after the first step that ends this many seconds after the last checkpoint. If neither
        `every_steps` nor `every_seconds` is given, one is written after every epoch. One is also written when the
        training ends, unless an error ended it.
    keep : int, optional
        How many files to keep if the name has `{epoch}` or `{step}`: the most recent ones. By default, all.
    on_error : {"raise", "warn"}
        If a checkpoint cannot be written: end the training with an error, or warn and continue. Earlier checkpoints
        stay as they are.

    Raises
    ------
    CheckpointError
        During training, if a file cannot be written: the disk is full, or the folder has been removed.

    Examples
    --------
    However often it is killed and started again, the result is the same to the bit.

    >>> import cynn, tempfile
    >>> x, y = [[0.0], [1.0]], [0.0, 1.0]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = f"{folder}/run.safetensors"
    ...     for run in range(2):
    ...         net = cynn.Network.mlp([1, 8, 1], seed=0)
    ...         checkpoint = cynn.callbacks.Checkpoint(path)
    ...         history = net.fit(
    ...             x, y, epochs=5, callbacks=[checkpoint], resume=True
    ...         )
    ...         print(history.epochs, net.epochs_trained)
    5 5
    5 5
    """

    name = "checkpoint"
    path: str | os.PathLike[str] = checked_by(file_access.as_path)
    every_steps: int | None = whole_number(default=None, minimum=1, kw_only=True)
    every_seconds: float | None = number(default=None, minimum=0, kw_only=True)
    keep: int | None = whole_number(default=None, minimum=1, kw_only=True)
    on_error: str = choice("raise", "warn", default="raise", kw_only=True)

    def __post_init__(self) -> None:
        folder, name = os.path.split(self.path)
        self._folder = folder or os.curdir
        self._pattern, has_fields = _pattern(name)
        if self.keep is not None and not has_fields:
            raise InvalidParameterError(
                "The 'path' parameter of Checkpoint must have {epoch} or {step} in its name where 'keep' is given. "
                f"Got {shown(self.path)} instead."
            )
        self.last: tuple[int, int, bool] | None = None
        self._written_at = 0.0

    def on_train_begin(self) -> None:
        self.last = None
        self._written_at = time.monotonic()
        provenance.record(self.network)  # raises before the first step if the network cannot be saved
        with self._reported(os.fspath(self.path)):
            os.makedirs(self._folder, exist_ok=True)
            file_access.remove_leftovers(self._folder, self._pattern)

    def newest(self) -> str | None:
        """The most recent checkpoint by modification time, or None if there is none."""
        return max(self._files(self._pattern), key=_age, default=None)

    def _files(self, pattern: str) -> list[str]:
        import re

        try:
            names = os.listdir(self._folder)
        except FileNotFoundError:
            return []
        return [os.path.join(self._folder, name) for name in names if re.fullmatch(pattern, name)]

    def steps_left(self, steps: int) -> int:
        """The number of steps until the next checkpoint.

        Parameters
        ----------
        steps : int
            The number of steps taken so far.

        Returns
        -------
        int
            A very large number if `every_steps` is None.
        """
        return self.every_steps - steps % self.every_steps if self.every_steps else _NO_LIMIT

    def seconds_left(self) -> float:
        """The time until the next checkpoint, infinite if `every_seconds` is None."""
        if self.every_seconds is None:
            return float("inf")
        return max(0.0, self._written_at + self.every_seconds - time.monotonic())

    def is_due(self, steps: int, at_epoch_end: bool) -> bool:
        """Whether a checkpoint must be written now.

        Parameters
        ----------
        steps : int
            The number of steps taken so far.
        at_epoch_end : bool
            True at the end of an epoch, False after a step.

        Returns
        -------
        bool
            True if one must be written.
        """
        if self.seconds_left() == 0:
            return True
        if at_epoch_end:
            return self.every_steps is None and self.every_seconds is None
        return self.every_steps is not None and steps % self.every_steps == 0

    def write(self, state: Mapping[str, Any], place: tuple[int, int, bool]) -> None:
        """Write the network and the state of its training.

        Parameters
        ----------
        state : dict
            What `Loop` collects.
        place : tuple
            The number of the epoch, the number of the step, and whether the epoch is unfinished. Kept as `last`.
        """
        epoch, step, _ = place
        path = os.path.join(self._folder, os.path.basename(self.path).format(epoch=epoch, step=step))
        with self._reported(path):
            checkpoint_file.write(path, self.network, state)
            if self.keep is not None:
                others = sorted((file for file in self._files(self._pattern) if file != path), key=_age)
                for old in others[: max(0, len(others) + 1 - self.keep)]:
                    os.unlink(old)
            self.last = place
        self._written_at = time.monotonic()

    @contextmanager
    def _reported(self, path: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            problem = CheckpointError(
                f"The checkpoint {path!r} must be written whole. Got {type(error).__name__} "
                f"({error.strerror or error}) instead. Checkpoints that were there before are untouched."
            )
            if self.on_error == "raise":
                raise problem from error
            warn(str(problem), stacklevel=2)


def _pattern(name: str) -> tuple[str, bool]:
    """A regular expression for the names of checkpoint files, and whether the name has fields to fill in."""
    import re
    from string import Formatter

    try:
        parts = list(Formatter().parse(name))
    except ValueError:
        parts = [("", "", "", None)]
    fields = [part[1:] for part in parts if part[1] is not None]
    for field, form, conversion in fields:
        if field not in ("epoch", "step") or conversion or not re.fullmatch(r"(0\d+)?d?", form or ""):
            raise InvalidParameterError(
                "The 'path' parameter of Checkpoint must be a file whose name has no braces but those of {epoch}, "
                f"{{step}}, or with digits, as {{step:06d}}. Got {shown(name)} instead."
            )
    pattern = "".join(re.escape(text) + (r"(\d+)" if field is not None else "") for text, field, _, _ in parts)
    return pattern, bool(fields)


def _age(path: str) -> tuple[int, list[int]]:
    """A sort key: when a file was written, then the numbers in its name."""
    import re

    return os.stat(path).st_mtime_ns, [int(number) for number in re.findall(r"\d+", os.path.basename(path))]
