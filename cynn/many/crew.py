"""Trains the members of a fleet in threads of this process. Each trains without the GIL."""

from __future__ import annotations

import ctypes
import itertools
import threading
from collections.abc import Callable

from cynn.many.member import Member

__all__ = ["train"]

_SECONDS_BETWEEN_LOOKS = 0.05
_SECONDS_TO_END = 1.0


def train(members: list[Member], n_threads: int, report: Callable[[int], None]) -> None:
    """Train as many members at the same time as there are threads, each on one thread.

    If there are fewer members than threads, each gets several threads. Ctrl-C ends the training of all members: each
    network is in the same state as after Ctrl-C in its own `fit`.

    Parameters
    ----------
    members : list of Member
    n_threads : int
    report : function
        Called with the number of finished members.
    """
    n_workers = min(n_threads, len(members))
    share = n_threads // n_workers
    if n_workers == 1:
        for done, member in enumerate(members, 1):
            member.fit(n_threads)
            report(done)
        return
    left, end = itertools.count(), threading.Event()
    # Thread.join would not do: Ctrl-C in it lets a running thread seem to have ended (Python 3.11)
    has_ended = [threading.Event() for _ in range(n_workers)]

    def work(k: int) -> None:
        try:
            while not end.is_set() and (number := next(left)) < len(members):
                members[number].fit(share)
        except KeyboardInterrupt:
            pass  # the main thread raises it once all have ended
        finally:
            has_ended[k].set()

    workers = [
        threading.Thread(target=work, args=[k], name=f"cynn-fleet-{k}", daemon=True) for k in range(n_workers)
    ]
    try:
        for worker in workers:
            worker.start()
        for event in has_ended:
            while not event.wait(_SECONDS_BETWEEN_LOOKS):
                report(sum(member.is_done for member in members))
    finally:
        end.set()
        for worker, event in zip(workers, has_ended, strict=True):
            while worker.ident is not None and not event.is_set():  # Ctrl-C may come before it was started
                _interrupt(worker)
                event.wait(_SECONDS_TO_END)


def _interrupt(thread: threading.Thread) -> None:
    """Raise KeyboardInterrupt in a thread, as Ctrl-C does in the main thread. Code that swallows errors loses it."""
    assert thread.ident is not None
    raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
    raise_in(ctypes.c_ulong(thread.ident), ctypes.py_object(KeyboardInterrupt))
