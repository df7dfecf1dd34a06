"""A thread that runs a function while the caller goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threading import Thread

__all__ = ["Background"]


class Background:
    """Runs a function in another thread while the caller goes on; the caller then waits for it.

    The function must end soon and must not call a user's code: after Ctrl-C, the caller waits for its end. The thread
    is a daemon if the caller's thread is one, so that the process waits for both at its end, or for neither.
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
        """Start a function. The thread gets the GIL first, so that a function without the GIL starts at once."""
        if self._thread is None:
            import threading

            self._thread = threading.Thread(target=self._work, name=self._name)
            self._thread.start()
        self._is_at_work = True
        self._jobs.put(function)
        self._begun.get()

    def finish(self) -> None:
        """Wait for the function that was started, if there is one, and raise its exception."""
        if not self._is_at_work:
            return
        try:
            problem = self._done.get()
        except BaseException:  # Ctrl-C was pressed while it ran
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
