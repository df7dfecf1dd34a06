"""Factors of the learning rate, and weight decay of some parameters alone, in every optimizer."""

import copy
import pickle

import numpy as np
import pytest

import cynn
from cynn import BatchNorm, Dense, Embedding, Input, LayerNorm, Network, PReLU, RMSNorm
from cynn.errors import InvalidParameterError
from cynn.layers import GLU, Maxout
from cynn.optimizers import SGD, AdamW

X, Y = np.random.default_rng(0).normal(size=(2, 48, 3))
FACTORS = {"learning_rate_factor": 0.25, "bias_learning_rate_factor": 0.5}
DECAYING = ["adamw", "adan", "lamb", "lion", "muon", "schedule_free_adamw", "sgd"]


def network(dtype="float64", **options):
    return Network([Input(3), Dense(4, "tanh", **options), Dense(3)], seed=0, dtype=dtype)


def moved(net, optimizer, *, epochs=1, batch_size=48, **options):
    """By how much one step moves each parameter, by name."""
    before = [array.copy() for _, array in cynn.layers.arrays(net.layers)]
    options = {"shuffle": False, **options}
    net.fit(X, Y, optimizer=optimizer, epochs=epochs, batch_size=batch_size, **options)
    return {n: array - old for (n, array), old in zip(cynn.layers.arrays(net.layers), before, strict=True)}


def close(first, second, dtype="float64"):
    rtol, atol = (1e-9, 1e-12) if dtype == "float64" else (2e-3, 1e-7)
    np.testing.assert_allclose(first, second, rtol=rtol, atol=atol)


class Signs(cynn.optimizers.Optimizer):
    """A step in Python, with a decay."""

    name = "signs"
    n_slots = 1
    weight_decay: float = cynn.hyperparameter(default=0.0, minimum=0)

    def step(self, w, grad, slots, learning_rate, t):
        slots[0] += 1
        w -= learning_rate * (np.sign(grad) + self.weight_decay * w)


