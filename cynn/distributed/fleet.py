"""Trains the members of a fleet on the workers of an executor.

A worker trains a network and sends back its checkpoint. The network in this process then resumes from that checkpoint,
with nothing left to train. So its optimizer's state, its history and its callbacks are the same as after its own `fit`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from concurrent.futures import BrokenExecutor
from typing import Any, Self

from cynn import file_access
from cynn.distributed import engines
from cynn.distributed.shared_data import SharedData
from cynn.distributed.task import Outcome, Task, machine
from cynn.errors import WorkerError
from cynn.many.member import Member

__all__ = ["Workers"]

# An executor that starts new workers may lose them this many times without finishing a task in between.
_MAX_LOSSES = 3


class Workers:
    """The workers of an executor. Data are sent to them once, however often members are trained.

    Parameters
    ----------
    executor : object
        As for `fit_many`.
    allow_mixed : bool
        Whether workers may be machines whose results have other last bits.
    n_threads : int
        The number of threads of each worker.
    """

    def __init__(self, executor: Any, allow_mixed: bool, n_threads: int) -> None:
        self.allow_mixed, self.n_threads = allow_mixed, n_threads
        self._exit = contextlib.ExitStack()
        self._folder = self._exit.enter_context(file_access.temporary_folder())
        self._engine = engines.of(executor, self._folder)
        self._data = SharedData(self._engine.hand_over)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._exit.close()

    def train(self, members: list[Member], report: Callable[[int], None]) -> None:
        """Train each member on a worker.

        Parameters
        ----------
        members : list of Member
            Those whose checkpoints are finished resume from these in this process.
        report : function
            Called with the number of finished members.
        """
        by_number = {member.number: member for member in members}
        left = []
        for member in members:
            if member.checkpoint is not None and member.is_finished_in(member.checkpoint):
                member.fit_from(member.checkpoint, member.callbacks, self.n_threads)
            else:
                left.append(member)
        report(len(members) - len(left))
        # the largest networks first, so that at the end no worker waits long for another
        left.sort(key=lambda member: -member.network.parameter_count)
        tasks = {member.number: _task(member, self._data, self.n_threads) for member in left}
        losses = 0
        while tasks:
            try:
                for outcome in self._engine.run(list(tasks.values()), self._data.sources):
                    losses = 0
                    _check_machine(outcome, self.allow_mixed)
                    _take(by_number[outcome.number], outcome, self._folder, self.n_threads)
                    del tasks[outcome.number]
                    report(len(members) - len(tasks))
            except BrokenExecutor as error:
                losses += 1
                if losses == _MAX_LOSSES or not self._engine.renew():
                    raise WorkerError(
                        f"The workers must stay alive until all networks are trained. Got {len(members) - len(tasks)} "
                        f"of {len(members)} trained when one was lost ({type(error).__name__}). With a checkpoint "
                        "folder and resume=True, the next call trains the others alone."
                    ) from error


def _task(member: Member, data: SharedData, n_threads: int) -> Task:
    checkpoint = None
    if member.checkpoint is not None:
        with open(member.checkpoint, "rb") as file:
            checkpoint = file.read()
    return Task(member.number, member.network, data.without_data(member.options), checkpoint, n_threads)


def _check_machine(outcome: Outcome, allow_mixed: bool) -> None:
    own = machine()
    if outcome.machine != own and not allow_mixed:
        raise WorkerError(
            f"The workers must have this process's version, kernels and BLAS ({', '.join(own)}), for the same bits. "
            f"Got {', '.join(outcome.machine)} instead. allow_mixed=True takes what they compute."
        )


def _take(member: Member, outcome: Outcome, folder: str, n_threads: int) -> None:
    """Give the member the state of the worker's network."""
    if outcome.checkpoint is None:
        member.error, member.is_done = outcome.error, True
        return
    path = member.path or os.path.join(folder, "outcome.safetensors")
    with file_access.replacing(path) as file:
        file.write(outcome.checkpoint)
    member.fit_from(path, member.callbacks, n_threads, is_checked=True)
    member.epochs_elsewhere += outcome.epochs_run
