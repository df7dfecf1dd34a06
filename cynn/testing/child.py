"""Runs checks in a child process, so that an abort, an invalid access or an endless loop ends only that process."""

from __future__ import annotations

import contextlib
import faulthandler
import mmap
import os
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import IO, Any

__all__ = ["Crash", "Notes", "can_fork", "run_apart"]

SECONDS = 60.0  # seconds without a message from the child before it counts as an endless loop
_LENGTH = 1000  # bytes of a note


class Crash(Exception):
    """A child process ended too early. The message says how."""


class Notes:
    """A note in shared memory about the next call. The parent can read it after the child has died."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _LENGTH)  # shared with the children

    def write(self, text: str) -> None:
        encoded = text.encode()[: _LENGTH - 1]
        self._memory[: len(encoded) + 1] = encoded + b"\0"

    def read(self) -> str:
        return self._memory[:].split(b"\0")[0].decode(errors="replace")


def can_fork() -> bool:
    """Whether the system can fork."""
    return hasattr(os, "fork")


def run_apart(work: Callable[[], Iterator[Any]]) -> Iterator[Any]:
    """Yield what `work` yields, computed in a child process. Raises Crash if the process ends too early.

    Parameters
    ----------
    work : function without arguments
        A generator of values that can be pickled.
    """
    if not can_fork():
        yield from work()
        return
    ours, theirs = Pipe()
    with ours, tempfile.TemporaryFile() as errors:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        with warnings.catch_warnings():
            # Python and JAX warn of a fork beside threads: the child needs none of them
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.filterwarnings("ignore", r"os\.fork\(\) was called", RuntimeWarning)
            process = os.fork()
        if not process:
            _be_the_child(work, theirs, errors.fileno())
        theirs.close()
        try:
            yield from _heard(ours)
        except (EOFError, ConnectionResetError):
            _, status = os.waitpid(process, 0)
            process = 0
            said = " ".join(_text(errors).split())[-300:]
            raise Crash(_how(status) + (f"; it wrote: {said}" if said else "")) from None
        finally:
            if process:
                os.kill(process, signal.SIGKILL)  # harmless if it has ended, since it is reaped here
                os.waitpid(process, 0)
        print(_text(errors), end="", file=sys.stderr)


def _heard(ours: Connection) -> Iterator[Any]:
    while ours.poll(SECONDS):
        is_done, value = ours.recv()
        if is_done:
            return
        yield value
    raise Crash(f"it did not return within {SECONDS:.0f} seconds")


def _text(errors: IO[bytes]) -> str:
    errors.seek(0)
    return errors.read().decode(errors="replace")


def _how(status: int) -> str:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return f"the process was ended by {signal.Signals(number).name} ({signal.strsignal(number)})"
    return f"the process was ended, with exit code {os.WEXITSTATUS(status)}"


def _be_the_child(work: Callable[[], Iterator[Any]], pipe: Connection, errors: int) -> None:
    try:
        faulthandler.disable()
        os.dup2(errors, 2)
        with contextlib.suppress(ImportError, ValueError):
            import resource

            resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        for value in work():
            pipe.send((False, value))
        pipe.send((True, None))
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}".encode())
        os._exit(70)
    os._exit(0)
