"""`fit`: epochs, figures, weights of rows, callbacks, and what happens when it ends early."""

import dataclasses
import inspect
import signal
import threading
import time
import warnings

import helpers
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cynn
from cynn import Network
from cynn.errors import InvalidParameterError, TrainingDivergedError
from cynn.optimizers import SGD, Adam, AdamW
from cynn.training.fit_options import FitOptions


def test_the_options_are_the_parameters():
    """All but x and y, in the same order; what is wrong with one is said where they are made."""
    parameters = inspect.signature(Network.fit).parameters
    assert [field.name for field in dataclasses.fields(FitOptions)] == list(parameters)[3:]
    given = {name: parameter.default for name, parameter in list(parameters.items())[3:]}
    assert FitOptions(**given).shuffle is True
    with pytest.raises(InvalidParameterError, match="'epochs' parameter of fit must be"):
        FitOptions(**given | {"epochs": -1})


class TestHistory:
    def test_an_entry_an_epoch(self):
        x, y = helpers.blobs()
        net = helpers.classifier()
        history = net.fit(x, y, epochs=4, metrics=["accuracy"], validation_data=(x[:50], y[:50]))
        names = {"loss", "accuracy", "val_loss", "val_accuracy", "seconds"}
        assert set(history.history) == names
        assert all(len(history[name]) == 4 for name in names)
        assert history.epochs == 4
        assert history is net.history
        assert all(seconds > 0 for seconds in history["seconds"])
        assert repr(history).startswith("History(epochs=4, loss=")

    def test_it_learns(self):
        x, y = helpers.blobs()
        net = helpers.classifier()
        history = net.fit(x, y, optimizer=Adam(0.05), epochs=10, metrics=["accuracy"])
        assert history["loss"][-1] < history["loss"][0] / 3
        assert history["accuracy"][-1] > 0.97
        assert net.evaluate(x, y, metrics=["accuracy"])["accuracy"] > 0.97

    def test_the_figures_of_the_first_epoch_are_those_of_the_predictions_made_in_it(self):
        """With one batch, the predictions of the epoch are those before its only step."""
        x, y = helpers.blobs(60)
        net = helpers.classifier(dtype="float64")
        before = net.evaluate(x, y, metrics=["accuracy", "mse"])
        history = net.fit(x, y, epochs=1, batch_size=60, metrics=["accuracy", "mse"])
        for name, figure in before.items():
            assert history[name] == pytest.approx([figure], rel=1e-12)

    def test_the_loss_is_the_mean_over_rows_also_where_the_last_batch_is_short(self):
        x, t = helpers.inputs(25, 3), helpers.targets(25, 2, "mean_squared_error")
        net = helpers.network([3, 2], ["identity"])
        expected = net.evaluate(x, t)["loss"]
        history = net.fit(x, t, optimizer=SGD(1e-12), epochs=1, batch_size=10)
        assert history["loss"] == pytest.approx([expected], rel=1e-6)

    def test_validation_is_what_evaluate_says(self):
        x, y = helpers.blobs()
        net, weight = helpers.classifier(), np.linspace(0, 1, 50)
        history = net.fit(
            x, y, epochs=1, metrics=["accuracy"], validation_data=(x[:50], y[:50], weight)
        )
        figures = net.evaluate(x[:50], y[:50], metrics=["accuracy"], sample_weight=weight)
        assert history["val_loss"] == [figures["loss"]]
        assert history["val_accuracy"] == [figures["accuracy"]]

    def test_a_metric_of_ones_own(self):
        x, y = helpers.blobs(30)

        def share_of_class_0(y_true, y_pred):
            assert y_pred.shape == (30, 3)
            return np.mean(y_true == 0)

        history = helpers.classifier().fit(x, y, epochs=2, metrics=share_of_class_0)
        assert history["share_of_class_0"] == pytest.approx([1 / 3, 1 / 3])


