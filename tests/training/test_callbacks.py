"""Callbacks: when they are called, how they end training, and those that CyNN brings."""

import csv
import pickle
import sys
import time
import types

import helpers
import numpy as np
import pytest

import cynn
from cynn.callbacks import Callback, CSVLogger, EarlyStopping, TensorBoard, Timer
from cynn.callbacks.together import CallbackList
from cynn.errors import InvalidParameterError, MissingDependencyError, UnknownNameError
from cynn.optimizers import SGD, Adam


class Watch(Callback):
    """Writes down what is called."""

    def __init__(self):
        self.calls = []

    def on_train_begin(self):
        self.calls.append("train begin")

    def on_train_end(self):
        self.calls.append("train end")

    def on_epoch_begin(self, epoch):
        self.calls.append(f"epoch begin {epoch}")

    def on_epoch_end(self, epoch, logs):
        self.calls.append(f"epoch end {epoch}")


class WatchSteps(Watch):
    def on_step_end(self, step, logs):
        self.calls.append(f"step {step}")
        self.losses.append(logs["loss"])

    def on_train_begin(self):
        super().on_train_begin()
        self.losses = []


def fit(callbacks, *, net=None, epochs=2, rows=60, batch_size=30, **options):
    x, y = helpers.blobs(rows)
    net = net or helpers.classifier()
    options = {"optimizer": Adam(0.01), **options}
    net.fit(x, y, epochs=epochs, batch_size=batch_size, callbacks=callbacks, **options)
    return net


class Raise(Callback):
    """Raises in one method, at its second call there."""

    def __init__(self, method):
        calls = []

        def called(*arguments):
            calls.append(arguments)
            if len(calls) == (1 if "train" in method else 2):
                raise RuntimeError(f"in {method}")

        setattr(self, method, called)

    def on_step_end(self, step, logs):
        pass


class TestProtocol:
    def test_the_order(self):
        watch = Watch()
        fit(watch)
        epochs = ["epoch begin 1", "epoch end 1", "epoch begin 2", "epoch end 2"]
        assert watch.calls == ["train begin", *epochs, "train end"]

    def test_steps(self):
        watch = WatchSteps()
        fit([watch], epochs=1)
        calls = ["train begin", "epoch begin 1", "step 1", "step 2", "epoch end 1", "train end"]
        assert watch.calls == calls

    def test_steps_are_taken_one_at_a_time_only_where_they_are_watched(self):
        net = helpers.classifier()
        assert not CallbackList([Watch(), Timer()], net).want_steps
        assert CallbackList([Watch(), WatchSteps()], net).want_steps

    def test_steps_one_at_a_time_change_nothing(self):
        watch = WatchSteps()
        net = fit([watch], rows=65, metrics=["accuracy"])
        plain = fit([], rows=65, metrics=["accuracy"])
        assert helpers.digest(net) == helpers.digest(plain)
        for name in ("loss", "accuracy"):
            assert net.history[name] == plain.history[name]
        weights = np.array([30, 30, 5])
        assert np.average(watch.losses[:3], weights=weights) == pytest.approx(plain.history["loss"][0])

    def test_the_network_is_at_hand(self):
        class Look(Callback):
            def on_epoch_end(self, epoch, logs):
                self.weights = self.network.get_weights()

        look = Look()
        net = fit(look)
        assert all((a == b).all() for a, b in zip(look.weights, net.get_weights(), strict=True))

    def test_a_rate_that_is_set_between_steps(self):
        net, optimizer = helpers.network([1, 1], ["identity"]), SGD(1.0)
        net.layers[0].weights = [[0.0]]

        class Halve(Callback):
            def on_step_end(self, step, logs):
                optimizer.learning_rate /= 2

        net.fit(np.ones((4, 1)), np.full(4, -1e9), loss="mae", optimizer=optimizer, batch_size=1, epochs=1,
                callbacks=[Halve()])  # fmt: skip
        assert net.layers[0].weights[0, 0] == -(1 + 0.5 + 0.25 + 0.125)

    def test_it_is_the_one_of_training(self):
        assert cynn.training.Callback is Callback


