"""One interface to the engines that run tasks: executors of `concurrent.futures`, Dask clients, `joblib.Parallel`."""

from __future__ import annotations

import concurrent.futures
import importlib
import itertools
import os
import sys
from collections.abc import Iterator
from typing import Any

from cynn.distributed.shared_data import Sent, to_file
from cynn.distributed.task import Outcome, Task, run
from cynn.errors import InvalidParameterError, shown

__all__ = ["Engine", "of"]

# A chunk of tasks takes at least this long, so that sending it costs little.
_SECONDS_PER_CHUNK = 0.1
# The number of chunks that are queued for each worker, so that it never waits for the next one.
_CHUNKS_PER_WORKER = 2


class Engine:
    """Runs tasks, and sends their data only once.

    Parameters
    ----------
    executor : object
        As for `fit_many`.
    folder : str
        A folder for files with data.
    """

    def __init__(self, executor: Any, folder: str) -> None:
        self.executor, self.folder = executor, folder
        self._files = itertools.count()

    def hand_over(self, data: Any) -> Any:
        """Make a source for `run` from data."""
        return to_file(data, os.path.join(self.folder, f"data-{next(self._files)}"))

    def run(self, tasks: list[Task], sources: list[Any]) -> Iterator[Outcome]:
        """Run the tasks; yield the outcomes as they arrive.

        Raises
        ------
        concurrent.futures.BrokenExecutor
            A worker was lost, and its task was not repeated.
        """
        raise InvalidParameterError(
            "The 'executor' parameter of fit_many must be a concurrent.futures.Executor, a Dask Client or a "
            f"joblib.Parallel. Got {shown(self.executor)} instead."
        )

    def renew(self) -> bool:
        """Start new workers in place of lost ones. False if this engine cannot."""
        return False


class ExecutorEngine(Engine):
    """An executor of `concurrent.futures`, mpi4py or loky."""

    def run(self, tasks: list[Task], sources: list[Any]) -> Iterator[Outcome]:
        waiting, pending = iter(tasks), set[Any]()
        per_chunk, seconds, done, n_workers = 1, 0.0, 0, _workers_of(self.executor)
        while True:
            for _ in range(_CHUNKS_PER_WORKER * n_workers - len(pending)):
                chunk = list(itertools.islice(waiting, per_chunk))
                if not chunk:
                    break
                pending.add(self.submit(chunk, sources))
            if not pending:
                return
            finished, pending = concurrent.futures.wait(pending, return_when=concurrent.futures.FIRST_COMPLETED)
            try:
                # failed tasks come last, so that no finished task is lost
                for future in sorted(finished, key=lambda future: future.exception() is not None):
                    for outcome in future.result():
                        seconds, done = seconds + outcome.seconds, done + 1
                        yield outcome
            except BaseException:
                for future in pending:
                    future.cancel()
                raise
            per_chunk = max(1, round(_SECONDS_PER_CHUNK / max(seconds / done, 1e-6)))
            # the last tasks are spread over all workers
            per_chunk = max(1, min(per_chunk, (len(tasks) - done) // (2 * n_workers)))

    def submit(self, chunk: list[Task], sources: list[Any]) -> Any:
        """Give a chunk of tasks to a worker; return a future."""
        return self.executor.submit(run, chunk, sources)

    def renew(self) -> bool:
        """Loky makes a new executor when workers of the last one are lost."""
        module = sys.modules.get(type(self.executor).__module__.partition(".reusable")[0])
        make = getattr(module, "get_reusable_executor", None)
        if make is None:
            return False
        self.executor = make(max_workers=_workers_of(self.executor))
        return True


class DaskEngine(ExecutorEngine):
    """A Dask client. If a worker is lost, another one repeats its task."""

    def __init__(self, executor: Any, folder: str) -> None:
        super().__init__(executor.get_executor(pure=False, retries=2), folder)
        self.client = executor

    def hand_over(self, data: Any) -> Any:
        if "distributed.LocalCluster" in _names_of_classes(self.client.cluster):  # all its workers can map one file
            return super().hand_over(data)
        return self.client.scatter(Sent(data), broadcast=True, hash=False)


class JoblibEngine(Engine):
    """A `joblib.Parallel`, which combines short tasks to chunks itself."""

    def run(self, tasks: list[Task], sources: list[Any]) -> Iterator[Outcome]:
        delayed = importlib.import_module("joblib").delayed
        for outcomes in self.executor(delayed(run)([task], sources) for task in tasks):
            yield from outcomes

    def renew(self) -> bool:
        """Joblib starts new workers in its next call."""
        return True


def _workers_of(executor: Any) -> int:
    client = getattr(executor, "_client", None)  # of Dask
    if client is not None:
        return max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
    return getattr(executor, "_max_workers", None) or getattr(executor, "num_workers", None) or os.cpu_count() or 1


def _names_of_classes(value: Any) -> set[str]:
    """The class of an object and its bases, each behind the name of its package."""
    return {f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in type(value).__mro__}


def of(executor: Any, folder: str) -> Engine:
    """The engine for an executor, by its class: none of the libraries is imported."""
    kinds = _names_of_classes(executor)
    if "distributed.Client" in kinds:
        return DaskEngine(executor, folder)
    if "joblib.Parallel" in kinds:
        return JoblibEngine(executor, folder)
    if isinstance(executor, concurrent.futures.Executor):
        return ExecutorEngine(executor, folder)
    return Engine(executor, folder)
