"""Networks: what is known of them beforehand, and what one may do with them."""

import copy
import itertools
import pickle

import helpers
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cynn
from cynn import Dense, Input, Network
from cynn.errors import CynnError, InvalidParameterError, ShapeError, UnknownNameError

SIZES = st.lists(st.integers(1, 30), min_size=2, max_size=6)
ACTIVATIONS = ["identity", "sigmoid", "tanh", "relu", "leaky_relu", "softmax"]


class TestKnownFacts:
    def test_the_network_of_the_lecture_has_13002_weights_and_biases(self):
        net = Network.mlp([784, 16, 16, 10], activation="sigmoid", output="softmax", seed=0)
        assert net.parameter_count == 13_002

    @given(SIZES)
    def test_the_count_is_the_sum_of_inputs_plus_one_times_units(self, sizes):
        net = Network.mlp(sizes, seed=0)
        assert net.parameter_count == sum((n_in + 1) * n_out for n_in, n_out in itertools.pairwise(sizes))
        assert [layer.weights.shape for layer in net.layers] == list(itertools.pairwise(sizes))
        assert [layer.biases.shape for layer in net.layers] == [(n,) for n in sizes[1:]]

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_and_or_and_xor_worked_out_on_paper(self, dtype):
        """Two threshold units, or and and, and their difference: exclusive or."""
        net = Network([Input(2), Dense(2, "relu"), Dense(1)], dtype=dtype)
        net.layers[0].weights = [[1, 1], [1, 1]]
        net.layers[0].biases = [0, -1]
        net.layers[1].weights = [[1], [-2]]
        x = [[0, 0], [0, 1], [1, 0], [1, 1]]
        assert net.activations(x)[1].tolist() == [[0, 0], [1, 0], [1, 0], [2, 1]]
        assert net.predict(x).ravel().tolist() == [0, 1, 1, 0]

    def test_a_sigmoid_and_a_softmax_worked_out_on_paper(self):
        net = Network([Input(1), Dense(1, "sigmoid"), Dense(2, "softmax")], dtype="float64")
        net.layers[0].weights, net.layers[0].biases = [[np.log(3)]], [0]
        net.layers[1].weights, net.layers[1].biases = [[4 * np.log(2), 0]], [0, 0]
        # σ(log 3) = 3/4; then exp(3 log 2) = 8 against 1
        _, a, p = net.activations([[1.0]])
        np.testing.assert_allclose(a, [[0.75]], rtol=1e-15)
        np.testing.assert_allclose(p, [[8 / 9, 1 / 9]], rtol=1e-14)
        assert net.evaluate([[1.0]], [0])["loss"] == pytest.approx(np.log(9 / 8), rel=1e-13)

    def test_biases_start_at_zero_and_weights_do_not(self):
        net = Network.mlp([30, 20, 10], seed=0)
        assert all((layer.biases == 0).all() and (layer.weights != 0).all() for layer in net.layers)


class TestInitialWeights:
    @pytest.mark.parametrize(
        ("scheme", "variance"), [("glorot", 2 / 500), ("he", 2 / 300), ("lecun", 1 / 300)]
    )
    @pytest.mark.parametrize("distribution", ["uniform", "normal"])
    def test_variance(self, scheme, variance, distribution):
        layer = Dense(200, initializer=f"{scheme}_{distribution}")
        W = Network([Input(300), layer], seed=3, dtype="float64").layers[0].weights
        assert abs(W.mean()) < 4 * np.sqrt(variance / W.size)
        assert W.var() == pytest.approx(variance, rel=0.03)
        if distribution == "uniform":
            assert np.abs(W).max() <= np.sqrt(3 * variance)

    def test_seeds(self):
        weights = [Network.mlp([5, 4, 4], seed=seed).layers[1].weights for seed in (0, 0, 1)]
        assert (weights[0] == weights[1]).all()
        assert (weights[0] != weights[2]).all()

    def test_layers_of_one_network_differ(self):
        net = Network.mlp([6, 6, 6], seed=0)
        assert (net.layers[0].weights != net.layers[1].weights).all()

    def test_without_a_seed_each_network_is_another_and_says_its_seed(self):
        first, second = Network.mlp([5, 4]), Network.mlp([5, 4])
        assert first.seed != second.seed
        again = Network.mlp([5, 4], seed=first.seed)
        assert (again.layers[0].weights == first.layers[0].weights).all()

    def test_the_default_is_what_the_activation_likes(self):
        by_default = Network([Input(9), Dense(9, "relu")], seed=0)
        by_name = Network([Input(9), Dense(9, "relu", initializer="he_uniform")], seed=0)
        assert (by_default.layers[0].weights == by_name.layers[0].weights).all()

    def test_an_unknown_one(self):
        with pytest.raises(UnknownNameError, match=r"no initializer named 'he_unifrom'.*'he_uniform'"):
            Dense(3, initializer="he_unifrom")


