"""From the columns of a table to the inputs of a network: centred numbers, and categories by number.

What is learned is numbers and texts, so that it goes into a file as JSON.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from cynn.data.weighted import quantiles
from cynn.errors import DataError, ModelFileError, shown
from cynn.sklearn.raw_columns import RawColumn

__all__ = ["Part", "TableColumns"]

Array = npt.NDArray[Any]

#: Numbers go no further than this from 0, softly.
_LIMIT = 3.0


class Part(NamedTuple):
    """What becomes of a column, or of a part of it: one input.

    Attributes
    ----------
    column : int
        Its place in the table.
    role : {"number", "missing", "sign", "one", "code"}
        The number itself; whether it is missing; of two categories -1 for the first and 1 for the other; whether it is
        one category; or its category's number, counted from 1.
    category : int
        Which category, for "one".
    center, scale : float
        The input is the clipped (value - center) * scale; a code is as it is.
    """

    column: int
    role: str
    category: int = 0
    center: float = 0.0
    scale: float = 1.0


_ROLES = ("number", "missing", "sign", "one", "code")


class TableColumns:
    """What was learned of the columns of a table.

    Inputs come in this order: numbers; then signs, single categories and what is missing; then codes. Columns that say
    nothing, since all is alike in them, have none.

    Parameters
    ----------
    names : list of str or int
        Of the columns, for messages.
    kinds : list of str
        "number", "switch" or "category" for each.
    categories : list of list of str
        For each; of numbers none.
    parts : list of Part
        The inputs.
    """

    def __init__(self, names: list[Any], kinds: list[str], categories: list[list[str]], parts: list[Part]) -> None:
        self.names = names
        self.kinds = kinds
        self.categories = categories
        self.parts = parts

    @classmethod
    def learned(cls, raw: list[RawColumn], names: list[Any], max_one_hot: int, weight: Array | None) -> Self:
        """Learn from the columns of the training rows.

        Parameters
        ----------
        raw : list of RawColumn
            All columns.
        names : list of str or int
            Theirs.
        max_one_hot : int
            Up to so many categories of a column have an input each; more have a code.
        weight : array of shape (rows,), or None
            How often each row is there.
        """
        categories: list[list[str]] = []
        parts: list[Part] = []
        for place, column in enumerate(raw):
            missing = column.is_missing
            found = [] if column.kind == "number" else sorted(set(column.values[~missing]))
            if column.kind == "number":
                roles = [Part(place, "number")] + [Part(place, "missing")] * bool(missing.any())
            elif len(found) == 2:
                roles = [Part(place, "sign")]
            elif len(found) <= max_one_hot:
                roles = [Part(place, "one", number) for number in range(1, len(found) + 1)]
            else:
                roles = [Part(place, "code")]
            categories.append(found)
            parts += [part for part in (_scaled(role, column, found, weight) for role in roles) if part.scale]
        order = {"number": 0, "code": 2}
        parts.sort(key=lambda part: order.get(part.role, 1))
        plain = [name if isinstance(name, int) else str(name) for name in names]
        return cls(plain, [column.kind for column in raw], categories, parts)

    @property
    def n_inputs(self) -> int:
        """Of a network: one at least, which is always 0 where no column says anything."""
        return max(1, len(self.parts))

    @property
    def n_numbers(self) -> int:
        """How many inputs are numbers; they come first."""
        return sum(part.role == "number" for part in self.parts)

    @property
    def code_sizes(self) -> list[int]:
        """How many numbers a code has, 0 included, for each of the last inputs."""
        return [len(self.categories[part.column]) + 1 for part in self.parts if part.role == "code"]

    def inputs(self, raw: list[RawColumn]) -> npt.NDArray[np.float32]:
        """The inputs for some rows; what was not there in training counts as missing.

        Raises
        ------
        DataError
            A column is not of the kind that it was of in training.
        """
        columns = [self._as_learned(place, column) for place, column in enumerate(raw)]
        found = np.zeros((len(raw[0].values), self.n_inputs), np.float32)
        for place, part in enumerate(self.parts):
            values = _values(part, columns[part.column])
            found[:, place] = values if part.role == "code" else _clipped((values - part.center) * part.scale)
        return found

    def parts_of(self, column: int) -> list[int]:
        """The places of the inputs that come from a column."""
        return [place for place, part in enumerate(self.parts) if part.column == column]

    def get_config(self) -> dict[str, Any]:
        """All of it, as numbers, texts, lists and dicts."""
        return {**vars(self), "parts": [list(part) for part in self.parts]}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Made of what `get_config` returned, which may come from a file."""
        found: Self | None = None
        with contextlib.suppress(KeyError, TypeError, ValueError):
            found = cls(
                [name if isinstance(name, int) else str(name) for name in config["names"]],
                [str(kind) for kind in config["kinds"]],
                [[str(category) for category in each] for each in config["categories"]],
                [Part(int(c), str(role), int(k), float(center), float(s)) for c, role, k, center, s in config["parts"]],
            )
        if found is None or not found._goes_together():
            raise ModelFileError(
                f"What a file says of the columns of a table must be as saved. Got {shown(config)} instead."
            )
        return found

    def _goes_together(self) -> bool:
        """Whether the parts are those of columns that are there."""
        n = len(self.names)
        return len(self.kinds) == len(self.categories) == n and all(
            0 <= part.column < n
            and part.role in _ROLES
            and 0 <= part.category <= len(self.categories[part.column])
            and bool(np.isfinite([part.center, part.scale]).all())
            for part in self.parts
        )

    def _as_learned(self, place: int, column: RawColumn) -> Array:
        """The values of a column: numbers, or codes from 1, with 0 for what is missing or new."""
        name, kind = self.names[place], self.kinds[place]
        values, missing = column.values, column.is_missing
        if kind == "number":
            if column.kind == "switch":
                return np.where(missing, np.nan, values == "True")
            if column.kind == "category":
                return _read(values, missing, name)
            return values
        if column.kind == "number":
            if kind == "switch":
                texts = np.where(values != 0, "True", "False")
            else:
                texts = np.array([str(int(v)) if v == v and v == int(v) else str(v) for v in values.tolist()], object)
        else:
            texts = values
        codes = {category: code for code, category in enumerate(self.categories[place], start=1)}
        found = np.fromiter((codes.get(text, 0) for text in texts), np.float64, len(texts))
        return np.where(missing, 0.0, found)


