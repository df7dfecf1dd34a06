"""`fit`, `train_batch` and `gradients`: what they are given is checked here, the epochs are run in loop.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cynn import layers, metrics
from cynn.callbacks import Callback
from cynn.callbacks.together import CallbackList
from cynn.data import inputs
from cynn.engine import randomness, threads
from cynn.engine.trainer import Diverged, UnusableRow
from cynn.errors import (
    InvalidParameterError,
    TrainingDivergedError,
    check_number,
    check_switch,
    check_whole_number,
    shown,
    warn,
)
from cynn.training import evaluation
from cynn.training.batches import BatchBuffer, BatchFeed, Feed, RowFeed, Setting, checked_batch, transformed
from cynn.training.history import History
from cynn.training.loop import NOT_FINITE, Loop, diverged_error
from cynn.training.optimizer_state import OptimizerState, optimizer_state

if TYPE_CHECKING:
    from cynn.data.objective import Objective
    from cynn.network import Network
    from cynn.training.evaluation import Checked

__all__ = ["Callback", "History", "fit", "gradients", "train_batch"]

Array = npt.NDArray[Any]
Places = npt.NDArray[np.int64]


def fit(
    network: Network,
    x: Any,
    y: Any,
    *,
    loss: Any,
    loss_weights: Any,
    optimizer: Any,
    epochs: int,
    batch_size: int,
    validation_data: tuple[Any, Any] | None,
    validation_split: float | None,
    metrics: Any,
    sample_weight: Any,
    class_weight: Any,
    transform: Callable[..., Any] | None,
    steps_per_epoch: int | None,
    shuffle: bool | str,
    callbacks: Any,
    resume: Any,
    progress: bool,
    n_threads: int | None,
    check_finite: bool,
) -> History:
    """`Network.fit`."""
    epochs = check_whole_number(epochs, "epochs", "fit")
    batch_size = check_whole_number(batch_size, "batch_size", "fit", minimum=1, maximum=2**31 - 1)
    n_threads = threads.resolve(n_threads)
    if not (isinstance(shuffle, str) and shuffle == "blocks"):
        if not isinstance(shuffle, (bool, np.bool_)):
            raise InvalidParameterError(
                f"The 'shuffle' parameter of fit must be True, False or 'blocks'. Got {shown(shuffle)} instead."
            )
        shuffle = bool(shuffle)
    if validation_split is not None:
        validation_split = check_number(validation_split, "validation_split", "fit", minimum=0, below=1)
    progress = check_switch(progress, "progress", "fit")
    check_finite = check_switch(check_finite, "check_finite", "fit")
    if transform is not None and not callable(transform):
        raise InvalidParameterError(
            f"The 'transform' parameter of fit must be a function (x, y, generator). Got {shown(transform)} instead."
        )
    objective = network.objective(loss, loss_weights)
    state_before: OptimizerState | None = network._optimizer_state
    metrics_by_name = _of_outputs(objective.outputs, metrics)
    _warn_of_constant_units(network)
    called = CallbackList(callbacks, network)
    called.greater_is_better = _directions(objective, metrics_by_name)
    validation = _checked_validation(network, objective, validation_data, check_finite)

    def setting() -> Setting:
        """Once the data have been checked: until then the network's optimizer stays what it is."""
        return Setting(network, objective, optimizer_state(network, optimizer), n_threads, check_finite)

    feed: Feed
    before: _Before | None = None
    if y is None:
        class_weights = objective.outputs.split_if(class_weight, "class_weight")
        _refuse_with_batches(validation_split, sample_weight, class_weights, transform)
        batches_of = _batches(x, may_go_on=bool(called.checkpoints or resume))
        n_steps = _n_steps(x, steps_per_epoch)
        are_all = steps_per_epoch is None
        feed = BatchFeed(
            setting(), batches_of, class_weight, 0, None, n_steps, bool(metrics_by_name), are_all=are_all
        )
    else:
        if steps_per_epoch is not None:
            raise InvalidParameterError(
                "The 'steps_per_epoch' parameter of fit must be left out where y is given. "
                f"Got {shown(steps_per_epoch)} instead."
            )
        # steps look at the rows that they take: all are looked at before where no step takes them as they are
        look_at_x = epochs == 0 or transform is not None
        rows, target, weights = evaluation.checked(
            network, objective, x, y, sample_weight, "", check_finite=check_finite, look_at_x=look_at_x
        )
        places = weights.places()
        if validation_split:
            if validation is not None:
                raise InvalidParameterError(
                    "The 'validation_split' parameter of fit must be 0 where there is validation_data. "
                    f"Got {shown(validation_split)} instead."
                )
            places, validation = _split(network, (rows, target, weights), places, validation_split, check_finite)
        if class_weight is not None:
            weights = objective.with_class_weights(weights, class_weight, target, places)
            places = weights.places(places)
        weights = weights.scaled(places)
        before = _Before(network, rows, places) if check_finite or network._categories else None
        feed = _feed_of_rows(
            setting(), (rows, target, weights), places, batch_size, shuffle, transform, bool(metrics_by_name)
        )

    def figures() -> dict[str, float]:
        found = _figures(feed, objective, metrics_by_name)
        if validation is not None:
            with loop.with_final_weights():
                held_out = evaluation.figures(
                    network, objective, *validation, metrics_by_name, n_threads, "validation x"
                )
            found.update({f"val_{name}": figure for name, figure in held_out.items()})
        return found

    path = called.checkpoint_for(resume)
    settings: dict[str, Any] = {}
    if path is not None or called.checkpoints:
        at_work: OptimizerState = network._optimizer_state
        settings = {
            "network": network.get_config(),
            "loss": objective.get_config(),
            "optimizer": at_work.get_config(),
            "rows": feed.rows_per_epoch,
            "batch_size": batch_size,
            "shuffle": shuffle,
            "steps_per_epoch": feed.steps_per_epoch,
            "class_weight": None if class_weight is None else str(class_weight),
            "transform": None if transform is None else getattr(transform, "__qualname__", type(transform).__name__),
            "metrics": list(metrics_by_name),
            "validation rows": 0 if validation is None else len(validation[0]),
            "callbacks": called.names,
            "epochs": epochs if at_work.has_schedule else None,
        }
    if y is not None or not isinstance(x, Iterator):  # an iterator is gone through once
        called.training_rows = feed.training_rows
    has_own_figures = bool(metrics_by_name or validation or not objective.outputs.is_one)
    loop = Loop(network, feed, called, figures, has_own_figures, epochs, settings)
    try:
        loop.run(None if path is None else loop.read(path), progress)
    except UnusableRow:
        assert before is not None
        before.restore()
        network.raise_unusable(before.rows, "x", before.places, check_finite=check_finite)
    finally:
        feed.close()
        if not loop.has_begun:
            network._optimizer_state = state_before
    return loop.history


