"""Memory between protected pages: reading or writing one byte outside of it ends the process."""

from __future__ import annotations

import ctypes
import mmap
import os
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from cynn.testing.memory import Array, Guarded, Placed, canary

__all__ = ["Fenced", "Fences", "can_fence"]

_NONE, _READ = 0, 1  # PROT_NONE, PROT_READ
_PAGE = mmap.PAGESIZE


def can_fence() -> bool:
    """Whether the system supports protected pages."""
    return os.name == "posix"


def _protect(address: int, size: int, protection: int) -> None:
    protect = ctypes.CDLL(None, use_errno=True).mprotect
    protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    if protect(address, size, protection):
        raise OSError(ctypes.get_errno(), "mprotect")


class Fenced:
    """A copy of an array next to a protected page, before or after it."""

    def __init__(self, values: Array, side: Literal["end", "start"], *, read_only: bool, fill: Array) -> None:
        inside = -(-max(values.nbytes, 1) // _PAGE) * _PAGE
        self._pages = mmap.mmap(-1, inside + 2 * _PAGE)
        whole: Any = np.frombuffer(self._pages, np.uint8)
        first: int = whole.ctypes.data + _PAGE
        begin = _PAGE + (inside - values.nbytes if side == "end" else 0)
        whole[_PAGE : _PAGE + inside].view(fill.dtype)[...] = fill[0]
        self.array: Array = whole[begin : begin + values.nbytes].view(values.dtype).reshape(values.shape)
        self.array[...] = values
        self.address: int = whole.ctypes.data + begin
        _protect(first - _PAGE, _PAGE, _NONE)
        _protect(first + inside, _PAGE, _NONE)
        if read_only:
            _protect(first, inside, _READ)
            self.array.flags.writeable = False

    def changed_inside(self) -> str | None:
        return None  # the protected pages report it

    def changed_outside(self) -> str | None:
        return None


@dataclass(frozen=True)
class Fences:
    """Arrays between protected pages. Inputs are read-only."""

    side: Literal["end", "start"]
    names: frozenset[str] = frozenset()  # the names of the arrays; empty: all
    read_only: bool = True
    turn: int = 0

    def place(self, name: str, values: Array, *, is_input: bool) -> Placed:
        fill = canary(name, self.turn, values.dtype)
        if self.names and name not in self.names:
            return Guarded(values, fill)
        return Fenced(values, self.side, read_only=is_input and self.read_only, fill=fill)
