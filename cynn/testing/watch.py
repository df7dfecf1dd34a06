"""Observations during all calls: changed memory, changed settings, and the last call."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from cynn.testing.child import Notes
from cynn.testing.environment import Environment
from cynn.testing.memory import Placed

__all__ = ["Watch"]


class Watch:
    """The first violation of each rule, the number of calls, and a description of the last call."""

    def __init__(self) -> None:
        self.evidence: dict[str, str] = {}
        self.calls = 0
        self.last = ""
        self.notes = Notes()

    def add(self, rule: str, evidence: str) -> None:
        self.evidence.setdefault(rule, evidence)

    @contextlib.contextmanager
    def call(self, function: str, dtype: str, shape: tuple[int, ...]) -> Iterator[None]:
        """A context manager around one call of a component's function."""
        self.last = f"{dtype}, {' x '.join(map(str, shape))}" if shape else dtype
        self.notes.write(f"{function} ({self.last})")
        before = Environment()
        try:
            yield
        finally:
            self.calls += 1
            changes = before.changes()
            if changes:
                self.add("environment", f"{function} changed {changes} ({self.last})")

    def inspect(self, function: str, inputs: dict[str, Placed], outputs: dict[str, Placed]) -> None:
        """Check the memory of a call that has returned."""
        for name, memory in inputs.items():
            changed = memory.changed_inside()
            if changed:
                shape = memory.array.shape
                self.add("inputs", f"{function} changed its input {name}, of shape {shape}, at {changed} ({self.last})")
        for name, memory in {**inputs, **outputs}.items():
            changed = memory.changed_outside()
            if changed:
                shape = memory.array.shape
                self.add("bounds", f"{function} wrote outside of {name}, of shape {shape}: {changed} ({self.last})")