def _warn_of_constant_units(network: Network) -> None:
    for operation in network._engine.operations:
        if operation.is_activation and operation.activation is not None:
            activation = operation.activation.component
            if operation.units < activation.least_units:
                warn(
                    f"{type(activation).__name__} must be of at least {activation.least_units} units to learn. Got "
                    f"{operation.units}, for which it is the same whatever goes in: sigmoid fits one class of two.",
                    stacklevel=4,
                )


def _directions(objective: Objective, metrics_by_name: dict[str, metrics.Directed]) -> dict[str, bool | None]:
    """Of each figure of the training, whether it is to rise: losses are to fall, a metric says it itself."""
    losses = evaluation.of_each_output(objective, [0.0] * len(objective.losses))
    directions: dict[str, bool | None] = dict.fromkeys(["loss", *losses], False)
    directions.update({name: metric.greater_is_better for name, metric in metrics_by_name.items()})
    directions |= {f"val_{name}": rises for name, rises in directions.items()}
    return directions | {"seconds": None}


def _figures(
    feed: Feed, objective: Objective, metrics_by_name: dict[str, metrics.Directed]
) -> dict[str, float]:
    """The losses and the metrics of the epoch that was trained."""
    loss, losses = objective.mean_losses(feed.sums())
    figures = {"loss": float(loss)} | evaluation.of_each_output(objective, losses)
    if metrics_by_name:
        seen = feed.predicted()
        figures.update({name: metric(*seen) for name, metric in metrics_by_name.items()})
    return figures