class TestTheFactor:
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"momentum": 0.5},
            {"momentum": 0.5, "nesterov": True, "weight_decay": 0.1},
            {"clipnorm": 0.01},
            {"clipvalue": 0.01},
            {"global_clipnorm": 0.01},
            {"use_ema": True, "ema_momentum": 0.5},
            {"weight_decay": 0.1},
            {"gradient_accumulation_steps": 2},
        ],
    )
    def test_the_first_step_of_sgd(self, dtype, options):
        """It is proportional to the rate, on every way that leads to it."""
        batch_size = 48 // options.get("gradient_accumulation_steps", 1)
        plain = moved(network(dtype), SGD(0.125, **options), batch_size=batch_size)
        found = moved(network(dtype, **FACTORS), SGD(0.125, **options), batch_size=batch_size)
        close(found["layers.0.weights"], 0.25 * plain["layers.0.weights"], dtype)
        close(found["layers.0.biases"], 0.5 * plain["layers.0.biases"], dtype)
        np.testing.assert_array_equal(found["layers.1.weights"], plain["layers.1.weights"])

    @pytest.mark.parametrize("name", cynn.registry.optimizers.names())
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_every_optimizer_steps_as_with_another_rate(self, name, dtype):
        net, slow = network(dtype, **FACTORS), network(dtype)
        rate = cynn.registry.optimizers.get(name).learning_rate
        found = moved(net, name)
        expected = moved(slow, cynn.registry.optimizers.get(name, learning_rate=0.25 * rate))
        np.testing.assert_array_equal(found["layers.0.weights"], expected["layers.0.weights"])
        expected = moved(network(dtype), cynn.registry.optimizers.get(name, learning_rate=0.5 * rate))
        np.testing.assert_array_equal(found["layers.0.biases"], expected["layers.0.biases"])
        np.testing.assert_array_equal(found["layers.1.weights"], moved(network(dtype), name)["layers.1.weights"])

    def test_a_step_in_python(self):
        found = moved(network(**FACTORS), Signs(learning_rate=0.5))
        assert set(np.abs(found["layers.0.weights"]).ravel().round(9)) == {0.125}
        assert set(np.abs(found["layers.0.biases"]).ravel().round(9)) == {0.25}
        assert set(np.abs(found["layers.1.weights"]).ravel().round(9)) == {0.5}

    @pytest.mark.parametrize("n_threads", [1, 2])
    def test_of_wide_layers_in_blocks_and_parts(self, n_threads):
        x, y = np.random.default_rng(1).normal(size=(2, 256, 300))

        def trained(**options):
            net = Network([Input(300), Dense(96, "tanh", **options), Dense(300)], seed=0, dtype="float64")
            before = net.layers[0].weights.copy()
            net.fit(x, y, optimizer=SGD(0.1), batch_size=256, epochs=1, n_threads=n_threads)
            return net.layers[0].weights - before

        close(trained(learning_rate_factor=0.25), 0.25 * trained())

    @pytest.mark.parametrize(
        "layer",
        [
            lambda **o: Dense(3, **o),
            lambda **o: GLU(3, **o),
            lambda **o: Maxout(3, **o),
            lambda **o: BatchNorm(**o),
            lambda **o: LayerNorm(**o),
            lambda **o: RMSNorm(**o),
            lambda **o: PReLU(**o),
        ],
    )
    def test_every_layer_with_parameters(self, layer):
        def trained(**options):
            return moved(Network([Input(3), Dense(3), layer(**options), Dense(3)], seed=0, dtype="float64"), SGD(0.1))

        plain, found = trained(), trained(learning_rate_factor=0.25)
        assert plain.keys() == found.keys()
        for name, step in plain.items():
            factor = 0.25 if name.startswith("layers.1.") and "moving" not in name else 1
            close(found[name], factor * step)
            assert "moving" in name or np.abs(step).max() > 0

    def test_an_embedding(self):
        def trained(**options):
            net = Network([Input(3), Embedding(2, 2, **options), Dense(3)], seed=0, dtype="float64")
            before = net.layers[0].weights.copy()
            net.fit(np.abs(np.sign(X)), Y, optimizer=SGD(0.1), batch_size=48, epochs=1)
            return net.layers[0].weights - before

        close(trained(learning_rate_factor=0.25), 0.25 * trained())

    def test_within_other_layers(self):
        def trained(**options):
            inner = cynn.Residual([Dense(3, "tanh", **options)])
            return moved(Network([Input(3), inner, Dense(3)], seed=0, dtype="float64"), SGD(0.1))

        plain, found = trained(), trained(**FACTORS)
        close(found["layers.0.layers.0.weights"], 0.25 * plain["layers.0.layers.0.weights"])
        close(found["layers.0.layers.0.biases"], 0.5 * plain["layers.0.layers.0.biases"])

    def test_a_bias_follows_its_layer(self):
        plain, found = moved(network(), SGD(0.1)), moved(network(learning_rate_factor=3), SGD(0.1))
        close(found["layers.0.biases"], 3 * plain["layers.0.biases"])

    def test_train_batch(self):
        nets = [network(), network(**FACTORS)]
        before = nets[0].layers[0].biases.copy()
        for net in nets:
            net.train_batch(X, Y, optimizer=SGD(0.1))
        close(nets[1].layers[0].biases - before, 0.5 * (nets[0].layers[0].biases - before))

    def test_it_is_described_saved_and_pickled(self, tmp_path):
        net = network(**FACTORS)
        assert net.layers[0].get_config()["bias_learning_rate_factor"] == 0.5
        assert "learning_rate_factor=0.25, bias_learning_rate_factor=0.5" in repr(net.layers[0])
        assert "learning_rate_factor" not in repr(net.layers[1])
        net.save(tmp_path / "net.safetensors")
        expected = moved(network(**FACTORS), AdamW())
        for same in (
            cynn.load(tmp_path / "net.safetensors"), pickle.loads(pickle.dumps(net)), copy.deepcopy(net),
            Network.from_config(net.get_config()),
        ):  # fmt: skip
            found = moved(same, AdamW())
            for name, step in expected.items():
                np.testing.assert_array_equal(found[name], step)

    @pytest.mark.parametrize("optimizer", [AdamW(0.01, weight_decay=0.1, decay_biases=False), Signs()])
    def test_a_training_goes_on(self, tmp_path, optimizer):
        if isinstance(optimizer, Signs) and "signs" not in cynn.registry.optimizers.names():
            cynn.registry.optimizers.register(Signs)
        path = str(tmp_path / "checkpoint.safetensors")

        def trained(epochs, **options):
            net = network(**FACTORS)
            net.fit(X, Y, optimizer=copy.deepcopy(optimizer), epochs=epochs, batch_size=16, **options)
            return net.get_weights()

        trained(2, callbacks=[cynn.callbacks.Checkpoint(path)])
        for found, expected in zip(trained(4, resume=path), trained(4), strict=True):
            np.testing.assert_array_equal(found, expected)

    @pytest.mark.parametrize("value", [0, -1, np.nan, np.inf, "1", True])
    @pytest.mark.parametrize("name", ["learning_rate_factor", "bias_learning_rate_factor"])
    def test_what_is_no_factor(self, name, value):
        with pytest.raises(InvalidParameterError, match=f"'{name}' parameter of Dense must be a finite number > 0"):
            Dense(3, **{name: value})

    def test_what_the_dtype_does_not_hold(self):
        with pytest.raises(InvalidParameterError, match="number that float32 holds"):
            network("float32", learning_rate_factor=1e-60)

    def test_a_parameter_that_declares_one(self):
        class Slow(Dense):
            name = "slow_dense"
            biases = cynn.layers.Parameter(learning_rate_factor=0.5, decays=False)

        def trained(cls, optimizer):
            net = Network([Input(3), cls(4, "tanh", learning_rate_factor=0.5), Dense(3)], seed=0, dtype="float64")
            net.layers[0].biases = [1, 2, 3, 4]
            return moved(net, optimizer)["layers.0.biases"]

        close(trained(Slow, SGD(0.1)), 0.5 * trained(Dense, SGD(0.1)))
        close(trained(Slow, SGD(0.1, weight_decay=0.5)), trained(Slow, SGD(0.1)))


