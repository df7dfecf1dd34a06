"""What CyNN is meant to reach, as ratios within one run."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.rounds import Measured, Result
from benchmarks.workloads import CYNN, WORKLOADS

BEST_PEER = "best peer"
SGEMM = "sgemm rate"
ONE_THREAD = "1 thread"


@dataclass(frozen=True)
class Target:
    """At least so many times as fast; or, against the sgemm rate, at least that part of it."""

    workload: str
    against: str
    at_least: float

    def shown(self, value: float) -> str:
        return f"{100 * value:.0f} %" if self.against == SGEMM else f"{value:.2f}x"

    def reached(self, result: Result) -> float | None:
        """How far CyNN got, or None where that was not measured."""
        cynn = result.of(CYNN)
        if cynn is None:
            return None
        if self.against == SGEMM:
            operations = WORKLOADS[self.workload].floating_point_operations
            return operations / cynn.seconds / 1e9 / result.gflops if result.gflops else None
        if self.against == ONE_THREAD:
            several = next((m for m in result.measured if m.n_threads > 1), None)
            return cynn.seconds / several.seconds if several else None
        others: list[Measured | None] = [result.of(self.against)]
        if self.against == BEST_PEER:
            others = [m for m in result.measured if m.peer != CYNN]
        return min((other.seconds / cynn.seconds for other in others if other), default=None)


TARGETS = [
    Target("S", "torch", 50),
    Target("S", "jax", 4),
    Target("S", "numpy", 9),
    Target("S32", "torch", 16),
    Target("S32", "jax", 2.5),
    Target("S32", "numpy", 4),
    Target("M", BEST_PEER, 1.25),
    Target("M", SGEMM, 0.90),
    Target("M2", BEST_PEER, 2.2),
    Target("L", BEST_PEER, 1.05),
    Target("L", SGEMM, 0.95),
    Target("L2", BEST_PEER, 1.2),
    Target("C", "torch", 40),
    Target("C", "jax", 2.5),
    Target("C", "numpy", 10),
    Target("predict-1", "onnxruntime", 6),
    Target("predict-10000", "onnxruntime", 1.5),
    Target("predict-10000", "jax", 1.3),
    Target("predict-1-small", "onnxruntime", 6),
    Target("M-threads", ONE_THREAD, 1.8),
    Target("S-threads", ONE_THREAD, 0.95),
]
