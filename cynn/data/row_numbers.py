"""Numbers of rows: which rows of x to train on."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cynn.data.arrays import as_array
from cynn.errors import InvalidParameterError, shown

__all__ = ["as_row_numbers"]


def as_row_numbers(given: Any, n: int, name: str, function: str) -> npt.NDArray[np.int64]:
    """Validate and copy the numbers of rows of x.

    Parameters
    ----------
    given : array of int, or of bool
        The numbers, from 0, or a mask of the n rows.
    n : int
        The number of rows of x.
    name, function : str
        The names of the parameter and of its function in messages.

    Returns
    -------
    int64 array
        The numbers, in the order given.

    Raises
    ------
    InvalidParameterError
        They are not whole numbers from 0 to n - 1, or there are none.

    Examples
    --------
    >>> as_row_numbers([2, 0, 2], 3, "rows", "fit")
    array([2, 0, 2])
    """
    rows = as_array(given, f"The {name!r} parameter of {function}")
    if rows.dtype == bool and rows.shape == (n,):
        rows = np.flatnonzero(rows)
    is_right = rows.ndim == 1 and rows.dtype.kind in "iu" and len(rows) > 0
    if is_right:
        is_right = bool(rows.min() >= 0 and rows.max() < n)
    if not is_right:
        raise InvalidParameterError(
            f"The {name!r} parameter of {function} must be at least one number of a row, from 0 to {n - 1}. "
            f"Got {shown(given)} instead."
        )
    return np.array(rows, np.int64)
