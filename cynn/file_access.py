"""Files: paths as users give them, regular files to read, and new content that is there whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
from collections.abc import Iterator
from typing import IO, Any

from cynn.errors import InvalidParameterError, NotAFileError, shown

__all__ = ["as_path", "check_regular", "open_regular", "remove_leftovers", "replacing"]

#: What is no regular file, by the test for it.
_KINDS = {
    stat.S_ISDIR: "a directory",
    stat.S_ISFIFO: "a FIFO",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}


def as_path(given: Any, name: str, owner: str) -> str:
    """`given` as a path. A number is none, whatever file of this process it may stand for."""
    try:
        path = os.fsdecode(given) if isinstance(given, (str, os.PathLike)) else ""
        encoded = os.fsencode(path)
    except (TypeError, UnicodeError):  # half of a character, or a path that is none
        encoded = b""
    if not encoded or b"\0" in encoded:
        raise InvalidParameterError(
            f"The {name!r} parameter of {owner} must be the path of a file, a str or an os.PathLike. "
            f"Got {shown(given)} instead."
        )
    return path


def open_regular(path: str) -> IO[bytes]:
    """Open a file to read. What is no regular file is refused, and neither opened nor waited for."""
    check_regular(path, os.stat(path))
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # by now it may be another
    try:
        check_regular(path, os.fstat(descriptor))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def check_regular(path: str, status: os.stat_result | None = None) -> None:
    """Raise a NotAFileError where something other than a regular file has that name."""
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
def replacing(path: str) -> Iterator[IO[bytes]]:
    """A file to write, which has its name once the block is over, is on the disk, and has all of its content.

    Where the block fails, or the process is killed, what was there before stays as it is. A file that takes the
    place of another has its permissions and, as far as the system lets it, its owner and group; a symbolic link
    stays one. Another hard link keeps the old content.
    """
    path = os.path.realpath(path)
    folder, name = os.path.split(path)
    remove_leftovers(folder, re.escape(name))
    before = _status(path)
    check_regular(path, before)
    descriptor, written = _new_file(folder, name, path, 0o666 if before is None else 0o600)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            if before is not None:
                _take_over(descriptor, before)
            yield file
            file.flush()
            os.fsync(descriptor)
            os.replace(written, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(written)
        raise
    _sync_folder(folder)


def _new_file(folder: str, name: str, path: str, mode: int) -> tuple[int, str]:
    """A file that nobody else has, locked as long as it is open. The kernel applies the umask."""
    while True:
        written = os.path.join(folder, f".{name}.{os.urandom(4).hex()}.part")
        try:
            descriptor = os.open(written, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
        except FileExistsError:
            continue
        except OSError as error:
            raise OSError(error.errno, error.strerror, path) from None  # by the name that the user knows
        with contextlib.suppress(OSError):  # there are file systems without locks: on these, leftovers stay
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # who has taken it for a leftover has removed it by then
        if os.fstat(descriptor).st_nlink:
            return descriptor, written
        os.close(descriptor)


def _take_over(descriptor: int, before: os.stat_result) -> None:
    """Owner, group and permissions of another file. A group that cannot be kept gets no more than all have."""
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
    """Remove what killed processes left of files whose names are as a regular expression says.

    What a process is still writing is locked, and stays.
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
    """So that the new name, too, is on the disk; some file systems have no such thing."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