def _read(texts: Array, missing: Array, name: Any) -> Array:
    """Numbers that are there as texts."""
    found = np.full(len(texts), np.nan)
    for row in np.flatnonzero(~missing):
        try:
            found[row] = float(texts[row])
        except ValueError:
            raise DataError(
                f"Column {name!r} must hold numbers, as in fit. Got {shown(texts[row])} in row {row} instead."
            ) from None
    return np.where(np.isfinite(found), found, np.nan)


def _values(part: Part, values: Array) -> Array:
    """The values of an input before they are centred; of a number NaN where it is missing."""
    found: Array = values
    if part.role == "missing":
        found = np.isnan(values)
    elif part.role == "sign":
        found = np.where(values == 0, 0, 2 * values - 3)
    elif part.role == "one":
        found = values == part.category
    return found.astype(np.float64, copy=False)


def _scaled(part: Part, column: RawColumn, categories: list[str], weight: Array | None) -> Part:
    """With the median as the center, and a scale by the distance of the quartiles; 0 where all values are the same."""
    if part.role == "code":
        return part
    codes = {category: float(code) for code, category in enumerate(categories, start=1)}
    is_number = column.kind == "number"
    values = _values(part, column.values if is_number else np.array([codes.get(text, 0.0) for text in column.values]))
    there = ~np.isnan(values)
    values, weight = values[there], None if weight is None else weight[there]
    if not len(values):
        return part._replace(scale=0.0)
    low, center, high = quantiles(values, [0.25, 0.5, 0.75], weight)
    distance = high - low if high > low else (values.max() - values.min()) / 2
    scale = 1 / distance if distance > 0 else 0.0
    return part._replace(center=center, scale=scale if np.isfinite(scale) else 0.0)


def _clipped(z: Array) -> Array:
    """Smoothly, z / √(1 + (z / limit)²), and 0, the median, where z is missing."""
    with np.errstate(over="ignore"):
        clipped = np.sign(z) * _LIMIT / np.hypot(1, _LIMIT / np.where(z == 0, 1, z))
    return np.where(np.isnan(z) | (z == 0), 0.0, clipped)

