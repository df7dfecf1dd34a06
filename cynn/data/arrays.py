"""Converts anything array-like to an array of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cynn.errors import DataError, InvalidParameterError, ShapeError

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

__all__ = ["as_array", "as_numbers", "numbers_of"]

_READ_AS_THEY_ARE = (np.uint8, np.float32, np.float64)


def as_array(x: Any, name: str) -> Array:
    """Convert `x` to an array of any dtype and shape."""
    if isinstance(x, np.ma.MaskedArray) and np.ma.getmaskarray(x).any():
        raise DataError(
            f"{name} must have no masked values: fill them, or leave their rows out. "
            f"Got {int(np.ma.getmaskarray(x).sum())} masked values instead."
        )
    if hasattr(x, "toarray"):  # a sparse matrix, of which NumPy would make a single object
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
    return numbers_of(as_array(x, name), name, exactly=exactly)


def numbers_of(array: Array, name: str, *, exactly: bool = False) -> Array:
    """Convert an array of any dtype to one of uint8, float32 or float64."""
    if array.dtype in _READ_AS_THEY_ARE and array.flags.aligned:
        return array.view()  # the caller may change the shape of their own array later
    if array.dtype.kind not in "buif":
        raise InvalidParameterError(f"{name} must hold real numbers. Got the dtype {array.dtype} instead.")
    exact_in_float32 = array.dtype.itemsize <= 2 or (array.dtype.kind == "f" and array.dtype.itemsize == 4)
    with np.errstate(over="ignore"):  # a longdouble may become infinite; the check for finite numbers finds that
        numbers = array.astype(np.float32 if exact_in_float32 else np.float64)
    if exactly and array.dtype.kind in "iu" and array.dtype.itemsize == 8:
        wrong = numbers.astype(np.longdouble) != array
        if wrong.any():
            raise DataError(
                f"{name} must be whole numbers that float64 holds where the input has an offset: subtract it "
                f"beforehand, while they are whole. Got {array[wrong][0]} instead."
            )
    return numbers
