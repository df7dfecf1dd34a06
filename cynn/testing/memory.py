"""Arrays with guards around them, and their addresses for kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Array", "Guarded", "Violations", "aligned_copy", "hyperparameter_array"]

Array = npt.NDArray[Any]

GUARD = 64  # elements before and after an array


def aligned_copy(values: Array) -> Array:
    """A copy that starts on a cache line, as the engine's arrays do."""
    size = values.nbytes
    raw = np.empty(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    copy: Array = raw[start : start + size].view(values.dtype).reshape(values.shape)
    copy[...] = values
    return copy


class Guarded:
    """A copy of an array with a guard before and after it.

    A kernel that writes outside its arrays changes a guard. A kernel that reads outside them reads `fill`, so that
    its result depends on the fill.
    """

    def __init__(self, values: Array, fill: float = np.nan) -> None:
        values = np.asarray(values)
        whole = aligned_copy(np.full(values.size + 2 * GUARD, fill, values.dtype))
        self.whole = whole
        self.array: Array = whole[GUARD : GUARD + values.size].reshape(values.shape)
        self.array[...] = values
        self.before = whole.tobytes()
        self.address: int = self.array.ctypes.data if values.size else whole[GUARD:].ctypes.data

    def changed_outside(self) -> str | None:
        """A description of the elements outside the array that were changed, or None."""
        if self.whole.tobytes() == self.before:
            return None
        item = self.whole.itemsize
        now = np.frombuffer(self.whole.tobytes(), np.uint8).reshape(-1, item)
        before = np.frombuffer(self.before, np.uint8).reshape(-1, item)
        places = np.flatnonzero((now != before).any(axis=1))
        behind = places[places >= GUARD + self.array.size] - (GUARD + self.array.size) + 1
        ahead = GUARD - places[places < GUARD]
        if len(behind):
            return f"{len(behind)} elements behind its end, the first {behind[0]} behind the last element"
        if len(ahead):
            return (
                f"{len(ahead)} elements before its start, the nearest {ahead.min()} before the first element"
            )
        return None

    def changed_inside(self) -> str | None:
        """A description of the first element of the array that was changed, or None."""
        if self.whole.tobytes() == self.before:
            return None
        before = np.frombuffer(self.before, self.whole.dtype)[GUARD : GUARD + self.array.size]
        place = first_difference(before, self.array.ravel())
        if place is None:
            return None
        return f"element {place}: it was {before[place]!s}, it is {self.array.ravel()[place]!s}"


def first_difference(first: Array, second: Array) -> int | None:
    """The flat index of the first element whose bits differ, or None."""
    first, second = np.ascontiguousarray(first).ravel(), np.ascontiguousarray(second).ravel()
    if first.tobytes() == second.tobytes():
        return None
    rows = [np.frombuffer(array.tobytes(), np.uint8).reshape(array.size, -1) for array in (first, second)]
    return int(np.flatnonzero((rows[0] != rows[1]).any(axis=1))[0])


class Violations:
    """The memory rules that were broken in any call, with the first evidence of each."""

    def __init__(self) -> None:
        self.evidence: dict[str, str] = {}
        self.calls = 0

    def add(self, rule: str, evidence: str) -> None:
        self.evidence.setdefault(rule, evidence)

    def inspect(self, function: str, inputs: dict[str, Guarded], outputs: dict[str, Guarded]) -> None:
        """Check the memory of a call that has returned."""
        self.calls += 1
        for name, memory in inputs.items():
            changed = memory.changed_inside()
            if changed:
                shape = memory.array.shape
                self.add("inputs", f"{function} changed its input {name}, of shape {shape}, at {changed}")
        for name, memory in {**inputs, **outputs}.items():
            changed = memory.changed_outside()
            if changed:
                shape = memory.array.shape
                self.add("bounds", f"{function} wrote outside of {name}, of shape {shape}: {changed}")


def hyperparameter_array(values: list[float], fill: float = np.nan) -> Guarded | None:
    """The hyperparameters as a kernel gets them, or None if there are none."""
    return Guarded(np.array(values, np.float64), fill) if values else None
