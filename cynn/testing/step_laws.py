"""Checks of properties that hold for all optimizers: of the learning rate, the step number and decay."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from cynn.optimizers import Optimizer
from cynn.testing.bounds import interval, is_number, of_kernel
from cynn.testing.calls import OptimizerCalls
from cynn.testing.common import changed, variants
from cynn.testing.memory import Array
from cynn.testing.report import Failure, Skipped
from cynn.testing.words import apart

if TYPE_CHECKING:
    from cynn.testing.optimizers import OptimizerChecks

__all__ = ["decay", "learning_rate", "linear_step", "step_number"]

SHAPE = (3, 5)
_BORDERS = (2**8, 2**15, 2**16, 2**24, 2**31, 2**32)  # bits of integer types that are too short for t
_WINDOW = 16
_NEAR_ONE = (1e-5, 1e-8, 1e-11)  # distance from the upper bound: averages are so long that late steps still differ
_SMALL = 0.005  # a learning rate
_DECAYS = ("weight_decay", "decay", "l1", "l2")


def learning_rate(checks: OptimizerChecks) -> str:
    """Steps are proportional to the learning rate, at every rate."""
    calls = checks.calls(checks.best_dtype)
    w, grads = checks.random.normal(size=SHAPE), checks.gradients(3, SHAPE)
    low, high = checks.component.learning_rate_range
    smallest = 1e-5 if checks.best_dtype == "float64" else 1e-3
    rates = [rate for rate in np.geomspace(smallest, 20.0, 26) if low <= rate and 2 * rate <= high]

    for rate in map(float, rates):
        # later steps also depend on the weights after the earlier ones
        for steps in (1, 3) if rate <= _SMALL else (1,):
            first, second = (
                float(np.linalg.norm(calls.run(w, grads[:steps], rate=each)[0].astype(np.float64) - calls.cast(w)))
                for each in (rate, 2 * rate)
            )
            exponent = float(np.log2(second / first)) if first > 0 and second > 0 else np.nan
            if not abs(exponent - 1) <= (0.05 if rate <= _SMALL else 0.3):
                cure = (
                    "is it read?"
                    if not exponent and rate == rates[0]
                    else "is it capped?"
                    if exponent < 0.7
                    else "is it squared?"
                )
                raise Failure(
                    f"a step must be in proportion to the learning rate. At {rate:.3g} w moves by {first:.6g}, at "
                    f"{2 * rate:.3g} by {apart(first, second)[1]}, as the rate to the power of {exponent:.3g}: {cure} "
                    "Where that is so in the formula, say where it is not by learning_rate_range = (low, high)"
                )
    return f"{len(rates)} rates from {rates[0]:.0e} to {2 * rates[-1]:.3g}"


def step_number(checks: OptimizerChecks) -> str:
    """All bits of t are used: steps after 2^16 or 2^31 continue those before."""
    for one in (checks.component, _long_averages(checks.component, _NEAR_ONE[0])):
        calls = checks.calls(checks.best_dtype, one)
        w = checks.random.normal(size=SHAPE)
        grad = checks.random.normal(0.2, 1, SHAPE)
        slots = [checks.random.uniform(0.1, 0.2, SHAPE) for _ in range(calls.n_slots)]
        for border in _BORDERS:
            before = [_move(calls, w, grad, slots, border - k) for k in range(1, _WINDOW)]
            size = max(float(np.abs(each).max()) for each in before)
            for t in range(border, border + _WINDOW // 2):
                now = _move(calls, w, grad, slots, t)
                nearest = min(float(np.abs(now - each).max()) for each in before)
                if not nearest <= 0.1 * size:
                    raise Failure(
                        f"step {t} of {one!r} must be like the steps before it, which move w by {size:.6g}. It moves "
                        f"it by {float(np.abs(now).max()):.6g}: is t kept in too few bits?"
                    )
    _require_no_cap(checks)
    return f"steps around {', '.join(f'{border:,}' for border in _BORDERS)}"


def _move(calls: OptimizerCalls, w: Array, grad: Array, slots: list[Array], t: int) -> Array:
    moved: Array = calls.run(w, [grad], t=t, slots=slots)[0].astype(np.float64) - calls.cast(w)
    return moved


def _long_averages(component: Optimizer, distance: float) -> Any:
    """The component with hyperparameters close to their upper bounds, such as betas of averages."""
    for name, declared in of_kernel(component).items():
        high = interval(declared)[1]
        if is_number(declared) and np.isfinite(high):
            component = changed(component, **{name: high * (1 - distance)}) or component
    return component


def _multiplied(component: Optimizer, factor: float) -> Any:
    """The component with unbounded hyperparameters, such as warm-up lengths, multiplied by a factor."""
    for name, declared in of_kernel(component).items():
        if is_number(declared) and not np.isfinite(interval(declared)[1]):
            component = changed(component, **{name: factor * (float(declared.default) or 1.0)}) or component
    return component


def _require_no_cap(checks: OptimizerChecks) -> None:
    """If steps still change with t, they must not all stop changing at the same t."""
    if checks.best_dtype != "float64":
        return
    ones = [*variants(checks.component)]
    ones += [_long_averages(checks.component, distance) for distance in _NEAR_ONE]
    ones += [_multiplied(checks.component, factor) for factor in (10, 1000)]
    ends = [end for end in (_sudden_end(checks, one) for one in ones) if end is not None]
    if len({t for t, _ in ends}) == 1:  # the end of a warm-up depends on a hyperparameter
        t, size = max(ends)
        raise Failure(
            f"t must count at every size. Up to t = {t:,} steps change with it, by {size:.2g} of their length from "
            f"{t // 2:,} on, and from there on they are the same: is t capped?"
        )


def _sudden_end(checks: OptimizerChecks, one: Any) -> tuple[int, float] | None:
    """The power of 2 from which on steps are all the same, and the last change by a part of their length, if that is
    too large for one that dies away."""
    calls = checks.calls("float64", one)
    random = np.random.default_rng(checks.seed)
    w, grad = random.normal(size=SHAPE), random.normal(0.2, 1, SHAPE)
    slots = [random.uniform(0.1, 0.2, SHAPE) for _ in range(calls.n_slots)]
    ladder = [2**k for k in range(1, 34)]  # step 1 may differ, since it initializes
    moves = [_move(calls, w, grad, slots, t) for t in ladder]
    changes = [float(np.abs(after - before).max()) for before, after in itertools.pairwise(moves)]
    last = max((k for k, change in enumerate(changes) if change), default=None)
    if last is None or last == len(changes) - 1:
        return None
    size = changes[last] / (float(np.abs(moves[last]).max()) or 1.0)
    return (ladder[last + 1], size) if size > 1e-5 else None


def decay(checks: OptimizerChecks) -> str:
    """Without a gradient, weight decay moves weights towards 0."""
    names = [name for name in of_kernel(checks.component) if name in _DECAYS]
    if not names:
        raise Skipped(f"it has no {', '.join(_DECAYS[:-1])} or {_DECAYS[-1]}")
    for name in names:
        for dtype in checks.dtypes:
            plain, decayed = (changed(checks.component, **{name: value}) for value in (0.0, 0.1))
            if plain is None or decayed is None:
                continue
            w = checks.random.uniform(0.5, 1, SHAPE) * checks.random.choice([-1, 1], SHAPE)
            ends = [checks.calls(dtype, one).run(w, [np.zeros(SHAPE)] * 2)[0] for one in (plain, decayed)]
            grown = np.abs(ends[1]) > 1.000001 * np.abs(ends[0])
            if grown.any() and (np.abs(ends[1]) > np.abs(w)).any():
                i = tuple(map(int, np.argwhere(grown)[0]))
                raise Failure(
                    f"{name} must make weights smaller. Without a gradient {w[i]:.6g} became {ends[1][i]:.9g} with "
                    f"{name}=0.1, and {ends[0][i]:.9g} without: is its sign wrong?"
                )
    return ", ".join(names)


def linear_step(checks: OptimizerChecks) -> str:
    """A linear step is w := beta w + alpha grad, to the last bits."""
    if checks.calls(checks.best_dtype).linear(1) is None:
        raise Skipped("linear_step is NULL")
    for one in variants(checks.component):
        for dtype in checks.dtypes:
            calls = checks.calls(dtype, one)
            if calls.linear(1) is None:
                continue  # another hyperparameter selects another kernel
            if not calls.elementwise or calls.n_slots:
                raise Failure("linear_step goes with CYNN_ELEMENTWISE and no slots alone")
            for t in (1, 2, 3, 10, 100_000, 2**31 + 1):
                for rate in (calls.rate, 1e-4, 0.3, 7.0):
                    w, grad = calls.cast(checks.random.normal(size=SHAPE)), calls.cast(checks.gradients(1, SHAPE)[0])
                    alpha, beta = calls.linear(t, rate) or (np.nan, np.nan)
                    expected = beta * w.astype(np.float64) + alpha * grad.astype(np.float64)
                    size = np.abs(beta * w) + np.abs(alpha * grad)
                    calls.step(w, grad, [], t, rate=rate)
                    bad = ~(np.abs(w - expected) <= 8 * np.finfo(dtype).eps * size)
                    if bad.any():
                        i = int(np.flatnonzero(bad)[0])
                        first, second = apart(expected.ravel()[i], float(w.ravel()[i]))
                        raise Failure(
                            f"step {t} of {one!r} must be w := {beta:.17g} w + {alpha:.17g} grad, as linear_step says "
                            f"for the learning rate {rate:g}: element {i} is {first}. step made it {second}"
                        )
    return "w := beta w + alpha grad is what step does"