class TestObviousMeanings:
    def test_no_epochs(self):
        x, y = helpers.blobs()
        net = helpers.classifier()
        before = helpers.digest(net)
        history = net.fit(x, y, epochs=0)
        assert (history.epochs, history.history) == (0, {})
        assert helpers.digest(net) == before

    def test_a_batch_larger_than_the_data_is_all_of_it(self):
        x, y = helpers.blobs(30)
        nets = [helpers.classifier(), helpers.classifier()]
        for net, batch_size in zip(nets, (30, 10**9), strict=True):
            net.fit(x, y, epochs=3, batch_size=batch_size)
        assert helpers.digest(nets[0]) == helpers.digest(nets[1])

    @pytest.mark.parametrize("batch_size", [1, 7, 32])
    def test_every_row_is_seen_once_an_epoch(self, batch_size):
        seen = []

        class Watching(cynn.losses.Loss):
            name = "watching"

            def value_and_gradient(self, prediction, target):
                seen.extend(target[:, 0].tolist())
                return np.zeros(len(target)), np.zeros_like(prediction)

        net = Network.mlp([1, 1], seed=0)
        net.fit(np.zeros((50, 1)), np.arange(50.0), loss=Watching(), epochs=2, batch_size=batch_size)
        assert sorted(seen[:50]) == sorted(seen[50:]) == list(range(50))
        assert seen[:50] != seen[50:]
        seen.clear()
        net.fit(np.zeros((50, 1)), np.arange(50.0), loss=Watching(), epochs=1, shuffle=False)
        assert seen == list(range(50))

    @pytest.mark.parametrize("optimizer", [SGD(0.1, momentum=0.9), Adam(), AdamW()])
    def test_two_fits_go_on_where_one_stops(self, optimizer):
        x, y = helpers.blobs()
        once, twice, named = (helpers.classifier() for _ in range(3))
        once.fit(x, y, optimizer=optimizer, epochs=6)
        twice.fit(x, y, optimizer=optimizer, epochs=2)
        twice.fit(x, y, epochs=1)  # the optimizer of the last fit
        twice.fit(x, y, optimizer=optimizer, epochs=3)
        named.fit(x, y, optimizer=optimizer, epochs=3)
        named.fit(x, y, optimizer=type(optimizer).from_config(optimizer.get_config()), epochs=3)
        assert helpers.digest(once) == helpers.digest(twice)
        assert helpers.digest(once) != helpers.digest(named)  # another one starts anew

    def test_one_optimizer_may_serve_two_networks(self):
        x, y = helpers.blobs()
        alone, first, second = (helpers.classifier() for _ in range(3))
        optimizer = Adam()
        alone.fit(x, y, optimizer=Adam(), epochs=2)
        first.fit(x, y, optimizer=optimizer, epochs=1)
        second.fit(x, y, optimizer=optimizer, epochs=2)
        assert helpers.digest(second) == helpers.digest(alone)

    def test_a_learning_rate_that_changes_between_epochs(self):
        x, y = helpers.blobs(32)
        net, optimizer = helpers.classifier(dtype="float64"), SGD(0.5)

        class Halve(cynn.training.Callback):
            def on_epoch_end(self, epoch, logs):
                optimizer.learning_rate /= 2

        for rate in (0.5, 0.25):
            gradients = net.gradients(x, y)
            for layer, (dW, db) in zip(net.layers, gradients, strict=True):
                layer.weights -= rate * dW
                layer.biases -= rate * db
        other = helpers.classifier(dtype="float64")
        other.fit(x, y, optimizer=optimizer, epochs=2, batch_size=32, callbacks=[Halve()])
        for pair, expected in zip(helpers.raw(other), helpers.raw(net), strict=True):
            for part, expected_part in zip(pair, expected, strict=True):
                np.testing.assert_allclose(part, expected_part, rtol=1e-9, atol=1e-12)


