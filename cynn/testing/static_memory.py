"""Checks that a kernel keeps no results in the static memory of its library, which all threads share."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

__all__ = ["what_is_kept"]

_LOADED, _WRITABLE = 1, 2  # ELF: the type PT_LOAD, and the flag PF_W


class _Library(ctypes.Structure):
    """`Dl_info`: the library that contains an address."""

    _fields_ = [
        ("path", ctypes.c_char_p),
        ("base", ctypes.c_void_p),
        ("symbol", ctypes.c_char_p),
        ("symbol_address", ctypes.c_void_p),
    ]


def _library_of(address: int) -> tuple[str, int] | None:
    """The name and start address of the library that contains an address. None for code made at run time."""
    dladdr = getattr(ctypes.CDLL(None), "dladdr", None)
    found = _Library()
    if dladdr is None or not dladdr(ctypes.c_void_p(address), ctypes.byref(found)) or not found.base:
        return None
    return os.path.basename(os.fsdecode(found.path or b"")), found.base


def _writable(base: int) -> list[tuple[int, int]]:
    """Address and size of each writable segment of a library, from its ELF headers. Only 64-bit ELF is supported."""
    header = ctypes.string_at(base, 64)
    if header[:5] != b"\x7fELF\x02":
        return []
    (offset,), (size, count) = struct.unpack_from("Q", header, 32), struct.unpack_from("HH", header, 54)
    parts = []
    for i in range(count):
        entry = ctypes.string_at(base + offset + i * size, 56)
        kind, flags, _, address, _, _, length, _ = struct.unpack("IIQQQQQQ", entry)
        if kind == _LOADED:
            parts.append((flags, address, length))
    start = min((address for _, address, _ in parts), default=0) & -4096  # not 0 in a program at a fixed address
    return [(base - start + address, length) for flags, address, length in parts if flags & _WRITABLE]


def _copy(address: int, length: int) -> npt.NDArray[np.uint8]:
    """Copy a piece of memory, by a loop of NumPy.

    A sanitizer puts guards between the variables of a library, and stops a memcpy that reads them.
    """
    memory = np.ctypeslib.as_array((ctypes.c_uint8 * length).from_address(address))
    copied: npt.NDArray[np.uint8] = np.bitwise_or(memory, np.uint8(0))
    return copied


def what_is_kept(functions: Iterable[int], first: Callable[[], object], second: Callable[[], object]) -> str | None:
    """Describe what the library of these functions keeps in static memory after a call, or return None.

    Two calls alternate. A byte holds a result if each call always leaves the same value in it, and the two calls leave
    different ones. Counters, locks and one-time initialization are not reported.

    Parameters
    ----------
    functions : iterable of int
        The addresses of the kernel's functions.
    first, second : function without arguments
        Calls of them with different data.

    Returns
    -------
    str or None
        How many bytes of which library.
    """
    libraries = {library for library in map(_library_of, functions) if library is not None}
    memory = {name: _writable(base) for name, base in libraries}
    for call in (first, second):  # binds symbols and runs one-time initialization
        call()
    states: list[dict[str, list[npt.NDArray[np.uint8]]]] = []
    for call in (first, second, first, second):
        call()
        states.append({name: [_copy(*part) for part in parts] for name, parts in memory.items()})
    for name in memory:
        kept = sum(
            int(((a == again_a) & (b == again_b) & (a != b)).sum())
            for a, b, again_a, again_b in zip(*(state[name] for state in states), strict=True)
        )
        if kept:
            return f"{kept} bytes of the static memory of {name}"
    return None
