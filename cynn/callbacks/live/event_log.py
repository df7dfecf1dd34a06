"""The events of a training, as JSON: a log that grows, and readers that get what they have not read yet."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

__all__ = ["EventLog", "Reader"]

_MAX_AT_ONCE = 1000  # epochs in a message


class EventLog:
    """What has happened so far. One thread adds to it, and each reader has a thread of its own.

    Attributes
    ----------
    changed : Condition
        Readers wait for it.
    epochs : list of dict
        The figures of each epoch.
    looks : list of dict
        The series of each look.
    latest : dict or None
        The pictures of the latest look.
    end : str or None
        How the training has ended.
    is_closed : bool
        Whether nothing will follow.
    readers : int
        How many there are now.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.epochs: list[dict[str, float]] = []
        self.looks: list[dict[str, Any]] = []
        self.latest: dict[str, Any] | None = None
        self.end: str | None = None
        self.is_closed = False
        self.readers = 0
        self._was_read = False

    def add(
        self,
        *,
        history: Mapping[str, list[float]] | None = None,
        look: dict[str, Any] | None = None,
        end: str | None = None,
    ) -> None:
        """Add an event.

        Parameters
        ----------
        history : dict of str to list of float, optional
            The figures of one epoch or of several, by name. A list that is shorter than others ends where they do.
        look : dict, optional
            What a look has found: `series`, which are kept, and `latest`, which takes the place of the last.
        end : str, optional
            How the training has ended.
        """
        with self.changed:
            if history is not None:
                for k in range(-max(map(len, history.values())), 0):
                    self.epochs.append({name: values[k] for name, values in history.items() if len(values) >= -k})
            if look is not None:
                self.looks.append(look["series"])
                self.latest = look["latest"]
            self.end = end
            self.changed.notify_all()

    def close(self, seconds: float) -> None:
        """Let readers stop when they have read all, and wait so many seconds for them."""
        with self.changed:
            self.is_closed = True
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.readers == 0, seconds)

    @contextmanager
    def reader(self) -> Iterator[Reader]:
        """Make a reader, which counts as one within the context."""
        with self.changed:
            self.readers += 1
            self._was_read = True
            self.changed.notify_all()
        try:
            yield Reader(self)
        finally:
            with self.changed:
                self.readers -= 1
                self.changed.notify_all()

    def wait_for_reader(self, seconds: float) -> None:
        """Wait until there has been a reader, but no longer than that."""
        with self.changed:
            self.changed.wait_for(lambda: self._was_read, seconds)


class Reader:
    """Reads a log from its beginning.

    Attributes
    ----------
    is_done : bool
        Whether all has been read, and nothing will follow.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._n_epochs = self._n_looks = 0
        self._latest: dict[str, Any] | None = None
        self._is_first = True
        self.is_done = False

    def _has_news(self) -> bool:
        log = self._log
        is_more = self._n_epochs < len(log.epochs) or self._n_looks < len(log.looks)
        return self._is_first or is_more or log.end is not None or log.is_closed

    def next(self, seconds: float) -> str | None:
        """Get what follows, or None if nothing has happened for so many seconds.

        Returns
        -------
        str or None
            JSON of an object: `isFirst`, whether it is the first for this reader; `history`, the figures of the epochs
            that follow, by name; `looks`, the series of the looks that follow; `latest`, the pictures of the latest
            look, or null where the reader has them; and `end`, text or null.
        """
        log = self._log
        with log.changed:
            if not log.changed.wait_for(self._has_news, seconds):
                return None
            epochs = log.epochs[self._n_epochs : self._n_epochs + _MAX_AT_ONCE]
            looks = log.looks[self._n_looks : self._n_looks + _MAX_AT_ONCE]
            self._n_epochs += len(epochs)
            self._n_looks += len(looks)
            is_all = self._n_epochs == len(log.epochs) and self._n_looks == len(log.looks)
            self.is_done = is_all and (log.end is not None or log.is_closed)
            latest, end = log.latest, log.end if self.is_done else None
        names = dict.fromkeys(name for figures in epochs for name in figures)
        message = {
            "isFirst": self._is_first,
            "history": {name: [figures.get(name) for figures in epochs] for name in names},
            "looks": looks,
            "latest": None if latest is self._latest else latest,
            "end": end,
        }
        self._is_first, self._latest = False, latest
        return json.dumps(_plain(message), separators=(",", ":"), allow_nan=False)


def _plain(value: Any) -> Any:
    """The value without what JSON does not know: null stands for NaN and infinity."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if value is None or isinstance(value, (str, bool, int)):
        return value
    return float(value) if math.isfinite(value) else None
