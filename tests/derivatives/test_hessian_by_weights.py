"""`hvp` by weights: against differences of the gradient, and what it takes."""

import numpy as np
import pytest

import cynn
from cynn import Dense, Input, layers
from cynn.errors import DataError, InvalidParameterError, PluginError, ShapeError


def graph():
    x = Input(3)
    first = Dense(4, "tanh")(x)
    both = layers.Add()(first, Dense(4, "sigmoid")(first))
    outputs = {"p": Dense(2, "softmax")(layers.Concatenate()(both, x)), "q": Dense(1)(both)}
    return cynn.Network(outputs, dtype="float64", seed=0)


def sequence(*parts, **options):
    return cynn.Network([Input(3, scale=0.5, offset=0.1), *parts], seed=1, **({"dtype": "float64"} | options))


NETWORKS = {
    "regularized": lambda: sequence(Dense(5, "tanh", regularizer="l2"), Dense(4, "sigmoid"), Dense(2)),
    "classes": lambda: sequence(Dense(5, "tanh"), layers.LayerNorm(), Dense(4, "softmax")),
    "layers": lambda: sequence(layers.GLU(4), layers.RMSNorm(), layers.PReLU(), layers.Maxout(4), Dense(2, "sigmoid")),
    "frozen": lambda: sequence(Dense(4, "tanh", trainable=False), Dense(3, "tanh", use_bias=False), Dense(1)),
    "binary": lambda: sequence(Dense(4, "tanh"), Dense(1, "sigmoid")),
    "graph": graph,
}


def data(net, n=9):
    rng = np.random.default_rng(0)
    y = [rng.dirichlet(np.ones(each), n) if each > 1 else rng.uniform(size=(n, 1)) for each in net._outputs.units]
    return rng.normal(size=(n, net.input.units)), net._outputs.join(y)


def perturb(net):
    rng = np.random.default_rng(5)
    net.set_weights([w + rng.uniform(0.05, 0.3, w.shape) for w in net.get_weights()])


@pytest.mark.parametrize("name", NETWORKS)
def test_against_differences_of_the_gradient(name):
    net = NETWORKS[name]()
    perturb(net)
    x, y = data(net)
    weights = np.array([1.0, 2, 0, 1, 3, 1, 0.5, 1, 1])
    problem = net.problem(x, y, sample_weight=weights)
    theta, v = problem.theta, np.random.default_rng(1).normal(size=problem.n_parameters)
    above, below = (problem.value_and_gradient(theta + step * v)[1] for step in (1e-5, -1e-5))
    expected = (above - below) / 2e-5
    found = problem.hvp(theta, v)
    assert np.abs(found - expected).max() < 1e-6 * np.abs(expected).max()
    assert np.array_equal(net.hvp(x, y, v, sample_weight=weights), found)
    assert np.array_equal(net.parameter_vector, theta)


@pytest.mark.parametrize("output", ["sigmoid", "softmax", "tanh"])
@pytest.mark.parametrize(
    "loss", ["mean_squared_error", "mean_absolute_error", "binary_cross_entropy", "cross_entropy"]
)
def test_losses(loss, output):
    """Behind the activation with which a loss is fused, and behind others."""
    net = sequence(Dense(5, "tanh"), Dense(3, output))
    perturb(net)
    x, y = data(net)
    if output == "tanh" and "entropy" in loss:
        net = sequence(Dense(5, "tanh"), Dense(4, "sigmoid"), layers.Activation("softmax"))
        x, y = data(net)
    problem = net.problem(x, y, loss=loss)
    v = np.random.default_rng(1).normal(size=problem.n_parameters)
    found = problem.hvp(problem.theta, v)
    above, below = (problem.value_and_gradient(problem.theta + step * v)[1] for step in (1e-5, -1e-5))
    np.testing.assert_allclose(found, (above - below) / 2e-5, atol=1e-6 * np.abs(found).max())


def test_classes_and_many_rows():
    """More rows than are computed at once, and classes as numbers."""
    net = sequence(Dense(16, "tanh"), Dense(3, "softmax"))
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2500, 3)), rng.integers(0, 3, 2500)
    v = rng.normal(size=net.parameter_vector.size)
    one_hot = net.hvp(x, np.eye(3)[y], v)
    np.testing.assert_allclose(net.hvp(x, y, v), one_hot, rtol=1e-10, atol=1e-13)
    halves = [net.hvp(x[half], y[half], v) for half in (slice(0, 1250), slice(1250, 2500))]
    np.testing.assert_allclose(sum(halves) / 2, one_hot, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_same_bits_on_any_number_of_threads(dtype):
    net = sequence(Dense(64, "tanh"), Dense(96, "tanh"), Dense(2), dtype=dtype)
    x, y = data(net, 1500)
    v = np.random.default_rng(0).normal(size=net.parameter_vector.size).astype(dtype)
    found = [net.hvp(x, y, v, n_threads=n) for n in (1, 2, 3)]
    assert found[0].dtype == dtype
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


def test_it_is_symmetric_and_linear():
    net = sequence(Dense(5, "tanh"), Dense(2))
    x, y = data(net)
    size = net.parameter_vector.size
    H = np.stack([net.hvp(x, y, unit) for unit in np.eye(size)])
    np.testing.assert_allclose(H, H.T, atol=1e-12)
    v = np.random.default_rng(0).normal(size=size)
    np.testing.assert_allclose(net.hvp(x, y, v), H @ v, atol=1e-11)


def test_newton_cg_of_scipy():
    optimize = pytest.importorskip("scipy.optimize")
    net = sequence(Dense(5, "tanh"), Dense(1))
    x = np.random.default_rng(0).normal(size=(60, 3))
    problem = net.problem(x, np.sin(x.sum(axis=1)))
    found = optimize.minimize(
        problem.value_and_gradient, problem.theta, jac=True, hessp=problem.hvp, method="trust-ncg",
        options={"maxiter": 60},
    )  # fmt: skip
    assert found.fun < 0.05 * problem.value(problem.theta)


class Odd(cynn.losses.Loss):
    """Squared errors in Python."""

    name = "odd_of_this_test"

    def value_and_gradient(self, prediction, target):
        error = prediction - target
        return (error**2).sum(axis=1), 2 * error


def test_what_it_refuses():
    net = sequence(Dense(4, "tanh"), Dense(1))
    x, y = data(net)
    v = np.zeros(net.parameter_vector.size)
    with pytest.raises(ShapeError, match="v must"):
        net.hvp(x, y, v[1:])
    with pytest.raises(ShapeError, match="v must be a vector of"):
        net.problem(x, y).hvp(v, v[1:])
    with pytest.raises(DataError, match="v"):
        net.hvp(x, y, np.full_like(v, np.nan))
    with pytest.raises(PluginError, match="odd_of_this_test"):
        net.hvp(x, y, v, loss=Odd())
    noisy = sequence(Dense(4), layers.Dropout(0.5), Dense(1))
    with pytest.raises(InvalidParameterError, match="noise"):
        noisy.hvp(x, y, np.zeros(21))
    with pytest.raises(InvalidParameterError, match="L2"):
        sequence(Dense(4, regularizer="l1"), Dense(1)).hvp(x, y, np.zeros(21))