class TestEnding:
    def test_after_an_epoch(self):
        class Stop(Callback):
            def on_epoch_end(self, epoch, logs):
                if epoch == 3:
                    self.stop_training = True

        stop = Stop()
        assert fit(stop, epochs=10).history.epochs == 3
        stop.stop_training = True
        assert fit(stop, epochs=10).history.epochs == 3  # it is asked anew

    def test_after_a_step_the_figures_are_those_of_the_steps_taken(self):
        class Stop(Callback):
            def on_step_end(self, step, logs):
                self.stop_training = step == 2

        options = {"batch_size": 10, "shuffle": False, "metrics": ["accuracy"]}
        net = fit(Stop(), rows=60, epochs=5, **options)
        assert net.history.epochs == 1
        other = fit([], rows=20, epochs=1, **options)
        assert helpers.digest(net) == helpers.digest(other)
        for name in ("loss", "accuracy"):
            assert net.history[name] == other.history[name]
        assert net._optimizer_state.t == 2

    @pytest.mark.parametrize(
        "method, steps", [
            ("on_train_begin", 0), ("on_epoch_begin", 2), ("on_step_end", 2), ("on_epoch_end", 4),
            ("on_train_end", 6),
        ],
    )  # fmt: skip
    def test_one_that_raises_leaves_a_whole_network(self, method, steps):
        watch, net, plain = Watch(), helpers.classifier(), helpers.classifier()
        with pytest.raises(RuntimeError, match=f"in {method}"):
            fit([watch, Raise(method)], net=net, epochs=3)
        assert watch.calls[0] == "train begin"
        assert watch.calls[-1] == "train end"
        x, y = helpers.blobs(60)
        plain.fit(x, y, optimizer=Adam(0.01), batch_size=30, epochs=-(-steps // 2))
        assert helpers.digest(net) == helpers.digest(plain)
        assert net.history.epochs == {0: 0, 2: 1, 4: 2, 6: 3}[steps] - (method == "on_step_end")
        assert (net._optimizer_state.t if net._optimizer_state else 0) == steps

    def test_all_ends_are_called_also_where_one_raises(self):
        first, last = Watch(), Watch()
        with pytest.raises(RuntimeError):
            fit([first, Raise("on_train_end"), last])
        assert first.calls[-1] == last.calls[-1] == "train end"

    def test_one_that_cannot_begin_is_ended(self):
        class Half(Watch):
            def on_train_begin(self):
                super().on_train_begin()
                raise RuntimeError

        half = Half()
        with pytest.raises(RuntimeError):
            fit(half)
        assert half.calls == ["train begin", "train end"]

    def test_an_interrupt_ends_it_in_order(self):
        class Press(Callback):
            def on_epoch_begin(self, epoch):
                if epoch == 2:
                    raise KeyboardInterrupt

        watch, net = Watch(), helpers.classifier()
        with pytest.raises(KeyboardInterrupt):
            fit([watch, Press()], net=net, epochs=3)
        assert watch.calls[-1] == "train end"
        assert net.history.epochs == 1


class Scripted(Callback):
    """Gives an epoch the figure that is wanted, before the others see it."""

    def __init__(self, figures, name="val_loss"):
        self.figures, self.name = figures, name

    def on_epoch_end(self, epoch, logs):
        logs[self.name] = self.figures[epoch - 1]


class TestEarlyStopping:
    def stopped(self, figures, name="val_loss", **options):
        stopping = EarlyStopping(name, **options)
        net = fit([Scripted(figures, name), stopping], epochs=len(figures))
        return net.history.epochs, stopping.best_epoch

    @pytest.mark.parametrize(
        "figures, options, expected",
        [
            ([3, 2, 1, 1, 1, 1], {}, (4, 3)),
            ([3, 2, 1, 1, 1, 1], {"patience": 2}, (5, 3)),
            ([3, 2, 3, 1, 3, 3, 3], {"patience": 2}, (6, 4)),
            ([3, 2.5, 2.2, 1.9, 1.9], {"min_delta": 1}, (2, 1)),
            ([3, 2.5, 2.2, 1.9, 1.9], {"min_delta": 1, "patience": 2}, (3, 1)),
            ([3, 2.5, 1.9, 1.9, 1.9], {"min_delta": 1, "patience": 2}, (5, 3)),
            ([3, 2, 1], {"patience": 5}, (3, 3)),
            ([1, 2, 3, 3], {"mode": "max"}, (4, 3)),
            ([1, 1.5, 1.8, 1.9], {"mode": "max", "min_delta": 1, "patience": 2}, (3, 1)),
            ([1, 0.9, 2.5, 2.5, 2.5], {"mode": "max", "min_delta": 1, "patience": 2}, (5, 3)),
            ([np.nan, np.nan, 1], {"patience": 2}, (2, 0)),
        ],
    )
    def test_when(self, figures, options, expected):
        assert self.stopped(figures, **options) == expected

    @pytest.mark.parametrize("name", ["accuracy", "r2_score", "top_k_accuracy"])
    def test_scores_are_to_rise(self, name):
        assert self.stopped([1, 2, 3, 3], f"val_{name}") == (4, 3)
        assert self.stopped([3, 2, 1, 1], f"val_{name}", mode="min") == (4, 3)

    @pytest.mark.parametrize("name", ["loss", "mse", "root_mean_squared_error"])
    def test_errors_are_to_fall(self, name):
        assert self.stopped([3, 2, 1, 1], name) == (4, 3)

    @pytest.mark.parametrize("name", ["auction", "auc_error", "my_accuracy", "seconds"])
    def test_a_figure_whose_direction_nobody_says(self, name):
        with pytest.raises(InvalidParameterError, match="of EarlyStopping must be 'min' or 'max'"):
            self.stopped([1, 2, 3], name)
        assert self.stopped([1, 2, 2], name, mode="max") == (3, 2)

    def test_an_output_is_known_by_its_name_alone(self):
        """Its loss falls, whatever it is called; so the first epoch stays the best of a loss that rises."""
        x = cynn.Input(2)
        outputs = {name: cynn.Dense(1)(x) for name in ("auction", "accuracy")}
        for name in outputs:
            net, stopping = cynn.Network(outputs, seed=0), EarlyStopping(f"{name}_loss", patience=2)
            history = net.fit(
                *(np.ones((4, 2)), dict.fromkeys(outputs, np.ones(4))), epochs=9, optimizer=SGD(3.0),
                callbacks=stopping, metrics=["mae"],
            )
            assert (history.epochs, stopping.best_epoch) == (3, 1)
            assert stopping.greater_is_better[f"val_{name}_mae"] is False

    def test_a_metric_without_a_direction_is_refused_before_anything_is_trained(self):
        def mine(y_true, y_pred):
            return 1.0

        net = fit([])
        before, state = helpers.digest(net), pickle.dumps(net._optimizer_state)
        for callbacks, optimizer in (
            (EarlyStopping("mine"), SGD(0.1)),
            ([], SGD(cynn.schedules.ReduceOnPlateau(0.1, "mine"))),
        ):
            with pytest.raises(InvalidParameterError, match=r"must be 'min' or 'max' .* 'mine' .* greater_is_better"):
                fit(callbacks, net=net, metrics=[mine], optimizer=optimizer)
            assert helpers.digest(net) == before
            assert pickle.dumps(net._optimizer_state) == state
        mine.greater_is_better = False
        fit(EarlyStopping("mine"), net=net, metrics=[mine])

    def test_the_best_weights_come_back(self):
        figures = [3, 1, 2, 2, 2]
        net = fit([Scripted(figures), EarlyStopping(patience=2, restore_best_weights=True)], epochs=5)
        assert net.history.epochs == 4
        assert helpers.digest(net) == helpers.digest(fit([], epochs=2))
        kept = fit([Scripted(figures), EarlyStopping(patience=2)], epochs=5)
        assert helpers.digest(kept) == helpers.digest(fit([], epochs=4))

    def test_they_come_back_however_training_ends(self):
        net, stopping = helpers.classifier(), EarlyStopping(patience=9, restore_best_weights=True)
        with pytest.raises(RuntimeError):
            fit([Scripted([1, 2, 3]), stopping, Raise("on_epoch_end")], net=net, epochs=3)
        assert helpers.digest(net) == helpers.digest(fit([], epochs=1))

    def test_a_figure_that_there_is_not(self):
        with pytest.raises(UnknownNameError, match="no figure for the 'monitor' parameter of EarlyStopping"):
            fit(EarlyStopping())

    def test_state_is_handed_on(self):
        """As a checkpoint does it: to a new callback, after on_train_begin."""
        figures = [3, 1, 2, 2, 2, 2]
        whole = EarlyStopping(patience=3, restore_best_weights=True)
        net = fit([Scripted(figures), whole], epochs=6)
        assert net.history.epochs == 5

        first = EarlyStopping(patience=3, restore_best_weights=True)
        half, optimizer, states = helpers.classifier(), Adam(0.01), []

        class Save(Callback):
            def on_epoch_end(self, epoch, logs):
                states.append(pickle.dumps(first.get_state()))

        plain = fit([], epochs=3, net=half, optimizer=optimizer)
        fit([Scripted(figures[:3]), first, Save()], epochs=3)
        second = EarlyStopping(patience=3, restore_best_weights=True)

        class Resume(Callback):
            def on_train_begin(self):
                second.set_state(pickle.loads(states[-1]))

        rest = fit([Scripted(figures[3:]), second, Resume()], epochs=3, net=plain, optimizer=optimizer)
        assert rest.history.epochs == 2
        assert second.best_epoch == whole.best_epoch
        assert helpers.digest(rest) == helpers.digest(net)

    def test_what_is_refused(self):
        with pytest.raises(InvalidParameterError, match="'patience' parameter of EarlyStopping must be"):
            EarlyStopping(patience=-1)
        with pytest.raises(InvalidParameterError, match="'mode' parameter of EarlyStopping must be"):
            EarlyStopping(mode="up")


class TestCSVLogger:
    def test_appending_with_other_figures(self, tmp_path):
        """They go under their own headers, or the file is left as it is."""
        path = tmp_path / "log.csv"
        fit(CSVLogger(path), metrics=["accuracy", "mse"])
        fit(CSVLogger(path, append=True), metrics=["mse"])
        lines = self.read(path)
        assert [line["accuracy"] == "" for line in lines] == [False, False, True, True]
        assert all(0 < float(line["mse"]) < 1 for line in lines)
        before, net = path.read_bytes(), helpers.classifier()
        digest = helpers.digest(net)
        with pytest.raises(InvalidParameterError, match=r"must have a column for each figure .* \['rmse'\]"):
            fit(CSVLogger(path, append=True), metrics=["rmse"], net=net)
        with pytest.raises(InvalidParameterError, match="must have a column for each figure"):
            fit(CSVLogger(path, append=True, separator=";"))
        assert path.read_bytes() == before
        assert helpers.digest(net) == digest

    def test_names_are_quoted(self, tmp_path):
        def metric(y_true, y_pred):
            return 0.5

        metric.__name__ = 'a, "b"\nc'
        fit(CSVLogger(tmp_path / "log.csv"), metrics=[metric])
        assert [line[metric.__name__] for line in self.read(tmp_path / "log.csv")] == ["0.5", "0.5"]

    @pytest.mark.parametrize("separator", ["", "; ", "\n", '"', 3])
    def test_a_separator_that_cannot_be(self, separator):
        with pytest.raises(InvalidParameterError, match="'separator' parameter of CSVLogger must be one character"):
            CSVLogger("log.csv", separator=separator)

    def read(self, path, **options):
        with open(path, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file, **options))

    def test_a_line_an_epoch(self, tmp_path):
        path = tmp_path / "log.csv"
        net = fit(CSVLogger(path), epochs=3, metrics=["accuracy"], validation_split=0.2)
        lines = self.read(path)
        assert [line["epoch"] for line in lines] == ["1", "2", "3"]
        for name, figures in net.history.history.items():
            assert [float(line[name]) for line in lines] == figures

    def test_written_while_it_runs_and_closed_at_the_end(self, tmp_path):
        path = tmp_path / "log.csv"

        class Look(Callback):
            def on_epoch_end(self, epoch, logs):
                self.lines = len(path.read_text().splitlines())
                assert self.lines == epoch + 1

        logger = CSVLogger(path)
        with pytest.raises(RuntimeError):
            fit([logger, Look(), Raise("on_epoch_end")], epochs=3)
        assert logger._file is None

    def test_append(self, tmp_path):
        path = tmp_path / "log.csv"
        for append, lines in [(False, 2), (True, 4), (True, 6), (False, 2)]:
            fit(CSVLogger(path, append=append, separator=";"))
            found = self.read(path, delimiter=";")
            assert [line["epoch"] for line in found] == ["1", "2"] * (lines // 2)

    @pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"epoch,\x00\n", b"\n", b"\x89PNG\r\n"])
    def test_what_is_no_table_is_left_as_it_is(self, content, tmp_path):
        path = tmp_path / "log.csv"
        path.write_bytes(content)
        with pytest.raises(InvalidParameterError, match="must have a column for each figure"):
            fit(CSVLogger(path, append=True))
        assert path.read_bytes() == content

    @pytest.mark.parametrize("begin", [b"", b"\xef\xbb\xbf"])
    @pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
    def test_as_other_programs_write_tables(self, begin, end, tmp_path):
        """With a mark of their encoding in front, and no end of the last line."""
        path = tmp_path / "log.csv"
        path.write_bytes(begin + b"epoch,loss,seconds\r\n1,2,3" + end)
        fit(CSVLogger(path, append=True))
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        assert lines[1] == "1,2,3"
        assert [line.split(",")[0] for line in lines] == ["epoch", "1", "1", "2"]

    def test_one_logger_for_two_trainings(self, tmp_path):
        logger = CSVLogger(tmp_path / "log.csv")
        fit(logger)
        fit(logger, metrics=["accuracy"])
        lines = self.read(logger.filename)
        assert [line["epoch"] for line in lines] == ["1", "2"]
        assert "accuracy" in lines[0]

    def test_a_figure_that_is_not_there_in_every_epoch(self, tmp_path):
        class First(Callback):
            def on_epoch_end(self, epoch, logs):
                if epoch == 1:
                    logs["first"] = 5.0

        fit([First(), CSVLogger(tmp_path / "log.csv")])
        assert [line["first"] for line in self.read(tmp_path / "log.csv")] == ["5.0", ""]

    @pytest.mark.parametrize("left", [None, "", "epoch,seconds,loss\n1,"])
    def test_going_on_where_the_file_is_gone_or_cut_off(self, tmp_path, left):
        """There are headers, and each line is of one epoch."""
        logger = CSVLogger(tmp_path / "log.csv")
        if left is not None:
            logger.filename.write_text(left)

        class Resume(Callback):
            def on_train_begin(self):
                logger.set_state({"bytes": 1000, "columns": ["other"]})  # as checkpoints from before have it

        net = fit([logger, Resume()], epochs=1)
        columns = ["seconds", "loss"] if left else ["loss", "seconds"]
        expected = [["epoch", *columns], ["1", *(str(net.history[name][0]) for name in columns)]]
        lines = [line.split(",") for line in logger.filename.read_text().splitlines()]
        assert lines == (expected if not left else [expected[0], ["1", ""], expected[1]])

    def test_state_is_handed_on(self, tmp_path):
        """Lines that were written after the checkpoint are written again, once."""
        path = tmp_path / "log.csv"
        first, second, states = CSVLogger(path), CSVLogger(path), []

        class Save(Callback):
            def on_epoch_end(self, epoch, logs):
                states.append(first.get_state())

        class Resume(Callback):
            def on_train_begin(self):
                second.set_state(states[1])

        fit([first, Save()], epochs=3)
        kept = path.read_text().splitlines()[:3]
        fit([second, Resume()], epochs=2)
        lines = path.read_text().splitlines()
        assert lines[:3] == kept
        assert len(lines) == 5


