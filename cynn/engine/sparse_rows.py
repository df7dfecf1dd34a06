"""A matrix in compressed sparse rows, as the engine reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

__all__ = ["SparseRows"]


class SparseRows:
    """A sparse matrix with the length, the shape and the row indexing of an array.

    The engine does not check the numbers in these arrays, so no other code may change them. `cynn.data.sparse` makes
    and checks them.

    Parameters
    ----------
    starts : array of shape (rows + 1,), int64
        Row i has the elements starts[i] to starts[i + 1] - 1.
    column_of : array, int32
        The column of each element. A row has at most one element in a column.
    values : array of uint8, float32 or float64
        The elements.
    columns : int
        The number of columns.
    """

    ndim = 2

    def __init__(self, starts: Array, column_of: Array, values: Array, columns: int) -> None:
        self.starts, self.column_of, self.values = starts, column_of, values
        self.shape = len(starts) - 1, columns
        self.dtype = values.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, places: Any) -> SparseRows:
        if isinstance(places, slice):
            first, last, step = places.indices(len(self))
            if step == 1:
                return SparseRows(
                    self.starts[first : max(first, last) + 1], self.column_of, self.values, self.shape[1]
                )
            places = np.arange(first, last, step)
        begins = self.starts[:-1][places]
        lengths = self.starts[1:][places] - begins
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        of_elements = np.repeat(begins - starts[:-1], lengths) + np.arange(starts[-1])
        return SparseRows(starts, self.column_of[of_elements], self.values[of_elements], self.shape[1])

    def dense(self, first: int = 0, last: int | None = None) -> Array:
        """Return a dense array of all columns, or of some.

        Parameters
        ----------
        first, last : int
            The columns: from the first to the one before the last.

        Returns
        -------
        array of shape (rows, last - first)
            A new array.
        """
        last = self.shape[1] if last is None else last
        found = np.zeros((len(self), last - first), self.dtype)
        rows = np.repeat(np.arange(len(self)), np.diff(self.starts))
        own = slice(self.starts[0], self.starts[-1])
        columns, values = self.column_of[own], self.values[own]
        is_in = (columns >= first) & (columns < last)
        found[rows[is_in], columns[is_in] - first] += values[is_in]
        return found
