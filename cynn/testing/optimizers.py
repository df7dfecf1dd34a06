"""Checks of an optimizer."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np

from cynn.optimizers import Optimizer
from cynn.testing import optimizer_pieces, references, step_laws
from cynn.testing.calls import OptimizerCalls
from cynn.testing.checks import Checks, NamedCheck, Sample
from cynn.testing.common import variants
from cynn.testing.memory import Array, Canaries, Moving, Staying, aligned_copy, first_difference
from cynn.testing.precision import Movement
from cynn.testing.report import Failure, Report
from cynn.testing.words import apart

__all__ = ["OptimizerChecks", "check_optimizer"]

SHAPE = (5, 7)


def check_optimizer(optimizer: Any, *, raise_on_failure: bool = True, seed: int = 0) -> Report:
    """Check that an optimizer follows the rules of `cynn/abi.h`, and that its steps reduce the loss.

    Parameters
    ----------
    optimizer : str, class or Optimizer
        A name, a class or an instance.
    raise_on_failure : bool
        Whether a failed check raises an error. If False, the report contains the failure.
    seed : int
        The seed of the random inputs. Failures report it.

    Returns
    -------
    Report
        The results. Its `str` is a table of the checks with their evidence.

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
    return OptimizerChecks.report_on(optimizer, raise_on_failure=raise_on_failure, seed=seed)


