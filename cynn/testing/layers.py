"""Checks of a layer, in networks of its own."""

from __future__ import annotations

import functools
import itertools
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

from cynn import registry
from cynn.errors import CynnError, InvalidParameterError
from cynn.layers import Dense, Input, Layer
from cynn.losses import Loss
from cynn.network import Network
from cynn.optimizers import SGD
from cynn.testing.checks import Checks, NamedCheck
from cynn.testing.memory import Array, first_difference
from cynn.testing.report import Failure, Report, Skipped
from cynn.testing.words import apart, require_close

__all__ = ["LayerChecks", "check_layer"]

INPUTS, ROWS = 5, 7
SHAPES = [(1031, 129), (3, 1031), (70, 1)]
_STEPS = (2.0**-12, 2.0**-16, 2.0**-20)


def check_layer(layer: Any, *, raise_on_failure: bool = True, seed: int = 0) -> Report:
    """Check that a layer has the derivatives of what it returns, and treats each row alike, in any network.

    It is put into networks: behind data that are the parameters of a layer in front of it, so that they have a
    gradient, and in front of a loss that is linear. Steps of training then show all of its gradients.

    Parameters
    ----------
    layer : str, class or Layer
        A name, a class or an instance that takes one input of numbers.
    raise_on_failure : bool
        Whether a failed check raises; else the report says it.
    seed : int
        Of the random inputs. A failure names it.

    Returns
    -------
    Report
        Its `str` is a table of the checks, with their evidence.

    Raises
    ------
    ConformanceError
        A check failed; its text is the table.
    InvalidParameterError
        A class was given whose instances need arguments.

    Examples
    --------
    >>> import cynn
    >>> from cynn.testing import check_layer
    >>> check_layer(cynn.PReLU()).passed
    True
    """
    return LayerChecks.report_on(_instance(layer), raise_on_failure=raise_on_failure, seed=seed)


def _instance(layer: Any) -> Any:
    made = registry.of_kind("layer").find(layer) if isinstance(layer, str) else layer
    if not isinstance(made, type) or not issubclass(made, Layer):
        return made
    try:
        return made()
    except (CynnError, TypeError) as error:
        raise InvalidParameterError(
            f"A layer that needs arguments must be given as an instance, as in check_layer({made.__name__}(...)). "
            f"Got the class instead ({error})."
        ) from None


class _Linear(Loss):
    """Σ prediction target, whose gradient is the target."""

    name = "linear"

    def value_and_gradient(self, prediction: Array, target: Array) -> tuple[Array, Array]:
        return (prediction * target).sum(axis=1), target.copy()


