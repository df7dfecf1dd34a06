"""Checkpoints: training that goes on from one ends with the same bits as one that never stopped."""

import json
import os
import shutil
import struct
from contextlib import nullcontext

import helpers
import numpy as np
import pytest

import cynn
from cynn import Dense, Input, Network
from cynn.callbacks import (
    Callback,
    Checkpoint,
    CSVLogger,
    EarlyStopping,
    StochasticWeightAveraging,
    TensorBoard,
    Timer,
)
from cynn.errors import CheckpointError, InvalidParameterError, ModelFileError
from cynn.optimizers import SGD, Adam
from cynn.saving import checkpoint_file
from cynn.schedules import CosineDecay, ReduceOnPlateau, WarmUp

X, Y = helpers.blobs(70)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.safetensors"


def network(seed=0):
    """With layers that draw random numbers, and that remember."""
    layers = [Input(2), Dense(8, "relu"), cynn.BatchNorm(momentum=0.8), cynn.Dropout(0.3), Dense(3, "softmax")]
    return Network(layers, seed=seed)


def fit(net=None, x=X, y=Y, *, optimizer=None, **options):
    net = net or network()
    defaults = {"epochs": 4, "batch_size": 10, "progress": False}
    net.fit(x, y, optimizer=optimizer or Adam(0.01), **{**defaults, **options})
    return net


def of_two_outputs():
    """A network of two outputs, and targets for each."""
    x = Input(2)
    h = cynn.Dropout(0.3)(Dense(8, "relu")(x))
    net = Network({"kind": Dense(3, "softmax")(h), "size": Dense(1)(h)}, seed=0)
    y, metrics = {"kind": Y, "size": X[:, 0]}, {"kind": ["accuracy"]}
    return {"net": net, "y": y, "loss_weights": {"kind": 0.5}, "metrics": metrics}


def batches_of_two_outputs(epoch):
    for x, y in batches(epoch):
        yield x, {"kind": y, "size": x[:, 0]}


class Crash(Exception):
    """What ends a training here as a SIGKILL would: nothing of it is left but the files."""


class CrashAfterWriting(Checkpoint):
    """Crashes once it has written one checkpoint."""

    def write(self, state, place):
        super().write(state, place)
        raise Crash


def in_pieces(path, make, **checkpoint_options):
    """A training that crashes after each of its checkpoints, and how often it did."""
    crashes = []
    while len(crashes) < 1000:
        options = make()
        callbacks = [*options.get("callbacks", []), CrashAfterWriting(path, **checkpoint_options)]
        try:
            return fit(**{**options, "callbacks": callbacks, "resume": True}), len(crashes)
        except Crash as crash:
            crashes.append(crash)  # with its memory, which the next must not find again
    raise AssertionError("it never ended")


class CrashAfterEpoch(Callback):
    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_end(self, epoch, logs):
        if epoch == self.epoch:
            raise Crash


def crash_often(path, logger):
    """A training of 7 steps an epoch that crashes at the end of epochs, each time behind the last checkpoint."""
    for epoch, every_steps in ((1, 5), (2, 3), (3, 11), (None, 11)):
        callbacks = [logger(), CrashAfterEpoch(epoch), Checkpoint(path, every_steps=every_steps)]
        with nullcontext() if epoch is None else pytest.raises(Crash):
            fit(callbacks=callbacks, resume=True)


def shown(folder):
    """The values of each figure and step that TensorBoard shows: a session hides those from its step on."""
    from tensorboardX.proto.event_pb2 import Event, SessionLog

    found = {}
    for file in sorted(folder.iterdir()):
        content = file.read_bytes()
        while content:
            (size,) = struct.unpack_from("<Q", content)
            event, content = Event.FromString(content[12 : 12 + size]), content[16 + size :]
            if event.session_log.status == SessionLog.START:
                found = {key: values for key, values in found.items() if key[1] < event.step}
            for value in event.summary.value:
                found.setdefault((value.tag, event.step), []).append(value.simple_value)
    return found


def figures(net):
    return {name: values for name, values in net.history.history.items() if name != "seconds"}


