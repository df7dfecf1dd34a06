"""Checks of an optimizer."""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from cynn.optimizers import Optimizer
from cynn.schedules import started
from cynn.testing.calls import OptimizerCalls
from cynn.testing.checks import Checks, NamedCheck
from cynn.testing.common import variants
from cynn.testing.memory import Array, aligned_copy, first_difference
from cynn.testing.report import Failure, Report, Skipped

__all__ = ["check_optimizer"]

SHAPE = (5, 7)


def check_optimizer(optimizer: Any, *, raise_on_failure: bool = True) -> Report:
    """Check that an optimizer follows the rules of `cynn/abi.h`, and that its steps reduce a loss.

    Parameters
    ----------
    optimizer : str, class or Optimizer
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
    >>> from cynn.testing import check_optimizer
    >>> check_optimizer("adam").passed
    True
    """
    return _OptimizerChecks.report_on(optimizer, raise_on_failure=raise_on_failure)


class _OptimizerChecks(Checks[Optimizer, OptimizerCalls]):
    kind = "optimizer"
    seed = 22
    calls_of = OptimizerCalls

    def checks(self) -> list[NamedCheck]:
        return [
            ("first step goes against the gradient", self.direction),
            ("goes down a bowl", self.descends),
            ("no NaN at extreme gradients", self.extremes),
            ("float32 against float64", self.float32),
            ("elementwise as declared", self.pieces),
            ("linear step as declared", self.linear),
            ("saved and restored in the middle", self.restored),
            ("parameters apart from each other", self.apart),
            ("slots as declared", self.slots),
            ("reads only its arguments", self.reads),
            ("deterministic", self.deterministic),
            ("re-entrant", self.reentrant),
            ("zero rows and one row", self.few_rows),
        ]

    def gradients(self, steps: int, shape: tuple[int, int] = SHAPE) -> list[Array]:
        return [self.random.normal(0.2, 1, shape) for _ in range(steps)]

    def start(self, calls: OptimizerCalls, shape: tuple[int, int] = SHAPE) -> tuple[Array, list[Array]]:
        w = calls.cast(np.linspace(-1, 1, shape[0] * shape[1]).reshape(shape) + 0.01)
        return w, calls.zero_slots(w)

    def declared(self, calls: OptimizerCalls) -> list[str]:
        return [f"{calls.n_slots} slots", "elementwise" if calls.elementwise else "whole parameters"]

    # ------------------------------------------------------------------------------------- direction

    def direction(self) -> str:
        for one in variants(self.component):
            for dtype in self.dtypes:
                calls = self.calls(dtype, one)
                w = calls.cast(np.zeros(SHAPE))
                grad = self.gradients(1)[0]
                calls.step(w, grad, calls.zero_slots(w), 1)
                if not (w * grad).sum() < 0:
                    raise Failure(
                        f"step 1 of {one!r} from w = 0 must move w against the gradient. w·grad is "
                        f"{float((w * grad).sum()):.6g} ({dtype}): "
                        + ("w did not move" if not w.any() else "w moved up")
                    )
        return "w·grad < 0 after a step from w = 0"

    def descends(self) -> str:
        dtype = self.dtypes[0]
        calls = self.calls(dtype)
        w, slots = self.start(calls)
        curvature = np.linspace(0.5, 2, w.size).reshape(SHAPE)
        before = float((curvature * w * w).sum())
        for t in range(1, 201):
            calls.step(w, 2 * curvature * w, slots, t)
        after = float((curvature * w * w).sum())
        if not after < before:
            raise Failure(
                f"200 steps of {self.component!r} down Σ c w² must end lower than {before:.6g}. Got "
                f"{after:.6g}"
            )
        return f"Σ c w² from {before:.3g} to {after:.3g} in 200 steps"

    def extremes(self) -> str:
        n = 0
        for dtype in self.dtypes:
            calls = self.calls(dtype)
            for size in (0.0, 1e4, -1e4, 1e-6, 1e-40, 5e-324):
                for scale in (0.0, 1.0, 1e4):
                    w = calls.cast(np.full(SHAPE, scale))
                    slots = calls.zero_slots(w)
                    for t in range(1, 4):
                        calls.step(w, np.full(SHAPE, size), slots, t)
                        n += 1
                        if not np.isfinite(w).all():
                            raise Failure(
                                f"step {t} in {dtype} with all gradients {size:g} from w = {scale:g} must "
                                "leave w finite. "
                                f"Got {w.ravel()[~np.isfinite(w.ravel())][0]!s}"
                            )
        return f"{n} steps with gradients 0, ±1e4 and denormals"

    def float32(self) -> str:
        self.require_both_dtypes()
        largest = 0.0
        for one in variants(self.component):
            ends = []
            grads = [grad.astype(np.float32) for grad in np.random.default_rng(5).normal(0.2, 1, (5, *SHAPE))]
            for dtype in ("float32", "float64"):
                calls = self.calls(dtype, one)
                w, slots = self.start(calls)
                w[...] = w.astype(np.float32)
                for t, grad in enumerate(grads, 1):
                    calls.step(w, grad, slots, t)
                ends.append(w)
            error = np.abs(ends[0] - ends[1]) / (1 + np.abs(ends[1]))
            largest = max(largest, float(error.max()))
            if not error.max() <= 2e-4:
                i = int(error.argmax())
                raise Failure(
                    f"5 steps of {one!r} in float32 must end where those in float64 do, at "
                    f"{ends[1].ravel()[i]:.8g}. "
                    f"Got {ends[0].ravel()[i]:.8g}"
                )
        return f"they agree to {largest:.1g} after 5 steps"

    # ---------------------------------------------------------------------------------------- pieces

    def pieces(self) -> str:
        self.require_compiled("Python methods get whole parameters")
        if not self.calls(self.dtypes[0]).elementwise:
            raise Skipped("it does not declare CYNN_ELEMENTWISE: it gets whole parameters")
        grads = self.gradients(4)
        cuts = [slice(0, 1), slice(1, 4), slice(4, 20), slice(20, SHAPE[0] * SHAPE[1])]
        for dtype in self.dtypes:
            calls = self.calls(dtype)
            whole, slots = self.start(calls)
            piecewise, pieces_of_slots = self.start(calls)
            flat = [array.reshape(1, -1) for array in (piecewise, *pieces_of_slots)]
            for t, grad in enumerate(grads, 1):
                calls.step(whole, grad, slots, t)
                for cut in cuts:
                    w, *own = (array[:, cut] for array in flat)
                    calls.step(w, grad.reshape(1, -1)[:, cut], own, t)
            if not np.allclose(
                piecewise, whole, rtol=64 * np.finfo(dtype).eps, atol=64 * np.finfo(dtype).eps
            ):
                i = int(np.abs(piecewise - whole).argmax())
                raise Failure(
                    "steps on pieces must give what steps on the whole give, as CYNN_ELEMENTWISE says. "
                    f"Element {i} in "
                    f"{dtype} is {whole.ravel()[i]!s}, in pieces {piecewise.ravel()[i]!s}: drop the flag, "
                    "or the sum over "
                    "the parameter"
                )
        return "4 steps on 4 pieces give what steps on the whole give"

    def linear(self) -> str:
        if self.calls(self.dtypes[0]).linear(1) is None:
            raise Skipped("linear_step is NULL")
        for one in variants(self.component):
            calls = self.calls(self.dtypes[0], one)
            if calls.linear(1) is None:
                continue  # with other hyperparameters the step may not be linear
            if not calls.elementwise or calls.n_slots:
                raise Failure("linear_step goes with CYNN_ELEMENTWISE and no slots alone")
            for t, grad in enumerate(self.gradients(3), 1):
                w, _ = self.start(calls)
                alpha, beta = calls.linear(t) or (np.nan, np.nan)
                expected = beta * w + alpha * calls.cast(grad)
                calls.step(w, grad, [], t)
                if not np.allclose(w, expected, rtol=1e-6, atol=1e-6):
                    i = int(np.abs(w - expected).argmax())
                    raise Failure(
                        f"step {t} of {one!r} must be w := {beta:.9g} w + {alpha:.9g} grad, as "
                        "linear_step says: "
                        f"element {i} is {expected.ravel()[i]:.9g}. step made it {w.ravel()[i]:.9g}"
                    )
        return "w := beta w + alpha grad is what step does"

    # ---------------------------------------------------------------------------------------- memory

    def restored(self) -> str:
        grads = self.gradients(6)
        for dtype in self.dtypes:
            calls = self.calls(dtype)
            w, slots = self.start(calls)
            for t, grad in enumerate(grads, 1):
                if t == 4:
                    saved = w.copy(), [slot.copy() for slot in slots]
                calls.step(w, grad, slots, t)
            fresh = self.calls(dtype, type(self.component).from_config(self.component.get_config()))
            again, again_slots = saved
            for t, grad in enumerate(grads[3:], 4):
                fresh.step(again, grad, again_slots, t)
            for what, first, second in [
                ("w", w, again),
                *zip(self.slot_names(), slots, again_slots, strict=False),
            ]:
                place = first_difference(first, second)
                if place is not None:
                    raise Failure(
                        "6 steps, and 3 steps saved and restored and 3 more, must give the same bits. "
                        f"Element {place} of "
                        f"{what} in {dtype} is {first.ravel()[place]!s}, restored "
                        f"{second.ravel()[place]!s}: is something "
                        "remembered besides the slots?"
                    )
        return "3 + 3 steps, restored in between, give the bits of 6"

    def slot_names(self) -> list[str]:
        return [f"slots[{i}]" for i in range(16)]

    def apart(self) -> str:
        dtype = self.dtypes[0]
        calls = self.calls(dtype)
        grads, other_grads = self.gradients(4), self.gradients(4, (1, 3))
        w, slots = self.start(calls)
        for t, grad in enumerate(grads, 1):
            calls.step(w, grad, slots, t)
        between, own = self.start(calls)
        other, other_slots = self.start(calls, (1, 3))
        for t, grad in enumerate(grads, 1):
            calls.step(between, grad, own, t)
            calls.step(other, other_grads[t - 1], other_slots, t)
        place = first_difference(w, between)
        if place is not None:
            raise Failure(
                f"steps on one parameter must not depend on those on another. Element {place} is "
                f"{w.ravel()[place]!s} "
                f"alone and {between.ravel()[place]!s} beside another: is something remembered besides "
                "the slots?"
            )
        return "steps on another parameter in between change nothing"

    def slots(self) -> str:
        n = 0
        for dtype in self.dtypes:
            calls = self.calls(dtype)
            n = calls.n_slots
            w, slots = self.start(calls)
            calls.step(w, self.gradients(1)[0], slots, 1)
            if "slots" in self.violations.evidence:
                raise Failure(self.violations.evidence["slots"])
        return f"{n} slots, zero before step 1"

    def reads(self) -> str:
        self.require_compiled("Python methods get no memory but their arrays")
        for dtype in self.dtypes:
            ends = []
            grads = np.random.default_rng(6).normal(0.2, 1, (3, *SHAPE))
            for fill in (np.nan, 3.0):
                calls = self.calls(dtype)
                w, slots = self.start(calls)
                for t, grad in enumerate(grads, 1):
                    calls.step(w, grad, slots, t, fill=fill)
                ends.append(w)
            place = first_difference(*ends)
            if place is not None:
                raise Failure(
                    f"step must read nothing but its arguments. Element {place} in {dtype} changed with "
                    "what lies beside "
                    f"them, from {ends[0].ravel()[place]!s} to {ends[1].ravel()[place]!s}: does it use a "
                    "slot that is not "
                    "declared?"
                )
        return "the result does not depend on the memory around"

    # --------------------------------------------------------------------------------------- repeats

    def deterministic(self) -> str:
        grads = self.gradients(5)
        for dtype in self.dtypes:
            ends = []
            for _ in range(2):
                calls = self.calls(dtype)
                w, slots = self.start(calls)
                for t, grad in enumerate(grads, 1):
                    calls.step(w, grad, slots, t)
                ends.append(w)
            place = first_difference(*ends)
            if place is not None:
                raise Failure(
                    f"the same steps must give the same bits. Element {place} in {dtype} was "
                    f"{ends[0].ravel()[place]!s}, then {ends[1].ravel()[place]!s}: is something "
                    "remembered from run to run?"
                )
        return "5 steps, twice, give the same bits"

    def call_with_data(self, calls: OptimizerCalls) -> Callable[[], list[Array]]:
        shape = (512, 128) if calls.compiled else (16, 8)
        if calls.compiled and not calls.elementwise:
            shape = (96, 64)  # steps on whole matrices may be slow
        first = aligned_copy(calls.cast(self.random.normal(size=shape)))
        given = aligned_copy(calls.cast(self.random.normal(size=shape)))
        w, grad = aligned_copy(first), aligned_copy(given)
        slots = [aligned_copy(slot) for slot in calls.zero_slots(first)]
        rate, component = started(self.component.learning_rate)(0), self.component
        h = calls.h()
        function = calls.function("step") if calls.compiled else None
        table = (ctypes.c_void_p * max(1, len(slots)))(*(slot.ctypes.data for slot in slots))

        def steps(h: Any = h) -> list[Array]:  # keeps h alive
            w[...] = first
            for slot in slots:
                slot[...] = 0
            for t in (1, 2):
                grad[...] = given
                if function is None:
                    component.step(w, grad, list(slots), rate, t)
                else:
                    address = h.address if h else None
                    function(address, rate, t, *shape, w.ctypes.data, grad.ctypes.data, table)
            return [w, *slots]

        return steps

    def few_rows(self) -> str:
        for dtype in self.dtypes:
            calls = self.calls(dtype)
            # Two fills: a NaN computed from NaNs would go unnoticed.
            for shape, fill in itertools.product([(0, 4), (1, 4), (4, 1), (1, 1)], [np.nan, 3.0]):
                w, slots = self.start(calls, shape)
                before = w.copy()
                calls.step(w, np.full(shape, 0.5), slots, 1, fill=fill)
                if w.size and (not np.isfinite(w).all() or (w == before).all()):
                    raise Failure(
                        f"a step on {shape[0]} x {shape[1]} elements in {dtype} must move w. Got {w.tolist()}"
                    )
        return "no rows, one row, one column"
