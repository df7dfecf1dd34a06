"""L-BFGS: its steps, its line search, and what ends it."""

import itertools
import math

import numpy as np
import pytest
from scipy.optimize import minimize

import cynn
from cynn.solvers import LBFGS
from cynn.solvers.lbfgs import _two_loops
from cynn.solvers.line_search import strong_wolfe

X = np.random.default_rng(0).normal(size=(60, 3))
CLASSES = (X[:, 0] > 0).astype(int) + (X[:, 1] > X[:, 2])


def classifier(dtype="float64", l2=0.0):
    return cynn.Network(
        [cynn.Input(3), cynn.Dense(5, "tanh"), cynn.Dense(3, "softmax")], seed=0, dtype=dtype,
        regularizer=cynn.regularizers.L2(l2) if l2 else None,
    )  # fmt: skip


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_as_good_as_scipys(dtype):
    """In about as many gradients, on a loss that is no sum of squares, with a penalty."""
    net = classifier(dtype, 0.01)
    problem = net.problem(X, CLASSES)
    found = minimize(problem.value_and_gradient, problem.theta, jac=True, method="L-BFGS-B")
    history = net.fit(X, CLASSES, optimizer="lbfgs", epochs=200)
    loss = history["loss"]
    assert min(loss[: 2 * found.nit]) <= found.fun * (1 + (1e-6 if dtype == "float64" else 1e-5))
    assert all(b <= a * (1 + 1e-6) for a, b in itertools.pairwise(loss))


def test_it_ends_where_the_gradient_is_0():
    net = cynn.Network([cynn.Input(3), cynn.Dense(1)], seed=0, dtype="float64")
    y = X @ [1.0, -2.0, 0.5] + 3
    history = net.fit(X, y, optimizer="lbfgs", epochs=500)
    assert len(history["loss"]) < 40
    assert np.allclose(net.parameter_vector, [1.0, -2.0, 0.5, 3.0], atol=1e-6)


def test_a_step_costs_about_one_gradient():
    net = classifier()
    history = net.fit(X, CLASSES, optimizer=LBFGS(), epochs=50)
    assert len(history["loss"]) < history["evaluations"][-1] < 1.5 * len(history["loss"])


def test_some_rows_at_a_time_are_refused():
    with pytest.raises(cynn.errors.InvalidParameterError, match=r"'batch_size'.*'lbfgs'.*all 60 rows.*Got 10"):
        classifier().fit(X, CLASSES, optimizer="lbfgs", batch_size=10)
    classifier().fit(X, CLASSES, optimizer="lbfgs", batch_size=60, epochs=2)


def test_the_same_bits_with_any_number_of_threads():
    x = np.random.default_rng(0).normal(size=(5000, 20))
    found = []
    for n_threads in (1, 2, 3):
        net = cynn.Network.mlp([20, 32, 1], activation="tanh", seed=0)
        net.fit(x, np.sin(x[:, 0]), optimizer="lbfgs", epochs=5, n_threads=n_threads)
        found.append(net.parameter_vector.tobytes())
    assert len(set(found)) == 1


def test_it_ends_where_the_loss_stops_falling():
    lengths = []
    for loss_tolerance in (0.1, 1e-4, 0):
        solver = LBFGS(loss_tolerance=loss_tolerance)
        history = classifier(l2=0.01).fit(X, CLASSES, optimizer=solver, epochs=60)
        falls = [(a - b) / a for a, b in itertools.pairwise(history["loss"])]
        assert all(fall > loss_tolerance for fall in falls)
        lengths.append(len(falls))
    assert lengths[0] < lengths[1] < lengths[2]


def test_the_two_loops_are_the_matrix_of_bfgs():
    """Updated pair by pair, from a multiple of the identity (Nocedal and Wright, 6.17)."""
    rng = np.random.default_rng(0)
    hessian = rng.normal(size=(6, 6))
    hessian = hessian @ hessian.T + np.eye(6)
    steps = rng.normal(size=(4, 6))
    changes = steps @ hessian
    matrix = (steps[-1] @ changes[-1]) / (changes[-1] @ changes[-1]) * np.eye(6)
    for s, y in zip(steps, changes, strict=True):
        left = np.eye(6) - np.outer(s, y) / (s @ y)
        matrix = left @ matrix @ left.T + np.outer(s, s) / (s @ y)
    gradient = rng.normal(size=6)
    assert np.allclose(_two_loops(gradient, steps, changes), matrix @ gradient)
    assert (_two_loops(gradient, steps[:0], changes[:0]) == gradient).all()


LINES = {
    "a parabola": (lambda t: (t - 3) ** 2, lambda t: 2 * (t - 3)),
    "a steep valley": (lambda t: (t - 0.01) ** 4, lambda t: 4 * (t - 0.01) ** 3),
    "far away": (lambda t: (t - 1000) ** 2, lambda t: 2 * (t - 1000)),
    "waves": (lambda t: math.cos(3 * t) - t / 10, lambda t: -3 * math.sin(3 * t) - 0.1),
    "a cliff": (
        lambda t: (t - 0.3) ** 2 if t < 0.7 else math.inf, lambda t: 2 * (t - 0.3) if t < 0.7 else math.nan,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("first", [0.01, 1.0, 30.0])
def test_a_line_search_fulfils_wolfes_conditions(name, first):
    value, slope = LINES[name]

    def function(theta):
        return value(theta[0]), np.array([slope(theta[0])])

    start = np.zeros(1)
    at, gradient = function(start)
    found, evaluations = strong_wolfe(
        function, start, -np.sign(gradient), at, gradient, first, noise=0.0, max_evaluations=60
    )
    theta, _ = found
    assert value(theta[0]) <= at - 1e-4 * abs(theta[0]) * abs(gradient[0])
    assert abs(slope(theta[0])) <= 0.9 * abs(gradient[0])
    assert evaluations < 40


def test_a_line_that_rises_has_no_step():
    found, evaluations = strong_wolfe(
        lambda theta: (theta[0], np.ones(1)), np.zeros(1), np.ones(1), 0.0, np.ones(1), 1.0, noise=0.0,
        max_evaluations=20,
    )  # fmt: skip
    assert (found, evaluations) == (None, 0)
