"""The fit loop: epochs of steps, figures, callbacks. The steps themselves run in trainer.pyx."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cynn import data, evaluation, layers, metrics, randomness, registry, threads
from cynn.errors import DataError, InvalidParameterError, ShapeError, TrainingDivergedError, check_whole_number
from cynn.kernel_objects import OptimizerKernel
from cynn.progress import Progress
from cynn.trainer import Diverged, NonFiniteRow, Trainer

if TYPE_CHECKING:
    from cynn.kernel_objects import LossKernel
    from cynn.network import Network
    from cynn.optimizers import Optimizer

__all__ = ["Callback", "History", "fit", "gradients"]

Array = npt.NDArray[Any]

# The engine comes back this often, so that Ctrl-C is heard and the progress bar moves.
_SECONDS_BETWEEN_LOOKS = 0.1


class History:
    """The figures of every epoch.

    Attributes
    ----------
    history : dict of str to list of float
        `loss`, the metrics, the same with `val_` in front, and `seconds`; an entry an epoch.

    Examples
    --------
    >>> import cynn
    >>> net = cynn.Network.mlp([1, 1], seed=0)
    >>> history = net.fit([[1.0]], [1.0], epochs=2)
    >>> len(history["loss"]), history
    (2, History(epochs=2, loss=...))
    """

    def __init__(self) -> None:
        self.history: dict[str, list[float]] = {}

    @property
    def epochs(self) -> int:
        """How many epochs there are."""
        return len(self.history.get("loss", []))

    def append(self, logs: dict[str, float]) -> None:
        """Add the figures of an epoch."""
        for name, figure in logs.items():
            self.history.setdefault(name, []).append(figure)

    def __getitem__(self, name: str) -> list[float]:
        return self.history[name]

    def __repr__(self) -> str:
        last = "".join(f", {name}={figures[-1]:.4g}" for name, figures in self.history.items() if figures)
        return f"History(epochs={self.epochs}{last})"


class Callback:
    """What is called in the course of training. A subclass overrides what it wants.

    Examples
    --------
    >>> import cynn
    >>> class Print(cynn.training.Callback):
    ...     def on_epoch_end(self, epoch, logs):
    ...         print("epoch", epoch)
    >>> history = cynn.Network.mlp([1, 1], seed=0).fit([[1.0]], [1.0], epochs=2, callbacks=[Print()])
    epoch 1
    epoch 2
    """

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """After an epoch, counted from 1 in this `fit`, with its figures."""


class OptimizerState:
    """An optimizer and what it remembers of one network's parameters."""

    def __init__(self, optimizer: Optimizer, network: Network) -> None:
        from cynn.workspace import aligned_zeros

        self.optimizer = optimizer
        self.t = 0
        self.n_slots = OptimizerKernel(optimizer).n_slots
        self.slots = [
            [aligned_zeros(parameter.shape, network.dtype) for _ in range(self.n_slots)]
            if parameter is not None
            else []
            for parameter in network._engine.trained_parameters()
        ]


