"""The progress bar: on a terminal, and nowhere else."""

import io
import os
import re
import struct
import subprocess
import sys
import warnings

import helpers
import pytest

import cynn
from cynn import cli, errors

FIT = """
import numpy as np, sys, cynn
net = cynn.Network.mlp([2, 8, 2], output="softmax", seed=0)
x, y = np.random.default_rng(0).normal(size=(1000, 2)), np.arange(1000) % 2
net.fit(x, y, epochs=3, metrics=["accuracy"], batch_size=7, {options})
print("tqdm" in sys.modules)
"""


def run(stderr, options=""):
    """Standard output of a `fit` in a process of its own."""
    code = FIT.format(options=options)
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    result = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=stderr, env=environment, timeout=60
    )
    assert result.returncode == 0
    return result.stdout.decode().strip(), result.stderr


def on_terminal(options=""):
    """What a terminal on standard error shows, and standard output."""
    pty = pytest.importorskip("pty")
    fcntl = pytest.importorskip("fcntl")
    termios = pytest.importorskip("termios")
    ours, theirs = pty.openpty()
    try:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
        out, _ = run(theirs, options)
        os.set_blocking(ours, False)
        shown = b""
        try:
            while part := os.read(ours, 65_536):
                shown += part
        except OSError:  # all is read
            pass
        return out, shown.decode()
    finally:
        os.close(ours)
        os.close(theirs)


def test_quiet_where_standard_error_is_no_terminal():
    out, shown = run(subprocess.PIPE)
    assert shown == b""
    assert out == "False"  # tqdm is not even imported


def test_shown_on_a_terminal():
    out, shown = on_terminal()
    assert out == "True"
    last = re.split(r"[\r\n]+", shown.strip())[-1]
    assert "epoch 3/3" in last
    assert "100%" in last
    assert "3.00k/3.00k" in last
    assert "rows/s" in last
    assert re.search(r"loss=\d", last)
    assert re.search(r"accuracy=\d", last)
    assert "seconds=" not in last


def test_off_where_it_is_not_wanted():
    out, shown = on_terminal("progress=False")
    assert (out, shown) == ("False", "")


class Closed:
    """A stream of a terminal that is gone."""

    closed = True

    def isatty(self):
        return True

    def write(self, *text):
        raise ValueError("I/O operation on closed file.")

    flush = fileno = write


@pytest.mark.parametrize("stream", [None, io.StringIO(), Closed(), object()], ids=["none", "closed", "gone", "odd"])
def test_without_a_console(stream, monkeypatch, tmp_path):
    """As under pythonw: what cannot be shown is not."""
    if isinstance(stream, io.StringIO):
        stream.close()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(sys, "stdout", stream)
    x, y = helpers.blobs(30)
    net = helpers.classifier()
    net.fit(x, y, epochs=2, callbacks=cynn.callbacks.Checkpoint(tmp_path / "run.safetensors"))
    assert net.history.epochs == 2
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        errors.warn("a warning", 1)


@pytest.mark.parametrize("stream", [None, "closed"])
def test_the_command_without_a_console(stream, monkeypatch, tmp_path):
    if stream == "closed":
        stream = io.StringIO()
        stream.close()
    path = tmp_path / "net.safetensors"
    helpers.classifier().save(path)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(sys, "stdout", stream)
    assert cli.main(["summary", str(path)]) == 0
    assert cli.main(["summary", str(tmp_path / "none")]) == 2
