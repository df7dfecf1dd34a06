"""Batches from outside, transforms, steps of one's own: the bits of the same rows in an array."""

import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time

import helpers
import numpy as np
import pytest

import cynn
from cynn import Network
from cynn.errors import DataError, InvalidParameterError, ShapeError, TrainingDivergedError
from cynn.optimizers import SGD, Adam
from cynn.schedules import CosineDecay, OneCycle, StepDecay
from cynn.training import steps


def network(dtype="float32"):
    return Network.mlp([20, 30, 4], output="softmax", seed=3, dtype=dtype)


def rows(n=130, dtype="float32"):
    return helpers.inputs(n, 20, dtype), np.random.default_rng(0).integers(0, 4, n)


def in_batches(x, y, size=32, weight=None):
    for begin in range(0, len(x), size):
        place = slice(begin, begin + size)
        yield (x[place], y[place]) if weight is None else (x[place], y[place], weight[place])


def whole(epochs=3, dtype="float32", x_dtype="float32", **options):
    net, (x, y) = network(dtype), rows(dtype=x_dtype)
    options = {"optimizer": Adam(0.01), "shuffle": False, **options}
    net.fit(x, y, epochs=epochs, batch_size=32, **options)
    return net


def figures(net):
    return {name: value for name, value in net.history.history.items() if name != "seconds"}


