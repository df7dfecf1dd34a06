"""Directional derivatives of parts whose methods are Python: as those of compiled ones, and as differences."""

import copy
import re
import threading

import derived
import numpy as np
import pytest

import cynn
from cynn import Dense, Input, Network
from cynn.errors import PluginError
from cynn.layers import Layer, Parameter


class PyTanh(cynn.activations.Activation):
    """tanh(z)"""

    name = "tanh_in_python"

    def forward(self, z):
        return np.tanh(z)

    def backward(self, z, a, grad):
        return grad * (1 - a * a)

    def jvp(self, z, a, dz):
        return dz * (1 - a * a)

    def backward_jvp(self, z, a, grad, dz, da, dgrad):
        dgrad *= 1 - a * a  # which it may overwrite
        return dgrad - 2 * a * da * grad


class PySoftmax(cynn.activations.Activation):
    """exp(z) / Σ exp(z)"""

    name = "softmax_in_python"

    def forward(self, z):
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def backward(self, z, a, grad):
        return a * (grad - (a * grad).sum(axis=1, keepdims=True))

    def jvp(self, z, a, dz):
        return a * (dz - (a * dz).sum(axis=1, keepdims=True))

    def backward_jvp(self, z, a, grad, dz, da, dgrad):
        inner = (a * grad).sum(axis=1, keepdims=True)
        moved = (da * grad + a * dgrad).sum(axis=1, keepdims=True)
        return da * (grad - inner) + a * (dgrad - moved)


class PyDense(Layer):
    """x W + b"""

    name = "dense_in_python"
    weights = Parameter(("inputs", "units"))
    biases = Parameter(("units",))

    def __post_init__(self):
        super().__post_init__()
        self.units = 6

    def forward(self, x, parameters):
        return x @ parameters["weights"] + parameters["biases"]

    def backward(self, x, parameters, a, grad):
        return grad @ parameters["weights"].T, {"weights": x.T @ grad, "biases": grad.sum(axis=0)}

    def jvp(self, x, parameters, a, dx, dparameters):
        return dx @ parameters["weights"] + x @ dparameters["weights"] + dparameters["biases"]

    def backward_jvp(self, x, parameters, a, grad, dx, dparameters, da, dgrad):
        of_x = dgrad @ parameters["weights"].T + grad @ dparameters["weights"].T
        return of_x, {"weights": x.T @ dgrad + dx.T @ grad, "biases": dgrad.sum(axis=0)}


class Ratio(Layer):
    """s x / (1 + y²), of two inputs."""

    name = "ratio_in_python"
    n_inputs = 2
    scale = Parameter(("units",), initializer={"name": "constant", "value": 0.7})

    def forward(self, x, parameters):
        return parameters["scale"] * x[0] / (1 + x[1] ** 2)

    def backward(self, x, parameters, a, grad):
        s, (first, second) = parameters["scale"], x
        q = 1 / (1 + second**2)
        return [grad * s * q, -2 * s * first * second * q * q * grad], {"scale": (grad * first * q).sum(axis=0)}

    def jvp(self, x, parameters, a, dx, dparameters):
        s, (first, second) = parameters["scale"], x
        q = 1 / (1 + second**2)
        return dparameters["scale"] * first * q + s * dx[0] * q - 2 * s * first * second * q * q * dx[1]

    def backward_jvp(self, x, parameters, a, grad, dx, dparameters, da, dgrad):
        s, ds, (first, second) = parameters["scale"], dparameters["scale"], x
        q = 1 / (1 + second**2)
        dq = -2 * second * q * q * dx[1]
        slope, dslope = second * q * q, dx[1] * q * q + 2 * second * q * dq
        of_first = dgrad * s * q + grad * ds * q + grad * s * dq
        of_second = -2 * (
            ds * first * slope * grad + s * dx[0] * slope * grad + s * first * (dslope * grad + slope * dgrad)
        )
        return [of_first, of_second], {"scale": (dgrad * first * q + grad * (dx[0] * q + first * dq)).sum(axis=0)}


