"""Files: checks of paths, opening regular files, and atomic writes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
from collections.abc import Iterator
from typing import IO, Any

from cynn.errors import InvalidParameterError, NotAFileError, shown

__all__ = ["as_path", "check_regular", "open_regular", "remove_leftovers", "replacing", "temporary_folder"]

_temporary_folders: set[str] = set()

#: Names for other kinds of files, with the function that recognizes each.
_KINDS = {
    stat.S_ISDIR: "a directory",
    stat.S_ISFIFO: "a FIFO",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}


def as_path(given: Any, name: str, owner: str) -> str:
    """Convert `given` to a path. A file descriptor is not a path."""
    try:
        path = os.fsdecode(given) if isinstance(given, (str, os.PathLike)) else ""
        encoded = os.fsencode(path)
    except (TypeError, UnicodeError):  # half of a surrogate pair, or an object whose __fspath__ returns no path
        encoded = b""
    if not encoded or b"\0" in encoded:
        raise InvalidParameterError(
            f"The {name!r} parameter of {owner} must be the path of a file, a str or an os.PathLike. "
            f"Got {shown(given)} instead."
        )
    return path


def open_regular(path: str) -> IO[bytes]:
    """Open a regular file for reading. Any other kind of file is an error, and is not opened."""
    check_regular(path, os.stat(path))
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a FIFO may have replaced the file since the check
    try:
        check_regular(path, os.fstat(descriptor))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def check_regular(path: str, status: os.stat_result | None = None) -> None:
    """Raise a NotAFileError if a path exists and is not a regular file."""
    if status is None:
        status = _status(path)
    if status is not None and not stat.S_ISREG(status.st_mode):
        kind = next((word for is_kind, word in _KINDS.items() if is_kind(status.st_mode)), "something else")
        raise NotAFileError(f"The path {path!r} must be that of a regular file. Got {kind} instead.")


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


@contextlib.contextmanager
def temporary_folder() -> Iterator[str]:
    """A context that gives a new folder and removes it at the end.

    `replacing` does not sync files in such a folder to the disk: they are not needed after a crash.
    """
    import tempfile  # slow to import

    with tempfile.TemporaryDirectory(prefix="cynn-", ignore_cleanup_errors=True) as made:
        folder = os.path.realpath(made)
        _temporary_folders.add(folder)
        try:
            yield folder
        finally:
            _temporary_folders.discard(folder)


@contextlib.contextmanager
def replacing(path: str) -> Iterator[IO[bytes]]:
    """A context that gives a temporary file to write. At its end, the file is synced and replaces the one at `path`.

    If the block fails, or the process is killed, the old file stays as it is. The new file gets the permissions of the
    old one and, if the system allows it, its owner and group. A symbolic link stays a link. Other hard links keep the
    old content.
    """
    path = os.path.realpath(path)
    folder, name = os.path.split(path)
    remove_leftovers(folder, re.escape(name))
    before = _status(path)
    check_regular(path, before)
    descriptor, written = _new_file(folder, name, path, 0o666 if before is None else 0o600)
    must_be_on_disk = folder not in _temporary_folders
    try:
        with os.fdopen(descriptor, "w+b") as file:
            if before is not None:
                _take_over(descriptor, before)
            yield file
            file.flush()
            if must_be_on_disk:
                os.fsync(descriptor)
            os.replace(written, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(written)
        raise
    if must_be_on_disk:
        _sync_folder(folder)


def _new_file(folder: str, name: str, path: str, mode: int) -> tuple[int, str]:
    """Make a new file that is locked while it is open. The operating system applies the umask."""
    while True:
        written = os.path.join(folder, f".{name}.{os.urandom(4).hex()}.part")
        try:
            descriptor = os.open(written, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
        except FileExistsError:
            continue
        except OSError as error:
            raise OSError(error.errno, error.strerror, path) from None  # with the path that the user knows
        with contextlib.suppress(OSError):  # some file systems have no locks: there, leftovers are not removed
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor, written
        os.close(descriptor)  # another process has removed it as a leftover, before the lock


def _take_over(descriptor: int, before: os.stat_result) -> None:
    """Copy owner, group and permissions. If the group cannot be kept, the new group gets only the rights of others."""
    mode, now = stat.S_IMODE(before.st_mode), os.fstat(descriptor)
    try:
        if (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
            os.fchown(descriptor, before.st_uid, before.st_gid)
    except OSError:
        try:
            os.fchown(descriptor, -1, before.st_gid)
        except OSError:
            mode &= ~0o070 | (mode & 0o007) << 3
    os.fchmod(descriptor, mode)


def remove_leftovers(folder: str, name: str) -> None:
    """Remove temporary files of killed processes whose names match a regular expression.

    Files that a process is still writing are locked, and are kept.
    """
    try:
        found = [each for each in os.listdir(folder) if re.fullmatch(rf"\.{name}\.\w+\.part", each)]
    except FileNotFoundError:
        return
    for each in found:
        left = os.path.join(folder, each)
        with contextlib.suppress(OSError):
            descriptor = os.open(left, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(left)
            finally:
                os.close(descriptor)


def _sync_folder(folder: str) -> None:
    """Sync the folder, which holds the new name, if the file system supports it."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
