"""``cynn train``, ``cynn evaluate`` and ``cynn predict`` for tables."""

from __future__ import annotations

import argparse
import os
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from cynn import file_access
from cynn.callbacks import Callback
from cynn.errors import DataError, InvalidParameterError, did_you_mean, shown
from cynn.interop.needed import needed
from cynn.sklearn.tabular import TabularClassifier, TabularRegressor, load

__all__ = ["evaluate", "open_model", "predict", "train"]

_READERS = {".csv": "read_csv", ".tsv": "read_table", ".parquet": "read_parquet"}

_TEST_PART = 10  # one row in 10
_FEW_LABELS = 10  # up to this many different whole numbers are classes

#: Options of `train` that apply to networks only, not to tables.
_OF_NETWORKS = ("hidden", "activation", "output_activation", "loss", "optimizer", "constant_rate", "plot")

_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d.*)?")


def train(options: argparse.Namespace, defaults: argparse.Namespace, callbacks: Sequence[Callback]) -> int:
    """Train an estimator on a table and save it.

    Parameters
    ----------
    options, defaults : argparse.Namespace
        The given options, and the defaults.
    callbacks : list of Callback
        Of the training.
    """
    for name in _OF_NETWORKS:
        if getattr(options, name) != getattr(defaults, name):
            raise InvalidParameterError(f"--{name.replace('_', '-')} must be left out for a table. Got it instead.")
    if options.target is None:
        raise InvalidParameterError(f"--target must name a column of {options.data}. Got none.")
    output = Path(options.output or f"{Path(options.data).stem}.safetensors")
    if not output.absolute().parent.is_dir():
        raise InvalidParameterError(f"--output must be in a folder that exists. Got {str(output)!r} instead.")
    started = time.perf_counter()
    X, y = _split(_read(options.data), options.target, options.data)
    has_classes = _has_classes(y) if options.task is None else options.task == "classes"
    if has_classes and y.dtype.kind == "f":
        y = y.astype(str)  # scikit-learn does not accept fractions as labels
    order = np.random.default_rng(options.seed).permutation(len(X))
    n_test = len(X) // _TEST_PART
    if n_test == 0:
        raise DataError(f"--data must hold at least {_TEST_PART} rows. Got {len(X)} in {options.data}.")
    test, rows = order[:n_test], order[n_test:]
    given = {name: getattr(options, name) for name in ("epochs", "batch_size", "learning_rate", "weight_decay")}
    estimator: Any = (TabularClassifier if has_classes else TabularRegressor)(
        options.preset,
        **{name: value for name, value in given.items() if value is not None},
        callbacks=callbacks,
        random_state=options.seed,
        n_threads=options.threads,
        verbose=not options.quiet,
    )
    what = f"{y.nunique()} classes" if has_classes else "values"
    shape = f"{X.shape[1]} columns, {what} of {options.target}"
    print(f"{options.data}: {shape}; {len(rows):,} rows train, {n_test:,} test")
    estimator.fit(X.iloc[rows], y.iloc[rows])
    print("test", _figures(estimator, X.iloc[test], y.iloc[test]))
    estimator.save(output)
    print(f"{time.perf_counter() - started:.1f} seconds; columns and network are in {output}")
    return 0


def evaluate(options: argparse.Namespace) -> int:
    """Print the metrics of a saved estimator for a table."""
    estimator = load(options.model)
    target = options.target or estimator.target_name_
    if target is None:
        raise InvalidParameterError(f"--target must name a column of {options.data}. Got none, nor has the model one.")
    X, y = _split(_read(options.data), target, options.data)
    print(_figures(estimator, _as_in_training(estimator, X, options.data), y))
    return 0


