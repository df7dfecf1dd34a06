"""Stochastic weight averaging, and batch normalization's moving averages computed anew."""

import helpers
import numpy as np
import pytest

import cynn
from cynn import BatchNorm, Dense, Dropout, Input, Network
from cynn.callbacks import Callback, StochasticWeightAveraging
from cynn.data import inputs
from cynn.errors import InvalidParameterError, ShapeError
from cynn.optimizers import SGD, Adam

X, Y = helpers.blobs(90)


def normalized(dtype="float64"):
    layers = [BatchNorm(), Dense(6, "tanh"), BatchNorm(), Dropout(0.5), Dense(4, "relu"), BatchNorm(0.5)]
    return Network([Input(2, scale=2.0), *layers, Dense(3, "softmax")], seed=1, dtype=dtype)


class Keep(Callback):
    """The weights at the end of every epoch."""

    def on_train_begin(self):
        self.weights = []

    def on_epoch_end(self, epoch, logs):
        self.weights.append(self.network.get_weights())


def fit(net, *callbacks, epochs=6, x=X, y=Y, **options):
    options = {"optimizer": SGD(0.5), "batch_size": 30, "progress": False, **options}
    net.fit(x, y, epochs=epochs, callbacks=list(callbacks), **options)
    return net


def expected_averages(net, x):
    """By NumPy: the mean and the variance of what each batch normalization takes, from the input on."""
    a, found = x * net.input.scale, []
    for layer in net.layers:
        if isinstance(layer, BatchNorm):
            mean, variance = a.mean(axis=0), a.var(axis=0)
            found.append((mean, variance))
            a = layer.gamma * (a - mean) / np.sqrt(variance + layer.epsilon) + layer.beta
        elif isinstance(layer, Dense):
            z = a @ layer.weights + layer.biases
            a = layer.activation.forward(z)
    return found


class TestStochasticWeightAveraging:
    @pytest.mark.parametrize(("start", "every", "counted"), [(1, 1, range(6)), (3, 1, range(2, 6)), (2, 3, [1, 4])])
    def test_the_mean(self, start, every, counted):
        keep, averaging = Keep(), StochasticWeightAveraging(start, every_epochs=every)
        net = fit(helpers.classifier(dtype="float64"), keep, averaging)
        assert averaging.n_averaged == len(counted)
        for mean, *all_ in zip(net.get_weights(), *(keep.weights[k] for k in counted), strict=True):
            np.testing.assert_allclose(mean, np.mean(all_, axis=0), rtol=1e-13)

    def test_the_mean_is_taken_in_float64(self):
        keep = Keep()
        net = fit(helpers.classifier(dtype="float32"), keep, StochasticWeightAveraging(1), epochs=50)
        for mean, *all_ in zip(net.get_weights(), *keep.weights, strict=True):
            np.testing.assert_array_equal(mean, np.mean(all_, axis=0, dtype=np.float64).astype(np.float32))

    def test_it_does_not_disturb_the_training(self):
        keep, plain = Keep(), Keep()
        fit(normalized(), keep, StochasticWeightAveraging(2))
        fit(normalized(), plain)
        for averaged, other in zip(keep.weights, plain.weights, strict=True):
            for a, b in zip(averaged, other, strict=True):
                np.testing.assert_array_equal(a, b)

    def test_an_epoch_that_never_comes(self):
        averaged, plain = fit(normalized(), StochasticWeightAveraging(7)), fit(normalized())
        assert helpers.digest(averaged) == helpers.digest(plain)

    def test_used_twice(self):
        averaging, keep = StochasticWeightAveraging(2), Keep()
        fit(helpers.classifier(), averaging)
        net = fit(helpers.classifier(seed=5), averaging, keep, epochs=2)
        assert averaging.n_averaged == 1
        for w, last in zip(net.get_weights(), keep.weights[1], strict=True):
            np.testing.assert_array_equal(w, last)

    def test_training_that_ends_with_an_error(self):
        class Stop(Callback):
            def on_epoch_begin(self, epoch):
                if epoch == 4:
                    raise RuntimeError

        net, keep = normalized(), Keep()
        with pytest.raises(RuntimeError):
            fit(net, keep, StochasticWeightAveraging(2), Stop())
        np.testing.assert_allclose(
            net.layers[1].weights, (keep.weights[1][4] + keep.weights[2][4]) / 2, rtol=1e-13
        )

    def test_batch_norm_sees_the_training_data(self):
        net = fit(normalized(), StochasticWeightAveraging(3))
        self.check(net, X)

    @staticmethod
    def check(net, x):
        layers = [layer for layer in net.layers if isinstance(layer, BatchNorm)]
        for layer, (mean, variance) in zip(layers, expected_averages(net, x), strict=True):
            np.testing.assert_allclose(layer.moving_mean, mean, rtol=1e-10, atol=1e-12)
            np.testing.assert_allclose(layer.moving_variance, variance, rtol=1e-10)

    def test_and_not_the_validation_data(self):
        net = fit(normalized(), StochasticWeightAveraging(3), validation_split=0.5)
        train, _ = inputs.split(inputs.Targets(None, Y, 3), len(X), 0.5, net.seed)
        self.check(net, X[train])

    def test_transformed_rows(self):
        net = fit(
            normalized(), StochasticWeightAveraging(3), transform=lambda x, y, generator: (x + 1, y), epochs=4
        )
        self.check(net, X + 1)

    @pytest.mark.parametrize("as_function", [False, True])
    def test_batches(self, as_function):
        batches = [(X[:40], Y[:40]), (X[40:], Y[40:])]
        given = (lambda epoch: iter([*batches, (X, Y)])) if as_function else batches
        net = fit(normalized(), StochasticWeightAveraging(3), x=given, y=None, steps_per_epoch=2, epochs=4)
        self.check(net, X)

    def test_batches_that_are_gone_through_once(self):
        batches = iter([(X, Y)] * 4)
        with pytest.raises(InvalidParameterError, match="go through the batches again"):
            fit(normalized(), StochasticWeightAveraging(1), x=batches, y=None, steps_per_epoch=1, epochs=4)
        fit(helpers.classifier(), StochasticWeightAveraging(1), x=batches, y=None, steps_per_epoch=1, epochs=4)

    def test_a_batch_norm_that_is_not_trained(self):
        net = Network([Input(2), BatchNorm(trainable=False), Dense(3, "softmax")], seed=0)
        fit(net, StochasticWeightAveraging(1))
        assert (net.layers[0].moving_mean == 0).all()

    @pytest.mark.parametrize("n_threads", [2, 3])
    def test_the_same_bits_at_any_number_of_threads(self, n_threads):
        digests = set()
        x, y = helpers.blobs(20_000)
        for n in (1, n_threads):
            net = fit(normalized("float32"), StochasticWeightAveraging(1), x=x, y=y, epochs=2, batch_size=5000,
                      n_threads=n)  # fmt: skip
            digests.add(helpers.digest(net))
        assert len(digests) == 1

    def test_state(self):
        first, again = StochasticWeightAveraging(2), StochasticWeightAveraging(2)

        class Restart(Callback):
            """From what a checkpoint would hold, in the middle of the training."""

            def on_epoch_begin(self, epoch):
                if epoch == 4:
                    again.set_state(first.get_state())

        expected = fit(normalized(), StochasticWeightAveraging(2))
        net = fit(normalized(), again, first, Restart())  # the first ends last
        assert again.n_averaged == first.n_averaged == 5
        assert helpers.digest(net) == helpers.digest(expected)

    def test_the_data_are_not_held(self):
        averaging = StochasticWeightAveraging(1)
        fit(normalized(), averaging)
        assert averaging.training_rows is None

    @pytest.mark.parametrize("arguments", [{"start_epoch": 0}, {"start_epoch": 1.5}, {"every_epochs": 0}])
    def test_what_cannot_be(self, arguments):
        with pytest.raises(InvalidParameterError, match="StochasticWeightAveraging must be a whole number >= 1"):
            StochasticWeightAveraging(**{"start_epoch": 1, **arguments})