class TestTensorBoard:
    def test_without_the_package_the_extra_is_named(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "tensorboardX", None)
        with pytest.raises(MissingDependencyError, match=r"cynn-nn\[tensorboard\]"):
            TensorBoard()

    def test_what_the_package_is_told(self, tmp_path, monkeypatch):
        told = []

        class SummaryWriter:
            def __init__(self, folder, purge_step, filename_suffix):
                told.append(("folder", folder, purge_step))

            def add_scalar(self, name, figure, epoch):
                if name == "loss":
                    told.append((name, figure, epoch))

            def flush(self):
                told.append("flush")

            def close(self):
                told.append("close")

        package = types.ModuleType("tensorboardX")
        package.SummaryWriter = SummaryWriter
        monkeypatch.setitem(sys.modules, "tensorboardX", package)
        first, second = fit(TensorBoard(tmp_path), epochs=2).history["loss"]
        folder = ("folder", str(tmp_path), 1)  # hides what was written of the first epoch on
        assert told == [folder, ("loss", first, 1), "flush", ("loss", second, 2), "flush", "close"]

    def test_the_figures_are_written(self, tmp_path):
        pytest.importorskip("tensorboardX", reason="the extra tensorboard is not installed")
        fit(TensorBoard(tmp_path / "logs"), epochs=3)
        (file,) = (tmp_path / "logs").iterdir()
        content = file.read_bytes()
        assert content.count(b"loss") >= 3


