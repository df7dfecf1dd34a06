"""Checks of an activation."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np

from cynn.activations import Activation
from cynn.testing import activation_rows, activation_slopes, directional, domains, references
from cynn.testing.activation_slopes import POINTS
from cynn.testing.calls import ActivationCalls
from cynn.testing.checks import Checks, NamedCheck, Sample
from cynn.testing.exports import same_as_c_source, same_as_onnx_nodes
from cynn.testing.memory import Array, aligned_copy, first_difference
from cynn.testing.precision import Movement
from cynn.testing.report import Failure, Report
from cynn.testing.words import apart, require_close, short

__all__ = ["ActivationChecks", "check_activation"]


def check_activation(activation: Any, *, raise_on_failure: bool = True, seed: int = 0) -> Report:
    """Check that an activation follows the rules of `cynn/abi.h`, and that its derivative is correct.

    Parameters
    ----------
    activation : str, class or Activation
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
    >>> from cynn.testing import check_activation
    >>> check_activation("tanh").passed
    True
    """
    return ActivationChecks.report_on(activation, raise_on_failure=raise_on_failure, seed=seed)


class ActivationChecks(Checks[Activation, ActivationCalls]):
    """The checks of an activation. Those of the derivative and of rows are in separate modules."""

    kind = "activation"
    calls_of = ActivationCalls
    array_names: ClassVar[list[str]] = ["z", "a", "grad", "dz", "da", "dgrad", "h"]

    def checks(self) -> list[NamedCheck]:
        named: dict[str, Callable[[ActivationChecks], str]] = {
            "gradient": activation_slopes.gradient,
            "gradient beside kinks": activation_slopes.beside_kinks,
            "directional derivatives": directional.of_activation,
            "backward linear in its gradient": activation_slopes.linear_in_grad,
            "no NaN at extreme inputs": ActivationChecks.extremes,
            "float32 against float64": ActivationChecks.float32,
            "rows independent of the batch": activation_rows.batch,
            "rowwise as declared": activation_rows.rowwise_as_declared,
            "aliasing as declared": activation_rows.aliasing,
            "reads only its arguments": activation_rows.reads,
            "deterministic": ActivationChecks.deterministic,
            "re-entrant": ActivationChecks.reentrant,
            "zero rows and one row": activation_rows.few_rows,
            "c_source": same_as_c_source,
            "onnx_nodes": same_as_onnx_nodes,
        }
        return [(name, functools.partial(check, self)) for name, check in named.items()]

    # ---------------------------------------------------------------------------------------- data

    @functools.cached_property
    def rowwise(self) -> bool:
        return self.calls(self.best_dtype).rowwise

    @functools.cached_property
    def domain(self) -> tuple[float, float]:
        """The domain that the class declares, or else the one outside of which the result is NaN."""
        declared = self.component.domain
        if declared != (-np.inf, np.inf) or self.rowwise:
            return declared
        calls = self.calls(self.best_dtype)
        return domains.seen(lambda z: calls.forward(z.reshape(-1, 1)).ravel())

    def within(self, z: Array) -> Array:
        """z, folded into the domain."""
        return domains.inside(z, self.domain)

    def rows(self, rows: int = 7, columns: int = 5) -> Array:
        return self.within(self.random.normal(0, 2, (rows, columns)))

    def declared(self, calls: ActivationCalls) -> list[str]:
        low, high = self.domain
        within = [] if low == -np.inf and high == np.inf else [f"z in ({low:g}, {high:g})"]
        return ["rowwise" if self.rowwise else "elementwise", *within]

    def samples(self, calls: ActivationCalls, rows: int, columns: int) -> Iterator[tuple[str, Sample]]:
        yield "", {"z": self.rows(rows, columns), "grad": self.random.normal(size=(rows, columns))}

    def matrices(self) -> list[Array]:
        extreme = self.random.choice([1e4, -1e4, 0.0, 5e-324, -710.0, 1.0], (12, 5))
        wide = self.random.normal(0, 300, (4, 5))
        every = [0.1 * self.rows(), np.zeros((2, 5)), np.full((1, 5), 1e4), extreme, wide, self.rows(3, 1)]
        return [self.rows(), *(self.within(each) for each in every)]

    def probe(self, component: Activation) -> dict[str, Array]:
        random = np.random.default_rng(self.seed)
        spread = 10 ** random.uniform(-3, 4, (40, 5)) * random.choice([-1, 1], (40, 5))
        z = self.within(np.concatenate([random.normal(0, 2, (20, 5)), spread]))
        return self.calls(self.best_dtype, component).results({"z": z, "grad": random.normal(size=z.shape)})

    def moderate(self, component: Activation, dtype: str) -> dict[str, Array]:
        z = np.random.default_rng(self.seed).normal(0, 2, (9, 5))
        z = self.within(np.concatenate([z, np.zeros((1, 5))]))
        return self.calls(dtype, component).results({"z": z, "grad": np.ones(z.shape)})

    def movements(self, component: Activation) -> Iterator[Movement]:
        calls = self.calls("float64", component)
        z, grad = self.rows(9, 6), self.random.normal(size=(9, 6))
        a = calls.forward(z)
        unit = self.random.uniform(0.5, 1, z.shape)
        yield Movement("z", lambda t: calls.results({"z": z + t * unit, "grad": grad}))
        yield Movement("∂C/∂a", lambda t: {"∂C/∂z": calls.backward(z, a, grad + t * unit)})
        for i, name in enumerate(component.kernel_values() if calls.compiled else []):

            def of_h(t: float, i: int = i, value: float = name) -> dict[str, Array]:
                calls.values = [*component.kernel_values()]
                calls.values[i] = value + t * (abs(value) or 1)
                return calls.results({"z": z, "grad": grad})

            yield Movement(f"hyperparameter {i}", of_h)

    # -------------------------------------------------------------------------------------- values

    def large_shapes(self) -> str:
        return activation_rows.large_shapes(self)

    def as_reference(self) -> str:
        def found(one: Activation, dtype: str) -> Iterator[references.Pair]:
            for z in (self.rows(9, 5), self.rows(9, 5) * 0.1):
                z = self.within(z)
                got = self.calls(dtype, one).forward(z)
                yield "forward", references.of(one.reference, z.astype(dtype).astype(np.float64)), got

        return references.compare(self, found)

    def extremes(self) -> str:
        n = 0
        for dtype in self.dtypes:
            calls = self.calls(dtype)
            for z in [np.stack([POINTS, POINTS[::-1]]), POINTS.reshape(-1, 1), *self.matrices()]:
                z = self.within(z).astype(dtype)
                a = calls.forward(z)
                grad = calls.backward(z, a, np.ones(z.shape))
                for what, values in [("forward", a), ("backward", grad)]:
                    bad = np.isnan(values) | (~np.isfinite(values) & (np.abs(z).max(axis=1, keepdims=True) <= 10))
                    if bad.any():
                        row, column = np.argwhere(bad)[0]
                        raise Failure(
                            f"{what} in {dtype} at z = {z[row, column]:.6g} must be finite. Got "
                            f"{values[row, column]}"
                            + (f", in the row {short(z[row])}" if self.rowwise else "")
                            + "; where f is not defined there, say where it is by domain = (low, high)"
                        )
                n += z.size
        return f"{n} points to ±1e4, denormals and zeros among them"

    def not_finite(self) -> str:
        n = 0
        for dtype in self.dtypes:
            calls = self.calls(dtype)
            for rows, columns in [(3, 5), (1, 37)]:
                z, grad = calls.cast(self.rows(rows, columns)), calls.cast(self.rows(rows, columns))
                clean = calls.results({"z": z, "grad": grad})
                for place in np.ndindex(z.shape):
                    for value in (np.nan, np.inf, -np.inf) if rows > 1 else (np.nan,):
                        self.one_not_finite(calls, z, grad, clean, place, value)
                        n += 1
        return f"{n} times NaN, inf or -inf in one place"

    def one_not_finite(
        self, calls: ActivationCalls, z: Array, grad: Array, clean: dict[str, Array], place: Any, value: float
    ) -> None:
        others = np.ones(z.shape, bool)
        others[place[0] if self.rowwise else place] = False
        moved = z.copy()
        moved[place] = value
        a = calls.forward(moved)
        after = {"forward": (a, clean["a"], f"z = {value}")}
        own = a[place[0]] if self.rowwise else a[place]
        if np.isnan(value) or value in self.domain:  # infinity belongs to the domain
            self.require_let_through(calls, own, value, place, z)
        after["backward"] = (calls.backward(moved, a, grad), clean["dC/dz"], f"z = {value}")
        moved = grad.copy()
        moved[place] = value
        delta = calls.backward(z, clean["a"], moved)
        after["backward "] = (delta, clean["dC/dz"], f"∂C/∂a = {value}")
        alone = np.zeros(z.shape)
        alone[place] = 1
        slopes = calls.backward(z, clean["a"], alone)
        own = delta[place[0]][slopes[place[0]] != 0] if self.rowwise else delta[place][slopes[place] != 0]
        if own.size and np.isfinite(own).all():
            raise Failure(
                f"backward must let {value} in ∂C/∂a through. At {place} it gave {own.ravel()[0]:.6g}, and f′ is not 0"
            )
        for what, (got, expected, given) in after.items():
            require_close(
                got[others],
                expected[others],
                calls.dtype,
                f"{what.strip()}: {given} at {place} must not reach other {'rows' if self.rowwise else 'elements'}",
            )

    def require_let_through(self, calls: ActivationCalls, own: Array, value: float, place: Any, z: Array) -> None:
        """NaN gives NaN. f of infinity is the limit of f, or not finite."""
        if np.isnan(value):
            if not np.isnan(own).any():
                raise Failure(f"forward must let NaN through. Of z = nan at {place} it made {np.ravel(own)[0]:.6g}")
            return
        if not np.isfinite(own).all():
            return
        away = []
        for size in (1e10, 1e20, 1e37):
            moved = z.copy()
            moved[place] = np.copysign(size, value)
            a = calls.forward(moved)
            away.append(float(np.max(np.abs((a[place[0]] if self.rowwise else a[place]) - own))))
        if away[2] <= 1e-5 * max(1, float(np.max(np.abs(own)))) or (away[0] > away[1] > away[2]):
            return
        raise Failure(
            f"forward must let infinity through: f({value}) is what f tends to, or not finite. At {place} it gave "
            f"{np.ravel(own)[0]:.6g}, and of {np.copysign(1e37, value):g} something that differs by {away[2]:.3g}"
        )

    def float32(self) -> str:
        self.require_both_dtypes()
        single, double = self.calls("float32"), self.calls("float64")
        largest = 0.0
        for z in [POINTS.reshape(-1, 1) + 0.1357, self.rows(40), *self.matrices()]:
            z = self.within(z).astype(np.float32)
            grad = np.ones(z.shape, np.float32) + 0.25 * (np.arange(z.shape[1]) % 3)
            wide, near = z.astype(np.float64), 1 + np.finfo(np.float32).eps
            a, a_beside = double.forward(wide), double.forward(wide * near)
            largest = max(largest, self.compare("forward", z, single.forward(z), a, [a_beside]))
            expected = double.backward(wide, a, grad)
            beside = [double.backward(wide * near, a_beside, grad), double.backward(wide, a * near, grad)]
            largest = max(largest, self.compare("backward", z, single.gradient(z, grad), expected, beside))
        return f"they agree to {largest:.1g} of what rounding allows"

    def compare(self, what: str, z: Array, got: Array, expected: Array, beside: list[Array]) -> float:
        # The effect of a change in the last bits of z or a on the exact result, plus the rounding of the result.
        with np.errstate(all="ignore"):
            spread = np.max([np.abs(moved - expected) for moved in beside], axis=0) / 4
            magnitude = np.minimum(np.maximum(1, np.abs(z).max(axis=1, keepdims=True)), 100)
            allowed = np.finfo(np.float32).eps * 64 * (np.abs(expected) + magnitude) + 64 * spread
            expected = expected.astype(np.float32).astype(np.float64)  # results too large for float32 become infinite
            same = (got == expected) | (np.isnan(got) & np.isnan(expected))
            error = np.where(same, 0, np.abs(got - expected) / allowed)
        bad = ~(error <= 1) & np.isfinite(spread)
        if bad.any():
            row, column = np.argwhere(bad)[0]
            first, second = apart(expected[row, column], got[row, column])
            raise Failure(f"{what} in float32 at z = {z[row, column]:.8g} must be {first}, as in float64. Got {second}")
        return float(np.max(error[np.isfinite(error)], initial=0))

    # -------------------------------------------------------------------------------------- repeats

    def deterministic(self) -> str:
        for dtype in self.dtypes:
            calls = self.calls(dtype)
            z, grad = self.rows(16, 9), self.rows(16, 9)
            a = calls.forward(z)
            delta = calls.backward(z, a, grad)
            for _ in range(3):
                calls.gradient(self.rows(16, 9), self.rows(16, 9))  # a hidden state would keep this
                again_delta = calls.backward(z, a, grad)
                for what, first, second in [
                    ("forward", a, calls.forward(z)),
                    ("backward", delta, again_delta),
                ]:
                    place = first_difference(first, second)
                    if place is not None:
                        before, after = apart(first.ravel()[place], second.ravel()[place])
                        raise Failure(
                            f"{what} of the same input must give the same bits, whatever was called in between. In "
                            f"{dtype} element {place} was {before}, then {after}: "
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

        def compiled(h: object = h) -> list[Array]:  # h is kept alive
            delta[...] = grad
            forward(address, rows, columns, z.ctypes.data, a.ctypes.data)
            backward(address, rows, columns, z.ctypes.data, a.ctypes.data, delta.ctypes.data)
            return [a, delta]

        return compiled
