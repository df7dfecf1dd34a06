"""``cynn export``, ``cynn adopt`` and ``cynn compare``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cynn.errors import InvalidParameterError, ShapeError
from cynn.interop import keras, onnx
from cynn.interop.exported_model import exported_model
from cynn.interop.needed import needed
from cynn.interop.plan import Array, Column
from cynn.network import Network

#: What a model's file and its data hold: the model, and a function that reads rows, and targets or None.
Opened = tuple[Any, Callable[[str], tuple[Any, Any]]]

__all__ = ["add_commands"]

_CALIBRATION_ROWS = 1000
_SHOWN_ROWS = 10

#: The export method for each extension of a file name.
_METHODS = {".onnx": "to_onnx", ".c": "to_c", ".f90": "to_fortran", ".js": "to_js", ".mjs": "to_js", ".py": "to_python"}
#: What makes a network of a file, for each extension of its name.
_ADOPTERS: dict[str, Callable[[str], Network]] = {".onnx": onnx.adopt, ".keras": keras.adopt}


def add_commands(
    command: Callable[[str, Any, str], argparse.ArgumentParser],
    read: Callable[[str], tuple[Array, Array]],
    open_model: Callable[[str], Opened],
) -> None:
    """Add the commands to ``cynn``.

    Parameters
    ----------
    command : callable
        Makes a parser from a name, a function and a description.
    read : callable
        Reads the rows and targets that ``--data`` names.
    open_model : callable
        Reads the file of a network or an estimator. Returns it, and what reads its rows and targets, or None for those.
    """
    export = command(
        "export", lambda options: _export(options, open_model), "Write a saved network as a file for others."
    )
    add = export.add_argument
    add("model", metavar="MODEL", help="a file that cynn train wrote")
    add("output", metavar="FILE", help="its end says what it becomes: .onnx, .c, .f90, .js or .py")
    add("--int8", metavar="DATA", help="for .c: weights of eight bits, calibrated on rows of a .npz, a table or mnist")
    add("--int4", metavar="DATA", help="likewise of four bits: half the size, less accurate")
    add("--selftest", type=int, metavar="N", help="for .c: with a test on so many rows of --data")
    add("--data", default="mnist", metavar="FILE", help="the rows of the test: a .npz or a table (%(default)s)")
    add("--exact", action="store_true", help="for .c: the same bits with every compiler")

    adopt = command("adopt", _adopt, "Make a network of the model of another library, and save it.")
    adopt.add_argument("file", metavar="FILE", help="a model of dense layers: .onnx, or .keras")
    adopt.add_argument("output", metavar="FILE.safetensors", help="where to save the network")

    compare = command(
        "compare", lambda options: _compare(options, read, open_model), "Compare what two models predict."
    )
    compare.add_argument("model", metavar="MODEL", help="a saved network or estimator, or an .onnx file")
    compare.add_argument("other", metavar="OTHER", help="likewise")
    compare.add_argument("data", metavar="DATA", help="a .npz file or mnist, or a table for estimators")


def _export(options: argparse.Namespace, open_model: Callable[[str], Opened]) -> int:
    suffix = _suffix(options.output)
    if suffix not in _METHODS:
        raise InvalidParameterError(
            f"The file to export to must end in one of {', '.join(_METHODS)}. Got {options.output!r} instead."
        )
    named: dict[str, Any] = {}
    calibration = options.int8 or options.int4
    if suffix != ".c" and (calibration or options.exact or options.selftest is not None):
        raise InvalidParameterError(
            f"--int8, --int4, --selftest and --exact must be given for a .c file alone. "
            f"Got {options.output!r} with one."
        )
    if options.int8 and options.int4:
        raise InvalidParameterError("--int8 and --int4 must not be given together. Got both.")
    model, read = open_model(options.model)
    if calibration:
        x, y = read(calibration)
        is_classes = y is not None and y.ndim == 1 and y.dtype.kind not in "fc"
        rows = x[:_CALIBRATION_ROWS]
        named["dtype"] = "int8" if options.int8 else "int4"
        named["calibration"] = (rows, y[:_CALIBRATION_ROWS]) if is_classes else rows
    if options.selftest is not None:
        rows = read(calibration or options.data)[0]
        if not 1 <= options.selftest <= len(rows):
            raise InvalidParameterError(
                f"--selftest must be from 1 to {len(rows)} rows. Got {options.selftest} instead."
            )
        named["selftest"] = rows[: options.selftest]
    if options.exact:
        named["exact"] = True
    getattr(model, _METHODS[suffix])(options.output, **named)
    print(f"the network is in {options.output}")
    return 0


def _adopt(options: argparse.Namespace) -> int:
    suffix = _suffix(options.file)
    if suffix not in _ADOPTERS:
        raise InvalidParameterError(
            f"The file to adopt must end in {' or '.join(_ADOPTERS)}: others can hold code that runs when they are "
            f"read, so that Python reads them, and cynn.interop adopts the model. Got {options.file!r} instead."
        )
    network = _ADOPTERS[suffix](options.file)
    network.save(options.output)
    print(network.summary())
    print(f"the network is in {options.output}")
    return 0


def _compare(
    options: argparse.Namespace, read: Callable[[str], tuple[Any, Any]], open_model: Callable[[str], Opened]
) -> int:
    paths = [options.model, options.other]
    opened = [None if _suffix(path) == ".onnx" else open_model(path) for path in paths]
    both = []
    for path, own, other in zip(paths, opened, reversed(opened), strict=True):
        model, read_rows = own or other or (None, read)  # an ONNX model gets the rows of the other one
        x, _ = read_rows(options.data)
        both.append(_predictions(model, x) if own else _of_onnx(path, model, x))
    if both[0].shape != both[1].shape:
        raise ShapeError(
            "Two models that are compared must predict as many rows and outputs as each other. "
            f"Got {' and '.join(f'{len(each)} rows of {each.shape[1]}' for each in both)} instead."
        )
    names = [f"{name}_{k}" for k in range(both[0].shape[1]) for name in ("model", "other")]
    print("row", *names, sep="\t")
    for row in range(min(len(both[0]), _SHOWN_ROWS)):
        print(row, *(f"{both[k][row, j]:.6g}" for j in range(both[0].shape[1]) for k in (0, 1)), sep="\t")
    difference = np.abs(both[0].astype(np.float64) - both[1])
    place = divmod(int(difference.argmax()), difference.shape[1])
    rows = f"{len(difference):,} rows"
    print(f"{rows}; the largest difference is {difference.max():.3g}, in row {place[0]}, output {place[1]}")
    return 0


def _suffix(path: str) -> str:
    return Path(path).suffix.lower()


def _predictions(model: Any, x: Any) -> Array:
    """All outputs, concatenated: of a network, or of an estimator, which has probabilities if it has classes."""
    found = getattr(model, "predict_proba", model.predict)(x)
    outputs = list(found.values()) if isinstance(found, dict) else found
    whole: Array = np.concatenate(outputs, axis=1) if isinstance(outputs, list) else outputs
    return whole.reshape(len(whole), -1)


def _of_onnx(path: str, model: Any, x: Any) -> Array:
    """Likewise of an ONNX model, by ONNX Runtime. Of an estimator, each column is an input, and labels are left out."""
    runtime = needed("onnxruntime", "onnx")
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    given = session.get_inputs()
    if hasattr(model, "_exported_model"):
        table = exported_model(model)
        rows = table.rows(x, "data", "float64")
        parts = np.hsplit(rows, rows.shape[1])
        columns = [_as_texts(*each) for each in zip(parts, table.plan.columns or [], strict=True)]
    else:
        columns = [x.astype(np.float64 if given[0].type == "tensor(double)" else np.float32)]
    if len(given) != len(columns):
        raise ShapeError(
            f"The ONNX model must have {len(columns)} inputs, as the other model has. Got {len(given)} instead."
        )
    found = session.run(None, {each.name: values for each, values in zip(given, columns, strict=True)})
    return np.concatenate([each for each in found if each.dtype.kind == "f"], axis=1)


def _as_texts(values: Array, column: Column) -> Array:
    """The texts of categories, empty for none of them; numbers as they are."""
    texts: Array = np.array([*(column.categories or []), ""], object)
    return values if column.categories is None else texts[values.astype(int)]
