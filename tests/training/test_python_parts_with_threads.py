"""Methods in Python in networks that train on several threads."""

import time

import derived
import helpers
import numpy as np
import pytest

import cynn
from cynn import Dense, Input, Network


class Quartic(cynn.losses.Loss):
    """(prediction - target)⁴, in Python."""

    name = "quartic_on_threads"

    def value_and_gradient(self, prediction, target):
        difference = prediction - target
        return (difference**4).sum(axis=1), 4 * difference**3


def of_activation(width=200):
    return [Input(300), Dense(width), cynn.Activation(derived.Cubed()), Dense(width, "tanh"), Dense(3)]


def of_layer(width=200):
    return [Input(300), Dense(width, "tanh"), derived.Scaled(), Dense(width, "tanh"), Dense(3)]


def of_a_wide_layer():
    return [Input(700), Dense(700, derived.Cubed()), cynn.BatchNorm(), Dense(700, "tanh"), Dense(3)]


LAYERS = {"activation": of_activation, "layer": of_layer, "wide": of_a_wide_layer, "none": lambda: [
    Input(300), Dense(200, "tanh"), Dense(200, "tanh"), Dense(3)
]}  # fmt: skip


def trained(layers, loss, n_threads, dtype="float32", **options):
    given = layers()
    net = Network(given, seed=1, dtype=dtype)
    x = helpers.inputs(700, given[0].units, dtype)
    y = helpers.inputs(700, 3, dtype, seed=1)
    options = {"epochs": 2, "batch_size": 256, "optimizer": cynn.optimizers.SGD(0.001)} | options
    history = net.fit(x, y, loss=loss, n_threads=n_threads, progress=False, **options)
    return [*net.get_weights(), net.predict(x, n_threads=n_threads), np.array(history["loss"])]


@pytest.mark.parametrize("loss", ["mse", Quartic()])
@pytest.mark.parametrize("name", LAYERS)
def test_the_same_bits_on_any_number_of_threads(name, loss):
    one = trained(LAYERS[name], loss, 1)
    for n_threads in (2, 5):
        for a, b in zip(one, trained(LAYERS[name], loss, n_threads), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("loss", ["mse", Quartic()])
@pytest.mark.parametrize("name", sorted(LAYERS.keys() - {"wide"}))  # whose BatchNorm takes statistics of a batch
def test_tiles_do_what_the_whole_batch_does(name, loss):
    """Batches of 32 rows are one tile. Four of them accumulated are a batch of 128, but for the order of additions."""
    accumulating = cynn.optimizers.SGD(0.001, gradient_accumulation_steps=4)
    small = trained(LAYERS[name], loss, 2, "float64", batch_size=32, optimizer=accumulating)
    large = trained(LAYERS[name], loss, 2, "float64", batch_size=128)
    for a, b in zip(small, large, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("what", ["fit", "predict"])
@pytest.mark.skipif(not hasattr(time, "thread_time"), reason="this system has no clock per thread")
def test_a_second_thread_takes_part(what):
    net = Network(of_activation(600), seed=0)
    x, y = helpers.inputs(1024, 300, "float32"), helpers.inputs(1024, 3, "float32", seed=1)
    calls = {
        "fit": lambda n: net.fit(x, y, loss="mse", batch_size=256, epochs=3, n_threads=n, progress=False),
        "predict": lambda n: [net.predict(x, n_threads=n) for _ in range(6)],
    }
    shares = {}
    for n_threads in (1, 2):
        begin, own = time.process_time(), time.thread_time()
        calls[what](n_threads)
        shares[n_threads] = (time.thread_time() - own) / (time.process_time() - begin)
    assert shares[1] > 0.9 > shares[2], shares


class Raises(cynn.activations.Activation):
    """An error in the third call of a method."""

    name = "raises_in_the_third_call"
    calls = 0

    def forward(self, z):
        Raises.calls += 1
        if Raises.calls == 3:
            raise RuntimeError("no more")
        return z

    def backward(self, z, a, grad):
        return grad


@pytest.mark.parametrize("what", ["fit", "predict"])
def test_an_error_reaches_the_caller_and_nothing_is_lost(what):
    net = Network([Input(300), Dense(600), cynn.Activation(Raises()), Dense(3)], seed=0)
    x, y = helpers.inputs(1024, 300, "float32"), helpers.inputs(1024, 3, "float32", seed=1)
    Raises.calls = 0
    with pytest.raises(cynn.errors.PluginError, match="no more"):
        if what == "fit":
            net.fit(x, y, loss="mse", batch_size=256, n_threads=2, progress=False)
        else:
            net.predict(x, n_threads=2)
    assert np.isfinite(net.predict(x, n_threads=2)).all()
