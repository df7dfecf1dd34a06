"""Directional derivatives: against differences of what is one order lower, by rows, and with what may not matter."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from cynn.testing import differences, tangent_calls
from cynn.testing.common import variants
from cynn.testing.memory import Array, Canaries, first_difference
from cynn.testing.report import Failure, Skipped
from cynn.testing.words import apart, require_close

if TYPE_CHECKING:
    from cynn.testing.activations import ActivationChecks
    from cynn.testing.calls import Calls
    from cynn.testing.layers import LayerChecks
    from cynn.testing.losses import LossChecks

__all__ = ["of_activation", "of_layer", "of_loss"]

Found = dict[str, Array]
Sample = dict[str, Any]


def of_activation(checks: ActivationChecks) -> str:
    """`jvp` and `backward_jvp` of an activation."""
    first = checks.calls(checks.best_dtype)
    _require_one(first, "jvp", "backward_jvp")
    if not first.compiled and not first.has("jvp"):
        raise Failure("jvp must be given with backward_jvp, as methods in Python do not say whether f is elementwise")
    n = 0
    for dtype, one in itertools.product(checks.dtypes, variants(checks.component)):
        calls = checks.calls(dtype, one)
        for z in (checks.rows(9, 7), 0.1 * checks.rows(5, 3), checks.rows(4, 1), checks.within(np.eye(3) * 40 - 20)):
            sample: Sample = {"z": checks.within(z), "grad": checks.random.normal(size=z.shape)}
            sample["directions"] = {"z": checks.random.normal(size=z.shape), "grad": checks.random.normal(size=z.shape)}
            if not checks.component.straight_through:
                n += _as_differences(calls, sample)
            _independent_rows(calls, sample, ["z", "grad"])
            _everything_else(checks, calls, sample)
    return f"{n} derivatives against differences"


def of_loss(checks: LossChecks) -> str:
    """`backward_jvp` of a loss: its Hessian times a vector."""
    _require_one(checks.calls(checks.best_dtype), "backward_jvp")
    n = 0
    for dtype, one in itertools.product(checks.dtypes, variants(checks.component)):
        calls = checks.calls(dtype, one)
        if checks.fuses_with and not calls.has("fused_backward_jvp"):
            raise Failure("fused_backward_jvp must be given with backward_jvp, as there is a fused form. It is NULL")
        for _, prediction, target, fused in checks.cases(component=one):
            directions = {"prediction": checks.random.normal(size=prediction.shape)}
            sample = {"prediction": prediction, "target": target, "fused": fused, "directions": directions}
            n += _as_differences(calls, sample)
            _independent_rows(calls, sample, ["prediction", "target"])
            _as_weighted(calls, sample, checks.random.integers(0, 4, len(prediction)).astype(np.float64))
            _everything_else(checks, calls, sample)
        if checks.takes_classes:
            _as_one_hot(calls, sample)
    return f"{n} derivatives against differences"


def of_layer(checks: LayerChecks) -> str:
    """`jvp`, `backward_jvp` and `gradient_jvp` of the operations of a layer."""
    n = 0
    for dtype, (rows, columns) in itertools.product(checks.dtypes, [(9, 6), (5, 33)]):
        calls = tangent_calls.DirectedCalls(checks.component, dtype, checks.watch)
        for _, sample in checks.training_samples(calls, rows, columns):
            whole = calls.built([each.shape[1] for each in sample["x"]])
            if (name := tangent_calls.lacking(whole, dtype)) is not None:
                raise Skipped(f"it has no {name} in {dtype}")
            sample = {**sample, "directions": calls.made_up(sample)}
            n += _as_differences(calls, sample)
            _everything_else(checks, calls, sample)
            expected = calls.directional(sample)
            for pieces in [[(0, 1), (1, 3), (3, rows)], [(2, rows), (0, 2), (rows, rows)]]:
                got = calls.directional(sample, pieces)
                for name, values in expected.items():
                    text = f"the tangent of {name} must not depend on the pieces that rows come in"
                    require_close(got[name], values, dtype, text, scale=_largest(values), ulps=256)
    return f"{n} derivatives against differences"


def _require_one(calls: Calls, *names: str) -> None:
    if not any(calls.has(name) for name in names):
        raise Skipped(f"it has no {' and no '.join(names)}")


def _largest(values: Array) -> float:
    return float(np.abs(values[np.isfinite(values)]).max(initial=1))


def _moved(calls: Calls, sample: Sample, t: float) -> Found:
    """What is one order lower, t further along the directions."""
    if "x" in sample:
        with tangent_calls.moved(calls, sample, t) as moved:  # type: ignore[arg-type]  # those of a layer
            return calls.results(moved, by_rows=True)  # type: ignore[call-arg]  # likewise
    directions = sample["directions"]
    own = {name: each for name, each in sample.items() if name != "directions"}
    return calls.results({**own, **{name: own[name] + t * along for name, along in directions.items()}})


def _as_differences(calls: Calls, sample: Sample) -> int:
    """In float64."""
    if calls.dtype != "float64":
        return 0
    found = calls.directional(sample)
    names = list(found)

    def flat(each: Found) -> Array:
        return np.concatenate([each[name].ravel() for name in names])

    expected = differences.slopes(lambda t: flat(_moved(calls, sample, t)))
    analytic = flat(found)
    bad = differences.wrong(analytic, expected)
    if bad.any():
        i = int(np.flatnonzero(bad)[0])
        ends = np.cumsum([found[name].size for name in names])
        k = int(np.searchsorted(ends, i, side="right"))
        first, second = apart(expected.central[i], analytic[i])
        raise Failure(
            f"{_function(calls, names[k])} of {calls.component!r} must give the directional derivative of {names[k]}: "
            f"element {i - ([0, *ends][k])} must be {first}, by differences. Got {second}"
        )
    return len(analytic)


def _function(calls: Calls, name: str) -> str:
    """The function that a tangent comes from."""
    if name == "a":
        return "jvp"
    of_parameter = name.startswith("∂C/∂") and not name.startswith("∂C/∂x")
    return "gradient_jvp" if of_parameter and calls.compiled else "backward_jvp"


def _independent_rows(calls: Calls, sample: Sample, names: list[str]) -> None:
    """A row is what it is alone, and a NaN in one does not reach others."""
    whole = calls.directional(sample)
    for i in range(len(sample[names[0]])):
        cut = slice(i, i + 1)
        alone = {**sample, **{name: sample[name][cut] for name in names}}
        alone["directions"] = {name: each[cut] for name, each in sample["directions"].items()}
        for name, values in calls.directional(alone).items():
            text = f"the tangent of {name} of a row must not depend on the rows beside it"
            require_close(values, whole[name][cut], calls.dtype, text, scale=_largest(whole[name]))
    for where in names[0], "directions":
        spoilt = {**sample, "directions": dict(sample["directions"])}
        target = spoilt if where != "directions" else spoilt["directions"]
        target[names[0]] = target[names[0]].copy()
        target[names[0]][0] = np.nan
        for name, values in calls.directional(spoilt).items():
            text = f"a NaN in the first row must not reach the tangent of {name} of others"
            require_close(values[1:], whole[name][1:], calls.dtype, text, scale=_largest(whole[name]))


def _as_weighted(calls: Calls, sample: Sample, weight: Array) -> None:
    plain = calls.directional(sample)["grad"]
    expected = plain * calls.cast(weight)[:, None]
    got = calls.directional({**sample, "weight": weight})["grad"]
    text = "the tangent of a row must be its sample_weight times that without"
    require_close(got, expected, calls.dtype, text, scale=_largest(expected))


def _as_one_hot(calls: Calls, sample: Sample) -> None:
    rows, outputs = sample["prediction"].shape
    classes = np.arange(rows) * 7 % outputs
    own = {name: each for name, each in sample.items() if name != "target"}
    expected = calls.directional({**own, "target": np.eye(outputs)[classes]})["grad"]
    got = calls.directional({**own, "classes": classes})["grad"]
    text = "the tangent with class_index must be that with one-hot rows"
    require_close(got, expected, calls.dtype, text, scale=_largest(expected))


def _everything_else(checks: Any, calls: Calls, sample: Sample) -> None:
    """Linear in the directions, the same in float32, and with anything around the arrays."""
    found = calls.directional(sample)
    for factor in (0.0, -1.0, 1e4, 1e-4):
        directions = _scaled(sample["directions"], factor)
        for name, values in calls.directional({**sample, "directions": directions}).items():
            expected = found[name] * calls.cast(factor)
            text = f"the tangent of {name} must be linear in the directions: {factor:g} times as far"
            require_close(values, expected, calls.dtype, text, scale=abs(factor) * _largest(found[name]), ulps=256)
    for name, values in found.items():
        if not np.isfinite(values).all():
            raise Failure(f"the tangent of {name} must be finite at moderate numbers. Got {values.ravel()[:5]}")
    if calls.compiled:
        turned = checks.calls(calls.dtype, calls.component, Canaries(1))
        for name, values in turned.directional(sample).items():
            place = first_difference(values, found[name])
            if place is not None:
                first, second = apart(found[name].ravel()[place], values.ravel()[place])
                raise Failure(
                    f"the tangent of {name} must follow from the arrays alone. It changes with what lies around them, "
                    f"or was in those that it has to write: element {place} was {first}, then {second}"
                )
    if calls.dtype == "float32" and "float64" in checks.dtypes:
        double = checks.calls("float64", calls.component).directional(_in_float32(sample))
        for name, values in double.items():
            text = f"the tangent of {name} in float32 must be that in float64"
            scale = _largest(values)
            require_close(found[name], values.astype(np.float32), "float32", text, scale=scale, ulps=2048)


def _mapped(given: Any, function: Callable[[Array], Array]) -> Any:
    if isinstance(given, dict):
        return {name: _mapped(each, function) for name, each in given.items()}
    if isinstance(given, list):
        return [_mapped(each, function) for each in given]
    return function(given) if isinstance(given, np.ndarray) else given


def _scaled(directions: Any, factor: float) -> Any:
    return _mapped(directions, lambda each: each * factor)


def _in_float32(sample: Sample) -> Any:
    return _mapped(sample, lambda each: each.astype(np.float32).astype(np.float64))
