"""Checkpoints when things go wrong: damaged files, full disks, and processes that are killed at any moment."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import textwrap

import helpers
import numpy as np
import pytest
from safetensors.numpy import save as to_bytes
from test_checkpoint import Collect, Crash, CrashAfterWriting, assert_same, fit, network

import cynn
from cynn import Network
from cynn.callbacks import Callback, Checkpoint
from cynn.errors import CheckpointError, CynnError, CynnWarning, ModelFileError
from cynn.saving import checkpoint_file, tensor_file


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.safetensors"


class TestDamaged:
    @pytest.fixture
    def whole(self, path):
        net = Network.mlp([1, 1, 1], activation="tanh", seed=0)
        with pytest.raises(Crash):
            fit(net, [[0.0], [1.0], [2.0]], [0.0, 1.0, 3.0], batch_size=1, metrics=["mse"],
                callbacks=[CrashAfterWriting(path, every_steps=4)])  # fmt: skip
        return path.read_bytes()

    def is_refused(self, path, expected):
        """Else it is read as what was written."""
        try:
            state = checkpoint_file.read(path)
        except CynnError as error:
            assert str(path) in str(error)
            return True
        assert plain(state) == expected
        return False

    @pytest.mark.parametrize("flip", [0x01, 0x20, 0x80, 0xFF])
    def test_a_flipped_byte_anywhere(self, path, whole, flip):
        expected = plain(checkpoint_file.read(path))
        with open(path, "r+b", buffering=0) as file:
            for position in range(len(whole)):
                for byte, is_damaged in ((whole[position] ^ flip, True), (whole[position], False)):
                    file.seek(position)
                    file.write(bytes([byte]))
                    assert not is_damaged or self.is_refused(path, expected)
        assert path.read_bytes() == whole

    def test_cut_anywhere(self, path, whole):
        expected = plain(checkpoint_file.read(path))
        path.write_bytes(whole + b"\0")
        assert self.is_refused(path, expected)
        for length in reversed(range(len(whole))):
            os.truncate(path, length)
            assert self.is_refused(path, expected)

    def test_bytes_in_another_order(self, path, whole):
        expected = plain(checkpoint_file.read(path))
        generator = np.random.default_rng(0)
        with open(path, "r+b", buffering=0) as file:
            for _ in range(300):
                begin, middle, end = sorted(generator.integers(0, len(whole), size=3))
                file.seek(0)
                file.write(whole[:begin] + whole[middle:end] + whole[begin:middle] + whole[end:])
                self.is_refused(path, expected)

    def test_nothing_of_the_network_is_changed(self, path, whole):
        net = Network.mlp([1, 1, 1], activation="tanh", seed=0)
        before = helpers.digest(net)
        path.write_bytes(whole[:-1])
        with pytest.raises(ModelFileError, match=r"The checkpoint .* must hold a whole safetensors file"):
            net.fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 3.0], batch_size=1, epochs=2, resume=path)
        assert helpers.digest(net) == before

    def test_one_without_a_checksum(self, path, whole):
        from safetensors.numpy import load

        path.write_bytes(to_bytes(load(whole), {"format": "cynn", "training": "{}", "training_version": "2"}))
        with pytest.raises(ModelFileError, match=r"must hold the sha256 of its content\. Got none instead"):
            checkpoint_file.read(path)

    def test_another_version(self, path):
        tensor_file.write(path, {}, {"training": "{}", "training_version": "1"})
        with pytest.raises(ModelFileError, match=r"in version 3\. Got version '1' instead"):
            checkpoint_file.read(path)


def plain(tree):
    """A tree that can be compared, without the seconds."""
    if isinstance(tree, np.ndarray):
        return tree.dtype.str, tree.shape, tree.tobytes()
    if isinstance(tree, dict):
        return {key: plain(value) for key, value in tree.items()}
    return [plain(value) for value in tree] if isinstance(tree, list) else tree



def no_space(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class TestWriting:
    """What goes wrong when one is written: the last good one is there, and nothing else."""

    class DiskFull(Callback):
        """The disk is full for the checkpoints in the midst of the training."""

        def __init__(self, monkeypatch, function):
            self.monkeypatch, self.function = monkeypatch, function

        def on_epoch_begin(self, epoch):
            self.monkeypatch.undo()
            if epoch in (2, 3):
                self.monkeypatch.setattr(os, self.function, no_space)

    MESSAGE = r"The checkpoint '.*run\.safetensors' must be written whole\. Got OSError \(No space left on device\) "

    @pytest.mark.parametrize("function", ["fsync", "replace", "fdopen", "fchmod"])
    def test_a_full_disk_ends_the_training(self, path, monkeypatch, function):
        net, ended = network(), Collect()
        ended.on_train_end = lambda: ended.calls.append("end")
        with pytest.raises(CheckpointError, match=self.MESSAGE):
            fit(net, callbacks=[self.DiskFull(monkeypatch, function), ended, Checkpoint(path)])
        monkeypatch.undo()
        assert ended.calls == [1, 2, "end"]
        assert net.history.epochs == 2
        assert os.listdir(path.parent) == [path.name]
        checkpoint_file.read(path)
        assert helpers.digest(cynn.load(path)) == helpers.digest(fit(epochs=1))

    @pytest.mark.parametrize("function", ["fsync", "replace", "fdopen"])
    def test_or_it_goes_on_with_a_warning(self, path, monkeypatch, function):
        with pytest.warns(CynnWarning, match=self.MESSAGE) as warned:
            net = fit(callbacks=[self.DiskFull(monkeypatch, function), Checkpoint(path, on_error="warn")])
        assert len(warned) == 2
        assert helpers.digest(net) == helpers.digest(fit())
        assert os.listdir(path.parent) == [path.name]
        assert checkpoint_file.read(path)["epoch"] == 4

    def test_a_checkpoint_that_was_not_written_is_tried_again_at_the_end(self, path, monkeypatch):
        monkeypatch.setattr(os, "fsync", no_space)
        with pytest.warns(CynnWarning) as warned:
            fit(epochs=1, callbacks=[Checkpoint(path, on_error="warn")])
        assert len(warned) == 2

    class Remove(Callback):
        def __init__(self, folder):
            self.folder = folder

        def on_epoch_begin(self, epoch):
            if epoch == 2:
                shutil.rmtree(self.folder)
            if epoch == 4:
                self.folder.mkdir()

    def test_a_folder_that_disappears(self, tmp_path):
        folder = tmp_path / "runs" / "first"
        with pytest.raises(CheckpointError, match=r"Got FileNotFoundError \(No such file or directory\) instead"):
            fit(callbacks=[self.Remove(folder), Checkpoint(folder / "run")])
        assert not folder.exists()
        with pytest.warns(CynnWarning, match="FileNotFoundError"):
            net = fit(callbacks=[self.Remove(folder), Checkpoint(folder / "run", on_error="warn")])
        assert helpers.digest(net) == helpers.digest(fit())
        assert_same(fit(resume=folder / "run", callbacks=[self.Remove(folder)]), fit())

    def test_a_folder_that_cannot_be(self, tmp_path):
        (tmp_path / "file").write_text("")
        net = network()
        before = helpers.digest(net)
        with pytest.raises(CheckpointError, match="must be written whole"):
            fit(net, callbacks=[Checkpoint(tmp_path / "file" / "run")])
        assert helpers.digest(net) == before

    def test_what_a_killed_process_left_is_removed(self, tmp_path):
        path = tmp_path / "{step}.st"
        for name in (".7.st.abcd1234.part", ".7.st.abcd1234", ".x.st.abcd1234.part", "7.st.part"):
            (tmp_path / name).write_text("half of it")
        fit(callbacks=[Checkpoint(path, keep=1)])
        assert sorted(os.listdir(tmp_path)) == [".7.st.abcd1234", ".x.st.abcd1234.part", "28.st", "7.st.part"]

    def test_a_limit_on_the_size_of_files(self, path):
        """As a full disk: the kernel refuses the rest of a write."""
        pytest.importorskip("resource", reason="there are no such limits here")
        code = f"""
            import resource, sys
            import cynn
            from cynn.errors import CheckpointError
            sys.path[:0] = {[os.path.dirname(__file__), os.path.dirname(helpers.__file__)]!r}
            from test_checkpoint import fit, Checkpoint

            fit(epochs=2, callbacks=[Checkpoint({str(path)!r})])
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
            try:
                fit(epochs=4, callbacks=[Checkpoint({str(path)!r})], resume=True)
            except CheckpointError as error:
                print(error)
        """
        done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True)
        assert "must be written whole. Got OSError (File too large) instead" in done.stdout, done.stderr
        assert os.listdir(path.parent) == [path.name]
        assert_same(fit(resume=path), fit())


# The training of a child process, which is killed at one of the moments below or by its parent.
CHILD = """
import os, signal, sys
import numpy as np
import cynn
import cynn