def train_batch(
    network: Network,
    x: Any,
    y: Any,
    *,
    loss: Any,
    loss_weights: Any,
    optimizer: Any,
    sample_weight: Any,
    n_threads: int | None,
    check_finite: bool,
) -> float:
    """`Network.train_batch`."""
    check_finite = check_switch(check_finite, "check_finite", "train_batch")
    objective = network.objective(loss, loss_weights)
    n_threads = threads.resolve(n_threads)
    rows, target, weights = checked_batch(
        Setting(network, objective, None, n_threads, check_finite), x, y, sample_weight, ""
    )
    state = optimizer_state(network, optimizer, equal_goes_on=True)
    key = (network._engine, objective.losses, objective.weights, state, state.optimizer.kernel_values(), n_threads)
    kept: tuple[Any, BatchBuffer] | None = network._batch_buffer
    if kept is None or kept[0] != key or not kept[1].takes(rows, target):
        setting = Setting(network, objective, state, n_threads, check_finite)
        kept = network._batch_buffer = (key, BatchBuffer(setting, rows, target, len(rows)))
    buffer = kept[1]
    rate = float(state.rates(1, None)[0])
    buffer.trainer.begin_epoch(check_finite, network.epochs_trained, state.t)
    try:
        buffer.step(buffer.put(0, rows, target, weights), rate, None, "x")
    except Diverged as diverged:
        problem: tuple[str, object] | None = diverged.what, diverged.figure
    else:
        problem = None if buffer.trainer.is_finite() else NOT_FINITE
    if problem is not None:
        raise diverged_error(
            *problem, rate, network.epochs_trained + 1, 1, network.history or History(), buffer.trainer.is_finite()
        )
    return float(objective.mean_losses(buffer.trainer.sums)[0])


def gradients(
    network: Network, x: Any, y: Any, *, loss: Any, loss_weights: Any, sample_weight: Any
) -> list[tuple[Array | None, ...]]:
    """`Network.gradients`: a step over all rows without an optimizer."""
    objective = network.objective(loss, loss_weights)
    given = evaluation.checked(network, objective, x, y, sample_weight, "", check_finite=True)
    rows, target, weights = evaluation.those_that_count(*given)
    setting = Setting(network, objective, None, threads.resolve(None), check_finite=True)
    if len(rows) == 1:
        setting.warn_of_a_single_row()
    trainer = setting.trainer(rows, target, weights, len(rows))
    try:
        trainer.run(np.arange(len(rows)), 0, 1, np.zeros(1), None, 0.0)
    except Diverged as diverged:
        raise TrainingDivergedError(
            f"The loss must be finite to have gradients. Got {diverged.figure} instead.", 1, 1, History()
        ) from None
    of_address = {
        parameter.ctypes.data: gradient
        for parameter, gradient in zip(network._engine.trained_parameters(), trainer.gradients, strict=True)
        if parameter is not None
    }
    return [
        tuple(None if array is None else of_address.get(array.ctypes.data) for array in layer.parameters.values())
        for layer in layers.walk(network.layers)
        if layer.parameters
    ]


class _Before:
    """A network as it was before a fit, to go back to where one of the rows turns out to be no numbers."""

    def __init__(self, network: Network, rows: Array, places: Places | None) -> None:
        self.network, self.rows, self.places = network, rows, places
        self.history, self.epochs_trained = network.history, network.epochs_trained
        self.state: OptimizerState | None = network._optimizer_state
        self.t = self.state.t if self.state else 0
        self.copies = [(array, array.copy()) for array in self._arrays()]

    def _arrays(self) -> list[Array]:
        of_network = [array for _, array in layers.arrays(self.network.layers)]
        return of_network + [slot for slots in (self.state.slots if self.state else []) for slot in slots]

    def restore(self) -> None:
        with self.network._weights_lock.turn():
            for array, copy in self.copies:
                array[...] = copy
            if self.state:
                self.state.t = self.t
        self.network._optimizer_state = self.state
        self.network.history, self.network.epochs_trained = self.history, self.epochs_trained


def _refuse_with_batches(
    validation_split: float | None, sample_weight: Any, class_weights: list[Any], transform: Any
) -> None:
    for name, given in [
        ("validation_split", validation_split),
        ("sample_weight", sample_weight is not None),
        ("transform", transform),
    ]:
        if given:
            raise InvalidParameterError(
                f"The {name!r} parameter of fit must be left out where x gives batches. Got it instead."
            )
    if "balanced" in class_weights:
        raise InvalidParameterError(
            "The 'class_weight' parameter of fit must be a dict where x gives batches. Got 'balanced' instead."
        )


