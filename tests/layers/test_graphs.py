"""Networks that are no chain: branches, ways around, values that several layers take."""

import copy

import helpers
import numpy as np
import pytest

import cynn
from cynn import Activation, Add, Concatenate, Dense, Input, Network, Residual
from cynn.errors import InvalidParameterError, ShapeError

X, Y = np.random.default_rng(0).normal(size=(2, 40, 3))


def residual(dtype="float64"):
    return Network(
        [Input(3), Dense(4, "tanh"), Residual([Dense(4, "sigmoid"), Dense(4)]), Activation("tanh"), Dense(3)],
        seed=1,
        dtype=dtype,
    )


def branches(dtype="float64"):
    """Branches of different depth, one of them empty, one within another."""
    inner = Concatenate([[Dense(2, "tanh")], [Dense(3, "sigmoid"), Dense(1)], []])
    return Network(
        [Input(3), Add([[Dense(5, "tanh"), inner, Dense(4)], [Dense(4, "softmax")]]), Dense(3)],
        seed=2,
        dtype=dtype,
    )


def shared(dtype="float64"):
    """One value that three layers take, one of them the last."""
    x = Input(3)
    h = Dense(4, "tanh")(x)
    a, b = Dense(4, "sigmoid")(h), Activation("relu")(h)
    return Network(Dense(3)(Concatenate()(Add()(a, b, h), h, x)), seed=3, dtype=dtype)


def identity_at_the_end(dtype="float64"):
    return Network([Input(3), Dense(3), Residual([]), Activation("identity")], seed=4, dtype=dtype)


NETWORKS = [residual, branches, shared, identity_at_the_end]


@pytest.mark.parametrize("make", NETWORKS)
@pytest.mark.parametrize("loss", ["mean_squared_error", "mean_absolute_error"])
def test_gradients(make, loss):
    net = make()
    gradients = net.gradients(X, Y, loss=loss)
    layers = [layer for layer in cynn.layers.walk(net.layers) if layer.parameters]
    assert len(layers) == len(gradients)
    for layer, found in zip(layers, gradients, strict=True):
        for parameter, gradient in zip(layer.parameters.values(), found, strict=True):
            for index in np.ndindex(parameter.shape):
                before, h = parameter[index], 1e-6
                parameter[index] = before + h
                above = net.evaluate(X, Y, loss=loss)["loss"]
                parameter[index] = before - h
                below = net.evaluate(X, Y, loss=loss)["loss"]
                parameter[index] = before
                assert gradient[index] == pytest.approx((above - below) / (2 * h), rel=1e-6, abs=1e-8)


def test_residual_is_x_plus_f():
    net = residual()
    _, first, around, *_ = net.activations(X)
    f = net.layers[1].layers
    z = 1 / (1 + np.exp(-(first @ f[0].weights + f[0].biases))) @ f[1].weights + f[1].biases
    np.testing.assert_allclose(around, first + z, rtol=1e-12)


@pytest.mark.parametrize("make", NETWORKS)
def test_the_same_bits_at_any_number_of_threads(make):
    digests = set()
    for n_threads in (1, 2, 3, 4, 16):
        net = make("float32")
        big = np.tile(X, (2000, 1)).astype(np.float32)
        net.fit(big, big, epochs=1, batch_size=40_000, n_threads=n_threads, progress=False)
        digests.add(helpers.digest(net))
    assert len(digests) == 1


@pytest.mark.parametrize("make", NETWORKS)
def test_copies_and_files(make, tmp_path):
    net = make()
    net.fit(X, Y, epochs=2, progress=False)
    net.save(tmp_path / "net.safetensors")
    for again in (cynn.load(tmp_path / "net.safetensors"), copy.deepcopy(net)):
        assert again.parameter_count == net.parameter_count
        np.testing.assert_array_equal(again.predict(X), net.predict(X))
    fresh = Network.from_config(net.get_config())
    np.testing.assert_array_equal(fresh.predict(X), make().predict(X))


def test_rows_one_at_a_time():
    net = shared()
    np.testing.assert_allclose([net.predict(x) for x in X], net.predict(X), rtol=1e-12)


def test_activations_of_values_that_are_written_over():
    net = Network([Input(3), Dense(3), Activation("relu"), Activation("relu")], seed=0)
    _, z, a, again = net.activations(X)
    assert (z < 0).any()
    np.testing.assert_array_equal(a, np.maximum(z, 0))
    np.testing.assert_array_equal(again, a)


def test_a_layer_that_is_not_trained():
    net = Network([Input(3), Dense(4, "tanh", trainable=False), Dense(4, "tanh", use_bias=False), Dense(3)], seed=0)
    before = net.layers[0].weights.copy()
    moved = net.layers[1].weights.copy()
    net.fit(X, Y, epochs=2, progress=False)
    np.testing.assert_array_equal(net.layers[0].weights, before)
    assert (net.layers[1].weights != moved).all()
    assert net.layers[1].biases is None
    assert net.parameter_count == (3 + 1) * 4 + 4 * 4 + (4 + 1) * 3
    assert net.gradients(X, Y)[0] == (None, None)


class TestWhatCannotBe:
    def test_widths_that_differ(self):
        with pytest.raises(ShapeError, match=r"In layer 0, Residual.*as many columns as they take, 3\. Got 4"):
            Network([Input(3), Residual([Dense(4)])])
        with pytest.raises(ShapeError, match=r"equal numbers of columns\. Got \[4, 3\]"):
            Network([Input(3), Add([[Dense(4)], []])])

    def test_several_inputs(self):
        with pytest.raises(ShapeError, match=r"called on 1 input\. Got 2"):
            Network(Dense(3)(*two()))
        with pytest.raises(InvalidParameterError, match=r"begin at one Input.*Got 2"):
            Network(Concatenate()(Input(3), Input(3)))

    @pytest.mark.parametrize("thing", [3, "relu", None, Dense(3)])
    def test_called_on_what_is_no_layer(self, thing):
        with pytest.raises(InvalidParameterError, match="must be called on an Input or on what calling"):
            Network(Dense(3)(thing))

    def test_called_on_nothing(self):
        with pytest.raises(InvalidParameterError, match="must be called on something"):
            Dense(3)()

    @pytest.mark.parametrize("branches", [[], [3], 3, ["relu"]])
    def test_branches(self, branches):
        with pytest.raises(InvalidParameterError, match="Concatenate must"):
            Concatenate(branches)

    @pytest.mark.parametrize("sources", [3, [[0]], [[0], [2]], [[0], []], [[0], [-1]], [[0], ["0"]]])
    def test_sources(self, sources):
        with pytest.raises(InvalidParameterError, match="numbers of earlier values"):
            Network([Input(3), Dense(2), Dense(2)], sources=sources)

    def test_an_output_that_no_layer_takes(self):
        layers = [Input(3), Dense(2), Activation("softmax"), Dense(4)]
        with pytest.raises(InvalidParameterError, match=r"Got layer 1, Activation.*neither"):
            Network(layers, sources=[[0], [1], [1]])

    @pytest.mark.parametrize("layers", [3, None, [], [Input(3)], [Dense(3)], [Input(3), 3], [3, Dense(3)]])
    def test_layers(self, layers):
        with pytest.raises(InvalidParameterError, match="a list of an Input and one or more layers"):
            Network(layers)


def two():
    x = Input(3)
    return x, Dense(2)(x)
