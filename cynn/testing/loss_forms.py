"""Checks of the forms of a loss: without gradient, with class indices, fused with an activation, and large."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cynn import registry
from cynn.errors import CynnError
from cynn.testing import differences
from cynn.testing.calls import LossCalls
from cynn.testing.loss_data import OUTPUTS
from cynn.testing.memory import Array
from cynn.testing.report import Failure, Skipped
from cynn.testing.words import apart, near, require_close, worst

if TYPE_CHECKING:
    from cynn.testing.losses import LossChecks

__all__ = ["classes", "fused", "large_shapes", "value_alone"]

LARGE = [(1031, 129), (3, 1031), (70, 1), (4096, 2)]
DISTINCT = 31  # rows that a large array is made of: each is computed by itself as well
MANY_CLASSES = 300  # more than a byte can count


def value_alone(checks: LossChecks) -> str:
    """The value is the same if grad is NULL."""
    checks.require_compiled("a Python method always returns both")
    for dtype in checks.dtypes:
        calls = checks.calls(dtype)
        for name, prediction, target, from_z in checks.cases():
            first, _ = calls(prediction, target, fused=from_z)
            second, untouched = calls(prediction, target, fused=from_z, want_gradient=False)
            if not np.isclose(first, second, rtol=1e-5 if dtype == "float32" else 1e-12):
                raise Failure(f"the value must not depend on grad: {first:.9g} with it, {second:.9g} without ({name})")
            if not np.isnan(untouched).all():
                raise Failure("grad is NULL, and yet something was written")
    return "the same value where grad is NULL"


def classes(checks: LossChecks) -> str:
    """Class indices give the same result as one-hot rows, also for the last of many classes."""
    if not checks.takes_classes:
        raise Skipped("it does not declare CYNN_CLASS_INDEX: it gets one-hot rows")
    rows = 13
    for dtype in checks.dtypes:
        calls = checks.calls(dtype)
        for outputs in (OUTPUTS, MANY_CLASSES, 1031):
            own = outputs - 1 - np.arange(rows) * 5 % min(outputs, 60)
            for from_z in [False, True] if checks.fuses_with else [False]:
                prediction = checks.predictions(rows, outputs=outputs, z=from_z)
                weight = checks.random.uniform(0, 2, rows)
                expected, expected_grad = calls(prediction, np.eye(outputs)[own], weight=weight, fused=from_z)
                value, grad = calls(prediction, classes=own, weight=weight, fused=from_z)
                if not np.isclose(value, expected, rtol=1e-5) or not near(grad, expected_grad, dtype):
                    first, second = apart(expected, value)
                    raise Failure(
                        f"classes must give what one-hot rows give, {first} ({dtype}, {outputs} classes). Got "
                        f"{second}, the largest difference in the gradient is "
                        f"{np.abs(grad - expected_grad).max():.3g}"
                    )
    return f"{rows} of {OUTPUTS}, {MANY_CLASSES} and 1031 classes give what one-hot rows give"


def fused(checks: LossChecks) -> str:
    """The fused form from z gives the same result as the activation followed by the loss."""
    if not checks.fuses_with:
        raise Skipped("fuses_with is NULL")
    try:
        activation = registry.of_kind("activation").get(checks.fuses_with)
    except CynnError as error:
        raise Failure(f"fuses_with must name an activation: {error}") from None
    for dtype in checks.dtypes:
        calls = checks.calls(dtype)
        for name, target in checks.targets(9):
            z = calls.cast(checks.predictions(9, z=True))
            a = activation.forward(z)
            value, grad = calls(a, target)
            fused_value, fused_grad = calls(z, target, fused=True)
            expected = activation.backward(z, a, grad)
            tolerance = 1e-3 if dtype == "float32" else 1e-6
            if not np.isclose(fused_value, value, rtol=tolerance, atol=tolerance):
                first, second = apart(value, fused_value)
                raise Failure(
                    f"from z the value must be that of {checks.fuses_with} and then the loss, {first} ({name}, "
                    f"{dtype}). Got {second}"
                )
            if not np.allclose(fused_grad, expected, rtol=tolerance, atol=tolerance):
                got, wanted = worst(fused_grad, expected)
                first, second = apart(wanted, got)
                raise Failure(
                    f"from z the gradient must be that of {checks.fuses_with} and then the loss, {first} ({name}, "
                    f"{dtype}). Got {second}"
                )
    return f"from z it is what {checks.fuses_with} and the loss are"


def large_shapes(checks: LossChecks) -> str:
    """Large, odd numbers of rows and columns: each row has the same result as alone, and the right gradient."""
    for dtype in checks.dtypes:
        calls = checks.calls(dtype)
        for rows, columns in LARGE:
            for name, prediction, target, from_z in [*checks.cases(DISTINCT, outputs=columns)][:2]:
                values, grads = calls.each(prediction, target, fused=from_z)
                which = np.arange(rows) % DISTINCT
                total, grad = calls(prediction[which], target[which], fused=from_z)
                what = f"the gradient of {rows} x {columns} ({name}): each row must be as it is alone"
                require_close(grad, grads[which], dtype, what)
                expected = float(values[which].sum())
                if not abs(total - expected) <= 1e-5 * (np.abs(values[which]).sum() + 1e-9):
                    first, second = apart(expected, total)
                    raise Failure(
                        f"the value of {rows} x {columns} ({name}) must be {first}, the sum of the values of its rows. "
                        f"Got {second}"
                    )
                if dtype == "float64":
                    _along_wide_rows(calls, checks.random, prediction[:3], target[:3], from_z)
    return "; ".join(f"{rows} x {columns}" for rows, columns in LARGE)


def _along_wide_rows(
    calls: LossCalls, random: np.random.Generator, prediction: Array, target: Array, from_z: bool
) -> None:
    """The gradient of wide rows, along a random direction and along the last columns, which must have an effect."""
    columns = prediction.shape[1]
    analytic = calls.each(prediction, target, fused=from_z)[1]
    for behind in {0, columns // 2, max(columns - 3, 0)}:
        unit = np.where(np.arange(columns) < behind, 0, random.uniform(0.5, 1, columns))
        found = differences.slopes(lambda t, unit=unit: calls.rows(prediction + t * unit, target, fused=from_z))  # type: ignore[misc]  # bound
        differences.require_along(analytic, unit, found, behind, f"the gradient of rows of {columns}", "the value")
    counts = (analytic != 0).mean(axis=0) if columns > 64 else np.ones(1)
    half = len(counts) // 2
    if counts[:32].mean() > 0.5 and half and not counts[-32:].any():
        last = int(np.flatnonzero(counts)[-1])
        raise Failure(f"every output must count. Of {columns} those from {last + 1} on have a gradient of 0")