def fit(
    network: Network,
    x: Any,
    y: Any,
    *,
    loss: Any,
    optimizer: Any,
    epochs: int,
    batch_size: int,
    validation_data: tuple[Any, Any] | None,
    metrics: Any,
    sample_weight: Any,
    shuffle: bool | str,
    callbacks: Any,
    progress: bool,
    n_threads: int | None,
    check_finite: bool,
) -> History:
    """`Network.fit`."""
    epochs = check_whole_number(epochs, "epochs", "fit")
    batch_size = check_whole_number(batch_size, "batch_size", "fit", minimum=1, maximum=2**31 - 1)
    n_threads = threads.resolve(n_threads)
    if shuffle not in (True, False, "blocks"):
        raise InvalidParameterError(
            f"The 'shuffle' parameter of fit must be True, False or 'blocks'. Got {shuffle!r} instead."
        )
    loss_kernel = network.loss_kernel(loss)
    metrics_by_name = _resolve_metrics(metrics)
    callbacks = _check_callbacks(callbacks)
    rows, target, weight = _checked_data(
        network, loss_kernel, x, y, sample_weight, "", check_x=check_finite and epochs == 0, check_y=check_finite
    )
    validation = _checked_validation(network, loss_kernel, validation_data, check_finite)
    before = _Before(network) if check_finite else None
    state = _optimizer_state(network, optimizer)

    n = len(rows)
    trainer = _trainer(network, rows, target, weight, loss_kernel, state, min(batch_size, n), n_threads)
    predictions = np.empty((n, network.outputs), network.dtype) if metrics_by_name else None
    history = network.history = History()
    order = np.arange(n)
    bar = Progress(progress, epochs, n)
    try:
        for epoch in range(1, epochs + 1):
            start = time.perf_counter()
            if shuffle:
                permutation = randomness.block_permutation if shuffle == "blocks" else randomness.permutation
                order = permutation(n, network.seed, randomness.Purpose.SHUFFLE, network.epochs_trained)
            bar.begin_epoch(epoch)
            # every epoch sees every row, so that the first has looked at all
            trainer.begin_epoch(check_finite and epoch == 1, network.epochs_trained)
            _run_epoch(trainer, state, order, min(batch_size, n), predictions, bar, epoch, history)
            network.epochs_trained += 1
            logs = {"loss": trainer.total_loss / trainer.total_weight if trainer.total_weight else 0.0}
            if predictions is not None:
                shuffled = target.take(order)
                for name, metric in metrics_by_name.items():
                    logs[name] = metric(shuffled, predictions)
            if validation is not None:
                figures = evaluation.figures(network, loss_kernel, *validation, metrics_by_name, n_threads)
                logs.update({f"val_{name}": figure for name, figure in figures.items()})
            logs["seconds"] = time.perf_counter() - start
            history.append(logs)
            bar.end_epoch(logs)
            for callback in callbacks:
                callback.on_epoch_end(epoch, logs)
    except NonFiniteRow:
        assert before is not None
        before.restore()
        data.check_rows_finite(rows, "x")
        raise DataError(
            f"x must be finite in {network.dtype}, multiplied by the scale of the input and moved by its "
            "offset. Got a number that is too large for that. (check_finite=False turns this check off.)"
        ) from None
    finally:
        bar.close()
    return history


