"""A thread that does one thing while the caller does another."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threading import Thread

__all__ = ["Background"]


class Background:
    """Runs a function while the caller goes on, who then waits for it.

    Only what ends soon, and calls nothing of a user's, may run here: Ctrl-C is heard by the caller, who still waits.
    The thread is a daemon where the caller's is one: so the end of the process waits for both, or for neither.
    """

    def __init__(self, name: str) -> None:
        from queue import SimpleQueue

        self._jobs: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._begun: SimpleQueue[None] = SimpleQueue()
        self._done: SimpleQueue[BaseException | None] = SimpleQueue()
        self._name = name
        self._thread: Thread | None = None
        self._is_at_work = False

    def start(self, function: Callable[[], object]) -> None:
        """Begin with a function. It has the GIL first, so that one without the GIL is on its way at once."""
        if self._thread is None:
            import threading

            self._thread = threading.Thread(target=self._work, name=self._name)
            self._thread.start()
        self._is_at_work = True
        self._jobs.put(function)
        self._begun.get()

    def finish(self) -> None:
        """Wait until the function that was started, if there is one, is done; raises what it has raised."""
        if not self._is_at_work:
            return
        try:
            problem = self._done.get()
        except BaseException:  # Ctrl-C comes while it runs
            self._done.get()
            raise
        finally:
            self._is_at_work = False
        if problem is not None:
            raise problem

    def close(self) -> None:
        """End the thread."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()

    def _work(self) -> None:
        while (function := self._jobs.get()) is not None:
            self._begun.put(None)
            try:
                function()
            except BaseException as problem:
                self._done.put(problem)
            else:
                self._done.put(None)