class OptimizerChecks(Checks[Optimizer, OptimizerCalls]):
    """The checks of an optimizer. Those of pieces and of the properties of steps are in separate modules."""

    kind = "optimizer"
    calls_of = OptimizerCalls
    array_names: ClassVar[list[str]] = ["grad", "w", "slots", *(f"slots[{i}]" for i in range(16)), "h"]

    def checks(self) -> list[NamedCheck]:
        named: dict[str, Callable[[OptimizerChecks], str]] = {
            "first step goes against the gradient": OptimizerChecks.direction,
            "goes down a bowl": OptimizerChecks.descends,
            "no NaN at extreme gradients": OptimizerChecks.extremes,
            "float32 against float64": OptimizerChecks.float32,
            "elementwise as declared": optimizer_pieces.pieces,
            "linear step as declared": step_laws.linear_step,
            "in proportion to the learning rate": step_laws.learning_rate,
            "every number of a step": step_laws.step_number,
            "decay makes weights smaller": step_laws.decay,
            "saved and restored in the middle": OptimizerChecks.restored,
            "parameters apart from each other": OptimizerChecks.apart,
            "slots as declared": OptimizerChecks.slots,
            "reads only its arguments": OptimizerChecks.reads,
            "deterministic": OptimizerChecks.deterministic,
            "re-entrant": OptimizerChecks.reentrant,
            "zero rows and one row": optimizer_pieces.few_rows,
        }
        return [(name, functools.partial(check, self)) for name, check in named.items()]

    # ---------------------------------------------------------------------------------------- data

    def gradients(self, steps: int, shape: tuple[int, int] = SHAPE) -> list[Array]:
        return [self.random.normal(0.2, 1, shape) for _ in range(steps)]

    def start(self, calls: OptimizerCalls, shape: tuple[int, int] = SHAPE) -> tuple[Array, list[Array]]:
        w = calls.cast(np.linspace(-1, 1, shape[0] * shape[1]).reshape(shape) + 0.01)
        return w, calls.zero_slots(w)

    def declared(self, calls: OptimizerCalls) -> list[str]:
        return [f"{calls.n_slots} slots", "elementwise" if calls.elementwise else "whole parameters"]

    def samples(self, calls: OptimizerCalls, rows: int, columns: int) -> Iterator[tuple[str, Sample]]:
        w = self.random.normal(size=(rows, columns))
        yield "", {"w": w, "grads": self.gradients(2, (rows, columns))}

    def probe(self, component: Optimizer) -> dict[str, Array]:
        calls = self.calls(self.best_dtype, component)
        random = np.random.default_rng(self.seed)
        found: dict[str, Array] = {}
        # later steps, small and large learning rates, and weights and gradients so small that epsilons matter
        for rate, t, size in [
            (calls.rate, 1, 1.0),
            (calls.rate, 50, 1.0),
            (1e-7, 1, 1.0),
            (1e4, 1, 1.0),
            (0.1, 1, 1e-15),
        ]:
            spread = 10 ** random.uniform(-4, 6, (4, *SHAPE)) * random.choice([-1, 1], (4, *SHAPE))
            plain = random.normal(0.2, 1, (6, *SHAPE))
            for what, grads in [("plain", plain), ("spread", spread), ("a bias", plain[:, :1])]:
                w = size * random.normal(size=grads[0].shape)
                sample = {"w": w, "grads": [*(size * grads)], "rate": rate, "t": t}
                found |= {f"{name}, {rate}, {t}, {size}, {what}": each for name, each in calls.results(sample).items()}
        return found

    def moderate(self, component: Optimizer, dtype: str) -> dict[str, Array]:
        random = np.random.default_rng(self.seed)
        return self.calls(dtype, component).results(
            {"w": random.normal(size=SHAPE), "grads": [*random.normal(0.2, 1, (4, *SHAPE))]}
        )

    def movements(self, component: Optimizer) -> Iterator[Movement]:
        calls = self.calls("float64", component)
        w, slots = self.random.normal(size=SHAPE), [self.random.uniform(0.5, 1, SHAPE) for _ in range(calls.n_slots)]
        grads = self.gradients(2)
        unit = self.random.uniform(0.5, 1, SHAPE)

        def moved(
            *, of_w: float = 0, of_grad: float = 0, of_rate: float = 0, of_slot: tuple[int, float] = (0, 0.0)
        ) -> dict[str, Array]:
            own = [slot + (of_slot[1] * unit if i == of_slot[0] else 0) for i, slot in enumerate(slots)]
            sample = {"w": w + of_w * unit, "grads": [grad + of_grad * unit for grad in grads], "slots": own}
            return calls.results({**sample, "rate": 0.5 * (1 + of_rate), "t": 10})

        yield Movement("w", lambda t: moved(of_w=t))
        yield Movement("the gradient", lambda t: moved(of_grad=t))
        yield Movement("the learning rate", lambda t: moved(of_rate=t))
        for i in range(calls.n_slots):
            yield Movement(f"slots[{i}]", lambda t, i=i: moved(of_slot=(i, t)))  # type: ignore[misc]  # i is bound
        for i, value in enumerate(component.kernel_values() if calls.compiled else []):

            def of_h(t: float, i: int = i, value: float = value) -> dict[str, Array]:
                calls.values = [*component.kernel_values()]
                calls.values[i] = value + t * (abs(value) or 1)
                return moved()

            yield Movement(f"hyperparameter {i}", of_h)

    # ---------------------------------------------------------------------------------------- values

    def large_shapes(self) -> str:
        return optimizer_pieces.large_shapes(self)

    def as_reference(self) -> str:
        def found(one: Optimizer, dtype: str) -> Iterator[references.Pair]:
            calls = self.calls(dtype, one)
            start = np.linspace(-1, 1, 35).reshape(SHAPE).astype(dtype)
            grads = [grad.astype(dtype) for grad in self.gradients(5)]
            w, slots = calls.run(start, grads)
            expected = start.astype(np.float64)
            own = [np.zeros(SHAPE) for _ in slots]
            for t, grad in enumerate(grads, 1):
                returned = one.reference(expected, grad.astype(np.float64), own, calls.rate, t)
                expected = expected if returned is None else np.asarray(returned)
            yield "w after 5 steps", expected, w
            for i, slot in enumerate(slots):
                yield f"slots[{i}] after 5 steps", own[i], slot

        return references.compare(self, found)

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
        calls = self.calls(self.best_dtype)
        w, slots = self.start(calls)
        curvature = np.linspace(0.5, 2, w.size).reshape(SHAPE)
        before = float((curvature * w * w).sum())
        for t in range(1, 201):
            calls.step(w, 2 * curvature * w, slots, t)
        after = float((curvature * w * w).sum())
        if not after < before:
            raise Failure(
                f"200 steps of {self.component!r} down Σ c w² must end lower than {before:.6g}. Got {after:.6g}"
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

    def not_finite(self) -> str:
        """A NaN gradient makes the weight NaN. An infinite one acts like a large one, or gives a non-finite weight."""
        n = 0
        for dtype in self.dtypes:
            calls = self.calls(dtype)
            for place in [*np.ndindex(3, 5), (0, 0)]:
                shape = (3, 5) if n else (1, 1)
                grads = self.gradients(2, shape)
                w = np.linspace(0.1, 1, shape[0] * shape[1]).reshape(shape)
                place = place if n else (0, 0)
                for value in (np.nan, np.inf, -np.inf):
                    self.one_not_finite(calls, w, grads, place, value)
                    n += 1
        return f"{n} times NaN, inf or -inf in one place of a gradient"

    def one_not_finite(self, calls: OptimizerCalls, w: Array, grads: list[Array], place: Any, value: float) -> None:
        def after(own: float) -> tuple[Array, list[Array]]:
            first = grads[0].copy()
            first[place] = own
            return calls.run(w, [first, grads[1]])

        moved, slots = after(value)
        if np.isnan(value) and not np.isnan(moved[place]):
            raise Failure(f"step must let NaN through. With a gradient of nan at {place} w became {moved[place]:.6g}")
        if np.isnan(value) and calls.elementwise:
            clean, _ = calls.run(w, grads)
            others = np.ones(w.shape, bool)
            others[place] = False
            if not np.allclose(moved[others], clean[others], rtol=1e-5):
                raise Failure(f"a gradient of nan at {place} must not reach other elements, as CYNN_ELEMENTWISE says")
        if np.isinf(value) and np.isfinite(moved[place]) and all(np.isfinite(slot[place]) for slot in slots):
            large, _ = after(np.copysign(1e15, value))
            larger, _ = after(np.copysign(1e30, value))
            if not np.isclose(moved[place], larger[place], rtol=1e-3) or not np.isclose(large[place], larger[place]):
                raise Failure(
                    f"step must let infinity through. With a gradient of {value} at {place} w became "
                    f"{moved[place]:.6g}, "
                    f"with {np.copysign(1e30, value):g} it becomes {larger[place]:.6g}"
                )

    def float32(self) -> str:
        self.require_both_dtypes()
        largest = 0.0
        for one in variants(self.component):
            ends = []
            grads = [grad.astype(np.float32) for grad in self.gradients(5)]
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
                expected, got = apart(ends[1].ravel()[i], ends[0].ravel()[i])
                raise Failure(
                    f"5 steps of {one!r} in float32 must end where those in float64 do, at {expected}. Got {got}"
                )
        return f"they agree to {largest:.1g} after 5 steps"

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
            names = [f"slots[{i}]" for i in range(len(slots))]
            for what, first, second in [("w", w, again), *zip(names, slots, again_slots, strict=True)]:
                place = first_difference(first, second)
                if place is not None:
                    before, after = apart(first.ravel()[place], second.ravel()[place])
                    raise Failure(
                        "6 steps, and 3 steps saved and restored and 3 more, must give the same bits. Element "
                        f"{place} of {what} in {dtype} is {before}, restored {after}: is something "
                        "remembered besides the slots?"
                    )
        return "3 + 3 steps, restored in between, give the bits of 6"

    def apart(self) -> str:
        calls = self.calls(self.best_dtype)
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
            alone, beside = apart(w.ravel()[place], between.ravel()[place])
            raise Failure(
                f"steps on one parameter must not depend on those on another. Element {place} is {alone} "
                f"alone and {beside} beside another: is something remembered besides the slots?"
            )
        return "steps on another parameter in between change nothing"

    def slots(self) -> str:
        n = 0
        for dtype in self.dtypes:
            calls = self.calls(dtype)
            n = calls.n_slots
            w, slots = self.start(calls)
            calls.step(w, self.gradients(1)[0], slots, 1)
            if "slots" in self.watch.evidence:
                raise Failure(self.watch.evidence["slots"])
        return f"{n} slots, zero before step 1"

    def reads(self) -> str:
        self.require_compiled("Python methods get no memory but their arrays")
        for dtype in self.dtypes:
            for shape in (SHAPE, (1, 1), (3, 1031)):
                grads = self.gradients(3, shape)
                ends = []
                for turn in (0, 1):
                    calls = self.calls(dtype, manner=Canaries(turn))
                    w, slots = self.start(calls, shape)
                    for t, grad in enumerate(grads, 1):
                        calls.step(w, grad, slots, t)
                    ends.append(w)
                place = first_difference(*ends)
                if place is not None:
                    raise Failure(
                        f"step must read nothing but its arguments. Element {place} in {dtype} changed with what lies "
                        f"beside them, from {ends[0].ravel()[place]!s} to {ends[1].ravel()[place]!s}: does it use a "
                        "slot that is not declared?"
                    )
        return "the result does not depend on the memory around"

    # --------------------------------------------------------------------------------------- repeats

    def deterministic(self) -> str:
        grads = self.gradients(5)
        for dtype in self.dtypes:
            ends = []
            for manner in (Moving(), Staying()):  # a step must not know an array again by its address
                calls = self.calls(dtype, manner=manner)
                w, slots = self.start(calls)
                for t, grad in enumerate(grads, 1):
                    calls.step(w, grad, slots, t)
                ends.append(w)
            place = first_difference(*ends)
            if place is not None:
                before, after = apart(ends[0].ravel()[place], ends[1].ravel()[place])
                raise Failure(
                    f"the same steps must give the same bits. Element {place} in {dtype} was {before}, then {after}: "
                    "is something remembered from run to run?"
                )
        return "5 steps, twice, give the same bits"

    def call_with_data(self, calls: OptimizerCalls) -> Callable[[], list[Array]]:
        shape = (512, 128) if calls.compiled else (16, 8)
        if calls.compiled and not calls.elementwise:
            shape = (96, 64)  # whole matrices may be slow
        first = aligned_copy(calls.cast(self.random.normal(size=shape)))
        given = aligned_copy(calls.cast(self.random.normal(size=shape)))
        w, grad = aligned_copy(first), aligned_copy(given)
        slots = [aligned_copy(slot) for slot in calls.zero_slots(first)]
        rate, component = calls.rate, self.component
        h = calls.h()
        function = calls.function("step") if calls.compiled else None
        table = (ctypes.c_void_p * max(1, len(slots)))(*(slot.ctypes.data for slot in slots))

        def steps(h: Any = h) -> list[Array]:  # h is kept alive
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
