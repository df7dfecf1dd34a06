"""Callbacks: what is called in the course of training."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from typing import IO, TYPE_CHECKING, Any

from cynn.errors import (
    InvalidParameterError,
    MissingDependencyError,
    check_number,
    check_whole_number,
)
from cynn.monitoring import check_mode, is_better, monitored

if TYPE_CHECKING:
    from cynn.network import Network

__all__ = ["CSVLogger", "Callback", "EarlyStopping", "StochasticWeightAveraging", "TensorBoard", "Timer"]


class Callback:
    """What is called in the course of training. A subclass overrides what it wants.

    One that raises ends the training: the network is whole then, and `network.history` has the figures up
    to there.

    Attributes
    ----------
    network : Network
        The one that is trained; `fit` sets it.
    training_rows : function, or None
        Goes once more through the rows of x that are trained on, a piece at a time; `fit` sets it. None where
        x is an iterator of batches, which is at its end.
    stop_training : bool
        Set to True, it ends the training after the epoch or, in `on_step_end`, after the step.

    Examples
    --------
    >>> import cynn
    >>> class Print(cynn.callbacks.Callback):
    ...     def on_epoch_end(self, epoch, logs):
    ...         print("epoch", epoch)
    ...         self.stop_training = epoch == 2
    >>> history = cynn.Network.mlp([1, 1], seed=0).fit([[1.0]], [1.0], epochs=5, callbacks=[Print()])
    epoch 1
    epoch 2
    """

    network: Network
    training_rows: Callable[[], Iterable[Any]] | None = None
    stop_training: bool = False

    def on_train_begin(self) -> None:
        """Before the first epoch."""

    def on_train_end(self) -> None:
        """After the last epoch, however the training ended: also after Ctrl-C or an error."""

    def on_epoch_begin(self, epoch: int) -> None:
        """Before an epoch, counted from 1 in this `fit`.

        Parameters
        ----------
        epoch : int
            Its number.
        """

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """After an epoch, counted from 1 in this `fit`, with its figures.

        Parameters
        ----------
        epoch : int
            Its number.
        logs : dict of str to float
            The figures by name, as the history has them.
        """

    def on_step_end(self, step: int, logs: dict[str, float]) -> None:
        """After a step, counted from 1 in its epoch, with its loss as `logs["loss"]`.

        Where it is overridden the steps are taken one at a time, with Python between them.

        Parameters
        ----------
        step : int
            Its number.
        logs : dict of str to float
            `"loss"`, that of the batch before the step.
        """

    def get_state(self) -> dict[str, Any]:
        """What a checkpoint is to hold: numbers, strings, None, arrays, and lists and dicts of these."""
        return {}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `get_state` returned; called after `on_train_begin`.

        Parameters
        ----------
        state : dict
            As `get_state` returned it, perhaps in another process.
        """