def predict(options: argparse.Namespace) -> int:
    """Print the predictions of a saved estimator for a table, or write them to a file."""
    estimator = load(options.model)
    X = _as_in_training(estimator, _read(options.file), options.file)
    found = estimator.predict(X)
    if isinstance(estimator, TabularClassifier):
        probability = estimator.predict_proba(X).max(axis=1)
        columns = {"class": list(map(str, found)), "probability": [f"{p:.4f}" for p in probability]}
    else:
        columns = {"value": [f"{value:.6g}" for value in found]}
    if options.output is None:
        print("row", *columns, sep="\t")
        for row, cells in enumerate(zip(*columns.values(), strict=True)):
            print(row, *cells, sep="\t")
        return 0
    if Path(options.output).suffix.lower() != ".csv":
        raise InvalidParameterError(f"--output must be a .csv file for a table. Got {options.output!r} instead.")
    text = needed("pandas", "tables").DataFrame(columns).to_csv(index=False)
    with file_access.replacing(os.fspath(options.output)) as file:
        file.write(text.encode())
    return 0


def open_model(path: str) -> tuple[Any, Callable[[str], tuple[Any, Any]]]:
    """A saved estimator, and a function that reads the columns of a table for it, and labels where it has them."""
    estimator = load(path)

    def read(data: str) -> tuple[Any, Any]:
        frame, target, labels = _read(data), estimator.target_name_, None
        if isinstance(estimator, TabularClassifier) and target in frame.columns:
            frame, y = _split(frame, target, data)
            labels = y.to_numpy().astype(str) if estimator.classes_.dtype.kind == "U" else y.to_numpy()
        return _as_in_training(estimator, frame, data), labels

    return estimator, read


def _read(path: str) -> Any:
    """Read a table as a DataFrame. Text columns that contain only dates become dates."""
    reader = _READERS.get(Path(path).suffix.lower())
    if reader is None:
        raise DataError(f"A table must be a file that ends in one of {', '.join(_READERS)}. Got {path!r} instead.")
    pandas = needed("pandas", "tables")
    try:
        with file_access.open_regular(path) as file:
            frame = getattr(pandas, reader)(file)
    except (ValueError, ImportError) as error:  # not such a file, or a format for which pandas needs another package
        raise DataError(f"{path} must be a table that pandas can read. Got this instead: {error}") from error
    frame.columns = [str(name) for name in frame.columns]
    for name in frame.columns:
        texts = frame[name].dropna()
        if len(texts) and all(isinstance(text, str) and _ISO_DATE.fullmatch(text) for text in texts):
            dates = pandas.to_datetime(frame[name], format="ISO8601", utc=True, errors="coerce")
            if dates.notna().sum() == len(texts):
                frame[name] = dates
    return frame


def _split(frame: Any, target: str, path: str) -> tuple[Any, Any]:
    """Split into features and target. Rows without a target are dropped."""
    if target not in frame.columns:
        raise DataError(
            f"{path} must have the column {target!r}. Got {', '.join(map(repr, frame.columns))} instead."
            f"{did_you_mean(target, frame.columns)}"
        )
    frame = frame[frame[target].notna()]
    return frame.drop(columns=target), frame[target]


def _as_in_training(estimator: Any, frame: Any, path: str) -> Any:
    """The columns used in training, in the same order."""
    names = list(estimator.feature_names_in_)
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise DataError(
            f"{path} must have all columns of the training. Missing: {', '.join(map(repr, missing))}. "
            f"Got {', '.join(map(repr, frame.columns))}."
        )
    return frame[names]


def _has_classes(y: Any) -> bool:
    """Whether a column holds labels: texts, booleans, or few different whole numbers."""
    values: npt.NDArray[Any] = y.to_numpy()
    return values.dtype.kind not in "iuf" or (values.dtype.kind in "iu" and y.nunique() <= _FEW_LABELS)


def _figures(estimator: Any, X: Any, y: Any) -> str:
    """Format the metrics."""
    if isinstance(estimator, TabularClassifier):
        right = np.mean(estimator.predict(X).astype(str) == y.to_numpy().astype(str))
        return f"accuracy {100 * right:.2f} %"
    if y.dtype.kind not in "iufb":
        raise DataError(f"The target must be a column of numbers. Got {shown(y.iloc[0])} instead.")
    found = estimator.predict(X)
    rmse, mae = root_mean_squared_error(y, found), mean_absolute_error(y, found)
    return f"r2 {estimator.score(X, y):.4f}  rmse {rmse:.6g}  mae {mae:.6g}"
