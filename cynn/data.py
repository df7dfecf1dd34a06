"""The gate: what a user hands over, checked and brought to a form that the engine reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cynn.engine import RowMatrix
from cynn.errors import DataError, InvalidParameterError, ShapeError
from cynn.kernel_objects import DTYPES

if TYPE_CHECKING:
    from cynn.losses import Loss

__all__ = ["Targets", "as_array", "as_rows", "as_sample_weight", "as_targets", "check_dtype", "check_out"]

Array = npt.NDArray[Any]

_ROWS_AT_A_TIME = 1 << 16
_READ_AS_THEY_ARE = (np.uint8, np.float32, np.float64)


def as_array(x: Any, name: str) -> Array:
    """`x` as an array of whatever dtype and shape."""
    try:
        return np.asarray(x)
    except ValueError as error:
        raise ShapeError(
            f"{name} must be a matrix of numbers. Got rows of different lengths instead."
        ) from error


def as_rows(x: Any, columns: int, name: str, *, check_finite: bool = True) -> Array:
    """`x` as a matrix of uint8, float32 or float64 with that many columns; it is not copied if it is one.

    Other numbers are converted: float16, small integers and bools to float32, which holds them
    exactly, others to float64.
    """
    rows = _as_numbers(x, name)
    if rows.ndim != 2:
        hint = ""
        if rows.ndim > 2 and int(np.prod(rows.shape[1:])) == columns:
            hint = f" Use {name}.reshape(len({name}), -1)."
        elif rows.ndim == 1 and rows.shape[0] == columns:
            hint = f" For one row, use {name}[None, :]."
        raise ShapeError(f"{name} must have the shape (rows, {columns}). Got {rows.shape} instead.{hint}")
    if rows.shape[1] != columns:
        raise ShapeError(
            f"{name} must have {columns} columns. Got {rows.shape[1]}, in the shape {rows.shape}, instead."
        )
    if check_finite:
        check_rows_finite(rows, name)
    return rows


def check_rows_finite(rows: Array, name: str) -> None:
    """Raise a DataError that names the first row with a NaN or an infinity."""
    row = RowMatrix(rows).first_nonfinite_row()
    if row >= 0:
        column = int(np.argmin(np.isfinite(rows[row])))
        raise DataError(
            f"{name} must be finite. Got {rows[row, column]} in row {row}, column {column}, instead. "
            "(check_finite=False turns this check off.)"
        )


def check_categories(rows: Array, categories: dict[int, int], scale: float, offset: float, name: str) -> None:
    """Raise a DataError unless columns hold whole numbers from 0 to below their number of categories.

    Parameters
    ----------
    rows : array of shape (rows, inputs)
    categories : dict of int to int
        The columns, and how many categories each has.
    scale, offset : float
        What a network does to its input.
    name : str
    """
    for column, n in categories.items():
        for first in range(0, len(rows), _ROWS_AT_A_TIME):
            seen = rows[first : first + _ROWS_AT_A_TIME, column].astype(np.float64) * scale + offset
            wrong = ~((seen >= 0) & (seen <= n - 1) & (seen == np.floor(seen)))
            if wrong.any():
                row = int(np.argmax(wrong))
                raise DataError(
                    f"{name} must hold categories, whole numbers from 0 to {n - 1}, in column {column}. "
                    f"Got {seen[row]:g} in row {first + row} instead."
                )


def _as_numbers(x: Any, name: str) -> Array:
    array = as_array(x, name)
    if array.dtype in _READ_AS_THEY_ARE and array.flags.aligned:
        return array
    if array.dtype.kind not in "buif":
        raise InvalidParameterError(f"{name} must hold real numbers. Got the dtype {array.dtype} instead.")
    exact_in_float32 = array.dtype.itemsize <= 2 or (array.dtype.kind == "f" and array.dtype.itemsize == 4)
    return array.astype(np.float32 if exact_in_float32 else np.float64)


class Targets:
    """Targets as the engine takes them: `values` (n, outputs) or `classes` (n,); the other is None."""

    def __init__(self, values: Array | None, classes: Array | None, outputs: int) -> None:
        self.values = values
        self.classes = classes
        self.outputs = outputs

    def as_classes(self) -> Array:
        """The class of each row: that of the largest value where values are given."""
        if self.classes is not None:
            return self.classes
        assert self.values is not None
        if self.outputs == 1:
            return (self.values[:, 0] > 0.5).astype(np.int64)
        classes: Array = np.argmax(self.values, axis=1)
        return classes

    def take(self, order: Array) -> Targets:
        """The targets in that order."""
        return Targets(
            None if self.values is None else self.values[order],
            None if self.classes is None else self.classes[order],
            self.outputs,
        )

    def as_given(self) -> Array:
        """What a metric of one's own receives as y_true."""
        if self.classes is not None:
            return self.classes
        assert self.values is not None
        return self.values


