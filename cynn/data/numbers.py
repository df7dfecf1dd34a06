"""Narrows arrays of numbers to the dtypes that the engine reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cynn.errors import DataError, InvalidParameterError

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

__all__ = ["numbers_of"]

_READ_AS_THEY_ARE = (np.uint8, np.float32, np.float64)


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