class LayerChecks(Checks[Any, Any]):
    """Through networks, as whoever uses the layer does."""

    kind = "layer"

    def first_checks(self) -> list[NamedCheck]:
        return [("in a network", self.builds)]

    def all_checks(self) -> list[NamedCheck]:
        named: dict[str, Callable[[LayerChecks], str]] = {
            "gradient": LayerChecks.gradient,
            "float32 against float64": LayerChecks.float32,
            "rows independent of the batch": LayerChecks.batch,
            "large and odd shapes": LayerChecks.large_shapes,
            "NaN let through": LayerChecks.not_finite,
            "deterministic": LayerChecks.deterministic,
            "any number of threads": LayerChecks.threads,
            "saved and restored in the middle": LayerChecks.restored,
        }
        return [
            *((name, functools.partial(check, self)) for name, check in named.items()),
            ("floating-point environment unchanged", functools.partial(self.no_violation, "environment")),
        ]

    def class_checks(self) -> list[NamedCheck]:
        return [("docstring", self.docstring), ("get_config round trip", self.round_trip)]

    # ------------------------------------------------------------------------------------- networks

    def network(self, inputs: int = INPUTS, dtype: str = "float64") -> Any:
        """The layer behind the input."""
        return Network([Input(inputs), self.component], seed=0, dtype=dtype)

    def behind_data(self, x: Array, dtype: str) -> Any:
        """The layer behind one that has a row of x for each input: x is a parameter, and has a gradient."""
        front = Dense(x.shape[1], use_bias=False)
        net: Any = Network([Input(len(x)), front, self.component], seed=0, dtype=dtype)
        net.layers[0].weights = x
        return net

    def predict(self, net: Any, x: Array, **options: Any) -> Array:
        with self.watch.call("predict", net.dtype, x.shape):
            found: Array = net.predict(x, **options)
        return found

    def step(self, net: Any, v: Array, rate: float) -> float:
        """A step of plain descent on the mean of v times the output; the value before it."""
        with self.watch.call("train_batch", net.dtype, v.shape):
            return float(net.train_batch(np.eye(len(v)), v, loss=_Linear(), optimizer=SGD(rate)))

    def gradients(
        self, x: Array, v: Array, dtype: str = "float64", *, of: str = "", moved: Array | float = 0.0
    ) -> tuple[float, dict[str, Array]]:
        """Σ v times the output, and its gradients, which a step at rate 1 subtracts. The array `of` is moved before."""
        net = self.behind_data(x, dtype)
        names = {"the input": (net.layers[0], "weights")}
        parameters = net.layers[1].parameters
        names |= {f"the parameter {name}": (net.layers[1], name) for name in parameters if parameters[name] is not None}
        if of:
            layer, name = names[of]
            setattr(layer, name, getattr(layer, name) + moved)
        before = {key: np.array(getattr(*place), np.float64) for key, place in names.items()}
        value = self.step(net, v, 1.0)
        factor = {"the input": 1.0}
        after = {key: np.asarray(getattr(*place), np.float64) for key, place in names.items()}
        return value * len(v), {
            key: (before[key] - after[key]) * len(v) / factor.get(key, self.component.learning_rate_factor)
            for key in names
        }

    def data(self, rows: int = ROWS, inputs: int = INPUTS) -> tuple[Array, Array]:
        units = int(self.network(inputs).layers[0].units)
        return self.random.normal(size=(rows, inputs)), self.random.normal(size=(rows, units))

    # --------------------------------------------------------------------------------------- checks

    def builds(self) -> str:
        for dtype in ("float64", "float32"):
            net = self.network(dtype=dtype)
            a = self.predict(net, np.random.default_rng(self.seed).normal(size=(3, INPUTS)))
            if not np.isfinite(a).all():
                raise Failure(f"moderate inputs must give finite results. Got {a[~np.isfinite(a)][0]} in {dtype}")
        layer = net.layers[0]
        return f"{INPUTS} columns in, {layer.units} out; {', '.join(layer.parameters) or 'no parameters'}"

    def gradient(self) -> str:
        """The gradients of a step of training against differences of its value."""
        x, v = self.data()
        _, analytic = self.gradients(x, v)
        n = 0
        for name, found in analytic.items():
            # one direction of all elements, and some elements alone
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
        """The derivative along a direction, and how much it changes with the size of the step."""
        found = []
        for step in _STEPS:
            ahead, back = (self.gradients(x, v, of=name, moved=sign * step * direction)[0] for sign in (1, -1))
            found.append((ahead - back) / (2 * step))
        changes = [abs(after - before) for before, after in itertools.pairwise(found)]
        return found[int(np.argmin(changes)) + 1], min(changes)

    def float32(self) -> str:
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
        for dtype in ("float64", "float32"):
            net = self.network(dtype=dtype)
            x = self.data(37)[0]
            whole = self.predict(net, x)
            for size in (1, 5, 16):
                parts = np.concatenate([self.predict(net, x[i : i + size]) for i in range(0, len(x), size)])
                what = f"a prediction of a row must not depend on the rows beside it: in batches of {size}"
                require_close(parts, whole, dtype, what, ulps=256)
        return "37 rows at once and in batches of 1, 5 and 16"

    def large_shapes(self) -> str:
        done = []
        for (rows, inputs), dtype in itertools.product(SHAPES, ("float64", "float32")):
            try:
                net = self.network(inputs, dtype)
            except CynnError:  # a layer may need columns of a certain number
                continue
            distinct = self.random.normal(size=(min(rows, 31), inputs))
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
        for dtype in ("float64", "float32"):
            net = self.network(dtype=dtype)
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
        x, v = self.data()
        for dtype in ("float64", "float32"):
            (value, first), (again, second) = (self.gradients(x, v, dtype) for _ in range(2))
            for name, array in first.items():
                if first_difference(array, second[name]) is not None or value != again:
                    raise Failure(
                        f"the same step of two equal networks must give the same bits. The value was {value!r}, then "
                        f"{again!r}, and the gradient by {name} differs: is something remembered?"
                    )
        return "two equal networks, two equal steps, the same bits"

    def threads(self) -> str:
        x, v = self.data(1031, 33)
        ends = []
        for n_threads in (1, 2, 3):
            net = self.network(33, "float32")
            options: dict[str, Any] = {"batch_size": 300, "n_threads": n_threads, "progress": False}
            with self.watch.call("fit", "float32", x.shape):
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
        x, v = self.data()
        net = self.behind_data(x, "float32")
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

    def docstring(self) -> str:
        doc = (vars(type(self.component)).get("__doc__") or "").strip()
        if not doc:
            name = type(self.component).__name__
            raise Failure(f"{name} must have a docstring that starts with its formula. It has none.")
        return doc.splitlines()[0]

    def round_trip(self) -> str:
        config = self.component.get_config()
        other = type(self.component).from_config(config)
        if other.get_config() != config:
            raise Failure(f"from_config({config}) must give an equal one. Got {other.get_config()} instead.")
        return str(config)