class TestComposing:
    def test_by_name_instance_class_and_configuration(self):
        leaky = cynn.activations.LeakyReLU(0.2)
        for given_ in ("leaky_relu", leaky, cynn.activations.LeakyReLU, leaky.get_config()):
            layer = Dense(3, given_)
            assert isinstance(layer.activation, cynn.activations.LeakyReLU)
        assert Dense(3, leaky.get_config()).activation == leaky

    @pytest.mark.parametrize("layers", [[], [Input(3)], [Dense(3)], [Dense(3), Input(3)], 5, None, "ab"])
    def test_what_is_no_chain(self, layers):
        with pytest.raises(InvalidParameterError, match="must be a list of an Input and one or more layers"):
            Network(layers)

    @pytest.mark.parametrize("units", [0, -1, 2.5, "3", None, True, 2**31])
    def test_units(self, units):
        for make in (Input, Dense):
            with pytest.raises(InvalidParameterError, match=r"'units' parameter of \w+ must be a whole"):
                make(units)

    @pytest.mark.parametrize("sizes", [[], [3], "34", 7, None, iter([3])])
    def test_sizes(self, sizes):
        with pytest.raises(InvalidParameterError, match="must be a list of at least two sizes"):
            Network.mlp(sizes)

    def test_sizes_may_be_any_iterable(self):
        assert Network.mlp(iter([3, 2])).parameter_count == Network.mlp(np.array([3, 2])).parameter_count == 8

    @pytest.mark.parametrize("dtype", ["float16", "int64", None, 3])
    def test_dtype(self, dtype):
        with pytest.raises(InvalidParameterError, match="'dtype' parameter of Network must be 'float32' or"):
            Network.mlp([2, 1], dtype=dtype)

    def test_dtype_may_be_numpys(self):
        assert Network.mlp([2, 1], dtype=np.float64).dtype == "float64"
        assert Network.mlp([2, 1], dtype=np.dtype("float32")).dtype == "float32"

    @pytest.mark.parametrize("seed", [-1, 2**64, 1.5, "0", True])
    def test_seed(self, seed):
        with pytest.raises(InvalidParameterError, match="'seed' parameter"):
            Network.mlp([2, 1], seed=seed)

    @pytest.mark.parametrize("scale", [float("nan"), float("inf"), "1", None, 10**400])
    def test_scale(self, scale):
        with pytest.raises(InvalidParameterError, match="'scale' parameter of Input must be a finite number"):
            Input(3, scale=scale)

    def test_descriptions_can_be_used_again(self):
        layers = [Input(3), Dense(4, "tanh"), Dense(4, "tanh"), Dense(2)]
        first, second = Network(layers, seed=0), Network(layers, seed=1)
        shared = Dense(3, "tanh")
        twice = Network([Input(3), shared, shared], seed=0)
        assert (first.layers[0].weights != second.layers[0].weights).all()
        assert not np.shares_memory(twice.layers[0].weights, twice.layers[1].weights)
        with pytest.raises(CynnError, match="A layer must be in a network to have weights"):
            layers[1].weights  # noqa: B018  # the property raises

    def test_the_layers_of_a_network_can_be_used_again(self):
        first = Network.mlp([3, 4, 2], seed=0)
        second = Network([first.input, *first.layers], seed=1)
        before = helpers.raw(first)
        second.fit(np.ones((4, 3)), np.ones((4, 2)), epochs=2)
        assert helpers.same_bits(before, helpers.raw(first))


