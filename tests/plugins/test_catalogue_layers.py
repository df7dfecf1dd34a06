"""The layers of the catalogue: what they compute, their gradients, and their ways into files and checkpoints."""

import copy
import itertools
import pickle

import numpy as np
import pytest
from catalogue_layers import BINS, LAYERS, layer
from helpers import same_weights

import cynn
from cynn import Dense, Input, Network
from cynn.errors import InvalidParameterError, ShapeError
from cynn.optimizers import SGD, Adam

GENERATOR = np.random.default_rng(0)
X, Y = GENERATOR.normal(size=(37, 6)), GENERATOR.normal(size=(37, 2))


def network(name, dtype="float64", behind=True):
    """Behind another layer, so that dC/dx is looked at, or at the input."""
    first = [Dense(6, "tanh")] if behind else []
    return Network([Input(6), *first, LAYERS[name](), Dense(2)], seed=1, dtype=dtype)


def fitted(net, optimizer=None, epochs=2, **options):
    options = {"batch_size": 10, "progress": False, **options}
    net.fit(X, Y, optimizer=optimizer or Adam(), epochs=epochs, **options)
    return net


class TestGradients:
    @pytest.mark.parametrize("name", LAYERS)
    @pytest.mark.parametrize("behind", [True, False])
    def test_they_are_quotients_of_differences(self, name, behind):
        net = network(name, behind=behind)
        for _, array in cynn.layers.arrays(net.layers):  # away from where factors are 1 and biases 0
            array += GENERATOR.normal(size=array.shape) * 0.1
        found = [gradient for pair in net.gradients(X, Y) for gradient in pair if gradient is not None]
        arrays = [array for _, array in cynn.layers.arrays(net.layers)]
        for array, gradient in zip(arrays, found, strict=True):
            places = list(np.ndindex(array.shape))
            for place in [places[k] for k in GENERATOR.choice(len(places), min(40, len(places)), replace=False)]:
                before, losses = array[place], []
                for step in (1e-6, -1e-6):
                    array[place] = before + step
                    losses.append(net.evaluate(X, Y)["loss"])
                array[place] = before
                assert gradient[place] == pytest.approx((losses[0] - losses[1]) / 2e-6, rel=1e-4, abs=1e-8)

    @pytest.mark.parametrize("name", LAYERS)
    @pytest.mark.parametrize("rows", [1, 2, 37])
    def test_float32_is_float64_less_precisely(self, name, rows):
        single, double = network(name, "float32"), network(name)
        single.set_weights(double.get_weights())
        np.testing.assert_allclose(single.predict(X[:rows]), double.predict(X[:rows]), rtol=1e-4, atol=1e-5)
        pairs = zip(single.gradients(X[:rows], Y[:rows]), double.gradients(X[:rows], Y[:rows]), strict=True)
        for found, expected in pairs:
            for a, b in zip(found, expected, strict=True):
                assert (a is None) == (b is None)
                if a is not None:
                    np.testing.assert_allclose(a, b, rtol=2e-3, atol=1e-4 * max(1, np.abs(b).max()))

    @pytest.mark.parametrize("name", LAYERS)
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_any_number_of_threads(self, name, dtype):
        """In batches so large that there is work for several."""
        x, y = np.tile(X, (30, 1)), np.tile(Y, (30, 1))
        nets = [
            Network([Input(6), LAYERS[name](), Dense(600, "relu"), Dense(2)], seed=1, dtype=dtype) for _ in range(3)
        ]
        for n_threads, net in enumerate(nets, start=1):
            net.fit(x, y, optimizer=Adam(), batch_size=555, epochs=2, n_threads=n_threads)
        same_weights(nets[0], nets[1])
        same_weights(nets[0], nets[2])

    @pytest.mark.parametrize("name", LAYERS)
    def test_a_row_is_what_it_is_among_others(self, name):
        net = network(name)
        np.testing.assert_allclose([net.predict(x) for x in X], net.predict(X), rtol=1e-9, atol=1e-12)