def _split(
    network: Network, given: Checked, among: Places | None, share: float, check_finite: bool
) -> tuple[Places, Checked]:
    """The places of the rows to train on, of all or of some, and the rows that are held out."""
    rows, target, weights = given
    if among is None:
        among = np.arange(len(rows))
    train, held_out = (among[part] for part in inputs.split(target.take(among), len(among), share, network.seed))
    validation = rows[held_out]
    network.check_rows(rows, "x of the validation split", held_out, check_finite=check_finite)
    return train, (validation, target.take(held_out), weights.take(held_out).scaled())


def _feed_of_rows(
    setting: Setting,
    given: Checked,
    places: Array | None,
    batch_size: int,
    shuffle: bool | str,
    transform: Callable[..., Any] | None,
    keep_predictions: bool,
) -> Feed:
    """The rows at these places, or all; through the transform, where there is one."""
    rows, target, weights = given
    n, seed = len(rows) if places is None else len(places), setting.network.seed
    order_of = _order(n, places, shuffle, seed)
    if transform is None:
        return RowFeed(setting, rows, target, weights, batch_size, order_of, n, keep_predictions)
    size = min(batch_size, n)

    def batches(epoch: int, first_step: int) -> Iterable[Any]:
        return transformed(transform, rows, target, weights, order_of(epoch), size, seed, epoch, first_step)

    return BatchFeed(setting, batches, None, size, n, -(-n // size), keep_predictions, are_all=True)


def _order(
    n: int, places: Array | None, shuffle: bool | str, seed: int
) -> Callable[[int], npt.NDArray[np.int64]]:
    """The order of the rows in an epoch, from 0; of those at `places`, where not all are trained on."""

    in_order = np.arange(n) if places is None else places

    def order_of(epoch: int) -> npt.NDArray[np.int64]:
        if not shuffle:
            return in_order
        permutation = randomness.block_permutation if shuffle == "blocks" else randomness.permutation
        order = permutation(n, seed, randomness.Purpose.SHUFFLE, epoch)
        return order if places is None else places[order]

    return order_of


def _batches(given: Any, *, may_go_on: bool) -> Callable[[int, int], Iterable[Any]]:
    """What gives the batches of an epoch, from a step on."""
    if may_go_on and isinstance(given, Iterator):
        raise InvalidParameterError(
            "With a Checkpoint, or to go on from one, x must give its batches again: a list, or a function of the "
            f"epoch. Got {type(given).__name__} instead, which can be gone through once."
        )
    if isinstance(given, Iterable) and not isinstance(given, (np.ndarray, str, bytes, dict)):
        return lambda epoch, first_step: islice(given, first_step, None)
    if callable(given):
        function: Callable[[int], Iterable[Any]] = given
        return lambda epoch, first_step: islice(function(epoch), first_step, None)
    raise InvalidParameterError(
        "Without y, x must be an iterable of batches (x, y) or (x, y, sample_weight), or a function of the epoch "
        f"that returns one. Got {type(given).__name__} instead."
    )


def _n_steps(given: Any, steps_per_epoch: int | None) -> int | None:
    if steps_per_epoch is not None:
        return check_whole_number(steps_per_epoch, "steps_per_epoch", "fit", minimum=1)
    try:
        return len(given) or None
    except TypeError:
        return None


def _checked_validation(
    network: Network, objective: Objective, validation_data: Any, check_finite: bool
) -> Checked | None:
    if validation_data is None:
        return None
    if not isinstance(validation_data, (tuple, list)) or len(validation_data) not in (2, 3):
        raise InvalidParameterError(
            "The 'validation_data' parameter of fit must be a tuple (x, y) or (x, y, sample_weight). "
            f"Got {type(validation_data).__name__} instead."
        )
    x, y, *rest = validation_data
    weight = rest[0] if rest else None
    return evaluation.those_that_count(
        *evaluation.checked(network, objective, x, y, weight, "validation ", check_finite=check_finite)
    )


_of_outputs = metrics.of_outputs  # `metrics` is a parameter where it is needed