class TestWeights:
    def test_they_are_live(self):
        net = Network.mlp([2, 2], seed=0)
        W = net.layers[0].weights
        W[...] = np.eye(2)
        net.layers[0].biases[0] = 5
        assert net.predict([1.0, 2.0]).tolist() == [6, 2]
        net.fit([[1.0, 2.0]], [[0.0, 0.0]], epochs=1)
        assert (np.eye(2) != W).any()
        assert W is net.layers[0].weights

    def test_they_can_be_assigned(self):
        net = Network.mlp([2, 2], seed=0)
        W = net.layers[0].weights
        net.layers[0].weights = [[1, 2], [3, 4]]
        assert W.tolist() == [[1, 2], [3, 4]]
        assert W.dtype == np.float32

    @pytest.mark.parametrize("shape", [(2,), (3, 2), (2, 3), (2, 2, 1), ()])
    def test_of_a_wrong_shape(self, shape):
        with pytest.raises(ShapeError, match=r"weights of this layer must have the shape \(2, 2\)\. Got \("):
            Network.mlp([2, 2], seed=0).layers[0].weights = np.zeros(shape)

    @pytest.mark.parametrize("value", ["words", [[1, 2], [3]], [["a", "b"], ["c", "d"]], None])
    def test_that_are_no_numbers(self, value):
        with pytest.raises(CynnError, match="weights of"):
            Network.mlp([2, 2], seed=0).layers[0].weights = value


class TestOutputs:
    def test_one_row(self):
        net = Network.mlp([4, 3, 2], seed=0)
        x = helpers.inputs(5, 4, "float32")
        assert net.predict(x[0]).shape == (2,)
        assert [a.shape for a in net.activations(x[0])] == [(4,), (3,), (2,)]
        np.testing.assert_allclose(net.predict(x[0]), net.predict(x)[0], rtol=1e-5)

    def test_no_rows(self):
        net = Network.mlp([4, 3, 2], seed=0)
        assert net.predict(np.zeros((0, 4))).shape == (0, 2)
        assert [a.shape for a in net.activations(np.zeros((0, 4)))] == [(0, 4), (0, 3), (0, 2)]

    def test_out(self):
        net, x = Network.mlp([4, 3, 2], seed=0), helpers.inputs(70, 4)
        out = np.empty((70, 2), np.float32)
        assert net.predict(x, out=out) is out
        assert (out == net.predict(x)).all()
        one = np.empty(2, np.float32)
        assert net.predict(x[0], out=one) is one

    @pytest.mark.parametrize(
        "out",
        [
            np.empty((3, 2)),
            np.empty((2, 2), np.float32),
            np.empty((3, 2), np.float32, order="F"),
            np.empty((3, 4), np.float32)[:, ::2],
            np.broadcast_to(np.float32(0), (3, 2)),
            [[0, 0]] * 3,
        ],
    )
    def test_out_that_does_not_fit(self, out):
        with pytest.raises(ShapeError, match=r"out must be .*\. Got "):
            Network.mlp([4, 2], seed=0).predict(np.zeros((3, 4)), out=out)

    def test_rows_do_not_influence_each_other(self):
        net, x = Network.mlp([4, 30, 2], seed=0), helpers.inputs(200, 4)
        some = net.predict(x)[:64]
        x[64:] = 1e30
        assert (net.predict(x)[:64] == some).all()

    def test_evaluate_with_metrics(self):
        net = Network([Input(1), Dense(1)], dtype="float64")
        net.layers[0].weights = [[1.0]]
        figures = net.evaluate(
            [[1.0], [2.0], [3.0]],
            [1.0, 2.0, 5.0],
            loss="mean_absolute_error",
            metrics=["mse", "mean_absolute_error", lambda y, p: np.max(np.abs(y - p))],
        )
        expected = {"loss": 2 / 3, "mse": 4 / 3, "mean_absolute_error": 2 / 3, "<lambda>": 2.0}
        assert figures == pytest.approx(expected)

    def test_accuracy(self):
        net = Network([Input(3), Dense(3, "softmax")], dtype="float64")
        net.layers[0].weights = np.eye(3)
        x, y = np.eye(3)[[0, 1, 2, 2]], np.array([0, 1, 1, 2])
        assert net.evaluate(x, y, metrics="accuracy")["accuracy"] == 0.75
        assert net.evaluate(x, np.eye(3)[y], metrics="accuracy")["accuracy"] == 0.75

    def test_accuracy_of_one_output(self):
        net = Network([Input(1), Dense(1, "sigmoid")], dtype="float64")
        net.layers[0].weights = [[1.0]]
        assert net.evaluate([[-1.0], [1.0], [2.0]], [0, 1, 0], metrics="accuracy")["accuracy"] == 2 / 3

    @pytest.mark.parametrize("metrics", [5, [5], [None]])
    def test_what_is_no_metric(self, metrics):
        with pytest.raises(InvalidParameterError, match="metric"):
            Network.mlp([1, 1], seed=0).evaluate([[1.0]], [[1.0]], metrics=metrics)

    def test_an_unknown_metric(self):
        with pytest.raises(UnknownNameError, match=r"no metric named 'acuracy'.*'accuracy'"):
            Network.mlp([1, 1], seed=0).evaluate([[1.0]], [[1.0]], metrics=["acuracy"])