class TestBatches:
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("x_dtype", ["float32", "float64"])
    def test_the_bits_are_those_of_the_rows_in_an_array(self, dtype, x_dtype):
        net, (x, y) = network(dtype), rows(dtype=x_dtype)
        options = {"metrics": ["accuracy", "mse"], "validation_data": (x[:40], y[:40])}
        net.fit(lambda epoch: in_batches(x, y), optimizer=Adam(0.01), epochs=3, **options)
        expected = whole(dtype=dtype, x_dtype=x_dtype, **options)
        assert helpers.digest(net) == helpers.digest(expected)
        assert figures(net) == figures(expected)

    def test_any_iterable(self):
        x, y = rows()
        expected = helpers.digest(whole())
        batches = list(in_batches(x, y))
        endless = (batch for _ in range(100) for batch in batches)
        for given, options in [(batches, {}), (tuple(batches), {}), (endless, {"steps_per_epoch": 5})]:
            net = network()
            net.fit(given, optimizer=Adam(0.01), epochs=3, **options)
            assert helpers.digest(net) == expected
        assert sum(1 for _ in endless) == 500 - 15  # none was drawn that was not trained on

    def test_the_function_is_told_the_epoch(self):
        x, y = rows()
        seen = []

        def batches(epoch):
            seen.append(epoch)
            return in_batches(x, y)

        net = network()
        net.fit(batches, epochs=2)
        net.fit(batches, epochs=1)
        assert seen == [0, 1, 2]

    def test_sample_weights(self):
        x, y = rows()
        """They count as they are given: as those of `fit`, where their mean is 1."""
        weight = np.random.default_rng(1).uniform(size=len(x))
        scaled = weight / weight.max()
        net = network()
        net.fit(lambda epoch: in_batches(x, y, weight=scaled / scaled.mean()), optimizer=Adam(0.01), epochs=3)
        assert helpers.digest(net) == helpers.digest(whole(sample_weight=weight))

    def test_class_weights(self):
        x, y = rows()
        weight, nets = np.where(y == 1, 3.0, 1.0), [network(), network()]
        nets[0].fit(lambda epoch: in_batches(x, y), class_weight={1: 3}, optimizer=Adam(0.01), epochs=3)
        nets[1].fit(lambda epoch: in_batches(x, y, weight=weight), optimizer=Adam(0.01), epochs=3)
        assert helpers.digest(nets[0]) == helpers.digest(nets[1])
        assert nets[0].history["loss"] == nets[1].history["loss"]

    def test_batches_that_grow_or_change_their_dtype(self):
        x, y = rows()
        parts = [(x[:10], y[:10]), (x[10:40].astype(float), y[10:40]), (x[40:45], np.eye(4)[y[40:45]]),
                 (x[45:], y[45:])]  # fmt: skip
        net, expected = network("float64"), network("float64")
        net.fit(parts, optimizer=SGD(0.1), epochs=1, metrics=["accuracy"])
        losses = [expected.train_batch(*part, optimizer=SGD(0.1)) for part in parts]
        for pair, other in zip(helpers.raw(net), helpers.raw(expected), strict=True):
            np.testing.assert_allclose(pair[0], other[0], rtol=1e-12)
        sizes = [len(part[0]) for part in parts]
        assert net.history["loss"] == pytest.approx([np.average(losses, weights=sizes)])

    def test_they_are_drawn_by_the_caller_while_another_thread_trains(self):
        """Where a step is long enough for a thread of its own."""
        x, y = helpers.inputs(96, 200), np.zeros(96, int)
        seen, threads = set(), set()

        def batches(epoch):
            for batch in in_batches(x, y):
                seen.add(threading.get_ident())
                threads.update(thread.name for thread in threading.enumerate())
                yield batch

        Network.mlp([200, 500, 4], output="softmax", seed=3).fit(batches, epochs=3)
        assert seen == {threading.get_ident()}
        assert any(name.startswith("cynn-steps") for name in threads)
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("cynn-steps")]

    def test_ctrl_c_is_heard_where_batches_are_drawn(self):
        """What waits there for 20 s is interrupted; the step that is under way ends first, and no thread stays."""
        x, y = rows()
        ended, waited, keep = [], [], []

        def batches(epoch):
            try:
                for batch in in_batches(x, y):
                    yield batch
                    if epoch == 1:
                        signal.raise_signal(signal.SIGINT)
                        time.sleep(20)
                        waited.append(epoch)
            finally:
                ended.append(epoch)

        class Keep(cynn.callbacks.Callback):
            def on_train_end(self):
                keep.append(helpers.digest(self.network))

        net = network()
        with pytest.raises(KeyboardInterrupt):
            net.fit(batches, optimizer=Adam(0.01), epochs=3, callbacks=Keep())
        assert (ended, waited) == ([0, 1], [])
        assert net.history.epochs == net.epochs_trained == 1
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("cynn-steps")]
        expected = whole(1)
        expected.train_batch(x[:32], y[:32])
        assert keep == [helpers.digest(net)] == [helpers.digest(expected)]

    @pytest.mark.parametrize("n", [1, 4])
    def test_fewer_or_more_than_there_should_be(self, n):
        x, y = rows()
        batches = list(in_batches(x, y))

        class Says(list):
            def __len__(self):
                return 5

        plain = network()
        plain.fit(batches[:n], optimizer=SGD(0.1), epochs=1)
        for given, options, said in [
            (lambda epoch: iter(batches[:n]), {"steps_per_epoch": 5}, "as steps_per_epoch says"),
            (iter(batches[:n]), {"steps_per_epoch": 5}, "as steps_per_epoch says"),
            (Says(batches[:n]), {}, "as the length of x says"),
        ]:
            net = network()
            with pytest.raises(DataError, match=rf"of an epoch must be 5, {said}\. Got {n} in epoch 1 instead"):
                net.fit(given, optimizer=SGD(0.1), epochs=2, **options)
            assert helpers.digest(net) == helpers.digest(plain)
        with pytest.raises(DataError, match=r"must be 5, as the length of x says\. Got more in epoch 1 instead"):
            network().fit(Says(batches * 2), epochs=2)
        left = network()
        left.fit(lambda epoch: iter(batches), epochs=1, steps_per_epoch=n, optimizer=SGD(0.1))
        assert helpers.digest(left) == helpers.digest(plain)

    def test_one_that_ends_in_a_later_epoch(self):
        x, y = rows()
        batches = list(in_batches(x, y))
        for n, got in [(8, "3"), (5, "0")]:
            net = network()
            with pytest.raises(DataError, match=rf"must be 5, as steps_per_epoch says\. Got {got} in epoch 2 instead"):
                net.fit(iter((batches * 2)[:n]), epochs=4, steps_per_epoch=5)
            assert net.history.epochs == 1

    def test_one_that_gives_nothing(self):
        for given in ([], iter([]), lambda epoch: []):
            with pytest.raises(DataError, match="batches of an epoch must be at least one"):
                network().fit(given, epochs=1)

    def test_one_that_gives_none(self):
        x, y = rows()
        with pytest.raises(InvalidParameterError, match="Got NoneType for batch 2 instead"):
            network().fit(lambda epoch: iter([(x, y), None]), epochs=1)

    def test_python_of_a_plugin_runs_on_the_callers_thread(self):
        seen = set()

        class Own(cynn.losses.Loss):
            name = "own"

            def value_and_gradient(self, prediction, target):
                seen.add(threading.get_ident())
                return ((prediction - target) ** 2).sum(axis=1), 2 * (prediction - target)

        x, y = rows()
        network().fit(lambda epoch: in_batches(x, np.eye(4)[y]), loss=Own(), epochs=1)
        assert seen == {threading.get_ident()}

    @pytest.mark.parametrize("n_threads", [2, 3])
    def test_any_number_of_threads(self, n_threads):
        x, y = helpers.inputs(1200, 150, "float32"), np.arange(1200) % 10
        digests = set()
        for threads in (1, n_threads):
            net = Network.mlp([150, 120, 10], output="softmax", seed=0)
            net.fit(lambda epoch: in_batches(x, y, 300), optimizer=Adam(), epochs=2, n_threads=threads)
            digests.add(helpers.digest(net))
        assert len(digests) == 1

    def test_a_schedule_of_known_length(self):
        x, y = rows()
        batches = list(in_batches(x, y))
        net = network()
        net.fit(batches, optimizer=SGD(CosineDecay(0.1)), epochs=3)
        assert helpers.digest(net) == helpers.digest(whole(optimizer=SGD(CosineDecay(0.1))))
        with pytest.raises(InvalidParameterError, match="where the number of steps is not known"):
            network().fit(lambda epoch: iter(batches), optimizer=SGD(OneCycle(0.1)))

    def test_steps_are_seen(self):
        x, y = rows()

        class Stop(cynn.callbacks.Callback):
            def on_step_end(self, step, logs):
                self.stop_training = step == 3

        net = network()
        net.fit(lambda epoch: in_batches(x, y), optimizer=Adam(0.01), epochs=3, callbacks=[Stop()])
        other = network()
        other.fit(list(in_batches(x, y))[:3], optimizer=Adam(0.01), epochs=1)
        assert helpers.digest(net) == helpers.digest(other)
        assert figures(net) == figures(other)

    def test_one_that_raises(self):
        x, y = rows()

        def batches(epoch):
            yield x[:32], y[:32]
            yield x[32:64], y[32:64]
            raise RuntimeError("no more disk")

        net, other = network(), network()
        with pytest.raises(RuntimeError, match="no more disk"):
            net.fit(batches, optimizer=Adam(0.01), epochs=2)
        other.fit(x[:64], y[:64], optimizer=Adam(0.01), epochs=1, shuffle=False)
        assert helpers.digest(net) == helpers.digest(other)
        assert net._optimizer_state.t == 2

    @pytest.mark.parametrize(
        "second, error, words",
        [
            ((np.zeros((5, 19)), np.zeros(5)), ShapeError, "x of batch 2 must have 20 columns"),
            ((np.zeros((5, 20)), np.zeros(4)), ShapeError, "y of batch 2 must have as many rows as x, 5"),
            ((np.zeros((5, 20)), np.full(5, 4)), DataError, "y of batch 2 must be classes.*in row 0"),
            ((np.full((5, 20), np.nan), np.zeros(5)), DataError, "x of batch 2 must be finite. Got nan in row 0"),
            ((np.full((5, 20), 1e60), np.zeros(5)), DataError, "x of batch 2 must be finite in float32"),
            ((np.zeros((0, 20)), np.zeros(0)), DataError, "x of batch 2 must have at least one row"),
            (np.zeros((5, 20)), InvalidParameterError, "A batch must be a tuple .* Got ndarray for batch 2"),
        ],
    )
    def test_a_bad_batch_is_named_and_the_network_is_whole(self, second, error, words):
        x, y = rows()
        net, other = network(), network()
        with pytest.raises(error, match=words):
            net.fit([(x[:32], y[:32]), second], optimizer=Adam(0.01), epochs=2)
        other.fit([(x[:32], y[:32])], optimizer=Adam(0.01), epochs=1)
        assert helpers.digest(net) == helpers.digest(other)

    def test_what_is_refused(self):
        x, y = rows()
        batches = list(in_batches(x, y))
        for options in [
            {"validation_split": 0.1}, {"sample_weight": np.ones(3)}, {"transform": lambda x, y, g: (x, y)},
            {"class_weight": "balanced"},
        ]:  # fmt: skip
            (name,) = options
            with pytest.raises(InvalidParameterError, match=f"The '{name}' parameter of fit must be"):
                network().fit(batches, **options)
        with pytest.raises(InvalidParameterError, match="'steps_per_epoch' parameter of fit must be left out"):
            network().fit(x, y, steps_per_epoch=3)
        with pytest.raises(InvalidParameterError, match="'steps_per_epoch' parameter of fit must be a whole"):
            network().fit(batches, steps_per_epoch=0)
        with pytest.raises(InvalidParameterError, match="Without y, x must be an iterable of batches"):
            network().fit(x)
        with pytest.raises(DataError, match="batches of an epoch must be at least one"):
            network().fit(iter(batches), epochs=2)
        with pytest.raises(DataError, match="batches of an epoch must be at least one"):
            network().fit([], epochs=2)

    def test_divergence(self):
        x, y = rows()
        with pytest.raises(TrainingDivergedError, match="in epoch 1, step 2") as caught:
            network().fit([(x[:32], y[:32]), (x[32:], np.full((98, 4), 1e30))], optimizer=SGD(1e30),
                          loss="mse", check_finite=False)  # fmt: skip
        assert caught.value.step == 2


