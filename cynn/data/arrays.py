"""Converts anything array-like to an array of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cynn.data import frames
from cynn.data.numbers import numbers_of
from cynn.errors import DataError, InvalidParameterError, ShapeError

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

__all__ = ["as_array", "as_numbers"]


def as_array(x: Any, name: str, *, exactly: bool = False) -> Array:
    """Convert `x` to an array of any dtype and shape; `exactly` as for `inputs.as_rows`, where x is a table."""
    if type(x) is np.ndarray:
        return x
    if frames.is_frame(x):
        return frames.as_matrix(x, name, exactly=exactly)
    if frames.is_column(x):
        frames.check_complete(x, name)
    if isinstance(x, np.ma.MaskedArray) and np.ma.getmaskarray(x).any():
        raise DataError(
            f"{name} must have no masked values: fill them, or leave their rows out. "
            f"Got {int(np.ma.getmaskarray(x).sum())} masked values instead."
        )
    if hasattr(x, "toarray"):  # a sparse matrix, which NumPy would convert to an array with a single object
        raise InvalidParameterError(f"{name} must be dense: use {name}.toarray(). Got {type(x).__name__} instead.")
    try:
        return np.asarray(x)
    except ValueError as error:
        raise ShapeError(
            f"{name} must be a matrix of numbers. Got rows of different lengths instead."
        ) from error
    except Exception as error:  # the __array__ of another library may raise anything
        raise InvalidParameterError(
            f"{name} must be what NumPy makes an array of. Got {type(x).__name__} instead: {error}"
        ) from error


def as_numbers(x: Any, name: str, *, exactly: bool = False) -> Array:
    """Convert `x` to an array of uint8, float32 or float64, of any shape; `exactly` as for `inputs.as_rows`."""
    return numbers_of(as_array(x, name, exactly=exactly), name, exactly=exactly)