def as_targets(y: Any, n: int, outputs: int, loss: Loss, name: str, *, check_finite: bool = True) -> Targets:
    """`y` as classes, where it is one whole number a row and there are several outputs, else as values."""
    given = _as_numbers_or_integers(y, name)
    if given.ndim == 0 or given.shape[0] != n:
        raise ShapeError(f"{name} must have as many rows as x, {n}. Got the shape {given.shape} instead.")
    one_a_row = given.ndim == 1 or (given.ndim == 2 and given.shape[1] == 1)
    if one_a_row and outputs > 1:
        return Targets(None, _as_classes(given.reshape(n), outputs, name), outputs)
    if given.ndim == 1:
        given = given[:, None]
    values = as_rows(given, outputs, name, check_finite=check_finite)
    loss.check_target(values)
    return Targets(values, None, outputs)


def _as_numbers_or_integers(y: Any, name: str) -> Array:
    array = as_array(y, name)
    return array if array.dtype.kind in "iu" else _as_numbers(array, name)


def _as_classes(labels: Array, outputs: int, name: str) -> npt.NDArray[np.int64]:
    with np.errstate(invalid="ignore"):
        classes = np.ascontiguousarray(labels, dtype=np.int64)
    wrong = (classes != labels) | (classes < 0) | (classes >= outputs)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"{name} must be classes, whole numbers from 0 to {outputs - 1}, or rows of {outputs} values. "
            f"Got {labels[row]} in row {row} instead."
        )
    return classes


def as_sample_weight(sample_weight: Any, n: int) -> npt.NDArray[np.float64] | None:
    """Weights of rows as float64: finite, not negative, not all zero."""
    if sample_weight is None:
        return None
    weight = np.ascontiguousarray(_as_numbers(sample_weight, "sample_weight"), dtype=np.float64)
    if weight.shape != (n,):
        raise ShapeError(f"sample_weight must have the shape ({n},). Got {weight.shape} instead.")
    wrong = ~np.isfinite(weight) | (weight < 0)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(f"sample_weight must be finite and >= 0. Got {weight[row]} in row {row} instead.")
    if not weight.any():
        raise DataError("sample_weight must not be zero everywhere. Got only zeros instead.")
    return weight


def check_out(out: Any, shape: tuple[int, ...], dtype: str) -> None:
    """Raise a ShapeError unless `out` is an array that predictions can be written into."""
    if not isinstance(out, np.ndarray) or out.shape != shape or out.dtype != np.dtype(dtype):
        got = f"{out.shape} {out.dtype}" if isinstance(out, np.ndarray) else repr(out)
        raise ShapeError(f"out must be an array of shape {shape} and dtype {dtype}. Got {got} instead.")
    if not out.flags.c_contiguous or not out.flags.writeable:
        raise ShapeError("out must be C-contiguous and writeable. Got an array that is not.")


def check_dtype(dtype: Any) -> str:
    """The name of the dtype of a network, from that name or from what NumPy takes for it."""
    name = getattr(dtype, "__name__", None) or str(dtype)
    if name not in DTYPES:
        raise InvalidParameterError(
            f"The 'dtype' parameter of Network must be 'float32' or 'float64'. Got {dtype!r} instead."
        )
    return name
