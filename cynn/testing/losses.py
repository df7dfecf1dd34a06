"""Checks of a loss."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np

from cynn.losses import Loss
from cynn.testing import abi, directional, loss_forms, loss_slopes, loss_sums, references
from cynn.testing.calls import LossCalls
from cynn.testing.checks import Checks, NamedCheck, Sample
from cynn.testing.loss_data import OUTPUTS, predictions, targets
from cynn.testing.memory import Array, Canaries, aligned_copy, first_difference
from cynn.testing.precision import Movement
from cynn.testing.report import Failure, Report
from cynn.testing.words import apart, short, worst

__all__ = ["LossChecks", "check_loss"]


def check_loss(loss: Any, *, raise_on_failure: bool = True, seed: int = 0) -> Report:
    """Check that a loss follows the rules of `cynn/abi.h`, and that its gradient is correct.

    Predictions are drawn from the class's `prediction_range`. Several kinds of targets are tried: any numbers,
    probabilities, one-hot rows, signs, positive numbers and counts, unless `check_target` refuses them.

    Parameters
    ----------
    loss : str, class or Loss
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
    >>> from cynn.testing import check_loss
    >>> check_loss("mean_squared_error").passed
    True
    """
    return LossChecks.report_on(loss, raise_on_failure=raise_on_failure, seed=seed)


class LossChecks(Checks[Loss, LossCalls]):
    """The checks of a loss. Those of the gradient, of sums over rows and of other forms are in separate modules."""

    kind = "loss"
    calls_of = LossCalls
    array_names: ClassVar[list[str]] = [
        *("prediction", "target", "class_index", "sample_weight", "grad", "dprediction", "dgrad", "h")
    ]

    def first_checks(self) -> list[NamedCheck]:
        return [*super().first_checks(), ("targets", self.targets_are_taken)]

    def checks(self) -> list[NamedCheck]:
        named: dict[str, Callable[[LossChecks], str]] = {
            "gradient": loss_slopes.gradient,
            "gradient beside kinks": loss_slopes.beside_kinks,
            "directional derivatives": directional.of_loss,
            "no NaN at extreme inputs": LossChecks.extremes,
            "float32 against float64": LossChecks.float32,
            "value is the sum over rows": loss_sums.sum_of_rows,
            "sum in double": loss_sums.sum_in_double,
            "sample weights": loss_sums.weights,
            "value without gradient": loss_forms.value_alone,
            "classes as one-hot rows": loss_forms.classes,
            "fused form": loss_forms.fused,
            "reads only its arguments": LossChecks.reads,
            "deterministic": LossChecks.deterministic,
            "re-entrant": LossChecks.reentrant,
            "zero rows": loss_sums.no_rows,
        }
        return [(name, functools.partial(check, self)) for name, check in named.items()]

    # --------------------------------------------------------------------------------------- data

    @functools.cached_property
    def fuses_with(self) -> str | None:
        return self.calls(self.best_dtype).fuses_with

    @functools.cached_property
    def takes_classes(self) -> bool:
        return self.component.is_compiled() and bool(self.calls(self.best_dtype).flags & abi.CLASS_INDEX)

    def declared(self, calls: LossCalls) -> list[str]:
        return [f"fused with {self.fuses_with}"] if self.fuses_with else []

    def targets(self, rows: int, component: Loss | None = None, outputs: int = OUTPUTS) -> Iterator[tuple[str, Array]]:
        return targets(component or self.component, self.random, rows, outputs)

    def predictions(
        self, rows: int, component: Loss | None = None, outputs: int = OUTPUTS, *, z: bool = False
    ) -> Array:
        return predictions(component or self.component, self.random, rows, outputs, z=z)

    def cases(
        self, rows: int = 7, component: Loss | None = None, outputs: int = OUTPUTS
    ) -> Iterator[tuple[str, Array, Array, bool]]:
        """Targets of each kind with predictions, and with z if the loss has a fused form."""
        for name, target in self.targets(rows, component, outputs):
            yield name, self.predictions(rows, component, outputs), target, False
            if self.fuses_with:
                yield f"{name}, from z", self.predictions(rows, outputs=outputs, z=True), target, True

    def samples(self, calls: LossCalls, rows: int, columns: int) -> Iterator[tuple[str, Sample]]:
        weight = self.random.uniform(0.5, 2, rows)
        forms = [False, True] if self.fuses_with else [False]
        for fused in forms:
            given = {"prediction": self.predictions(rows, outputs=columns, z=fused), "fused": fused}
            for name, target in [*self.targets(rows, outputs=columns)][:2]:
                yield name, {**given, "target": target, "weight": weight}
            if self.takes_classes:
                yield "classes", {**given, "classes": np.arange(rows) * 7 % columns}

    def targets_are_taken(self) -> str:
        low, high = self.component.prediction_range
        if not low < high:
            raise Failure(f"prediction_range must be an interval (low, high). Got ({low}, {high}).")
        names = [name for name, _ in self.targets(9)]
        if not names:
            raise Failure("check_target must take some kind of target. It refused all that the kit tried.")
        return f"{', '.join(names)}; predictions in ({low:g}, {high:g})"

    def probe(self, component: Loss) -> dict[str, Array]:
        calls, random = self.calls(self.best_dtype, component), np.random.default_rng(self.seed)
        low, high = component.prediction_range
        found: dict[str, Array] = {}
        for name, target in targets(component, random, 12):
            prediction = predictions(component, random, 12)
            for size in (1.0, 1e-10, 1e-3, 1e3, 1e5):
                values, grads = calls.each(np.clip(size * prediction, low + 1e-9, high - 1e-9), target)
                found |= {f"{name}, {size}: value": values, f"{name}, {size}: gradient": grads}
        return found

    def moderate(self, component: Loss, dtype: str) -> dict[str, Array]:
        calls, random = self.calls(dtype, component), np.random.default_rng(self.seed)
        found: dict[str, Array] = {}
        for name, target in targets(component, random, 9):
            values, grads = calls.each(predictions(component, random, 9), target)
            found |= {f"{name}: value": values, f"{name}: gradient": grads}
        return found

    def movements(self, component: Loss) -> Iterator[Movement]:
        calls = self.calls("float64", component)
        for name, prediction, target, fused in [*self.cases(9)][:4]:
            unit = self.random.uniform(0.5, 1, prediction.shape)

            def moved(
                t: float,
                prediction: Array = prediction,
                target: Array = target,
                fused: bool = fused,
                unit: Array = unit,
            ) -> dict[str, Array]:
                values, grads = calls.each(prediction + t * unit, target, fused=fused)
                return {"the value": values, "the gradient": grads}

            yield Movement(f"the {'z' if fused else 'prediction'} ({name})", moved)
            for i, value in enumerate(component.kernel_values() if calls.compiled else []):

                def of_h(t: float, i: int = i, value: float = value, moved: Any = moved) -> dict[str, Array]:
                    calls.values = [*component.kernel_values()]
                    calls.values[i] = value + t * (abs(value) or 1)
                    found: dict[str, Array] = moved(0.0)
                    calls.values = [*component.kernel_values()]
                    return found

                yield Movement(f"hyperparameter {i}", of_h)

    # -------------------------------------------------------------------------------------- values

    def large_shapes(self) -> str:
        return loss_forms.large_shapes(self)

    def as_reference(self) -> str:
        def found(one: Loss, dtype: str) -> Iterator[references.Pair]:
            calls = self.calls(dtype, one)
            for name, prediction, target, fused in self.cases(9, one):
                if not fused:
                    prediction, target = calls.cast(prediction), calls.cast(target)
                    wide = prediction.astype(np.float64), target.astype(np.float64)
                    returned = one.reference(*wide)
                    expected = returned[0] if isinstance(returned, tuple) else returned
                    yield f"the loss of rows ({name})", np.asarray(expected), calls.rows(prediction, target)

        return references.compare(self, found)

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
                            f"the loss in {dtype} at {'z' if fused else 'prediction'} {short(prediction[i])} with "
                            f"target {short(twice[i])} ({name}) must be finite. Got {values[i]:.6g}, gradient "
                            f"{short(grads[i])}; where it is defined only for some predictions, say so by "
                            "prediction_range, and for some targets by check_target"
                        )
                    n += len(prediction)
        return f"{n} rows to ±1e4, denormals and zeros among them"

    def not_finite(self) -> str:
        """A NaN prediction makes the loss NaN, if it has an effect. A non-finite target must not crash."""
        n = 0
        for dtype in self.dtypes:
            calls = self.calls(dtype)
            for name, prediction, target, fused in [*self.cases(2)]:
                clean = calls.rows(prediction, target, fused=fused)
                for place in np.ndindex(prediction.shape):
                    moved = prediction.copy()
                    moved[place] = np.nan
                    counts = self.counts(calls, prediction, target, place, fused)
                    values, _ = calls.each(moved, target, fused=fused)
                    if counts and not np.isnan(values[place[0]]):
                        raise Failure(
                            f"the loss must let NaN through. With nan in the prediction at {place} it is "
                            f"{values[place[0]]:.6g}, with {prediction[place]:.6g} it is {clean[place[0]]:.6g} ({name})"
                        )
                    if not np.isclose(values[1 - place[0]], clean[1 - place[0]], rtol=1e-5):
                        raise Failure(f"nan in the prediction at {place} must not reach other rows ({name})")
                    moved[place] = np.inf
                    calls.each(moved, target, fused=fused)
                    wild = target.copy()
                    for value in (np.nan, np.inf, -np.inf):  # as an index it would be out of range
                        wild[place] = value
                        calls.each(prediction, wild, fused=fused)
                    n += 5
        return f"{n} times NaN, inf or -inf in one place"

    def counts(self, calls: LossCalls, prediction: Array, target: Array, place: Any, fused: bool) -> bool:
        """Whether the loss of a row depends on a prediction."""
        row = slice(place[0], place[0] + 1)
        low, high = (-np.inf, np.inf) if fused else self.component.prediction_range
        tried = [prediction[place] + step for step in (-100.0, -3.0, -0.02, 0.02, 3.0, 100.0)]
        values = []
        for one in tried:
            if low < one < high:
                moved = prediction[row].copy()
                moved[0, place[1]] = one
                values.append(float(calls.rows(moved, target[row], fused=fused)[0]))
        return len(set(values)) > 1

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
                first, second = apart(*((expected, got) if what == "value" else worst(grad, expected_grad)[::-1]))
                raise Failure(
                    f"the {what} in float32 must be that in float64. With {name}: expected {first}, got {second}"
                )
        return f"they agree to {largest:.1g}"

    # ------------------------------------------------------------------------------------ repeats

    def reads(self) -> str:
        self.require_compiled("Python methods get no memory but their arrays")
        for dtype in self.dtypes:
            for rows, columns in [(5, OUTPUTS), (1, 1), (2, 1031)]:
                for name, prediction, target, fused in [*self.cases(rows, outputs=columns)][:6]:
                    weight = self.random.uniform(0, 2, rows)
                    first, second = (
                        self.calls(dtype, manner=Canaries(turn))(prediction, target, weight=weight, fused=fused)
                        for turn in (0, 1)
                    )
                    if first[0] != second[0] or first_difference(first[1], second[1]) is not None:
                        raise Failure(
                            f"it must read nothing but its arguments. In {dtype} its result changed with what lies "
                            f"beside them, or with what was in grad ({name}): {first[0]:.9g} and {second[0]:.9g}"
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
                        f"value in {dtype} was {value!r}, then {again!r}: is something remembered from call to call?"
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

        def compiled(h: object = h) -> list[Array]:  # h is kept alive
            inputs = (prediction.ctypes.data, target.ctypes.data, None, None)
            return [np.array([function(address, rows, OUTPUTS, *inputs, grad.ctypes.data)]), grad]

        return compiled
