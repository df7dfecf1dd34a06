"""Layers whose methods are Python, over NumPy arrays of a batch."""

import copy
import pickle
import traceback

import numpy as np
import pytest
from helpers import same_weights

import cynn
from cynn import Dense, Dropout, Input, Network
from cynn.errors import CheckpointError, InvalidParameterError, PluginError, ShapeError
from cynn.layers import Layer, Parameter
from cynn.optimizers import SGD, Adam, AdamW

X, Y = np.random.default_rng(0).normal(size=(2, 40, 3))


class Factors(Layer):
    """a = x times a factor for every column."""

    name = "factors"
    factors = Parameter(("inputs",), initializer={"name": "constant", "value": 2})

    def forward(self, x, parameters):
        return x * parameters["factors"]

    def backward(self, x, parameters, a, grad):
        return grad * parameters["factors"], {"factors": (grad * x).sum(axis=0)}


class Affine(Layer):
    """As Dense."""

    name = "affine_in_python"
    weights = Parameter(("inputs", "units"))
    biases = Parameter(("units",))

    def __init__(self, units, *, trainable=True, learning_rate_factor=1.0):
        super().__init__(trainable=trainable, learning_rate_factor=learning_rate_factor)
        self.units = units

    def forward(self, x, parameters):
        return x @ parameters["weights"] + parameters["biases"]

    def backward(self, x, parameters, a, grad):
        return grad @ parameters["weights"].T, {"weights": x.T @ grad, "biases": grad.sum(axis=0)}


class Squared(Layer):
    """a = x², and x beside it: twice the columns, no parameters."""

    name = "squared_beside"

    def units_of(self, inputs):
        return 2 * inputs

    def forward(self, x, parameters):
        return np.concatenate([x, x**2], axis=1)

    def backward(self, x, parameters, a, grad):
        n = x.shape[1]
        return grad[:, :n] + 2 * x * grad[:, n:], {}


@pytest.fixture(autouse=True)
def registered():
    for cls in (Factors, Affine, Squared):
        if cls.name not in cynn.registry.layers.names():
            cynn.registry.layers.register(cls)


def network(*layers, dtype="float64", **options):
    return Network([Input(3), Dense(4, "tanh"), *layers, Dense(3)], seed=0, dtype=dtype, **options)


def fitted(net, optimizer=None, epochs=2, **options):
    options = {"batch_size": 10, "progress": False, **options}
    net.fit(X, Y, optimizer=optimizer or Adam(), epochs=epochs, **options)
    return net


