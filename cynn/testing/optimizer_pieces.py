"""Checks of steps on pieces of a parameter, in any order, and on large, empty and small parameters."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from cynn.testing.calls import OptimizerCalls
from cynn.testing.memory import Array, Canaries
from cynn.testing.report import Failure, Skipped
from cynn.testing.words import apart, require_close

if TYPE_CHECKING:
    from cynn.testing.optimizers import OptimizerChecks

__all__ = ["few_rows", "large_shapes", "pieces"]

LARGE = [(1031, 129), (3, 1031), (1, 4099), (32, 128)]
DISTINCT = 31
_SIZES = (1.0, 1e4, 1e-4)  # scales of gradients: clipping of the norm shows only in large ones


def pieces(checks: OptimizerChecks) -> str:
    """Steps on pieces, on single elements and in another order give the same result as on the whole."""
    checks.require_compiled("Python methods get whole parameters")
    if not checks.calls(checks.best_dtype).elementwise:
        raise Skipped("it does not declare CYNN_ELEMENTWISE: it gets whole parameters")
    shape = (5, 7)
    n = shape[0] * shape[1]
    cuts = [slice(0, 1), slice(1, 4), slice(4, 20), slice(20, n)]
    for dtype, size in itertools.product(checks.dtypes, _SIZES):
        calls = checks.calls(dtype)
        start = checks.start(calls, shape)[0].reshape(1, n)
        grads = [calls.cast(size * grad.reshape(1, n)) for grad in checks.gradients(4, shape)]
        order = checks.random.permutation(n)
        whole = calls.run(start, grads)[0]
        parts = [calls.run(start[:, cut], [grad[:, cut] for grad in grads])[0] for cut in cuts]
        turned = np.empty_like(whole)
        turned[:, order] = calls.run(start[:, order], [grad[:, order] for grad in grads])[0]
        column = calls.run(start.reshape(n, 1), [grad.reshape(n, 1) for grad in grads])[0].reshape(1, n)
        for what, got in [("pieces", np.concatenate(parts, axis=1)), ("another order", turned), ("a column", column)]:
            allowed = 64 * np.finfo(dtype).eps * np.maximum(1, np.abs(whole))
            if (np.abs(got - whole) > allowed).any():
                i = int(np.abs(got - whole).argmax())
                first, second = apart(whole.ravel()[i], got.ravel()[i])
                raise Failure(
                    f"steps on pieces must give what steps on the whole give, as CYNN_ELEMENTWISE says. Element {i} in "
                    f"{dtype} is {first}, in {what} {second}, with gradients of the size {size:g}: drop the flag, or "
                    "the sum over the parameter"
                )
    return "4 steps on pieces, in another order and as a column give what steps on the whole give"


def large_shapes(checks: OptimizerChecks) -> str:
    """Large, odd numbers of rows and columns: equal elements change equally, and as they do alone."""
    for dtype in checks.dtypes:
        calls = checks.calls(dtype)
        w, grads = checks.random.normal(size=(1, DISTINCT)), checks.gradients(2, (1, DISTINCT))
        alone = calls.results({"w": w, "grads": grads})
        for shape in LARGE:
            if not calls.compiled or calls.elementwise:
                which = np.arange(shape[0] * shape[1]) % DISTINCT
                given = {"w": w[0, which].reshape(shape), "grads": [grad[0, which].reshape(shape) for grad in grads]}
                if calls.compiled:
                    for name, values in calls.results(given).items():
                        expected = alone[name][0, which].reshape(shape)
                        what = f"{name} of {shape[0]} x {shape[1]}: each element must be as it is among {DISTINCT}"
                        require_close(values, expected, dtype, what)
                    continue
            _require_all_alike(calls, shape)
    return "; ".join(f"{rows} x {columns}" for rows, columns in LARGE)


def _require_all_alike(calls: OptimizerCalls, shape: tuple[int, int]) -> None:
    """For steps on whole parameters: all elements are equal, with equal gradients."""
    start = np.full(shape, 0.5)
    w = calls.run(start, [np.full(shape, 0.3), np.full(shape, 0.2)])[0]
    moved: Array = np.abs(w - start)
    largest = float(moved.max())
    if not (np.abs(moved - largest) <= 1e-3 * largest).all():
        i = tuple(map(int, np.argwhere(~(np.abs(moved - largest) <= 1e-3 * largest))[0]))
        raise Failure(
            f"elements that are all alike must move alike. Of {shape[0]} x {shape[1]} some moved by {largest:.6g}, "
            f"element {i} by {moved[i]:.6g}: is a part left out?"
        )


def few_rows(checks: OptimizerChecks) -> str:
    """Parameters with no elements, one element, one row, one column."""
    for dtype in checks.dtypes:
        # Otherwise a NaN computed from the canaries would look like an untouched canary.
        for shape, turn in itertools.product([(0, 4), (1, 4), (4, 1), (1, 1)], [0, 1]):
            calls = checks.calls(dtype, manner=Canaries(turn))
            w, slots = checks.start(calls, shape)
            before = w.copy()
            calls.step(w, np.full(shape, 0.5), slots, 1)
            if w.size and (not np.isfinite(w).all() or (w == before).all()):
                raise Failure(f"a step on {shape[0]} x {shape[1]} elements in {dtype} must move w. Got {w.tolist()}")
    return "no rows, one row, one column"