class TestWays:
    @pytest.mark.parametrize("name", LAYERS)
    def test_saved_loaded_pickled_and_gone_on_with(self, name, tmp_path):
        net = fitted(network(name), callbacks=[cynn.callbacks.Checkpoint(str(tmp_path / "checkpoint.safetensors"))])
        net.save(tmp_path / "net.safetensors")
        for same in (cynn.load(tmp_path / "net.safetensors"), pickle.loads(pickle.dumps(net)), copy.deepcopy(net)):
            same_weights(same, net)
            np.testing.assert_array_equal(same.predict(X), net.predict(X))
        went_on = fitted(network(name), epochs=4, resume=str(tmp_path / "checkpoint.safetensors"))
        same_weights(went_on, fitted(network(name), epochs=4))
        again = Network.from_config(net.get_config())
        assert again.layers[1].get_config() == net.layers[1].get_config()

    def test_they_are_reached_by_entry_point_only(self):
        names = {
            "batch_ensemble", "member_mean", "mixture_of_experts", "numerical_embedding", "parametric_activation",
            "scale",
        }  # fmt: skip
        assert names <= set(cynn.registry.layers.names())
        assert not names & set(cynn.registry.layers.builtins)
        assert not hasattr(cynn.layers, "Scale")

    @pytest.mark.parametrize("name", LAYERS)
    def test_what_is_not_trained(self, name):
        net = network(name)
        net.layers[1].trainable = False
        net = Network.from_config(net.get_config())
        before = [array.copy() for array in net.layers[1].parameters.values() if array is not None]
        fitted(net, SGD(0.1))
        for array, old in zip([a for a in net.layers[1].parameters.values() if a is not None], before, strict=True):
            np.testing.assert_array_equal(array, old)

    @pytest.mark.parametrize("name", ["scale", "plr", "pbld", "parametric", "first", "mixture"])
    def test_factors_of_the_rate(self, name):
        steps = []
        for factor in (1.0, 0.25):
            config = network(name).get_config()
            config["layers"][2]["learning_rate_factor"] = factor
            net = Network.from_config(config)
            before = [array.copy() for array in net.layers[1].parameters.values() if array is not None]
            net.train_batch(X, Y, optimizer=SGD(0.1))
            after = [array for array in net.layers[1].parameters.values() if array is not None]
            steps.append([a - b for a, b in zip(after, before, strict=True)])
        for plain, slow in zip(*steps, strict=True):
            np.testing.assert_allclose(slow, 0.25 * plain, rtol=1e-6, atol=1e-12)


def alone(made, width=6, dtype="float64"):
    return Network([Input(width), made], seed=3, dtype=dtype)


