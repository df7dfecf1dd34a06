"""The floating-point environment of a thread: rounding, flush-to-zero, exceptions. No kernel may change it."""

from __future__ import annotations

import ctypes
import platform
from typing import Any

import numpy as np

__all__ = ["Environment"]

_SIZE = 64  # bytes, at least the size of fenv_t

# Status flags (inexact, underflow, ...) are not settings: they are masked out.
_X87_CONTROL, _SSE_FLAGS = slice(0, 2), 0x3F


class Environment:
    """The settings at the time of its creation."""

    def __init__(self) -> None:
        self.settings = _settings()
        self.numpy = _of_numpy()

    def changes(self) -> str | None:
        """Describe what has changed since, or return None. Restores the settings."""
        now, numpy = _settings(), _of_numpy()
        if now == self.settings and numpy == self.numpy:
            return None
        changed = [
            f"{name} from {before} to {now[name]}" for name, before in self.settings.items() if now[name] != before
        ]
        changed += [
            f"numpy.seterr({key}) from {before!r} to {numpy[key]!r}"
            for key, before in self.numpy.items()
            if before != numpy[key]
        ]
        np.seterr(**self.numpy)
        _restore()
        return ", ".join(changed)


def _of_numpy() -> dict[str, Any]:
    return {**np.geterr()}


def _library() -> Any:
    try:
        library = ctypes.CDLL(None)
        return library if hasattr(library, "fegetenv") else ctypes.CDLL("libm.so.6")
    except (OSError, TypeError):  # no C library found by this name
        return None


_MATH = _library()
_FIRST = ctypes.create_string_buffer(_SIZE)
if _MATH is not None:
    _MATH.fegetenv(_FIRST)


def _settings() -> dict[str, str]:
    """The rounding mode and the control words (with flush-to-zero and exception masks), by name."""
    if _MATH is None:
        return {}
    raw = ctypes.create_string_buffer(_SIZE)
    _MATH.fegetenv(raw)
    found = {"the direction of rounding": hex(_MATH.fegetround())}
    if platform.machine() in ("x86_64", "AMD64", "i686"):
        sse = int.from_bytes(raw.raw[28:32], "little") & ~_SSE_FLAGS
        found["flush-to-zero (bits of MXCSR)"] = hex(sse & 0x8040)
        found["the exceptions (bits of MXCSR)"] = hex(sse & 0x1F80)
        found["the control word of the x87"] = hex(int.from_bytes(raw.raw[_X87_CONTROL], "little"))
    elif platform.machine() in ("aarch64", "arm64"):
        found["the control register"] = hex(int.from_bytes(raw.raw[:8], "little") & 0xFFFFFFFF)
    return found


def _restore() -> None:
    if _MATH is not None:
        _MATH.fesetenv(_FIRST)
