"""Checks that the value of a loss is the weighted sum over rows, accumulated in double."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cynn.testing.calls import LossCalls
from cynn.testing.loss_data import OUTPUTS
from cynn.testing.memory import Array, Canaries
from cynn.testing.report import Failure
from cynn.testing.words import apart, near, short, worst

if TYPE_CHECKING:
    from cynn.testing.losses import LossChecks

__all__ = ["no_rows", "sum_in_double", "sum_of_rows", "weights"]

MANY = 65_539  # rows, of which
DISTINCT = 31  # are different


def sum_of_rows(checks: LossChecks) -> str:
    """11 rows: together, separately and in another order."""
    for dtype in checks.dtypes:
        calls = checks.calls(dtype)
        for name, prediction, target, fused in checks.cases(11):
            total, grad = calls(prediction, target, fused=fused)
            by_row = calls.rows(calls.cast(prediction), calls.cast(target), fused=fused)
            allowed = (1e-5 if dtype == "float32" else 1e-10) * (np.abs(by_row).sum() + 1)
            if not abs(total - by_row.sum()) <= allowed:
                expected, got = apart(by_row.sum(), total)
                raise Failure(
                    f"the value of 11 rows must be the sum of their own values, {expected} ({name}, {dtype}). "
                    f"Got {got}; the mean would be {by_row.mean():.9g}"
                )
            order = checks.random.permutation(len(prediction))
            again, moved = calls(prediction[order], target[order], fused=fused)
            if not abs(again - total) <= allowed or not near(moved, grad[order], dtype):
                raise Failure(
                    f"the order of rows must not matter. The value was {total:.9g}, in another order {again:.9g} "
                    f"({name}, {dtype}), and the gradients of rows {worst(moved, grad[order])}"
                )
            for i in (0, 5):
                alone = calls(prediction[i : i + 1], target[i : i + 1], fused=fused)[1][0]
                if not near(alone, grad[i], dtype):
                    raise Failure(
                        f"the gradient of row {i} must be that of the row alone, {short(alone)}. "
                        f"Got {short(grad[i])} among 11 rows ({name}, {dtype})"
                    )
    return "11 rows, together, alone and in another order"


def sum_in_double(checks: LossChecks) -> str:
    """The sum over many rows is as accurate as a sum in double."""
    checks.require_compiled("the kit itself sums the rows of a Python method")
    for dtype in checks.dtypes:
        calls = checks.calls(dtype)
        for name, prediction, target, fused in [*checks.cases(DISTINCT)][:4]:
            which = np.arange(MANY) % DISTINCT
            by_row = calls.rows(prediction, target, fused=fused)[which]
            got, _ = calls(prediction[which], target[which], fused=fused, want_gradient=False)
            expected = float(by_row.sum())
            if not abs(got - expected) <= 1e-7 * np.abs(by_row).sum():
                first, second = apart(expected, got)
                raise Failure(
                    f"the value must be summed in double. Of {MANY:,} rows ({name}, {dtype}) it must be {first}, the "
                    f"sum of their own values. Got {second}: is the sum, or a part of it, in float?"
                )
    return f"{MANY:,} rows"


def weights(checks: LossChecks) -> str:
    """The value and gradient of each row are multiplied by its weight, at every scale."""
    for dtype in checks.dtypes:
        calls = checks.calls(dtype)
        for name, prediction, target, fused in checks.cases(7):
            weight = np.array([1.0, 0.0, 2.5, 0.25, 0.0, 1e-3, 4.0])
            plain = calls(prediction, target, fused=fused)[1]
            by_row = calls.rows(calls.cast(prediction), calls.cast(target), fused=fused)
            for size in (1.0, 1e8, 1e-8):
                _weighted(calls, name, (prediction, target), fused, size * weight, by_row, plain)
    return "7 rows with weights from 0 to 4, which sum to 7.75, and the same times 1e±8"


def _weighted(
    calls: LossCalls, name: str, pair: tuple[Array, Array], fused: bool, weight: Array, by_row: Array, plain: Array
) -> None:
    dtype, size = calls.dtype, float(weight.max())
    value, grad = calls(*pair, weight=weight, fused=fused)
    exact = float(np.dot(weight, by_row))
    allowed = (1e-5 if dtype == "float32" else 1e-10) * (np.abs(by_row * weight).sum() + size)
    if not abs(value - exact) <= allowed:
        expected, got = apart(exact, value)
        raise Failure(
            f"with sample weights {short(weight)} the value must be {expected}, each row's "
            f"times its weight ({name}, {dtype}). Got {got}"
        )
    if not near(grad / size, plain * weight[:, None] / size, dtype):
        got_one, expected_one = worst(grad, plain * weight[:, None])
        expected, got = apart(expected_one, got_one)
        raise Failure(
            f"with sample weights {short(weight)} each row's gradient must be multiplied by its weight "
            f"({name}, {dtype}): expected {expected}, got {got}"
        )


def no_rows(checks: LossChecks) -> str:
    """The loss of no rows is 0."""
    none = np.zeros((0, OUTPUTS))
    for dtype in checks.dtypes:
        for turn in (0, 1):  # otherwise a NaN computed from the canaries would look like an untouched canary
            value, grad = checks.calls(dtype, manner=Canaries(turn))(none, none)
            if value != 0 or grad.shape != none.shape:
                raise Failure(f"the loss of no rows must be 0. Got {value!r}, gradient of shape {grad.shape}")
    return "0.0"
