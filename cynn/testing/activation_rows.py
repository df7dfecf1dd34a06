"""Checks that an activation's element depends only on itself or its row, not on other rows of the call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cynn.testing import abi, differences
from cynn.testing.calls import ActivationCalls
from cynn.testing.memory import Array, Canaries, first_difference
from cynn.testing.report import Failure, Skipped
from cynn.testing.words import require_close

if TYPE_CHECKING:
    from cynn.testing.activations import ActivationChecks

__all__ = ["aliasing", "batch", "few_rows", "large_shapes", "reads", "rowwise_as_declared"]

# behind 512, 1024 and 4096, and 64, 128 and 256 columns; and 4096 itself
LARGE = [(1031, 129), (3, 1031), (1, 4099), (33, 130), (4096, 1)]
DISTINCT = 31  # rows, or elements, that a large array is made of: each is computed by itself as well


def batch(checks: ActivationChecks) -> str:
    """A row has the same result in a batch as alone."""
    for dtype in checks.dtypes:
        calls = checks.calls(dtype)
        z, grad = calls.cast(checks.rows(37, 11)), calls.cast(checks.rows(37, 11))
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


def large_shapes(checks: ActivationChecks) -> str:
    """Large, odd numbers of rows and columns: each row has the same result as alone."""
    for dtype in checks.dtypes:
        calls = checks.calls(dtype)
        alone: dict[str, Array] = {}
        for rows, columns in LARGE:
            if checks.rowwise or not alone:
                shape = (DISTINCT, columns if checks.rowwise else 1)
                z, grad = checks.rows(*shape), checks.rows(*shape)
                each = [calls.results({"z": z[i : i + 1], "grad": grad[i : i + 1]}) for i in range(DISTINCT)]
                alone = {name: np.concatenate([one[name] for one in each]) for name in each[0]}
            shape = (rows, columns)
            which = np.arange(rows if checks.rowwise else rows * columns) % DISTINCT
            whole = calls.results({"z": z[which].reshape(shape), "grad": grad[which].reshape(shape)})
            for name, values in whole.items():
                what = "row" if checks.rowwise else "element"
                require_close(
                    values,
                    alone[name][which].reshape(shape),
                    dtype,
                    f"{name} of {rows} x {columns}: each {what} must be as it is alone",
                )
            if checks.rowwise and dtype == "float64" and not checks.component.straight_through:
                _along_wide_rows(checks, calls, columns)
    return "; ".join(f"{rows} x {columns}" for rows, columns in LARGE)


def _along_wide_rows(checks: ActivationChecks, calls: ActivationCalls, columns: int) -> None:
    """The gradient of wide rows, along a random direction and along the last columns only."""
    z, v = checks.rows(3, columns), checks.random.normal(size=(3, columns))
    analytic = calls.backward(z, calls.forward(z), v)
    for behind in (0, columns // 2, columns - 3):
        unit = checks.random.normal(size=columns)
        unit[: max(behind, 0)] = 0
        found = differences.slopes(lambda t, unit=unit: (v * calls.forward(z + t * unit)).sum(axis=1))  # type: ignore[misc]  # bound
        differences.require_along(analytic, unit, found, behind, f"backward of rows of {columns}", "forward")


def rowwise_as_declared(checks: ActivationChecks) -> str:
    """An element depends only on itself, or only on its row, as the flag declares."""
    calls = checks.calls(checks.best_dtype)
    z = checks.rows(4, 6)
    grad = np.ones(z.shape)
    other, other_grad = z.copy(), grad.copy()
    other[:, 2] = checks.within(other[:, 2] + 0.75)
    other_grad[:, 2] = 3
    pairs = {
        "forward": (calls.forward(z), calls.forward(other)),
        "backward": (calls.gradient(z, grad), calls.gradient(other, other_grad)),
    }
    for what, (first, second) in pairs.items():
        place = first_difference(np.delete(first, 2, axis=1), np.delete(second, 2, axis=1))
        if place is not None and not checks.rowwise:
            raise Failure(
                f"{what} of an element must depend on that element alone. It changed with another element of "
                "its row: set CYNN_ROWWISE"
            )
    if not checks.rowwise:
        return "each element depends on itself alone"
    other = z.copy()
    other[1:] = checks.within(other[1:] + 0.75)
    for what, first, second in [
        ("forward", calls.forward(z)[0], calls.forward(other)[0]),
        ("backward", calls.gradient(z, grad)[0], calls.gradient(other, grad)[0]),
    ]:
        if first_difference(first, second) is not None:
            raise Failure(f"{what} of a row must depend on that row alone. It changed with another row")
    return "each row depends on itself alone"


def aliasing(checks: ActivationChecks) -> str:
    """forward in place gives the same result as with separate arrays."""
    checks.require_compiled("Python methods get arrays that are apart")
    calls = checks.calls(checks.best_dtype)
    if not calls.flags & abi.IN_PLACE:
        raise Skipped("it does not declare CYNN_IN_PLACE")
    for dtype in checks.dtypes:
        calls = checks.calls(dtype)
        for rows, columns in [(9, 7), (3, 1031), (70, 65)]:
            z = checks.rows(rows, columns)
            place = first_difference(calls.forward(z), calls.forward(z, in_place=True))
            if place is not None:
                raise Failure(f"forward with a == z must give what it gives apart. In {dtype} element {place} differs")
    return "forward in place gives the same bits"


def reads(checks: ActivationChecks) -> str:
    """Memory around the arrays, and arrays that the flags exclude, do not affect the result."""
    checks.require_compiled("Python methods get no memory but their arrays")
    for dtype in checks.dtypes:
        for rows, columns in [(1, 1), (3, 5), (7, 33), (5, 1031)]:
            z, grad = checks.rows(rows, columns), checks.rows(rows, columns)
            turns = [checks.calls(dtype, manner=Canaries(turn)) for turn in (0, 1)]
            first, second = (calls.forward(z) for calls in turns)
            if first_difference(first, second) is not None:
                raise Failure(
                    f"forward must read nothing but z and h, and write every element of a. With {rows} x {columns} "
                    f"elements in {dtype} its result changed with what lies beside them, or with what was in a"
                )
            if first_difference(*(calls.backward(z, first, grad) for calls in turns)) is not None:
                unset = [
                    f"{name} without CYNN_NEEDS_{name.upper()}"
                    for name, flag in [("z", abi.NEEDS_Z), ("a", abi.NEEDS_A)]
                    if not turns[0].flags & flag
                ]
                raise Failure(
                    f"backward must read nothing but what its flags name. With {rows} x {columns} elements in "
                    f"{dtype} its result changed with what lies beside them: does it read "
                    f"{' or '.join([*unset, 'beyond its arrays'])}?"
                )
    return "the result does not depend on the memory around"


def few_rows(checks: ActivationChecks) -> str:
    """Batches of 0 rows and of 1 row."""
    for dtype in checks.dtypes:
        none = np.zeros((0, 4))
        for turn in (0, 1):  # otherwise a NaN computed from the canaries would look like an untouched canary
            calls = checks.calls(dtype, manner=Canaries(turn))
            a = calls.forward(none)
            for what, got in [("forward", a), ("backward", calls.backward(none, a, none))]:
                if got.shape != (0, 4):
                    raise Failure(f"{what} of no rows must give no rows. Got {got.shape}")
        z = checks.rows(3, 4)
        a = calls.forward(z)
        require_close(calls.forward(z[:1]), a[:1], dtype, "forward of one row")
        require_close(calls.backward(z[:1], a[:1], z[:1]), calls.backward(z, a, z)[:1], dtype, "backward of one row")
    return "no rows, one row"
