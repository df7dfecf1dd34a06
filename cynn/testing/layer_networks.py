"""Checks of a layer inside networks, through the public interface."""

from __future__ import annotations

import functools
import itertools
import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np

from cynn.errors import CynnError
from cynn.layers import Dense, Input
from cynn.losses import Loss
from cynn.network import Network
from cynn.optimizers import SGD
from cynn.testing import differences
from cynn.testing.checks import Checks
from cynn.testing.layer_calls import LayerCalls, dtypes_of, widths_taken
from cynn.testing.memory import Array, first_difference
from cynn.testing.report import Failure, Skipped
from cynn.testing.words import apart, require_close

__all__ = ["InNetworks"]

ROWS = 7
SHAPES = [(1031, 129), (3, 1031), (70, 1), (4096, 2)]
_INPUTS = (5, 8, 6, 12, 4, 3, 2, 1)  # numbers of columns; the first that the layer accepts is used


class _Linear(Loss):
    """Σ prediction target, whose gradient is the target."""

    name = "linear"

    def value_and_gradient(self, prediction: Array, target: Array) -> tuple[Array, Array]:
        return (prediction * target).sum(axis=1), target.copy()


class InNetworks(Checks[Any, LayerCalls]):
    """Puts the layer behind trainable layers, which stand for its inputs, and in front of a linear loss."""

    kind = "layer"
    calls_of = LayerCalls

    @functools.cached_property
    def dtypes(self) -> list[str]:
        return dtypes_of(self.component, [self.inputs] * self.n_inputs)

    @functools.cached_property
    def widths(self) -> Sequence[int]:
        """The numbers of columns of its inputs: two inputs, if any number is allowed."""
        for n in _INPUTS:
            taken = self.widths_near(n)
            if taken is not None:
                return taken
        return [_INPUTS[0]] * (self.component.n_inputs or 2)

    def widths_near(self, n: int) -> Sequence[int] | None:
        """n columns for each input, if the layer accepts them."""
        if n not in self._taken:
            self._taken[n] = widths_taken(self.given, n)
        return self._taken[n]

    @functools.cached_property
    def _taken(self) -> dict[int, Sequence[int] | None]:
        return {}

    @property
    def inputs(self) -> int:
        return self.widths[0]

    @property
    def n_inputs(self) -> int:
        return len(self.widths)

    # ------------------------------------------------------------------------------------- networks

    def network(self, inputs: int, dtype: str = "float64") -> Any:
        """A network of the input and the layer. Several inputs are parts of the input."""
        x = Input(inputs * self.n_inputs)
        if self.n_inputs == 1:
            return Network([x, self.component], seed=0, dtype=dtype)
        parts = [Dense(inputs, use_bias=False, trainable=False) for _ in range(self.n_inputs)]
        net: Any = Network(self.component(*(part(x) for part in parts)), seed=0, dtype=dtype)
        for number, layer in enumerate(net.layers[:-1]):
            layer.weights = np.eye(inputs * self.n_inputs, inputs, -inputs * number)
        return net

    def behind_data(self, x: Array, dtype: str) -> Any:
        """A network in which the layer's inputs are trainable parameters, so that they have gradients."""
        parts = np.split(x, self.n_inputs, axis=1)
        source, fronts = Input(len(x)), [Dense(part.shape[1], use_bias=False) for part in parts]
        net: Any = Network(self.component(*(front(source) for front in fronts)), seed=0, dtype=dtype)
        for layer, part in zip(net.layers, parts, strict=False):
            layer.weights = part
        return net

    def require_numbers(self) -> None:
        if self.calls(self.best_dtype).built([self.inputs] * self.n_inputs).categories:
            raise Skipped("its input are categories")

    def predict(self, net: Any, x: Array, **options: Any) -> Array:
        with self.watch.call("predict", net.dtype, x.shape):
            found: Array = net.predict(x, **options)
        return found

    def step(self, net: Any, v: Array, rate: float) -> float:
        """Do a step of gradient descent on the mean of v times the output. Returns the value before the step."""
        with self.watch.call("train_batch", net.dtype, v.shape):
            return float(net.train_batch(np.eye(len(v)), v, loss=_Linear(), optimizer=SGD(rate)))

    def gradients(
        self, x: Array, v: Array, dtype: str = "float64", *, of: str = "", moved: Array | float = 0.0
    ) -> tuple[float, dict[str, Array]]:
        """Σ v times the output, and its gradients, from a step with learning rate 1. The array `of` is moved before."""
        net = self.behind_data(x, dtype)
        *fronts, own = net.layers
        names = {"the input" if len(fronts) == 1 else f"input {i}": (each, "weights") for i, each in enumerate(fronts)}
        parameters = own.parameters if own.trainable else {}
        names |= {f"the parameter {name}": (own, name) for name in parameters if parameters[name] is not None}
        if of:
            layer, name = names[of]
            setattr(layer, name, getattr(layer, name) + moved)
        before = {key: np.array(getattr(*place), np.float64) for key, place in names.items()}
        value = self.step(net, v, 1.0)
        after = {key: np.asarray(getattr(*place), np.float64) for key, place in names.items()}
        factors = {key: own.factor_of(name) if layer is own else 1.0 for key, (layer, name) in names.items()}
        return value * len(v), {key: (before[key] - after[key]) * len(v) / factors[key] for key in names}

    def data(self, rows: int = ROWS, inputs: int | None = None) -> tuple[Array, Array]:
        inputs = inputs or self.inputs
        units = int(self.network(inputs, self.best_dtype).layers[-1].units)
        return self.random.normal(size=(rows, inputs * self.n_inputs)), self.random.normal(size=(rows, units))

    # --------------------------------------------------------------------------------------- checks

    def builds(self) -> str:
        for dtype in self.dtypes:
            net = self.network(self.inputs, dtype)
            x = np.random.default_rng(self.seed).normal(size=(3, self.inputs * self.n_inputs))
            for column in self.calls(dtype).built([self.inputs] * self.n_inputs).categories:
                x[:, column] = 0
            a = self.predict(net, x)
            if not np.isfinite(a).all():
                raise Failure(f"moderate inputs must give finite results. Got {a[~np.isfinite(a)][0]} in {dtype}")
        layer = net.layers[-1]
        taken = " and ".join(map(str, self.widths))
        return f"{taken} columns in, {layer.units} out; {', '.join(layer.parameters) or 'no parameters'}"

    def gradient(self) -> str:
        """The gradients of a training step against finite differences of its value."""
        self.require_numbers()
        self.require_float64()
        x, v = self.data()
        _, analytic = self.gradients(x, v)
        n = 0
        for name, found in analytic.items():
            # one direction of all elements, and some single elements
            places = self.random.permutation(found.size)[:6]
            alone = [np.eye(1, found.size, int(place)).reshape(found.shape) for place in places]
            for direction in [self.random.normal(size=found.shape), *alone]:
                expected, doubt = self.difference(x, v, name, direction)
                got = float((found * direction).sum())
                if not abs(got - expected) <= 1e-5 * max(1.0, abs(expected)) + 4 * doubt:
                    first, second = apart(expected, got)
                    raise Failure(
                        f"the gradient by {name} must be {first}, by differences. A step of training has {second}"
                    )
                n += 1
        return f"{n} derivatives of a step of training against differences: by {', '.join(analytic)}"

    def difference(self, x: Array, v: Array, name: str, direction: Array) -> tuple[float, float]:
        """The derivative along a direction, and how much it depends on the step size."""
        return differences.slope(lambda step: self.gradients(x, v, of=name, moved=step * direction)[0])

    def factors(self) -> str:
        """A step is proportional to `learning_rate_factor` and to the factor that a parameter declares."""
        self.require_numbers()
        x, v = self.data()
        _, once = self.gradients(x, v, self.best_dtype)
        if len(once) == self.n_inputs or "learning_rate_factor" not in self.component.declared:
            raise Skipped("it has no parameters, or no factor")
        self.component.learning_rate_factor *= 0.25
        _, scaled = self.gradients(x, v, self.best_dtype)
        for name, expected in once.items():
            what = f"a step on {name} must be in proportion to learning_rate_factor, and gradients know nothing of it"
            scale = float(np.abs(expected).max(initial=1))
            require_close(scaled[name], expected, self.best_dtype, what, scale=scale, ulps=1 << 14)
        return f"a quarter of it makes a quarter of the step, for {', '.join(once)}"

    def float32(self) -> str:
        self.require_numbers()
        self.require_both_dtypes()
        x, v = (each.astype(np.float32).astype(np.float64) for each in self.data())
        largest = 0.0
        (value, double), (single_value, single) = (self.gradients(x, v, dtype) for dtype in ("float64", "float32"))
        pairs = {"the output": (np.array([value]), np.array([single_value]))}
        pairs |= {f"the gradient by {name}": (each, single[name]) for name, each in double.items()}
        for what, (expected, got) in pairs.items():
            error = np.abs(got - expected) / (1 + np.abs(expected).max(initial=0))
            largest = max(largest, float(error.max(initial=0)))
            if not error.max(initial=0) <= 1e-3:
                i = np.unravel_index(int(error.argmax()), error.shape)
                first, second = apart(expected[i], got[i])
                raise Failure(f"{what} in float32 must be {first}, as in float64. Got {second}")
        return f"they agree to {largest:.1g}"

    def batch(self) -> str:
        self.require_numbers()
        for dtype in self.dtypes:
            net = self.network(self.inputs, dtype)
            x = self.data(37)[0]
            whole = self.predict(net, x)
            for size in (1, 5, 16):
                parts = np.concatenate([self.predict(net, x[i : i + size]) for i in range(0, len(x), size)])
                what = f"a prediction of a row must not depend on the rows beside it: in batches of {size}"
                require_close(parts, whole, dtype, what, ulps=256)
        return "37 rows at once and in batches of 1, 5 and 16"

    def large_shapes(self) -> str:
        self.require_numbers()
        done = []
        for (rows, inputs), dtype in itertools.product(SHAPES, self.dtypes):
            try:
                net = self.network(inputs, dtype)
            except CynnError:  # a layer may need a certain number of columns
                continue
            distinct = self.random.normal(size=(min(rows, 31), inputs * self.n_inputs))
            which = np.arange(rows) % len(distinct)
            alone = np.concatenate([self.predict(net, row[None]) for row in distinct])
            whole = self.predict(net, distinct[which])
            what = f"each of {rows} rows of {inputs} columns must be as it is alone"
            require_close(whole, alone[which], dtype, what, scale=float(np.abs(alone).max(initial=1)), ulps=1024)
            done.append(f"{rows} x {inputs}")
        if not done:
            raise Skipped("it takes none of the shapes that are tried")
        return "; ".join(dict.fromkeys(done))

    def not_finite(self) -> str:
        self.require_numbers()
        for dtype in self.dtypes:
            net = self.network(self.inputs, dtype)
            x = self.data(3)[0]
            clean = self.predict(net, x)
            for place in np.ndindex(x.shape):
                broken, moved = x.copy(), x.copy()
                broken[place] = np.nan
                moved[place] += 0.5
                a = self.predict(net, broken, check_finite=False)
                rest = np.arange(3) != place[0]
                require_close(a[rest], clean[rest], dtype, f"nan at {place} must not reach other rows", ulps=256)
                counts = first_difference(self.predict(net, moved)[place[0]], clean[place[0]]) is not None
                if counts and not np.isnan(a[place[0]]).any():
                    raise Failure(
                        f"a layer must let NaN through. With nan at {place} the row is {a[place[0]].tolist()}"
                    )
        return "nan in each place of an input"

    def deterministic(self) -> str:
        self.require_numbers()
        x, v = self.data()
        for dtype in self.dtypes:
            (value, first), (again, second) = (self.gradients(x, v, dtype) for _ in range(2))
            for name, array in first.items():
                if first_difference(array, second[name]) is not None or value != again:
                    raise Failure(
                        f"the same step of two equal networks must give the same bits. The value was {value!r}, then "
                        f"{again!r}, and the gradient by {name} differs: is something remembered?"
                    )
        return "two equal networks, two equal steps, the same bits"

    def threads(self) -> str:
        self.require_numbers()
        dtype, inputs = self.dtypes[-1], 33 if self.widths_near(33) else self.inputs
        x, v = self.data(1031, inputs)
        ends = []
        for n_threads in (1, 2, 3):
            net = self.network(inputs, dtype)
            options: dict[str, Any] = {"batch_size": 300, "n_threads": n_threads, "progress": False}
            with self.watch.call("fit", dtype, x.shape):
                net.fit(x, v, loss=_Linear(), optimizer=SGD(1e-3), epochs=1, **options)
            ends.append([*net.get_weights(), self.predict(net, x, n_threads=n_threads)])
        for n_threads, end in enumerate(ends[1:], 2):
            if any(first_difference(*pair) is not None for pair in zip(ends[0], end, strict=True)):
                raise Failure(f"{n_threads} threads must give the bits of one. Weights or predictions differ")
        return "1, 2 and 3 threads give the same bits"

    def restored(self) -> str:
        try:
            pickle.dumps(type(self.component))
        except (pickle.PicklingError, AttributeError):
            name = type(self.component).__qualname__
            raise Skipped(f"{name} is not at the top of its module, so Python cannot pickle it") from None
        self.require_numbers()
        x, v = self.data()
        net = self.behind_data(x, self.dtypes[-1])
        for _ in range(3):
            self.step(net, v, 0.01)
        other = pickle.loads(pickle.dumps(net))
        for _ in range(3):
            self.step(net, v, 0.01)
            self.step(other, v, 0.01)
        if any(
            first_difference(*pair) is not None for pair in zip(net.get_weights(), other.get_weights(), strict=True)
        ):
            raise Failure("6 steps, and 3 steps pickled and 3 more, must give the same bits. Weights or states differ")
        return "3 + 3 steps, pickled in between, give the bits of 6"