class TestNumericalEmbedding:
    def test_plr_as_in_the_paper(self):
        net = alone(layer("numerical_embedding", "plr", 3, 5, 0.3))
        own = net.layers[0]
        v = 2 * np.pi * X[:, :, None] * own.waves
        features = np.concatenate([np.cos(v), np.sin(v)], axis=2)
        z = np.einsum("rck,ckj->rcj", features, own.weights) + own.biases
        np.testing.assert_allclose(net.predict(X), np.maximum(z, 0).reshape(37, -1), rtol=1e-9, atol=1e-12)
        assert own.waves.std() == pytest.approx(0.3, rel=0.3)

    def test_pbld_as_in_the_paper(self):
        net = alone(layer("numerical_embedding"))
        own = net.layers[0]
        assert own.waves.shape == own.phases.shape == (6, 16)
        features = np.cos(2 * np.pi * X[:, :, None] * own.waves + own.phases)
        z = np.einsum("rck,ckj->rcj", features, own.weights) + own.biases
        assert own.weights.shape == (6, 16, 3)
        np.testing.assert_allclose(net.predict(X), np.concatenate([X, z.reshape(37, -1)], axis=1), rtol=1e-9)
        assert np.abs(own.phases).max() <= np.pi
        assert np.abs(own.phases).max() > 2.5

    def test_ple_as_in_the_paper(self):
        found = alone(layer("numerical_embedding", "ple", bins=BINS)).predict(X)
        expected = []
        for column, borders in enumerate(BINS):
            for t, (low, high) in enumerate(itertools.pairwise(borders), start=1):
                e = (X[:, column] - low) / (high - low)
                e = np.where((X[:, column] < low) & (t > 1), 0, e)
                expected.append(np.where((X[:, column] >= high) & (t < len(borders) - 1), 1, e))
        np.testing.assert_allclose(found, np.transpose(expected), rtol=1e-12, atol=1e-15)

    def test_nan_stays(self):
        x = X.copy()
        x[3, 2] = np.nan
        for name in ("plr", "pbld", "ple"):
            found = alone(LAYERS[name]()).predict(x, check_finite=False)
            assert np.isnan(found[3]).any()
            assert not np.isnan(np.delete(found, 3, axis=0)).any()

    def test_columns_that_stay_come_first(self):
        made = layer("numerical_embedding", "ple", bins=[[0.0, 1.0], [0.0, 2.0]], columns=[4, 1])
        found = alone(made).predict(X)
        np.testing.assert_allclose(found, np.column_stack([X[:, [0, 2, 3, 5]], X[:, 4], X[:, 1] / 2]))

    def test_bins_from_quantiles(self):
        cls = cynn.registry.layers.find("numerical_embedding")
        x = np.column_stack([np.arange(9.0), np.full(9, 2.0), np.repeat([0.0, 1.0], [8, 1])])
        assert cls.quantile_bins(x, 4) == [[0, 2, 4, 6, 8], [2, 3], [0, 1]]
        net = alone(cls("ple", bins=cls.quantile_bins(X, 7)))
        inside = net.predict(X)
        assert inside.min() >= 0
        assert inside.max() <= 1
        assert net.layers[0].units == 42

    @pytest.mark.parametrize("bins", [[], [[1.0]], [[1.0, 1.0]], [[2.0, 1.0]], [[0.0, np.inf]], 3, [["a", "b"]], [3.0]])
    def test_what_are_no_bins(self, bins):
        with pytest.raises(InvalidParameterError, match="'bins' parameter of NumericalEmbedding must be a list with"):
            layer("numerical_embedding", "ple", bins=bins)

    def test_bins_and_methods(self):
        with pytest.raises(InvalidParameterError, match="must be given for 'ple', and for that alone"):
            layer("numerical_embedding", "ple")
        with pytest.raises(InvalidParameterError, match="must be given for 'ple', and for that alone"):
            layer("numerical_embedding", bins=BINS)
        with pytest.raises(InvalidParameterError, match="'method' parameter"):
            layer("numerical_embedding", "sine")

    @pytest.mark.parametrize("columns", [[], [1, 1], [-1], 0.5])
    def test_what_are_no_columns(self, columns):
        with pytest.raises(InvalidParameterError, match="'columns' parameter of NumericalEmbedding"):
            layer("numerical_embedding", columns=columns)

    def test_columns_that_are_not_there(self):
        with pytest.raises(ShapeError, match=r"must be there, below 6\. Got 6"):
            alone(layer("numerical_embedding", columns=[6]))
        with pytest.raises(ShapeError, match=r"must be those of 6 columns\. Got 2"):
            alone(layer("numerical_embedding", "ple", bins=BINS[:2]))

    @pytest.mark.parametrize("x", [[1.0, 2.0], [[np.nan]], np.zeros((0, 3))])
    def test_what_has_no_quantiles(self, x):
        with pytest.raises(ShapeError, match="x must be a matrix of finite numbers"):
            cynn.registry.layers.find("numerical_embedding").quantile_bins(x)


