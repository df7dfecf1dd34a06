"""`Network.diagnose`: what it finds in networks made sick on purpose."""

import helpers
import numpy as np
import pytest

from cynn import BatchNorm, Concatenate, Dense, Dropout, Input, LayerNorm, Maxout, Network, PReLU, Residual
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


def test_a_unit_is_dead_where_it_passes_back_less_than_a_hundredth():
    net = network("sigmoid")
    net.layers[0].weights[...] = 0
    net.layers[0].biases = [0, 4.5, 4.7, -4.5, -4.7, 9]  # the slope at 4.6 is 0.01
    assert net.diagnose(X, Y)[0].dead == 0.5


def test_outputs_that_never_change_are_dead_in_layers_without_an_activation():
    net = Network([Input(4), LayerNorm(), Maxout(4), Dense(4)], seed=0)
    net.layers[0].gamma[:1], net.layers[0].beta[:1] = 0, 3
    net.layers[1].weights[:, [0, 1, 2, 4, 5, 6]] = 0
    assert [one.dead for one in net.diagnose(X, Y)] == [0.25, 0.75, 0]


def test_units_of_a_branch_see_what_the_branch_takes():
    x = Input(4)
    first, second = Dense(4, "relu")(x), Dense(4, "relu")(x)
    net = Network(Dense(4)(Concatenate()(first, second)), seed=0)
    net.layers[0].biases[...] = -999
    net.layers[1].weights[...], net.layers[1].biases[...] = -1, 0.5
    assert [one.dead for one in net.diagnose(np.abs(X) + 1, Y)[:2]] == [1, 1]


def test_parameters_that_are_all_zero_have_no_ratio():
    found = Network([Input(4), PReLU(0.0), Dense(4)], seed=0).diagnose(X, Y)[0]
    assert found.gradient > 0
    assert np.isnan(found.update)


def test_a_step_is_taken_whatever_the_accumulation():
    plain, several = (
        network().diagnose(X, Y, optimizer=SGD(0.1, gradient_accumulation_steps=n))[0].update for n in (1, 4)
    )
    assert plain == several > 0


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
    class Turned(Activation):
        """a = -z / 2"""

        name = "turned"

        def forward(self, z):
            return -z / 2

        def backward(self, z, a, grad):
            return -grad / 2

    assert network(Turned()).diagnose(X, Y)[0].dead == 0
