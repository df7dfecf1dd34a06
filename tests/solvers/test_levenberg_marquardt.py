"""Levenberg and Marquardt's method: against MINPACK, on edge cases, and its options."""

import curves_of_solvers as curves
import numpy as np
import pytest
from scipy.optimize import least_squares

import cynn
from cynn.solvers import LevenbergMarquardt

PROBLEMS = {name: (x, y, hidden) for name, x, y, hidden in curves.problems()}


def minpack(net, x, y):
    """The cost that MINPACK finds from the weights of a network, and the number of its Jacobians."""
    problem = net.problem(x, y)
    found = least_squares(problem.residuals, problem.theta, jac=problem.jacobian, method="lm")
    return found.cost, found.njev


def compared(name):
    x, y, hidden = PROBLEMS[name]
    net = curves.network(x, hidden)
    cost, n_jacobians = minpack(net, x, y)
    net.fit(x, y, optimizer=LevenbergMarquardt(tolerance=0), epochs=int(1.2 * n_jacobians))
    return net.evaluate(x, y)["loss"] * len(x) / 2 / cost


def test_as_good_as_minpack():
    """On nine of ten problems at least, with at most 1.2 times its Jacobians, from the same starts."""
    ratios = {name: compared(name) for name in PROBLEMS}
    assert len(ratios) == 10
    assert sum(ratio <= 1 + 1e-6 for ratio in ratios.values()) >= 9, ratios


def linear(dtype="float64", l2=0.0):
    regularizer = cynn.regularizers.L2(l2) if l2 else None
    return cynn.Network([cynn.Input(2), cynn.Dense(1, regularizer=regularizer)], seed=0, dtype=dtype)


X = np.random.default_rng(0).normal(size=(30, 2))
Y = X @ [1.0, -2.0] + 0.5


def test_a_linear_network_is_solved_exactly():
    net = linear()
    history = net.fit(X, Y, optimizer="levenberg_marquardt", epochs=100)
    assert np.allclose(net.parameter_vector, [1.0, -2.0, 0.5], atol=1e-12)
    assert history["loss"][-1] < 1e-20
    assert len(history["loss"]) < 30


@pytest.mark.parametrize("weight", [None, np.linspace(0, 2, 30)])
def test_weights_of_rows_and_l2_as_in_the_normal_equations(weight):
    y = Y + np.random.default_rng(1).normal(size=30)
    net = linear(l2=0.1)
    net.fit(X, y, optimizer="levenberg_marquardt", epochs=100, sample_weight=weight)
    w = np.ones(30) if weight is None else weight
    phi = np.column_stack([X, np.ones(30)])
    matrix = phi.T @ (w[:, None] * phi) / w.sum() + 0.1 * np.diag([1, 1, 0])
    expected = np.linalg.solve(matrix, phi.T @ (w * y) / w.sum())
    assert np.allclose(net.parameter_vector, expected, atol=1e-9)


def test_a_residual_of_zero_ends_at_once():
    net = linear()
    net.parameter_vector = [1.0, -2.0, 0.5]
    before = net.parameter_vector
    history = net.fit(X, net.predict(X), optimizer="lm", epochs=5)
    assert history["loss"] == [0.0]
    assert (net.parameter_vector == before).all()


def test_a_singular_matrix():
    """Two columns that are the same, and one that is 0: of the solutions, one that fits."""
    x = np.column_stack([X[:, 0], X[:, 0], np.zeros(30)])
    net = cynn.Network([cynn.Input(3), cynn.Dense(1)], seed=0, dtype="float64")
    before = net.parameter_vector
    history = net.fit(x, 3 * X[:, 0] + 1, optimizer="lm", epochs=100)
    assert history["loss"][-1] < 1e-18
    assert net.parameter_vector[2] == before[2]


def test_more_weights_than_rows():
    net = cynn.Network.mlp([2, 20, 1], activation="tanh", seed=0, dtype="float64")
    assert net.fit(X[:5], Y[:5], optimizer="lm", epochs=100)["loss"][-1] < 1e-15


