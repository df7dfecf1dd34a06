"""A process with one library and one workload. It reads commands, and answers, in lines of JSON.

``start`` comes first and says what is measured; then ``round`` as often as wanted, and ``check``. It
sleeps in between, and leaves when its input ends.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any


class Worker:
    def start(
        self, workload: dict[str, Any], peer: str, n_threads: int, quick: bool, cpu_time: bool
    ) -> dict[str, Any]:
        _use_cores(n_threads)  # before the library is loaded, which may count them
        import time

        from benchmarks import data, peers
        from benchmarks.blas_rate import BlasRate
        from benchmarks.workloads import BLAS, Workload

        for field in ("sizes", "against_itself"):
            workload[field] = tuple(workload[field])
        self.workload = Workload(**workload)
        self.n_threads, self.round_number = n_threads, 0
        if peer == BLAS:
            self.blas = BlasRate(self.workload, n_threads, quick, cpu_time)
            return {"version": ""}
        self.data = data.load(self.workload)
        self.peer = peers.create(peer, self.workload, self.data, n_threads)
        self.rows = self.rows_to_predict()
        started = time.perf_counter()
        if self.workload.trains:
            self.peer.train(self.orders())
        else:
            self.peer.predict(self.rows[0])
        return {"version": self.peer.version, "first_call_seconds": time.perf_counter() - started}

    def orders(self) -> list[Any]:
        from benchmarks import data

        orders = list(data.orders(self.workload, self.round_number * self.workload.epochs))
        self.round_number += 1
        return orders

    def rows_to_predict(self) -> list[Any]:
        batch = self.workload.batch
        return [self.data.x[begin : begin + batch] for begin in range(0, len(self.data.x), batch)]

    def round(self) -> dict[str, Any]:
        import gc
        import time
        from itertools import cycle, islice

        if not hasattr(self, "peer"):
            return self.blas.measure()
        train, predict = self.peer.train, self.peer.predict
        orders = self.orders() if self.workload.trains else []
        rows = list(islice(cycle(self.rows), self.workload.calls))
        gc.collect()
        gc.disable()
        started, cpu_started = time.perf_counter(), time.process_time()
        if orders:
            train(orders)
        for row in rows:
            predict(row)
        seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
        gc.enable()
        return {"seconds": seconds / self.workload.steps, "core_share": cpu_seconds / seconds}

    def check(self) -> dict[str, Any]:
        """A number that comes out equal, nearly, where libraries have computed the same."""
        from benchmarks import data

        if self.workload.trains:
            return {"check": data.loss(self.workload, self.data, self.peer.parameters())}
        outputs = self.peer.predict(self.rows[0])[0]
        return {"check": float(sum(k * float(value) for k, value in enumerate(outputs, start=1)))}


def _use_cores(n: int) -> None:
    """Only so many cores, where the system can say so; the same ones for every library."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-n:])


def main() -> None:
    # What a library prints goes to stderr, so that stdout carries answers only.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    worker = Worker()
    for line in sys.stdin:
        command = json.loads(line)
        answer = getattr(worker, command.pop("do"))(**command)
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