def noise(x, y, generator):
    return x + generator.normal(size=x.shape).astype(x.dtype), y


class TestTransform:
    @pytest.mark.parametrize("shuffle", [True, False, "blocks"])
    def test_one_that_changes_nothing_changes_no_bit(self, shuffle):
        options = {"shuffle": shuffle, "metrics": ["accuracy"], "validation_split": 0.2, "class_weight": "balanced"}
        net = whole(transform=lambda x, y, generator: (x, y), **options)
        expected = whole(**options)
        assert helpers.digest(net) == helpers.digest(expected)
        assert figures(net) == figures(expected)

    def test_it_depends_on_the_seed_and_the_place_alone(self):
        nets = [whole(transform=noise, n_threads=n) for n in (1, 2, 3)]
        assert len({helpers.digest(net) for net in nets}) == 1
        assert helpers.digest(nets[0]) != helpers.digest(whole())
        twice = whole(epochs=1, transform=noise)
        x, y = rows()
        twice.fit(x, y, epochs=2, batch_size=32, shuffle=False, transform=noise)
        assert helpers.digest(twice) == helpers.digest(nets[0])

    def test_every_step_has_numbers_of_its_own(self):
        seen = []
        whole(transform=lambda x, y, generator: (seen.append(generator.integers(2**62)), (x, y))[1])
        assert len(set(seen)) == len(seen) == 15

    def test_it_gets_rows_as_they_are_and_may_return_others(self):
        """Bytes come in; mixtures of rows with mixtures of targets go out."""
        x = np.random.default_rng(0).integers(0, 256, (100, 20), dtype=np.uint8)
        y = np.arange(100) % 4
        seen = []

        def mix(x, y, generator):
            seen.append((x.dtype, y.dtype, len(x)))
            share = generator.uniform(size=(len(x), 1))
            one_hot = np.eye(4)[y]
            return share * x + (1 - share) * x[::-1], share * one_hot + (1 - share) * one_hot[::-1]

        net = network()
        net.fit(x, y, epochs=1, batch_size=40, transform=mix, metrics=["mse"])
        assert seen == [(np.uint8, np.int64, 40), (np.uint8, np.int64, 40), (np.uint8, np.int64, 20)]
        assert np.isfinite(net.history["mse"]).all()

    def test_one_that_raises_or_returns_something_else(self):
        net = network()
        before = helpers.digest(net)
        x, y = rows()
        with pytest.raises(ZeroDivisionError):
            net.fit(x, y, transform=lambda x, y, generator: 1 / 0)
        with pytest.raises(InvalidParameterError, match="'transform' parameter of fit must return a tuple"):
            net.fit(x, y, transform=lambda x, y, generator: x)
        with pytest.raises(InvalidParameterError, match="'transform' parameter of fit must be a function"):
            net.fit(x, y, transform="noise")
        assert helpers.digest(net) == before

    def test_a_nan_is_found_before_it_runs(self):
        x, y = rows()
        x[77, 3] = np.nan
        with pytest.raises(DataError, match=r"x must be finite. Got nan in row 77, column 3"):
            network().fit(x, y, transform=noise)