class TestDescriptions:
    def test_summary(self):
        lines = Network.mlp([784, 16, 10], output="softmax").summary().splitlines()
        assert lines[0].split() == ["layer", "activation", "inputs", "units", "parameters"]
        assert lines[3].split() == ["dense", "relu", "784", "16", "12,560"]
        assert lines[-1].split() == ["total", "12,730"]
        assert all(len(line) == len(lines[0]) for line in lines)

    @given(
        SIZES,
        st.sampled_from(ACTIVATIONS),
        st.sampled_from(["float32", "float64"]),
        st.integers(0, 2**64 - 1),
    )
    def test_the_configuration_makes_an_equal_network(self, sizes, activation, dtype, seed):
        net = Network.mlp(sizes, activation=activation, output=activation, dtype=dtype, seed=seed)
        again = Network.from_config(net.get_config())
        assert again.get_config() == net.get_config()
        assert helpers.same_bits(helpers.raw(again), helpers.raw(net))

    @given(SIZES, st.sampled_from(ACTIVATIONS))
    def test_the_repr_makes_an_equal_network(self, sizes, activation):
        net = Network.mlp(sizes, activation=activation, seed=1, input_scale=0.1)
        names = {"Network": Network, "Input": Input, "Dense": Dense, **vars(cynn.activations)}
        assert eval(repr(net), names).get_config() == net.get_config()

    def test_the_repr_of_layers(self):
        assert repr(Input(3, offset=1)) == "Input(3, offset=1.0)"
        assert repr(Dense(3, "relu", initializer="lecun_normal")) == (
            "Dense(3, activation=ReLU(), initializer='lecun_normal')"
        )

    def test_a_layer_that_is_none(self):
        with pytest.raises(UnknownNameError, match="no layer named"):
            cynn.layers.from_config({"layer": "conv"})
        for config in ({}, {"layer": None}):
            with pytest.raises(InvalidParameterError, match="must name its kind"):
                cynn.layers.from_config(config)


class TestCopies:
    @pytest.mark.parametrize("duplicate", [lambda net: pickle.loads(pickle.dumps(net)), copy.deepcopy])
    def test_a_copy_goes_on_as_the_original_does(self, duplicate):
        x, y = helpers.blobs()
        net = helpers.classifier()
        net.fit(x, y, optimizer="adam", epochs=2)
        other = duplicate(net)
        assert helpers.same_bits(helpers.raw(net), helpers.raw(other))
        assert other.history.history == net.history.history
        net.fit(x, y, epochs=2)
        before = helpers.digest(other)
        other.fit(x, y, epochs=2)
        assert helpers.digest(other) == helpers.digest(net) != before

    def test_of_a_network_with_an_activation_that_no_registry_knows(self):
        net = Network([Input(2), Dense(2, Doubled())], seed=0)
        assert (pickle.loads(pickle.dumps(net)).predict([[1.0, 2.0]]) == net.predict([[1.0, 2.0]])).all()

    def test_of_a_subclass_with_arguments_of_its_own(self):
        class OfWidth(Network):
            def __init__(self, units):
                super().__init__([Input(1), Dense(units)], seed=0)

        net = OfWidth(3)
        other = copy.deepcopy(net)
        assert type(other) is OfWidth
        assert (other.predict([[1.0]]) == net.predict([[1.0]])).all()


class Doubled(cynn.activations.Activation):
    name = "doubled"

    def forward(self, z):
        return 2 * z

    def backward(self, z, a, grad):
        return 2 * grad
