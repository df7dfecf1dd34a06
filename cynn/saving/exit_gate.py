"""Keeps the interpreter from exiting while a daemon thread runs code that must not be interrupted.

When Python exits, it ends a daemon thread as soon as the thread asks for the GIL; before 3.14, by unwinding its stack.
C allows that. Rust, in which safetensors is written, does not: the process aborts ("exception not rethrown").
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["before_exit"]


class _Gate:
    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.inside = 0
        # If the main thread has ended, nothing calls `close` any more: this module was imported too late.
        self.is_closed = not threading.main_thread().is_alive()

    def enter(self) -> None:
        with self.changed:
            while self.is_closed:
                self.changed.wait()  # until the process ends
            self.inside += 1

    def leave(self) -> None:
        with self.changed:
            self.inside -= 1
            self.changed.notify_all()

    def close(self) -> None:
        with self.changed:
            self.is_closed = True
            while self.inside:
                self.changed.wait()


_gate = _Gate()


@contextmanager
def before_exit() -> Iterator[None]:
    """A context: the interpreter exits only after the code in it has finished."""
    if not threading.current_thread().daemon:
        yield
        return
    gate = _gate
    gate.enter()
    try:
        yield
    finally:
        gate.leave()


def _after_fork() -> None:
    """Reset the gate in a forked child, which does not have the threads of its parent."""
    global _gate
    _gate = _Gate()


atexit.register(lambda: _gate.close())
os.register_at_fork(after_in_child=_after_fork)
