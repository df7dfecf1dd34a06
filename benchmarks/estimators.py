"""Estimators beside those of scikit-learn: ``python -m benchmarks.estimators``.

Four figures, each from interleaved rounds of one run, with the same settings and the same data on both sides:

- ``MLPClassifier().fit`` on the digits of scikit-learn, 64-64-64-10 with batches of 200, in float32 and in float64;
- one row through ``predict_proba``;
- ``partial_fit`` of one row;
- ``GridSearchCV`` of 20 candidates with two jobs: processes beside threads, both of ours.

Times are those on the clock, so that the machine should be quiet; with ``--cpu-time``, those of the processor, with
one thread on both sides.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import joblib
from sklearn import neural_network
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_limits

import cynn.sklearn
from benchmarks.table import Table

SETTINGS = {"hidden_layer_sizes": (64, 64), "batch_size": 200, "random_state": 0}
Measured = tuple[float, float]


def digits(dtype: str) -> tuple[Any, Any]:
    x, y = load_digits(return_X_y=True)
    return (x / 16).astype(dtype), y


def seconds(
    first: Callable[[], Any], second: Callable[[], Any], rounds: int, calls: int, clock: Callable[[], float]
) -> Measured:
    """The median time of a call of each, over interleaved rounds."""
    found: tuple[list[float], list[float]] = [], []
    for _ in range(rounds):
        for each, times in zip((first, second), found, strict=True):
            begin = clock()
            for _ in range(calls):
                each()
            times.append((clock() - begin) / calls)
    return statistics.median(found[0]), statistics.median(found[1])


def of_estimators(dtype: str, epochs: int, rounds: int, n_threads: int | None, clock: Any) -> dict[str, Measured]:
    """The times of scikit-learn's estimator, and those of ours."""
    x, y = digits(dtype)
    row, label = x[:1], y[:1]
    theirs, ours = (
        lambda: neural_network.MLPClassifier(max_iter=epochs, **SETTINGS).fit(x, y),
        lambda: cynn.sklearn.MLPClassifier(max_iter=epochs, n_threads=n_threads, **SETTINGS).fit(x, y),
    )
    a, b = theirs(), ours()
    predict = lambda: a.predict_proba(row), lambda: b.predict_proba(row)
    go_on = lambda: a.partial_fit(row, label), lambda: b.partial_fit(row, label)
    return {
        f"fit, {epochs} epochs, {dtype}": seconds(theirs, ours, rounds, 1, clock),
        f"predict_proba of a row, {dtype}": seconds(*predict, rounds, 200, clock),
        f"partial_fit of a row, {dtype}": seconds(*go_on, rounds, 50, clock),
    }


def of_search(epochs: int, rounds: int) -> Measured:
    """The times of a search in two processes, and in two threads of one."""
    x, y = digits("float32")
    grid = {"alpha": [1e-5, 1e-4, 1e-3, 1e-2, 1e-1], "learning_rate_init": [1e-4, 1e-3, 1e-2, 1e-1]}
    classifier = cynn.sklearn.MLPClassifier(max_iter=epochs, n_threads=1, **SETTINGS)

    def search(backend: str) -> None:
        with joblib.parallel_config(backend, n_jobs=2):
            GridSearchCV(classifier, grid, cv=3).fit(x, y)

    search("loky")  # its processes start
    return seconds(lambda: search("loky"), lambda: search("threading"), rounds, 1, time.perf_counter)


def table(epochs: int, rounds: int, cpu_time: bool) -> Table:
    """Measure it all."""
    clock, n_threads = (time.process_time, 1) if cpu_time else (time.perf_counter, None)
    found: dict[str, Measured] = {}
    with warnings.catch_warnings(), threadpool_limits(limits=n_threads):
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "Got `batch_size` less than 1")
        for dtype in ("float32", "float64"):
            found |= of_estimators(dtype, epochs, rounds, n_threads, clock)
        if not cpu_time:
            found["20 candidates, processes beside threads"] = of_search(epochs, max(1, rounds // 3))
    rows = [[what, f"{a * 1e6:,.0f}", f"{b * 1e6:,.0f}", f"{a / b:.2f}"] for what, (a, b) in found.items()]
    return Table("Estimators", ["what", "scikit-learn, µs", "CyNN, µs", "ratio"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description="Estimators beside those of scikit-learn.")
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--cpu-time", action="store_true", help="time of the processor, with one thread")
    options = parser.parse_args()
    print(table(options.epochs, options.rounds, options.cpu_time).text())


if __name__ == "__main__":
    main()
