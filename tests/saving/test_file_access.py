"""Files: what is no path and no file is refused, and what is written is there whole, or not at all."""

import itertools
import os
import socket
import stat
import subprocess
import sys
import textwrap
import threading
import time
import zipfile
from pathlib import Path

import helpers
import numpy as np
import pytest

import cynn
from cynn import Network, file_access
from cynn.callbacks import Checkpoint, CSVLogger
from cynn.cli import main
from cynn.errors import CheckpointError, CynnError, InvalidParameterError, ModelFileError, NotAFileError
from cynn.saving import tensor_file


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.safetensors"


@pytest.fixture
def net():
    return Network.mlp([2, 3, 1], seed=0)


class BytesPath:
    def __fspath__(self):
        return b"net.safetensors"


class WrongPath:
    def __fspath__(self):
        return 1


OPENED_BY_PATH = {
    "load": lambda path: cynn.load(path),
    "save": lambda path: Network.mlp([1, 1], seed=0).save(path),
    "Checkpoint": lambda path: Checkpoint(path),
    "CSVLogger": lambda path: CSVLogger(path),
    "resume": lambda path: Network.mlp([1, 1], seed=0).fit([[1.0]], [1.0], resume=path),
}


class TestNoPath:
    @pytest.mark.parametrize("given", [1, 2, -1, 3.0, b"net", None, [], WrongPath(), "", "a\0b", "\ud800"], ids=repr)
    @pytest.mark.parametrize("name", OPENED_BY_PATH)
    def test_is_refused(self, name, given):
        if name == "resume" and given is None:
            return  # nothing to go on from
        with pytest.raises(InvalidParameterError, match=r"must be the path of a"):
            OPENED_BY_PATH[name](given)

    @pytest.mark.parametrize("name", OPENED_BY_PATH)
    def test_the_number_of_an_open_file(self, name, tmp_path):
        """It is neither read nor closed, also as True."""
        with open(tmp_path / "mine", "w+") as mine:
            for given in (mine.fileno(), mine):
                with pytest.raises(InvalidParameterError):
                    OPENED_BY_PATH[name](given)
            with pytest.raises(InvalidParameterError):
                if name != "resume":
                    OPENED_BY_PATH[name](True)
                raise InvalidParameterError
            os.fstat(1)
            mine.write("still open")

    def test_a_path_of_bytes(self, net, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        net.save(BytesPath())
        assert cynn.load("net.safetensors").parameter_count == net.parameter_count


@pytest.fixture(params=["directory", "FIFO", "socket", "device"])
def no_file(request, tmp_path):
    """A path where there is something else, and what that is."""
    found = tmp_path / "there.png"
    if request.param == "directory":
        found.mkdir()
    elif request.param == "FIFO":
        os.mkfifo(found)
    elif request.param == "device":
        found = Path("/dev/null")
    else:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(str(found))
    return found, request.param


class TestNoFile:
    def test_is_not_read(self, no_file, net):
        found, kind = no_file
        with pytest.raises(NotAFileError, match=rf"must be that of a regular file\. Got a {kind} instead"):
            cynn.load(found)
        with pytest.raises(CheckpointError, match=f"Got a {kind}"):
            net.fit([[1.0, 1.0]], [1.0], resume=found)

    def test_is_not_written(self, no_file, net):
        found, kind = no_file
        before = os.lstat(found)
        with pytest.raises(NotAFileError, match=f"Got a {kind} instead"):
            net.save(found)
        for callback in (Checkpoint, CSVLogger):
            with pytest.raises(CynnError, match=f"a regular file. Got a {kind} instead"):
                net.fit([[1.0, 1.0]], [1.0], epochs=1, progress=False, callbacks=[callback(found)])
        assert (os.lstat(found).st_mode, os.lstat(found).st_ino) == (before.st_mode, before.st_ino)

    def test_on_the_command_line(self, no_file, net, path, tmp_path, capsys):
        found, kind = no_file
        net.save(path)
        np.save(tmp_path / "x.npy", np.zeros((3, 2)))
        assert main(["summary", str(found)]) == 2
        assert main(["predict", str(path), str(tmp_path / "x.npy"), "--output", str(found)]) == 2
        assert capsys.readouterr().err.count(f"must be that of a regular file. Got a {kind} instead") == 2

    def test_a_file_that_becomes_a_fifo_while_it_is_opened(self, net, path, monkeypatch):
        net.save(path)
        opened = os.open

        def swap(given, *arguments):
            if given == str(path):
                os.unlink(path)
                os.mkfifo(path)
            return opened(given, *arguments)

        monkeypatch.setattr(os, "open", swap)
        with pytest.raises(NotAFileError, match="Got a FIFO"):
            cynn.load(path)


class TestKept:
    @pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o666, 0o700])
    def test_permissions(self, net, path, mode):
        net.save(path)
        path.chmod(mode)
        net.save(path)
        assert stat.S_IMODE(path.stat().st_mode) == mode

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
    def test_owner_and_group(self, net, path):
        net.save(path)
        os.chown(path, 12345, 23456)
        net.save(path)
        assert (path.stat().st_uid, path.stat().st_gid) == (12345, 23456)

    def test_a_group_that_cannot_be_kept_gets_no_more_than_all(self, net, path, monkeypatch):
        net.save(path)
        path.chmod(0o664)

        def refuse(*_):
            raise PermissionError

        monkeypatch.setattr(os, "fchown", refuse)
        monkeypatch.setattr(os, "fstat", lambda descriptor: os.stat_result([0o100600, 0, 0, 1, 54321, 54321, *[0] * 4]))
        net.save(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o644

    def test_a_private_file_is_private_from_the_first(self, net, path, monkeypatch):
        net.save(path)
        path.chmod(0o600)
        modes = []
        written = os.fsync

        def look(descriptor):
            modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
            written(descriptor)

        opened = os.open

        def open_(given, flags, mode=0o777):
            if flags & os.O_CREAT:
                modes.append(mode)
            return opened(given, flags, mode)

        monkeypatch.setattr(os, "fsync", look)
        monkeypatch.setattr(os, "open", open_)
        net.save(path)
        assert modes[:2] == [0o600, 0o600]

    def test_the_umask_is_never_touched(self, net, path, monkeypatch):
        monkeypatch.setattr(os, "umask", None)
        net.save(path)
        net.save(path)

    def test_a_symbolic_link(self, net, path, tmp_path):
        (tmp_path / "models").mkdir()
        path.symlink_to("models/first")  # to nothing yet
        for _ in range(2):
            net.save(path)
            assert path.is_symlink()
            assert os.listdir(tmp_path / "models") == ["first"]
        assert cynn.load(path).parameter_count == net.parameter_count

    def test_another_hard_link_has_the_old_content(self, net, path, tmp_path):
        net.save(path)
        os.link(path, tmp_path / "other")
        helpers.classifier().save(path)
        assert cynn.load(tmp_path / "other").outputs == 1
        assert cynn.load(path).outputs == 3


class TestWhole:
    def test_a_folder_where_nobody_may_write(self, net, path, monkeypatch):
        def refuse(*_):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(os, "open", refuse)
        with pytest.raises(PermissionError, match=r"Permission denied: '.*/net\.safetensors'"):
            net.save(path)

    @pytest.mark.parametrize("output", ["y.npy", "y.npz"])
    def test_a_full_disk_leaves_the_old_predictions(self, output, path, tmp_path, monkeypatch, capsys):
        x = cynn.Input(2)
        nodes = cynn.Dense(1)(x) if output == "y.npy" else {"a": cynn.Dense(1)(x), "b": cynn.Dense(1)(x)}
        Network(nodes, seed=0).save(path)
        np.save(tmp_path / "x.npy", np.zeros((3, 2)))
        command = ["predict", str(path), str(tmp_path / "x.npy"), "--output", str(tmp_path / output)]
        assert main(command) == 0
        before, names = (tmp_path / output).read_bytes(), sorted(os.listdir(tmp_path))

        def full(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        assert main(command) == 2
        assert (tmp_path / output).read_bytes() == before
        assert sorted(os.listdir(tmp_path)) == names
        if output == "y.npz":
            assert zipfile.is_zipfile(tmp_path / output)

    def test_a_full_disk_leaves_the_old_picture(self, tmp_path, monkeypatch):
        pytest.importorskip("matplotlib")
        from cynn.plot import files

        path = tmp_path / "tanh.svg"
        files.save(path, cynn.plot.function, "tanh")
        before = path.read_bytes()
        monkeypatch.setattr(os, "replace", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            files.save(path, cynn.plot.function, "relu")
        assert path.read_bytes() == before
        assert os.listdir(tmp_path) == ["tanh.svg"]

    def test_many_processes_at_once(self, path):
        code = f"""
            import cynn
            net = cynn.Network.mlp([20, 30, 1])
            callback = cynn.callbacks.Checkpoint({str(path)!r})
            for _ in range(20):
                net.fit([[0.0] * 20], [1.0], epochs=1, callbacks=[callback], progress=False)
                net.save({str(path)!r})
        """
        command = [sys.executable, "-c", textwrap.dedent(code)]
        running = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
        while any(process.poll() is None for process in running):
            if path.exists():
                assert cynn.load(path).input.units == 20
        for process in running:
            assert process.wait() == 0, process.stderr.read()
            process.stderr.close()
        assert os.listdir(path.parent) == [path.name]

    def test_what_is_removed_while_it_is_made_is_made_again(self, path, monkeypatch):
        """Another thread takes the new file for a leftover: it has locked it, and removes it a moment later."""
        real, found = os.open, threading.Event()

        def open_slowly(name, flags, *mode):
            descriptor = real(name, flags, *mode)
            if flags & os.O_CREAT and not found.is_set():
                found.wait(10)
            return descriptor

        def unlink_slowly(name):
            found.set()
            time.sleep(0.2)  # the maker goes on meanwhile, if it does not wait
            os.remove(name)

        monkeypatch.setattr(file_access.os, "open", open_slowly)
        monkeypatch.setattr(file_access.os, "unlink", unlink_slowly)

        def remove():
            while not found.is_set():
                file_access.remove_leftovers(str(path.parent), path.name)

        remover = threading.Thread(target=remove)
        remover.start()
        with file_access.replacing(str(path)) as file:
            file.write(b"all of it")
            remover.join()
        assert path.read_bytes() == b"all of it"
        assert os.listdir(path.parent) == [path.name]

    def test_many_threads_at_once(self, net, path):
        threads = [threading.Thread(target=net.save, args=(path,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert cynn.load(path).parameter_count == net.parameter_count
        assert os.listdir(path.parent) == [path.name]

    def test_what_a_killed_process_left_goes_and_what_is_being_written_stays(self, net, path):
        left = path.with_name(f".{path.name}.0123abcd.part")
        left.write_text("half of it")
        other = path.with_name(".other.0123abcd.part")
        other.write_text("not mine")
        with file_access.replacing(str(path)) as file:
            file.write(b"half of it")
            net.save(path)
            assert not left.exists()
            assert other.exists()
            file.write(b", and the rest")
        assert path.read_bytes() == b"half of it, and the rest"
        assert sorted(os.listdir(path.parent)) == [other.name, path.name]


def test_a_file_that_becomes_shorter_while_it_is_read(path, monkeypatch):
    """Mapped, it would be a SIGBUS."""
    Network.mlp([300, 300, 1], seed=0).save(path)
    calls, read = itertools.count(), tensor_file._bytes

    def cut(file, count):
        if next(calls) == 1:
            os.truncate(path, 5000)
        return read(file, count)

    monkeypatch.setattr(tensor_file, "_bytes", cut)
    with pytest.raises(ModelFileError, match="an end while it was read"):
        cynn.load(path)


def test_nothing_waits_for_the_disk_in_a_temporary_folder(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    with file_access.temporary_folder() as folder:
        path = os.path.join(folder, "file")
        for content in (b"1", b"2"):
            with file_access.replacing(path) as file:
                file.write(content)
            assert Path(path).read_bytes() == content
        assert synced == []
        with file_access.replacing(str(tmp_path / "file")) as file:
            file.write(b"3")
        assert len(synced) == 2  # the file and its folder
    assert not os.path.exists(folder)