def test_one_row():
    net = cynn.Network.mlp([2, 3, 1], activation="tanh", seed=0, dtype="float64")
    assert net.fit(X[:1], Y[:1], optimizer="lm", epochs=50)["loss"][-1] < 1e-15


def test_weights_of_zero():
    net = cynn.Network.mlp([2, 3, 1], activation="tanh", seed=0, dtype="float64")
    net.parameter_vector = np.zeros(13)
    history = net.fit(X, Y, optimizer="lm", epochs=50)
    assert history["loss"][-1] <= np.var(Y) + 1e-9


def test_a_network_without_parameters():
    net = cynn.Network([cynn.Input(1), cynn.Activation("tanh")], seed=0)
    history = net.fit([[0.0], [1.0]], [0.0, 0.0], optimizer="lm", epochs=5)
    assert len(history["loss"]) == 1
    assert history["loss"][0] == pytest.approx(np.tanh(1) ** 2 / 2)


def test_float32_is_as_good_as_its_numbers():
    """What is summed in double leaves the precision of the outputs alone."""
    net = linear("float32")
    net.fit(X, Y, optimizer="lm", epochs=50)
    assert np.allclose(net.parameter_vector, [1.0, -2.0, 0.5], atol=3e-7)


def test_several_outputs_with_weights():
    x = cynn.Input(2)
    h = cynn.Dense(4, "tanh")(x)
    net = cynn.Network({"a": cynn.Dense(1)(h), "b": cynn.Dense(2)(h)}, seed=0, dtype="float64")
    y = {"a": Y, "b": np.column_stack([X[:, 0] * X[:, 1], X[:, 0] ** 2])}
    weights = {"a": 3.0, "b": 0.5}
    problem = net.problem(X, y, loss_weights=weights)
    before = net.evaluate(X, y, loss_weights=weights)
    assert problem.value(problem.theta) == pytest.approx(before["loss"], rel=1e-12)
    history = net.fit(X, y, loss_weights=weights, optimizer="lm", epochs=30)
    assert history["a_loss"][0] == pytest.approx(before["a_loss"], rel=1e-12)
    assert history["loss"][0] == pytest.approx(before["loss"], rel=1e-12)
    assert history["loss"][-1] < 0.1 * history["loss"][0]


def test_classes_are_rows_of_one_1():
    net = cynn.Network.mlp([2, 4, 3], activation="tanh", seed=0, dtype="float64")
    y = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
    net.fit(X, y, optimizer="lm", epochs=60, loss="mean_squared_error")
    assert (net.predict(X).argmax(axis=1) == y).mean() > 0.9


def test_batches():
    net = linear()
    y = Y + 1e-3 * np.random.default_rng(1).normal(size=30)
    history = net.fit(X, y, optimizer="lm", batch_size=10, epochs=5)
    assert len(history["loss"]) == 5
    assert history["loss"][-1] < 1e-5


@pytest.mark.parametrize("seed", range(4))
def test_acceleration_takes_fewer_steps(seed):
    """Along a curved valley: a sine that is damped."""
    x, y, hidden = PROBLEMS["gauss"]
    steps = []
    for acceleration in (False, True):
        net = cynn.Network.mlp([1, *hidden, 1], activation="tanh", seed=seed, dtype="float64")
        solver = LevenbergMarquardt(acceleration=acceleration, tolerance=1e-8)
        history = net.fit(x, y, optimizer=solver, epochs=300)
        steps.append(len(history["loss"]))
        assert history["loss"][-1] < 1e-3
    assert steps[1] < steps[0]


@pytest.mark.parametrize("size", [1e6, np.nan])
def test_an_acceleration_that_is_too_large_leaves_the_plain_step(size):
    x, y, hidden = PROBLEMS["sinc"]
    problem = curves.network(x, hidden).problem(x, y)
    theta = problem.theta
    accelerated, plain = LevenbergMarquardt(), LevenbergMarquardt(acceleration=False)
    expected, _ = plain.step(problem, theta, plain.start(len(theta)))
    found, _ = accelerated.step(problem, theta, accelerated.start(len(theta)))
    assert not np.array_equal(found, expected)
    problem.chord_gradient = lambda theta, moved: np.full(len(theta), size)
    found, _ = accelerated.step(problem, theta, accelerated.start(len(theta)))
    assert np.array_equal(found, expected)


