"""A network as a function of its weights: its value, gradient, residuals and Jacobian."""

import numpy as np
import pytest

import cynn

X = np.random.default_rng(0).normal(size=(70, 3))
Y = np.random.default_rng(1).normal(size=(70, 2))


def networks():
    """Networks of all kinds of layers that make the loss a function of the weights."""
    x = cynn.Input(3, scale=0.5, offset=0.1)
    h = cynn.Dense(6, "tanh")(x)
    paths = cynn.Concatenate()(cynn.Dense(4, "sigmoid")(h), cynn.Dense(3, "tanh")(h))
    yield "two paths", cynn.Network(cynn.Dense(2)(paths), seed=0, dtype="float64")
    layers = {
        "norms": [cynn.Dense(6, "tanh"), cynn.LayerNorm(), cynn.Dense(5), cynn.RMSNorm(), cynn.PReLU(0.3)],
        "gates": [cynn.GLU(5), cynn.Maxout(4, pieces=2)],
        "residual": [cynn.Dense(4, "tanh"), cynn.Residual([cynn.Dense(4, "tanh"), cynn.Dense(4)])],
        "rowwise": [cynn.Dense(4, "softmax")],
        "python": [cynn.Dense(4, Cube())],
    }
    for name, hidden in layers.items():
        yield name, cynn.Network([cynn.Input(3), *hidden, cynn.Dense(2)], seed=0, dtype="float64")


class Cube(cynn.activations.Activation):
    """a = z + z³ / 10, in Python."""

    name = "cube_of_problem"

    def forward(self, z):
        return z + z**3 / 10

    def backward(self, z, a, grad):
        return grad * (1 + 3 * z**2 / 10)


NETWORKS = dict(networks())


def differences(function, theta, h=1e-6):
    moves = h * np.eye(len(theta))
    return np.array([(function(theta + move) - function(theta - move)) / (2 * h) for move in moves]).T


@pytest.mark.parametrize("name", NETWORKS)
def test_derivatives_are_those_of_differences(name):
    problem = NETWORKS[name].problem(X, Y)
    theta = problem.theta
    jacobian = problem.jacobian(theta)
    assert jacobian.shape == (140, problem.n_parameters)
    assert np.allclose(jacobian, differences(problem.residuals, theta), atol=1e-7)
    value, gradient = problem.value_and_gradient(theta)
    residuals = problem.residuals(theta)
    assert value == pytest.approx(residuals @ residuals / 70, rel=1e-12)
    assert np.allclose(gradient, 2 * jacobian.T @ residuals / 70, atol=1e-12)
    found, of_equations, matrix = problem.gauss_newton(theta)
    assert found == pytest.approx(value, rel=1e-12)
    assert np.allclose(of_equations, gradient, atol=1e-12)
    assert np.allclose(np.triu(matrix), np.triu(2 * jacobian.T @ jacobian / 70), atol=1e-12)