def assert_same(net, other):
    assert helpers.digest(net) == helpers.digest(other)
    assert figures(net) == figures(other)
    assert net.epochs_trained == other.epochs_trained
    state, expected = net._optimizer_state, other._optimizer_state
    assert state.t == expected.t
    for slots, others in zip(state.slots, expected.slots, strict=True):
        assert [slot.tobytes() for slot in slots] == [slot.tobytes() for slot in others]


def batches(epoch):
    generator = np.random.default_rng(epoch)
    for size in (20, 7, 30, 4, 13):
        rows = generator.integers(0, len(X), size=size)
        yield X[rows], Y[rows]


def jitter(x, y, generator):
    return x + generator.normal(size=x.shape) / 10, y


class Momentum(cynn.optimizers.Optimizer):
    """v := 0.5 v - rate * grad, in Python."""

    name = "momentum_in_python"
    n_slots = 1

    def step(self, w, grad, slots, learning_rate, t):
        slots[0] *= 0.5
        slots[0] -= learning_rate * grad
        w += slots[0]


class FallingRate(Callback):
    """Sets the rate before and within epochs, on the optimizer that it was given."""

    def __init__(self, optimizer):
        self.optimizer = optimizer

    def on_epoch_begin(self, epoch):
        self.optimizer.learning_rate *= 0.9

    def on_step_end(self, step, logs):
        if step == 2:
            self.optimizer.learning_rate /= 2


def with_falling_rate():
    optimizer = SGD(0.5)
    return {"optimizer": optimizer, "callbacks": [FallingRate(optimizer)]}


class Collect(Callback):
    """Keeps the loss of every step, and what it is told of."""

    def on_train_begin(self):
        self.losses, self.calls = [], []

    def on_epoch_begin(self, epoch):
        self.calls.append(epoch)

    def on_step_end(self, step, logs):
        self.losses.append(logs["loss"])

    def get_state(self):
        return {"losses": np.array(self.losses), "calls": self.calls}

    def set_state(self, state):
        self.losses, self.calls = list(state["losses"]), list(state["calls"])


CASES = {
    "nothing": dict,
    "metrics": lambda: {"metrics": ["accuracy", "r2_score"]},
    "validation": lambda: {"validation_split": 0.2, "metrics": ["accuracy"]},
    "class weights": lambda: {"class_weight": {0: 2.0, 1: 0.5}},
    "sample weights": lambda: {"sample_weight": np.linspace(0, 2, len(X))},
    "blocks": lambda: {"shuffle": "blocks"},
    "in order": lambda: {"shuffle": False},
    "accumulation": lambda: {"optimizer": Adam(0.01, gradient_accumulation_steps=3), "metrics": ["accuracy"]},
    "averages": lambda: {"optimizer": Adam(0.01, use_ema=True, ema_momentum=0.9)},
    "clipping": lambda: {"optimizer": SGD(0.1, momentum=0.9, global_clipnorm=0.1)},
    "a schedule": lambda: {"optimizer": Adam(WarmUp(CosineDecay(0.05), warmup_steps=5))},
    "a function of the step": lambda: {"optimizer": Adam(WarmUp(lambda step: 0.1 / (step + 1), warmup_steps=5))},
    "reduction on a plateau": lambda: {
        "optimizer": Adam(WarmUp(ReduceOnPlateau(0.05, monitor="loss", patience=1, min_delta=0.5), 3)), "epochs": 8,
    },
    "early stopping": lambda: {
        "callbacks": [EarlyStopping(min_delta=0.1, patience=2, restore_best_weights=True)], "epochs": 20,
        "validation_split": 0.3, "optimizer": Adam(0.05),
    },
    "a rate that a callback sets": with_falling_rate,
    "a callback of steps": lambda: {"callbacks": [Collect()]},
    "a plugin in Python": lambda: {"optimizer": Momentum(0.01)},
    "an optimizer of whole parameters": lambda: {"optimizer": "lamb"},
    "a function of batches": lambda: {"x": batches, "y": None, "metrics": ["accuracy"]},
    "a function of batches with weights": lambda: {
        "x": batches, "y": None, "steps_per_epoch": 4, "class_weight": {0: 2.0},
    },
    "a list of batches": lambda: {"x": list(batches(0)), "y": None, "optimizer": Adam(CosineDecay(0.05))},
    "a transform": lambda: {"transform": jitter, "metrics": ["accuracy"], "validation_split": 0.2},
    "two outputs": of_two_outputs,
    "two outputs with weights": lambda: {
        **of_two_outputs(), "class_weight": {"kind": {0: 2.0}}, "sample_weight": {"size": np.linspace(0, 2, len(X))},
        "callbacks": [Collect()],
    },
    "batches of two outputs": lambda: {**of_two_outputs(), "x": batches_of_two_outputs, "y": None},
    "an average of weights": lambda: {"callbacks": [StochasticWeightAveraging(2)], "transform": jitter},
    "labels": lambda: {
        "y": np.stack([Y == 0, Y > 0, Y == 2], axis=1).astype(int), "loss": "mse", "metrics": ["accuracy"],
    },
}  # fmt: skip


