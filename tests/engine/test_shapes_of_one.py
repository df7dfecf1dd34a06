"""Layers of one input, one unit, one row, one output: every product in every shape, against NumPy in float64.

A matrix of one row or one column can be said to lie in memory in two ways, of which a kernel or BLAS may take one.
"""

import helpers
import numpy as np
import pytest
import reference

import cynn
from cynn import GLU, Concatenate, Dense, Embedding, Input, Maxout, Network
from cynn.optimizers import SGD, Adam

DTYPES = ["float32", "float64"]
#: On both sides of what a kernel of our own takes, and of whole vectors.
WIDTHS = [1, 3, 512, 513, 600, 1025]


def dense(W, b, x):
    """x W + b, and what becomes of its gradient: those of W, b and x."""
    return x @ W + b, lambda delta: (x.T @ delta, delta.sum(axis=0), delta @ W.T)


def glu(W, b, x):
    z, backward = dense(W, b, x)
    values, gates = np.split(z, 2, axis=1)
    a = reference.sigmoid(gates)

    def backward_of_product(delta):
        return backward(np.concatenate([delta * a, delta * values * a * (1 - a)], axis=1))

    return values * a, backward_of_product


def maxout(W, b, x):
    z, backward = dense(W, b, x)
    pieces = np.split(z, 2, axis=1)
    first = pieces[0] >= pieces[1]
    return np.maximum(*pieces), lambda delta: backward(np.concatenate([delta * first, delta * ~first], axis=1))


KINDS = {"dense": (Dense, dense), "glu": (GLU, glu), "maxout": (Maxout, maxout)}


def build(inputs, kind, units, outputs, dtype):
    """A layer as wide as the inputs, so that dC/dx of the next one matters, the one in question, and one more."""
    net = Network([Input(inputs), Dense(inputs), KINDS[kind][0](units), Dense(outputs)], seed=3, dtype=dtype)
    for layer in net.layers:
        layer.biases = np.random.default_rng(4).normal(size=layer.biases.shape) / 4
    return net


def expected_gradients(net, kind, x, y):
    """The outputs, and the gradients of mean squared error."""
    a, backwards = x.astype(np.float64), []
    for (W, b), forward in zip(helpers.parameters(net), [dense, KINDS[kind][1], dense], strict=True):
        a, backward = forward(W, b, a)
        backwards.append(backward)
    delta, gradients = 2 * (a - y) / y.size, []
    for backward in reversed(backwards):
        dW, db, delta = backward(delta)
        gradients.insert(0, (dW, db))
    return a, gradients


def check(rows, inputs, kind, units, outputs, dtype):
    net = build(inputs, kind, units, outputs, dtype)
    x = helpers.inputs(rows, inputs, dtype)
    y = helpers.targets(rows, outputs, "mean_squared_error")
    tolerance = 4 * helpers.TOLERANCE[dtype]
    output, gradients = expected_gradients(net, kind, x, y)
    assert helpers.relative_error(net.predict(x), output) < tolerance
    found = net.gradients(x, y, loss="mean_squared_error")
    largest = max(np.abs(grad).max() for pair in gradients for grad in pair)
    for pair, expected in zip(found, gradients, strict=True):
        for grad, wanted in zip(pair, expected, strict=True):
            # what nearly cancels out is as exact as its terms
            assert np.abs(grad - wanted).max() < tolerance * max(np.abs(wanted).max(), 0.01 * largest)
    # the step that is part of the product, and that of an optimizer that takes blocks
    for optimizer, limit in [(SGD(0.5), 100 * tolerance), (Adam(0.5, epsilon=1e-20), 1e-3)]:
        net = build(inputs, kind, units, outputs, dtype)
        before = helpers.parameters(net)
        net.fit(x, y, loss="mean_squared_error", optimizer=optimizer, batch_size=rows, epochs=1, progress=False)
        for (W, b), (W_before, b_before), (dW, db) in zip(helpers.parameters(net), before, gradients, strict=True):
            for moved, grad in ((W_before - W, dW), (b_before - b, db)):
                clear = np.abs(grad) > 1e-3 * largest  # whose sign rounding does not turn
                wanted = 0.5 * (grad if isinstance(optimizer, SGD) else np.sign(grad))
                assert np.abs(moved - wanted)[clear].max(initial=0) < limit * max(np.abs(wanted).max(), 1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [1, 2, 3, 32, 129])
