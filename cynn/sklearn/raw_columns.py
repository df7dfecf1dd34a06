"""Splits a DataFrame or array into columns of numbers, booleans or categories, with missing values."""

from __future__ import annotations

import datetime
import decimal
import numbers
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_array

from cynn.errors import DataError

__all__ = ["SWITCHES", "Kind", "RawColumn", "column", "columns"]

Array = npt.NDArray[Any]
Kind = Literal["number", "switch", "category"]

_EPOCH = datetime.datetime(1970, 1, 1)
_DATES = (datetime.date, datetime.timedelta, np.datetime64, np.timedelta64)  # a datetime is a date
SWITCHES = ("False", "True")


class RawColumn(NamedTuple):
    """A column of a table.

    Attributes
    ----------
    kind : {"number", "switch", "category"}
        Dates and time differences are numbers of seconds. "switch" is a boolean.
    values : array of shape (rows,)
        float64 with NaN for missing numbers; otherwise strings, with None for missing values.
    """

    kind: Kind
    values: Array

    @property
    def is_missing(self) -> npt.NDArray[np.bool_]:
        """Which values are missing."""
        if self.kind == "number":
            return np.isnan(self.values)
        return np.fromiter((value is None for value in self.values), np.bool_, len(self.values))


def columns(X: Any) -> list[RawColumn]:
    """The columns of a pandas or polars DataFrame, or of anything array-like with two dimensions.

    Raises
    ------
    DataError, ValueError, TypeError
        X is not a table, has no rows or no columns, or contains infinite or complex numbers.
    """
    if hasattr(X, "iloc"):
        names, found = list(X.columns), [X.iloc[:, place] for place in range(X.shape[1])]
    elif hasattr(X, "get_columns"):
        names, found = list(X.columns), X.get_columns()
    else:
        given = X if hasattr(X, "dtype") or hasattr(X, "__array__") else np.array(X, object)
        array = check_array(given, dtype=None, ensure_all_finite=False)
        names, found = list(range(array.shape[1])), list(array.T)
    if not found or not len(found[0]):
        rows = len(found[0]) if found else X.shape[0]
        what = f"Found array with 0 {'feature' if not found else 'sample'}(s)"
        raise DataError(f"{what} (shape=({rows}, {len(found)})) while a minimum of 1 is required.")
    return [column(each, name) for each, name in zip(found, names, strict=True)]


def column(values: Any, name: Any) -> RawColumn:
    """Convert one column: a pandas or polars series, or an array."""
    dtype = getattr(values, "dtype", None)
    is_category = str(dtype) == "category"
    if not isinstance(values, np.ndarray):
        if not is_category and getattr(dtype, "kind", "") in ("i", "u", "f"):  # nullable types of pandas
            values = values.to_numpy(dtype=np.float64, na_value=np.nan)
        else:
            values = values.to_numpy()
    if is_category:
        return _texts(np.asarray(values, object), "category")
    kind = values.dtype.kind
    if kind in "iuf":
        return _numbers(values.astype(np.float64), name)
    if kind == "b":
        return RawColumn("switch", np.array(SWITCHES, object)[values.astype(np.intp)])
    if kind in "mM":
        zero = np.datetime64(0, "s") if kind == "M" else np.timedelta64(0, "s")
        return RawColumn("number", (values - zero) / np.timedelta64(1, "s"))
    if kind == "c":
        raise DataError(f"Complex data not supported: column {name!r} must hold real numbers. Got complex ones.")
    return _objects(values.astype(object), name)


def _numbers(values: Array, name: Any) -> RawColumn:
    if np.isinf(values).any():
        row = int(np.argmax(np.isinf(values)))
        raise DataError(f"Column {name!r} must hold finite numbers, or nothing. Got {values[row]} in row {row}.")
    return RawColumn("number", values)


def _is_nothing(value: Any) -> bool:
    """Whether a value is None, NaN, or a missing value of pandas."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    kinds = (float, np.floating, np.datetime64, np.timedelta64, decimal.Decimal)
    return isinstance(value, kinds) and bool(value != value)


def _objects(values: Array, name: Any) -> RawColumn:
    """Convert a column of Python objects: numbers, booleans or dates if all are, otherwise their strings."""
    present = np.array([not _is_nothing(value) for value in values], bool)
    kinds = {type(value) for value in values[present]}
    if not kinds:
        return RawColumn("number", np.full(len(values), np.nan))
    if all(issubclass(kind, (bool, np.bool_)) for kind in kinds):
        return _texts(values, "switch", present)
    if all(issubclass(kind, (numbers.Real, decimal.Decimal, np.bool_)) for kind in kinds):
        return _numbers(_filled(values, present, float), name)
    if all(issubclass(kind, _DATES) or hasattr(kind, "to_timestamp") for kind in kinds):
        return RawColumn("number", _filled(values, present, _seconds))
    return _texts(values, "category", present)


def _filled(values: Array, present: Array, of: Any) -> Array:
    found = np.full(len(values), np.nan)
    found[present] = [of(value) for value in values[present]]
    return found


def _seconds(value: Any) -> float:
    """Seconds since 1970, or of a time difference."""
    if hasattr(value, "to_timestamp"):  # the start of a pandas period
        value = value.to_timestamp()
    if isinstance(value, np.datetime64):
        value -= np.datetime64(0, "s")
    if isinstance(value, np.timedelta64):
        return float(value / np.timedelta64(1, "s"))
    if isinstance(value, datetime.timedelta):
        return float(value.total_seconds())
    if not isinstance(value, datetime.datetime):
        value = datetime.datetime(value.year, value.month, value.day)
    return float(value.timestamp() if value.tzinfo else (value - _EPOCH).total_seconds())


def _texts(values: Array, kind: Kind, present: Array | None = None) -> RawColumn:
    """Convert categories to strings. A whole number has the same string as int and as float."""
    if present is None:
        present = np.array([not _is_nothing(value) for value in values], bool)
    found = np.full(len(values), None, object)
    found[present] = [_text(value) for value in values[present]]
    return RawColumn(kind, found)


def _text(value: Any) -> str:
    if isinstance(value, (float, np.floating)) and value == int(value):
        value = int(value)
    return str(value)
