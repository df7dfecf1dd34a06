"""Layers beside the dense one: what they compute, their gradients, and that nothing depends on threads and tiles."""

import copy
import itertools
import math
import pickle

import helpers
import numpy as np
import pytest

import cynn
from cynn import (
    GLU,
    Activation,
    AlphaDropout,
    BatchNorm,
    Concatenate,
    Dense,
    Dropout,
    Embedding,
    GaussianNoise,
    Input,
    LayerNorm,
    Maxout,
    Network,
    PReLU,
    Residual,
    RMSNorm,
)
from cynn.data.inputs import as_rows
from cynn.engine.randomness import Purpose
from cynn.errors import DataError, InvalidParameterError, ShapeError, UnknownNameError
from cynn.kernels import random
from cynn.regularizers import L1L2
from cynn.training.context import TrainingContext

X, Y = np.random.default_rng(0).normal(size=(2, 37, 5))
CATEGORIES = np.random.default_rng(1).integers(0, 4, size=(37, 2))
X_TABLE = np.concatenate([CATEGORIES[:, :1], X[:, :2], CATEGORIES[:, 1:], X[:, 2:3]], axis=1)

# Every layer with every setting that it has.
LAYERS = [
    Dropout(0.3),
    Dropout(0),
    AlphaDropout(0.2),
    GaussianNoise(0.5),
    BatchNorm(),
    BatchNorm(0.5, 0.1, use_scale=False),
    BatchNorm(use_bias=False),
    BatchNorm(use_bias=False, use_scale=False),
    BatchNorm(trainable=False),
    LayerNorm(),
    LayerNorm(0.1, use_scale=False),
    LayerNorm(use_bias=False),
    LayerNorm(use_bias=False, use_scale=False),
    LayerNorm(trainable=False),
    RMSNorm(),
    RMSNorm(0.1, use_scale=False),
    RMSNorm(trainable=False),
    PReLU(),
    PReLU(-0.5, trainable=False),
    Maxout(4),
    Maxout(3, 5, use_bias=False, initializer="he_normal"),
    Maxout(3, 1, trainable=False),
    GLU(4),
    GLU(3, "tanh", use_bias=False, initializer="lecun_uniform"),
    GLU(20, "swish"),
    GLU(4, "gelu", trainable=False),
    GLU(4, "softmax"),
    Embedding(4, 3),
    Embedding(4, 2, [3, 0], initializer="lecun_normal"),
    Embedding(5, 1, columns=[3], trainable=False),
    Embedding(4, 3, [0, 3], regularizer=L1L2(l1=0.01, l2=0.02), constraint="unit_norm"),
]


def network(layer, dtype="float64", seed=3):
    """The layer between others, or at the input, where an embedding stands; with parameters of some variety."""
    head = [] if isinstance(layer, Embedding) else [Dense(18, "tanh")]
    net = Network([Input(5), *head, layer, Dense(4, "tanh"), Dense(5)], seed=seed, dtype=dtype)
    vary(net)
    return net


def vary(net):
    generator = np.random.default_rng(5)
    for name, array in cynn.layers.arrays(net.layers):
        array[...] += generator.normal(size=array.shape) / 4
        if name.endswith("variance"):
            array[...] = np.abs(array) + 0.1


def inputs(net):
    return X_TABLE if any(isinstance(layer, Embedding) for layer in cynn.layers.walk(net.layers)) else X


def composed():
    """A way around batch norm around dropout; branches of different depth."""
    inner = [Dense(6), BatchNorm(), Activation("tanh"), Dropout(0.4), Dense(6), BatchNorm(use_bias=False)]
    branches = Concatenate([[LayerNorm(), GLU(3, "swish")], [], [Maxout(2), PReLU(), GaussianNoise(0.1)]])
    return [Input(5), Dense(6), Residual(inner), BatchNorm(), Dropout(0.2), branches, RMSNorm(), Dense(5)]


def table():
    return [
        Input(5),
        Embedding(4, 3, 3),
        Embedding(4, 2),
        Dropout(0.3),
        Residual([BatchNorm(), Dense(8, "relu"), AlphaDropout(0.1)]),
        Dense(5),
    ]


class InPython(cynn.activations.Activation):
    """a = z"""

    name = "in_python"

    def forward(self, z):
        return z.copy()

    def backward(self, z, a, grad):
        return grad


