"""Initial weights: what each initializer promises, and that only the seed decides."""

import numpy as np
import pytest

import cynn
from cynn import initializers
from cynn.errors import InvalidParameterError, UnknownNameError
from cynn.initializers import Constant, Ones, Orthogonal, TruncatedNormal, VarianceScaling, Zeros, initial_weights


@pytest.mark.parametrize("shape", [(7, 3), (3, 7), (5, 5), (200, 50), (1, 4)])
@pytest.mark.parametrize("gain", [1.0, 2.5])
def test_orthogonal(shape, gain):
    W = Orthogonal(gain).weights(*shape, seed=3, layer=1)
    assert W.shape == shape
    product = W.T @ W if shape[0] >= shape[1] else W @ W.T
    np.testing.assert_allclose(product, gain**2 * np.eye(min(shape)), atol=1e-12)


def test_orthogonal_has_both_signs():
    """Without its signs, the Q of a QR decomposition is not uniform among orthogonal matrices."""
    first = [Orthogonal().weights(2, 2, seed=seed, layer=0)[0, 0] for seed in range(100)]
    assert 30 < sum(value > 0 for value in first) < 70


def test_truncated_normal():
    W = TruncatedNormal(mean=1.0, stddev=0.5).weights(400, 100, seed=0, layer=0)
    assert abs(W - 1).max() <= 1.0
    assert W.mean() == pytest.approx(1, abs=0.01)
    # the deviation of a standard normal that is cut at 2: sqrt(1 - 4 φ(2) / (2 Φ(2) - 1))
    assert W.std() == pytest.approx(0.5 * 0.8796, rel=0.01)
    assert len(np.unique(W)) == W.size


def test_constant_zeros_and_ones():
    assert (Constant(0.25).weights(3, 2, seed=0, layer=0) == 0.25).all()
    assert (Zeros().weights(3, 2, seed=0, layer=0) == 0).all()
    assert (Ones().weights(3, 2, seed=0, layer=0) == 1).all()


@pytest.mark.parametrize("name", initializers.NAMES)
class TestEvery:
    def test_the_seed_and_the_layer_decide(self, name):
        W = initial_weights(name, 20, 10, 4, 1)
        assert W.dtype == np.float64
        assert W.shape == (20, 10)
        assert (initial_weights(name, 20, 10, 4, 1) == W).all()
        if name not in ("constant", "zeros", "ones"):
            for seed, layer in [(5, 1), (4, 2)]:
                assert (initial_weights(name, 20, 10, seed, layer) != W).mean() > 0.9

    def test_config(self, name):
        initializer = initializers.get(name)
        again = initializers.get(initializer.get_config())
        assert again == initializer
        assert hash(again) == hash(initializer)
        assert eval(repr(initializer), vars(initializers)) == initializer
        assert initializers.get(initializer) is initializer

    def test_in_a_network(self, name):
        net = cynn.Network([cynn.Input(20), cynn.Dense(10, initializer=name)], seed=4)
        expected = initial_weights(name, 20, 10, 4, 0).astype(np.float32)
        assert (net.layers[0].weights == expected).all()
        again = cynn.Network.from_config(net.get_config())
        assert (again.layers[0].weights == expected).all()


def test_parameters_are_kept():
    config = TruncatedNormal(0.5, 0.25).get_config()
    assert config == {"name": "truncated_normal", "mean": 0.5, "stddev": 0.25}
    assert initializers.get(config) == TruncatedNormal(0.5, 0.25) != TruncatedNormal()


def test_one_with_parameters_in_a_network(tmp_path):
    net = cynn.Network([cynn.Input(2), cynn.Dense(3, initializer=Constant(0.5))], seed=0)
    assert (net.layers[0].weights == 0.5).all()
    net.save(tmp_path / "net.safetensors")
    again = cynn.load(tmp_path / "net.safetensors")
    assert again.get_config() == net.get_config()
    assert (cynn.Network.from_config(again.get_config()).layers[0].weights == 0.5).all()
    with pytest.raises(UnknownNameError, match="no initializer named 'some'"):
        cynn.Dense(3, initializer="some")


def test_what_is_refused():
    with pytest.raises(UnknownNameError, match=r"no initializer named 'ortogonal'. Did you mean 'orthogonal'"):
        initializers.get("ortogonal")
    with pytest.raises(UnknownNameError, match="no initializer named 'zeros'"):
        VarianceScaling("zeros")
    with pytest.raises(InvalidParameterError, match="An initializer must be a name"):
        initializers.get(5)
    with pytest.raises(InvalidParameterError, match="'stddev' parameter of TruncatedNormal must be"):
        TruncatedNormal(stddev=-1)