class TestSampleWeights:
    @given(st.integers(2, 40), st.integers(0, 10))
    def test_two_is_twice_and_zero_is_absent(self, rows, seed):
        x, t = helpers.inputs(rows, 3, seed=seed), helpers.targets(rows, 2, "mean_squared_error", seed)
        weight = np.random.default_rng(seed).integers(0, 3, size=rows).astype(float)
        weight[0] = 1
        repeated = np.repeat(np.arange(rows), weight.astype(int))
        weighted, repeating = (helpers.network([3, 5, 2], ["tanh", "identity"], seed=seed) for _ in range(2))
        first = weighted.fit(x, t, optimizer=SGD(0.1), epochs=3, batch_size=rows, sample_weight=weight)
        second = repeating.fit(
            x[repeated], t[repeated], optimizer=SGD(0.1), epochs=3, batch_size=len(repeated)
        )
        assert first["loss"] == pytest.approx(second["loss"], rel=1e-9)
        for pair, other in zip(helpers.raw(weighted), helpers.raw(repeating), strict=True):
            for a, b in zip(pair, other, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)

    def test_only_their_ratios_matter(self):
        x, y = helpers.blobs(64)
        nets = [helpers.classifier(dtype="float64") for _ in range(2)]
        weight = np.random.default_rng(0).uniform(size=64)
        for net, factor in zip(nets, (1, 1000), strict=True):
            net.fit(x, y, epochs=2, sample_weight=factor * weight)
        for pair, other in zip(helpers.raw(nets[0]), helpers.raw(nets[1]), strict=True):
            np.testing.assert_allclose(pair[0], other[0], rtol=1e-7)

    def test_the_loss_of_an_epoch_is_their_mean_over_all_rows(self):
        x, y = helpers.blobs(60)
        net, weight = helpers.classifier(dtype="float64"), np.linspace(0, 5, 60) ** 2
        expected = net.evaluate(x, y, sample_weight=weight)["loss"]
        options = {"optimizer": SGD(1e-300), "batch_size": 10, "shuffle": False}
        history = net.fit(x, y, epochs=1, sample_weight=weight, **options)
        assert history["loss"] == [pytest.approx(expected, rel=1e-12)]

    def test_a_batch_without_weight_changes_nothing_and_is_no_error(self):
        net = helpers.network([3, 2], ["identity"])
        before = helpers.raw(net)
        x, t = helpers.inputs(20, 3), helpers.targets(20, 2, "mean_squared_error")
        weight = np.zeros(20)
        weight[0] = 1
        net.fit(x, t, optimizer=SGD(0.1), epochs=1, batch_size=1, sample_weight=weight)
        expected = net.layers[0].weights.copy()
        net.layers[0].weights, net.layers[0].biases = before[0]
        net.fit(x[:1], t[:1], optimizer=SGD(0.1), epochs=1)
        np.testing.assert_allclose(net.layers[0].weights, expected, rtol=1e-12)


class TestCallbacks:
    def test_they_see_every_epoch_and_its_figures(self):
        seen = []

        class Watch(cynn.training.Callback):
            def on_epoch_end(self, epoch, logs):
                seen.append((epoch, logs["loss"]))

        x, y = helpers.blobs()
        history = helpers.classifier().fit(x, y, epochs=3, callbacks=Watch())
        assert seen == list(enumerate(history["loss"], start=1))

    def test_one_that_raises_leaves_the_network_whole(self):
        class Stop(cynn.training.Callback):
            def on_epoch_end(self, epoch, logs):
                if epoch == 2:
                    raise RuntimeError("enough")

        x, y = helpers.blobs()
        stopped, whole = helpers.classifier(), helpers.classifier()
        with pytest.raises(RuntimeError, match="enough"):
            stopped.fit(x, y, optimizer="adam", epochs=5, callbacks=[Stop()])
        assert stopped.history.epochs == 2
        whole.fit(x, y, optimizer="adam", epochs=2)
        assert helpers.digest(stopped) == helpers.digest(whole)
        stopped.fit(x, y, epochs=1)
        whole.fit(x, y, epochs=1)
        assert helpers.digest(stopped) == helpers.digest(whole)

    @pytest.mark.parametrize("callbacks", [None, 5, [5], print, [cynn.training.Callback]])
    def test_what_is_none(self, callbacks):
        x, y = helpers.blobs()
        with pytest.raises(cynn.errors.InvalidParameterError, match="'callbacks' parameter of fit must be"):
            helpers.classifier().fit(x, y, callbacks=callbacks)