class EarlyStopping(Callback):
    """Ends the training when a figure has stopped getting better.

    At the end of an epoch the figure is better if it is below the best so far by more than `min_delta`
    (above it for "max"). After `patience` epochs in a row that are not better, training ends.

    Parameters
    ----------
    monitor : str
        The name of a figure in the history: `"val_loss"`, `"loss"`, a metric, or a metric with `val_` in front.
    min_delta : float
        How much better counts as better.
    patience : int
        For how many epochs in a row it may be no better.
    mode : {"auto", "min", "max"}
        Whether the figure is to fall or to rise; "auto" knows the metrics of CyNN, and takes others for what
        is to fall.
    restore_best_weights : bool
        Whether the network gets the weights of its best epoch when training ends, however it ends.

    Attributes
    ----------
    best : float or None
    best_epoch : int
        Counted from 1; 0 before the first.

    Notes
    -----
    Source: Prechelt, "Early stopping - but when?", 1998; names as in Keras.

    Examples
    --------
    >>> import cynn
    >>> stopping = cynn.callbacks.EarlyStopping(monitor="loss", min_delta=10, patience=2)
    >>> net = cynn.Network.mlp([1, 1], seed=0)
    >>> net.fit([[1.0]], [1.0], epochs=50, callbacks=[stopping]).epochs, stopping.best_epoch
    (3, 1)
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        *,
        min_delta: float = 0.0,
        patience: int = 0,
        mode: str = "auto",
        restore_best_weights: bool = False,
    ) -> None:
        self.monitor = monitor
        self.min_delta = check_number(min_delta, "min_delta", "EarlyStopping", minimum=0)
        self.patience = check_whole_number(patience, "patience", "EarlyStopping")
        self.mode = check_mode(mode, "EarlyStopping")
        self.restore_best_weights = restore_best_weights
        self._begin()

    def _begin(self) -> None:
        self.best: float | None = None
        self.best_epoch = 0
        self._wait = 0
        self._best_weights: list[Any] | None = None

    def on_train_begin(self) -> None:
        self._begin()

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        figure = monitored(logs, self.monitor, "EarlyStopping")
        if is_better(figure, self.best, self.min_delta, self.monitor, self.mode):
            self.best, self.best_epoch, self._wait = figure, epoch, 0
            if self.restore_best_weights:
                self._best_weights = self.network.get_weights()
        else:
            self._wait += 1
            self.stop_training = self._wait >= self.patience

    def on_train_end(self) -> None:
        if self._best_weights is not None:
            self.network.set_weights(self._best_weights)

    def get_state(self) -> dict[str, Any]:
        return {
            "best": self.best,
            "best_epoch": self.best_epoch,
            "wait": self._wait,
            "best_weights": self._best_weights,
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        self.best, self.best_epoch = state["best"], int(state["best_epoch"])
        self._wait, self._best_weights = int(state["wait"]), state["best_weights"]


class CSVLogger(Callback):
    """Writes the figures of every epoch to a file, a line an epoch.

    Parameters
    ----------
    filename : str or path
        Where to write.
    separator : str
        What stands between two columns.
    append : bool
        Whether what the file holds is kept.

    Examples
    --------
    >>> import cynn, pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "log.csv")
    ...     net = cynn.Network.mlp([1, 1], seed=0)
    ...     history = net.fit([[1.0]], [1.0], epochs=2, callbacks=[cynn.callbacks.CSVLogger(path)])
    ...     print(path.read_text())
    epoch,loss,seconds
    1,...,...
    2,...,...
    """

    def __init__(
        self, filename: str | os.PathLike[str], *, separator: str = ",", append: bool = False
    ) -> None:
        self.filename = filename
        self.separator = separator
        self.append = append
        self._file: IO[str] | None = None
        self._bytes: int | None = None
        self._columns: list[str] | None = None

    def on_train_begin(self) -> None:
        self._bytes = self._columns = None

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if self._file is None:
            self._open()
        assert self._file is not None
        if self._columns is None:
            self._columns = ["epoch", *logs]
            if self._file.tell() == 0:
                self._file.write(self.separator.join(self._columns) + "\n")
        figures = {"epoch": epoch, **logs}
        cells = [str(figures[name]) if name in figures else "" for name in self._columns]
        self._file.write(self.separator.join(cells) + "\n")
        self._file.flush()
        self._bytes = self._file.tell()

    def _open(self) -> None:
        """Where training goes on from a checkpoint, lines that were written after it are cut off."""
        goes_on = self._bytes is not None and os.path.exists(self.filename)
        mode = "r+" if goes_on else "a" if self.append else "w"
        self._file = open(self.filename, mode, encoding="utf-8", newline="")  # noqa: SIM115  # on_train_end closes it
        if goes_on:
            self._file.truncate(self._bytes)
        self._file.seek(0, os.SEEK_END)

    def on_train_end(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def get_state(self) -> dict[str, Any]:
        return {"bytes": self._bytes, "columns": self._columns}

    def set_state(self, state: Mapping[str, Any]) -> None:
        self._bytes, self._columns = state["bytes"], state["columns"]


class StochasticWeightAveraging(Callback):
    """Puts the mean of the weights at the ends of epochs in the place of the weights when training ends.

    w_mean := (n w_mean + w) / (n + 1) after every epoch that counts, in float64. The learning rate is best kept
    rather large, or on its cycles, so that the epochs end at weights of some variety. Afterwards the moving
    averages of every `BatchNorm` are computed anew in a pass over the training data, as by
    `Network.update_moving_averages`.

    Parameters
    ----------
    start_epoch : int
        The first epoch that counts, from 1.
    every_epochs : int
        Of the epochs from there on, every so-many-th counts: for a schedule in cycles, their length.

    Attributes
    ----------
    n_averaged : int
        Epochs that have counted. Where there is none, the weights stay as they are.

    Notes
    -----
    Source: Izmailov and others, "Averaging weights leads to wider optima and better generalization", 2018,
    algorithm 1 and section 3.2.

    Examples
    --------
    >>> import cynn
    >>> averaging = cynn.callbacks.StochasticWeightAveraging(start_epoch=3)
    >>> net = cynn.Network.mlp([1, 1], seed=0)
    >>> history = net.fit([[1.0]], [1.0], epochs=5, callbacks=[averaging])
    >>> averaging.n_averaged
    3
    """

    def __init__(self, start_epoch: int, *, every_epochs: int = 1) -> None:
        owner = "StochasticWeightAveraging"
        self.start_epoch = check_whole_number(start_epoch, "start_epoch", owner, minimum=1)
        self.every_epochs = check_whole_number(every_epochs, "every_epochs", owner, minimum=1)
        self._begin()

    def _begin(self) -> None:
        self.n_averaged = 0
        self._mean: list[Any] = []

    def on_train_begin(self) -> None:
        from cynn.moving_averages import has_moving_averages

        self._begin()
        if self.training_rows is None and has_moving_averages(self.network):
            raise InvalidParameterError(
                "The batches of a fit with StochasticWeightAveraging must be such that one can go through them again, "
                "which BatchNorm needs. Got an iterator instead: a function that returns one helps."
            )

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if epoch < self.start_epoch or (epoch - self.start_epoch) % self.every_epochs:
            return
        weights = self.network.get_weights()
        if not self._mean:
            self._mean = [w.astype("float64") for w in weights]
        for mean, w in zip(self._mean, weights, strict=True):
            mean += (w - mean) / (self.n_averaged + 1)
        self.n_averaged += 1

    def on_train_end(self) -> None:
        if not self.n_averaged:
            return
        from cynn import moving_averages, threads

        self.network.set_weights(self._mean)
        if self.training_rows is not None:
            moving_averages.update(self.network, self.training_rows, threads.resolve(None))

    def get_state(self) -> dict[str, Any]:
        return {"n_averaged": self.n_averaged, "mean": [mean.copy() for mean in self._mean]}

    def set_state(self, state: Mapping[str, Any]) -> None:
        self.n_averaged, self._mean = int(state["n_averaged"]), [mean.copy() for mean in state["mean"]]


class TensorBoard(Callback):
    """Writes the figures of every epoch for TensorBoard. Needs the extra `cynn[tensorboard]`.

    Parameters
    ----------
    log_dir : str or path
        The folder of this run; `tensorboard --logdir` shows it, beside others in the folder above.

    Raises
    ------
    MissingDependencyError
        The package tensorboardX is not installed.

    Examples
    --------
    >>> import cynn
    >>> cynn.callbacks.TensorBoard("logs/first")  # doctest: +SKIP
    """

    def __init__(self, log_dir: str | os.PathLike[str] = "logs") -> None:
        try:
            # mypy says one thing where it is installed, another where not: it has no types
            from tensorboardX import SummaryWriter  # type: ignore[import-not-found, import-untyped, unused-ignore]
        except ImportError as error:
            raise MissingDependencyError(
                "TensorBoard must have the package tensorboardX. Got an environment without it: "
                'pip install "cynn[tensorboard]" brings it.'
            ) from error
        self.log_dir = os.fspath(log_dir)
        self._make_writer = SummaryWriter
        self._writer: Any = None

    def on_train_begin(self) -> None:
        self._writer = self._make_writer(self.log_dir)

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        for name, figure in logs.items():
            self._writer.add_scalar(name, figure, epoch)
        self._writer.flush()

    def on_train_end(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


class Timer(Callback):
    """Measures the epochs, and ends the training after a time if it is told one.

    Parameters
    ----------
    limit_seconds : float, optional
        After the epoch in which so much time is over, training ends.

    Attributes
    ----------
    epoch_seconds : list of float
        Of every epoch, with its validation and its callbacks before this one.
    total_seconds : float

    Examples
    --------
    >>> import cynn
    >>> timer = cynn.callbacks.Timer()
    >>> history = cynn.Network.mlp([1, 1], seed=0).fit([[1.0]], [1.0], epochs=3, callbacks=[timer])
    >>> len(timer.epoch_seconds), timer.total_seconds > 0
    (3, True)
    """

    def __init__(self, limit_seconds: float | None = None) -> None:
        self.limit_seconds = (
            None if limit_seconds is None else check_number(limit_seconds, "limit_seconds", "Timer", above=0)
        )
        self.epoch_seconds: list[float] = []
        self._epoch_begin = 0.0

    @property
    def total_seconds(self) -> float:
        """The sum over the epochs."""
        return sum(self.epoch_seconds)

    def on_train_begin(self) -> None:
        self.epoch_seconds = []

    def on_epoch_begin(self, epoch: int) -> None:
        self._epoch_begin = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        self.epoch_seconds.append(time.perf_counter() - self._epoch_begin)
        if self.limit_seconds is not None and self.total_seconds >= self.limit_seconds:
            self.stop_training = True

    def get_state(self) -> dict[str, Any]:
        return {"epoch_seconds": list(self.epoch_seconds)}

    def set_state(self, state: Mapping[str, Any]) -> None:
        self.epoch_seconds = list(state["epoch_seconds"])


class CallbackList:
    """The callbacks of a `fit`, called as one."""

    def __init__(self, callbacks: Any, network: Network) -> None:
        given = [callbacks] if isinstance(callbacks, Callback) else callbacks
        if not isinstance(given, Iterable) or not all(isinstance(callback, Callback) for callback in given):
            raise InvalidParameterError(
                "The 'callbacks' parameter of fit must be a list of cynn.callbacks.Callback. "
                f"Got {callbacks!r} instead."
            )
        self._all = list(given)
        self._network = network
        self.training_rows: Callable[[], Iterable[Any]] | None = None
        self._of_steps = [c for c in self._all if type(c).on_step_end is not Callback.on_step_end]

    def __bool__(self) -> bool:
        return bool(self._all)

    @property
    def want_steps(self) -> bool:
        """Whether one is called after every step."""
        return bool(self._of_steps)

    @property
    def stop_training(self) -> bool:
        """Whether one wants the training to end."""
        return any(callback.stop_training for callback in self._all)

    def __enter__(self) -> CallbackList:
        from contextlib import ExitStack

        with ExitStack() as stack:
            for callback in self._all:
                callback.network = self._network
                callback.training_rows = self.training_rows
                callback.stop_training = False
                stack.callback(callback.on_train_end)
                callback.on_train_begin()
            self._end = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        try:
            self._end.__exit__(*error)  # all of them, also if one raises
        finally:
            for callback in self._all:
                callback.training_rows = None  # which holds the data

    def on_epoch_begin(self, epoch: int) -> None:
        """Of all."""
        for callback in self._all:
            callback.on_epoch_begin(epoch)

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Of all."""
        for callback in self._all:
            callback.on_epoch_end(epoch, logs)

    def on_step_end(self, step: int, logs: dict[str, float]) -> None:
        """Of those that define it."""
        for callback in self._of_steps:
            callback.on_step_end(step, logs)
