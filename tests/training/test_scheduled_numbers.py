"""Schedules of what is no learning rate: of dropout, of noise, of weight decay."""

import pickle
from typing import ClassVar

import numpy as np
import pytest

import cynn
from cynn import AlphaDropout, Dense, Dropout, GaussianNoise, Input, Network
from cynn.errors import InvalidParameterError
from cynn.optimizers import SGD, AdamW
from cynn.schedules import FlatCosine, ReduceOnPlateau, Schedule, StepDecay, WarmUp

X, Y = np.random.default_rng(0).normal(size=(2, 40, 3))
HALVED = StepDecay(0.4, decay_steps=4, decay_rate=0.5)


def network(*layers, dtype="float64"):
    return Network([Input(3), Dense(8, "tanh"), *layers, Dense(3)], seed=0, dtype=dtype)


def fitted(net, optimizer, epochs=2, **options):
    options = {"batch_size": 10, "progress": False, **options}
    net.fit(X, Y, optimizer=optimizer, epochs=epochs, **options)
    return net


def weights(net):
    return np.concatenate([array.ravel() for array in net.get_weights()])


class Recorded(Schedule):
    """What a schedule is asked for."""

    name = "recorded"

    def __init__(self, rate=0.25):
        self.rate = rate

    asked: ClassVar[list[tuple[float, ...]]] = []

    def at(self, steps, total_steps):
        self.asked.append((*steps, total_steps))
        return np.full(len(steps), self.rate)


class TestDropout:
    @pytest.mark.parametrize("layer", [Dropout, AlphaDropout, GaussianNoise])
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_a_schedule_that_stays_is_a_number(self, layer, dtype):
        expected = weights(fitted(network(layer(0.25), dtype=dtype), SGD(0.1)))
        found = weights(fitted(network(layer(cynn.schedules.Constant(0.25)), dtype=dtype), SGD(0.1)))
        np.testing.assert_array_equal(found, expected)
        assert not np.array_equal(expected, weights(fitted(network(dtype=dtype), SGD(0.1))))

    @pytest.mark.parametrize("layer", [Dropout, AlphaDropout, GaussianNoise])
    def test_each_step_has_the_rate_of_its_number(self, layer):
        """An epoch of four steps at 0.4, then one at 0.2, as if two networks had been trained in turn."""
        net = fitted(network(layer(HALVED)), SGD(0.1))
        first = fitted(network(layer(0.4)), SGD(0.1), epochs=1)
        second = network(layer(0.2))
        second.set_weights(first.get_weights())
        second.epochs_trained = 1
        np.testing.assert_array_equal(weights(fitted(second, SGD(0.1), epochs=1)), weights(net))

    def test_steps_of_many_epochs_and_of_batches_one_by_one(self):
        net = network(Dropout(HALVED))
        optimizer = SGD(0.1)
        for _ in range(2):
            for begin in range(0, 40, 10):
                net.train_batch(X[begin : begin + 10], Y[begin : begin + 10], optimizer=optimizer)
        batches = [(X[begin : begin + 10], Y[begin : begin + 10]) for begin in range(0, 40, 10)]
        of_generator = network(Dropout(Recorded()))
        Recorded.asked.clear()
        of_generator.fit(batches, optimizer=SGD(0.1), epochs=2)
        # the first question is for the layer as it is built
        assert [(asked[0], asked[-1]) for asked in Recorded.asked] == [(k, 8) for k in range(8)]
        drawn = network(Dropout(0.25))
        drawn.fit(batches, optimizer=SGD(0.1), epochs=2)
        np.testing.assert_array_equal(weights(drawn), weights(of_generator))

    def test_accumulated_batches_are_of_one_step(self):
        Recorded.asked.clear()
        net = network(Dropout(Recorded()))
        Recorded.asked.clear()
        fitted(net, SGD(0.1, gradient_accumulation_steps=2), epochs=2)
        assert Recorded.asked == [(0, 1, 4), (2, 3, 4)]

    def test_short_epochs_have_their_own_rates(self):
        """Which are trained many at a time only where nothing changes between them."""
        x, y = X[:4], Y[:4]
        net, step_by_step = network(Dropout(FlatCosine(0.5))), network(Dropout(FlatCosine(0.5, 50)))
        net.fit(x, y, optimizer=SGD(0.1), epochs=50, batch_size=4, shuffle=False)
        step_by_step.fit(
            x, y, optimizer=SGD(0.1), epochs=50, batch_size=4, shuffle=False, callbacks=[cynn.callbacks.Timer()]
        )
        np.testing.assert_array_equal(weights(net), weights(step_by_step))

    def test_it_goes_on_from_a_checkpoint(self, tmp_path):
        path = str(tmp_path / "checkpoint.safetensors")
        optimizer = {"name": "adamw", "weight_decay": FlatCosine(0.5).get_config()}
        expected = weights(fitted(network(Dropout(FlatCosine(0.5))), optimizer, epochs=4))

        class Stopped(Exception):
            pass

        def transform(x, y, generator):
            if transform.left == 0:
                raise Stopped
            transform.left -= 1
            return x, y

        options = {"epochs": 4, "transform": transform}
        transform.left = 10
        with pytest.raises(Stopped):
            fitted(
                network(Dropout(FlatCosine(0.5))), optimizer,
                callbacks=[cynn.callbacks.Checkpoint(path, every_steps=1)], **options,
            )  # fmt: skip
        transform.left = 100
        found = fitted(network(Dropout(FlatCosine(0.5))), optimizer, resume=path, **options)
        np.testing.assert_array_equal(weights(found), expected)
        with pytest.raises(InvalidParameterError, match="epochs must be 4"):
            fitted(network(Dropout(FlatCosine(0.5))), optimizer, resume=path, **options | {"epochs": 5})

    def test_it_is_saved_and_pickled(self, tmp_path):
        net = network(Dropout(FlatCosine(0.5)))
        net.save(tmp_path / "net.safetensors")
        expected = weights(fitted(network(Dropout(FlatCosine(0.5))), SGD(0.1)))
        for same in (cynn.load(tmp_path / "net.safetensors"), pickle.loads(pickle.dumps(net))):
            assert same.layers[1].rate == FlatCosine(0.5)
            np.testing.assert_array_equal(weights(fitted(same, SGD(0.1))), expected)

    def test_gradients_are_those_of_the_first_step(self):
        found = network(Dropout(FlatCosine(0.5))).gradients(X, Y)
        for pair, expected in zip(found, network(Dropout(0.5)).gradients(X, Y), strict=True):
            np.testing.assert_array_equal(pair[0], expected[0])

    @pytest.mark.parametrize("layer", [Dropout, AlphaDropout])
    @pytest.mark.parametrize("value", [1, -0.1, np.nan, "0.5", None, {"name": 3}])
    def test_what_is_no_rate(self, layer, value):
        words = f"'rate' parameter of {layer.__name__} must be a finite number >= 0 and < 1, a schedule or its config"
        with pytest.raises(InvalidParameterError, match=words):
            layer(value)

    def test_a_rate_that_becomes_1(self):
        net = network(Dropout(WarmUp(cynn.schedules.Constant(1), warmup_steps=3)))
        before = weights(net)
        with pytest.raises(InvalidParameterError, match=r"'rate' parameter of Dropout must be < 1 at every.*step 2"):
            fitted(net, SGD(0.1))
        np.testing.assert_array_equal(weights(net), before)

    def test_a_schedule_that_follows_a_figure(self):
        for make in (Dropout, lambda schedule: AdamW(weight_decay=schedule)):
            with pytest.raises(InvalidParameterError, match="follows the step alone"):
                make(ReduceOnPlateau(0.1, monitor="loss"))
            make(WarmUp(0.1, warmup_steps=2))

    def test_how_many_steps_there_will_be(self):
        with pytest.raises(InvalidParameterError, match="'decay_steps' parameter of FlatCosine must be given"):
            network(Dropout(FlatCosine(0.5))).train_batch(X, Y)