class TestMovingAverages:
    @pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-5), ("float64", 1e-10)])
    def test_many_rows(self, dtype, tolerance):
        x, _ = helpers.blobs(9002)
        net = normalized(dtype)
        fit(net, x=x, y=np.arange(9002) % 3, epochs=1)
        weights = [layer.weights.copy() for layer in net.layers if isinstance(layer, Dense)]
        net.update_moving_averages(x + 100)
        layers = [layer for layer in net.layers if isinstance(layer, BatchNorm)]
        for layer, (mean, variance) in zip(layers, expected_averages(net, x + 100), strict=True):
            np.testing.assert_allclose(layer.moving_mean, mean, rtol=tolerance, atol=tolerance)
            np.testing.assert_allclose(layer.moving_variance, variance, rtol=30 * tolerance)
        for before, layer in zip(weights, [la for la in net.layers if isinstance(la, Dense)], strict=True):
            np.testing.assert_array_equal(layer.weights, before)

    def test_no_rows(self):
        with pytest.raises(ShapeError, match=r"at least two rows, of which there is a variance\. Got 0"):
            normalized().update_moving_averages(np.zeros((0, 2)))

    def test_without_batch_norm(self):
        net = helpers.classifier()
        before = helpers.digest(net)
        net.update_moving_averages(X)
        assert helpers.digest(net) == before

    def test_within_other_layers(self):
        net = Network([Input(2), cynn.Residual([Dense(2), BatchNorm()]), Dense(3)], seed=0, dtype="float64")
        net.update_moving_averages(X)
        dense, norm = net.layers[0].layers
        np.testing.assert_allclose(norm.moving_mean, (X @ dense.weights + dense.biases).mean(axis=0), rtol=1e-12)


class Fails(cynn.activations.Activation):
    """Of a layer that nothing needs."""

    name = "fails"

    def forward(self, z):
        raise ArithmeticError

    def backward(self, z, a, grad):
        return grad


def test_layers_behind_the_last_batch_norm_are_left_out():
    net = Network([Input(1), BatchNorm(), Dense(1, Fails())], seed=0)
    net.update_moving_averages([[1.0], [3.0]])
    assert net.layers[0].moving_mean == [2.0]


def test_adam_is_averaged_too():
    net = fit(helpers.classifier(), StochasticWeightAveraging(2), optimizer=Adam(0.01))
    assert net.evaluate(X, Y)["loss"] < 1.2
