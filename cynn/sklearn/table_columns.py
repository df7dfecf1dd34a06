"""Preprocessing of a table: scales numbers and encodes categories, for the inputs of a network.

What is learned can be saved as JSON.
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

#: The limit of the smooth clip.
_LIMIT = 3.0


class Part(NamedTuple):
    """One input of the network, computed from one column.

    Attributes
    ----------
    column : int
        The index of the column in the table.
    role : {"number", "missing", "sign", "one", "code"}
        "number": the value. "missing": 1 where the value is missing, else 0. "sign": -1 and 1 for a column of two
        categories. "one": 1 for one category, else 0 (one-hot). "code": the number of the category, from 1.
    category : int
        The number of the category, for "one".
    center, scale : float
        The input is the smoothly clipped (value - center) * scale. A code is not scaled.
    """

    column: int
    role: str
    category: int = 0
    center: float = 0.0
    scale: float = 1.0


_ROLES = ("number", "missing", "sign", "one", "code")


class TableColumns:
    """The fitted preprocessing of a table.

    The inputs are in this order: numbers; then signs, one-hot categories and missing indicators; then codes. Constant
    columns have no input.

    Parameters
    ----------
    names : list of str or int
        Names of the columns, for messages.
    kinds : list of str
        "number", "switch" (boolean) or "category", for each column.
    categories : list of list of str
        The categories of each column. Empty for numbers.
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
        """Fit the preprocessing to the training rows.

        Parameters
        ----------
        raw : list of RawColumn
            All columns.
        names : list of str or int
            The names of the columns.
        max_one_hot : int
            Columns with at most this many categories are one-hot encoded. Columns with more get a code.
        weight : array of shape (rows,), or None
            Sample weights.
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
        """The number of inputs of the network: at least 1. It is always 0 if all columns are constant."""
        return max(1, len(self.parts))

    @property
    def input_names(self) -> list[str]:
        """What each input is: "size", "size is missing" or "colour = red". No two have the same name."""
        from cynn.interop.plan import Column  # here, so that importing the estimators does not import all exports

        found: dict[str, None] = {}
        for part in self.parts:
            name = Column(self.names[part.column], None).label
            if part.role == "missing":
                name += " is missing"
            elif part.role in ("one", "sign"):  # the sign is positive for the second of two categories
                name += f" = {self.categories[part.column][part.category - 1]}"
            while name in found:
                name += "'"
            found[name] = None
        return list(found) or ["nothing"]

    @property
    def n_numbers(self) -> int:
        """The number of inputs with the role "number", which come first."""
        return sum(part.role == "number" for part in self.parts)

    @property
    def code_sizes(self) -> list[int]:
        """The number of possible values of each code, including 0."""
        return [len(self.categories[part.column]) + 1 for part in self.parts if part.role == "code"]

    def inputs(self, raw: list[RawColumn]) -> npt.NDArray[np.float32]:
        """Convert rows to inputs. Categories that did not occur in training count as missing.

        Raises
        ------
        DataError
            The type of a column is not the same as in training.
        """
        columns = [self.values_of(place, column) for place, column in enumerate(raw)]
        found = np.zeros((len(raw[0].values), self.n_inputs), np.float32)
        for place, part in enumerate(self.parts):
            values = _values(part, columns[part.column])
            found[:, place] = values if part.role == "code" else _clipped((values - part.center) * part.scale)
        return found

    def parts_of(self, column: int) -> list[int]:
        """The indices of the inputs that come from a column."""
        return [place for place, part in enumerate(self.parts) if part.column == column]

    def get_config(self) -> dict[str, Any]:
        """The state, in a form that JSON can hold."""
        return {**vars(self), "parts": [list(part) for part in self.parts]}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Create from what `get_config` returned, which may come from a file."""
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
        """Whether the parts refer to existing columns and categories."""
        n = len(self.names)
        return len(self.kinds) == len(self.categories) == n and all(
            0 <= part.column < n
            and part.role in _ROLES
            and 0 <= part.category <= len(self.categories[part.column])
            and bool(np.isfinite([part.center, part.scale]).all())
            for part in self.parts
        )

    def values_of(self, place: int, column: RawColumn) -> Array:
        """The values of a column: numbers, or codes from 1, with 0 for missing and unknown categories."""
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
    """Parse numbers given as strings."""
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
    """The values of an input before scaling. Missing numbers are NaN."""
    found: Array = values
    if part.role == "missing":
        found = np.isnan(values)
    elif part.role == "sign":
        found = np.where(values == 0, 0, 2 * values - 3)
    elif part.role == "one":
        found = values == part.category
    return found.astype(np.float64, copy=False)


def _scaled(part: Part, column: RawColumn, categories: list[str], weight: Array | None) -> Part:
    """Set the center to the median and the scale to 1 / interquartile range, or to 0 for constant columns."""
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
    """The smooth clip z / √(1 + (z / limit)²). Missing values become 0, the median."""
    with np.errstate(over="ignore"):
        clipped = np.sign(z) * _LIMIT / np.hypot(1, _LIMIT / np.where(z == 0, 1, z))
    return np.where(np.isnan(z) | (z == 0), 0.0, clipped)

