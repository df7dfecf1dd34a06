"""Targets as the engine takes them, and what they are to a metric."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Targets"]

Array = npt.NDArray[Any]


class Targets:
    """Targets as the engine takes them: `values` (n, outputs) or `classes` (n,); the other is None."""

    def __init__(self, values: Array | None, classes: Array | None, outputs: int) -> None:
        self.values = values
        self.classes = classes
        self.outputs = outputs
        self._kind: str | None = None

    @property
    def kind(self) -> str:
        """What the targets are, as far as they tell.

        "classes": whole numbers, rows of one 1 and else 0, or a single column of 0 and 1;
        "labels": rows of 0 and 1 of which any number may be 1; "values": anything else.
        """
        if self._kind is None:
            self._kind = self._find_kind()
        return self._kind

    def _find_kind(self) -> str:
        if self.values is None:
            return "classes"
        if not ((self.values == 0) | (self.values == 1)).all():
            return "values"
        return "classes" if self.outputs == 1 or (self.values.sum(axis=1) == 1).all() else "labels"

    def as_labels(self) -> npt.NDArray[np.int64] | None:
        """The class of each row, or None where the targets are no classes."""
        return self.as_classes().astype(np.int64, copy=False) if self.kind == "classes" else None

    def as_values(self) -> Array:
        """Rows of values, in float64: one-hot rows for classes."""
        if self.values is not None:
            return np.asarray(self.values, np.float64)
        return np.eye(self.outputs)[self.as_classes()]

    def as_classes(self) -> Array:
        """The class of each row: that of the largest value where values are given."""
        if self.classes is not None:
            return self.classes
        assert self.values is not None
        if self.outputs == 1:
            return (self.values[:, 0] > 0.5).astype(np.int64)
        classes: Array = np.argmax(self.values, axis=1)
        return classes

    def take(self, order: Array) -> Targets:
        """The targets in that order."""
        taken = Targets(
            None if self.values is None else self.values[order],
            None if self.classes is None else self.classes[order],
            self.outputs,
        )
        taken._kind = self.kind  # a few rows tell less than all
        return taken

    def as_given(self) -> Array:
        """What a metric of one's own receives as y_true."""
        if self.classes is not None:
            return self.classes
        assert self.values is not None
        return self.values

    @classmethod
    def concatenated(cls, parts: list[Targets]) -> Targets:
        """Those of several batches, one after the other: as classes if all are, else as values."""
        outputs = parts[0].outputs
        if all(part.classes is not None for part in parts):
            return cls(None, np.concatenate([part.as_classes() for part in parts]), outputs)
        return cls(np.concatenate([part.as_values() for part in parts]), None, outputs)