class TestTheSameBits:
    @pytest.mark.parametrize("case", CASES)
    @pytest.mark.parametrize("every_steps", [1, 3, None], ids=["every step", "every 3 steps", "every epoch"])
    def test_after_a_crash_at_every_checkpoint(self, path, case, every_steps):
        expected = fit(**CASES[case]())
        net, crashes = in_pieces(path, CASES[case], every_steps=every_steps)
        assert crashes >= 4
        assert_same(net, expected)
        assert os.listdir(path.parent) == [path.name]

    def test_what_the_callbacks_know(self, path):
        everything = []

        class Watch(Collect):
            def on_train_end(self):
                everything.append((self.losses, self.calls))

        fit(callbacks=[Watch()])
        in_pieces(path, lambda: {"callbacks": [Watch()]}, every_steps=3)
        whole, last = everything[0], everything[-1]
        assert last == whole
        assert whole[1] == [1, 2, 3, 4]  # an epoch that goes on does not begin again

    def test_early_stopping_knows_its_best(self, path):
        stopped = [EarlyStopping("loss", min_delta=1.0, patience=3) for _ in range(2)]
        fit(callbacks=[stopped[0]], epochs=20)
        calls = iter([EarlyStopping("loss", min_delta=1.0, patience=3) for _ in range(99)])
        used = []

        def make():
            used.append(next(calls))
            return {"callbacks": [used[-1]], "epochs": 20}

        in_pieces(path, make, every_steps=5)
        assert (used[-1].best, used[-1].best_epoch) == (stopped[0].best, stopped[0].best_epoch)

    def test_the_log_is_that_of_a_training_that_never_stopped(self, path, tmp_path):
        def read(log):
            return [line.split(",")[:-1] for line in log.read_text().splitlines()]  # the last are the seconds

        whole, pieces = tmp_path / "whole.csv", tmp_path / "pieces.csv"
        fit(callbacks=[CSVLogger(whole)])
        in_pieces(path, lambda: {"callbacks": [CSVLogger(pieces)]}, every_steps=2)
        assert read(pieces) == read(whole)

    def test_no_line_of_a_log_is_there_twice(self, path, tmp_path):
        """Also of epochs that ended after the last checkpoint."""
        log, whole = tmp_path / "log.csv", fit().history["loss"]
        log.write_text("what was there\n")
        for append, trainings in ((False, 1), (True, 2)):
            path.unlink(missing_ok=True)
            crash_often(path, lambda append=append: CSVLogger(log, append=append))
            lines = [line.split(",") for line in log.read_text().splitlines()]
            assert [line[0] for line in lines] == ["epoch", *["1", "2", "3", "4"] * trainings]
            assert [float(line[1]) for line in lines[1:]] == whole * trainings

    def test_no_event_is_shown_twice(self, path, tmp_path):
        pytest.importorskip("tensorboardX", reason="the extra tensorboard is not installed")
        folder = tmp_path / "logs"
        whole = fit(epochs=5, callbacks=[TensorBoard(folder)])
        crash_often(path, lambda: TensorBoard(folder))
        found = shown(folder)
        assert set(found) == {(name, epoch) for name in ("loss", "seconds") for epoch in range(1, 5)}
        assert all(len(values) == 1 for values in found.values())
        np.testing.assert_allclose([found["loss", epoch][0] for epoch in range(1, 5)], whole.history["loss"][:4],
                                   rtol=1e-6)  # fmt: skip

    def test_tensorboard_sees_it_likewise(self, path, tmp_path):
        pytest.importorskip("tensorboardX", reason="the extra tensorboard is not installed")
        reader = pytest.importorskip(
            "tensorboard.backend.event_processing.event_accumulator", reason="tensorboard is not installed"
        )
        crash_often(path, lambda: TensorBoard(tmp_path / "logs"))
        events = reader.EventAccumulator(str(tmp_path / "logs")).Reload()
        for name in events.Tags()["scalars"]:
            assert [event.step for event in events.Scalars(name)] == [1, 2, 3, 4]

    def test_time_goes_on(self, path):
        timer = Timer()
        in_pieces(path, lambda: {"callbacks": [timer]}, every_steps=3)
        assert len(timer.epoch_seconds) == 4
        assert 0 < min(timer.epoch_seconds) <= max(timer.epoch_seconds) < 1e6

    def test_after_a_fit_before(self, path):
        def make():
            net, optimizer = network(), Adam(CosineDecay(0.05))
            fit(net, epochs=2, optimizer=optimizer)
            return {"net": net, "optimizer": optimizer}

        expected = fit(**make())
        assert expected.epochs_trained == 6
        assert_same(in_pieces(path, make, every_steps=3)[0], expected)
        os.remove(path)
        with pytest.raises(Crash):
            fit(**make(), callbacks=[CrashAfterWriting(path, every_steps=9)])
        assert_same(fit(optimizer=Adam(CosineDecay(0.05)), resume=path), expected)  # without the fit before

    def test_a_rate_that_a_callback_replaces_by_a_schedule(self, path):
        class Replace(Callback):
            def on_epoch_end(self, epoch, logs):
                if epoch == 2:
                    self.network._optimizer_state.optimizer.learning_rate = CosineDecay(0.1, decay_steps=30)

        def make():
            return {"callbacks": [Replace()], "optimizer": SGD(0.2)}

        assert_same(in_pieces(path, make, every_steps=3)[0], fit(**make()))

    def test_at_any_number_of_threads(self, path):
        x, y = helpers.inputs(300, 64, "float32"), np.arange(300) % 10
        n_threads = iter([2, 1, 3] * 100)

        def make(threads=None):
            net = Network([Input(64), Dense(300, "relu"), cynn.Dropout(0.2), Dense(10, "softmax")], seed=0)
            return {"net": net, "x": x, "y": y, "batch_size": 128, "n_threads": threads or next(n_threads), "epochs": 2}

        assert_same(in_pieces(path, make, every_steps=1)[0], fit(**make(1)))

    def test_the_checkpoint_is_written_after_the_other_callbacks(self, path):
        """Wherever it stands in the list."""

        def run(order, **options):
            callbacks = [Checkpoint(path), EarlyStopping("loss", patience=1, min_delta=9), Collect()]
            return fit(callbacks=[callbacks[place] for place in order], epochs=9, **options)

        expected = run([1, 2, 0])
        os.remove(path)
        assert run([0, 1, 2]).history.epochs == expected.history.epochs == 2
        assert_same(run([1, 0, 2], resume=True), expected)


