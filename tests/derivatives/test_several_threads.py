"""Derivatives in several threads of Python at the same time, and beside a training."""

import threading
from concurrent.futures import ThreadPoolExecutor

import helpers
import numpy as np

import cynn


def test_calls_in_several_threads():
    """Each has the result that it has alone: no two calls share buffers."""
    net = helpers.network([8, 40, 3], ["tanh", "tanh"])
    rows, vectors = helpers.inputs(600, 8), helpers.inputs(600, 3)
    expected_jacobian, expected = net.jacobian(rows), net.vjp(rows, vectors)

    def calls(seed):
        for n in np.random.default_rng(seed).integers(1, 600, size=40):
            np.testing.assert_allclose(net.jacobian(rows[:n]), expected_jacobian[:n], rtol=1e-11, atol=1e-14)
            np.testing.assert_allclose(net.vjp(rows[:n], vectors[:n]), expected[:n], rtol=1e-11, atol=1e-14)
            assert net.vjp(rows[0], vectors[0], weights=True)[0].shape == (8,)
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(calls, range(4)))


def test_beside_a_training():
    """As predictions: with the weights of that moment, and without harm to the training."""
    nets = [cynn.Network.mlp([8, 30, 3], activation="tanh", seed=0) for _ in range(2)]
    x, y = helpers.inputs(400, 8, "float32"), helpers.inputs(400, 3, "float32")
    nets[1].fit(x, y, epochs=15, progress=False)
    done = threading.Event()

    def train():
        nets[0].fit(x, y, epochs=15, progress=False)
        done.set()

    thread = threading.Thread(target=train)
    thread.start()
    while not done.is_set():
        assert np.isfinite(nets[0].jacobian(x[:50])).all()
        assert np.isfinite(nets[0].vjp(x, y, weights=True)[0]).all()
    thread.join()
    helpers.same_weights(*nets)
