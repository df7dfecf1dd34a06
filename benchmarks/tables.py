"""Estimators for tables beside their peers: ``python -m benchmarks.tables --data tables.npz``.

The file has the columns of each table as ``NAME/column``, and what is to be found out as ``NAME//target``: texts are
classes, numbers are values; of prices the logarithm. 70 % of the rows train, with the same share of every class, the
others test. The error is the share of wrong classes, or the root of the mean squared error over the standard deviation.

Peers are those that can be imported: scikit-learn's MLP in a usual pipeline and its HistGradientBoosting, LightGBM,
pytabkit's RealMLP_TD_S and RealMLP_TD. Times are those on the clock, and of the processor in brackets.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from benchmarks.table import Table
from cynn.sklearn import TabularClassifier, TabularRegressor

LOGARITHMS = ("diamonds",)


def read(path: str) -> dict[str, tuple[pd.DataFrame, npt.NDArray[Any]]]:
    """The tables of a file, by name: columns, and what is to be found out."""
    found = {}
    with np.load(path, allow_pickle=False) as file:
        for name in sorted({key.split("/")[0] for key in file.files}):
            y = file[f"{name}//target"]
            keys = [key for key in file.files if key.startswith(f"{name}/") and not key.startswith(f"{name}//")]
            columns = {key.split("/", 1)[1]: file[key] for key in keys}
            x = pd.DataFrame({k: pd.Categorical(v) if v.dtype.kind == "U" else v for k, v in columns.items()})
            found[name] = x, np.log(y) if name in LOGARITHMS else y
    return found


def in_pipeline(network: Any) -> Any:
    """A network behind a usual preprocessing."""
    texts = OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_include="category")
    numbers = StandardScaler(), make_column_selector(dtype_exclude="category")
    return make_pipeline(make_column_transformer(texts, numbers, sparse_threshold=0), network)


def contestants(classes: bool, seed: int) -> dict[str, Callable[[], Any]]:
    """All that take part, by name."""
    kind = 0 if classes else 1
    mlp, boosting, ours = (
        (MLPClassifier, HistGradientBoostingClassifier, TabularClassifier),
        (MLPRegressor, HistGradientBoostingRegressor, TabularRegressor),
    )[kind]
    found: dict[str, Callable[[], Any]] = {
        "CyNN fast": lambda: ours("fast", random_state=seed),
        "CyNN": lambda: ours(random_state=seed),
        "MLP": lambda: in_pipeline(mlp(random_state=seed)),
        "HistGradientBoosting": lambda: boosting(random_state=seed, categorical_features="from_dtype"),
    }
    if find_spec("lightgbm"):
        import lightgbm

        lgbm = (lightgbm.LGBMClassifier, lightgbm.LGBMRegressor)[kind]
        found["LightGBM"] = lambda: lgbm(random_state=seed, verbose=-1)
    if find_spec("pytabkit"):
        from pytabkit import (
            RealMLP_TD_Classifier,
            RealMLP_TD_Regressor,
            RealMLP_TD_S_Classifier,
            RealMLP_TD_S_Regressor,
        )

        simple, whole = (
            (RealMLP_TD_S_Classifier, RealMLP_TD_Classifier), (RealMLP_TD_S_Regressor, RealMLP_TD_Regressor)
        )[kind]  # fmt: skip
        found["RealMLP_TD_S"] = lambda: simple(random_state=seed, device="cpu")
        found["RealMLP_TD"] = lambda: whole(random_state=seed, device="cpu")
    return found


def measured(make: Callable[[], Any], x: pd.DataFrame, y: npt.NDArray[Any], seed: int) -> tuple[float, float, float]:
    """The error, and seconds of the training: on the clock, and of the processor."""
    classes = y.dtype.kind == "U"
    x_train, x_test, y_train, y_test = train_test_split(
        x, y, test_size=0.3, random_state=seed, stratify=y if classes else None
    )
    model = make()
    begin = time.perf_counter(), time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peers warn of their own concerns
        model.fit(x_train, y_train)
        seconds = time.perf_counter() - begin[0], time.process_time() - begin[1]
        predicted = np.asarray(model.predict(x_test))
    error = np.mean(predicted != y_test) if classes else np.sqrt(np.mean((predicted - y_test) ** 2)) / y_test.std()
    return float(error), *seconds


def main() -> None:
    parser = argparse.ArgumentParser(description="Estimators for tables beside their peers.")
    parser.add_argument("--data", required=True, metavar="FILE.npz")
    parser.add_argument("--tables", nargs="+", metavar="NAME", help="these alone")
    parser.add_argument("--only", nargs="+", metavar="PEER", help="these alone, such as CyNN RealMLP_TD")
    parser.add_argument("--seeds", type=int, default=3, metavar="N")
    options = parser.parse_args()
    errors: dict[str, dict[str, float]] = {}
    times: dict[str, dict[str, float]] = {}
    for name, (x, y) in read(options.data).items():
        if options.tables and name not in options.tables:
            continue
        for peer in contestants(y.dtype.kind == "U", 0):
            if options.only and peer not in options.only:
                continue
            rounds = [
                measured(contestants(y.dtype.kind == "U", seed)[peer], x, y, seed) for seed in range(options.seeds)
            ]
            error, clock, processor = np.mean(rounds, axis=0)
            errors.setdefault(peer, {})[name], times.setdefault(peer, {})[name] = error, clock
            print(f"{name:10} {peer:20} {error:.4f}  {clock:.1f} s ({processor:.1f} s)", flush=True)
    for title, figures in (("Errors", errors), ("Seconds of training", times)):
        print(table(title, figures).text())


def table(title: str, figures: dict[str, dict[str, float]]) -> Table:
    """The figures of all, with the mean of their ranks and the geometric mean of their ratios to the last."""
    names = list(next(iter(figures.values())))
    values = np.array([[figures[peer][name] for name in names] for peer in figures])
    ranks = (values[:, None] > values[None]).sum(axis=1).mean(axis=1) + 1
    with np.errstate(divide="ignore", invalid="ignore"):  # where nothing is wrong
        ratios = np.exp(np.log(values / values[-1]).mean(axis=1))
    rows = [
        [peer, *(f"{value:.4g}" for value in own), f"{rank:.2f}", f"{ratio:.3f}"]
        for peer, own, rank, ratio in zip(figures, values, ranks, ratios, strict=True)
    ]
    return Table(title, ["", *names, "mean rank", f"to {list(figures)[-1]}"], rows)


if __name__ == "__main__":
    main()
