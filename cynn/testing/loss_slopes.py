"""Checks of the gradient of a loss: against finite differences, and near kinks."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from cynn.losses import Loss
from cynn.testing import differences, kinks
from cynn.testing.calls import LossCalls
from cynn.testing.common import variants
from cynn.testing.loss_data import OUTPUTS
from cynn.testing.memory import Array
from cynn.testing.report import Failure, Skipped
from cynn.testing.words import apart, short

if TYPE_CHECKING:
    from cynn.testing.losses import LossChecks

__all__ = ["beside_kinks", "gradient"]


def gradient(checks: LossChecks) -> str:
    """Each partial derivative, for all values of hyperparameters and kinds of targets."""
    checks.require_float64()
    n = 0
    for one in variants(checks.component):
        calls = checks.calls("float64", one)
        for name, prediction, target, fused in checks.cases(component=one):
            n += _gradient_of(calls, name, prediction, target, fused)
            if not fused and _inside(target, one.prediction_range):
                n += _gradient_of(calls, f"{name}, equal to the prediction", target, target, False)
    return f"{n} partial derivatives against differences"


def _inside(target: Array, bounds: tuple[float, float]) -> bool:
    return bool(((target > bounds[0] + 0.01) & (target < bounds[1] - 0.01)).all())


def _gradient_of(calls: LossCalls, name: str, prediction: Array, target: Array, fused: bool) -> int:
    analytic = calls.each(prediction, target, fused=fused)[1]
    for column in range(OUTPUTS):
        unit = np.eye(OUTPUTS)[column]
        found = differences.slopes(lambda t, unit=unit: calls.line(prediction + t * unit, target, fused=fused)[0])  # type: ignore[misc]  # bound
        bad = differences.wrong(analytic[:, column], found)
        if bad.any():
            i = int(np.flatnonzero(bad)[0])
            expected, got = apart(found.central[i], analytic[i, column])
            raise Failure(
                f"∂C/∂{'z' if fused else 'prediction'}[{column}] of {calls.component!r} at {short(prediction[i])} "
                f"with target {short(target[i])} ({name}) must be {expected}, by differences. Got {got}"
            )
    return int(analytic.size)


def beside_kinks(checks: LossChecks) -> str:
    """The derivative on both sides of each kink along one output, down to the smallest distances."""
    checks.require_float64()
    n = 0
    for k, one in enumerate(variants(checks.component)):
        calls = checks.calls("float64", one)
        for name, prediction, target, fused in itertools.islice(checks.cases(1, one), 2 if k else None):
            n += _beside_kinks_of(calls, one, name, prediction, target, fused)
    if not n:
        raise Skipped("no kinks were found")
    return f"{n} points beside kinks"


def _beside_kinks_of(
    calls: LossCalls, one: Loss, name: str, prediction: Array, target: Array, fused: bool, column: int = 1
) -> int:
    low, high = (-np.inf, np.inf) if fused else one.prediction_range
    low, high = max(low + 1e-3, -4.0), min(high - 1e-3, 4.0)

    def at(p: Array) -> Array:
        moved = np.repeat(prediction, len(p), axis=0)
        moved[:, column] = p
        return moved

    def both(p: Array) -> tuple[Array, Array]:
        return calls.line(at(p), np.repeat(target, len(p), axis=0), fused=fused)

    found = kinks.places_of_kinks(lambda p: both(p)[0], low, high)
    found = [place for place in found if low < place < high]
    own = float(target[0, column])
    exact = (own, *(own + sign * h for h in one.kernel_values() for sign in (-1, 1)), 0.0, 1.0, -1.0)
    points, fault = kinks.beside(lambda p: both(p)[0], lambda p: both(p)[1][:, column], found, exact)
    if fault is not None:
        expected, got = apart(fault[1], fault[2])
        raise Failure(
            f"beside a kink the gradient of {one!r} must be the derivative on that side: with prediction[{column}] = "
            f"{fault[0]!r}, the others {short(np.delete(prediction[0], column))}, target {short(target[0])} ({name}) "
            f"it must be {expected}, by differences. Got {got}"
        )
    return points
