"""Runs a workload: one process a library, the rounds interleaved."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import peers
from benchmarks.workloads import BLAS, CYNN, Contender, Workload

ROOT = Path(__file__).parents[1]
SECONDS_OF_REST = 0.02  # between two turns, for the threads of the one before to go to sleep


@dataclass
class Measured:
    """One contender's figures: the seconds a step of every round, and what goes with them."""

    peer: str
    n_threads: int
    version: str
    first_call_seconds: float
    rounds: list[float] = field(default_factory=list)
    core_shares: list[float] = field(default_factory=list)
    check: float = 0.0

    @property
    def seconds(self) -> float:
        return statistics.median(self.rounds)

    @property
    def core_share(self) -> float:
        """The part of its core that it got, in the middle: less than 1 where others were at work."""
        return statistics.median(self.core_shares)


@dataclass
class Result:
    """What came out of one workload."""

    workload: str
    steps: int
    measured: list[Measured]
    square_gflops: list[float]
    product_rounds: list[list[float]]
    blas_core_shares: list[float]
    failures: dict[str, str]

    def of(self, peer: str, n_threads: int | None = None) -> Measured | None:
        """The figures of a contender, or None."""
        for measured in self.measured:
            if measured.peer == peer and n_threads in (None, measured.n_threads):
                return measured
        return None

    @property
    def gflops(self) -> float | None:
        """Of the BLAS, on large square products."""
        return statistics.median(self.square_gflops) if self.square_gflops else None

    @property
    def blas_core_share(self) -> float | None:
        """The part of its cores that the BLAS got."""
        return statistics.median(self.blas_core_shares) if self.blas_core_shares else None

    @property
    def product_seconds(self) -> list[float]:
        """Of the BLAS, on one thread, for each matrix product of a step."""
        return [statistics.median(of_one) for of_one in zip(*self.product_rounds, strict=True)]


class WorkerError(Exception):
    """A worker has died; the message is its last line."""


class WorkerProcess:
    def __init__(self, contender: Contender) -> None:
        self.contender = contender
        n = str(contender.n_threads)
        settings = dict.fromkeys(
            ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"], n
        )
        if contender.n_threads == 1:
            settings["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            cwd=ROOT,
            env=os.environ | settings | {"JAX_PLATFORMS": "cpu"},
        )

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Send a command and wait for the answer."""
        assert self.process.stdin and self.process.stdout
        try:
            self.process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            self.errors.seek(0)
            lines = self.errors.read().decode(errors="replace").strip().splitlines()
            raise WorkerError(lines[-1] if lines else f"exit code {self.process.wait()}")
        return dict(json.loads(answer))

    def close(self) -> None:
        """End the process: its input ends."""
        assert self.process.stdin and self.process.stdout
        try:
            self.process.stdin.close()
            self.process.wait(10)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.errors.close()


def measure(workload: Workload, chosen: list[str], rounds: int, quick: bool, cpu_time: bool) -> Result:
    """All rounds of one workload. A library that fails is left out, and named.

    With `cpu_time`, the figures of one-thread contenders are the CPU's time, for a busy machine.
    """
    result = Result(workload.name, workload.steps, [], [], [], [], {})
    contenders = [c for c in workload.contenders if c.peer in (CYNN, *chosen) and peers.is_installed(c.peer)]
    if workload.measures_blas:
        contenders.append(Contender(BLAS, workload.n_threads))
    workers: list[WorkerProcess] = []
    of_worker: dict[int, Measured] = {}
    try:
        for contender in contenders:
            worker = WorkerProcess(contender)
            try:
                started = worker.ask(
                    "start",
                    workload=asdict(workload),
                    peer=contender.peer,
                    n_threads=contender.n_threads,
                    quick=quick,
                    cpu_time=cpu_time,
                )
            except WorkerError as error:
                result.failures[contender.peer] = str(error)
                worker.close()
                continue
            workers.append(worker)
            if contender.peer != BLAS:
                of_worker[id(worker)] = Measured(contender.peer, contender.n_threads, **started)
        for _ in range(rounds):
            for worker in list(workers):
                time.sleep(SECONDS_OF_REST)
                try:
                    answer = worker.ask("round")
                except WorkerError as error:
                    result.failures[worker.contender.peer] = str(error)
                    worker.close()
                    workers.remove(worker)
                    continue
                if measured := of_worker.get(id(worker)):
                    as_cpu_time = cpu_time and workload.n_threads == 1 and not workload.against_itself
                    seconds = answer["seconds"] * (answer["core_share"] if as_cpu_time else 1)
                    measured.rounds.append(seconds)
                    measured.core_shares.append(answer["core_share"])
                else:
                    result.square_gflops.append(answer["square_gflops"])
                    result.product_rounds.append(answer["product_seconds"])
                    result.blas_core_shares.append(answer["core_share"])
        for worker in workers:
            if measured := of_worker.get(id(worker)):
                measured.check = worker.ask("check")["check"]
                result.measured.append(measured)
    finally:
        for worker in workers:
            worker.close()
    return result