class Scaled(Layer):
    """s x"""

    name = "scaled_with_directions"
    s = Parameter(("units",), initializer={"name": "constant", "value": 0.8})

    def forward(self, x, parameters):
        return parameters["s"] * x

    def backward(self, x, parameters, a, grad):
        return grad * parameters["s"], {"s": (grad * x).sum(axis=0)}

    def jvp(self, x, parameters, a, dx, dparameters):
        return parameters["s"] * dx + dparameters["s"] * x

    def backward_jvp(self, x, parameters, a, grad, dx, dparameters, da, dgrad):
        of_x = dgrad * parameters["s"] + grad * dparameters["s"]
        return of_x, {"s": (dgrad * x + grad * dx).sum(axis=0)}


class PyCosh(cynn.losses.Loss):
    """The mean over the outputs of cosh(d) - 1."""

    name = "cosh_in_python"

    def value_and_gradient(self, prediction, target):
        d = prediction - target
        return (np.cosh(d) - 1).mean(axis=1), np.sinh(d) / d.shape[1]

    def backward_jvp(self, prediction, target, dprediction):
        d = prediction - target
        return np.cosh(d) * dprediction / d.shape[1]


def chain(*hidden, dtype="float64", **last):
    layers = [Input(4, scale=0.5, offset=0.1), Dense(6, "tanh"), *hidden, Dense(2, **last)]
    return derived.prepared(Network(layers, seed=3, dtype=dtype))


def with_ratio(dtype="float64"):
    x = Input(4, scale=0.5, offset=0.1)
    first, second = Dense(5, PyTanh())(x), Dense(5, "tanh")(x)
    return derived.prepared(Network(Dense(2, "tanh")(Ratio()(first, second)), seed=0, dtype=dtype))


PAIRS = {
    "elementwise": (lambda: chain(Dense(6, PyTanh())), lambda: chain(Dense(6, "tanh"))),
    "rowwise": (lambda: chain(Dense(6, PySoftmax())), lambda: chain(Dense(6, "softmax"))),
    "layer": (lambda: chain(PyDense(), cynn.Activation("tanh")), lambda: chain(Dense(6), cynn.Activation("tanh"))),
    "last": (lambda: chain(activation=PyTanh()), lambda: chain(activation="tanh")),
}
GENERATOR = np.random.default_rng(4)
X, T = GENERATOR.normal(size=(2, 37, 4))
Y, WEIGHTS = GENERATOR.normal(size=(37, 2)), GENERATOR.integers(0, 3, 37)
DY_DX = GENERATOR.normal(size=(37, 2, 4))


def same(one, other):
    return np.abs(one - other).max() <= 1e-12 * max(1, np.abs(other).max())


@pytest.mark.parametrize("name", PAIRS)
def test_as_compiled_ones(name):
    net, other = (make() for make in PAIRS[name])
    for array, given in zip(net.get_weights(), other.get_weights(), strict=True):
        assert (array == given).all()
    assert same(net.jvp(X, T), other.jvp(X, T))
    assert same(net.hessian(X), other.hessian(X))
    assert same(net.hessian_diagonal(X), other.hessian_diagonal(X))
    v = np.cos(np.arange(net.parameter_vector.size))
    assert same(net.hvp(X, Y, v, sample_weight=WEIGHTS), other.hvp(X, Y, v, sample_weight=WEIGHTS))
    for given in (
        {"dy_dx": DY_DX},
        {"dy_dx": DY_DX[:, :1, :2], "directions": T[:, None]},
        {"dy_dx": DY_DX[:, :, :2], "directions": np.stack([X, T], axis=1)},
    ):
        nets = copy.deepcopy(net), copy.deepcopy(other)
        for each in nets:
            each.fit(X, Y, **given, epochs=3, batch_size=16, sample_weight=WEIGHTS, progress=False)
        for array, expected in zip(*(each.get_weights() for each in nets), strict=True):
            assert same(array, expected)