@pytest.mark.parametrize("module", [initializers, cynn.constraints, cynn.regularizers])
class TestWhatIsNone:
    def test_neither_a_name_nor_a_configuration(self, module):
        with pytest.raises(InvalidParameterError, match=r"^An? \w+ must be a name, an? .* Got 3 instead"):
            module.get(3)

    def test_an_unknown_name(self, module):
        with pytest.raises(UnknownNameError, match="'nothing'"):
            module.get("nothing")

    def test_a_parameter_that_there_is_not(self, module):
        name = {"initializers": "constant", "constraints": "max_norm", "regularizers": "l2"}[module.__name__[5:]]
        with pytest.raises(InvalidParameterError, match=r"must describe an? .*Got: .*'size'"):
            module.get({"name": name, "size": 2})


class TestTheStartOfAnActivation:
    """Where a layer names no initializer, it starts as the source of its activation does."""

    RELU_LIKE = (
        "relu", "leaky_relu", "relu6", "elu", "celu", "gelu", "swish", "mish", "hard_swish", "softplus", "squareplus",
        "squared_relu", "sparse_plus", "threshold",
    )
    OTHERS = (("selu", "lecun_normal"), ("snake", "lecun_uniform"))

    @pytest.mark.parametrize("name", cynn.registry.activations.names())
    def test_of_the_whole_catalogue(self, name):
        found = cynn.registry.activations.get(name)
        net = cynn.Network([cynn.Input(30), cynn.Dense(20, name), cynn.Dense(10, name)], seed=1)
        for number, (inputs, units) in enumerate([(30, 20), (20, 10)]):
            start = (dict.fromkeys(self.RELU_LIKE, "he_uniform") | dict(self.OTHERS)).get(found.name, "glorot_uniform")
            if found.name == "sine":
                start = initializers.Siren(30, is_first=number == 0)
            expected = initial_weights(start, inputs, units, 1, number).astype(np.float32)
            np.testing.assert_array_equal(net.layers[number].weights, expected)

    def test_siren_is_the_papers(self):
        first, later = (initializers.Siren(12.0, is_first).weights(50, 400, 0, 0) for is_first in (True, False))
        for W, limit in [(first, 1 / 50), (later, (6 / 50) ** 0.5 / 12)]:
            assert 0.999 * limit < abs(W).max() <= limit
            assert W.std() == pytest.approx(limit / 3**0.5, rel=0.01)
        with pytest.raises(InvalidParameterError, match="'w0' parameter of Siren"):
            initializers.Siren(0)
        with pytest.raises(InvalidParameterError, match="'is_first' parameter of Siren"):
            initializers.Siren(1, is_first=1)

    def test_the_first_layer_is_that_without_weights_before_it(self):
        sine = {"name": "sine", "w0": 7.0}

        def limits(net):
            dense = [layer for layer in net.layers if getattr(layer, "weights", None) is not None]
            return [float(abs(layer.weights).max() * len(layer.weights)) for layer in dense]

        before = [cynn.Dropout(0.1), cynn.BatchNorm(), cynn.GaussianNoise(0.1)]
        net = cynn.Network([cynn.Input(600), *before, cynn.Dense(600, sine), cynn.Dense(600, sine)], seed=0)
        np.testing.assert_allclose(limits(net), [1, 600 * (6 / 600) ** 0.5 / 7], rtol=1e-2)
        x = cynn.Input(600)
        h = cynn.Dense(600, sine)(x)
        graph = cynn.Network(cynn.Dense(600, sine)(cynn.Concatenate()(h, x)), seed=0)
        np.testing.assert_allclose(limits(graph), [1, 1200 * (6 / 1200) ** 0.5 / 7], rtol=1e-2)

    def test_a_named_initializer_stays(self, tmp_path):
        net = cynn.Network([cynn.Input(5), cynn.Dense(4, "sine", initializer="glorot_uniform")], seed=2)
        expected = initial_weights("glorot_uniform", 5, 4, 2, 0).astype(np.float32)
        np.testing.assert_array_equal(net.layers[0].weights, expected)
        net.save(tmp_path / "net.safetensors")
        config = cynn.load(tmp_path / "net.safetensors").get_config()
        np.testing.assert_array_equal(cynn.Network.from_config(config).layers[0].weights, expected)

    def test_a_network_of_sines_learns_a_signal(self):
        """From glorot, it ends at a test error near the spread of the signal itself."""
        x, between = np.linspace(-1, 1, 200)[:, None], np.linspace(-0.99, 0.99, 151)[:, None]

        def signal(x):
            return np.sin(10 * x) + 0.5 * np.cos(25 * x)

        net = cynn.Network.mlp([1, 64, 64, 1], activation="sine", seed=0)
        net.fit(x, signal(x), optimizer=cynn.optimizers.Adam(1e-4), epochs=300, progress=False)
        assert net.evaluate(between, signal(between))["loss"] < 1e-2