def test_the_acceleration_is_that_of_the_second_derivative():
    """Along a step, of residuals w² x² - 4 x², by hand."""
    x = np.linspace(0.5, 1.5, 20)[:, None]
    net = cynn.Network([cynn.Input(1), cynn.Dense(1, "squared_relu", use_bias=False)], seed=0, dtype="float64")
    problem = net.problem(x, 4 * x**2)
    theta = np.array([3.0])
    solver = LevenbergMarquardt(initial_damping=0.5)
    found, _ = solver.step(problem, theta, solver.start(1))
    fourth = (x**4).mean()
    g, h, second = 4 * 3 * 5 * fourth, 8 * 9 * fourth, 2 * 2 * 3 * 2 * fourth
    delta = -g / (1.5 * h)
    assert found == pytest.approx(theta + delta - 0.5 * second * delta**2 / (1.5 * h), rel=1e-9)


def test_bayesian_regularization_counts_effective_parameters():
    """Of a linear model it is the sum of λ / (λ + α) over the eigenvalues, and α follows from the evidence."""
    y = Y + 0.3 * np.random.default_rng(1).normal(size=30)
    net = linear()
    history = net.fit(X, y, optimizer=LevenbergMarquardt(bayesian_regularization=True), epochs=200)
    found = history["effective_parameters"][-1]
    phi = np.column_stack([X, np.ones(30)])
    factor = history["penalty_factor"][-1]
    eigenvalues = np.linalg.eigvalsh(phi.T @ phi) / 30
    assert found == pytest.approx((eigenvalues / (eigenvalues + factor)).sum(), rel=1e-3)
    theta = net.parameter_vector
    residual = ((phi @ theta - y) ** 2).mean()
    assert factor == pytest.approx(found * residual / (theta @ theta * (30 - found)), rel=1e-3)


def test_bayesian_regularization_of_too_many_weights():
    """They fit the noise without it."""
    rng = np.random.default_rng(0)
    x = np.linspace(-1, 1, 40)[:, None]
    y, truth = np.sin(3 * x[:, 0]) + 0.2 * rng.normal(size=40), np.sin(3 * x[:, 0])
    errors = []
    for bayesian in (False, True):
        net = cynn.Network.mlp([1, 15, 1], activation="tanh", seed=0, dtype="float64")
        history = net.fit(x, y, optimizer=LevenbergMarquardt(bayesian_regularization=bayesian), epochs=200)
        errors.append(((net.predict(x)[:, 0] - truth) ** 2).mean())
    assert errors[1] < 0.7 * errors[0]
    assert 3 < history["effective_parameters"][-1] < 15


def test_memory_is_said_beforehand():
    solver = LevenbergMarquardt(memory_limit=1_000_000)
    assert solver.memory_bytes(200) == 640_000
    assert LevenbergMarquardt(bayesian_regularization=True).memory_bytes(200) == 960_000
    net = cynn.Network.mlp([20, 20, 1], seed=0)
    before = net.parameter_vector
    with pytest.raises(cynn.errors.InvalidParameterError, match=r"memory_limit=1,000,000 b.*441 weights.*3,111,696"):
        net.fit(np.zeros((3, 20)), np.zeros(3), optimizer=solver)
    assert (net.parameter_vector == before).all()


def test_another_loss_is_refused():
    net = cynn.Network.mlp([2, 1], output="sigmoid", seed=0)
    with pytest.raises(cynn.errors.InvalidParameterError, match=r"mean_squared_error.*Got 'binary_cross_entropy'"):
        net.fit(X, Y > 0, optimizer="lm")


def test_the_same_bits_with_any_number_of_threads():
    x = np.random.default_rng(0).normal(size=(3000, 4))
    y = np.sin(x[:, 0]) * x[:, 1]
    found = []
    for n_threads in (1, 2, 3):
        net = cynn.Network.mlp([4, 12, 1], activation="tanh", seed=0)
        net.fit(x, y, optimizer="lm", epochs=4, n_threads=n_threads)
        found.append(net.parameter_vector.tobytes())
    assert len(set(found)) == 1