class TestCtrlC:
    def interrupted(self, net, x, y, seconds, **options):
        """`fit` with a Ctrl-C that long after training has begun."""
        over, begun = threading.Event(), time.monotonic()

        class GiveUp(cynn.training.Callback):
            def on_epoch_end(self, epoch, logs):
                assert time.monotonic() < begun + 60, "Ctrl-C was not heard"

        def press():
            while net.history is None and not over.is_set():
                time.sleep(0.001)
            if not over.wait(seconds):
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

        thread = threading.Thread(target=press)
        thread.start()
        try:
            with pytest.raises(KeyboardInterrupt):
                net.fit(x, y, epochs=10**6, callbacks=[GiveUp()], **options)
        finally:
            over.set()
            thread.join()

    def test_between_epochs_or_within_them_the_network_is_usable(self):
        x, y = helpers.blobs(3000)
        net = helpers.classifier()
        self.interrupted(net, x, y, 0.5, optimizer="adam", metrics=["accuracy"])
        assert net.history.epochs >= 1
        assert len(net.history["accuracy"]) == net.history.epochs
        assert np.isfinite(net.predict(x)).all()
        assert net.evaluate(x, y, metrics=["accuracy"])["accuracy"] > 0.9
        assert net.fit(x, y, epochs=1).epochs == 1

    def test_within_a_long_epoch(self):
        """One epoch of many seconds: the interrupt does not wait for its end."""
        x = np.broadcast_to(np.float32([[1.0, 2.0]]), (8_000_000, 2))
        y = np.broadcast_to(np.uint8(1), (8_000_000,))
        net = helpers.classifier()
        self.interrupted(net, x, y, 0.3, batch_size=1, shuffle=False, check_finite=False)
        assert net.history.epochs == 0
        assert np.isfinite(net.predict(x[:5])).all()

    def test_the_optimizer_knows_how_many_steps_it_has_taken(self):
        """A constant gradient g leaves (1 - beta_2ᵗ) g² in Adam's second slot: t can be read from it."""
        net = helpers.network([1, 1], ["identity"])
        x, y = np.ones((100_000, 1)), np.full(100_000, 1e9)
        optimizer = Adam(1e-9, beta_2=0.999_999_9)
        self.interrupted(net, x, y, 0.25, loss="mean_absolute_error", optimizer=optimizer, batch_size=1)
        state = net._optimizer_state
        taken = np.log1p(-state.slots[0][1][0, 0]) / np.log(optimizer.beta_2)
        assert state.t > 1000
        assert state.t == pytest.approx(taken, rel=1e-6)

    def test_in_another_thread_a_fit_is_not_disturbed(self):
        x, y = helpers.blobs(3000)
        net, alone = helpers.classifier(), helpers.classifier()
        thread = threading.Thread(target=net.fit, args=(x, y), kwargs={"epochs": 30})
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        thread.join()
        alone.fit(x, y, epochs=30)
        assert helpers.digest(net) == helpers.digest(alone)


