"""`Network.diagnose`: what it finds in networks made sick on purpose."""

import helpers
import numpy as np
import pytest

from cynn import BatchNorm, Concatenate, Dense, Dropout, Input, Network, Residual
from cynn.activations import Activation
from cynn.optimizers import SGD

X, Y = np.random.default_rng(0).normal(size=(2, 50, 4))


def network(activation="tanh", **options):
    return Network([Input(4), Dense(6, activation), Dense(4)], seed=0, dtype="float64", **options)


def test_the_figures():
    net = network()
    found = net.diagnose(X, Y, optimizer=SGD(learning_rate=0.1))
    a = net.activations(X)
    gradients = net.gradients(X, Y)
    assert [one.layer for one in found] == ["0 dense", "1 dense"]
    for one, outputs, layer, of_layer in zip(found, a[1:], net.layers, gradients, strict=True):
        assert one.mean == pytest.approx(outputs.mean())
        assert one.spread == pytest.approx(outputs.std())
        norm = np.sqrt(sum(np.square(g).sum() for g in of_layer))
        assert one.gradient == pytest.approx(norm)
        size = np.sqrt(np.square(layer.weights).sum() + np.square(layer.biases).sum())
        assert one.update == pytest.approx(0.1 * norm / size)
        assert one.dead == 0


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
def test_dead_and_saturated_units(activation):
    net = network(activation)
    net.layers[0].biases = [0, 0, -99, -99, -99, 0]
    assert net.diagnose(X, Y)[0].dead == 0.5


def test_softmax_is_not_dead():
    net = network("softmax")
    assert net.diagnose(X, Y)[0].dead == 0


def test_vanishing_gradients():
    net = Network([Input(4), *[Dense(4, "sigmoid") for _ in range(8)]], seed=0)
    gradients = [one.gradient for one in net.diagnose(X, Y, loss="mse")]
    assert gradients == sorted(gradients)
    assert gradients[0] < 1e-4 * gradients[-1]


def test_nothing_is_changed():
    net = network()
    net.fit(X, Y, epochs=2, progress=False)
    before, t = helpers.digest(net), net._optimizer_state.t
    net.diagnose(X, Y)
    assert (helpers.digest(net), net._optimizer_state.t) == (before, t)


def test_layers_of_every_kind():
    layers = [
        Input(4), Dense(6, trainable=False), BatchNorm(), Dropout(0.5), Residual([Dense(6, "relu"), Dense(6)]),
        Concatenate([[Dense(3)], []]), Dense(4),
    ]  # fmt: skip
    found = Network(layers, seed=0).diagnose(X, Y)
    assert np.isnan(found[0].gradient)
    assert np.isnan(found[2].update)
    assert all(np.isfinite(found[k].gradient) for k in (1, 3, 4, 5))
    lines = repr(found).splitlines()
    assert lines[0].split() == ["layer", "mean", "spread", "dead", "gradient", "update"]
    assert len(lines) == 2 + 6
    assert len({len(line) for line in lines[:2]}) == 1


def test_an_activation_in_python():
    class Half(Activation):
        """a = z / 2"""

        name = "half"

        def forward(self, z):
            return z / 2

        def backward(self, z, a, grad):
            return grad / 2

    assert network(Half()).diagnose(X, Y)[0].dead == 0