@pytest.mark.parametrize("inputs", [1, 2])
def test_few_inputs(inputs, rows, kind, dtype):
    for units in WIDTHS:
        for outputs in (1, 2):
            check(rows, inputs, kind, units, outputs, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("inputs", [1, 2, 40])
@pytest.mark.parametrize(("rows", "units"), [(1100, 250), (520, 512), (2100, 64), (4100, 33), (300, 1000), (1100, 1)])
def test_more_than_a_megabyte_of_delta(rows, units, inputs, kind, dtype):
    check(rows, inputs, kind, units, 1, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [1, 2, 70])
@pytest.mark.parametrize("inputs", [513])
def test_many_inputs_and_one_unit(inputs, rows, kind, dtype):
    """One unit takes them all, and behind them."""
    check(rows, inputs, kind, 1, 1, dtype)
    check(rows, inputs, kind, 600, 1, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("inputs", [300_000, 140_000])
def test_more_inputs_than_a_product_of_our_own_takes(inputs, dtype):
    """A W of one column, of more than 1 MiB."""
    net = Network([Input(inputs), Dense(1), Dense(2)], seed=0, dtype=dtype)
    x, y = helpers.inputs(5, inputs, dtype), helpers.targets(5, 2, "mean_squared_error")
    (W, b), (V, c) = helpers.parameters(net)
    hidden, backward = dense(W, b, x.astype(np.float64))
    output, backward_of_output = dense(V, c, hidden)
    assert helpers.relative_error(net.predict(x), output) < 100 * helpers.TOLERANCE[dtype]
    _, _, delta = backward_of_output(2 * (output - y) / y.size)
    (dW, db), _ = net.gradients(x, y, loss="mean_squared_error")
    assert helpers.relative_error(dW, backward(delta)[0]) < 100 * helpers.TOLERANCE[dtype]
    assert helpers.relative_error(db, backward(delta)[1]) < 100 * helpers.TOLERANCE[dtype]


def test_a_curve_of_one_input():
    x = np.linspace(-1, 1, 32)[:, None]
    net = Network.mlp([1, 600, 1], activation="tanh", seed=0)
    (W, b), (V, c) = helpers.parameters(net)
    hidden = np.tanh(x @ W + b)
    delta = 2 * (hidden @ V + c - x) / len(x) @ V.T * (1 - hidden**2)
    (dW, db), _ = net.gradients(x, x)
    assert np.abs(dW).max() == pytest.approx(0.0655, abs=5e-5)
    np.testing.assert_allclose(dW, x.T @ delta, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(db, delta.sum(axis=0), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [1, 2, 33, 1100])
@pytest.mark.parametrize("units", [1, 2, 600])
def test_branches_of_one_column(units, rows, dtype):
    """Concatenated: one input goes to one unit and to many, and one unit takes all."""
    branches = Concatenate([[Dense(1)], [Dense(units)]])
    net = Network([Input(1), branches, Dense(1)], seed=1, dtype=dtype)
    x, y = helpers.inputs(rows, 1, dtype), helpers.targets(rows, 1, "mean_squared_error")
    layers = [*(branch[0] for branch in net.layers[0].branches), net.layers[1]]
    (W, b), (V, c), (U, d) = ((layer.weights.astype(np.float64), layer.biases) for layer in layers)
    both, backward = dense(np.concatenate([W, V], axis=1), np.concatenate([b, c]), x.astype(np.float64))
    output, backward_of_output = dense(U, d, both)
    assert helpers.relative_error(net.predict(x), output) < 4 * helpers.TOLERANCE[dtype]
    dU, dd, delta = backward_of_output(2 * (output - y) / y.size)
    dWV, dbc, _ = backward(delta)
    expected = [(dWV[:, :1], dbc[:1]), (dWV[:, 1:], dbc[1:]), (dU, dd)]
    for found, wanted in zip(net.gradients(x, y, loss="mean_squared_error"), expected, strict=True):
        for one, other in zip(found, wanted, strict=True):
            assert helpers.relative_error(one, other) < 20 * helpers.TOLERANCE[dtype]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [1, 2, 129])
@pytest.mark.parametrize(("size", "units", "outputs"), [(1, 1, 1), (1, 600, 1), (3, 1, 600), (600, 1, 1)])
def test_embeddings_of_one_category_or_one_number(size, units, outputs, rows, dtype):
    net = Network([Input(1), Embedding(size, units), Dense(outputs)], seed=1, dtype=dtype)
    x = np.arange(rows)[:, None] % size
    y = helpers.targets(rows, outputs, "mean_squared_error")
    table, W, b = (array.astype(np.float64) for _, array in cynn.layers.arrays(net.layers))
    output, backward = dense(W, b, table[x[:, 0]])
    assert helpers.relative_error(net.predict(x), output) < 4 * helpers.TOLERANCE[dtype]
    dW, db, delta = backward(2 * (output - y) / y.size)
    expected = np.zeros_like(table)
    np.add.at(expected, x[:, 0], delta)
    (found,), (found_dW, found_db) = net.gradients(x, y, loss="mean_squared_error")
    for one, other in [(found, expected), (found_dW, dW), (found_db, db)]:
        assert helpers.relative_error(one, other) < 20 * helpers.TOLERANCE[dtype]


@pytest.mark.parametrize("units", [1, 600])
def test_any_number_of_threads_gives_the_same_bits(units):
    x = np.linspace(-1, 1, 2000)[:, None]
    digests = set()
    for n_threads in (1, 2, 3):
        net = Network([Input(1), Dense(units, "tanh"), Dense(900, "tanh"), Dense(1)], seed=0)
        net.fit(
            x, x**2, optimizer=cynn.optimizers.Adam(), epochs=1, batch_size=200, n_threads=n_threads, progress=False
        )
        digests.add(helpers.digest(net))
    assert len(digests) == 1