class Decaying(cynn.optimizers.Optimizer):
    name = "decaying"
    weight_decay: float = cynn.hyperparameter(default=0.0, minimum=0)

    def step(self, w, grad, slots, learning_rate, t):
        w -= self.weight_decay * w


class TestWeightDecay:
    @pytest.mark.parametrize("name", ["adamw", "adan", "lamb", "lion", "muon", "schedule_free_adamw", "sgd"])
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_a_schedule_that_stays_is_a_number(self, name, dtype):
        optimizers = [
            cynn.registry.optimizers.get(name, weight_decay=decay) for decay in (0.25, cynn.schedules.Constant(0.25))
        ]
        nets = [fitted(network(dtype=dtype), optimizer) for optimizer in optimizers]
        np.testing.assert_array_equal(weights(nets[0]), weights(nets[1]))

    @pytest.mark.parametrize("options", [{}, {"momentum": 0.5}, {"clipnorm": 0.1}])
    def test_each_step_has_its_own(self, options):
        net = fitted(network(), SGD(0.1, weight_decay=HALVED, **options), shuffle=False)
        by_hand = network()
        state = None
        for step in range(8):
            optimizer = SGD(0.1, weight_decay=0.4 if step < 4 else 0.2, **options)
            place = slice(step % 4 * 10, step % 4 * 10 + 10)
            if state is not None:
                state.optimizer = optimizer
                state.settings.decay_place = optimizer.decay_place
                by_hand._optimizer_state = state
            by_hand.train_batch(X[place], Y[place], optimizer=optimizer)
            state = by_hand._optimizer_state
        np.testing.assert_allclose(weights(net), weights(by_hand), rtol=1e-12)

    def test_in_python(self):
        net = network()
        before = weights(net)
        fitted(net, Decaying(weight_decay=HALVED))
        np.testing.assert_allclose(weights(net), before * 0.6**4 * 0.8**4, rtol=1e-12)
        biases = fitted(network(), Decaying(weight_decay=HALVED, decay_biases=False)).layers[0].biases
        np.testing.assert_array_equal(biases, network().layers[0].biases)

    def test_it_is_described_and_saved(self):
        optimizer = AdamW(weight_decay=FlatCosine(0.02))
        assert cynn.registry.optimizers.get(optimizer.get_config()) == optimizer
        assert optimizer.kernel_values() == AdamW(weight_decay=0.02).kernel_values()
        net = fitted(network(), optimizer)
        again = pickle.loads(pickle.dumps(net))
        np.testing.assert_array_equal(weights(fitted(again, None)), weights(fitted(net, None)))

    @pytest.mark.parametrize("value", [-0.1, np.nan, "0.5", len])
    def test_what_is_no_decay(self, value):
        words = "'weight_decay' parameter of AdamW must be a finite number >= 0, a schedule or its configuration"
        with pytest.raises(InvalidParameterError, match=words):
            AdamW(weight_decay=value)
