"""What a step costs with a layer or a clip more: ``python -m benchmarks.layers``.

Rounds of the same epochs on 784-128-64-10 (relu, batch 128, float32, one thread), interleaved: plain, with a
`Dropout`, `BatchNorm` or `LayerNorm` behind each of the two hidden layers, and with each way to clip gradients.
Dropout, batch normalization and clipping are to cost at most 15 % of the plain step.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np

import cynn
from benchmarks.table import Table

BATCH, STEPS = 128, 40
TARGET = 1.15

LAYERS: dict[str, Callable[[], cynn.layers.Layer]] = {
    "Dropout": lambda: cynn.Dropout(0.5),
    "BatchNorm": cynn.BatchNorm,
    "LayerNorm": cynn.LayerNorm,
}
# So large that the gradients stay what they are: only the work counts.
CLIPS = ("clipvalue", "clipnorm", "global_clipnorm")
OPTIMIZERS = {"SGD": cynn.optimizers.SGD, "Adam": cynn.optimizers.Adam}


def main() -> int:
    parser = argparse.ArgumentParser(description="What a step costs with a layer or a clip more.")
    parser.add_argument("--rounds", type=int, default=31, metavar="N", help="(default: %(default)s)")
    parser.add_argument("--steps", type=int, default=STEPS, metavar="N", help="in a round (default: %(default)s)")
    options = parser.parse_args()
    for name in OPTIMIZERS:
        print(step_times(name, options.rounds, options.steps).text(), end="\n\n")
    return 0


def step_times(optimizer: str, rounds: int, steps: int) -> Table:
    """The median time of a step, and of its ratio to the plain one of the same round."""
    generator = np.random.default_rng(0)
    x = generator.integers(0, 256, (steps * BATCH, 784), dtype=np.uint8)
    y = generator.integers(10, size=len(x))
    cases: dict[str, tuple[cynn.Network, Any]] = {"plain": (_network(), OPTIMIZERS[optimizer](0.001))}
    cases |= {name: (_network(layer), OPTIMIZERS[optimizer](0.001)) for name, layer in LAYERS.items()}
    cases |= {name: (_network(), OPTIMIZERS[optimizer](0.001, **{name: 1e6})) for name in CLIPS}
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for round_ in range(rounds + 1):
        for name, (net, own) in cases.items():
            history = net.fit(x, y, optimizer=own, epochs=1, batch_size=BATCH, progress=False, n_threads=1)
            if round_:  # the first one warms up
                seconds[name].append(history["seconds"][0] / steps)
    table = Table(
        f"Step of 784-128-64-10, batch 128, one thread, {optimizer}", ["with", "µs", "over plain", "target"]
    )
    for name, times in seconds.items():
        ratio = statistics.median(own / plain for own, plain in zip(times, seconds["plain"], strict=True))
        target = "" if name in ("plain", "LayerNorm") else f"<= {TARGET}"
        table.rows.append([name, f"{1e6 * statistics.median(times):.0f}", f"{ratio:.3f}", target])
    return table


def _network(between: Callable[[], cynn.layers.Layer] | None = None) -> cynn.Network:
    layers: list[Any] = [cynn.Input(784, scale=1 / 255)]
    for units in (128, 64):
        layers.append(cynn.Dense(units, "relu"))
        if between is not None:
            layers.append(between())
    return cynn.Network([*layers, cynn.Dense(10, "softmax")], seed=0)


if __name__ == "__main__":
    raise SystemExit(main())