class TestWhen:
    def written(self, tmp_path, **options):
        """The steps at which there were checkpoints."""
        folder = tmp_path / "all"
        shutil.rmtree(folder, ignore_errors=True)
        fit(callbacks=[Checkpoint(folder / "{step}", **options)], epochs=3)
        return sorted(int(name) for name in os.listdir(folder))

    def test_after_every_epoch(self, tmp_path):
        assert self.written(tmp_path) == [7, 14, 21]

    def test_after_so_many_steps_and_at_the_end(self, tmp_path):
        assert self.written(tmp_path, every_steps=5) == [5, 10, 15, 20, 21]
        assert self.written(tmp_path, every_steps=7) == [7, 14, 21]
        assert self.written(tmp_path, every_steps=100) == [21]

    def test_after_so_many_seconds(self, tmp_path):
        assert self.written(tmp_path, every_seconds=0) == list(range(1, 22))
        assert self.written(tmp_path, every_seconds=1e9) == [21]
        assert self.written(tmp_path, every_seconds=1e9, every_steps=10) == [10, 20, 21]

    def test_steps_of_the_optimizer_are_counted(self, tmp_path):
        fit(optimizer=SGD(gradient_accumulation_steps=2), epochs=2,
            callbacks=[Checkpoint(tmp_path / "{step}", every_steps=3)])  # fmt: skip
        assert sorted(map(int, os.listdir(tmp_path))) == [3, 6, 8]

    def test_not_after_an_error(self, path):
        class Raise(Callback):
            def on_epoch_end(self, epoch, logs):
                raise Crash

        with pytest.raises(Crash):
            fit(callbacks=[Raise(), Checkpoint(path)])
        assert not path.exists()

    def test_two_of_them(self, tmp_path):
        often, epochs = Checkpoint(tmp_path / "last", every_steps=3), Checkpoint(tmp_path / "{epoch}")
        expected = fit(callbacks=[often, epochs])
        assert sorted(os.listdir(tmp_path)) == ["1", "2", "3", "4", "last"]
        for name in ("1", "3", "last"):
            assert_same(fit(resume=tmp_path / name), expected)


