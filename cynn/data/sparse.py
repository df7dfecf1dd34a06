"""Sparse matrices (CSR) as rows. They are recognized by their attributes, so that SciPy is not imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cynn.data.numbers import numbers_of
from cynn.engine.sparse_rows import SparseRows
from cynn.errors import InvalidParameterError

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

__all__ = ["as_dense", "as_sparse_rows", "is_sparse"]


def is_sparse(x: Any) -> bool:
    """Whether x is a sparse matrix, of any form."""
    return type(x) is not np.ndarray and (hasattr(x, "toarray") or hasattr(x, "tocsr"))


def as_dense(rows: Any) -> Array:
    """Convert a few rows to an array."""
    dense: Array = rows.dense() if isinstance(rows, SparseRows) else rows
    return dense


def as_sparse_rows(x: Any, name: str, *, exactly: bool = False) -> SparseRows:
    """Check a CSR matrix, and copy its indices, so that they cannot change later. The elements are not copied."""
    if not all(hasattr(x, part) for part in ("indptr", "indices", "data")) or getattr(x, "format", None) != "csr":
        raise InvalidParameterError(
            f"{name} must be dense, or sparse by rows: use {name}.tocsr(). Got {type(x).__name__} instead."
        )
    rows, columns = x.shape
    starts, column_of, values = np.array(x.indptr), np.array(x.indices), np.asarray(x.data)
    if not (
        starts.dtype.kind == column_of.dtype.kind == "i"
        and starts.shape == (rows + 1,)
        and column_of.ndim == values.ndim == 1
        and starts[0] == 0
        and (starts[1:] >= starts[:-1]).all()
        and starts[-1] <= min(len(column_of), len(values))
        and column_of.min(initial=0) >= 0
        and column_of.max(initial=0) < max(1, columns)
    ):
        raise InvalidParameterError(
            f"{name} must be a CSR matrix whose indptr rises from 0 to the number of elements, and whose indices are "
            f"columns from 0 to {columns - 1}. Got other indices instead."
        )
    starts = starts.astype(np.int64, copy=False)
    column_of, values = column_of[: starts[-1]].astype(np.int32, copy=False), values[: starts[-1]]
    starts, column_of, values = _without_duplicates(starts, column_of, values, columns)
    return SparseRows(starts, column_of, np.ascontiguousarray(numbers_of(values, name, exactly=exactly)), columns)


def _without_duplicates(starts: Array, column_of: Array, values: Array, columns: int) -> tuple[Array, Array, Array]:
    """Elements of the same row and column become their sum, as in a dense matrix."""
    rises = np.diff(column_of) > 0
    rises[starts[1:-1][(starts[1:-1] > 0) & (starts[1:-1] < len(column_of))] - 1] = True  # between two rows
    if rises.all():
        return starts, column_of, values
    row_of = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    places, number_of = np.unique(row_of * columns + column_of, return_inverse=True)
    if len(places) == len(column_of):
        return starts, column_of, values
    sums = np.zeros(len(places), values.dtype)
    np.add.at(sums, number_of, values)
    counts = np.bincount(places // columns, minlength=len(starts) - 1)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), (places % columns).astype(np.int32), sums
