"""Memory layouts for arrays: between canaries, with other alignments, or between protected pages."""

from __future__ import annotations

import functools
import zlib
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

__all__ = [
    "Array", "Canaries", "Guarded", "Manner", "Moving", "Placed", "Shifted", "Staying", "aligned_copy",
    "first_difference",
]  # fmt: skip

Array = npt.NDArray[Any]

GUARD = 64  # elements before and after an array
LINE = 64  # the size of a cache line in bytes; the engine's arrays are aligned to it


def aligned_copy(values: Array, shift: int = 0) -> Array:
    """A copy aligned to a cache line, like the engine's arrays, or shifted by some elements."""
    size = values.nbytes
    raw = np.empty(size + LINE + shift * values.itemsize, np.uint8)
    start = -raw.ctypes.data % LINE + shift * values.itemsize
    copy: Array = raw[start : start + size].view(values.dtype).reshape(values.shape)
    copy[...] = values
    return copy


class Placed(Protocol):
    """An array in a memory layout."""

    @property
    def array(self) -> Array: ...

    @property
    def address(self) -> int: ...

    def changed_inside(self) -> str | None: ...

    def changed_outside(self) -> str | None: ...


class Manner(Protocol):
    """The memory layout of the arrays of a call. `turn` selects one of two fillings for memory not to be read."""

    @property
    def turn(self) -> int: ...

    def place(self, name: str, values: Array, *, is_input: bool) -> Placed: ...


@dataclass(frozen=True)
class Canaries:
    """Arrays between canaries, different for each name: NaNs in turn 0, moderate numbers in turn 1."""

    turn: int = 0

    def place(self, name: str, values: Array, *, is_input: bool) -> Placed:
        return Guarded(values, canary(name, self.turn, values.dtype))


@dataclass(frozen=True)
class Shifted:
    """Arrays shifted by some elements from the start of a cache line."""

    shift: int
    names: frozenset[str] = frozenset()  # the names of the arrays; empty: all
    turn: int = 0

    def place(self, name: str, values: Array, *, is_input: bool) -> Placed:
        shift = self.shift if not self.names or name in self.names else 0
        return Guarded(values, canary(name, self.turn, values.dtype), shift)


class Moving(Canaries):
    """Arrays that never lie where one lay before."""

    def __init__(self) -> None:
        super().__init__()
        self._all: list[Guarded] = []

    def place(self, name: str, values: Array, *, is_input: bool) -> Placed:
        self._all.append(Guarded(values, canary(name, self.turn, values.dtype)))
        return self._all[-1]


class Staying(Canaries):
    """Arrays of one name and size that always lie in the same place: a call must be over before the next."""

    def __init__(self) -> None:
        super().__init__()
        self._memory: dict[tuple[str, int], Array] = {}

    def place(self, name: str, values: Array, *, is_input: bool) -> Placed:
        guard = canary(name, self.turn, values.dtype)
        raw = self._memory.setdefault((name, values.nbytes), Guarded.memory(values))
        return Guarded(values, guard, raw=raw)


@functools.lru_cache(maxsize=256)
def canary(name: str, turn: int, dtype: Any) -> Array:
    """The canaries around the array of this name."""
    code = 1 + zlib.crc32(name.encode()) % 1000
    if dtype.kind in "iu":
        return np.full(GUARD, code if turn else 0, dtype)
    if turn:
        return np.full(GUARD, 3 + code / 8, dtype)
    if dtype == np.float32:
        return np.full(GUARD, 0x7FC00000 + code, np.uint32).view(dtype)
    return np.full(GUARD, (0x7FF8 << 48) + code, np.uint64).view(dtype)


class Guarded:
    """A copy of an array, with canaries before and behind it.

    A kernel that writes outside of its arrays changes a canary. If a kernel reads a canary, its result differs between
    the two turns.
    """

    @staticmethod
    def memory(values: Array, shift: int = 0) -> Array:
        """Memory for these values and the canaries."""
        return np.empty((values.size + 2 * GUARD + shift) * values.itemsize + LINE, np.uint8)

    def __init__(self, values: Array, guard: Array, shift: int = 0, raw: Array | None = None) -> None:
        size, item = values.size, values.itemsize
        raw = self.memory(values, shift) if raw is None else raw
        start = -raw.ctypes.data % LINE + shift * item
        whole = raw[start : start + (size + 2 * GUARD) * item].view(values.dtype)
        whole[:GUARD] = guard
        whole[GUARD + size :] = guard
        self.array: Array = whole[GUARD : GUARD + size].reshape(values.shape)
        self.array[...] = values
        self.address: int = whole.ctypes.data + GUARD * item
        self._whole, self._guard, self._before = whole, guard.tobytes(), values.tobytes()

    def changed_outside(self) -> str | None:
        """Describe which elements outside of the array were changed, or return None."""
        ahead, behind = self._whole[:GUARD], self._whole[GUARD + self.array.size :]
        if behind.tobytes() != self._guard:
            places = _changes(behind, self._guard) + 1
            return f"{len(places)} elements behind its end, the first {places[0]} behind the last element"
        if ahead.tobytes() != self._guard:
            places = GUARD - _changes(ahead, self._guard)
            return f"{len(places)} elements before its start, the nearest {places.min()} before the first element"
        return None

    def changed_inside(self) -> str | None:
        """Describe the first element of the array that was changed, or return None."""
        if self.array.tobytes() == self._before:
            return None
        place = int(_changes(self.array.ravel(), self._before)[0])
        before = np.frombuffer(self._before, self.array.dtype)[place]
        return f"element {place}: it was {before!s}, it is {self.array.ravel()[place]!s}"


def _changes(now: Array, before: bytes) -> Array:
    """The indices of the elements whose bits have changed."""
    rows = [np.frombuffer(each, np.uint8).reshape(now.size, -1) for each in (now.tobytes(), before)]
    return np.flatnonzero((rows[0] != rows[1]).any(axis=1))


def first_difference(first: Array, second: Array) -> int | None:
    """The flat index of the first element whose bits differ, or None."""
    first, second = np.ascontiguousarray(first).ravel(), np.ascontiguousarray(second).ravel()
    if first.tobytes() == second.tobytes():
        return None
    return int(_changes(first, second.tobytes())[0])
