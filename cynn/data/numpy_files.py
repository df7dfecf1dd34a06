"""NumPy files: arrays in a .npy or a .npz. Pickled objects are not loaded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cynn import file_access
from cynn.errors import DataError

__all__ = ["read", "read_npz", "write_npy", "write_npz"]

Array = npt.NDArray[Any]


def read_npz(path: Path) -> dict[str, Array]:
    """The arrays of a .npz, by name."""
    stored = read(path)
    if not isinstance(stored, dict):
        raise DataError(f"The file must be a .npz. Got {str(path)!r} instead.")
    return stored


def read(path: Path) -> Any:
    """The array of a .npy, or a dict of the arrays of a .npz."""
    import zipfile

    try:
        with file_access.open_regular(str(path)) as file:
            found = np.load(file, allow_pickle=False)
            if isinstance(found, np.lib.npyio.NpzFile):
                return {name: found[name] for name in found.files}
            return found
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be read as a NumPy file: {error}") from error


def write_npy(path: Path, array: Array) -> None:
    """Write an array, atomically. `np.save` would append .npy to a path with another suffix."""
    with file_access.replacing(str(path)) as file:
        np.save(file, array)


def write_npz(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write arrays, atomically. Unlike np.savez, it allows an array with the name `file`."""
    import zipfile

    with file_access.replacing(str(path)) as whole, zipfile.ZipFile(whole, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array)