def along(function, at, direction, step=1e-5):
    return (function(at + step * direction) - function(at - step * direction)) / (2 * step)


def with_residual():
    return chain(Scaled(), cynn.Residual([Scaled(), Dense(6, PySoftmax())]))


@pytest.mark.parametrize("make", [with_ratio, with_residual])
def test_as_differences(make):
    net = make()
    close = {"rtol": 1e-6, "atol": 1e-8}
    assert np.allclose(net.jvp(X, T), along(net.predict, X, T), **close)
    columns = [along(lambda x, u=unit: net.jvp(x, np.tile(u, (37, 1))), X, T) for unit in np.eye(4)]
    assert np.allclose(np.einsum("roij,rj->roi", net.hessian(X), T), np.stack(columns, axis=2), **close)
    problem = net.problem(X, Y, loss=PyCosh())
    v = np.cos(np.arange(problem.n_parameters))
    expected = along(lambda theta: problem.value_and_gradient(theta)[1], problem.theta, v)
    assert np.allclose(problem.hvp(problem.theta, v), expected, **close)
    assert np.allclose(net.hvp(X, Y, v, loss=PyCosh()), expected, **close)


def test_float32_and_an_untrained_layer():
    net, other = with_ratio("float32"), with_ratio()
    assert np.allclose(net.hessian(X), other.hessian(X), atol=1e-4)
    scaled = Scaled(trainable=False)
    net = chain(scaled, Dense(6, PyTanh()))
    v = np.cos(np.arange(net.problem(X, Y).n_parameters))
    problem = net.problem(X, Y)
    expected = along(lambda theta: problem.value_and_gradient(theta)[1], problem.theta, v)
    assert np.allclose(problem.hvp(problem.theta, v), expected, rtol=1e-6, atol=1e-8)


class OtherSlope(PyTanh):
    """Twice tanh(z), of which it inherits the derivatives."""

    name = "other_slope"

    def forward(self, z):
        return 2 * np.tanh(z)

    def backward(self, z, a, grad):
        return grad * 2 * (1 - a * a / 4)


class Doubled(Scaled):
    """2 s x, likewise."""

    name = "doubled"

    def forward(self, x, parameters):
        return 2 * parameters["s"] * x


class OtherLoss(PyCosh):
    """Likewise."""

    name = "other_loss"

    def value_and_gradient(self, prediction, target):
        value, gradient = super().value_and_gradient(prediction, target)
        return 2 * value, 2 * gradient


def test_what_a_class_computes_anew_has_no_inherited_derivatives():
    message = "must have a method {}, as its methods are in Python. Got none of its own instead"
    for net, name in (chain(Dense(6, OtherSlope())), "other_slope"), (chain(Doubled()), "doubled"):
        with pytest.raises(PluginError, match=f"For jvp, .* '{name}' .* {message.format('jvp')}"):
            net.jvp(X, T)
        with pytest.raises(PluginError, match=f"For fit with dy_dx, .* '{name}'"):
            net.fit(X, Y, dy_dx=DY_DX, progress=False)
    net = chain()
    with pytest.raises(PluginError, match=f"For hvp, .* 'other_loss' .* {message.format('backward_jvp')}"):
        net.hvp(X, Y, np.zeros(net.parameter_vector.size), loss=OtherLoss())


def broken(base, **methods):
    return type("Broken", (base,), {**methods, "name": "broken_in_python", "__doc__": "Broken."})


