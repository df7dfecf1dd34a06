"""Tables of pandas, polars and pyarrow, used by their common interface. None of these libraries is imported."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from cynn.data.numbers import numbers_of
from cynn.errors import DataError, InvalidParameterError, shown

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

__all__ = ["as_matrix", "check_complete", "check_names", "is_column", "is_frame", "names_of"]


def _is_of_a_table(x: Any) -> bool:
    kind = type(x)
    return hasattr(kind, "__arrow_c_stream__") or hasattr(kind, "__dataframe__") or hasattr(kind, "__arrow_c_array__")


def is_frame(x: Any) -> bool:
    """Whether x is a table whose columns have names and dtypes."""
    return _is_of_a_table(x) and hasattr(x, "columns")


def is_column(x: Any) -> bool:
    """Whether x is a single column of such a table."""
    return _is_of_a_table(x) and not hasattr(x, "columns")


def _all_names(frame: Any) -> list[Any]:
    return list(frame.column_names if hasattr(frame, "column_names") else frame.columns)


def names_of(x: Any) -> list[str] | None:
    """The names of the columns, if x is a table and all of them are strings."""
    if type(x) is np.ndarray or not is_frame(x):
        return None
    names = _all_names(x)
    return names if all(isinstance(name, str) for name in names) else None


def check_names(x: Any, known: list[str], name: str) -> None:
    """Raise a DataError unless the columns of x, if they have names, are the known ones in their order."""
    names = names_of(x)
    if names is None or names == known:
        return
    missing = [one for one in known if one not in names]
    extra = [one for one in names if one not in known]
    got = [f"no {shown(one)}" for one in missing[:3]] + [f"{shown(one)}, which it does not know," for one in extra[:3]]
    raise DataError(
        f"{name} must have the columns that the network was trained with, in their order: its feature_names. "
        f"Got {' and '.join(got) or 'another order'} instead."
        f"{'' if missing else f' Use {name}[net.feature_names], or {name}.select(net.feature_names) of pyarrow.'}"
    )


def as_matrix(frame: Any, name: str, *, exactly: bool = False) -> Array:
    """Convert a table to a matrix of uint8, float32 or float64, without a copy if all columns have one such dtype."""
    dtypes = set(getattr(frame, "dtypes", ()))
    if len(dtypes) == 1 and isinstance(dtype := dtypes.pop(), np.dtype) and dtype.kind in "buif":
        matrix: Array = np.asarray(frame)
        return matrix
    columns = [
        _numbers(column, f"column {shown(label)} of {name}", exactly=exactly)
        for label, column in zip(_all_names(frame), _columns(frame), strict=True)
    ]
    if not columns:
        return np.zeros((len(frame), 0))
    found = np.empty((len(frame), len(columns)), np.result_type(*columns))
    for place, column in enumerate(columns):
        found[:, place] = column
    return found


def _columns(frame: Any) -> list[Any]:
    if hasattr(frame, "get_columns"):  # polars
        return list(frame.get_columns())
    if hasattr(frame, "column_names"):  # pyarrow
        return list(frame.columns)
    return [frame.iloc[:, place] for place in range(frame.shape[1])]


def check_complete(column: Any, name: str) -> None:
    """Raise a DataError if a column has a missing value. A NaN in an array of floats is found by later checks."""
    if isinstance(dtype := getattr(column, "dtype", None), np.dtype) and dtype.kind != "O":
        return
    look = getattr(column, "isna", None) or getattr(column, "is_null", None)
    missing = np.asarray(False if look is None else look(), bool)
    if missing.any():
        raise DataError(
            f"{name} must have no missing values. Got one in row {int(np.argmax(missing))} instead. Fill them, as with "
            "fillna of pandas, fill_null of polars or SimpleImputer of scikit-learn, or leave their rows out."
        )


def _numbers(column: Any, name: str, *, exactly: bool) -> Array:
    check_complete(column, name)
    array = np.asarray(column)
    if array.dtype.kind in "OUST":
        for row, value in enumerate(array.tolist()):
            if not isinstance(value, Real):
                raise InvalidParameterError(
                    f"{name} must hold numbers. Got {shown(value)} in row {row} instead. Words and categories are "
                    "for cynn.sklearn.TabularClassifier and TabularRegressor, or become numbers by get_dummies of "
                    "pandas or OneHotEncoder of scikit-learn."
                )
        array = array.astype(np.float64)
    return numbers_of(array, name, exactly=exactly)
