"""The errors of CyNN. Each is a `CynnError` and what a user would expect to catch besides.

Every message has one form: what must be, what was got instead, and where it helps what to do.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np

__all__ = [
    "BusyError",
    "CheckpointError",
    "CynnError",
    "CynnWarning",
    "DataError",
    "InvalidParameterError",
    "KernelError",
    "MissingDependencyError",
    "ModelFileError",
    "NotAFileError",
    "PluginError",
    "ReadOnlyError",
    "ShapeError",
    "TrainingDivergedError",
    "UnknownNameError",
    "UnknownParameterError",
    "check_number",
    "check_whole_number",
]


_MAX_SHOWN = 200


class CynnWarning(UserWarning):
    """The category of every warning of CyNN."""


def warn(message: str, stacklevel: int) -> None:
    """A CynnWarning; nothing where sys.stderr is closed, as in a program without a console."""
    import contextlib
    import warnings

    with contextlib.suppress(ValueError):  # of writing to what is closed
        warnings.warn(message, CynnWarning, stacklevel=stacklevel + 1)


class CynnError(Exception):
    """The base of every error that CyNN raises on purpose."""


class InvalidParameterError(CynnError, ValueError, TypeError):
    """A parameter has a value or a type that is not allowed."""


class ShapeError(CynnError, ValueError):
    """An array has a shape that does not fit the network."""


class DataError(CynnError, ValueError):
    """The values in the data cannot be used: a NaN, a class out of range, no rows."""


class UnknownNameError(CynnError, KeyError):
    """No activation, loss, optimizer or metric has that name."""

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would show the repr


class UnknownParameterError(UnknownNameError, InvalidParameterError):
    """A class has no parameter of that name."""


class PluginError(CynnError):
    """A plugin could not be found, imported, trusted or run."""


class BusyError(CynnError, RuntimeError):
    """A network is being trained by another call."""


class KernelError(CynnError, RuntimeError):
    """A compiled kernel was given what cannot be, by CyNN or by a plugin: an error of theirs."""


class ReadOnlyError(CynnError, AttributeError):
    """What is given when an object is made cannot be changed later."""


class ModelFileError(CynnError, ValueError):
    """A file is no model, or not a whole one."""


class NotAFileError(ModelFileError, OSError):
    """What should be a file is a directory, a FIFO, a socket or a device."""


class CheckpointError(CynnError, OSError):
    """A checkpoint could not be written, or there is none to go on from."""


class MissingDependencyError(CynnError, ImportError):
    """An optional package is needed; the message names the extra that installs it."""


class Figures(Protocol):
    """What an error, or a drawing, makes use of in a `cynn.training.History`."""

    history: dict[str, list[float]]

    @property
    def epochs(self) -> int:
        """How many epochs there are."""

    def __getitem__(self, name: str) -> list[float]: ...


class TrainingDivergedError(CynnError, ArithmeticError):
    """The loss became NaN or infinite.

    Parameters
    ----------
    message : str
        What happened, and what to do.
    epoch, step : int
        Where it happened, both counted from 1; the step within the epoch.
    history : cynn.training.History
        The epochs completed before.

    Attributes
    ----------
    epoch, step : int
        Where it happened, both counted from 1; the step within the epoch.
    history : cynn.training.History
        The epochs completed before.
    """

    def __init__(self, message: str, epoch: int, step: int, history: Figures) -> None:
        super().__init__(message, epoch, step, history)  # all of them, so that it can be pickled
        self.epoch = epoch
        self.step = step
        self.history = history

    def __str__(self) -> str:
        return str(self.args[0])


def bounds_in_words(
    *,
    minimum: float = float("-inf"),
    maximum: float = float("inf"),
    above: float | None = None,
    below: float | None = None,
) -> list[str]:
    """Such as `["> 0", "<= 1"]`."""
    bounds = []
    if above is not None:
        bounds.append(f"> {above:g}")
    elif minimum != float("-inf"):
        bounds.append(f">= {minimum:g}")
    if below is not None:
        bounds.append(f"< {below:g}")
    elif maximum != float("inf"):
        bounds.append(f"<= {maximum:g}")
    return bounds


def check_number(
    value: Any,
    name: str,
    owner: str,
    *,
    minimum: float = float("-inf"),
    maximum: float = float("inf"),
    above: float | None = None,
    below: float | None = None,
) -> float:
    """`value` as a finite float within the bounds (`above` and `below` exclude the bound itself)."""
    bounds = bounds_in_words(minimum=minimum, maximum=maximum, above=above, below=below)
    allowed = f"a finite number {' and '.join(bounds)}".strip()
    try:
        if not _may_be_number(value, "iuf"):
            raise TypeError
        number = float(value)
    except Exception:  # whatever its __float__ raises
        raise not_allowed(name, owner, allowed, value) from None
    inside = minimum <= number <= maximum and abs(number) != float("inf")
    if not inside or (above is not None and number <= above) or (below is not None and number >= below):
        raise not_allowed(name, owner, allowed, value)
    return number


def check_whole_number(
    value: Any, name: str, owner: str, *, minimum: int = 0, maximum: int = 2**63 - 1
) -> int:
    """`value` as an int within the bounds; a bool or a float is refused."""
    try:
        number = operator.index(value) if _may_be_number(value, "iu") else None
    except Exception:  # whatever its __index__ raises
        number = None
    if number is None or not minimum <= number <= maximum:
        is_too_large = number is not None and number > maximum
        limit = f" and <= {maximum}" if is_too_large or maximum != 2**63 - 1 else ""
        raise not_allowed(name, owner, f"a whole number >= {minimum}{limit}", value)
    return number


def check_switch(value: object, name: str, owner: str) -> bool:
    """`value` as a bool, or an InvalidParameterError."""
    if not isinstance(value, (bool, np.bool_)):
        raise not_allowed(name, owner, "True or False", value)
    return bool(value)


def check_held(value: float, name: str, owner: str, dtype: str) -> None:
    """Raise an InvalidParameterError where a number becomes infinite, or 0, in the dtype of a network."""
    with np.errstate(over="ignore", under="ignore"):
        held = np.dtype(dtype).type(value)
    if not np.isfinite(held) or (held == 0) != (value == 0):
        raise not_allowed(name, owner, f"a number that {dtype} holds in such a network", value)


def as_list(value: Any) -> list[Any] | None:
    """The items of what can be gone through, None of what cannot."""
    try:
        return list(value)
    except TypeError:  # an array without dimensions says only then that it cannot
        return None


def not_allowed(name: str, owner: str, allowed: str, value: object) -> InvalidParameterError:
    """The error for a parameter that has another value than what is allowed."""
    return InvalidParameterError(f"The {name!r} parameter of {owner} must be {allowed}. Got {shown(value)} instead.")


def shown(value: object) -> str:
    """The repr of a value that was given, cut where it is long."""
    try:
        text = repr(value)
    except Exception:  # an int of thousands of digits, or a repr that fails
        text = f"{type(value).__name__} without a repr"
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def _may_be_number(value: object, kinds: str) -> bool:
    """Whether it is a single number, of these kinds of NumPy's where it is of NumPy; no text and no switch."""
    if isinstance(value, (str, bytes, bytearray, bool)):
        return False
    return getattr(getattr(value, "dtype", None), "kind", kinds[0]) in kinds and not getattr(value, "ndim", 0)


def unknown_name(kind: str, name: object, names: Iterable[str]) -> UnknownNameError:
    """The error for a name that nothing has, with the nearest names or, failing these, all."""
    known = sorted(names)
    hint = did_you_mean(name, known) or f" There are: {', '.join(known)}."
    return UnknownNameError(f"There is no {kind} named {shown(name)}.{hint}")


def did_you_mean(name: object, names: Iterable[str]) -> str:
    """A sentence with the names that are nearest, to put behind another; empty where none is near."""
    import difflib  # not at every import of the package

    near = difflib.get_close_matches(shown(name) if not isinstance(name, str) else name, list(names), n=3)
    return f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
