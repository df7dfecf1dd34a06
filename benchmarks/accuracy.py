"""How well networks learn the digits: ``python -m benchmarks.accuracy``.

``--long`` follows the recipes of `benchmarks.long_accuracy` instead, which take hours. ``--time`` prints the seconds
until a network is accurate enough, beside other libraries: see `benchmarks.time_to_accuracy`.

Nielsen's quadratic cost is ½‖prediction - target‖², CyNN's mean squared error the mean over the 10 outputs:
2/10 of his, so that his learning rate 3.0 is 3.0 · 10/2 = 15 here. Like him, these networks learn from the
first 50,000 images. They begin with CyNN's initial weights; ``--nielsen`` gives them his of chapter 1,
which are normally distributed with deviation 1.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import cynn
from benchmarks.long_accuracy import RECIPES, SEEDS, Trials
from benchmarks.table import Table
from benchmarks.time_to_accuracy import time_table
from cynn import cli

NIELSEN_RATE, NIELSEN_IMAGES = 3.0, 50_000


@dataclass(frozen=True)
class Case:
    network: str
    setting: str
    target: float
    train: Callable[[int, bool], cynn.Network]  # of the seed, and whether with Nielsen's weights


def as_cynn_train(seed: int, nielsen: bool) -> cynn.Network:
    """The network of ``cynn train`` without other options than the seed."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "digits.safetensors")
        with contextlib.redirect_stdout(io.StringIO()):
            cli.main(["train", "--seed", str(seed), "--output", str(output)])
        return cynn.load(output)


def as_nielsen(units: int, seed: int, nielsen: bool) -> cynn.Network:
    """Chapter 1 of his book: sigmoids, quadratic cost, plain SGD."""
    net = _network([784, units, 10], "sigmoid", "sigmoid", seed)
    if nielsen:
        generator = np.random.default_rng(seed)
        for layer in net.layers:
            layer.weights = generator.normal(size=layer.weights.shape)
            layer.biases = generator.normal(size=layer.biases.shape)
    (x, y), _ = cynn.datasets.load_mnist()
    x, y = x[:NIELSEN_IMAGES], y[:NIELSEN_IMAGES]
    target = np.eye(10)[y]
    optimizer = cynn.optimizers.SGD(learning_rate=NIELSEN_RATE * 10 / 2)
    return _fitted(net, x, target, loss="mean_squared_error", optimizer=optimizer, epochs=30, batch_size=10)


def with_adam(seed: int, nielsen: bool) -> cynn.Network:
    """A network of today's kind."""
    net = _network([784, 128, 64, 10], "relu", "softmax", seed)
    (x, y), _ = cynn.datasets.load_mnist()
    optimizer = cynn.optimizers.Adam(learning_rate=0.001)
    return _fitted(net, x, y, loss="cross_entropy", optimizer=optimizer, epochs=10, batch_size=128)


def _network(sizes: list[int], activation: str, output: str, seed: int) -> cynn.Network:
    return cynn.Network.mlp(sizes, activation=activation, output=output, input_scale=1 / 255, seed=seed)


def _fitted(net: cynn.Network, x: Any, y: Any, **settings: Any) -> cynn.Network:
    net.fit(x, y, progress=False, **settings)
    return net


CASES = [
    Case("784-16-16-10 sigmoid", "as cynn train runs it", 0.955, as_cynn_train),
    Case("784-30-10 sigmoid, quadratic", "SGD 3.0, batch 10, 30 epochs", 0.950, partial(as_nielsen, 30)),
    Case("784-100-10 sigmoid, quadratic", "SGD 3.0, batch 10, 30 epochs", 0.965, partial(as_nielsen, 100)),
    Case("784-128-64-10 relu", "Adam 1e-3, batch 128, 10 epochs", 0.977, with_adam),
]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy")
    parser.add_argument("--nielsen", action="store_true", help="Nielsen's initial weights for his networks")
    parser.add_argument("--time", type=int, nargs="?", const=3, metavar="ROUNDS", help="seconds to an accuracy (3)")
    long = parser.add_argument_group("recipes that take long")
    long.add_argument("--long", nargs="*", choices=RECIPES, metavar="RECIPE", help=", ".join(RECIPES))
    long.add_argument("--seeds", nargs="+", type=int, default=SEEDS, metavar="SEED")
    long.add_argument("--results", type=Path, default=Path("accuracy-results"), metavar="FOLDER")
    long.add_argument("--validate", action="store_true", help="train on 50,000 images, and judge by the next 10,000")
    long.add_argument("--quick", action="store_true", help="one epoch on few images")
    long.add_argument("--threads", type=int)
    options = parser.parse_args()
    if options.time is not None:
        print(time_table(options.time).text())
        return
    if options.long is None:
        print(short_table(options.nielsen).text())
        return
    trials = Trials(options.results, options.validate, options.quick, options.threads)
    trials.run(options.long or RECIPES, options.seeds)
    print(trials.table().text())


def short_table(nielsen: bool) -> Table:
    """Runs all cases."""
    header = ["network", "setting", "accuracy", "of each seed", "target", "so", "seconds"]
    table = Table("Test accuracy, the median of 3 seeds", header, words=2)
    _, (x, y) = cynn.datasets.load_mnist()
    for case in CASES:
        accuracies, seconds = [], []
        for seed in SEEDS:
            started = time.perf_counter()
            net = case.train(seed, nielsen)
            seconds.append(time.perf_counter() - started)
            accuracies.append(net.evaluate(x, y, metrics=["accuracy"])["accuracy"])
        reached = statistics.median(accuracies)
        of_each = ", ".join(f"{100 * accuracy:.2f}" for accuracy in accuracies)
        row = [case.network, case.setting, f"{100 * reached:.2f} %", of_each, f"{100 * case.target:.1f} %"]
        verdict = "reached" if reached >= case.target else "missed"
        table.rows.append([*row, verdict, f"{statistics.median(seconds):.1f}"])
    return table


if __name__ == "__main__":
    main()
