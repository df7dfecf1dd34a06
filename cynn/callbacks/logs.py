"""Callbacks that log the figures of every epoch."""

from __future__ import annotations

import csv
import io
import os
import time
from collections.abc import Iterable, Mapping
from typing import IO, TYPE_CHECKING, Any

from cynn import file_access
from cynn.callbacks.base import Callback
from cynn.components import schema
from cynn.components.declarations import as_given, checked_by, switch
from cynn.errors import InvalidParameterError, MissingDependencyError, not_allowed

if TYPE_CHECKING:
    from cynn.model import Model

__all__ = ["CSVLogger", "TensorBoard"]


def _separator(value: Any, name: str, owner: str) -> str:
    if not isinstance(value, str) or len(value) != 1 or value in '"\r\n':
        raise not_allowed(name, owner, "one character, no quote and no end of a line", value)
    return value


class CSVLogger(Callback):
    """Writes the figures of every epoch to a file, one line per epoch.

    Parameters
    ----------
    filename : str or path
        The file to write.
    separator : str
        The character between two columns. A name that contains it is quoted, as by the module `csv`.
    append : bool
        Whether to keep what is in the file already. The file must then have a column for each figure. If training is
        resumed from a checkpoint, the lines up to the checkpoint are kept in any case, and later ones are replaced.

    Examples
    --------
    >>> import cynn, pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "log.csv")
    ...     logger = cynn.callbacks.CSVLogger(path)
    ...     net = cynn.Network.mlp([1, 1], seed=0)
    ...     history = net.fit([[1.0]], [1.0], epochs=2, callbacks=[logger])
    ...     print(path.read_text())
    epoch,loss,seconds
    1,...,...
    2,...,...
    """

    name = "csv_logger"
    filename: str | os.PathLike[str] = checked_by(as_given)
    separator: str = checked_by(_separator, default=",", kw_only=True)
    append: bool = switch(default=False, kw_only=True)

    def __post_init__(self) -> None:
        self._path = file_access.as_path(self.filename, "filename", type(self).__name__)
        self._file: IO[str] | None = None
        self._bytes = 0
        self._columns: list[str] | None = None

    def on_train_begin(self) -> None:
        file_access.check_regular(self._path)
        self._bytes = os.path.getsize(self._path) if self.append and os.path.exists(self._path) else 0
        self._columns = self._columns_of_file()
        if self._columns is not None:
            self._check_columns(name for name in self.greater_is_better if not name.startswith("val_"))

    def _columns_of_file(self) -> list[str] | None:
        """The column names in the part of the file that is kept, or None if nothing is kept."""
        if self._bytes == 0 or not os.path.exists(self._path):
            return None
        with open(self._path, "rb") as file:
            kept = file.read()[: self._bytes]
        try:
            lines = io.StringIO(kept.decode("utf-8-sig"), newline="")
            return next(csv.reader(lines, delimiter=self.separator), []) if kept else None
        except (UnicodeError, csv.Error):
            return []  # not a CSV file

    def _check_columns(self, names: Iterable[str]) -> None:
        missing = [name for name in names if name not in (self._columns or [])]
        if missing:
            raise InvalidParameterError(
                f"The file {self._path!r} must have a column for each figure where a CSVLogger appends to it. Got "
                f"{self._columns} and the figures {missing} instead: write them to another file, or with append=False."
            )

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if self._file is None:
            if self._columns is not None:
                self._check_columns(["epoch", *logs])
            self._open()
        assert self._file is not None
        lines = csv.writer(self._file, delimiter=self.separator, lineterminator="\n")
        if self._columns is None:
            self._columns = ["epoch", *logs]
            lines.writerow(self._columns)
        figures = {"epoch": epoch, **logs}
        lines.writerow([figures.get(name, "") for name in self._columns])
        self._file.flush()
        self._bytes = self._file.tell()

    def _open(self) -> None:
        """Open the file, and cut off what is not kept, such as lines written after the checkpoint that is resumed."""
        with open(self._path, "ab+") as file:
            size = file.truncate(min(self._bytes, os.path.getsize(self._path)))
            file.seek(max(0, size - 1))
            ends_within_a_line = file.read() not in (b"", b"\n")
        self._file = open(self._path, "a", encoding="utf-8", newline="")  # noqa: SIM115  # on_train_end closes it
        if ends_within_a_line:
            self._file.write("\n")

    def on_train_end(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def get_state(self) -> dict[str, Any]:
        return {"bytes": self._bytes}

    def _state_schema(self, network: Model) -> Any:
        return schema.Having({"bytes": schema.whole_number()})  # older checkpoints also hold the columns

    def set_state(self, state: Mapping[str, Any]) -> None:
        self._bytes = state["bytes"]
        self._columns = self._columns_of_file()


class TensorBoard(Callback):
    """Writes the figures of every epoch for TensorBoard. Needs the extra `cynn-nn[tensorboard]`.

    Parameters
    ----------
    log_dir : str or path
        The folder of this run. `tensorboard --logdir` shows it beside other runs in the same parent folder. A training
        that is resumed or started again replaces what the folder already holds for the same epochs.

    Raises
    ------
    MissingDependencyError
        The package tensorboardX is not installed.

    Examples
    --------
    >>> import cynn
    >>> cynn.callbacks.TensorBoard("logs/first")  # doctest: +SKIP
    """

    name = "tensor_board"
    log_dir: str | os.PathLike[str] = checked_by(file_access.as_path, default="logs")

    def __post_init__(self) -> None:
        try:
            # mypy reports a different error if it is installed, since it has no types
            from tensorboardX import SummaryWriter  # type: ignore[import-not-found, import-untyped, unused-ignore]
        except ImportError as error:
            raise MissingDependencyError(
                "TensorBoard must have the package tensorboardX. Got an environment without it: "
                'pip install "cynn-nn[tensorboard]" brings it.'
            ) from error
        self._make_writer = SummaryWriter
        self._writer: Any = None

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if self._writer is None:
            # The suffix gives each training its own file, even if two begin in the same second. purge_step hides what
            # earlier files hold for this epoch and later ones.
            self._writer = self._make_writer(
                self.log_dir, purge_step=epoch, filename_suffix=f".{time.time_ns()}"
            )
        for name, figure in logs.items():
            self._writer.add_scalar(name, figure, epoch)
        self._writer.flush()

    def on_train_end(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
