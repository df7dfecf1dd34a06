"""The progress bar of `fit`, which is shown if stderr is a terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["Progress"]


class Progress:
    """One progress bar for all epochs, with the figures of the last one. It does nothing if it is not shown."""

    def __init__(
        self, wanted: bool, epochs: int, rows: int | None, done: int = 0, *, unit: str = " rows"
    ) -> None:
        self._epochs = epochs
        self._done_before = 0
        self._bar: Any = None
        if wanted and _is_terminal(sys.stderr):
            from tqdm import tqdm

            total = rows and epochs * rows
            with contextlib.suppress(OSError, ValueError):  # the terminal was closed
                self._bar = tqdm(total=total, initial=done, unit=unit, unit_scale=True, dynamic_ncols=True)

    @property
    def is_shown(self) -> bool:
        """Whether there is a bar."""
        return self._bar is not None

    def begin_epoch(self, epoch: int) -> None:
        """Show the number of the epoch, counted from 1."""
        if self._bar is not None:
            self._done_before = self._bar.n
            self._show(lambda bar: bar.set_description(f"epoch {epoch}/{self._epochs}", refresh=False))

    def advance_to(self, row: int) -> None:
        """Move the bar to this row of the epoch."""
        self._show(lambda bar: bar.update(self._done_before + row - bar.n))

    def end_epoch(self, logs: dict[str, float]) -> None:
        """Show the epoch's figures."""
        figures = {name: f"{figure:.4g}" for name, figure in logs.items() if name != "seconds"}
        self._show(lambda bar: bar.set_postfix(figures))

    def close(self) -> None:
        """Close the bar, which stays visible."""
        self._show(lambda bar: bar.close())

    def _show(self, change: Callable[[Any], object]) -> None:
        """Change the bar; drop it if the terminal was closed."""
        if self._bar is not None:
            try:
                change(self._bar)
            except (OSError, ValueError):
                self._bar.disable = True  # otherwise it would write to the terminal when it is garbage-collected
                self._bar = None


def _is_terminal(stream: Any) -> bool:
    """Whether a bar can be shown. A program without a console has no stream, or a closed one."""
    try:
        return stream is not None and bool(stream.isatty())
    except (AttributeError, OSError, ValueError):
        return False
