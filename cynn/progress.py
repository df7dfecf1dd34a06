"""The progress bar of `fit`: shown where stderr is a terminal."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["Progress"]


class Progress:
    """One bar over all epochs, with the figures of the last; nothing at all where it is not shown."""

    def __init__(self, wanted: bool, epochs: int, rows: int | None, done: int = 0) -> None:
        self._epochs = epochs
        self._done_before = 0
        self._bar: Any = None
        if wanted and sys.stderr.isatty():
            from tqdm import tqdm

            total = rows and epochs * rows
            self._bar = tqdm(total=total, initial=done, unit=" rows", unit_scale=True, dynamic_ncols=True)

    @property
    def is_shown(self) -> bool:
        """Whether there is a bar."""
        return self._bar is not None

    def begin_epoch(self, epoch: int) -> None:
        """Name the epoch, counted from 1."""
        if self._bar is not None:
            self._done_before = self._bar.n
            self._bar.set_description(f"epoch {epoch}/{self._epochs}", refresh=False)

    def advance_to(self, row: int) -> None:
        """So many rows of this epoch are done."""
        if self._bar is not None:
            self._bar.update(self._done_before + row - self._bar.n)

    def end_epoch(self, logs: dict[str, float]) -> None:
        """Show the epoch's figures."""
        if self._bar is not None:
            self._bar.set_postfix(
                {name: f"{figure:.4g}" for name, figure in logs.items() if name != "seconds"}
            )

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()
