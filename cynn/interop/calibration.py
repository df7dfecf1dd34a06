"""Quantizes a model by rows of calibration, and prints how far its outputs move and what that costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cynn.errors import DataError, ShapeError, shown
from cynn.interop.evaluation import Exact, Reference
from cynn.interop.exported_model import ExportedModel
from cynn.interop.plan import Array, Plan
from cynn.interop.quantization import WEIGHT_BITS, quantized

__all__ = ["calibrated"]


def calibrated(model: ExportedModel, calibration: Any, dtype: str) -> Plan:
    """The plan of a model in whole numbers. Prints the loss of accuracy.

    Parameters
    ----------
    model : ExportedModel
    calibration : array or DataFrame of shape (rows, inputs), or tuple (x, y)
    dtype : {"int8", "int4"}
    """
    if isinstance(calibration, tuple) and len(calibration) != 2:
        raise DataError(f"The calibration must be rows, or a tuple (x, y). Got a tuple of {len(calibration)} instead.")
    x, y = calibration if isinstance(calibration, tuple) else (calibration, None)
    plan, rows = model.plan, model.rows(x, "calibration", "float32")
    figure = None if y is None else _figure(plan, _targets(plan, y, len(rows)))
    before = Reference(plan, "float64")
    found = quantized(plan, before.values(rows), WEIGHT_BITS[dtype])
    wanted, got = before(rows), Exact(found, "float32")(rows)
    print(f"{dtype}: on {len(rows):,} rows, outputs differ by at most {np.abs(wanted - got).max():.3g}")
    if len(plan.outputs) == 1 and wanted.shape[1] > 1:
        same = (wanted.argmax(axis=1) == got.argmax(axis=1)).mean()
        print(f"{dtype}: the largest output is the same in {100 * same:.2f} % of them")
    if figure is not None:
        name, shown_of = figure
        print(f"{dtype}: {name} {shown_of(wanted)} before, {shown_of(got)} after")
    return found


def _targets(plan: Plan, y: Any, n: int) -> Array:
    """The targets of a single output: labels, numbers of classes, or values in as many columns as it has."""
    targets = np.asarray(y)
    units = plan.widths[plan.outputs[0].value]
    is_text = targets.dtype.kind not in "biuf" and plan.labels is None
    if len(plan.outputs) > 1 or is_text or targets.shape not in ((n,), (n, units)):
        raise ShapeError(
            f"The y of calibration must be classes or values of a single output, one for each of the {n} rows. "
            f"Got {shown(y)} instead."
        )
    return targets.reshape(n) if units == 1 else targets


def _figure(plan: Plan, y: Array) -> tuple[str, Callable[[Array], str]]:
    """What is printed of outputs, with its name: their accuracy, or their root mean squared error."""
    units = plan.widths[plan.outputs[0].value]
    if plan.labels is not None or (units > 1 and y.ndim == 1):
        labels = np.arange(units) if plan.labels is None else np.asarray(plan.labels)
        return "accuracy", lambda outputs: f"{100 * (labels[outputs.argmax(axis=1)] == y).mean():.2f} %"
    if y.dtype.kind in "biu" and len(np.unique(y)) <= 2:  # of two classes, the second is the larger number
        last = plan.groups[-1] if plan.groups else None
        is_sigmoid = last is not None and last.last == plan.outputs[0].value and last.part.name == "sigmoid"
        second = y > (y.min() if len(np.unique(y)) == 2 else 0)
        return "accuracy", lambda outputs: f"{100 * ((outputs[:, 0] > 0.5 * is_sigmoid) == second).mean():.2f} %"
    return "root mean squared error", lambda outputs: f"{np.sqrt(np.mean((outputs.reshape(y.shape) - y) ** 2)):.4g}"
