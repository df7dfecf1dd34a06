"""Checks of memory for all kinds: where a call may read and write, and the alignment of its arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cynn.testing.child import Crash, run_apart
from cynn.testing.fences import Fences, can_fence
from cynn.testing.memory import Shifted
from cynn.testing.report import Skipped
from cynn.testing.words import require_close

if TYPE_CHECKING:
    from cynn.testing.checks import Checks, NamedCheck

__all__ = ["EVERY_ARRAY", "FENCES", "any_alignment", "culprit", "stays_inside"]

FENCES = "stays within its arrays"
EVERY_ARRAY = (Fences("end"), Fences("start"))
_SHAPES = [(1, 1), (3, 5), (7, 33), (2, 257), (65, 3), (0, 4)]


def stays_inside(checks: Checks[Any, Any]) -> str:
    """Calls with arrays between protected pages, which end the process on any access outside of an array."""
    if not can_fence():
        raise Skipped("this system has no mprotect")
    n = 0
    for dtype in checks.dtypes:
        for rows, columns in _SHAPES:
            for manner in checks.fences:
                calls = checks.calls(dtype, manner=manner)
                for _, sample in checks.samples(calls, rows, columns):
                    calls.everything(sample)
                    n += 1
    return f"{n} calls between pages that cannot be touched, with inputs that cannot be written"


def culprit(checks: Checks[Any, Any], named: NamedCheck) -> str | None:
    """Find the array that a call accessed out of bounds, or the input that it wrote, by trying each."""
    function = checks.watch.notes.read().partition(" (")[0]
    manners: list[tuple[Literal["end", "start"], bool, str]] = [
        ("end", False, "read and write nothing behind the end of {}"),
        ("start", False, "read and write nothing before the start of {}"),
        ("end", True, "not write to its input {}, not even for a moment"),
    ]
    for side, read_only, text in manners:

        def dies(names: list[str], side: Literal["end", "start"] = side, read_only: bool = read_only) -> bool:
            return _dies(checks, named, Fences(side, frozenset(names), read_only=read_only))

        names = checks.array_names
        if not dies(names):
            continue
        while len(names) > 1:  # by halves
            half = names[: len(names) // 2]
            names = half if dies(half) else names[len(half) :]
        return f"{function} must {text.format(names[0])}"
    return None


def _dies(checks: Checks[Any, Any], named: NamedCheck, fences: Fences) -> bool:
    before, checks.fences = checks.fences, (fences,)  # type: ignore[assignment]  # one in place of two
    try:
        list(run_apart(lambda: iter([checks.result(named)])))
    except Crash:
        return True
    finally:
        checks.fences = before
    return False


def any_alignment(checks: Checks[Any, Any]) -> str:
    """The results do not depend on the alignment of arrays, down to the size of an element."""
    checks.require_compiled("NumPy takes arrays as they lie")
    n = 0
    for dtype in checks.dtypes:
        for rows, columns in [(7, 33), (16, 64), (1, 257)]:
            for what, sample in checks.samples(checks.calls(dtype), rows, columns):
                aligned = checks.calls(dtype, manner=Shifted(0)).everything(sample)
                for shift in (1, 2, 3):
                    moved = checks.calls(dtype, manner=Shifted(shift)).everything(sample)
                    for name, values in moved.items():
                        require_close(
                            values,
                            aligned[name],
                            dtype,
                            f"{name} must not depend on where arrays start: moved by {shift * values.itemsize} "
                            f"bytes{f' ({what})' if what else ''}",
                            scale=float(np.nanmax(np.abs(np.where(np.isfinite(values), values, 0)), initial=1)),
                        )
                    n += 1
    return f"{n} calls on arrays moved by one, two and three elements"