class TestTimer:
    def test_epochs(self):
        timer = Timer()
        fit(timer, epochs=3)
        assert len(timer.epoch_seconds) == 3
        assert timer.total_seconds == sum(timer.epoch_seconds) > 0
        other = Timer()
        other.set_state(timer.get_state())
        assert other.total_seconds == timer.total_seconds

    def test_used_twice(self):
        timer, stopping = Timer(), EarlyStopping()
        for figures in ([1, 2], [4, 3]):
            net = fit([Scripted(figures), timer, stopping], epochs=2)
            assert len(timer.epoch_seconds) == net.history.epochs == 2
        assert (stopping.best, stopping.best_epoch) == (3, 2)

    def test_the_limit_is_for_all_epochs_together(self):
        timer = Timer(100)
        timer.set_state({"epoch_seconds": [99.0], "seconds_of_this_epoch": 2.0})
        timer.on_epoch_end(2, {})
        assert timer.stop_training

    def test_an_epoch_begins_with_it(self):
        timer, begin = Timer(), time.perf_counter()
        fit(timer, epochs=3)
        assert timer.total_seconds <= time.perf_counter() - begin

    def test_an_epoch_that_goes_on_has_its_seconds_from_before(self):
        timer = Timer()
        timer.set_state({"epoch_seconds": [1.0], "seconds_of_this_epoch": 100.0})
        timer.on_epoch_end(2, {})
        assert timer.epoch_seconds[0] == 1.0
        assert timer.epoch_seconds[1] >= 100.0

    def test_a_limit(self):
        assert fit(Timer(1e-9), epochs=3).history.epochs == 1
        assert fit(Timer(1e9), epochs=3).history.epochs == 3
        with pytest.raises(InvalidParameterError, match="'limit_seconds' parameter of Timer must be"):
            Timer(0)
