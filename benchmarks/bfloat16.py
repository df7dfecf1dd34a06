"""A step of L, and predictions, with ``compute="bfloat16"`` beside float32: ``python -m benchmarks.bfloat16``.

Needs a processor with AMX. Rounds of both alternate, and each figure is the median of its rounds.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import cynn
from benchmarks.table import Table

SIZES, BATCH, STEPS = [784, 1024, 1024, 10], 256, 40


def measured(rounds: int, n_threads: int, now: Any) -> list[list[str]]:
    """A row of the table for the step, and one for predictions."""
    (x, y), _ = cynn.datasets.load_mnist()
    x, y = x[: BATCH * STEPS], y[: BATCH * STEPS]
    networks = [
        cynn.Network.mlp(SIZES, output="softmax", input_scale=1 / 255, seed=0, compute=compute)
        for compute in (None, "bfloat16")
    ]
    calls = {
        "a step of L": lambda net: net.fit(
            x, y, epochs=1, batch_size=BATCH, optimizer=cynn.optimizers.SGD(0.01), n_threads=n_threads, progress=False
        ),
        f"{len(x):,} predictions": lambda net: net.predict(x, n_threads=n_threads),
    }
    found = []
    for (name, call), of in zip(calls.items(), (STEPS, 1), strict=True):
        times: list[list[float]] = [[], []]
        for round in range(rounds + 1):
            for net, own in zip(networks, times, strict=True):
                begin = now()
                call(net)
                if round:  # the first makes plans
                    own.append((now() - begin) / of * 1e3)
        before, after = map(statistics.median, times)
        found.append([name, str(n_threads), f"{before:.2f}", f"{after:.2f}", f"{before / after:.2f}"])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="compute='bfloat16' beside float32.")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--cpu-time", action="store_true", help="the CPU's time, for a busy machine")
    options = parser.parse_args()
    now = time.process_time if options.cpu_time else time.perf_counter
    columns = ["", "threads", "float32, ms", "bfloat16, ms", "times as fast"]
    rows = [row for n_threads in options.threads for row in measured(options.rounds, n_threads, now)]
    print(Table("784-1024-1024-10, batch 256", columns, rows).text())


if __name__ == "__main__":
    main()
