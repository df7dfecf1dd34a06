"""A thread that does one thing while the caller does another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["Background"]


class Background:
    """Runs a function while the caller goes on, who then waits for it.

    Only what ends soon, and calls nothing of a user's, may run here: Ctrl-C is heard by the caller, who still waits.
    """

    def __init__(self, name: str) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self._pool = ThreadPoolExecutor(1, name)
        self._job: Any = None

    def start(self, function: Callable[[], object]) -> None:
        """Begin with a function. It has the GIL first, so that one without the GIL is on its way at once."""
        import threading

        has_begun = threading.Event()

        def run() -> None:
            has_begun.set()
            function()

        self._job = self._pool.submit(run)
        has_begun.wait()

    def finish(self) -> None:
        """Wait until the function that was started, if there is one, is done; raises what it has raised."""
        from concurrent.futures import wait

        job, self._job = self._job, None
        if job is None:
            return
        try:
            job.result()
        finally:
            wait([job])  # also where Ctrl-C comes while it runs

    def close(self) -> None:
        """End the thread."""
        self._pool.shutdown()