class TestWhatItComputes:
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_that_of_the_compiled_layer(self, dtype):
        """Also the start of its weights: they have the same numbers."""
        nets = network(Affine(5), Dropout(0.2), dtype=dtype), network(Dense(5), Dropout(0.2), dtype=dtype)
        same_weights(*nets)
        tolerance = {"rtol": 1e-4, "atol": 1e-5} if dtype == "float32" else {"rtol": 1e-9}
        np.testing.assert_allclose(nets[0].predict(X), nets[1].predict(X), **tolerance)
        for pair, expected in zip(nets[0].gradients(X, Y), nets[1].gradients(X, Y), strict=True):
            for gradient, other in zip(pair, expected, strict=True):
                np.testing.assert_allclose(gradient, other, **tolerance)
        for net in nets:
            fitted(net, AdamW(0.01, weight_decay=0.1, decay_biases=False), n_threads=2)
        for a, b in zip(nets[0].get_weights(), nets[1].get_weights(), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-2 if dtype == "float32" else 1e-6, atol=1e-4)

    @pytest.mark.parametrize("layers", [[Factors()], [Squared()], [Affine(2)], [Factors(), Squared(), Affine(6)]])
    def test_its_gradients(self, layers):
        net = network(*layers)
        found = [gradient for pair in net.gradients(X, Y) for gradient in pair if gradient is not None]
        arrays = [array for _, array in cynn.layers.arrays(net.layers)]
        for array, gradient in zip(arrays, found, strict=True):
            for place in np.ndindex(array.shape):
                before = array[place]
                losses = []
                for step in (1e-6, -1e-6):
                    array[place] = before + step
                    losses.append(net.evaluate(X, Y)["loss"])
                array[place] = before
                assert gradient[place] == pytest.approx((losses[0] - losses[1]) / 2e-6, rel=1e-5, abs=1e-8)

    def test_shapes_and_starts(self):
        net = network(Factors(), Squared(), Affine(6))
        assert [layer.units for layer in net.layers] == [4, 4, 8, 6, 3]
        assert net.layers[1].factors.tolist() == [2, 2, 2, 2]
        assert net.layers[3].weights.shape == (8, 6)
        assert net.layers[3].biases.tolist() == [0] * 6
        assert net.parameter_count == 16 + 4 + 54 + 21
        assert Factors().get_config() == {"layer": "factors", "trainable": True}

    @pytest.mark.parametrize("n_threads", [1, 2])
    def test_first_and_last_in_large_batches(self, n_threads):
        x = np.random.default_rng(1).normal(size=(700, 3))
        net = Network([Input(3), Squared(), Affine(4)], seed=0)
        net.fit(x, x @ np.ones((3, 4)), optimizer=SGD(0.01), batch_size=300, epochs=2, n_threads=n_threads)
        again = Network([Input(3), Squared(), Dense(4)], seed=0)
        again.fit(x, x @ np.ones((3, 4)), optimizer=SGD(0.01), batch_size=300, epochs=2)
        np.testing.assert_allclose(net.predict(x), again.predict(x), rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(net.predict(x[0]), net.predict(x)[0], rtol=1e-6)

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("rows", [1, 3, 1031])
    def test_the_first_one_sees_rows_that_need_no_conversion(self, dtype, rows):
        x = np.random.default_rng(1).normal(size=(rows, 129)).astype(dtype)
        net = Network([Input(129), Factors(), Factors()], seed=0, dtype=dtype)
        for given in (x, 3 * x):
            np.testing.assert_array_equal(net.predict(given), 4 * given)

    def test_what_it_does_not_train(self):
        net = fitted(network(Affine(2, trainable=False)), SGD(0.1))
        np.testing.assert_array_equal(net.layers[1].weights, network(Affine(2)).layers[1].weights)
        assert net.gradients(X, Y)[1] == (None, None)

    def test_factors_of_the_rate(self):
        steps = []
        for factor in (1, 0.25):
            net = network(Affine(2, learning_rate_factor=factor))
            before = net.layers[1].weights.copy()
            net.train_batch(X, Y, optimizer=SGD(0.1))
            steps.append(net.layers[1].weights - before)
        np.testing.assert_allclose(steps[1], 0.25 * steps[0], rtol=1e-9)

    def test_arrays_are_read_only(self):
        seen = {}

        class Writing(Factors):
            def backward(self, x, parameters, a, grad):
                for name, array in {"x": x, "a": a, **parameters}.items():
                    seen[name] = array.flags.writeable
                grad[...] = 0
                return grad, {"factors": np.zeros(4)}

        network(Writing()).gradients(X, Y)
        assert seen == {"x": False, "a": False, "factors": False}


class TestItsWays:
    def test_saved_loaded_pickled_and_copied(self, tmp_path):
        net = fitted(network(Factors(), Affine(5)))
        net.save(tmp_path / "net.safetensors")
        for same in (cynn.load(tmp_path / "net.safetensors"), pickle.loads(pickle.dumps(net)), copy.deepcopy(net)):
            assert isinstance(same.layers[1], Factors)
            np.testing.assert_array_equal(same.predict(X), net.predict(X))
            same_weights(same, net)

    def test_a_training_goes_on(self, tmp_path):
        path = str(tmp_path / "checkpoint.safetensors")
        fitted(network(Factors()), epochs=2, callbacks=[cynn.callbacks.Checkpoint(path)])
        same_weights(fitted(network(Factors()), epochs=4, resume=path), fitted(network(Factors()), epochs=4))
        with pytest.raises((CheckpointError, InvalidParameterError)):
            fitted(network(Squared()), epochs=4, resume=path)

    def test_by_name_and_within_others(self):
        net = Network.from_config(network(cynn.Residual([Factors()])).get_config())
        assert isinstance(net.layers[1].layers[0], Factors)
        fitted(net)
        assert not np.array_equal(net.layers[1].layers[0].factors, [2, 2, 2, 2])
        assert isinstance(cynn.registry.layers.get("factors"), Factors)

    def test_batches_one_by_one(self):
        net = network(Factors())
        net.fit([(X[:20], Y[:20]), (X[20:], Y[20:])], epochs=2)
        net.diagnose(X, Y)
        assert [a.shape[1] for a in net.activations(X)] == [3, 4, 4, 3]


class Failing(Factors):
    """Raises, or returns what it must not."""

    name = "failing"

    def __init__(self, where, what):
        super().__init__()
        self.where, self.what = where, what

    def forward(self, x, parameters):
        return self.what() if self.where == "forward" else super().forward(x, parameters)

    def backward(self, x, parameters, a, grad):
        return self.what() if self.where == "backward" else super().backward(x, parameters, a, grad)


def raising():
    raise RuntimeError("the cause")


class TestWhatIsWrong:
    @pytest.mark.parametrize("where", ["forward", "backward"])
    @pytest.mark.parametrize("call", [fitted, lambda net: net.train_batch(X, Y), lambda net: net.gradients(X, Y)])
    def test_what_it_raises_reaches_the_caller(self, where, call):
        net = network(Failing(where, raising))
        before = net.get_weights()
        with pytest.raises(PluginError, match=r"layer 'failing' .*RuntimeError: the cause") as caught:
            call(net)
        assert isinstance(caught.value.__cause__, RuntimeError)
        assert "raising" in "".join(traceback.format_exception(caught.value))
        for array, old in zip(net.get_weights(), before, strict=True):
            np.testing.assert_array_equal(array, old)

    def test_in_a_prediction(self):
        net = network(Failing("forward", raising))
        for x in (X, X[0]):
            with pytest.raises(PluginError, match="the cause"):
                net.predict(x)

    def test_an_interrupt_stays_one(self):
        def interrupt():
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fitted(network(Failing("backward", interrupt)))

    @pytest.mark.parametrize(
        ("where", "returned", "words"),
        [
            ("forward", np.zeros((3, 9)), r"forward must return an array of shape \(10, 4\)"),
            ("forward", None, "forward must return an array"),
            ("backward", np.zeros((10, 4)), "backward must return a tuple of dC/dx and a dict"),
            ("backward", (np.zeros((10, 4)), {}), r"must return the gradients of \['factors'\]. Got \[\]"),
            ("backward", (np.zeros((10, 5)), {"factors": np.zeros(4)}), "dC/dx must be an array of shape"),
            ("backward", (np.zeros((10, 4)), {"factors": 0.0}), "the gradient of factors must be an array of shape"),
        ],
    )
    def test_what_it_must_not_return(self, where, returned, words):
        with pytest.raises(PluginError, match=words):
            fitted(network(Failing(where, lambda: returned)))

    @pytest.mark.parametrize("shape", [(), ("inputs", "missing", 2), ("depth",), (0,), (2.5,)])
    def test_a_shape_that_is_none(self, shape):
        class Odd(Factors):
            factors = Parameter(shape)

        with pytest.raises(ShapeError, match="shape of factors of Odd must be whole numbers from 1 to"):
            network(Odd())

    def test_one_without_methods(self):
        class Nothing(Layer):
            name = "nothing"

        class Half(Layer):
            name = "half"

            def forward(self, x, parameters):
                return x

        with pytest.raises(NotImplementedError, match="Nothing must define build, or forward and backward"):
            network(Nothing())
        with pytest.raises(PluginError, match="Half must define backward"):
            fitted(network(Half()))

    def test_several_inputs(self):
        x = Input(3)
        with pytest.raises(ShapeError, match=r"must be called on 1 input\. Got 2"):
            Network(Factors()(x, Dense(3)(x)))
