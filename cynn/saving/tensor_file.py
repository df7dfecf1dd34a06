"""Safetensors files, written atomically, with a sha256 of the content in the metadata.

Everything is checked before it is used. Files are not memory-mapped, since they may change while they are read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cynn import file_access
from cynn.components.configurable import MAX_NESTED, is_nested_deeper
from cynn.errors import ModelFileError
from cynn.saving.exit_gate import before_exit

__all__ = ["bad", "format_of", "parsed", "read", "write"]

Array = npt.NDArray[Any]

_LARGEST_HEADER_BYTES = 100_000_000  # as in the safetensors library
_MAX_DIMENSIONS = 32
_DTYPES = {
    "BOOL": "bool", "U8": "u1", "I8": "i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4", "U64": "<u8",
    "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8",
}  # fmt: skip


def write(path: str, tensors: Mapping[str, Array], metadata: Mapping[str, str]) -> None:
    """Write a file atomically: it is complete or absent, also if the process is killed or the power fails."""
    from safetensors.numpy import save as to_bytes

    metadata = {**metadata, "sha256": _sha256(tensors, metadata)}
    with before_exit():
        content = to_bytes(dict(tensors), metadata)
    with file_access.replacing(path) as file:
        file.write(content)


def _sha256(tensors: Mapping[str, Array], metadata: Mapping[str, str]) -> str:
    import hashlib

    digest = hashlib.sha256(repr(sorted(metadata.items())).encode())
    for name, array in sorted(tensors.items()):
        digest.update(repr((name, array.dtype.name, array.shape)).encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def read(path: str, kind: str, *, needs_checksum: bool = False) -> tuple[dict[str, Array], dict[str, str]]:
    """The tensors and the metadata of a file.

    Older model files have no checksum, so not every kind of file needs one.

    Raises
    ------
    OSError
        The file cannot be read.
    ModelFileError
        It is not a complete safetensors file. `kind` is the expected kind of file.
    """
    with file_access.open_regular(path) as file:
        try:
            entries, metadata = _header(file)
            tensors = {entry.name: _tensor(file, entry) for entry in entries}
        except _NotWhole as error:
            raise bad(path, kind, "a whole safetensors file", str(error)) from None
    expected = metadata.pop("sha256", None)
    if expected is None and needs_checksum:
        raise bad(path, kind, "the sha256 of its content", "none")
    if expected is not None and expected != _sha256(tensors, metadata):
        raise bad(path, kind, "what was written to it", "other content, as its sha256 shows")
    return tensors, metadata


def format_of(path: str) -> str | None:
    """The format that the metadata of a file name; None of another file. The tensors are not read."""
    with file_access.open_regular(path) as file:
        try:
            return _header(file)[1].get("format")
        except _NotWhole:
            return None


class _NotWhole(Exception):
    """The file is not a complete safetensors file."""


class _Entry(NamedTuple):
    """The entry of a tensor in the header."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    begin: int
    end: int


def _header(file: IO[bytes]) -> tuple[list[_Entry], dict[str, str]]:
    """Read the metadata and the entries of the tensors, which must fill the file without gaps."""
    size = file.seek(0, 2)
    file.seek(0)
    header_bytes = int.from_bytes(file.read(8), "little")
    if size < 8 or header_bytes > min(size - 8, _LARGEST_HEADER_BYTES):
        raise _NotWhole(f"{size} bytes, and a header that would have {header_bytes if size >= 8 else 'more'}")
    try:
        header = parsed(_bytes(file, header_bytes).decode())
    except ValueError as error:
        raise _NotWhole(f"a header that is no JSON: {error}") from None
    if not isinstance(header, dict):
        raise _NotWhole("a header that is no dict")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise _NotWhole("metadata that are not strings by name")
    entries = sorted((_entry(name, given) for name, given in header.items()), key=lambda entry: entry[3:])
    at = 0
    for entry in entries:
        if entry.begin != at:
            raise _NotWhole(f"a tensor {entry.name!r} at byte {entry.begin}, not {at}")
        at = entry.end
    if at != size - 8 - header_bytes:
        raise _NotWhole(f"{size - 8 - header_bytes} bytes of tensors, not {at}")
    return entries, metadata


def _entry(name: str, given: Any) -> _Entry:
    wrong = _NotWhole(f"a tensor {name!r} that is described as {str(given)[:200]}")
    if not isinstance(given, dict) or set(given) != {"dtype", "shape", "data_offsets"}:
        raise wrong
    dtype, shape, offsets = given["dtype"], given["shape"], given["data_offsets"]
    if not _are_sizes(shape) or not _are_sizes(offsets) or len(shape) > _MAX_DIMENSIONS or len(offsets) != 2:
        raise wrong
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise _NotWhole(f"a tensor {name!r} in the dtype {str(dtype)[:200]!r}, which NumPy does not have")
    of_numpy = np.dtype(_DTYPES[dtype])
    whole = of_numpy.itemsize * math.prod(max(1, n) for n in shape)  # NumPy counts 0 as 1 here
    if offsets[1] - offsets[0] != of_numpy.itemsize * math.prod(shape) or whole >= 2**63:
        raise wrong
    return _Entry(name, of_numpy, tuple(shape), *offsets)


def _are_sizes(given: Any) -> bool:
    return isinstance(given, list) and all(type(n) is int and n >= 0 for n in given)


def _tensor(file: IO[bytes], entry: _Entry) -> Array:
    array = np.frombuffer(_bytes(file, entry.end - entry.begin), entry.dtype)
    if entry.dtype == bool and (array.view(np.uint8) > 1).any():
        raise _NotWhole(f"a tensor {entry.name!r} of switches that are neither on nor off")
    return array.astype(entry.dtype.newbyteorder("="), copy=False).reshape(entry.shape)


def _bytes(file: IO[bytes], count: int) -> bytes:
    found = file.read(count)
    if len(found) != count:
        raise _NotWhole("an end while it was read")
    return found


def parsed(text: str) -> Any:
    """Parse JSON. Raises a ValueError for duplicate names, and for nesting deeper than `MAX_NESTED`."""
    import json

    try:
        tree = json.loads(text, object_pairs_hook=_dict_of)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    if is_nested_deeper(tree, MAX_NESTED):
        raise ValueError(f"it is nested more than {MAX_NESTED} deep")
    return tree


def _dict_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def bad(path: str, kind: str, allowed: str, got: str) -> ModelFileError:
    """Make the error for a file with invalid content."""
    return ModelFileError(f"The {kind} {path!r} must hold {allowed}. Got {got} instead.")