class TrainingLoss:
    """The loss of a step over all rows, in training: with the noise of epoch 0, step 0."""

    def __init__(self, net, x, y):
        self.net, self.x, self.y = net, x, y

    def __call__(self):
        objective = self.net.objective("mean_squared_error")
        rows = as_rows(self.x, 5, "x")
        target = objective.targets(self.y, len(rows), "y", check_finite=True)
        setting = TrainingContext(self.net, objective, None, 1, True)
        trainer = setting.trainer(rows, target, objective.sample_weights(None, len(rows)), len(rows))
        trainer.run(np.arange(len(rows)), 0, 1, np.zeros(1), None, 0.0)
        return float(objective.mean_losses(trainer.sums)[0])


def check_gradients(net):
    x = inputs(net)
    loss = TrainingLoss(net, x, Y)
    before = helpers.digest(net)
    found = net.gradients(x, Y, loss="mean_squared_error")
    again = net.gradients(x, Y, loss="mean_squared_error")
    assert helpers.digest(net) == before, "moving averages moved"
    layers = [layer for layer in cynn.layers.walk(net.layers) if layer.parameters]
    for layer, of_layer, of_layer_again in zip(layers, found, again, strict=True):
        for (name, parameter), gradient, same in zip(
            layer.parameters.items(), of_layer, of_layer_again, strict=True
        ):
            if parameter is None or not layer.trainable:
                assert gradient is None
                continue
            np.testing.assert_array_equal(gradient, same)
            assert gradient.shape == parameter.shape
            for index in itertools.islice(np.ndindex(parameter.shape), 0, None, 1 + parameter.size // 40):
                middle, h = parameter[index], 1e-6
                parameter[index] = middle + h
                above = loss()
                parameter[index] = middle - h
                below = loss()
                parameter[index] = middle
                expected = (above - below) / (2 * h)
                assert gradient[index] == pytest.approx(expected, rel=2e-6, abs=2e-8), (layer, name, index)


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_gradients(layer):
    check_gradients(network(layer))


@pytest.mark.parametrize("make", [composed, table])
def test_gradients_of_composed_networks(make):
    net = Network(make(), seed=2, dtype="float64")
    vary(net)
    check_gradients(net)


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_gradients_where_it_comes_last(layer):
    """Also the ways that an only, a first or a last operation goes."""
    if isinstance(layer, (Maxout, GLU, Embedding)):
        return
    net = Network([Input(5), Dense(5), layer], seed=3, dtype="float64")
    vary(net)
    check_gradients(net)


def grown(dtype, n_threads, layers, batch_size):
    net = Network(layers, seed=7, dtype=dtype)
    x = np.tile(inputs(net), (60, 1)).astype(dtype)
    y = np.tile(Y, (60, 1))
    net.fit(x, y, epochs=2, batch_size=batch_size, n_threads=n_threads, progress=False)
    return helpers.digest(net)


@pytest.mark.parametrize("make", [composed, table])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_same_bits_at_any_number_of_threads(make, dtype):
    # wide enough for a team of threads, and for several tiles and pieces of columns
    layers = make()
    layers.insert(-1, Dense(150, "relu"))
    layers.insert(-1, BatchNorm())
    layers.insert(-1, Dropout(0.5))
    assert len({grown(dtype, n_threads, layers, 1000) for n_threads in (1, 2, 3, 4, 16)}) == 1


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_each_has_the_same_bits_at_any_number_of_threads(layer):
    digests = set()
    for n_threads in (1, 2, 3, 4, 16):
        head = [] if isinstance(layer, Embedding) else [Dense(100, "tanh")]
        layers = [Input(5), *head, layer, Dense(100, "tanh"), Dense(5)]
        digests.add(grown("float32", n_threads, layers, 1000))
    assert len(digests) == 1


class TestNoise:
    """Masks against the words of the generator, as `random_words` has them."""

    @staticmethod
    def words(rows, units, *, seed, number, epoch=0, step=0):
        n = -(-rows * units // 128) * 128
        out = np.empty(n, np.uint32)
        random.random_words(out, seed, Purpose.NOISE | number << 8, epoch, step)
        return out.reshape(-1, 32, 4).transpose(0, 2, 1).reshape(-1)[: rows * units].reshape(rows, units)

    @staticmethod
    def seen(layers, rows, units, *, x=None, epochs=1, batch_size=None, dtype="float64", n_threads=1):
        """What the layers make of x, or of ones, in training: what a metric is shown, in the order of the rows."""
        net = Network([Input(units), *layers], seed=11, dtype=dtype)
        found = []

        def look(y_true, y_pred):
            found.append(np.array(y_pred))
            return 0.0

        x = np.ones((rows, units)) if x is None else x
        net.fit(
            x,
            x,
            epochs=epochs,
            batch_size=batch_size or rows,
            metrics=[look],
            shuffle=False,
            progress=False,
            n_threads=n_threads,
        )
        return found

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize(("rows", "units"), [(1, 1), (3, 5), (7, 64), (300, 13), (700, 37)])
    def test_dropout(self, rows, units, dtype):
        (found,) = self.seen([Dropout(0.25)], rows, units, dtype=dtype)
        kept = self.words(rows, units, seed=11, number=0) >= 2**30
        np.testing.assert_array_equal(found, np.where(kept, np.asarray(1 / 0.75, dtype), 0))

    def test_steps_epochs_and_layers_draw_anew(self):
        first, second = self.seen([Dropout(0.5), Dropout(0.25)], 20, 9, batch_size=10, epochs=2)
        for epoch, found in enumerate([first, second]):
            for step in range(2):
                a, b = (
                    self.words(10, 9, seed=11, number=number, epoch=epoch, step=step) >= rate * 2**32
                    for number, rate in [(0, 0.5), (1, 0.25)]
                )
                expected = np.where(a & b, 1 / 0.5 / 0.75, 0)
                np.testing.assert_allclose(found[10 * step : 10 * step + 10], expected, rtol=1e-15)

    def test_fit_in_two_parts_draws_as_one(self):
        nets = [Network([Input(5), Dense(5), Dropout(0.5)], seed=1) for _ in range(2)]
        nets[0].fit(X, Y, epochs=4, progress=False)
        nets[1].fit(X, Y, epochs=1, progress=False)
        nets[1].fit(X, Y, epochs=3, progress=False)
        assert helpers.digest(nets[0]) == helpers.digest(nets[1])

    def test_the_mask_does_not_depend_on_tiles_and_threads(self):
        """Wide layers in front make low tiles; there are as many threads as tiles."""
        rows, units = 400, 33
        expected = self.words(rows, units, seed=11, number=0) >= 2**31
        for hidden, n_threads in itertools.product([1, 40, 3000], [1, 2, 3]):
            wide = Dense(hidden)
            layers = [wide, Dense(units, initializer="lecun_normal"), Activation("sigmoid"), Dropout(0.5)]
            (found,) = self.seen(layers, rows, units, n_threads=n_threads)
            np.testing.assert_array_equal(found != 0, expected)

    @pytest.mark.parametrize("rate", [0.0, 0.1, 0.6])
    def test_alpha_dropout(self, rate):
        alpha = -1.7580993408473766
        (found,) = self.seen([AlphaDropout(rate)], 50, 13)
        kept = self.words(50, 13, seed=11, number=0) >= rate * 2**32
        a = ((1 - rate) * (1 + rate * alpha**2)) ** -0.5
        expected = a * np.where(kept, 1, alpha) - a * alpha * rate
        np.testing.assert_allclose(found, expected, rtol=1e-12)

    def test_alpha_dropout_keeps_mean_and_variance(self):
        layer = AlphaDropout(0.3)
        _, slope, kept, dropped = layer._becomes(0.3)
        mean = 0.7 * kept + 0.3 * dropped
        assert mean == pytest.approx(0, abs=1e-15)
        variance = 0.7 * (slope**2 + kept**2) + 0.3 * dropped**2
        assert variance == pytest.approx(1)

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_gaussian_noise(self, dtype):
        rows, units = 400, 50
        (found,) = self.seen([GaussianNoise(0.5)], rows, units, dtype=dtype)
        words = self.words(rows, units, seed=11, number=0).reshape(-1)
        whole = len(words) // 128 * 128
        pairs = words[:whole].reshape(-1, 2, 2, 32).astype(np.float64)
        radius = np.sqrt(-2 * np.log((pairs[:, :, 0] + 0.5) / 2**32))
        angle = 2 * np.pi * pairs[:, :, 1] / 2**32
        z = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=2).reshape(-1)
        tolerance = {"float32": 3e-6, "float64": 1e-13}[dtype]
        np.testing.assert_allclose(found.reshape(-1)[:whole], 1 + 0.5 * z, atol=tolerance, rtol=0)
        assert found.mean() == pytest.approx(1, abs=0.02)
        assert found.std() == pytest.approx(0.5, abs=0.02)

    def test_gaussian_noise_does_not_depend_on_what_it_is_added_to(self):
        (of_ones,), (of_x,) = (self.seen([GaussianNoise(0.5)], 37, 5, x=x) for x in (None, X))
        np.testing.assert_allclose(of_x - X, of_ones - 1, rtol=1e-12, atol=1e-15)

    def test_every_gaussian_noise_draws_its_own(self):
        (first,) = self.seen([GaussianNoise(0.5), GaussianNoise(0)], 20, 9)
        (both,) = self.seen([GaussianNoise(0.5), GaussianNoise(0.5)], 20, 9)
        assert abs(np.corrcoef((first - 1).ravel(), (both - first).ravel())[0, 1]) < 0.3

    @pytest.mark.parametrize("layer", [Dropout(0.5), AlphaDropout(0.5), GaussianNoise(1)], ids=repr)
    def test_predictions_have_none(self, layer):
        with_it = Network([Input(5), layer, Dense(4, "relu"), layer, Dense(3), layer], seed=0)
        without = Network([Input(5), Dense(4, "relu"), Dense(3)], seed=0)
        np.testing.assert_array_equal(with_it.predict(X), without.predict(X))
        np.testing.assert_array_equal(with_it.predict(X[0]), without.predict(X[0]))
        x, same, a, a_again, z, z_again = with_it.activations(X)
        for left, right in [(x, same), (a, a_again), (z, z_again)]:
            np.testing.assert_array_equal(left, right)
        np.testing.assert_array_equal(a, without.activations(X)[1])
        assert with_it.evaluate(X, Y[:, :3]) == without.evaluate(X, Y[:, :3])

    def test_between_z_and_the_loss_it_is_fused_with(self):
        net = Network([Input(5), Dense(3), Dropout(0.5), Activation("softmax")], seed=0)
        plain = Network([Input(5), Dense(3, "softmax")], seed=0)
        y = np.arange(37) % 3
        assert net.evaluate(X, y) == plain.evaluate(X, y)
        net.fit(X, y, epochs=1, progress=False)

    def test_it_moves_no_initial_weights(self):
        with_it = Network([Input(5), Dropout(0.1), Dense(4), Dropout(0.1), Dense(3)], seed=0)
        without = Network([Input(5), Dense(4), Dense(3)], seed=0)
        np.testing.assert_array_equal(with_it.layers[3].weights, without.layers[1].weights)


class TestBatchNorm:
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("rows", [2, 37, 700])
    @pytest.mark.parametrize("units", [1, 70])
    def test_against_the_formula(self, rows, units, dtype):
        """A step of training, the moving averages after it, and a prediction with these."""
        net = Network([Input(units), BatchNorm(0.9, 0.01)], seed=0, dtype=dtype)
        layer = net.layers[0]
        vary(net)
        gamma, beta, mean, variance = (a.copy() for a in layer._arrays.values())
        x = np.random.default_rng(3).normal(2, 3, size=(rows, units)).astype(dtype)
        seen = []
        net.fit(
            x,
            x,
            epochs=1,
            batch_size=rows,
            shuffle=False,
            progress=False,
            optimizer=cynn.optimizers.SGD(0.5),
            metrics=[lambda y_true, y_pred: seen.append(y_pred.copy()) or 0.0],
        )
        wide = x.astype(np.float64)
        normal = (wide - wide.mean(0)) / np.sqrt(wide.var(0) + 0.01)
        out = gamma * normal + beta
        tolerance = helpers.TOLERANCE[dtype]
        np.testing.assert_allclose(seen[0], out, rtol=tolerance, atol=10 * tolerance)
        delta = 2 * (out - wide) / (rows * units)
        np.testing.assert_allclose(
            layer.gamma, gamma - 0.5 * (delta * normal).sum(0), rtol=tolerance, atol=10 * tolerance
        )
        np.testing.assert_allclose(layer.beta, beta - 0.5 * delta.sum(0), rtol=tolerance, atol=10 * tolerance)
        np.testing.assert_allclose(
            layer.moving_mean, 0.9 * mean + 0.1 * wide.mean(0), rtol=tolerance, atol=tolerance
        )
        np.testing.assert_allclose(layer.moving_variance, 0.9 * variance + 0.1 * wide.var(0), rtol=tolerance)
        expected = (wide - layer.moving_mean) / np.sqrt(layer.moving_variance + 0.01) * layer.gamma + layer.beta
        np.testing.assert_allclose(net.predict(x), expected, rtol=tolerance, atol=10 * tolerance)

    def test_it_begins_by_changing_nothing(self):
        for layer in (BatchNorm(epsilon=0), BatchNorm(epsilon=0, trainable=False)):
            net = Network([Input(5), layer], seed=0, dtype="float64")
            np.testing.assert_array_equal(net.predict(X), X)
            layer = net.layers[0]
            for array, value in [(layer.gamma, 1), (layer.beta, 0), (layer.moving_mean, 0), (layer.moving_variance, 1)]:
                np.testing.assert_array_equal(array, np.full(5, value))

    def test_far_from_zero_the_variance_is_whole(self):
        x = (1e4 + np.random.default_rng(0).normal(size=(1000, 3))).astype(np.float32)
        net = Network([Input(3), BatchNorm(0.0)], seed=0)
        net.fit(x, x, epochs=1, batch_size=1000, progress=False)
        np.testing.assert_allclose(net.layers[0].moving_variance, x.astype(np.float64).var(0), rtol=1e-4)

    def test_one_that_is_not_trained_stands_still(self):
        net = Network([Input(5), Dense(5), BatchNorm(trainable=False), Dense(5)], seed=0, dtype="float64")
        vary(net)
        before = [array.copy() for array in net.layers[1]._arrays.values()]
        assert net.evaluate(X, Y)["loss"] == pytest.approx(TrainingLoss(net, X, Y)(), rel=1e-12)
        net.fit(X, Y, epochs=2, progress=False)
        for array, old in zip(net.layers[1]._arrays.values(), before, strict=True):
            np.testing.assert_array_equal(array, old)

    def test_a_step_that_diverges_moves_no_averages(self):
        net = Network([Input(5), Dense(5), BatchNorm(), Dense(5)], seed=0)
        net.layers[2].weights = np.full((5, 5), 1e30)
        before = helpers.digest(net)
        with pytest.raises(cynn.errors.TrainingDivergedError):
            net.fit(X, Y, epochs=1, progress=False)
        assert helpers.digest(net) == before


def gelu(z):
    return z * 0.5 * (1 + np.vectorize(math.erf)(z / math.sqrt(2)))


class TestFormulas:
    """What predictions are, in NumPy."""

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("units", [1, 5, 16, 45])
    def test_norms_of_rows(self, units, dtype):
        x = np.random.default_rng(0).normal(1, 2, size=(9, units))
        tolerance = 5 * helpers.TOLERANCE[dtype]
        net = Network([Input(units), LayerNorm(0.01)], seed=0, dtype=dtype)
        vary(net)
        normal = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 0.01)
        expected = normal * net.layers[0].gamma + net.layers[0].beta
        np.testing.assert_allclose(net.predict(x), expected, rtol=tolerance, atol=tolerance)
        net = Network([Input(units), RMSNorm(0.01)], seed=0, dtype=dtype)
        vary(net)
        expected = x / np.sqrt((x**2).mean(1, keepdims=True) + 0.01) * net.layers[0].gamma
        np.testing.assert_allclose(net.predict(x), expected, rtol=tolerance, atol=tolerance)

    def test_prelu(self):
        net = Network([Input(5), PReLU()], seed=0, dtype="float64")
        vary(net)
        np.testing.assert_array_equal(net.predict(X), np.where(X < 0, net.layers[0].alpha * X, X))

    def test_prelu_has_the_slope_of_its_right_side_at_zero(self):
        net = Network([Input(1), Dense(1), PReLU(0.25)], seed=0)
        ((dW, db), (dalpha,)) = net.gradients([[0.0]], [[-1.0]], loss="mean_squared_error")
        assert (dW, db, dalpha) == (0, 2, 0)

    def test_maxout(self):
        net = Network([Input(5), Maxout(3, 4)], seed=0, dtype="float64")
        vary(net)
        z = X @ net.layers[0].weights + net.layers[0].biases
        np.testing.assert_allclose(net.predict(X), z.reshape(-1, 4, 3).max(1), rtol=1e-12)

    def test_of_equal_pieces_the_first_has_the_gradient(self):
        net = Network([Input(1), Maxout(1, 3, use_bias=False)], seed=0)
        net.layers[0].weights = [[1.0, 2.0, 2.0]]
        ((dW, _),) = net.gradients([[3.0]], [[5.0]], loss="mean_squared_error")
        np.testing.assert_array_equal(dW, [[0.0, 6.0, 0.0]])

    def test_norms_of_rows_begin_without_a_scale(self):
        for cls in (LayerNorm, RMSNorm):
            plain, scaled = (Network([Input(5), cls(use_scale=flag)], seed=0).predict(X) for flag in (False, True))
            np.testing.assert_array_equal(plain, scaled)

    def test_concatenated_columns_stand_in_the_order_of_the_branches(self):
        net = Network([Input(5), Concatenate([[], [Activation("relu")]])], seed=0, dtype="float64")
        np.testing.assert_array_equal(net.predict(X), np.concatenate([X, np.maximum(X, 0)], axis=1))

    def test_branches_take_one_input(self):
        x = Input(3)
        with pytest.raises(ShapeError, match=r"with branches must have one input\. Got 2"):
            Network(Concatenate([[], []])(x, Dense(3)(x)))

    def test_tables_begin_on_both_sides_of_zero_and_apart(self):
        net = Network([Input(5), Embedding(40, 2, 0), Embedding(40, 2, 2)], seed=0)
        first, second = (layer.weights for layer in net.layers)
        assert first.min() < -0.03
        assert first.max() > 0.03
        assert (first != second).all()

    def test_maxout_lets_a_nan_through(self):
        net = Network([Input(1), Maxout(1, 3)], seed=0)
        for place in range(3):
            net.layers[0].weights = np.where(np.arange(3) == place, np.nan, 1.0)[None]
            assert np.isnan(net.predict([1.0]))

    @pytest.mark.parametrize(
        ("name", "f"),
        [
            ("sigmoid", lambda z: 1 / (1 + np.exp(-z))),
            ("swish", lambda z: z / (1 + np.exp(-z))),
            ("gelu", gelu),
            ("relu", lambda z: np.maximum(z, 0)),
            ("softmax", lambda z: np.exp(z) / np.exp(z).sum(1, keepdims=True)),
        ],
    )
    def test_glu(self, name, f):
        net = Network([Input(5), GLU(3, name)], seed=0, dtype="float64")
        vary(net)
        z = X @ net.layers[0].weights + net.layers[0].biases
        np.testing.assert_allclose(net.predict(X), z[:, :3] * f(z[:, 3:]), rtol=1e-12)

    def test_a_glu_that_comes_last_is_no_activation(self):
        net = Network([Input(5), GLU(3, "sigmoid")], seed=0)
        assert net.output_activation.name == "identity"
        assert net.objective(None).losses[0].name == "mean_squared_error"
        net.fit(X, Y[:, :3], epochs=1, progress=False)
        with_softmax = Network([Input(5), GLU(3, "softmax")], seed=0)
        y = np.abs(Y[:, :3])
        found = with_softmax.evaluate(X, y, loss="mean_absolute_error")["loss"]
        assert found == pytest.approx(np.abs(with_softmax.predict(X) - y).mean(), rel=1e-5)

    def test_embedding(self):
        net = Network([Input(5), Embedding(4, 3, [3, 0])], seed=0, dtype="float64")
        W = net.layers[0].weights
        assert np.abs(W).max() <= 0.05
        numbers = X_TABLE[:, [1, 2, 4]]
        expected = np.concatenate([numbers, W[CATEGORIES[:, 1]], W[CATEGORIES[:, 0]]], axis=1)
        np.testing.assert_array_equal(net.predict(X_TABLE), expected)
        for row, of_row in zip(X_TABLE, expected, strict=True):
            np.testing.assert_array_equal(net.predict(row), of_row)

    def test_embeddings_behind_each_other(self):
        net = Network([Input(5), Embedding(4, 2, 0), Embedding(4, 3, 2)], seed=0, dtype="float64")
        first, second = (layer.weights for layer in net.layers)
        expected = [X_TABLE[:, [1, 2, 4]], first[CATEGORIES[:, 0]], second[CATEGORIES[:, 1]]]
        np.testing.assert_array_equal(net.predict(X_TABLE), np.concatenate(expected, axis=1))