def decayed(name, dtype="float64", layers=None, **options):
    """How the steps of an optimizer differ with a decay of 0.5."""
    found = []
    for decay in (0.0, 0.5):
        net = Network(layers or [Input(3), Dense(4, "tanh"), Dense(3)], seed=0, dtype=dtype)
        for _, array in cynn.layers.arrays(net.layers):
            if array.ndim == 1:
                array[...] = np.linspace(0.5, 1.5, array.size)
        found.append(moved(net, cynn.registry.optimizers.get(name, weight_decay=decay, learning_rate=0.01, **options)))
    return {name: np.abs(found[1][name] - step).max() for name, step in found[0].items()}


class TestWeightDecay:
    def test_these_optimizers_have_it(self):
        optimizers = cynn.registry.optimizers
        assert [name for name in optimizers.names() if hasattr(optimizers.find(name), "weight_decay")] == DECAYING

    @pytest.mark.parametrize("name", DECAYING)
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_biases_are_kept_from_it(self, name, dtype):
        with_biases, without = decayed(name, dtype), decayed(name, dtype, decay_biases=False)
        for parameter, difference in without.items():
            assert with_biases[parameter] > 1e-5
            assert (difference > 1e-5) == parameter.endswith("weights"), parameter

    def test_so_are_normalizations_and_slopes(self):
        layers = [Input(3), BatchNorm(), LayerNorm(), RMSNorm(), PReLU(), Dense(3)]
        found = decayed("adamw", layers=layers, decay_biases=False)
        assert [name for name, difference in found.items() if difference > 1e-5] == ["layers.4.weights"]

    def test_of_a_step_in_python(self):
        plain, kept, of_all = (
            moved(network(), Signs(0.1, decay, **options))
            for decay, options in [(0.0, {}), (0.5, {"decay_biases": False}), (0.5, {})]
        )
        for name in plain:
            assert (np.abs(kept[name] - plain[name]).max() > 0) == name.endswith("weights")
            if name.endswith("weights"):
                np.testing.assert_array_equal(kept[name], of_all[name])

    @pytest.mark.parametrize("options", [{}, {"clipnorm": 0.1}, {"gradient_accumulation_steps": 2}, {"momentum": 0.9}])
    def test_on_every_way_to_a_step(self, options):
        found = decayed("sgd", decay_biases=False, **options)
        assert found["layers.0.weights"] > 1e-5
        assert found["layers.0.biases"] == 0

    def test_it_goes_into_the_description(self):
        optimizer = AdamW(decay_biases=False)
        assert optimizer.get_config()["decay_biases"] is False
        assert cynn.registry.optimizers.get(optimizer.get_config()) == optimizer != AdamW()
