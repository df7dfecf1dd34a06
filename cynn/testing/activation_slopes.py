"""Checks of an activation's derivative: against finite differences, near kinks, and linear in the gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cynn.activations import Activation
from cynn.testing import differences, kinks
from cynn.testing.calls import ActivationCalls
from cynn.testing.common import variants
from cynn.testing.memory import Array
from cynn.testing.report import Failure, Skipped
from cynn.testing.words import apart, short

if TYPE_CHECKING:
    from cynn.testing.activations import ActivationChecks

__all__ = ["POINTS", "beside_kinks", "gradient", "linear_in_grad"]

# Where an activation is tried, besides at random: zeros, denormals, where exp overflows, ±1e4, round numbers.
_EXTREME = [1e4, 1e3, 710.0, 104.0, 89.0, 40.0, 20.0, *(10.0**-k for k in range(1, 8)), 1e-20, 1e-40, 1e-310, 5e-324]
POINTS = np.array([0.0, -0.0, *_EXTREME, *(-z for z in _EXTREME), *np.arange(-8, 8.5, 0.5)])


def _require_derivative(checks: ActivationChecks) -> None:
    checks.require_float64()
    if checks.component.straight_through:
        raise Skipped("it declares straight_through: backward is not the derivative of forward")


def gradient(checks: ActivationChecks) -> str:
    """backward against finite differences of forward, for each value of the hyperparameters."""
    _require_derivative(checks)
    n = 0
    for one in variants(checks.component):
        n += _of_rows(checks, one) if checks.rowwise else _of_elements(checks, one)
    return f"{n} points against differences"


def _of_elements(checks: ActivationChecks, component: Activation) -> int:
    calls = checks.calls("float64", component)

    def f(z: Array) -> Array:
        return calls.forward(z.reshape(-1, 1)).ravel()

    special = [sign * value for value in component.kernel_values() for sign in (1, -1)]
    z = np.concatenate(
        [POINTS, special, kinks.find_kinks(f), *(checks.random.normal(0, scale, 60) for scale in (0.3, 2, 6))]
    )
    z = checks.within(z)
    grad = checks.random.uniform(0.5, 2, z.shape) * np.where(np.arange(len(z)) % 2, 1, -1)
    analytic = calls.gradient(z.reshape(-1, 1), grad.reshape(-1, 1)).ravel() / grad
    found = differences.slopes(lambda t: f(z + t))
    bad = differences.wrong(analytic, found)
    if bad.any():
        i = int(np.flatnonzero(bad)[0])
        at_kink = abs(found.left[i] - found.right[i]) > 1e-3 * max(1, abs(found.central[i]))
        sides = sorted(round(float(side), 6) + 0.0 for side in (found.left[i], found.right[i]))
        expected, got = apart(found.central[i], analytic[i])
        words = (
            f"between {sides[0]:g} and {sides[1]:g}, its one-sided derivatives"
            if at_kink
            else f"{expected}, by central differences"
        )
        raise Failure(
            f"f′({z[i]:.9g}) of {component!r} must be {words}. backward gave {got} "
            f"({bad.sum()} of {len(z)} points are wrong); where that is on purpose, set straight_through = True"
        )
    return len(z)


def _of_rows(checks: ActivationChecks, component: Activation) -> int:
    calls = checks.calls("float64", component)
    n = 0
    for z in checks.matrices():
        v = checks.random.normal(size=z.shape)
        analytic = calls.backward(z, calls.forward(z), v)
        for column in range(z.shape[1]):
            unit = np.eye(z.shape[1])[column]
            found = _along(unit, calls, z, v)
            bad = differences.wrong(analytic[:, column], found)
            if bad.any():
                i = int(np.flatnonzero(bad)[0])
                expected, got = apart(found.central[i], analytic[i, column])
                raise Failure(
                    f"∂C/∂z[{column}] of {component!r} at z = {short(z[i])} with ∂C/∂a = {short(v[i])} must be "
                    f"{expected}, by differences. backward gave {got}"
                )
            n += len(z)
    return n


def _along(unit: Array, calls: ActivationCalls, z: Array, v: Array) -> differences.Slopes:
    """The gradient of C = Σ v a over each row."""
    return differences.slopes(lambda t: (v * calls.forward(z + t * unit)).sum(axis=1))


def beside_kinks(checks: ActivationChecks) -> str:
    """The derivative on both sides of each kink, down to the smallest distances; along lines if rowwise."""
    _require_derivative(checks)
    n = 0
    for one in variants(checks.component):
        calls = checks.calls("float64", one)
        for _ in range(3 if checks.rowwise else 1):
            z = checks.within(checks.rows(1, 5)) if checks.rowwise else np.zeros((1, 1))
            unit = checks.random.normal(size=z.shape) if checks.rowwise else np.ones((1, 1))
            v = checks.random.uniform(0.5, 2, z.shape)

            def f(t: Array, calls: ActivationCalls = calls, z: Array = z, unit: Array = unit, v: Array = v) -> Array:
                total: Array = (v * calls.forward(z + t[:, None] * unit)).sum(axis=1)
                return total

            def slope(
                t: Array, calls: ActivationCalls = calls, z: Array = z, unit: Array = unit, v: Array = v
            ) -> Array:
                line = z + t[:, None] * unit
                total: Array = (unit * calls.gradient(line, np.repeat(v, len(t), axis=0))).sum(axis=1)
                return total

            exact = (
                () if checks.rowwise else (0.0, *(s * h for h in one.kernel_values() for s in (1, -1)), *range(-8, 9))
            )
            found = [place for place in kinks.places_of_kinks(f) if checks.domain[0] < place < checks.domain[1]]
            points, fault = kinks.beside(f, slope, found, exact)
            n += points
            if fault is not None:
                expected, got = apart(fault[1] / v[0, 0], fault[2] / v[0, 0])
                raise Failure(
                    f"beside a kink backward of {one!r} must give the derivative on that side, {expected} "
                    f"{'along a line' if checks.rowwise else f'at z = {fault[0]!r}'}, by differences. Got {got}"
                )
    if not n:
        raise Skipped("it has no kinks between -8 and 8")
    return f"{n} points beside kinks"


def linear_in_grad(checks: ActivationChecks) -> str:
    """backward is linear in the gradient: at every scale, multiples give multiples and sums give sums."""
    for dtype in checks.dtypes:
        calls = checks.calls(dtype)
        single = dtype == "float32"
        for z in (checks.rows(9, 7), checks.rows(9, 7) * 4):
            z = calls.cast(z)
            a, grad, other = calls.forward(z), calls.cast(checks.rows(9, 7)), calls.cast(checks.rows(9, 7))
            base = calls.backward(z, a, grad)
            tolerance = 1e-5 if single else 1e-12
            for factor in (0.0, -1.0, 1e2, 1e4, 1e8, 1e-2, 1e-4, 1e-8, *((1e12, 1e-12) if single else (1e20, 1e-20))):
                given = calls.cast(grad * calls.cast(factor))
                got = calls.backward(z, a, given).astype(np.float64)
                expected = base.astype(np.float64) * factor
                size = _size(checks.rowwise, expected, factor * grad)
                _require_linear(f"∂C/∂a times {factor:g}", got, expected, tolerance * size, dtype)
            both = calls.backward(z, a, grad + other).astype(np.float64)
            parts = base.astype(np.float64) + calls.backward(z, a, other)
            size = _size(checks.rowwise, base, np.abs(grad) + np.abs(other)) + np.abs(both)
            _require_linear("the sum of two ∂C/∂a", both, parts, 8 * tolerance * size, dtype)
    return "from 1e-8 to 1e8 times ∂C/∂a, and sums"


def _size(rowwise: bool, result: Array, grad: Array) -> Array:
    """The scale of rounding errors: the element itself, or the terms of the sums over its row."""
    if not rowwise:
        return np.abs(result)
    size: Array = 4 * np.maximum(np.abs(result), np.abs(grad)).max(axis=1, keepdims=True)
    return size


def _require_linear(what: str, got: Array, expected: Array, allowed: Array, dtype: str) -> None:
    denormal = np.finfo(dtype).tiny  # smaller numbers are denormal
    bad = ~(np.abs(got - expected) <= allowed + denormal) & np.isfinite(expected)
    if bad.any():
        i = tuple(np.argwhere(bad)[0])
        first, second = apart(expected[i], got[i])
        raise Failure(
            f"backward must be linear in ∂C/∂a: with {what} element {tuple(map(int, i))} must be {first}. Got {second}"
        )