class TestNames:
    def test_numbers(self, tmp_path):
        fit(callbacks=[Checkpoint(tmp_path / "{epoch:02d}-{step:06d}.safetensors", every_steps=9)], epochs=3)
        names = ("02-000009", "03-000018", "03-000021")
        assert sorted(os.listdir(tmp_path)) == [f"{name}.safetensors" for name in names]

    def test_the_last_are_kept(self, tmp_path):
        other = tmp_path / "notes-7.txt"
        other.write_text("not a checkpoint")
        fit(callbacks=[Checkpoint(tmp_path / "{step}.st", keep=2)], epochs=5)
        assert sorted(os.listdir(tmp_path)) == ["28.st", "35.st", "notes-7.txt"]
        fit(callbacks=[Checkpoint(tmp_path / "{step}.st", keep=2)], epochs=2)  # begins anew
        assert sorted(os.listdir(tmp_path)) == ["14.st", "7.st", "notes-7.txt"]

    def test_the_newest_is_gone_on_from(self, tmp_path):
        expected = fit()
        fit(callbacks=[Checkpoint(tmp_path / "{step}.st")])
        for step in (7, 14, 21, 28):
            os.utime(tmp_path / f"{step}.st", ns=(step, 0 if step == 14 else -step))
        os.remove(tmp_path / "28.st")
        assert Checkpoint(tmp_path / "{step}.st").newest() == str(tmp_path / "14.st")
        watch = Collect()
        assert_same(fit(resume=True, callbacks=[Checkpoint(tmp_path / "{step}.st")]), expected)
        with pytest.raises(InvalidParameterError, match=r"callbacks must be \[\]"):
            fit(resume=True, callbacks=[Checkpoint(tmp_path / "{step}.st"), watch])

    @pytest.mark.parametrize("name", ["{run}", "{}", "{epoch!r}", "{step:,}", "{step:>9}", "{step", "{epoch[0]}"])
    def test_braces_of_another_kind(self, name):
        with pytest.raises(InvalidParameterError, match="'path' parameter of Checkpoint must be a file whose name"):
            Checkpoint(name)

    def test_braces_that_are_meant(self, tmp_path):
        fit(callbacks=[Checkpoint(tmp_path / "{{x}}-{step}.st", keep=1)])
        assert os.listdir(tmp_path) == ["{x}-28.st"]

    def test_a_name_in_the_working_folder(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        expected = fit(callbacks=[Checkpoint("run")])
        assert_same(fit(resume="run"), expected)

    @pytest.mark.parametrize(
        "options, name",
        [
            ({"every_steps": 0}, "every_steps"), ({"every_steps": 1.5}, "every_steps"),
            ({"every_seconds": -1}, "every_seconds"), ({"keep": 0}, "keep"), ({"keep": 2}, "path"),
            ({"on_error": "ignore"}, "on_error"),
        ],
    )  # fmt: skip
    def test_what_is_refused(self, options, name):
        with pytest.raises(InvalidParameterError, match=f"The '{name}' parameter of Checkpoint must"):
            Checkpoint("run.safetensors", **options)


class TestResume:
    def test_a_training_that_is_over_returns_at_once(self, path):
        expected = fit(callbacks=[Checkpoint(path)], optimizer=Adam(0.01, use_ema=True))
        before = path.stat().st_mtime_ns
        watch = Collect()
        with pytest.raises(InvalidParameterError, match="callbacks"):
            fit(resume=path, callbacks=[watch], optimizer=Adam(0.01, use_ema=True))
        assert_same(fit(resume=True, callbacks=[Checkpoint(path)], optimizer=Adam(0.01, use_ema=True)), expected)
        assert path.stat().st_mtime_ns == before

    def test_one_that_was_stopped_does_too(self, path):
        def run(**options):
            stopping = EarlyStopping("loss", min_delta=10, patience=2, restore_best_weights=True)
            return fit(callbacks=[stopping, Checkpoint(path)], epochs=9, **options)

        expected = run()
        assert expected.history.epochs == 3
        assert_same(run(resume=True), expected)

    def test_with_true_it_begins_where_there_is_nothing(self, path):
        assert_same(fit(resume=True, callbacks=[Checkpoint(path.parent / "new" / "run")]), fit())

    def test_without_a_checkpoint_among_the_callbacks(self):
        with pytest.raises(InvalidParameterError, match="may be True only if there is a Checkpoint"):
            fit(resume=True)

    @pytest.mark.parametrize("resume", [1, 1.5, ["run"], b"run"])
    def test_what_is_no_path(self, resume):
        with pytest.raises(InvalidParameterError, match="'resume' parameter of fit must be the path"):
            fit(resume=resume)

    @pytest.mark.parametrize("resume", [None, False])
    def test_nothing(self, resume):
        assert_same(fit(resume=resume), fit())

    def test_a_path_where_there_is_nothing(self, path):
        for wrong in (path, path.parent):
            with pytest.raises(CheckpointError, match="'resume' parameter of fit must be a checkpoint that can be"):
                fit(resume=wrong)
        assert issubclass(CheckpointError, OSError)

    def test_a_model_file(self, path):
        network().save(path)
        with pytest.raises(ModelFileError, match=r"the state of a training in version 3\. Got a network alone"):
            fit(resume=path)

    def test_longer_than_it_was_meant_to_be(self, path):
        fit(callbacks=[Checkpoint(path)], epochs=2)
        assert_same(fit(resume=path, epochs=4), fit(epochs=4))
        assert fit(resume=path, epochs=1).history.epochs == 2

    def test_no_figures_no_callbacks_and_short_epochs(self, path):
        fit(callbacks=[Checkpoint(path, every_steps=9)], epochs=2)
        fit(callbacks=[Checkpoint(path)], epochs=2, resume=path)
        assert_same(fit(resume=path, epochs=300), fit(epochs=300))

    def test_the_network_can_be_loaded(self, path):
        net = fit(callbacks=[Checkpoint(path)])
        again = cynn.load(path)
        assert helpers.digest(again) == helpers.digest(net)
        assert again.get_config() == net.get_config()

    @pytest.mark.parametrize(
        "changes, named",
        [
            ({"net": network(seed=1)}, "network.seed must be 0, as it was when the training began. Got 1 instead"),
            ({"net": helpers.classifier()}, "network.layers must be"),
            ({"optimizer": Adam(0.02)}, "optimizer.learning_rate must be 0.01"),
            ({"optimizer": Adam(0.01, use_ema=True)}, "optimizer must be"),
            ({"optimizer": SGD(0.01)}, "optimizer must be"),
            ({"loss": "mse"}, "loss must be"),
            ({"batch_size": 11}, "batch_size must be 10"),
            ({"x": X[:-1], "y": Y[:-1]}, "rows must be 70"),
            ({"shuffle": False}, "shuffle must be True"),
            ({"metrics": ["accuracy"]}, r"metrics must be \[\]"),
            ({"validation_data": (X, Y)}, "validation rows must be 0"),
            ({"class_weight": {0: 2.0}}, "class_weight must be None"),
            ({"transform": jitter}, "transform must be None"),
            ({"x": batches, "y": None}, "rows must be 70"),
            ({"callbacks": [Timer()]}, r"callbacks must be \[\]"),
        ],
    )
    def test_what_is_not_as_it_was_is_named(self, path, changes, named):
        fit(callbacks=[Checkpoint(path)])
        net = changes.get("net") or network()
        before = helpers.digest(net)
        with pytest.raises(InvalidParameterError, match=named):
            fit(**{"net": net, **changes, "resume": path})
        assert helpers.digest(net) == before

    def test_a_schedule_is_that_of_all_epochs(self, path):
        def run(epochs, **options):
            return fit(optimizer=Adam(CosineDecay(0.01)), epochs=epochs, **options)

        run(2, callbacks=[Checkpoint(path)])
        with pytest.raises(InvalidParameterError, match="epochs must be 2"):
            run(3, resume=path)

    @pytest.mark.parametrize("options", [{"resume": "run"}, {"callbacks": [Checkpoint("run")]}])
    def test_what_can_be_gone_through_once(self, options):
        with pytest.raises(InvalidParameterError, match="must give its batches again: a list, or a function"):
            fit(x=iter(list(batches(0))), y=None, steps_per_epoch=2, **options)


class TestState:
    def packed(self, value):
        arrays = {}
        text = json.dumps(checkpoint_file._without_arrays(value, "training", arrays))
        tree = json.loads(text)
        for name, array in arrays.items():
            checkpoint_file._put(tree, name.split("/")[1:], array)
        return tree

    def test_numbers_names_and_trees(self):
        tree = {
            "numbers": [1, -0.1, float("inf"), 2**80, True, None, 5e-324, 0.1 + 0.2], "text": 'ü"\\\n\ud800',
            "tree": {"": {"a/b": [{}], "~1": []}, "~": {"0": 1}},
        }  # fmt: skip
        assert self.packed(tree) == tree
        assert np.isnan(self.packed({"x": float("nan")})["x"])
        assert self.packed([(np.float32(0.5), np.int8(3)), np.bool_(True)]) == [[0.5, 3], True]

    @pytest.mark.parametrize(
        "array",
        [
            np.arange(6.0).reshape(2, 3).T, np.zeros((0, 3)), np.array(5), np.arange(5, dtype=">i4")[::2],
            np.array([True, False]), np.array([1, 2], np.float16), np.array([2**64 - 1], np.uint64),
        ],
        ids=lambda array: array.dtype.str,
    )  # fmt: skip
    def test_arrays(self, path, array):
        state = {"callbacks": [{"a/b~": [None, array]}]}
        checkpoint_file.write(path, network(), state)
        (again,) = checkpoint_file.read(path)["callbacks"]
        found = again["a/b~"][1]
        assert found.shape == array.shape
        assert found.dtype == array.dtype.newbyteorder("=")
        assert (found == array).all()

    @pytest.mark.parametrize(
        "value", [{1, 2}, {1: 2}, object(), np.array(["x"]), np.array([None]), b"x", 1j, np.datetime64("2020")], ids=str
    )
    def test_what_it_cannot_hold(self, path, value):
        class Odd(Callback):
            def get_state(self):
                return {"odd": [value]}

        with pytest.raises(InvalidParameterError, match="at training/callbacks/0/state/odd/0 instead"):
            fit(callbacks=[Odd(), Checkpoint(path)])
        assert os.listdir(path.parent) == []
