"""Checks of an activation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cynn.activations import Activation
from cynn.testing import abi, differences
from cynn.testing.calls import ActivationCalls
from cynn.testing.checks import Checks, NamedCheck
from cynn.testing.common import variants
from cynn.testing.memory import Array, aligned_copy, first_difference
from cynn.testing.report import Failure, Report, Skipped
from cynn.testing.words import require_close, short

__all__ = ["check_activation"]

# Tried besides random points: zeros, denormals, values at which exp overflows, ±1e4, round numbers.
_EXTREME = [1e4, 1e3, 710.0, 104.0, 89.0, 40.0, 20.0, 1e-3, 1e-20, 1e-40, 1e-310, 5e-324]
POINTS = np.array([0.0, -0.0, *_EXTREME, *(-z for z in _EXTREME), *np.arange(-8, 8.5, 0.5)])


def check_activation(activation: Any, *, raise_on_failure: bool = True) -> Report:
    """Check that an activation follows the rules of `cynn/abi.h`, and that its derivative is correct.

    Parameters
    ----------
    activation : str, class or Activation
        A name, a class or an instance.
    raise_on_failure : bool
        Whether a failed check raises an error. Otherwise it is only in the report.

    Returns
    -------
    Report
        The result of every check, with its evidence. `str(report)` is a table.

    Raises
    ------
    ConformanceError
        A check failed. The message is the table.

    Examples
    --------
    >>> from cynn.testing import check_activation
    >>> check_activation("tanh").passed
    True
    """
    return _ActivationChecks.report_on(activation, raise_on_failure=raise_on_failure)


class _ActivationChecks(Checks[Activation, ActivationCalls]):
    kind = "activation"
    seed = 20
    calls_of = ActivationCalls

    def checks(self) -> list[NamedCheck]:
        return [
            ("gradient", self.gradient),
            ("no NaN at extreme inputs", self.extremes),
            ("float32 against float64", self.float32),
            ("rows independent of the batch", self.batch),
            ("rowwise as declared", self.rowwise_as_declared),
            ("aliasing as declared", self.aliasing),
            ("reads only its arguments", self.reads),
            ("deterministic", self.deterministic),
            ("re-entrant", self.reentrant),
            ("zero rows and one row", self.few_rows),
        ]

    def rows(self, rows: int = 7, columns: int = 5) -> Array:
        return self.random.normal(0, 2, (rows, columns))

    def declared(self, calls: ActivationCalls) -> list[str]:
        self.rowwise = calls.rowwise
        return ["rowwise" if self.rowwise else "elementwise"]

    # ---------------------------------------------------------------------------------- derivative

    def gradient(self) -> str:
        if "float64" not in self.dtypes:
            raise Skipped("it offers no float64, in which differences could be taken")
        n = 0
        for one in variants(self.component):
            n += self.gradient_of_rows(one) if self.rowwise else self.gradient_of_elements(one)
        return f"{n} points against differences"

    def gradient_of_elements(self, component: Activation) -> int:
        calls = self.calls("float64", component)

        def f(z: Array) -> Array:
            return calls.forward(z.reshape(-1, 1)).ravel()

        special = [sign * value for value in component.kernel_values() for sign in (1, -1)]
        kinks = differences.find_kinks(f)
        z = np.concatenate(
            [POINTS, special, kinks, *(self.random.normal(0, scale, 60) for scale in (0.3, 2, 6))]
        )
        grad = self.random.uniform(0.5, 2, z.shape) * np.where(np.arange(len(z)) % 2, 1, -1)
        analytic = calls.gradient(z.reshape(-1, 1), grad.reshape(-1, 1)).ravel() / grad
        found = differences.slopes(lambda t: f(z + t))
        bad = differences.wrong(analytic, found)
        if bad.any():
            i = int(np.flatnonzero(bad)[0])
            at_kink = abs(found.left[i] - found.right[i]) > 1e-3 * max(1, abs(found.central[i]))
            sides = sorted(round(float(side), 6) + 0.0 for side in (found.left[i], found.right[i]))
            expected = (
                f"between {sides[0]:g} and {sides[1]:g}, its one-sided derivatives"
                if at_kink
                else f"{found.central[i]:.9g}, by central differences"
            )
            raise Failure(
                f"f′({z[i]:.9g}) of {component!r} must be {expected}. backward gave {analytic[i]:.9g} "
                f"({bad.sum()} of {len(z)} points are wrong)"
            )
        return len(z)

    def gradient_of_rows(self, component: Activation) -> int:
        calls = self.calls("float64", component)
        n = 0
        for z in self.matrices():
            v = self.random.normal(size=z.shape)
            a = calls.forward(z)
            analytic = calls.backward(z, a, v)
            for column in range(z.shape[1]):
                unit = np.eye(z.shape[1])[column]
                found = _slopes_along(unit, calls, z, v)
                bad = differences.wrong(analytic[:, column], found)
                if bad.any():
                    i = int(np.flatnonzero(bad)[0])
                    raise Failure(
                        f"∂C/∂z[{column}] of {component!r} at z = {short(z[i])} with ∂C/∂a = "
                        f"{short(v[i])} must be "
                        f"{found.central[i]:.9g}, by differences. backward gave {analytic[i, column]:.9g}"
                    )
                n += len(z)
        return n

    def matrices(self) -> list[Array]:
        extreme = self.random.choice([1e4, -1e4, 0.0, 5e-324, -710.0, 1.0], (12, 5))
        wide = self.random.normal(0, 300, (4, 5))
        return [
            self.rows(),
            0.1 * self.rows(),
            np.zeros((2, 5)),
            np.full((1, 5), 1e4),
            extreme,
            wide,
            self.rows(3, 1),
        ]

    def extremes(self) -> str:
        n = 0
        for dtype in self.dtypes:
            calls = self.calls(dtype)
            for z in [np.stack([POINTS, POINTS[::-1]]), POINTS.reshape(-1, 1), *self.matrices()]:
                z = z.astype(dtype)
                a = calls.forward(z)
                grad = calls.backward(z, a, np.ones(z.shape))
                for what, values in [("forward", a), ("backward", grad)]:
                    bad = np.isnan(values) | (
                        ~np.isfinite(values) & (np.abs(z).max(axis=1, keepdims=True) <= 10)
                    )
                    if bad.any():
                        row, column = np.argwhere(bad)[0]
                        raise Failure(
                            f"{what} in {dtype} at z = {z[row, column]:.6g} must be finite. Got "
                            f"{values[row, column]}"
                            + (f", in the row {short(z[row])}" if self.rowwise else "")
                        )
                n += z.size
        return f"{n} points to ±1e4, denormals and zeros among them"

    def float32(self) -> str:
        self.require_both_dtypes()
        single, double = self.calls("float32"), self.calls("float64")
        largest = 0.0
        for z in [POINTS.reshape(-1, 1) + 0.1357, self.rows(40), *self.matrices()]:
            z = z.astype(np.float32)
            grad = np.ones(z.shape, np.float32) + 0.25 * (np.arange(z.shape[1]) % 3)
            for what in ("forward", "backward"):
                if what == "forward":
                    got, expected, moved = (f.forward(x) for f, x in _conditioned(single, double, z))
                else:
                    got, expected, moved = (f.gradient(x, grad) for f, x in _conditioned(single, double, z))
                largest = max(largest, self.compare(what, z, got, expected, moved))
        return f"they agree to {largest:.1g} of what rounding allows"

    def compare(self, what: str, z: Array, got: Array, expected: Array, moved: Array) -> float:
        # Allowed: the effect of changing the last bits of z on the exact result, plus rounding of the result itself.
        with np.errstate(all="ignore"):
            spread = np.abs(moved - expected) / 4
            magnitude = np.minimum(np.maximum(1, np.abs(z).max(axis=1, keepdims=True)), 100)
            allowed = np.finfo(np.float32).eps * 64 * (np.abs(expected) + magnitude) + 64 * spread
            expected = expected.astype(np.float32).astype(np.float64)  # too large for float32 becomes infinite
            same = (got == expected) | (np.isnan(got) & np.isnan(expected))
            error = np.where(same, 0, np.abs(got - expected) / allowed)
        bad = ~(error <= 1) & np.isfinite(spread)
        if bad.any():
            row, column = np.argwhere(bad)[0]
            raise Failure(
                f"{what} in float32 at z = {z[row, column]:.8g} must be {expected[row, column]:.8g}, as "
                "in float64. "
                f"Got {got[row, column]:.8g}"
            )
        return float(np.max(error[np.isfinite(error)], initial=0))

    # ---------------------------------------------------------------------------------------- rows

    def batch(self) -> str:
        for dtype in self.dtypes:
            calls = self.calls(dtype)
            z = self.rows(37, 11).astype(dtype)
            grad = self.rows(37, 11).astype(dtype)
            a = calls.forward(z)
            whole = {"forward": a, "backward": calls.backward(z, a, grad)}
            for size in (1, 5, 16):
                parts: dict[str, list[Array]] = {"forward": [], "backward": []}
                for i in range(0, len(z), size):
                    cut = slice(i, i + size)
                    parts["forward"].append(calls.forward(z[cut]))
                    parts["backward"].append(calls.backward(z[cut], a[cut], grad[cut]))
                for what, pieces in parts.items():
                    require_close(
                        np.concatenate(pieces),
                        whole[what],
                        dtype,
                        f"{what} of a row must not depend on the rows beside it: in batches of {size}",
                    )
        return "37 rows at once and in batches of 1, 5 and 16"

    def rowwise_as_declared(self) -> str:
        calls = self.calls(self.dtypes[0])
        z = self.rows(4, 6)
        grad = np.ones(z.shape)
        other, other_grad = z.copy(), grad.copy()
        other[:, 2] += 0.75
        other_grad[:, 2] = 3
        pairs = {
            "forward": (calls.forward(z), calls.forward(other)),
            "backward": (calls.gradient(z, grad), calls.gradient(other, other_grad)),
        }
        for what, (first, second) in pairs.items():
            place = first_difference(np.delete(first, 2, axis=1), np.delete(second, 2, axis=1))
            if place is not None and not self.rowwise:
                raise Failure(
                    f"{what} of an element must depend on that element alone. It changed with another "
                    "element of "
                    "its row: set CYNN_ROWWISE"
                )
        if not self.rowwise:
            return "each element depends on itself alone"
        other = z.copy()
        other[1:] += 0.75
        for what, first, second in [
            ("forward", calls.forward(z)[0], calls.forward(other)[0]),
            ("backward", calls.gradient(z, grad)[0], calls.gradient(other, grad)[0]),
        ]:
            if first_difference(first, second) is not None:
                raise Failure(f"{what} of a row must depend on that row alone. It changed with another row")
        return "each row depends on itself alone"

    def aliasing(self) -> str:
        self.require_compiled("Python methods get arrays that are apart")
        calls = self.calls(self.dtypes[0])
        if not calls.flags & abi.IN_PLACE:
            raise Skipped("it does not declare CYNN_IN_PLACE")
        for dtype in self.dtypes:
            calls = self.calls(dtype)
            z = self.rows(9, 7)
            place = first_difference(calls.forward(z), calls.forward(z, in_place=True))
            if place is not None:
                raise Failure(
                    f"forward with a == z must give what it gives apart. In {dtype} element {place} differs"
                )
        return "forward in place gives the same bits"

    def reads(self) -> str:
        self.require_compiled("Python methods get no memory but their arrays")
        for dtype in self.dtypes:
            calls = self.calls(dtype)
            for rows, columns in [(1, 1), (3, 5), (7, 33)]:
                z, grad = self.rows(rows, columns), self.rows(rows, columns)
                first, second = (calls.forward(z, fill=fill) for fill in (np.nan, 3.0))
                if first_difference(first, second) is not None:
                    raise Failure(
                        f"forward must read nothing but z and h. With {rows} x {columns} elements in "
                        f"{dtype} its result "
                        "changed with what lies beside them"
                    )
                if (
                    first_difference(
                        calls.backward(z, first, grad, fill=np.nan), calls.backward(z, first, grad, fill=3.0)
                    )
                    is not None
                ):
                    unset = [
                        f"{name} without CYNN_NEEDS_{name.upper()}"
                        for name, flag in [("z", abi.NEEDS_Z), ("a", abi.NEEDS_A)]
                        if not calls.flags & flag
                    ]
                    raise Failure(
                        f"backward must read nothing but what its flags name. With {rows} x {columns} "
                        "elements in "
                        f"{dtype} its result changed with what lies beside them: does it read "
                        f"{' or '.join([*unset, 'beyond its arrays'])}?"
                    )
        return "the result does not depend on the memory around"

    # -------------------------------------------------------------------------------------- repeats

    def deterministic(self) -> str:
        for dtype in self.dtypes:
            calls = self.calls(dtype)
            z, grad = self.rows(16, 9), self.rows(16, 9)
            a = calls.forward(z)
            delta = calls.backward(z, a, grad)
            for _ in range(3):
                calls.gradient(self.rows(16, 9), self.rows(16, 9))  # would change hidden state, if there is any
                again_delta = calls.backward(z, a, grad)
                for what, first, second in [
                    ("forward", a, calls.forward(z)),
                    ("backward", delta, again_delta),
                ]:
                    place = first_difference(first, second)
                    if place is not None:
                        raise Failure(
                            f"{what} of the same input must give the same bits, whatever was called in "
                            "between. In "
                            f"{dtype} element {place} was {first.ravel()[place]!s}, then "
                            f"{second.ravel()[place]!s}: "
                            "is something remembered from call to call?"
                        )
        return "the same bits in repeated calls, with others in between"

    def call_with_data(self, calls: ActivationCalls) -> Callable[[], list[Array]]:
        rows, columns = (512, 128) if calls.compiled else (64, 16)
        z, grad = (aligned_copy(calls.cast(self.rows(rows, columns))) for _ in range(2))
        if not calls.compiled:
            component = self.component

            def python() -> list[Array]:
                a = np.asarray(component.forward(z))
                return [a, np.asarray(component.backward(z, a, grad.copy()))]

            return python
        h, a, delta = calls.h(), aligned_copy(z), aligned_copy(z)
        forward, backward = calls.function("forward"), calls.function("backward")
        address = h.address if h else None

        def compiled(h: object = h) -> list[Array]:  # keeps h alive
            delta[...] = grad
            forward(address, rows, columns, z.ctypes.data, a.ctypes.data)
            backward(address, rows, columns, z.ctypes.data, a.ctypes.data, delta.ctypes.data)
            return [a, delta]

        return compiled

    def few_rows(self) -> str:
        for dtype in self.dtypes:
            calls = self.calls(dtype)
            none = np.zeros((0, 4))
            for fill in (np.nan, 3.0):  # two fills: a NaN computed from NaNs would go unnoticed
                a = calls.forward(none, fill=fill)
                for what, got in [("forward", a), ("backward", calls.backward(none, a, none, fill=fill))]:
                    if got.shape != (0, 4):
                        raise Failure(f"{what} of no rows must give no rows. Got {got.shape}")
            z = self.rows(3, 4)
            a = calls.forward(z)
            require_close(calls.forward(z[:1]), a[:1], dtype, "forward of one row")
            require_close(
                calls.backward(z[:1], a[:1], z[:1]), calls.backward(z, a, z)[:1], dtype, "backward of one row"
            )
        return "no rows, one row"


def _slopes_along(unit: Array, calls: ActivationCalls, z: Array, v: Array) -> differences.Slopes:
    """Differences of C = sum of v a over each row, along a unit vector."""
    return differences.slopes(lambda t: (v * calls.forward(z + t * unit)).sum(axis=1))


def _conditioned(
    single: ActivationCalls, double: ActivationCalls, z: Array
) -> list[tuple[ActivationCalls, Array]]:
    wide = z.astype(np.float64)
    return [(single, z), (double, wide), (double, wide * (1 + np.finfo(np.float32).eps))]
