"""What a person waits for: seconds until a network is accurate enough, ``python -m benchmarks.accuracy --time``.

Each library trains the same network by the same recipe, Adam in shuffled batches, in a process of its own, with the
threads and the initial weights that it takes by itself. After each epoch it computes the accuracy on the 10,000 test
images, which is in the time. One round is one process for each library and recipe.
"""

from __future__ import annotations

import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import cynn
from benchmarks.table import Table
from benchmarks.time_worker import LIBRARIES


@dataclass(frozen=True)
class Recipe:
    """A network, how it is trained, and the accuracies to reach, the greatest of them last."""

    sizes: tuple[int, ...]
    activation: str
    learning_rate: float
    batch_size: int
    targets: tuple[float, ...]
    epochs: int  # at most


RECIPES = (
    Recipe((784, 16, 16, 10), "sigmoid", 0.003, 32, (0.95,), 30),
    Recipe((784, 128, 64, 10), "relu", 0.001, 128, (0.975, 0.98), 40),
)


def time_table(
    rounds: int,
    recipes: Iterable[Recipe] = RECIPES,
    libraries: Iterable[str] = tuple(LIBRARIES),
    images: int | None = None,
) -> Table:
    """The median seconds of each library, over rounds that differ in the seed.

    Parameters
    ----------
    rounds : int
    recipes : list of Recipe
    libraries : list of str
        Those of `LIBRARIES` that take part, if they are installed.
    images : int, optional
        To train on; all by default.
    """
    header = ["network", "library", "accuracy", "epochs", "imports, s", "then, s", "together, s"]
    table = Table("Seconds to an accuracy on the test images", header, words=2)
    installed = [name for name in libraries if importlib.util.find_spec(name)]
    with tempfile.TemporaryDirectory() as folder:
        _write(folder, images)
        for recipe in recipes:
            found: dict[str, list[Any]] = {library: [] for library in installed}
            for seed in range(rounds):
                for library, of_library in found.items():
                    of_library.append(_trained(library, recipe, folder, seed))
            for library, of_library in found.items():
                table.rows += _rows(library, recipe, of_library)
    table.note = f"Medians of {rounds} rounds. A dash: a round did not get there."
    if missing := [name for name in libraries if name not in installed]:
        table.note += f" Not installed: {', '.join(missing)}."
    return table


def _write(folder: str, images: int | None) -> None:
    (x, y), (x_test, y_test) = cynn.datasets.load_mnist()
    for name, array in {"x": x[:images], "y": y[:images], "x_test": x_test, "y_test": y_test}.items():
        np.save(Path(folder, name), array)


def _trained(library: str, recipe: Recipe, folder: str, seed: int) -> dict[str, Any]:
    given = asdict(recipe) | {"folder": folder, "seed": seed, "target": recipe.targets[-1]}
    command = [sys.executable, "-m", "benchmarks.time_worker", library]
    done = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _rows(library: str, recipe: Recipe, found: list[dict[str, Any]]) -> list[list[str]]:
    imports = statistics.median(one["imports"] for one in found)
    rows = []
    for target in recipe.targets:
        reached = [at for one in found if (at := first_at(one["epochs"], target))]
        epochs = then = together = "-"
        if len(reached) == len(found):
            seconds = statistics.median(at[1] for at in reached)
            epochs = f"{statistics.median(at[0] for at in reached):g}"
            then, together = f"{seconds:.2f}", f"{imports + seconds:.2f}"
        network = "-".join(map(str, recipe.sizes))
        rows.append([network, library, f"{100 * target:g} %", epochs, f"{imports:.2f}", then, together])
    return rows


def first_at(epochs: list[tuple[float, float]], target: float) -> tuple[int, float] | None:
    """The first epoch, from 1, with that accuracy, and the seconds at its end; None if there is none."""
    for number, (seconds, accuracy) in enumerate(epochs, start=1):
        if accuracy >= target:
            return number, seconds
    return None