@pytest.mark.parametrize(("hidden", "rows"), [([], 1), ([], 5000), ([4], 5000), ([20], 900), ([60], 700)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products_are_those_of_the_jacobian(hidden, rows, dtype):
    """Whatever the pieces are in which they are summed: with few weights, many, and in several panels."""
    rng = np.random.default_rng(0)
    net = cynn.Network.mlp([3, *hidden, 2], activation="tanh", seed=0, dtype=dtype)
    problem = net.problem(rng.normal(size=(rows, 3)), rng.normal(size=(rows, 2)), sample_weight=rng.uniform(size=rows))
    theta = problem.theta
    jacobian, residuals = problem.jacobian(theta), problem.residuals(theta)
    for _ in range(2):  # the second time begins at 0 again
        _, gradient, matrix = problem.gauss_newton(theta)
        assert np.allclose(np.triu(matrix), np.triu(2 * jacobian.T @ jacobian / rows), rtol=1e-11, atol=1e-13)
        assert np.allclose(gradient, 2 * jacobian.T @ residuals / rows, rtol=1e-10, atol=1e-13)


def test_residuals_of_one_output_are_differences():
    net = cynn.Network.mlp([3, 4, 1], activation="tanh", seed=0, dtype="float64")
    problem = net.problem(X, Y[:, 0])
    assert np.allclose(problem.residuals(net.parameter_vector), net.predict(X)[:, 0] - Y[:, 0], atol=1e-15)


def test_weights_of_rows_and_penalties():
    net = cynn.Network.mlp([3, 4, 2], activation="tanh", seed=0, dtype="float64")
    net.regularizer = cynn.regularizers.L2(0.05)
    weight = np.arange(70) % 4 * 1.0
    problem = net.problem(X, Y, sample_weight=weight)
    theta = problem.theta
    value, gradient = problem.value_and_gradient(theta)
    residuals, jacobian = problem.residuals(theta), problem.jacobian(theta)
    n = (weight > 0).sum()
    assert value == pytest.approx(net.evaluate(X, Y, sample_weight=weight)["loss"], rel=1e-12)
    assert residuals @ residuals / n == pytest.approx(value, rel=1e-12)
    assert np.allclose(2 * jacobian.T @ residuals / n, gradient, atol=1e-12)
    assert np.allclose(jacobian, differences(problem.residuals, theta), atol=1e-7)
    assert np.allclose(problem.gauss_newton(theta)[1], gradient, atol=1e-12)


def test_the_gradient_is_that_of_gradients_over_many_rows():
    """More rows than are computed at once, with a loss that is no sum of squares."""
    x = np.random.default_rng(0).normal(size=(2500, 3))
    y = (x[:, 0] > 0).astype(int)
    net = cynn.Network.mlp([3, 4, 2], output="softmax", seed=0, dtype="float64")
    expected = np.concatenate([array.ravel() for pair in net.gradients(x, y) for array in pair])
    value, gradient = net.problem(x, y).value_and_gradient(net.parameter_vector)
    assert np.allclose(gradient, expected, atol=1e-13)
    assert value == pytest.approx(net.evaluate(x, y)["loss"], rel=1e-12)


def test_frozen_layers_are_not_among_the_weights():
    net = cynn.Network([cynn.Input(3), cynn.Dense(4, "tanh", trainable=False), cynn.Dense(2)], seed=0, dtype="float64")
    problem = net.problem(X, Y)
    assert problem.n_parameters == len(net.parameter_vector) == 10
    assert np.allclose(problem.jacobian(problem.theta), differences(problem.residuals, problem.theta), atol=1e-7)


def test_the_network_stays_as_it_is():
    net = cynn.Network.mlp([3, 4, 2], activation="tanh", seed=0)
    before = net.parameter_vector
    problem = net.problem(X, Y)
    problem.value_and_gradient(problem.theta + 1)
    problem.jacobian(problem.theta - 1)
    assert (net.parameter_vector == before).all()
    net.parameter_vector = problem.theta + 1
    assert (net.parameter_vector == (before + 1).astype(np.float32)).all()


def test_weights_that_are_too_large_have_no_finite_loss():
    net = cynn.Network.mlp([3, 4, 2], activation="relu", seed=0)
    problem = net.problem(X, Y)
    with np.errstate(over="ignore"):
        value, gradient = problem.value_and_gradient(np.full(problem.n_parameters, 1e30))
    assert not np.isfinite(value)
    assert np.isnan(gradient).all()
    assert np.isfinite(problem.value(problem.theta))


def test_what_is_wrong():
    net = cynn.Network.mlp([3, 4, 2], activation="tanh", seed=0)
    problem = net.problem(X, Y)
    with pytest.raises(cynn.errors.ShapeError, match=r"vector of 26 numbers.*shape \(25,\)"):
        problem.value(np.zeros(25))
    with pytest.raises(cynn.errors.ShapeError, match=r"parameter_vector must have the shape \(26,\)"):
        net.parameter_vector = np.zeros(3)
    with pytest.raises(cynn.errors.DataError, match="must be finite in float32"):
        net.parameter_vector = np.full(26, 1e300)
    noisy = cynn.Network([cynn.Input(3), cynn.Dropout(0.5), cynn.Dense(2)], seed=0)
    with pytest.raises(cynn.errors.InvalidParameterError, match=r"function of the weights alone.*noise"):
        noisy.problem(X, Y)
    net = cynn.Network.mlp([3, 2], output="softmax", seed=0)
    problem = net.problem(X, Y[:, 0] > 0, loss="cross_entropy")
    with pytest.raises(cynn.errors.InvalidParameterError, match=r"must be mean_squared_error.*Got 'cross_entropy'"):
        problem.residuals(problem.theta)


def test_categories_have_derivatives_by_their_vectors():
    x = np.array([[0, 0.5], [2, 0.1], [1, -0.3], [2, 0.9]])
    net = cynn.Network(
        [cynn.Input(2), cynn.Embedding(3, 2, columns=0), cynn.Dense(1)], seed=0, dtype="float64"
    )
    problem = net.problem(x, [1.0, 2.0, 3.0, 4.0])
    assert np.allclose(problem.jacobian(problem.theta), differences(problem.residuals, problem.theta), atol=1e-7)


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("n", [1, 2, 63, 64, 65, 200])
def test_choleskys_factor(own, n):
    from cynn.kernels import cholesky

    b = np.random.default_rng(n).normal(size=(n + 3, n))
    a = b.T @ b
    u = np.triu(a)
    assert cholesky.factor(u, own=own)
    assert np.allclose(np.triu(u).T @ np.triu(u), a)
    x = np.random.default_rng(0).normal(size=n)
    right = a @ x
    cholesky.solve(u, right)
    assert np.allclose(right, x)
    cholesky.inverse(u)
    assert np.allclose(u @ u.T, np.linalg.inv(a))
    a[n // 2, n // 2] = -1.0
    assert not cholesky.factor(a, own=own)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_gradient_with_residuals_of_another_place(name):
    problem = NETWORKS[name].problem(X, Y, sample_weight=np.linspace(0.5, 2, 70))
    theta = problem.theta
    moved = theta + 0.3 * np.cos(np.arange(problem.n_parameters))
    expected = 2 * problem.jacobian(theta).T @ problem.residuals(moved) / 70
    found = problem.chord_gradient(theta, moved)
    assert np.abs(found - expected).max() <= 1e-12 * np.abs(expected).max()
    assert np.allclose(problem.chord_gradient(moved, moved), problem.value_and_gradient(moved)[1], atol=1e-12)


def test_the_gradient_with_residuals_of_another_place_and_l2():
    net = cynn.Network([cynn.Input(3), cynn.Dense(2, regularizer=cynn.regularizers.L2(0.1))], seed=0, dtype="float64")
    problem = net.problem(X, Y)
    theta = problem.theta
    expected = 2 * problem.jacobian(theta).T @ problem.residuals(theta + 0.3) / 70
    assert np.allclose(problem.chord_gradient(theta, theta + 0.3), expected, atol=1e-12)


def test_the_gradient_with_residuals_of_another_place_over_many_rows_and_in_float32():
    x = np.random.default_rng(0).normal(size=(5000, 4))
    y = np.sin(x[:, 0]) * x[:, 1]
    found = {}
    for dtype in ("float64", "float32"):
        net = cynn.Network.mlp([4, 30, 1], activation="tanh", seed=0, dtype=dtype)
        for n_threads in (1, 2):
            problem = net.problem(x, y, n_threads=n_threads)
            moved = problem.theta + 0.3 * np.cos(np.arange(problem.n_parameters))
            found[dtype, n_threads] = problem.chord_gradient(problem.theta, moved)
    expected = found["float64", 1]
    assert (expected == found["float64", 2]).all() and (found["float32", 1] == found["float32", 2]).all()
    assert np.abs(found["float32", 1] - expected).max() <= 1e-5 * np.abs(expected).max()
