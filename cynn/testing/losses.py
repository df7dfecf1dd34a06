"""Checks of a loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from cynn import registry
from cynn.errors import CynnError
from cynn.losses import Loss
from cynn.testing import abi, differences
from cynn.testing.calls import LossCalls
from cynn.testing.checks import Checks, NamedCheck
from cynn.testing.common import variants
from cynn.testing.loss_data import OUTPUTS, predictions, targets
from cynn.testing.memory import Array, aligned_copy, first_difference
from cynn.testing.report import Failure, Report, Skipped
from cynn.testing.words import near, short, worst

__all__ = ["check_loss"]


def check_loss(loss: Any, *, raise_on_failure: bool = True) -> Report:
    """Check that a loss follows the rules of `cynn/abi.h`, and that its gradient is correct.

    Predictions lie within the class's `prediction_range`. Several kinds of targets are tried: any numbers,
    probabilities, one-hot rows, signs, positive numbers, counts. Those that `check_target` rejects are left out.

    Parameters
    ----------
    loss : str, class or Loss
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
    >>> from cynn.testing import check_loss
    >>> check_loss("mean_squared_error").passed
    True
    """
    return _LossChecks.report_on(loss, raise_on_failure=raise_on_failure)


class _LossChecks(Checks[Loss, LossCalls]):
    kind = "loss"
    seed = 21
    calls_of = LossCalls

    def first_checks(self) -> list[NamedCheck]:
        return [*super().first_checks(), ("targets", self.targets_are_taken)]

    def checks(self) -> list[NamedCheck]:
        return [
            ("gradient", self.gradient),
            ("no NaN at extreme inputs", self.extremes),
            ("float32 against float64", self.float32),
            ("value is the sum over rows", self.sum_of_rows),
            ("sample weights", self.weights),
            ("value without gradient", self.value_alone),
            ("classes as one-hot rows", self.classes),
            ("fused form", self.fused),
            ("reads only its arguments", self.reads),
            ("deterministic", self.deterministic),
            ("re-entrant", self.reentrant),
            ("zero rows", self.no_rows),
        ]

    def declared(self, calls: LossCalls) -> list[str]:
        self.fuses_with = calls.fuses_with
        return [f"fused with {self.fuses_with}"] if self.fuses_with else []

    # --------------------------------------------------------------------------------------- data

    def targets(self, rows: int, component: Loss | None = None) -> Iterator[tuple[str, Array]]:
        return targets(component or self.component, self.random, rows)

    def predictions(self, rows: int, component: Loss | None = None, *, z: bool = False) -> Array:
        return predictions(component or self.component, self.random, rows, z=z)

    def cases(self, rows: int = 7, component: Loss | None = None) -> Iterator[tuple[str, Array, Array, bool]]:
        """Targets of each kind with predictions, and with z if the loss has a fused form."""
        for name, target in self.targets(rows, component):
            yield name, self.predictions(rows, component), target, False
            if self.fuses_with:
                yield f"{name}, from z", self.predictions(rows, z=True), target, True

    def targets_are_taken(self) -> str:
        low, high = self.component.prediction_range
        if not low < high:
            raise Failure(f"prediction_range must be an interval (low, high). Got ({low}, {high}).")
        names = [name for name, _ in self.targets(9)]
        if not names:
            raise Failure("check_target must take some kind of target. It refused all that the kit tried.")
        return f"{', '.join(names)}; predictions in ({low:g}, {high:g})"

    # --------------------------------------------------------------------------------- derivative

    def gradient(self) -> str:
        if "float64" not in self.dtypes:
            raise Skipped("it offers no float64, in which differences could be taken")
        n = 0
        for one in variants(self.component):
            calls = self.calls("float64", one)
            for name, prediction, target, fused in self.cases(component=one):
                n += self.gradient_of(calls, name, prediction, target, fused)
                if not fused and _inside(target, one.prediction_range):
                    n += self.gradient_of(calls, f"{name}, equal to the prediction", target, target, False)
        return f"{n} partial derivatives against differences"

    def gradient_of(self, calls: LossCalls, name: str, prediction: Array, target: Array, fused: bool) -> int:
        analytic = calls.each(prediction, target, fused=fused)[1]
        for column in range(OUTPUTS):
            unit = np.eye(OUTPUTS)[column]

            def moved(t: float, unit: Array = unit) -> Array:
                return calls.rows(prediction + t * unit, target, fused=fused)

            found = differences.slopes(moved)
            bad = differences.wrong(analytic[:, column], found)
            if bad.any():
                i = int(np.flatnonzero(bad)[0])
                raise Failure(
                    f"∂C/∂{'z' if fused else 'prediction'}[{column}] of {calls.component!r} at "
                    f"{short(prediction[i])} "
                    f"with target {short(target[i])} ({name}) must be {found.central[i]:.9g}, by "
                    "differences. "
                    f"Got {analytic[i, column]:.9g}"
                )
        return int(analytic.size)

    def extremes(self) -> str:
        low, high = self.component.prediction_range
        points = np.array([0.0, 1e4, -1e4, 1e-40, -1e-40, 5e-324, 1.0, -1.0, 30.0, -30.0, 1e-6, 1 - 1e-6])
        n = 0
        for dtype in self.dtypes:
            calls = self.calls(dtype)
            for name, target in self.targets(len(points)):
                for fused in [False, True] if self.fuses_with else [False]:
                    edge = 1e-6 if np.isfinite(high) or np.isfinite(low) else 0.0
                    inside = points if fused else np.clip(points, low + edge, high - edge)
                    prediction = np.stack([np.roll(inside, -k) for k in range(OUTPUTS)], axis=1)
                    prediction = np.concatenate([prediction, np.repeat(inside[:, None], OUTPUTS, axis=1)])
                    twice = np.concatenate([target, target])
                    values, grads = calls.each(prediction, twice, fused=fused)
                    results = np.concatenate([values[:, None], grads], axis=1)
                    moderate = np.abs(prediction).max(axis=1) <= 10
                    bad = np.isnan(results).any(axis=1) | (moderate & ~np.isfinite(results).all(axis=1))
                    if bad.any():
                        i = int(np.flatnonzero(bad)[0])
                        raise Failure(
                            f"the loss in {dtype} at {'z' if fused else 'prediction'} "
                            f"{short(prediction[i])} with "
                            f"target {short(twice[i])} ({name}) must be finite. Got {values[i]:.6g}, "
                            "gradient "
                            f"{short(grads[i])}"
                        )
                    n += len(prediction)
        return f"{n} rows to ±1e4, denormals and zeros among them"

    def float32(self) -> str:
        self.require_both_dtypes()
        single, double = self.calls("float32"), self.calls("float64")
        largest = 0.0
        for name, prediction, target, fused in self.cases(31):
            prediction, target = single.cast(prediction), single.cast(target)
            got, grad = single(prediction, target, fused=fused)
            expected, expected_grad = double(prediction, target, fused=fused)
            scale = np.abs(double.rows(prediction.astype(np.float64), target, fused=fused)).sum() + 1
            errors = [
                abs(got - expected) / scale,
                np.abs((grad - expected_grad) / (1 + np.abs(expected_grad))).max(),
            ]
            largest = max(largest, *errors)
            if not max(errors) <= 1e-4:
                what = "value" if errors[0] >= errors[1] else "gradient"
                pair = (got, expected) if what == "value" else worst(grad, expected_grad)
                raise Failure(
                    f"the {what} in float32 must be that in float64. With {name}: expected {pair[1]:.8g}, "
                    f"got {pair[0]:.8g}"
                )
        return f"they agree to {largest:.1g}"

    # --------------------------------------------------------------------------------------- sums

    def sum_of_rows(self) -> str:
        for dtype in self.dtypes:
            calls = self.calls(dtype)
            for name, prediction, target, fused in self.cases(11):
                total, grad = calls(prediction, target, fused=fused)
                by_row = calls.rows(calls.cast(prediction), calls.cast(target), fused=fused)
                allowed = (1e-5 if dtype == "float32" else 1e-10) * (np.abs(by_row).sum() + 1)
                if not abs(total - by_row.sum()) <= allowed:
                    raise Failure(
                        f"the value of 11 rows must be the sum of their own values, {by_row.sum():.9g} "
                        f"({name}, {dtype}). "
                        f"Got {total:.9g}; the mean would be {by_row.mean():.9g}"
                    )
                order = self.random.permutation(len(prediction))
                again, moved = calls(prediction[order], target[order], fused=fused)
                if not abs(again - total) <= allowed or not near(moved, grad[order], dtype):
                    raise Failure(
                        f"the order of rows must not matter. The value was {total:.9g}, in another order "
                        f"{again:.9g} "
                        f"({name}, {dtype})"
                    )
                for i in (0, 5):
                    alone = calls(prediction[i : i + 1], target[i : i + 1], fused=fused)[1][0]
                    if not near(alone, grad[i], dtype):
                        raise Failure(
                            f"the gradient of row {i} must be that of the row alone, {short(alone)}. "
                            f"Got {short(grad[i])} among 11 rows ({name}, {dtype})"
                        )
        return "11 rows, together, alone and in another order"

    def weights(self) -> str:
        for dtype in self.dtypes:
            calls = self.calls(dtype)
            for name, prediction, target, fused in self.cases(7):
                weight = np.array([1.0, 0.0, 2.5, 0.25, 0.0, 1e-3, 4.0])
                _, plain = calls(prediction, target, fused=fused)
                by_row = calls.rows(calls.cast(prediction), calls.cast(target), fused=fused)
                value, grad = calls(prediction, target, weight=weight, fused=fused)
                allowed = (1e-5 if dtype == "float32" else 1e-10) * (np.abs(by_row * weight).sum() + 1)
                if not abs(value - np.dot(weight, by_row)) <= allowed:
                    raise Failure(
                        f"with sample weights {short(weight)} the value must be "
                        f"{np.dot(weight, by_row):.9g}, each row's "
                        f"times its weight ({name}, {dtype}). Got {value:.9g}"
                    )
                if not near(grad, plain * weight[:, None], dtype):
                    got, expected = worst(grad, plain * weight[:, None])
                    raise Failure(
                        f"with sample weights {short(weight)} each row's gradient must be multiplied by "
                        "its weight "
                        f"({name}, {dtype}): expected {expected:.9g}, got {got:.9g}"
                    )
        return "7 rows with weights from 0 to 4, which sum to 7.75"

    def value_alone(self) -> str:
        self.require_compiled("a Python method always returns both")
        for dtype in self.dtypes:
            calls = self.calls(dtype)
            for name, prediction, target, fused in self.cases():
                first, _ = calls(prediction, target, fused=fused)
                second, untouched = calls(prediction, target, fused=fused, want_gradient=False)
                if not np.isclose(first, second, rtol=1e-5 if dtype == "float32" else 1e-12):
                    raise Failure(
                        f"the value must not depend on grad: {first:.9g} with it, {second:.9g} without "
                        f"({name})"
                    )
                if not np.isnan(untouched).all():
                    raise Failure("grad is NULL, and yet something was written")
        return "the same value where grad is NULL"

    def classes(self) -> str:
        if not self.calls(self.dtypes[0]).flags & abi.CLASS_INDEX or not self.component.is_compiled():
            raise Skipped("it does not declare CYNN_CLASS_INDEX: it gets one-hot rows")
        rows = 13
        classes = np.arange(rows) * 5 % OUTPUTS
        for dtype in self.dtypes:
            calls = self.calls(dtype)
            for fused in [False, True] if self.fuses_with else [False]:
                prediction = self.predictions(rows, z=fused)
                weight = self.random.uniform(0, 2, rows)
                expected, expected_grad = calls(
                    prediction, np.eye(OUTPUTS)[classes], weight=weight, fused=fused
                )
                value, grad = calls(prediction, classes=classes, weight=weight, fused=fused)
                if not np.isclose(value, expected, rtol=1e-5) or not near(grad, expected_grad, dtype):
                    raise Failure(
                        f"classes must give what one-hot rows give, {expected:.9g} ({dtype}). Got "
                        f"{value:.9g}, the "
                        f"largest difference in the gradient is {np.abs(grad - expected_grad).max():.3g}"
                    )
        return f"{rows} classes give what one-hot rows give"

    def fused(self) -> str:
        if not self.fuses_with:
            raise Skipped("fuses_with is NULL")
        try:
            activation = registry.activations.get(self.fuses_with)
        except CynnError as error:
            raise Failure(f"fuses_with must name an activation: {error}") from error
        for dtype in self.dtypes:
            calls = self.calls(dtype)
            for name, target in self.targets(9):
                z = calls.cast(self.predictions(9, z=True))
                a = activation.forward(z)
                value, grad = calls(a, target)
                fused_value, fused_grad = calls(z, target, fused=True)
                expected = activation.backward(z, a, grad)
                tolerance = 1e-3 if dtype == "float32" else 1e-6
                if not np.isclose(fused_value, value, rtol=tolerance, atol=tolerance):
                    raise Failure(
                        f"from z the value must be that of {self.fuses_with} and then the loss, "
                        f"{value:.9g} ({name}, "
                        f"{dtype}). Got {fused_value:.9g}"
                    )
                if not np.allclose(fused_grad, expected, rtol=tolerance, atol=tolerance):
                    got, wanted = worst(fused_grad, expected)
                    raise Failure(
                        f"from z the gradient must be that of {self.fuses_with} and then the loss, "
                        f"{wanted:.9g} ({name}, "
                        f"{dtype}). Got {got:.9g}"
                    )
        return f"from z it is what {self.fuses_with} and the loss are"

    # ------------------------------------------------------------------------------------ repeats

    def reads(self) -> str:
        self.require_compiled("Python methods get no memory but their arrays")
        for dtype in self.dtypes:
            calls = self.calls(dtype)
            for name, prediction, target, fused in self.cases(5):
                weight = self.random.uniform(0, 2, 5)
                first = calls(prediction, target, weight=weight, fused=fused, fill=np.nan)
                second = calls(prediction, target, weight=weight, fused=fused, fill=3.0)
                if first[0] != second[0] or first_difference(first[1], second[1]) is not None:
                    raise Failure(
                        f"it must read nothing but its arguments. In {dtype} its result changed with what "
                        "lies beside "
                        f"them, or with what was in grad ({name}): {first[0]:.9g} and {second[0]:.9g}"
                    )
        return "the result does not depend on the memory around"

    def deterministic(self) -> str:
        for dtype in self.dtypes:
            calls = self.calls(dtype)
            for _, prediction, target, fused in self.cases(16):
                value, grad = calls(prediction, target, fused=fused)
                calls(prediction[:3] * 0.9, target[:3], fused=fused)
                again, again_grad = calls(prediction, target, fused=fused)
                if again != value or first_difference(grad, again_grad) is not None:
                    raise Failure(
                        "the same input must give the same bits, whatever was called in between. The "
                        f"value in {dtype} "
                        f"was {value!r}, then {again!r}: is something remembered from call to call?"
                    )
        return "the same bits in repeated calls, with others in between"

    def call_with_data(self, calls: LossCalls) -> Callable[[], list[Array]]:
        rows = 4096 if calls.compiled else 64
        target = aligned_copy(calls.cast(next(self.targets(rows))[1]))
        prediction = aligned_copy(calls.cast(self.predictions(rows)))
        if not calls.compiled:
            component = self.component

            def python() -> list[Array]:
                value, grad = component.value_and_gradient(prediction, target)
                return [np.asarray(value), np.asarray(grad)]

            return python
        h, grad = calls.h(), aligned_copy(prediction)
        function, address = calls.function("value_and_gradient"), h.address if h else None

        def compiled(h: object = h) -> list[Array]:  # keeps h alive
            inputs = (prediction.ctypes.data, target.ctypes.data, None, None)
            return [np.array([function(address, rows, OUTPUTS, *inputs, grad.ctypes.data)]), grad]

        return compiled

    def no_rows(self) -> str:
        none = np.zeros((0, OUTPUTS))
        for dtype in self.dtypes:
            for fill in (np.nan, 3.0):  # two fills: a NaN computed from NaNs would go unnoticed
                value, grad = self.calls(dtype)(none, none, fill=fill)
                if value != 0 or grad.shape != none.shape:
                    raise Failure(
                        f"the loss of no rows must be 0. Got {value!r}, gradient of shape {grad.shape}"
                    )
        return "0.0"


def _inside(target: Array, bounds: tuple[float, float]) -> bool:
    return bool(((target > bounds[0] + 0.01) & (target < bounds[1] - 0.01)).all())
