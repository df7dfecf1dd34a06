"""Derivatives at sparse rows are those at dense ones, in several tiles."""

import numpy as np
import pytest

import cynn

sparse = pytest.importorskip("scipy.sparse")

ROWS = 300
X = sparse.random(ROWS, 5, 0.4, format="csr", random_state=0)
GENERATOR = np.random.default_rng(0)
V, T = GENERATOR.standard_normal((ROWS, 3)), GENERATOR.standard_normal((ROWS, 5))
Y = GENERATOR.integers(0, 3, ROWS)
METHODS = {
    "jacobian": lambda net, x: net.jacobian(x),
    "vjp": lambda net, x: net.vjp(x, V),
    "vjp by weights": lambda net, x: net.vjp(x, V, weights=True)[0],
    "input_gradients": lambda net, x: net.input_gradients(x, Y),
    "jvp": lambda net, x: net.jvp(x, T),
    "hessian": lambda net, x: net.hessian(x),
    "hessian_diagonal": lambda net, x: net.hessian_diagonal(x),
}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("options", [{}, {"scale": 0.5}, {"scale": 2.0, "offset": -0.25}], ids=str)
@pytest.mark.parametrize("n_threads", [1, 2])
def test_as_dense_rows(name, options, n_threads):
    net = cynn.Network([cynn.Input(5, **options), cynn.Dense(7, "tanh"), cynn.Dense(3, "softmax")], seed=0)
    cynn.set_num_threads(n_threads)
    try:
        np.testing.assert_array_equal(METHODS[name](net, X), METHODS[name](net, X.toarray()))
    finally:
        cynn.set_num_threads(None)