class TestTrainBatch:
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_a_loop_of_ones_own_is_fit(self, dtype):
        x, y = rows()
        net = network(dtype)
        for _ in range(3):
            losses = [net.train_batch(*batch, optimizer=Adam(0.01)) for batch in in_batches(x, y)]
        expected = whole(dtype=dtype)
        for pair, other in zip(helpers.raw(net), helpers.raw(expected), strict=True):
            np.testing.assert_allclose(pair[0], other[0], rtol=1e-4 if dtype == "float32" else 1e-12)
        assert np.average(losses, weights=[32] * 4 + [2]) == pytest.approx(expected.history["loss"][-1], rel=1e-5)
        assert net._optimizer_state.t == 15

    def test_it_returns_the_loss_before_the_step(self):
        x, y = rows()
        net = network()
        expected = net.evaluate(x, y)["loss"]
        assert net.train_batch(x, y) == pytest.approx(expected, rel=1e-6)
        assert net.evaluate(x, y)["loss"] < expected

    def test_it_goes_on_where_fit_stopped_and_back(self):
        x, y = rows(64)
        net, other = network(), network()
        other.fit(x, y, optimizer="adam", epochs=3, batch_size=64, shuffle=False)
        net.fit(x, y, optimizer="adam", epochs=1, batch_size=64, shuffle=False)
        net.train_batch(x, y)
        net.fit(x, y, epochs=1, batch_size=64, shuffle=False)
        assert helpers.digest(net) == helpers.digest(other)

    def test_another_optimizer_starts_anew(self):
        x, y = rows()
        net = network()
        net.train_batch(x, y, optimizer="adam")
        net.train_batch(x, y, optimizer="adam")
        assert net._optimizer_state.t == 2
        net.train_batch(x, y, optimizer=Adam(0.5))
        assert net._optimizer_state.t == 1

    def test_a_schedule_is_heard(self):
        net = helpers.network([1, 1], ["identity"])
        net.layers[0].weights = [[0.0]]
        optimizer = SGD(StepDecay(1.0, 1, 0.5))
        for _ in range(3):
            net.train_batch([[1.0]], [-1e9], loss="mae", optimizer=optimizer)
        assert net.layers[0].weights[0, 0] == -1.75

    def test_sample_weight(self):
        x, y = rows(32)
        """Rows of weight 0 are not there; the weighted sum is divided by the rows that are, 21 of 32."""
        weight = np.arange(32) % 3
        net, other = network("float64"), network("float64")
        repeated = np.repeat(np.arange(32), weight)
        first = net.train_batch(x, y, sample_weight=weight, optimizer=SGD(0.1))
        mean = other.train_batch(x[repeated], y[repeated], optimizer=SGD(0.1 * 31 / 21))
        assert first == pytest.approx(31 / 21 * mean)
        for pair, pair_of_other in zip(helpers.raw(net), helpers.raw(other), strict=True):
            np.testing.assert_allclose(pair[0], pair_of_other[0], rtol=1e-10)

    def test_errors_leave_the_network_alone(self):
        x, y = rows()
        net = network()
        net.train_batch(x, y)
        before = helpers.digest(net)
        for bad_x, bad_y in [(x * np.nan, y), (x[:, 1:], y), (x, y + 4), (x[:0], y[:0])]:
            with pytest.raises(cynn.CynnError):
                net.train_batch(bad_x, bad_y)
        with pytest.raises(TrainingDivergedError):
            net.train_batch(x * np.nan, y, check_finite=False)
        assert helpers.digest(net) == before

    def test_a_batch_is_checked_as_its_own_call_says(self):
        """The buffer that is kept was made for a call that did not look for a NaN."""
        x, y = rows()
        net = network()
        net.train_batch(x, y, check_finite=False)
        with pytest.raises(cynn.errors.DataError, match=r"x must be finite"):
            net.train_batch(x * np.nan, y)

    def test_a_context_is_made_once(self, monkeypatch):
        made = []

        class Counted(steps.TrainingContext):
            def __init__(self, *given):
                made.append(self)
                super().__init__(*given)

        monkeypatch.setattr(steps, "TrainingContext", Counted)
        x, y = rows()
        network().train_batch(x, y)
        assert len(made) == 1

    def test_a_network_that_was_trained_so_is_pickled(self):
        x, y = rows()
        net = network()
        net.train_batch(x, y)
        again = pickle.loads(pickle.dumps(net))
        assert net.train_batch(x, y) == again.train_batch(x, y)
        assert helpers.digest(net) == helpers.digest(again)


def test_a_thread_trains_on_when_the_main_thread_is_at_its_end():
    """Python waits for a thread that is no daemon, which goes on with its batches."""
    code = """
        import threading, time
        import numpy as np
        import cynn
        net = cynn.Network.mlp([2, 3, 1], seed=0)
        x, y = np.ones((4, 2)), np.ones((4, 1))
        def batches(epoch):
            for _ in range(20):
                time.sleep(0.02)
                yield x, y
        def train():
            net.fit(batches, None, epochs=1, progress=False)
            print("trained")
        threading.Thread(target=train).start()
        time.sleep(0.1)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (result.stdout, result.stderr) == ("trained\n", "")