class TestCategories:
    @pytest.mark.parametrize(("wrong", "word"), [(4, "4"), (-1, "-1"), (0.5, "0.5"), (1e300, "1e\\+300")])
    def test_what_is_none(self, wrong, word):
        net = network(Embedding(4, 3, 3))
        x = X_TABLE.copy()
        x[7, 3] = wrong
        words = rf"whole numbers from 0 to 3, in column 3\. Got {word} in row 7"
        for call in (
            lambda: net.predict(x),
            lambda: net.predict(x, check_finite=False),
            lambda: net.evaluate(x, Y),
            lambda: net.fit(x, Y, epochs=1),
            lambda: net.fit(X_TABLE, Y, epochs=1, validation_data=(x, Y)),
            lambda: net.activations(x),
            lambda: net.gradients(x, Y),
        ):
            with pytest.raises(DataError, match=words):
                call()
        with pytest.raises(DataError, match=words.replace("row 7", "row 0")):
            net.predict(x[7])

    def test_not_a_number_touches_no_memory(self):
        net = network(Embedding(4, 3, 3))
        x = X_TABLE.copy()
        for wrong in (np.nan, np.inf, -np.inf, 1e300, -1e300):
            x[7, 3] = wrong
            with pytest.raises(DataError):
                net.predict(x, check_finite=False)

    @pytest.mark.parametrize("sizes", [(9, 3), (3, 9)])
    def test_the_smallest_table_of_a_column_counts(self, sizes):
        layers = Concatenate([[Embedding(size, 1)] for size in sizes])
        with pytest.raises(DataError, match="from 0 to 2"):
            Network([Input(1), layers]).predict([3.0])

    def test_whole_numbers_of_any_kind(self):
        net = Network([Input(2), Embedding(200, 1, [0, 1])], seed=0)
        for dtype in (np.uint8, np.int64, np.int16, np.float32, np.float64):
            np.testing.assert_array_equal(
                net.predict(np.array([[0, 199]], dtype)), net.layers[0].weights[[0, 199], 0][None]
            )

    def test_the_scale_of_the_input_counts(self):
        net = Network([Input(1, scale=2, offset=1), Embedding(4, 1)], seed=0)
        np.testing.assert_array_equal(net.predict([1.0]), net.layers[0].weights[3])
        with pytest.raises(DataError, match="Got 5 in row 0"):
            net.predict([2.0])


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
class TestEveryLayer:
    def test_copies_and_files(self, layer, tmp_path):
        net = network(layer, "float32")
        x = inputs(net)
        net.fit(x, Y, epochs=2, progress=False)
        net.save(tmp_path / "net.safetensors")
        copies = [cynn.load(tmp_path / "net.safetensors"), copy.deepcopy(net), pickle.loads(pickle.dumps(net))]
        for again in copies:
            assert repr(again) == repr(net)
            assert helpers.digest(again) == helpers.digest(net)
            assert again.parameter_count == net.parameter_count
            np.testing.assert_array_equal(again.predict(x), net.predict(x))
        fresh = Network.from_config(net.get_config())
        assert fresh.get_config() == net.get_config()
        for again in copies[1:]:
            again.fit(x, Y, epochs=1, progress=False)
        assert helpers.digest(copies[1]) == helpers.digest(copies[2])

    def test_its_description_makes_an_equal_one(self, layer):
        again = cynn.layers.from_config(layer.get_config())
        assert type(again) is type(layer)
        assert again.get_config() == layer.get_config()
        assert repr(again) == repr(layer)
        namespace = {**vars(cynn), **vars(cynn.activations), **vars(cynn.constraints), **vars(cynn.regularizers)}
        namespace |= {type(layer.activation).__name__: type(layer.activation)} if hasattr(layer, "activation") else {}
        assert eval(repr(layer), namespace).get_config() == layer.get_config()

    def test_rows_one_at_a_time(self, layer):
        net = network(layer)
        x = inputs(net)
        np.testing.assert_allclose([net.predict(row) for row in x], net.predict(x), rtol=1e-12, atol=1e-14)
        many = np.tile(x, (30, 1))
        np.testing.assert_allclose(net.predict(many), np.tile(net.predict(x), (30, 1)), rtol=1e-12, atol=1e-14)

    def test_its_arrays_can_be_assigned(self, layer):
        net = network(layer)
        (found,) = (inner for inner in net.layers if type(inner) is type(layer))
        for name, array in found._arrays.items():
            setattr(found, name, np.full(array.shape, 0.5))
            assert (array == 0.5).all()
            with pytest.raises(ShapeError, match=f"The {name} of this layer must have the shape"):
                setattr(found, name, np.zeros((99, 99)))
        assert found.parameter_count == sum(a.size for a in found.parameters.values() if a is not None)
        assert type(layer).name in net.summary()

    def test_what_training_moves(self, layer):
        net = network(layer, "float32")
        (found,) = (inner for inner in net.layers if type(inner) is type(layer))
        before = {name: array.copy() for name, array in found._arrays.items()}
        net.fit(inputs(net), Y, epochs=1, progress=False)
        for name, array in found._arrays.items():
            assert (array != before[name]).any() == layer.trainable, name


