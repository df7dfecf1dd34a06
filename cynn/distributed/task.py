"""A task, which is the training of one network on a worker, and its outcome."""

from __future__ import annotations

import os
import pickle
import time
from dataclasses import dataclass
from typing import Any

from cynn import file_access, kernels
from cynn.callbacks.checkpoint import Checkpoint
from cynn.distributed.shared_data import opened, with_data
from cynn.errors import CynnError
from cynn.many.member import Member
from cynn.version import __version__

__all__ = ["Outcome", "Task", "machine", "run"]

_NEVER = 1e9  # seconds: a checkpoint is written only at the end


@dataclass
class Task:
    """The training of one network.

    Attributes
    ----------
    number : int
        Its place in the fleet.
    network : Network
    options : dict
        The parameters of `fit`, with `Shared` in place of large data.
    checkpoint : bytes or None
        The content of the checkpoint file from which to continue.
    n_threads : int
    """

    number: int
    network: Any
    options: dict[str, Any]
    checkpoint: bytes | None
    n_threads: int


@dataclass
class Outcome:
    """The result of a task.

    Attributes
    ----------
    number : int
        The place of the network in the fleet.
    checkpoint : bytes or None
        The content of the checkpoint file at the end of the training; None after an error.
    error : Exception or None
    epochs_run : int
        The epochs that callbacks with such a count have seen in this task.
    seconds : float
    machine : tuple of str
        The properties of the worker on which the last bits depend.
    """

    number: int
    checkpoint: bytes | None
    error: BaseException | None
    epochs_run: int
    seconds: float
    machine: tuple[str, ...]


def machine() -> tuple[str, ...]:
    """The properties of this machine on which the last bits of a training depend: version, kernel level, BLAS, core."""
    return (__version__, kernels.level, *kernels.blas.description())


def run(tasks: list[Task], sources: list[Any]) -> list[Outcome]:
    """Run tasks one after the other, in a worker.

    Parameters
    ----------
    tasks : list of Task
    sources : list
        The data that the driver has sent.
    """
    data = [opened(source) for source in sources]
    return [_run(task, data) for task in tasks]


def _run(task: Task, data: list[Any]) -> Outcome:
    begin = time.perf_counter()
    member = Member(task.number, task.network, with_data(task.options, data))
    with file_access.temporary_folder() as folder:
        path = os.path.join(folder, "network.safetensors")
        if task.checkpoint is not None:
            with open(path, "wb") as file:
                file.write(task.checkpoint)
        at_the_end = Checkpoint(path, every_seconds=_NEVER)
        member.fit_from(None if task.checkpoint is None else path, [*member.callbacks, at_the_end], task.n_threads)
        checkpoint = None
        if member.error is None:
            with open(path, "rb") as file:
                checkpoint = file.read()
    seconds = time.perf_counter() - begin
    error = None if member.error is None else _picklable(member.error)
    return Outcome(task.number, checkpoint, error, member.epochs_run, seconds, machine())


def _picklable(error: BaseException) -> BaseException:
    """The error, or a CynnError with its message if it cannot be pickled."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return CynnError(f"{type(error).__name__}: {error}")
    return error
