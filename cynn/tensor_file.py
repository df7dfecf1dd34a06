"""Safetensors files that are whole or not there, and say so themselves: a sha256 of the content is in the metadata."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from cynn.errors import ModelFileError
from cynn.exit_gate import before_exit

__all__ = ["bad", "fill", "read", "temporary", "write"]

Array = npt.NDArray[Any]


def write(
    path: str | os.PathLike[str], tensors: Mapping[str, Array], metadata: Mapping[str, str]
) -> None:
    """Write a file that appears whole or not at all, also where the process is killed or the power fails."""
    from safetensors.numpy import save as to_bytes

    metadata = {**metadata, "sha256": _sha256(tensors, metadata)}
    with before_exit():
        content = to_bytes(dict(tensors), metadata)
    folder, name = os.path.split(os.fspath(path))
    written = _write_temporary(folder or os.curdir, name, content)
    try:
        os.chmod(written, 0o666 & ~_umask())  # mkstemp gives its files to the owner alone
        os.replace(written, path)
    except BaseException:
        _remove(written)
        raise
    _sync_folder(folder or os.curdir)


def temporary(name: str) -> str:
    """What a file of that name is called until it is whole, as a regular expression; so is `name`."""
    return rf"\.{name}\.\w+\.part"


def _write_temporary(folder: str, name: str, content: bytes) -> str:
    import tempfile

    descriptor, written = tempfile.mkstemp(dir=folder, prefix=f".{name}.", suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        _remove(written)
        raise
    return written


def _remove(path: str) -> None:
    import contextlib

    with contextlib.suppress(OSError):
        os.unlink(path)


def _sync_folder(folder: str) -> None:
    """So that the new name, too, is on the disk; some file systems have no such thing."""
    import contextlib

    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sha256(tensors: Mapping[str, Array], metadata: Mapping[str, str]) -> str:
    import hashlib

    digest = hashlib.sha256(repr(sorted(metadata.items())).encode())
    for name, array in sorted(tensors.items()):
        digest.update(repr((name, array.dtype.name, array.shape)).encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def read(
    path: str | os.PathLike[str], kind: str, *, needs_checksum: bool = False
) -> tuple[dict[str, Array], dict[str, str]]:
    """The tensors and the metadata of a file.

    Older model files have no checksum, so that not every kind of file needs one.

    Raises
    ------
    OSError
        The file cannot be read.
    ModelFileError
        It is no safetensors file, or not a whole one; `kind` says what it should have been.
    """
    from safetensors import SafetensorError, safe_open

    with open(path, "rb"):
        pass  # what cannot be read is an OSError, whose words everybody knows
    tensors: dict[str, Array] = {}
    try:
        with before_exit(), safe_open(path, framework="numpy") as file:
            metadata: dict[str, str] = file.metadata() or {}
            for name in file.keys():  # noqa: SIM118  # no dict
                try:
                    tensors[name] = file.get_tensor(name)
                except (AttributeError, TypeError) as error:
                    raise bad(path, kind, f"{name} in a dtype of NumPy", str(error)) from error
    except SafetensorError as error:
        raise bad(path, kind, "a whole safetensors file", str(error)) from error
    expected = metadata.pop("sha256", None)
    if expected is None and needs_checksum:
        raise bad(path, kind, "the sha256 of its content", "none")
    if expected is not None and expected != _sha256(tensors, metadata):
        raise bad(path, kind, "what was written to it", "other content, as its sha256 shows")
    return tensors, metadata


def fill(arrays: Iterable[Array | None], saved: Iterable[Array | None], what: str) -> None:
    """Give arrays the values that were saved of them; None has none."""
    pairs = list(zip(arrays, saved, strict=True))
    for array, values in pairs:
        if array is not None and (values is None or (values.shape, values.dtype) != (array.shape, array.dtype)):
            got = "none" if values is None else f"{values.shape} and {values.dtype}"
            raise ModelFileError(
                f"An array of {what} must have the shape {array.shape} and the dtype {array.dtype}. Got {got} instead."
            )
    for array, values in pairs:
        if array is not None:
            array[...] = values


def bad(path: Any, kind: str, allowed: str, got: str) -> ModelFileError:
    """The error for a file with wrong content."""
    return ModelFileError(f"The {kind} {os.fspath(path)!r} must hold {allowed}. Got {got} instead.")