path, epochs, n_threads, moment, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], int(sys.argv[5])


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def die_before(function, nth):
    calls = 0

    def call(*arguments):
        nonlocal calls
        calls += 1
        if calls == nth:
            die()
        return function(*arguments)

    return call


if moment == "half of a write":
    written = 0

    class Half:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.file.close()

        def __getattr__(self, name):
            return getattr(self.file, name)

        def write(self, content):
            global written
            written += 1
            if written == count:
                self.file.write(content[: len(content) // 2])
                self.file.flush()
                die()
            self.file.write(content)

    fdopen = os.fdopen
    os.fdopen = lambda *arguments: Half(fdopen(*arguments))
elif moment in ("fsync", "replace"):
    setattr(os, moment, die_before(getattr(os, moment), count))

generator = np.random.default_rng(0)
x, y = generator.normal(size=(1000, 40)), generator.integers(0, 10, size=1000)
net = cynn.Network(
    [cynn.Input(40), cynn.Dense(128, "relu"), cynn.BatchNorm(), cynn.Dropout(0.3), cynn.Dense(128, "relu"),
     cynn.Dense(10, "softmax")],
    seed=0,
)
optimizer = cynn.optimizers.Adam(cynn.schedules.WarmUp(cynn.schedules.CosineDecay(0.003), warmup_steps=20))
callbacks = [] if path == "-" else [cynn.callbacks.Checkpoint(path, every_steps=1)]
print("begins", flush=True)
net.fit(x, y, optimizer=optimizer, epochs=epochs, batch_size=100, callbacks=callbacks, resume=path != "-",
        n_threads=n_threads, validation_split=0.1, metrics=["accuracy"], progress=False)
import hashlib
digest = hashlib.sha256(b"".join(array.tobytes() for array in net.get_weights()))
for name, figures in net.history.history.items():
    if name != "seconds":
        digest.update(repr((name, figures)).encode())
print("ends", digest.hexdigest(), flush=True)
"""


def child(path, epochs=12, n_threads=1, moment="-", count=0):
    command = [sys.executable, "-c", CHILD, *map(str, (path, epochs, n_threads, moment, count))]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process):
    """What a child found, or None if it was killed."""
    out, err = process.communicate()
    if process.returncode == -signal.SIGKILL:
        return None
    assert process.returncode == 0, err
    return out.split()[-1]


class TestKilled:
    def test_in_the_middle_of_writing(self, path):
        """At known moments: with half of the file written, before it is on the disk, before it has its name."""
        half = "half of a write"
        for moment, count in [(half, 1), (half, 5), ("fsync", 3), ("fsync", 8), ("replace", 1), ("replace", 9)]:
            assert ended(child(path, n_threads=2, moment=moment, count=count)) is None
            if path.exists():
                checkpoint_file.read(path)
        assert ended(child(path)) == ended(child("-"))
        assert os.listdir(path.parent) == [path.name]

    def killed(self, path, epochs, n_threads, wanted):
        """Kill at random moments until there have been so many kills and an end."""
        generator, kills = np.random.default_rng(n_threads), 0
        expected = ended(child("-", epochs))
        while True:
            process = child(path, epochs, n_threads)
            process.stdout.readline()
            if kills < wanted:
                try:
                    process.wait(generator.uniform(0, 0.5))
                except subprocess.TimeoutExpired:
                    process.kill()
            found = ended(process)
            if found is None:
                kills += 1
                continue
            assert found == expected
            if kills >= wanted:
                return
            os.remove(path)  # it was too fast: once more

    def test_at_random_moments(self, path):
        self.killed(path, 12, 2, 3)

    @pytest.mark.slow
    @pytest.mark.parametrize("n_threads", [1, 2])
    def test_at_fifty_random_moments(self, path, n_threads):
        self.killed(path, 150, n_threads, 50)