class TestParametricActivation:
    def test_as_in_the_paper(self):
        for name in ("mish", "selu", "gelu"):
            net = alone(layer("parametric_activation", name))
            f = cynn.registry.activations.get(name)
            np.testing.assert_allclose(net.predict(X), f(X), rtol=1e-12)
            net.layers[0].alpha = alpha = np.array([1.0, 0.0, 0.5, -1.0, 2.0, 0.1])
            np.testing.assert_allclose(net.predict(X), X + alpha * (f(X) - X), rtol=1e-12, atol=1e-15)

    @pytest.mark.parametrize("activation", ["softmax", 3])
    def test_what_cannot_be_mixed(self, activation):
        with pytest.raises((InvalidParameterError, TypeError)):
            layer("parametric_activation", activation)

    def test_an_activation_in_python(self):
        class Square(cynn.activations.Activation):
            name = "square"

            def forward(self, z):
                return z * z

            def backward(self, z, a, grad):
                return 2 * z * grad

        with pytest.raises(InvalidParameterError, match=r"must be compiled, and of single elements. Got Square"):
            layer("parametric_activation", Square())


class TestEnsembles:
    def test_batch_ensemble_as_in_the_paper(self):
        for made, members, x in [
            (layer("batch_ensemble", 4, 3, first=True), 3, np.repeat(X[:, None], 3, axis=1)),
            (layer("batch_ensemble", 5, 2), 2, X.reshape(37, 2, 3)),
        ]:
            net = alone(made)
            own = net.layers[0]
            for array in (own.input_factors, own.output_factors, own.biases):
                array[...] = GENERATOR.normal(size=array.shape)
            expected = ((x * own.input_factors) @ own.weights) * own.output_factors + own.biases
            np.testing.assert_allclose(net.predict(X), expected.reshape(37, -1), rtol=1e-9)
            assert own.input_factors.shape == (members, x.shape[2])

    def test_how_it_starts(self):
        net = Network([Input(50), layer("batch_ensemble", 4, 8, first=True), layer("batch_ensemble", 3, 8)], seed=0)
        first, second = net.layers
        assert set(first.input_factors.ravel()) == {-1, 1}
        assert abs(first.input_factors.mean()) < 0.2
        assert (second.input_factors == 1).all()
        assert (first.output_factors == 1).all()
        assert (first.biases == 0).all()
        assert first.parameter_count == 200 + 8 * 50 + 2 * 8 * 4

    def test_the_mean(self):
        np.testing.assert_allclose(alone(layer("member_mean", 3)).predict(X), X.reshape(37, 3, 2).mean(axis=1))

    def test_the_mixture(self):
        net = alone(layer("mixture_of_experts", 4, 3, "tanh"))
        own = net.layers[0]
        z = X @ own.gate_weights + own.gate_biases
        gate = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        experts = np.tanh(X @ own.weights + own.biases).reshape(37, 3, 4)
        np.testing.assert_allclose(net.predict(X), np.einsum("re,rej->rj", gate, experts), rtol=1e-9)

    def test_columns_of_members(self):
        for name, args in [("batch_ensemble", (3, 4)), ("member_mean", (4,))]:
            with pytest.raises(ShapeError, match=r"columns of 4 members must be a multiple of 4\. Got 6"):
                alone(layer(name, *args))

    @pytest.mark.parametrize("name", ["batch_ensemble", "mixture_of_experts"])
    def test_an_activation_of_rows(self, name):
        with pytest.raises(InvalidParameterError, match=r"'activation' parameter of .* must be of single elements"):
            layer(name, 3, 2, "softmax")

    def test_weight_decay_leaves_factors_alone(self):
        """Of an ensemble, W decays alone: its factors are around 1."""
        net = alone(layer("batch_ensemble", 4, 3, first=True))
        other = copy.deepcopy(net)
        target = np.zeros((37, 12))
        net.train_batch(X, target, optimizer=SGD(0.1, weight_decay=0.5))
        other.train_batch(X, target, optimizer=SGD(0.1))
        assert not np.array_equal(net.layers[0].weights, other.layers[0].weights)
        np.testing.assert_array_equal(net.layers[0].input_factors, other.layers[0].input_factors)
        np.testing.assert_array_equal(net.layers[0].output_factors, other.layers[0].output_factors)