class _Before:
    """A network as it was before a fit, to go back to where a row of the data turns out to be no numbers."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.history, self.epochs_trained = network.history, network.epochs_trained
        self.state: OptimizerState | None = network._optimizer_state
        self.t = self.state.t if self.state else 0
        self.copies = [(array, array.copy()) for array in self._arrays()]

    def _arrays(self) -> list[Array]:
        of_network = [array for _, array in layers.arrays(self.network.layers)]
        return of_network + [slot for slots in (self.state.slots if self.state else []) for slot in slots]

    def restore(self) -> None:
        for array, copy in self.copies:
            array[...] = copy
        if self.state:
            self.state.t = self.t
        self.network._optimizer_state = self.state
        self.network.history, self.network.epochs_trained = self.history, self.epochs_trained


def _run_epoch(
    trainer: Trainer,
    state: OptimizerState,
    order: Array,
    batch_size: int,
    predictions: Array | None,
    bar: Progress,
    epoch: int,
    history: History,
) -> None:
    n, step = len(order), 0
    t_before = state.t - trainer.steps
    try:
        while step * batch_size < n:
            rate = state.optimizer.learning_rate
            step += trainer.run(order, step, state.t + 1, rate, predictions, _SECONDS_BETWEEN_LOOKS)
            state.t = t_before + trainer.steps
            bar.advance_to(min(n, step * batch_size))
    except Diverged as diverged:
        raise TrainingDivergedError(
            f"The loss must stay finite. Got {diverged.loss} in epoch {epoch}, step {diverged.step + 1}, "
            f"instead. A smaller learning rate (it was {rate:g}) or scaled inputs often help; "
            "the network holds the weights from before that step.",
            epoch,
            diverged.step + 1,
            history,
        ) from None
    finally:
        state.t = t_before + trainer.steps  # Ctrl-C is heard as `run` returns, and a plugin may raise in it


def gradients(
    network: Network, x: Any, y: Any, *, loss: Any, sample_weight: Any
) -> list[tuple[Array | None, ...]]:
    """`Network.gradients`: a step over all rows without an optimizer."""
    loss_kernel = network.loss_kernel(loss)
    rows, target, weight = _checked_data(network, loss_kernel, x, y, sample_weight, "", check_x=True, check_y=True)
    trainer = _trainer(network, rows, target, weight, loss_kernel, None, len(rows), threads.resolve(None))
    try:
        trainer.run(np.arange(len(rows)), 0, 1, 0.0, None, 0.0)
    except Diverged as diverged:
        raise TrainingDivergedError(
            f"The loss must be finite to have gradients. Got {diverged.loss} instead.", 1, 1, History()
        ) from None
    of_parameter = {
        id(parameter): gradient
        for parameter, gradient in zip(network._engine.trained_parameters(), trainer.gradients, strict=True)
    }
    return [
        tuple(of_parameter.get(id(parameter)) for parameter in layer.parameters.values())
        for layer in layers.walk(network.layers)
        if layer.parameters
    ]


def _trainer(
    network: Network,
    rows: Array,
    target: data.Targets,
    weight: Array | None,
    loss_kernel: LossKernel,
    state: OptimizerState | None,
    batch_size: int,
    n_threads: int,
) -> Trainer:
    kernel = None
    if state is not None:
        kernel = OptimizerKernel(state.optimizer)
        kernel.require_dtype(network.dtype)
    return Trainer(
        network._engine,
        rows,
        target.values,
        target.classes,
        weight,
        loss_kernel,
        kernel,
        state.slots if state else [],
        batch_size,
        n_threads,
    )


def _checked_data(
    network: Network,
    loss_kernel: LossKernel,
    x: Any,
    y: Any,
    sample_weight: Any,
    prefix: str,
    *,
    check_x: bool,
    check_y: bool,
) -> tuple[Array, data.Targets, Array | None]:
    rows = network.as_rows(x, f"{prefix}x", check_finite=check_x)
    if len(rows) == 0:
        raise ShapeError(f"{prefix}x must have at least one row. Got none instead.")
    target = data.as_targets(
        y, len(rows), network.outputs, loss_kernel.component, f"{prefix}y", check_finite=check_y
    )
    return rows, target, data.as_sample_weight(sample_weight, len(rows))


def _checked_validation(
    network: Network, loss_kernel: LossKernel, validation_data: Any, check_finite: bool
) -> tuple[Array, data.Targets, Array | None] | None:
    if validation_data is None:
        return None
    if not isinstance(validation_data, (tuple, list)) or len(validation_data) not in (2, 3):
        raise InvalidParameterError(
            "The 'validation_data' parameter of fit must be a tuple (x, y) or (x, y, sample_weight). "
            f"Got {type(validation_data).__name__} instead."
        )
    x, y, *rest = validation_data
    weight = rest[0] if rest else None
    return _checked_data(
        network, loss_kernel, x, y, weight, "validation ", check_x=check_finite, check_y=check_finite
    )


def _optimizer_state(network: Network, optimizer: Any) -> OptimizerState:
    """The state that goes on, where the optimizer is the one of the last fit; else a new one."""
    state: OptimizerState | None = network._optimizer_state
    if optimizer is None and state is None:
        optimizer = "adam"
    if optimizer is not None and (state is None or optimizer is not state.optimizer):
        state = OptimizerState(registry.optimizers.get(optimizer), network)
    assert state is not None
    if state.n_slots != OptimizerKernel(state.optimizer).n_slots:
        state = OptimizerState(state.optimizer, network)  # it was changed: with or without momentum
    network._optimizer_state = state
    return state


def _check_callbacks(callbacks: Any) -> list[Callback]:
    given = [callbacks] if isinstance(callbacks, Callback) else callbacks
    if not isinstance(given, Iterable) or not all(isinstance(callback, Callback) for callback in given):
        raise InvalidParameterError(
            "The 'callbacks' parameter of fit must be a list of cynn.training.Callback. "
            f"Got {callbacks!r} instead."
        )
    return list(given)


_resolve_metrics = metrics.resolve  # `metrics` is a parameter where it is needed
