"""How fast the BLAS multiplies matrices: the yardstick for a training step."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from benchmarks.workloads import Workload
from cynn.kernels import blas

SHORTEST_SECONDS = 0.01  # of a timing: a small product is repeated for so long


class BlasRate:
    """Times products in float32 or float64, as the workload has it."""

    version = ""

    def __init__(self, workload: Workload, n_threads: int, quick: bool, cpu_time: bool) -> None:
        self.now = time.process_time if cpu_time and n_threads == 1 else time.perf_counter
        side = 1024 if quick else 2048
        dtype = np.dtype(workload.dtype)
        self.n_threads = n_threads
        self.pool = ThreadPoolExecutor(n_threads)
        self.operations = 2 * side**3
        self.square = [_operands(side, side, side, False, False, dtype) for _ in range(n_threads)]
        self.products = [
            (_operands(m, n, k, of_a, of_b, dtype), of_a, of_b)
            for _, m, n, k, of_a, of_b in workload.products
        ]
        self.nothing = (_operands(2, 2, 2, False, False, dtype), False, False)

    def measure(self) -> dict[str, Any]:
        """GFLOP/s of a large square product on every thread, and the seconds of each product of the step."""
        overhead = self._seconds(*self.nothing)
        products = [max(self._seconds(*product) - overhead, 0.0) for product in self.products]
        started, cpu_started, wall_started = self.now(), time.process_time(), time.perf_counter()
        list(self.pool.map(lambda operands: blas.matmul(*operands), self.square))
        seconds = self.now() - started
        cpu_seconds, wall_seconds = time.process_time() - cpu_started, time.perf_counter() - wall_started
        return {
            "square_gflops": self.n_threads * self.operations / seconds / 1e9,
            "product_seconds": products,
            "core_share": cpu_seconds / wall_seconds / self.n_threads,
        }

    def _seconds(self, operands: tuple[Any, Any, Any], transpose_a: bool, transpose_b: bool) -> float:
        repeats = 1
        while True:
            started = self.now()
            for _ in range(repeats):
                blas.matmul(*operands, transpose_a=transpose_a, transpose_b=transpose_b)
            elapsed = self.now() - started
            if elapsed >= SHORTEST_SECONDS:
                return elapsed / repeats
            repeats *= 2 if elapsed == 0 else min(100, int(1.5 * SHORTEST_SECONDS / elapsed) + 1)


def _operands(
    m: int, n: int, k: int, transpose_a: bool, transpose_b: bool, dtype: Any
) -> tuple[Any, Any, Any]:
    generator = np.random.default_rng(0)
    shapes = ((k, m) if transpose_a else (m, k), (n, k) if transpose_b else (k, n), (m, n))
    a, b, c = (generator.random(shape).astype(dtype) for shape in shapes)
    return a, b, c
