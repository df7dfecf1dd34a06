"""Recipes that take long: how far dense networks get on the digits. `benchmarks.accuracy --long` follows them.

They were chosen on the last 10,000 training images (``--validate``); the figures are those of networks that
learned from all 60,000. Each recipe with each seed is a run of its own, and its result a file: several processes
may share the runs, and what was broken off goes on with the runs that are left.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cynn
from benchmarks.table import Table
from cynn import kernels

SEEDS = (0, 1, 2)
VALIDATION_IMAGES = 10_000
QUICK_IMAGES = 1_000


@dataclass(frozen=True)
class Recipe:
    network: str
    setting: str  # all that its results depend on
    published: str
    target: float  # accuracy
    epochs: int
    build: Callable[[int], cynn.Network]  # from a seed
    settings: Callable[[], dict[str, Any]]  # of fit


@dataclass(frozen=True)
class Result:
    setting: str
    accuracy: float
    seconds: float
    cpu_seconds: float  # of all threads
    kernels: str


def dropout_network(seed: int) -> cynn.Network:
    layers: list[Any] = [cynn.Input(784, scale=1 / 255), cynn.GaussianNoise(0.3)]
    for _ in range(3):
        dense = cynn.Dense(1024, use_bias=False, constraint=cynn.constraints.MaxNorm(2.0))
        layers += [dense, cynn.BatchNorm(), cynn.Activation("relu"), cynn.Dropout(0.5)]
    return cynn.Network([*layers, cynn.Dense(10, "softmax")], seed=seed)


def dropout_settings() -> dict[str, Any]:
    return {
        "optimizer": cynn.optimizers.Adam(cynn.schedules.OneCycle(0.002)),
        "loss": cynn.losses.CrossEntropy(label_smoothing=0.1),
        "batch_size": 128,
    }


def elastic_network(seed: int) -> cynn.Network:
    return cynn.Network.mlp([784, 800, 10], activation="relu", output="softmax", input_scale=1 / 255, seed=seed)


def elastic_settings() -> dict[str, Any]:
    from benchmarks.distortions import Distortions  # needs SciPy

    optimizer = cynn.optimizers.Adam(cynn.schedules.OneCycle(0.002))
    return {"optimizer": optimizer, "batch_size": 128, "transform": Distortions()}


def lecture_network(seed: int) -> cynn.Network:
    return cynn.Network.mlp([784, 16, 16, 10], activation="mish", output="softmax", input_scale=1 / 255, seed=seed)


def lecture_settings() -> dict[str, Any]:
    rate = cynn.schedules.OneCycle(0.02)
    optimizer = cynn.optimizers.AdamW(rate, weight_decay=0.1, use_ema=True, ema_momentum=0.9995)
    return {"optimizer": optimizer, "batch_size": 128}


RECIPES = {
    "dropout": Recipe(
        "784-1024-1024-1024-10 relu, dropout, max-norm",
        "noise, batch norm, Adam, one cycle up to 0.002, label smoothing 0.1, batch 128, 60 epochs",
        "98.94 %",  # Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", 2014
        0.9885,
        60,
        dropout_network,
        dropout_settings,
    ),
    "elastic": Recipe(
        "784-800-10 relu, elastic distortions",
        "Adam, one cycle up to 0.002, batch 128, 40 epochs",
        "99.3 %",  # Simard et al., "Best practices for convolutional neural networks", 2003, with sigmoids
        0.991,
        40,
        elastic_network,
        elastic_settings,
    ),
    "lecture": Recipe(
        "784-16-16-10 mish",
        "AdamW, one cycle up to 0.02, weight decay 0.1, average of weights, batch 128, 100 epochs",
        "about 96 %",
        0.968,
        100,
        lecture_network,
        lecture_settings,
    ),
}


@dataclass(frozen=True)
class Trials:
    """Runs of recipes, and where their results are."""

    folder: Path
    validate: bool = False  # judge by training images that are kept from training
    quick: bool = False  # one epoch on few images, to see that it works
    n_threads: int | None = None

    def run(self, names: Iterable[str], seeds: Iterable[int]) -> None:
        """Those of which there is no result yet."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for seed in seeds:
            for name in names:
                if self.result(name, seed) is None:
                    result = json.dumps(asdict(self._run(name, seed)), indent=2)
                    self._file(name, seed).write_text(result + "\n", encoding="utf-8")

    def result(self, name: str, seed: int) -> Result | None:
        """What is stored; None, too, where it came about in another way."""
        if not self._file(name, seed).exists():
            return None
        result = Result(**json.loads(self._file(name, seed).read_text(encoding="utf-8")))
        return result if result.setting == self._setting(RECIPES[name]) else None

    def table(self) -> Table:
        """All results."""
        header = ["network", "setting", "accuracy", "of each seed", "published", "target", "so", "CPU seconds"]
        table = Table("Accuracy, the median of the seeds", header, words=2)
        for name, recipe in RECIPES.items():
            results = [result for seed in SEEDS if (result := self.result(name, seed)) is not None]
            if not results:
                continue
            reached = statistics.median(result.accuracy for result in results)
            row = [recipe.network, self._setting(recipe), f"{100 * reached:.2f} %"]
            row += [", ".join(f"{100 * result.accuracy:.2f}" for result in results)]
            row += [recipe.published, f"{100 * recipe.target:.2f} %"]
            row += ["reached" if reached >= recipe.target else "missed"]
            row += [f"{statistics.median(result.cpu_seconds for result in results):,.0f}"]
            table.rows.append(row)
        return table

    def _run(self, name: str, seed: int) -> Result:
        recipe = RECIPES[name]
        (x, y), (x_test, y_test) = cynn.datasets.load_mnist()
        if self.validate:
            x, x_test = x[:-VALIDATION_IMAGES], x[-VALIDATION_IMAGES:]
            y, y_test = y[:-VALIDATION_IMAGES], y[-VALIDATION_IMAGES:]
        epochs = recipe.epochs
        if self.quick:
            x, y, epochs = x[:QUICK_IMAGES], y[:QUICK_IMAGES], 1
        net = recipe.build(seed)
        started, cpu_started = time.perf_counter(), time.process_time()
        log = cynn.callbacks.CSVLogger(self.folder / f"{name}-{seed}.csv")  # to be looked at meanwhile
        settings = recipe.settings() | {"callbacks": [log], "progress": False, "n_threads": self.n_threads}
        net.fit(x, y, epochs=epochs, **settings)
        seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
        accuracy = net.evaluate(x_test, y_test, metrics=["accuracy"])["accuracy"]
        return Result(self._setting(recipe), accuracy, seconds, cpu_seconds, kernels.level)

    def _setting(self, recipe: Recipe) -> str:
        return recipe.setting + ", validating" * self.validate + ", quick" * self.quick

    def _file(self, name: str, seed: int) -> Path:
        return self.folder / f"{name}-{seed}.json"