def raises(*_):
    raise RuntimeError("no derivative today")


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (broken(PyTanh, jvp=lambda self, z, a, dz: dz[:, 1:]), r"jvp must return an array of shape \(\d+, 6\)"),
        (broken(PyTanh, jvp=raises), "RuntimeError: no derivative today"),
        (broken(PyTanh, backward_jvp=lambda self, *given: given[0][:1]), "backward_jvp must return an array of shape"),
        (broken(Scaled, jvp=lambda self, *given: given[0][:, :1]), "jvp must return an array of shape"),
        (broken(Scaled, backward_jvp=lambda self, *given: given[0]), "backward_jvp must return a tuple of dC/dx and"),
        (broken(Scaled, backward_jvp=lambda self, x, *_: (x, {})), r"must return the gradients of \['s'\]"),
        (broken(Scaled, backward_jvp=raises), "RuntimeError: no derivative today"),
    ],
)
def test_a_method_that_fails_is_named(part, message):
    made = part() if issubclass(part, Layer) else Dense(6, part())
    net = chain(made)
    before = [array.copy() for array in net.get_weights()]
    calls = [
        lambda: net.hessian(X),
        lambda: net.hvp(X, Y, np.ones(net.parameter_vector.size)),
        lambda: net.fit(X, Y, dy_dx=DY_DX, progress=False),
    ]
    for call in calls:
        with pytest.raises(PluginError, match=f"(?s)broken_in_python.*{message}"):
            call()
    assert all((one == other).all() for one, other in zip(before, net.get_weights(), strict=True))


def test_a_loss_that_fails_is_named():
    net = chain()
    v = np.ones(net.parameter_vector.size)
    for method, message in (raises, "no derivative today"), (lambda self, p, t, dp: dp[:, :1], "must return an array"):
        with pytest.raises(PluginError, match=f"broken_in_python.*{re.escape(message)}"):
            net.hvp(X, Y, v, loss=broken(PyCosh, backward_jvp=method)())


def test_arguments_are_read_only():
    def writes(self, z, a, dz):
        dz *= 2

    net = chain(Dense(6, broken(PyTanh, jvp=writes)()))
    with pytest.raises(PluginError, match="read-only"):
        net.jvp(X, T)


CALLERS = set()  # numbers of threads
SECOND_CALLER = threading.Event()


class WatchedTanh(PyTanh):
    """tanh(z), which notes the threads that call it. The first one waits for a second one if the test asks for it."""

    name = "watched_tanh"

    def forward(self, z):
        CALLERS.add(threading.get_ident())
        if len(CALLERS) > 1:
            SECOND_CALLER.set()
        if not SECOND_CALLER.wait(timeout=60):
            raise RuntimeError("no second thread called")
        return super().forward(z)

    def backward(self, z, a, grad):
        return super().backward(z, a, grad)

    def jvp(self, z, a, dz):
        return super().jvp(z, a, dz)

    def backward_jvp(self, z, a, grad, dz, da, dgrad):
        return super().backward_jvp(z, a, grad, dz, da, dgrad)


@pytest.mark.parametrize("name", ["jacobian", "vjp", "jvp", "hessian", "problem"])
def test_on_several_threads(name):
    """Everything else of a network is divided among threads, and the results are those of one thread, to the bit."""
    units = 20 if name == "problem" else 120  # JᵀJ has a row per weight
    layers = [Input(4), Dense(units, "tanh"), Dense(units, WatchedTanh()), Dense(3)]
    net = Network(layers, seed=0, dtype="float64")
    x, v = GENERATOR.normal(size=(1_000, 4)), GENERATOR.normal(size=(1_000, 3))

    def found(n_threads):
        if name == "problem":
            problem = net.problem(x[:200], v[:200], n_threads=n_threads)
            calls = problem.residuals, problem.jacobian, lambda theta: problem.gauss_newton(theta)[2]
            return np.concatenate([call(problem.theta).ravel() for call in calls])
        given = {"jacobian": (x,), "hessian": (x[:200],), "vjp": (x, v), "jvp": (x, x[::-1].copy())}[name]
        return getattr(net, name)(*given, n_threads=n_threads)

    CALLERS.clear()
    SECOND_CALLER.set()
    one = found(1)
    assert len(CALLERS) == 1
    for n_threads in 3, 2:
        CALLERS.clear()
        if name != "problem":  # whose methods get one row each: those are on one thread, and JᵀJ on several
            SECOND_CALLER.clear()  # a thread that starts late would find all done
        assert (found(n_threads) == one).all()
