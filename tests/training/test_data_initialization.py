"""Weights and biases that start from data."""

import numpy as np
import pytest

import cynn
from cynn import BatchNorm, Dense, Dropout, Input, Network
from cynn.errors import BusyError, DataError, ShapeError

X = np.random.default_rng(0).normal(50, 10, size=(500, 4)) * [1, 10, 0.1, 1]


def network(dtype="float64", seed=0):
    layers = [Dense(60, "relu"), Dropout(0.5), BatchNorm(), cynn.GLU(20), Dense(30, "tanh", use_bias=False), Dense(2)]
    return Network([Input(4), *layers], seed=seed, dtype=dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_layer_has_outputs_of_deviation_1(dtype):
    net, before = network(dtype), network(dtype)
    net.initialize_from(X)
    a = net.activations(X)
    for number, layer in enumerate(net.layers):
        if not isinstance(layer, Dense):
            continue
        z = a[number].astype(np.float64) @ layer.weights
        np.testing.assert_allclose(z.std(axis=0), 1, rtol=1e-3 if dtype == "float32" else 1e-9)
        ratio = layer.weights / before.layers[number].weights
        np.testing.assert_allclose(ratio, np.broadcast_to(ratio[:1], ratio.shape), rtol=1e-4)  # a factor a column
        assert (ratio > 0).all()


def test_each_unit_is_at_0_among_the_rows():
    net = network()
    net.initialize_from(X)
    layer = net.layers[0]
    z = X @ layer.weights + layer.biases
    assert (z.min(axis=0) < 0).all()
    assert (z.max(axis=0) > 0).all()
    assert np.abs(z.mean(axis=0)).max() < 2.5
    # a mean of five with random weights: closer to the middle than single rows, and not all in it
    assert 0.3 < np.std(z.mean(axis=0)) < 0.8


def test_the_seed_decides():
    nets = [network(seed=seed) for seed in (1, 1, 2)]
    for net, n_threads in zip(nets, (1, 2, 1), strict=True):
        net.initialize_from(X, n_threads=n_threads)
    first, same, other = (net.get_weights() for net in nets)
    for a, b in zip(first, same, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first[1], other[1])


def test_what_is_not_trained_stays():
    net = Network([Input(4), Dense(5, trainable=False), Dense(2)], seed=0)
    before = net.get_weights()
    net.initialize_from(X)
    np.testing.assert_array_equal(net.get_weights()[0], before[0])
    assert not np.array_equal(net.get_weights()[2], before[2])


def test_columns_that_say_nothing():
    net = Network([Input(2), Dense(3, "relu")], seed=0)
    net.initialize_from([[2.0, 3.0]] * 5)
    assert all(np.isfinite(array).all() for array in net.get_weights())
    np.testing.assert_allclose(net.predict([2.0, 3.0]), 0, atol=1e-6)


@pytest.mark.parametrize(
    ("x", "error"),
    [(X[:1], ShapeError), (X[:, :3], ShapeError), ([[np.nan] * 4] * 2, DataError), (X * 1e304, DataError)],
)
def test_what_it_cannot_start_from(x, error):
    net = network()
    before = net.get_weights()
    with pytest.raises(error):
        net.initialize_from(x)
    for a, b in zip(net.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_while_it_is_trained():
    class Calling(cynn.callbacks.Callback):
        def on_epoch_end(self, epoch, logs):
            with pytest.raises(BusyError, match="initialize_from"):
                self.network.initialize_from(X)

    net = network()
    calling = Calling()
    calling.network = net
    net.fit(X, X[:, :2], epochs=1, callbacks=[calling])
