"""``cynn export``, ``cynn adopt`` and ``cynn compare``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cynn.errors import InvalidParameterError, ShapeError
from cynn.interop import onnx
from cynn.interop.needed import needed
from cynn.interop.plan import Array
from cynn.network import load

#: What a model's file and its data hold: the model, and a function that reads rows, and targets or None.
Opened = tuple[Any, Callable[[str], tuple[Any, Any]]]

__all__ = ["add_commands"]

_CALIBRATION_ROWS = 1000
_SHOWN_ROWS = 10

#: The export method for each extension of a file name.
_METHODS = {".onnx": "to_onnx", ".c": "to_c", ".f90": "to_fortran", ".js": "to_js", ".mjs": "to_js", ".py": "to_python"}


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
    add("--selftest", type=int, metavar="N", help="for .c: with a test on so many rows of --data")
    add("--data", default="mnist", metavar="FILE", help="the rows of the test: a .npz or a table (%(default)s)")
    add("--exact", action="store_true", help="for .c: the same bits with every compiler")

    adopt = command("adopt", _adopt, "Make a network of an ONNX model, and save it.")
    adopt.add_argument("file", metavar="FILE.onnx", help="a model of dense layers")
    adopt.add_argument("output", metavar="FILE.safetensors", help="where to save the network")

    compare = command("compare", lambda options: _compare(options, read), "Compare what two networks predict.")
    compare.add_argument("model", metavar="MODEL", help="a saved network, or an .onnx file")
    compare.add_argument("other", metavar="OTHER", help="likewise")
    compare.add_argument("data", metavar="DATA", help="a .npz file, or mnist")


def _export(options: argparse.Namespace, open_model: Callable[[str], Opened]) -> int:
    suffix = Path(options.output).suffix.lower()
    if suffix not in _METHODS:
        raise InvalidParameterError(
            f"The file to export to must end in one of {', '.join(_METHODS)}. Got {options.output!r} instead."
        )
    named: dict[str, Any] = {}
    if suffix != ".c" and (options.int8 or options.exact or options.selftest is not None):
        raise InvalidParameterError(
            f"--int8, --selftest and --exact must be given for a .c file alone. Got {options.output!r} with one."
        )
    model, read = open_model(options.model)
    if options.int8:
        x, y = read(options.int8)
        is_classes = y is not None and y.ndim == 1 and y.dtype.kind not in "fc"
        rows = x[:_CALIBRATION_ROWS]
        named |= {"dtype": "int8", "calibration": (rows, y[:_CALIBRATION_ROWS]) if is_classes else rows}
    if options.selftest is not None:
        rows = read(options.int8 or options.data)[0]
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
    network = onnx.adopt(options.file)
    network.save(options.output)
    print(network.summary())
    print(f"the network is in {options.output}")
    return 0


def _compare(options: argparse.Namespace, read: Callable[[str], tuple[Array, Array]]) -> int:
    x, _ = read(options.data)
    both = [_predictions(path, x) for path in (options.model, options.other)]
    if both[0].shape != both[1].shape:
        raise ShapeError(
            "Two networks that are compared must have as many outputs as each other. "
            f"Got {both[0].shape[1]} and {both[1].shape[1]} instead."
        )
    names = [f"{name}_{k}" for k in range(both[0].shape[1]) for name in ("model", "other")]
    print("row", *names, sep="\t")
    for row in range(min(len(x), _SHOWN_ROWS)):
        print(row, *(f"{both[k][row, j]:.6g}" for j in range(both[0].shape[1]) for k in (0, 1)), sep="\t")
    difference = np.abs(both[0].astype(np.float64) - both[1])
    place = divmod(int(difference.argmax()), difference.shape[1])
    print(f"{len(x):,} rows; the largest difference is {difference.max():.3g}, in row {place[0]}, output {place[1]}")
    return 0


def _predictions(path: str, x: Array) -> Array:
    """All outputs, concatenated: of a saved network, or of an ONNX model by ONNX Runtime."""
    if Path(path).suffix.lower() != ".onnx":
        found = load(path).predict(x)
        outputs = list(found.values()) if isinstance(found, dict) else found
        return np.concatenate(outputs, axis=1) if isinstance(outputs, list) else outputs
    runtime = needed("onnxruntime", "onnx")
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    dtype = np.float64 if given.type == "tensor(double)" else np.float32
    return np.concatenate(session.run(None, {given.name: x.astype(dtype)}), axis=1)
