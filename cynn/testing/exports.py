"""The checks that `c_source` and `onnx_nodes` say what the kernel computes: by them, networks leave."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cynn import layers
from cynn.activations import Activation
from cynn.components.inheritance import own_of
from cynn.errors import CynnError, InvalidParameterError, MissingDependencyError
from cynn.interop.c_functions import is_function
from cynn.interop.evaluation import Reference
from cynn.interop.from_layers import c_source_of, plan_of
from cynn.interop.needed import needed
from cynn.network import Network
from cynn.testing import c_compiler
from cynn.testing.memory import Array
from cynn.testing.report import Failure, Skipped
from cynn.testing.words import apart

__all__ = ["same_as_c_source", "same_as_onnx_nodes"]

_TOLERANCE = {"float32": 3e-5, "float64": 1e-9}  # of formulas that round otherwise
_COLUMNS = (5, 12, 3, 1)
_OPSETS = (13, 17, 20)


def same_as_c_source(checks: Any) -> str:
    """Compare an activation or a layer with its `c_source`: a formula in NumPy, a function compiled.

    Parameters
    ----------
    checks : ActivationChecks or LayerChecks
        Those of the part.

    Returns
    -------
    str
        The evidence.
    """
    text = _valid(lambda: c_source_of(checks.component))
    n = 0
    for net, x in _networks(checks):
        if text is not None and is_function(text):
            got = _by_compiled(checks, net, x)
        else:
            got = _by_formula(net, x, text)
        n += _compare(checks, f"c_source in {net.dtype}", net, x, got)
    return f"{n:,} numbers, {'of the function, compiled' if is_function(text or '') else 'of the formula'}"


def same_as_onnx_nodes(checks: Any) -> str:
    """Compare an activation or a layer with its `onnx_nodes`, run by ONNX Runtime.

    Parameters
    ----------
    checks : ActivationChecks or LayerChecks
        Those of the part.

    Returns
    -------
    str
        The evidence.
    """
    text = _valid(lambda: c_source_of(checks.component))
    if own_of(checks.component, "onnx_nodes") is None:
        if text is None or is_function(text):
            raise Skipped("it has no onnx_nodes: networks with it do not leave as ONNX")
        raise Skipped("it has no onnx_nodes: as ONNX, it leaves by its c_source")
    try:
        onnxruntime = needed("onnxruntime", "onnx")
    except MissingDependencyError as error:
        raise Skipped(f"not run. {error}") from None
    n, not_run = 0, set()
    for net, x in _networks(checks):
        for opset in _OPSETS:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "part.onnx")
                _valid(lambda net=net, path=path, opset=opset: net.to_onnx(path, opset=opset))
                try:
                    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
                except Exception as error:  # its own classes of errors have no common base that is public
                    if net.dtype == "float64" and "NOT_IMPLEMENTED" in str(error):
                        not_run.add(net.dtype)
                        continue
                    raise Failure(f"ONNX Runtime must take onnx_nodes in opset {opset}. It says: {error}") from None
            with checks.watch.call("onnx_nodes", net.dtype, x.shape):
                got = session.run(None, {"x": x})[0]
            n += _compare(checks, f"onnx_nodes in {net.dtype} and opset {opset}", net, x, got)
    left = "; float64 was not run, as ONNX Runtime has not all operators for it" if not_run else ""
    return f"{n:,} numbers, in the opsets {', '.join(map(str, _OPSETS))}{left}"


def _valid(make: Any) -> Any:
    """What comes of it; where the part is at fault, the check has failed."""
    try:
        return make()
    except InvalidParameterError as error:
        raise Failure(str(error)) from None


def _networks(checks: Any) -> Iterator[tuple[Any, Array]]:
    """Networks of the part alone, with rows for them: in each dtype, and for two widths."""
    component = checks.component
    is_layer = isinstance(component, layers.Layer)
    if is_layer and checks.n_inputs != 1:
        raise Skipped("not compared, as it takes several values")
    if is_layer:
        widths = list(dict.fromkeys(taken[0] for n in _COLUMNS if (taken := checks.widths_near(n)) is not None))
    else:
        widths = [n for n in _COLUMNS if n >= component.min_units]
    for dtype in checks.dtypes:
        for n in widths[:2]:
            if is_layer:
                net = checks.network(n, dtype)
            else:  # the input itself is no output, as it would be behind the identity alone
                described: list[Any] = [layers.Input(n), layers.Concatenate([[]]), layers.Activation(component)]
                net = Network(described, seed=0, dtype=dtype)
            for name, array in net.layers[-1].arrays():
                array[...] = checks.random.uniform(0.5, 1.5, array.shape)
                if "variance" not in name:
                    array *= checks.random.choice([-1, 1], array.shape)
            yield net, _rows(checks, n, dtype)


def _rows(checks: Any, columns: int, dtype: str) -> Array:
    """Small, usual and large numbers; of an activation, also a row with a NaN."""
    x = np.concatenate([checks.random.normal(scale=scale, size=(20, columns)) for scale in (1e-3, 1, 5)])
    x[:6] = np.array([0, -3, 30, -30, 1e4, -1e4])[:, None] + 0.25 * np.arange(columns)
    if isinstance(checks.component, Activation):
        x = checks.within(x)
        x[-1, 0] = np.nan
        return np.ascontiguousarray(x, dtype)
    for column, count in checks.calls(dtype).built([columns]).categories.items():
        x[:, column] = checks.random.integers(0, count, len(x))
    return np.ascontiguousarray(x, dtype)


def _compare(checks: Any, what: str, net: Network, x: Array, got: Array) -> int:
    """Require what the kernel gives, to rounding, with the same NaNs and infinities. Returns how many numbers."""
    expected: Array = net.predict(x, check_finite=False)
    if got.shape != expected.shape:
        raise Failure(f"{what} must give {expected.shape[1]} columns. It gives {got.shape[1:]}")
    size = np.nanmax(np.abs(x), axis=1, keepdims=True)
    with np.errstate(all="ignore"):
        error = np.abs(got.astype(np.float64) - expected)
        allowed = _TOLERANCE[x.dtype.name] * np.maximum(np.maximum(np.abs(expected), np.minimum(size, 100)), 1)
        allowed += _effect_of_rounding(checks, net, x, expected)
        same = (got == expected) | (np.isnan(got) & np.isnan(expected)) | (error <= allowed)
    if not same.all():
        row, column = map(int, np.argwhere(~same)[0])
        wanted, found = apart(expected[row, column], got[row, column])
        z = f"{x[row, column]:.6g} in" if expected.shape == x.shape else ""
        raise Failure(
            f"{what} must give what the kernel gives, {wanted} in column {column} for {z} the row {x[row]}. Got {found}"
        )
    return int(got.size)


def _effect_of_rounding(checks: Any, net: Network, x: Array, expected: Array) -> Array:
    """How much the outputs of a row change with the last bits of its inputs, for waves of large numbers.

    An activation rounds its argument as its formula does, so it has no such allowance.
    """
    if isinstance(net.layers[-1], layers.Activation):
        return np.zeros((len(x), 1))
    bits = np.full(x.shape[1], 2 * np.finfo(x.dtype).eps, x.dtype)
    bits[list(checks.calls(net.dtype).built([x.shape[1]]).categories)] = 0
    moved = [net.predict(x * (1 + sign * bits), check_finite=False) for sign in (-1, 1)]
    change = np.abs(np.array(moved, np.float64) - expected)
    largest: Array = np.where(np.isfinite(change), change, 0).max(axis=(0, 2))
    return largest[:, None]


def _by_formula(net: Any, x: Array, text: str | None) -> Array:
    """What the steps of its plan make of the rows."""
    try:
        plan = plan_of(net)
    except InvalidParameterError as error:
        if text is None and "Got none for" in str(error):
            raise Skipped("it has no c_source: networks with it do not leave") from None
        raise Failure(str(error)) from None
    return Reference(plan, net.dtype)(x)


def _by_compiled(checks: Any, net: Any, x: Array) -> Array:
    """What the exported file makes of the rows."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "part.c")
        try:
            net.to_c(path, dtype=net.dtype)
        except CynnError as error:
            raise Failure(str(error)) from None
        predict = c_compiler.compiled(path, x.shape[1], net.layers[-1].units, net.dtype)
    with checks.watch.call("c_source", net.dtype, x.shape):
        return predict(x)
