"""Whose memory is read and written: arrays that were unpickled, that change in the course of a fit, that overlap."""

import copy
import pickle

import helpers
import numpy as np
import pytest

import cynn
from cynn import Network
from cynn.callbacks import Callback
from cynn.engine.activation_kernel import ActivationKernel
from cynn.errors import DataError, InvalidParameterError, ShapeError

OPTIMIZERS = {
    "adam": lambda: cynn.optimizers.Adam(),
    "momentum": lambda: cynn.optimizers.SGD(momentum=0.9),
    "average": lambda: cynn.optimizers.Adam(use_ema=True, ema_momentum=0.5),
}


def trained(optimizer="adam", dtype="float32"):
    """A network that has been trained, of layers with all that training changes; and its data."""
    layers = [cynn.Input(6), cynn.Dense(16), cynn.BatchNorm(), cynn.PReLU(), cynn.Dense(3, "softmax")]
    net = Network(layers, seed=0, dtype=dtype)
    x, y = helpers.inputs(60, 6), np.arange(60) % 3
    net.fit(x, y, epochs=2, optimizer=OPTIMIZERS[optimizer]())
    return net, x, y


def assert_trains_as(net, other, x, y):
    """They go on alike, to the bit: the next fit finds the same weights, slots, averages and number of its step."""
    for each in (net, other):
        each.fit(x, y, epochs=2)
        each.train_batch(x, y)
    for own, others in zip(net.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(own, others)


def is_ours(array):
    return array.flags.writeable and array.flags.c_contiguous and array.ctypes.data % 64 == 0


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
class TestWhatIsRestored:
    def test_a_memory_mapped_file(self, optimizer, tmp_path):
        joblib = pytest.importorskip("joblib")
        net, x, y = trained(optimizer)
        joblib.dump(net, tmp_path / "net")
        for mmap_mode in ("r", "c", None):
            assert_trains_as(joblib.load(tmp_path / "net", mmap_mode=mmap_mode), copy.deepcopy(net), x, y)
        before = (tmp_path / "net").read_bytes()
        joblib.load(tmp_path / "net", mmap_mode="r+").fit(x, y, epochs=1)
        assert (tmp_path / "net").read_bytes() == before

    @pytest.mark.parametrize("buffer", [bytes, bytearray])
    def test_buffers_of_protocol_5(self, optimizer, buffer):
        net, x, y = trained(optimizer)
        kept = []
        pickled = pickle.dumps(net, protocol=5, buffer_callback=kept.append)
        assert kept
        buffers = [buffer(one.raw()) for one in kept]
        before = [bytes(one) for one in buffers]
        other = pickle.loads(pickle.dumps(net))
        assert_trains_as(pickle.loads(pickled, buffers=buffers), other, x, y)
        assert [bytes(one) for one in buffers] == before

    def test_buffers_at_odd_addresses(self, optimizer):
        net, x, y = trained(optimizer)
        kept = []
        pickled = pickle.dumps(net, protocol=5, buffer_callback=kept.append)
        buffers = [memoryview(b"." + one.raw().tobytes())[1:] for one in kept]
        assert_trains_as(pickle.loads(pickled, buffers=buffers), net, x, y)

    @pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
    def test_a_copy_shares_nothing_that_is_written(self, optimizer, how):
        net, x, y = trained(optimizer)
        other, third = how(net), pickle.loads(pickle.dumps(net))
        for one in (net, other):
            one.fit(x, y, epochs=1)
        assert_trains_as(net, other, x, y)
        third.fit(x, y, epochs=1)
        third.fit(x, y, epochs=2)
        third.train_batch(x, y)
        np.testing.assert_array_equal(third.get_weights()[0], net.get_weights()[0])
        assert other.history is not net.history

    def test_all_that_is_written_is_ours(self, optimizer):
        net, _, _ = trained(optimizer)
        kept = []
        pickled = pickle.dumps(net, protocol=5, buffer_callback=kept.append)
        for one in (net, pickle.loads(pickled, buffers=[bytes(each.raw()) for each in kept])):
            state = one._optimizer_state
            arrays = [slot for of_one in state.slots for slot in of_one]
            arrays += [mean for mean in state.settings.averages if mean is not None]
            for operation in one._engine.operations:
                arrays += [array for array in [*operation.parameters, *operation.states] if array is not None]
            assert arrays and all(map(is_ours, arrays))


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_in_the_workers_of_joblib(backend):
    joblib = pytest.importorskip("joblib")
    net = Network.mlp([200, 600, 3], output="softmax", seed=0)  # a megabyte in a slot goes to a worker as a memmap
    x, y = helpers.inputs(60, 200), np.arange(60) % 3
    net.fit(x, y, epochs=1)

    def go_on(one):
        return one.fit(x, y, epochs=1)["loss"]

    workers = joblib.Parallel(n_jobs=2, backend=backend, max_nbytes=1000)
    losses = workers(joblib.delayed(go_on)(copy.deepcopy(net)) for _ in range(3))
    assert losses == [go_on(net)] * 3


class TestArraysOfLayers:
    def test_they_outlive_their_network(self):
        net, _, _ = trained()
        weights = net.layers[0].weights
        kept = weights.copy()
        del net
        Network.mlp([6, 16, 3])  # takes memory that became free
        weights[0] += 1
        np.testing.assert_array_equal(weights[1:], kept[1:])

    def test_another_shape_of_the_view_is_nothing_to_the_engine(self):
        net, x, y = trained()
        same = copy.deepcopy(net)
        view = net.layers[0].weights.view()
        view.flags.writeable = False
        net.layers[0].weights.flags.writeable = False
        net.layers[1].gamma.flags.writeable = False
        net.predict(x, n_threads=2)
        net.fit(x, y, epochs=1)
        same.fit(x, y, epochs=1)
        np.testing.assert_array_equal(net.get_weights()[0], same.get_weights()[0])

    def test_weights_swapped_by_their_views(self):
        net = Network.mlp([4, 4, 4], seed=0)
        first, second = (layer.weights.copy() for layer in net.layers)
        biases = [layer.biases for layer in net.layers]
        net.set_weights([net.layers[1].weights, biases[0], net.layers[0].weights.T[::-1], biases[1]])
        np.testing.assert_array_equal(net.layers[0].weights, second)
        np.testing.assert_array_equal(net.layers[1].weights, first.T[::-1])

    def test_an_assignment_copies(self):
        net, x, _ = trained()
        given = np.ones((6, 16), "float32")
        net.layers[0].weights = given
        expected = net.predict(x)
        given[...] = 5
        np.testing.assert_array_equal(net.predict(x), expected)
        net.layers[0].weights = net.layers[0].weights[::-1]

    def test_rows_that_are_the_weights_themselves(self):
        net = Network.mlp([8, 8], seed=0)
        same = copy.deepcopy(net)
        for one, rows in ((net, net.layers[0].weights), (same, same.get_weights()[0])):
            one.train_batch(rows, rows, optimizer="sgd")
        np.testing.assert_array_equal(net.get_weights()[0], same.get_weights()[0])


class Writes(Callback):
    """Writes into something in the course of a fit."""

    def __init__(self, write):
        self.write = write

    def on_step_end(self, step, logs):
        self.write()


def classifier():
    return Network.mlp([4, 3], output="softmax", seed=0)


def assert_same_as_untouched(make, data, write, **settings):
    """A fit on data into which `write(data)` writes is the one on a copy."""
    net, untouched = make(), make()
    expected = untouched.fit(**copy.deepcopy(data), **settings)
    history = net.fit(**data, callbacks=[Writes(lambda: write(data))], **settings)
    for name in expected.history:
        if name != "seconds":
            assert history[name] == expected[name], name


class TestWhatChangesInAFit:
    """What was looked at once stays as it was, or is looked at again where it is read."""

    WRITTEN = (10**9, -1, -(2**62), 2**62)

    @pytest.mark.parametrize("value", WRITTEN)
    @pytest.mark.parametrize("loss", ["cross_entropy", "mean_squared_error"])
    def test_labels(self, value, loss):
        data = {"x": helpers.inputs(60, 4), "y": np.arange(60) % 3}
        assert_same_as_untouched(
            classifier, data, lambda data: data["y"].fill(value), loss=loss
        )

    @pytest.mark.parametrize("column", [False, True])
    def test_labels_in_a_file(self, column, tmp_path):
        y = np.memmap(tmp_path / "y", np.int64, "w+", shape=(60, 1) if column else (60,))
        y[...] = (np.arange(60) % 3).reshape(y.shape)
        data = {"x": helpers.inputs(60, 4), "y": y}
        assert_same_as_untouched(classifier, data, lambda data: data["y"].fill(10**9))

    def test_labels_of_the_validation(self):
        x, y = helpers.inputs(60, 4), np.arange(60) % 3
        data = {"x": x, "y": y, "validation_data": (x, y.copy(), np.ones(60))}

        def write(data):
            data["validation_data"][1].fill(10**9)
            data["validation_data"][2].fill(np.nan)

        assert_same_as_untouched(
            classifier, data, write, metrics=["accuracy"]
        )

    @pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
    def test_targets_of_one_column(self, dtype):
        data = {"x": helpers.inputs(60, 4), "y": (np.arange(60) % 2).astype(dtype)}
        assert_same_as_untouched(
            lambda: Network.mlp([4, 1], output="sigmoid", seed=0), data, lambda data: data["y"].fill(77)
        )

    def test_weights_of_rows(self):
        data = {"x": helpers.inputs(60, 4), "y": np.arange(60) % 3, "sample_weight": np.ones(60)}
        assert_same_as_untouched(
            classifier,
            data,
            lambda data: data["sample_weight"].fill(np.nan),
            metrics=["accuracy"],
        )

    def test_a_metric_that_writes_into_what_it_is_given(self):
        x, y = helpers.inputs(60, 4), np.arange(60) % 3

        def metric(y_true, y_pred):
            y_true[...], y_pred[...] = 10**9, np.nan
            return 0.0

        net, same = classifier(), classifier()
        found = net.fit(x, y, validation_data=(x, y), metrics=[metric, "accuracy"])
        expected = same.fit(x, y, validation_data=(x, y), metrics=["accuracy"])
        for name in ("val_loss", "accuracy", "val_accuracy"):
            assert found[name] == expected[name]
        assert (y == np.arange(60) % 3).all()

    @pytest.mark.parametrize("kind", ["classes", "values"])
    def test_batches_that_come_in_the_same_memory(self, kind):
        x, labels = helpers.inputs(60, 4), np.arange(60) % 3
        y = labels if kind == "classes" else np.eye(3)[labels]
        rows, targets = np.empty((20, 4)), np.empty((20, *y.shape[1:]), y.dtype)

        def batches(epoch):
            for begin in (0, 20, 40):
                rows[...], targets[...] = x[begin : begin + 20], y[begin : begin + 20]
                yield rows, targets
            targets[...] = 0

        net, same = classifier(), classifier()
        found = net.fit(batches, epochs=3, metrics=["accuracy"])
        expected = same.fit([(x[k : k + 20], y[k : k + 20]) for k in (0, 20, 40)], epochs=3, metrics=["accuracy"])
        assert found["loss"] == expected["loss"]
        assert found["accuracy"] == expected["accuracy"]

    @pytest.mark.parametrize("check_finite", [True, False])
    @pytest.mark.parametrize("value", [1e9, -1.0, 0.5, np.nan, np.inf, 3.0, -(2.0**70)])
    def test_categories(self, value, check_finite):
        """They are looked at where they are read, and the network is what it was before the fit."""
        net = Network([cynn.Input(2), cynn.Embedding(3, 2, columns=1), cynn.Dense(1)], seed=0)
        x, y = np.stack([np.linspace(0, 1, 30), np.arange(30) % 3], axis=1), np.linspace(0, 1, 30)
        before = net.get_weights()

        def write():
            x[4, 1] = value

        is_found_first = check_finite and not np.isfinite(value)
        words = "x must be finite" if is_found_first else "x must hold categories, whole numbers from 0 to 2, in col"
        with pytest.raises(DataError, match=words):
            net.fit(x, y, epochs=3, callbacks=[Writes(write)], check_finite=check_finite)
        for own, old in zip(net.get_weights(), before, strict=True):
            np.testing.assert_array_equal(own, old)

    def test_categories_of_the_validation(self):
        net = Network([cynn.Input(1), cynn.Embedding(3, 2), cynn.Dense(1)], seed=0)
        x, held_out = np.arange(30)[:, None] % 3.0, np.arange(300)[:, None] % 3.0

        def write():
            held_out[290] = 3

        with pytest.raises(DataError, match="validation x must hold categories"):
            net.fit(x, x, epochs=2, validation_data=(held_out, held_out), callbacks=[Writes(write)])

    @pytest.mark.parametrize("name", ["x", "y", "held_out"])
    def test_the_shape(self, name):
        """The array of the caller may get another shape or dtype: its memory is what it was."""
        arrays = {name: np.abs(helpers.inputs(60, 4)) for name in ("x", "y", "held_out")}

        def write(data):
            arrays[name].shape = (arrays[name].size,)
            arrays[name].shape = (60, 4)

        data = {"x": arrays["x"], "y": arrays["y"], "validation_data": (arrays["held_out"], arrays["held_out"])}
        net, same = (Network.mlp([4, 4], seed=0) for _ in range(2))
        expected = same.fit(**copy.deepcopy(data))

        class Reshapes(Callback):
            def on_step_end(self, step, logs):
                arrays[name].shape = (240, 1)

        history = net.fit(**data, callbacks=[Reshapes()])
        assert history["val_loss"] == expected["val_loss"]

    def test_hyperparameters(self):
        """They lie where the kernels read them, and their number stays."""
        kernel = ActivationKernel(cynn.activations.LeakyReLU())
        with pytest.raises(BufferError):
            kernel.values.append(1.0)

    def test_the_size(self):
        """NumPy refuses to give away memory that is read."""
        x, y = helpers.inputs(60, 4), np.arange(60) % 3
        net = classifier()
        with pytest.raises(ValueError, match="cannot resize"):
            net.fit(x, y, callbacks=[Writes(lambda: x.resize((1, 4)))])
        held = bytearray(x.tobytes())
        with pytest.raises(BufferError):
            net.fit(np.frombuffer(held).reshape(60, 4), y, callbacks=[Writes(lambda: held.extend(bytes(10**6)))])


class TestOut:
    """`out` may be anywhere but in the weights: what is predicted is what would be without."""

    ROWS = (1, 2, 11, 127, 128, 129, 1000)

    @pytest.mark.parametrize("rows", ROWS)
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("n_threads", [1, 2])
    @pytest.mark.parametrize(
        ("read", "written"),
        [
            (np.s_[:-1], np.s_[1:]),
            (np.s_[1:], np.s_[:-1]),
            (np.s_[:-1], np.s_[:-1]),
            (np.s_[-2::-1], np.s_[1:]),
            (np.s_[:0:-1], np.s_[:-1]),
        ],
    )
    def test_it_may_overlap_x(self, rows, dtype, n_threads, read, written):
        net = Network.mlp([5, 40, 5], activation="tanh", seed=0, dtype=dtype)
        buffer = helpers.inputs(rows + 1, 5, dtype)
        expected = net.predict(buffer[read].copy())
        out = buffer[written]
        assert net.predict(buffer[read], out=out, n_threads=n_threads) is out
        np.testing.assert_array_equal(buffer[written], expected)

    @pytest.mark.parametrize("rows", ROWS)
    def test_columns_and_bytes_in_one_buffer(self, rows):
        net = Network.mlp([3, 2], seed=0)
        views = (
            lambda memory: memory[:, ::-2][:, 1:],
            lambda memory: memory.view(np.uint8)[:, 4:7],
            lambda memory: memory.view(np.float64)[:, :3],
        )
        for view in views:
            memory = helpers.inputs(rows, 8, "float32")
            expected = net.predict(view(memory).copy(), check_finite=False)
            out = memory.reshape(-1)[: 2 * rows].reshape(rows, 2)
            net.predict(view(memory), out=out, check_finite=False)
            np.testing.assert_array_equal(out, expected)

    def test_one_row(self):
        net = Network.mlp([5, 5], seed=0)
        row = helpers.inputs(1, 6, "float32")[0]
        expected = net.predict(row[:-1].copy())
        net.predict(row[:-1], out=row[1:])
        np.testing.assert_array_equal(row[1:], expected)

    @pytest.mark.parametrize("rows", [1, 4, 300])
    def test_it_must_not_be_in_the_network(self, rows):
        net = Network([cynn.Input(4), cynn.Dense(4), cynn.BatchNorm(), cynn.Dense(300)], seed=0)
        before, x = net.get_weights(), helpers.inputs(rows, 4, "float32")
        arrays = [array for layer in net.layers for _, array in layer.arrays()]
        inside = [array.reshape(-1)[: rows * 300].reshape(rows, 300) for array in arrays if array.size >= rows * 300]
        assert inside or rows == 300
        for out in inside:
            with pytest.raises(InvalidParameterError, match=r"out must lie outside of the network's weights"):
                net.predict(x, out=out)
        for own, old in zip(net.get_weights(), before, strict=True):
            np.testing.assert_array_equal(own, old)

    def test_several_must_lie_apart(self):
        x = cynn.Input(3)
        net = Network({"a": cynn.Dense(2)(x), "b": cynn.Dense(2)(x)}, seed=0)
        rows, memory = helpers.inputs(7, 3, "float32"), np.zeros((10, 2), "float32")
        with pytest.raises(InvalidParameterError, match=r"The arrays of out must lie apart. Got two that share"):
            net.predict(rows, out={"a": memory[:7], "b": memory[3:]})
        memory = np.zeros((14, 2), "float32")
        expected = net.predict(rows)
        net.predict(rows, out={"a": memory[:7], "b": memory[7:]})
        np.testing.assert_array_equal(memory, np.concatenate([expected["a"], expected["b"]]))

    @pytest.mark.parametrize("rows", [1, 3, 500])
    def test_what_cannot_be_written(self, rows):
        net = Network.mlp([3, 2], seed=0)
        x = helpers.inputs(rows, 3, "float32")
        outs = [
            np.zeros((rows, 4), "float32")[:, ::2],
            np.zeros((rows, 2), ">f4"),
            np.zeros((rows, 2), "float64"),
            np.zeros((rows, 2), "uint8"),
            np.broadcast_to(np.zeros((1, 1), "float32"), (rows, 2)),
            np.frombuffer(bytearray(8 * rows + 1), np.uint8)[1:].view("float32").reshape(rows, 2),
            np.frombuffer(bytes(8 * rows), "float32").reshape(rows, 2),
            np.zeros((rows + 1, 2), "float32"),
            [[0.0, 0.0]] * rows,
        ]
        for out in outs:
            with pytest.raises(ShapeError, match="out must be"):
                net.predict(x, out=out)