class TestDivergence:
    def diverged(self, dtype="float32", **options):
        net = helpers.network([3, 4, 2], ["identity", "identity"], dtype)
        x, t = helpers.inputs(40, 3), helpers.targets(40, 2, "mean_squared_error")
        with pytest.raises(TrainingDivergedError) as caught:
            net.fit(x, t, epochs=1000, batch_size=8, **options)
        return net, caught.value

    def test_it_names_epoch_and_step_and_says_what_to_do(self):
        _, error = self.diverged(optimizer=SGD(2.0))
        assert error.epoch >= 1
        assert 1 <= error.step <= 5
        message = str(error)
        assert f"in epoch {error.epoch}, step {error.step}" in message
        assert "smaller learning rate (it was 2)" in message
        assert "must stay finite. Got " in message

    def test_the_history_is_kept(self):
        # w - 1 doubles at every step: the square of 2⁵¹² is infinite
        net = Network.mlp([1, 1], dtype="float64", seed=0)
        with pytest.raises(TrainingDivergedError) as caught:
            net.fit(np.ones((10, 1)), np.ones(10), optimizer=SGD(1.5), epochs=1000, batch_size=2)
        error = caught.value
        assert error.history is net.history
        assert error.history.epochs == error.epoch - 1 >= 1
        assert np.isfinite(error.history["loss"]).all()

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_the_network_holds_finite_weights(self, dtype):
        net, _ = self.diverged(dtype, optimizer=SGD(2.0))
        assert all(np.isfinite(part).all() for pair in helpers.raw(net) for part in pair)

    def test_it_can_be_pickled(self):
        import pickle

        _, error = self.diverged(optimizer=SGD(2.0))
        again = pickle.loads(pickle.dumps(error))
        assert (str(again), again.epoch, again.step) == (str(error), error.epoch, error.step)
        assert again.history.history == error.history.history

    def test_a_nan_that_was_not_looked_for(self):
        net = helpers.network([3, 2], ["identity"])
        before = helpers.raw(net)
        x = helpers.inputs(40, 3)
        x[25, 1] = np.nan
        with pytest.raises(TrainingDivergedError, match=r"Got nan in epoch 1, step 3"):
            net.fit(x, np.zeros((40, 2)), batch_size=10, shuffle=False, check_finite=False)
        assert not helpers.same_bits(before, helpers.raw(net))
        assert np.isfinite(net.layers[0].weights).all()

    def test_gradients_of_it(self):
        net = helpers.network([1, 1], ["identity"])
        with pytest.raises(TrainingDivergedError, match="must be finite to have gradients"):
            net.gradients([[1e200]], [[-1e200]])

    def test_no_warning_is_given_besides(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            self.diverged(optimizer=SGD(2.0))


class TestShortEpochs:
    """Epochs that are over at once are trained many at a time where nobody looks: it must make no difference."""

    def data(self):
        return np.random.default_rng(0).normal(size=(2, 60, 3))

    @pytest.mark.parametrize("shuffle", [True, False, "blocks"])
    @pytest.mark.parametrize("layers", [[], [cynn.Dropout(0.5)]])
    def test_as_one_by_one(self, layers, shuffle):
        x, y = self.data()
        seen = []
        for callbacks in ([], [cynn.callbacks.Callback()]):
            net = cynn.Network([cynn.Input(3), cynn.Dense(4, "tanh"), *layers, cynn.Dense(3)], seed=0)
            options = {"batch_size": 25, "shuffle": shuffle, "callbacks": callbacks, "progress": False}
            history = net.fit(x, y, epochs=40, **options)
            history_after = net.fit(x, y, epochs=3, **options)
            losses = history["loss"] + history_after["loss"]
            assert len(history["seconds"]) == 40
            seen.append((helpers.digest(net), losses, net.epochs_trained, net._optimizer_state.t))
        assert seen[0] == seen[1]
        assert seen[0][2:] == (43, 43 * 3)

    def test_divergence(self):
        x, y = self.data()
        seen = []
        for callbacks in ([], [cynn.callbacks.Callback()]):
            net = cynn.Network([cynn.Input(3), cynn.Dense(3)], seed=0)
            optimizer = cynn.optimizers.SGD(learning_rate=5.0)
            with pytest.raises(TrainingDivergedError) as raised:
                net.fit(x, y, epochs=500, optimizer=optimizer, callbacks=callbacks, progress=False)
            error = raised.value
            losses = net.history["loss"]
            seen.append((str(error), error.epoch, error.step, losses, net._optimizer_state.t, helpers.digest(net)))
        assert seen[0] == seen[1]
        assert len(losses) == error.epoch - 1 > 5


class TestOrdersOfOnesOwn:
    """`shuffle` may be a function of the epoch."""

    def test_the_rows_are_taken_in_that_order(self):
        x, y = helpers.blobs(30)
        orders = [np.random.default_rng(epoch).permutation(30) for epoch in range(3)]
        own, other = (helpers.classifier(dtype="float64") for _ in range(2))
        asked = []

        def order(epoch):
            asked.append(epoch)
            return orders[epoch].astype(np.uint8)

        history = own.fit(x, y, optimizer=SGD(0.1), epochs=2, batch_size=7, shuffle=order)
        history_after = own.fit(x, y, epochs=1, batch_size=7, shuffle=order)
        assert asked == [0, 1, 2]
        optimizer = SGD(0.1)
        losses = [
            other.fit(x[order], y[order], optimizer=optimizer, epochs=1, batch_size=7, shuffle=False)["loss"][0]
            for order in orders
        ]
        assert history["loss"] + history_after["loss"] == losses
        assert helpers.digest(own) == helpers.digest(other)

    def test_of_the_rows_that_are_trained_on(self):
        x, y = helpers.blobs(30)
        seen = []
        weight = np.ones(30)
        weight[::3] = 0
        net = helpers.classifier()
        net.fit(x, y, epochs=1, sample_weight=weight, shuffle=lambda epoch: seen.append(epoch) or np.arange(20)[::-1])
        assert seen == [0]

    @pytest.mark.parametrize(
        "order",
        [np.arange(29), np.arange(31), np.zeros(30, int), np.arange(30.0), np.arange(1, 31), -np.arange(30), None],
    )
    def test_one_that_is_no_order(self, order):
        x, y = helpers.blobs(30)
        net = helpers.classifier()
        before = helpers.digest(net)
        with pytest.raises(InvalidParameterError, match="must have each whole number from 0 to 29 once"):
            net.fit(x, y, epochs=1, shuffle=lambda epoch: order)
        assert helpers.digest(net) == before

    def test_the_engine_has_a_copy(self):
        """What the function changes afterwards in its array changes nothing."""
        x, y = helpers.blobs(30)
        order = np.arange(30)

        class Overwrite(cynn.callbacks.Callback):
            def on_step_end(self, step, logs):
                order[...] = 10**6

        net, other = helpers.classifier(), helpers.classifier()
        net.fit(x, y, epochs=1, batch_size=5, shuffle=lambda epoch: order, callbacks=[Overwrite()])
        other.fit(x, y, epochs=1, batch_size=5, shuffle=False)
        assert helpers.digest(net) == helpers.digest(other)


class TestTheRegularizerOfTheNetwork:
    """It may be assigned between two trainings."""

    def net(self, regularizer=None):
        layers = [cynn.Input(2), cynn.Dense(4, "tanh"), cynn.Dense(3, "softmax", regularizer="l1")]
        return Network(layers, seed=0, dtype="float64", regularizer=regularizer)

    def test_as_if_it_had_been_given(self):
        x, y = helpers.blobs(60)
        given, assigned = self.net("l2"), self.net()
        assigned.regularizer = {"name": "l2"}
        for net in (given, assigned):
            net.fit(x, y, optimizer=SGD(0.1), epochs=3)
            net.train_batch(x, y)
        assert helpers.digest(given) == helpers.digest(assigned)
        assert given.evaluate(x, y) == assigned.evaluate(x, y)
        assert assigned.regularizer == cynn.regularizers.L2(0.01)
        assert assigned.get_config() == given.get_config()

    def test_steps_one_by_one_follow_it(self):
        x, y = helpers.blobs(60)
        net, other = self.net(), self.net("l2")
        net.train_batch(x, y, optimizer=SGD(0.0001))
        net.set_weights(other.get_weights())
        net.regularizer = "l2"
        assert net.train_batch(x, y) == other.train_batch(x, y, optimizer=SGD(0.0001))
        net.regularizer = None
        other = self.net()
        other.set_weights(net.get_weights())
        assert net.train_batch(x, y) == other.train_batch(x, y, optimizer=SGD(0.0001))

    def test_in_a_training_it_stays(self):
        x, y = helpers.blobs(60)
        net = self.net("l2")

        class Assign(cynn.callbacks.Callback):
            def on_epoch_end(self, epoch, logs):
                net.regularizer = None

        with pytest.raises(cynn.errors.BusyError, match="an assignment of regularizer"):
            net.fit(x, y, epochs=2, callbacks=[Assign()])
        assert net.regularizer == cynn.regularizers.L2(0.01)

    def test_what_cannot_be_one_changes_nothing(self):
        net = self.net("l2")
        with pytest.raises(cynn.errors.UnknownNameError):
            net.regularizer = "l3"
        net32 = Network([cynn.Input(1), cynn.Dense(1)])
        with pytest.raises(InvalidParameterError, match="float32"):
            net32.regularizer = cynn.regularizers.L2(1e-60)
        assert (net.regularizer, net32.regularizer) == (cynn.regularizers.L2(0.01), None)
