"""The names of columns and classes that a network stores, and the conversion of labels in y to class numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cynn.data.arrays import as_array
from cynn.errors import DataError, InvalidParameterError, as_list, shown

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

__all__ = ["as_names", "classes_of_labels", "is_text"]


def as_names(given: Any, name: str, count: int) -> list[str] | None:
    """Validate a list of `count` different strings, or None."""
    if given is None:
        return None
    names = None if isinstance(given, (str, bytes)) else as_list(given)
    is_right = names is not None and len(names) == count and all(isinstance(one, str) for one in names)
    if names is None or not is_right or len(set(names)) < count:
        raise InvalidParameterError(
            f"The {name!r} parameter of Network must be None or a list of {count} different strings. "
            f"Got {shown(given)} instead."
        )
    return [str(one) for one in names]


def is_text(array: Array) -> bool:
    """Whether an array holds labels that are texts."""
    return array.dtype.kind in "UT" or (
        array.dtype.kind == "O" and array.size > 0 and all(isinstance(one, str) for one in array.flat)
    )


def classes_of_labels(y: Any, classes: list[str], name: str, weight: Array | None, *, has_signs: bool) -> Any:
    """Convert labels to class numbers, or to -1 and 1. If y is not text, return y itself.

    The label of a row with weight 0 is not checked.
    """
    labels = as_array(y, name)
    if not is_text(labels):
        return y
    number_of = {label: number for number, label in enumerate(classes)}
    numbers = np.array([number_of.get(label, -1) for label in labels.flat], np.int64).reshape(labels.shape)
    unknown = (numbers < 0).reshape(len(labels), -1).any(axis=1)
    if weight is not None and weight.shape == unknown.shape:
        unknown &= weight > 0
    if unknown.any():
        row = int(np.argmax(unknown))
        raise DataError(
            f"{name} must have labels among the classes of the network, {shown(classes)}. "
            f"Got {shown(labels[row : row + 1].tolist()[0])} in row {row} instead."
        )
    numbers = np.maximum(numbers, 0)
    return 2 * numbers - 1 if has_signs else numbers
