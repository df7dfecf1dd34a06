"""Data that are sent to each worker once. A task has the number of a source instead of an array."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from cynn.errors import WorkerError

__all__ = ["InFile", "InMemmap", "Sent", "Shared", "SharedData", "opened", "to_file", "with_data"]

# Smaller data are sent with the task.
_MIN_BYTES = 1 << 14


class Shared(NamedTuple):
    """The placeholder for data in the options of a task."""

    number: int


class InFile(NamedTuple):
    """Data in a file that the driver has written. Arrays are memory-mapped."""

    path: str
    is_array: bool


class InMemmap(NamedTuple):
    """The file of a `numpy.memmap`, which each worker maps itself."""

    path: str
    dtype: str
    offset: int
    shape: tuple[int, ...]
    is_fortran: bool


class Sent:
    """Data that an engine sends to each worker itself.

    An array often arrives at an address that its dtype is not aligned to, in the middle of a message, and every `fit`
    would copy it. So it is copied once, when it arrives.

    Parameters
    ----------
    data : object
    """

    def __init__(self, data: Any) -> None:
        self.data = data

    def __reduce__(self) -> Any:
        return _arrived, (self.data,)


def _arrived(data: Any) -> Sent:
    is_of_arrays = isinstance(data, np.ndarray) or hasattr(data, "indptr")
    return Sent(data.copy() if is_of_arrays else data)


class SharedData:
    """Data that are sent once, whatever the number of tasks.

    Parameters
    ----------
    hand_over : function
        Makes a source for workers from data.
    """

    def __init__(self, hand_over: Callable[[Any], Any]) -> None:
        self._hand_over = hand_over
        self._number_of: dict[int, int] = {}
        self._kept: list[Any] = []  # keeps the data alive, so that no other data get the same id
        self.sources: list[Any] = []

    def without_data(self, value: Any) -> Any:
        """The same options, with `Shared` instead of large data."""
        if isinstance(value, dict):
            return {name: self.without_data(each) for name, each in value.items()}
        if type(value) in (list, tuple):
            return type(value)(self.without_data(each) for each in value)
        return self._shared(value) if _bytes_of(value) >= _MIN_BYTES else value

    def _shared(self, value: Any) -> Shared:
        number = self._number_of.get(id(value))
        if number is None:
            number = self._number_of[id(value)] = len(self.sources)
            self._kept.append(value)
            self.sources.append(_of_memmap(value) or self._hand_over(value))
        return Shared(number)


def _bytes_of(value: Any) -> int:
    if isinstance(value, np.ndarray):
        return value.nbytes
    is_table = any(hasattr(value, name) for name in ("iloc", "columns", "indptr"))  # DataFrames, sparse matrices
    return _MIN_BYTES if is_table and hasattr(value, "shape") else 0


def _of_memmap(value: Any) -> InMemmap | None:
    """The file of a memmap, if the array is contiguous and not a view of another memmap."""
    if type(value) is not np.memmap or type(value.base) is np.memmap:
        return None
    if not isinstance(value.filename, (str, os.PathLike)) or not (value.flags.c_contiguous or value.flags.f_contiguous):
        return None
    path = os.path.abspath(value.filename)
    return InMemmap(path, value.dtype.str, value.offset, value.shape, not value.flags.c_contiguous)


def to_file(value: Any, path: str) -> InFile:
    """Write data to a file, which each worker maps or reads."""
    is_array = isinstance(value, np.ndarray) and value.dtype.kind in "biuf"
    with open(path, "wb") as file:
        if is_array:
            np.save(file, value, allow_pickle=False)
        else:
            pickle.dump(value, file, protocol=pickle.HIGHEST_PROTOCOL)
    return InFile(path, is_array)


def with_data(value: Any, data: list[Any]) -> Any:
    """The inverse of `without_data`."""
    if isinstance(value, Shared):
        return data[value.number]
    if isinstance(value, dict):
        return {name: with_data(each, data) for name, each in value.items()}
    if type(value) in (list, tuple):
        return type(value)(with_data(each, data) for each in value)
    return value


def opened(source: Any) -> Any:
    """The data of a source, in a worker."""
    if isinstance(source, Sent):
        return source.data
    try:
        return _opened(source)
    except FileNotFoundError as error:
        folder = os.path.dirname(source.path)
        raise WorkerError(
            f"Every worker must see the folder of the data. Got a worker without {folder!r}: TMPDIR, for the process "
            "that calls fit_many, is a folder on a disk that all have; or x is a numpy.memmap there."
        ) from error


@lru_cache(maxsize=16)
def _opened(source: InFile | InMemmap) -> Any:
    if isinstance(source, InMemmap):
        order: Any = "F" if source.is_fortran else "C"
        return np.memmap(source.path, source.dtype, "r", source.offset, source.shape, order)
    if source.is_array:
        return np.load(source.path, mmap_mode="r", allow_pickle=False)
    with open(source.path, "rb") as file:
        return pickle.load(file)