class TestWhatCannotBe:
    @pytest.mark.parametrize(
        ("make", "words"),
        [
            (lambda: Dropout(1), "'rate' parameter of Dropout must be a finite number >= 0 and < 1, a sched"),
            (lambda: Dropout(-0.1), "'rate' parameter of Dropout"),
            (lambda: Dropout("0.5"), "'rate' parameter of Dropout"),
            (lambda: AlphaDropout(1.5), "'rate' parameter of AlphaDropout"),
            (lambda: GaussianNoise(-1), "'stddev' parameter of GaussianNoise"),
            (lambda: BatchNorm(1), "'momentum' parameter of BatchNorm"),
            (lambda: BatchNorm(epsilon=-1), "'epsilon' parameter of BatchNorm"),
            (lambda: BatchNorm(use_scale=1), "'use_scale' parameter of BatchNorm"),
            (lambda: BatchNorm(use_bias=None), "'use_bias' parameter of BatchNorm"),
            (lambda: BatchNorm(trainable="no"), "'trainable' parameter of BatchNorm"),
            (lambda: LayerNorm(float("nan")), "'epsilon' parameter of LayerNorm"),
            (lambda: LayerNorm(use_scale=0), "'use_scale' parameter of LayerNorm"),
            (lambda: RMSNorm(-1), "'epsilon' parameter of RMSNorm"),
            (lambda: PReLU("x"), "'initial' parameter of PReLU"),
            (lambda: PReLU(trainable=2), "'trainable' parameter of PReLU"),
            (lambda: Maxout(0), "'units' parameter of"),
            (lambda: Maxout(2, 0), "'pieces' parameter of Maxout"),
            (lambda: Maxout(2**20, 2**20), "'pieces' parameter of Maxout"),
            (lambda: GLU(2**31 - 1), "'units' parameter of GLU"),
            (lambda: GLU(3, InPython()), "'activation' parameter of GLU must be compiled"),
            (lambda: Embedding(0, 1), "'input_dim' parameter of Embedding"),
            (lambda: Embedding(2**25, 1), "'input_dim' parameter of Embedding"),
            (lambda: Embedding(1, 0), "'output_dim' parameter of Embedding"),
            (lambda: Embedding(1, 1, -1), "'columns' parameter of Embedding"),
            (lambda: Embedding(1, 1, []), "'columns' parameter of Embedding"),
            (lambda: Embedding(1, 1, [0, 0]), "'columns' parameter of Embedding"),
            (lambda: Embedding(1, 1, "0"), "'columns' parameter of Embedding"),
        ],
    )
    def test_parameters(self, make, words):
        with pytest.raises(InvalidParameterError, match=words):
            make()

    def test_unknown_names(self):
        with pytest.raises(UnknownNameError):
            GLU(3, "swich")
        with pytest.raises(UnknownNameError):
            Embedding(3, 3, initializer="he")

    def test_where_an_embedding_cannot_stand(self):
        with pytest.raises(ShapeError, match=r"must be there, below 3\. Got 3"):
            Network([Input(3), Embedding(2, 2, 3)])
        with pytest.raises(ShapeError, match=r"columns of the network's input\. Got column 0"):
            Network([Input(3), Dense(3), Embedding(2, 2)])
        with pytest.raises(ShapeError, match=r"columns of the network's input\. Got column 2"):
            Network([Input(3), Embedding(2, 2), Embedding(2, 2, 2)])

    def test_several_inputs(self):
        x = Input(3)
        with pytest.raises(ShapeError, match=r"called on 1 input\. Got 2"):
            Network(BatchNorm()(x, Dense(3)(x)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "layer", [cynn.LayerNorm(epsilon=0), cynn.layers.RMSNorm(epsilon=0), cynn.BatchNorm(epsilon=0)]
)
def test_what_does_not_vary_is_normalized_to_zero(layer, dtype):
    """Without an epsilon, 0 / 0 would be NaN."""
    net = cynn.Network([cynn.Input(3), layer, cynn.Dense(1)], seed=0, dtype=dtype)
    x = np.zeros((4, 3))
    assert np.array_equal(net.activations(x)[1], x)
    net.fit(x, np.ones((4, 1)), loss="mse", epochs=1, progress=False)
    assert all(np.isfinite(weights).all() for weights in net.get_weights())
