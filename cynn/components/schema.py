"""Schemas of nested values. The state in a checkpoint is checked against its schema before any of it is used.

A schema is a `Kind` of value; a dict of schemas, for a dict with exactly these keys; a list of schemas, for a list with
one value for each; or an instance of one of the classes below.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cynn.errors import CynnError, ModelFileError

__all__ = [
    "ANYTHING",
    "MAX_COUNTED",
    "NOTHING",
    "SWITCH",
    "TEXT",
    "ByName",
    "Having",
    "Kind",
    "ListOf",
    "Mismatch",
    "Optional",
    "Then",
    "array",
    "array_like",
    "check",
    "in_words",
    "number",
    "of_state",
    "taken_by",
    "whole_number",
]

#: More than the steps or rows of any training; sums of a few such numbers fit into an int64.
MAX_COUNTED = 2**48


class Kind(NamedTuple):
    """Values for which `holds` is true, and their description."""

    allowed: str
    holds: Callable[[Any], bool]


class Optional(NamedTuple):
    """None, or a value of the schema."""

    schema: Any


class ListOf(NamedTuple):
    """A list of `least` to `most` values of one schema."""

    schema: Any
    least: int = 0
    most: int = MAX_COUNTED


class ByName(NamedTuple):
    """A dict with any keys, and values of one schema."""

    schema: Any


class Having(NamedTuple):
    """A dict with at least these keys."""

    schemas: dict[str, Any]


class Then(NamedTuple):
    """A value of a schema, and of a second schema that `following` makes from the value."""

    schema: Any
    following: Callable[[Any], Any]


ANYTHING = Kind("anything", lambda value: True)
NOTHING = Kind("nothing", lambda value: value is None)
SWITCH = Kind("true or false", lambda value: isinstance(value, bool))
TEXT = Kind("a string", lambda value: isinstance(value, str))


def whole_number(minimum: int = 0, maximum: int = MAX_COUNTED) -> Kind:
    """A whole number within the bounds."""
    return Kind(
        f"a whole number from {minimum} to {maximum}", lambda value: type(value) is int and minimum <= value <= maximum
    )


def number(minimum: float = -math.inf, maximum: float = math.inf, *, is_finite: bool = True) -> Kind:
    """A number within the bounds; with is_finite=False, infinities and NaN are allowed, too."""

    def holds(value: Any) -> bool:
        if type(value) is int:
            return minimum <= value <= maximum and abs(value) <= MAX_COUNTED
        if type(value) is not float:
            return False
        return minimum <= value <= maximum and math.isfinite(value) if is_finite else not value < minimum

    allowed = "a finite number" if is_finite else "a number"
    bounds = [f"from {minimum:g}"] * (minimum > -math.inf) + [f"to {maximum:g}"] * (maximum < math.inf)
    return Kind(" ".join([allowed, *bounds]), holds)


def array(shape: tuple[int, ...], *dtypes: npt.DTypeLike, is_finite: bool = True) -> Kind:
    """An array of this shape and one of these dtypes, all finite; with is_finite=False, infinities are allowed."""
    known = [np.dtype(dtype) for dtype in dtypes]
    is_fine = np.isfinite if is_finite else lambda values: ~np.isnan(values)

    def holds(value: Any) -> bool:
        is_one = isinstance(value, np.ndarray) and value.shape == shape and value.dtype in known
        return is_one and bool(is_fine(value).all())

    numbers = "finite numbers" if is_finite else "numbers"
    return Kind(f"an array of {numbers}, of shape {shape} and dtype {' or '.join(map(str, known))},", holds)


def array_like(other: npt.NDArray[Any], *, is_finite: bool = True) -> Kind:
    """An array of the shape and dtype of another one."""
    return array(other.shape, other.dtype, is_finite=is_finite)


class Mismatch(Exception):
    """A value is not as its schema requires.

    Parameters
    ----------
    allowed, place, got : str
        What the schema requires, at which place of the tree, and what is there.
    """

    def __init__(self, allowed: str, place: str, got: str) -> None:
        super().__init__(allowed, place, got)
        self.allowed, self.place, self.got = allowed, place, got


def check(value: Any, schema: Any, place: str) -> None:
    """Raise a Mismatch for the first value that is not as the schema requires."""
    if isinstance(schema, Kind):
        if not schema.holds(value):
            raise Mismatch(schema.allowed, place, in_words(value))
    elif isinstance(schema, Optional):
        if value is not None:
            check(value, schema.schema, place)
    elif isinstance(schema, ByName):
        _check_is(dict, value, place)
        for key, each in value.items():
            check(each, schema.schema, f"{place}.{key}")
    elif isinstance(schema, ListOf):
        _check_is(list, value, place)
        if not schema.least <= len(value) <= schema.most:
            raise Mismatch(f"from {schema.least} to {schema.most} values", place, str(len(value)))
        for number, each in enumerate(value):
            check(each, schema.schema, f"{place}[{number}]")
    elif isinstance(schema, Then):
        check(value, schema.schema, place)
        check(value, schema.following(value), place)
    elif isinstance(schema, (dict, Having)):
        schemas = schema.schemas if isinstance(schema, Having) else schema
        _check_is(dict, value, place)
        if set(schemas) - set(value) or (schemas is schema and len(value) > len(schema)):
            raise Mismatch(f"the names {', '.join(schemas) or 'of nothing'}", place, ", ".join(value)[:200] or "none")
        for key, inner in schemas.items():
            check(value[key], inner, f"{place}.{key}")
    else:
        _check_is(list, value, place)
        if len(value) != len(schema):
            raise Mismatch(f"{len(schema)} values", place, str(len(value)))
        for number, (each, inner) in enumerate(zip(value, schema, strict=True)):
            check(each, inner, f"{place}[{number}]")


def of_state(part: Any, *arguments: Any) -> Any:
    """The schema of what `part.get_state()` returns; ANYTHING for a user's class with its own `get_state`."""

    def definer(name: str) -> type:
        return next(cls for cls in type(part).__mro__ if name in vars(cls))

    return part._state_schema(*arguments) if definer("_state_schema") is definer("get_state") else ANYTHING


def _check_is(kind: type, value: Any, place: str) -> None:
    if not isinstance(value, kind):
        raise Mismatch(f"a {kind.__name__}", place, in_words(value))


def in_words(value: Any) -> str:
    """A value for a message: its repr, or a description if that is long."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}" + _not_finite(value)
    return repr(value) if len(repr(value)) < 200 else type(value).__name__


def _not_finite(value: npt.NDArray[Any]) -> str:
    return "" if value.dtype.kind != "f" or np.isfinite(value).all() else ", not all finite"


@contextmanager
def taken_by(what: str) -> Iterator[None]:
    """A context for `set_state` of a user's class, which has no schema: its errors become ModelFileErrors."""
    try:
        yield
    except CynnError:
        raise
    except Exception as error:
        raise ModelFileError(
            f"The state of {what} in a checkpoint must be one that it takes. Got {type(error).__name__}: {error}"
        ) from error
