"""Checks of targets, with errors that name the row."""

from typing import Any

import numpy as np
import numpy.typing as npt

from cynn.errors import DataError

Array = npt.NDArray[Any]


def require(allowed: Array, target: Array, loss: str, what: str) -> None:
    """Raise a `DataError` that names the first row of `target` where `allowed` is false."""
    if not allowed.all():
        row, column = (int(index) for index in np.argwhere(~allowed)[0])
        raise DataError(
            f"The targets of {loss} must {what}. Got {target[row, column]:g} in row {row} instead."
        )


def require_one_hot(target: Array, loss: str) -> None:
    """Raise a `DataError` that names the first row without exactly one 1 among zeros."""
    one_hot = ((target == 0) | (target == 1)).all(axis=1) & (target.sum(axis=1) == 1)
    if not one_hot.all():
        row = int(np.argmin(one_hot))
        raise DataError(
            f"The targets of {loss} must be classes or rows with one 1 among zeros. "
            f"Got {target[row].tolist()} in row {row} instead."
        )
