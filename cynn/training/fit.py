"""`Network.fit`: validates the data and chooses the batch source. loop.py runs the epochs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cynn import metrics
from cynn.callbacks.together import CallbackList
from cynn.data import inputs
from cynn.data.examples import Examples
from cynn.data.row_numbers import as_row_numbers
from cynn.engine import randomness
from cynn.engine.trainer import UnusableRow
from cynn.errors import InvalidParameterError, shown, warn
from cynn.training import derivative_losses, evaluation
from cynn.training import validation as validation_rows
from cynn.training.batches import ArrayBatches, BatchSource
from cynn.training.context import TrainingContext
from cynn.training.fit_options import FitOptions
from cynn.training.history import History
from cynn.training.input_scaling import fit_input
from cynn.training.iterable_batches import IterableBatches, transformed
from cynn.training.loop import Loop
from cynn.training.optimizer_state import OptimizerState, update_state
from cynn.training.snapshot import Snapshot
from cynn.training.solver_batches import SolverBatches, check
from cynn.training.solver_state import SolverState, solver_of
from cynn.training.steps import sampled_gradients

if TYPE_CHECKING:
    from cynn.data.objective import Objective
    from cynn.model import Model
    from cynn.training.evaluation import Checked
    from cynn.training.validation import Validation

__all__ = ["fit"]

Array = npt.NDArray[Any]
Places = npt.NDArray[np.int64]


def fit(network: Model, x: Any, y: Any, options: FitOptions) -> History:
    """`Network.fit`."""
    objective = network.objective(options.loss, options.loss_weights)
    if options.has_derivatives:
        options.check_for_derivatives(y is None)
        objective = objective.with_derivatives(options.dy_dx, options.derivative_weight, "fit")
        derivative_losses.check(network, "fit")
    metrics_by_name = metrics.of_outputs(objective.outputs, options.metrics)
    _warn_of_constant_units(network)
    called = CallbackList(options.callbacks, network)
    communicator = options.communicator
    if communicator is not None:
        communicator.check_callbacks(called.checkpoints)
        called.rank = communicator.rank
    called.greater_is_better = _directions(objective, metrics_by_name)
    validation = validation_rows.of_data(network, objective, options)
    state_before: OptimizerState | SolverState | None = network._optimizer_state
    solver = solver_of(options.optimizer, state_before)
    if solver is not None:
        check(network, objective, solver, y is None, options)
    elif options.batch_size is None:
        options.batch_size = 32

    def context() -> TrainingContext:
        """Make the context. It replaces the network's optimizer, so the data must have been checked before."""
        state = update_state(network, options.optimizer if solver is None else solver)
        of_optimizer = state if isinstance(state, OptimizerState) else None
        return TrainingContext(
            network, objective, of_optimizer, options.n_threads, options.check_finite, communicator
        )

    source: BatchSource
    snapshot: Snapshot | None = None
    if y is None:
        network.input.require_scale()  # one batch is too few to compute it from
        options.check_for_batches(objective.outputs.split_if(options.class_weight, "class_weight"))
        batches_of = _batches(x, is_gone_through_again=bool(called.checkpoints or options.resume))
        n_steps, are_all = _n_steps(x, options), options.steps_per_epoch is None
        source = IterableBatches(
            context(), batches_of, options.class_weight, 0, None, n_steps, bool(metrics_by_name), are_all=are_all
        )
    else:
        options.check_for_rows()
        # steps check the rows that they read; rows are checked here only if no step reads them, if steps read
        # transformed rows, or if a solver evaluates the loss several times
        look_at_x = options.epochs == 0 or options.transform is not None or solver is not None
        given, places, held_out = _training_rows(network, objective, x, y, options, look_at_x)
        validation = held_out or validation
        if options.check_finite or network._categories:
            snapshot = Snapshot(network, given[0], places)
        network.remember_names(x)
        source = _source_of_rows(context(), given, places, options, bool(metrics_by_name))
        called.examples = Examples("training", *given, places)
        called.sampled_gradients = functools.partial(sampled_gradients, network, objective, called.examples)
    if validation is not None:
        called.examples = validation.examples()

    def figures() -> dict[str, float]:
        found = _figures(source, objective, metrics_by_name)
        if validation is not None:
            with loop.with_final_weights():
                of_validation = evaluation.figures(
                    network, objective, *validation.checked, metrics_by_name, options.n_threads, "validation x"
                )
            found.update({f"val_{name}": figure for name, figure in of_validation.items()})
        return found

    input_before = network.input
    if input_before.rule is not None:
        weights = objective.sample_weights(options.sample_weight, len(given[0]))
        fit_input(network, given[0], weights.rows, places)
    path = called.checkpoint_for(options.resume)
    settings: dict[str, Any] = {}
    if path is not None or called.checkpoints:
        settings = _settings(network, objective, source, options, called, list(metrics_by_name), validation)
    if y is not None or not isinstance(x, Iterator):  # an iterator yields its batches only once
        called.training_rows = source.training_rows
    has_own_figures = bool(
        metrics_by_name or validation is not None or not objective.outputs.is_one or options.has_derivatives
    )
    parts = [*objective.losses, *(metric.part for metric in metrics_by_name.values() if metric.part)]
    if communicator is not None:
        same = _settings(network, objective, source, options, called, list(metrics_by_name), validation)
        communicator.check_same(same, network.get_weights())
    loop = Loop(network, source, called, figures, has_own_figures, options.epochs, settings, parts, communicator)
    try:
        loop.run(None if path is None else loop.read(path), options.progress)
    except UnusableRow:
        assert snapshot is not None
        snapshot.restore()
        network.raise_unusable(snapshot.rows, "x", snapshot.places, check_finite=options.check_finite)
    finally:
        source.close()
        if not loop.has_begun:
            network._optimizer_state = state_before
            network.replace_input(input_before)
    return loop.history


def _settings(
    network: Model,
    objective: Objective,
    source: BatchSource,
    options: FitOptions,
    called: CallbackList,
    metrics: list[str],
    validation: Validation | None,
) -> dict[str, Any]:
    """Return the settings that must be the same when a training is resumed from a checkpoint."""
    state: OptimizerState | SolverState = network._optimizer_state
    return {
        # with a generator, the names of the columns are known only in the first step
        "network": {name: part for name, part in network.get_config().items() if name != "feature_names"},
        "loss": objective.get_config(),
        "optimizer": state.get_config(),
        "rows": source.rows_per_epoch,
        "batch_size": options.batch_size,
        "shuffle": _name_of(options.shuffle) if callable(options.shuffle) else options.shuffle,
        "steps_per_epoch": source.steps_per_epoch,
        "class_weight": None if options.class_weight is None else str(options.class_weight),
        "transform": None if options.transform is None else _name_of(options.transform),
        "metrics": metrics,
        "validation rows": 0 if validation is None else len(validation),
        "callbacks": called.names,
        "epochs": options.epochs if source.context.has_schedule else None,
    }


def _name_of(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", type(function).__name__)


def _training_rows(
    network: Model, objective: Objective, x: Any, y: Any, options: FitOptions, look_at_x: bool
) -> tuple[Checked, Places | None, Validation | None]:
    """Validate x and y; return them, the places of the training rows (None for all), and the held-out rows."""
    rows, target, weights = evaluation.checked(
        network, objective, x, y, options.sample_weight, "", check_finite=options.check_finite, look_at_x=look_at_x,
        derivatives=(options.dy_dx, options.directions), needs_scale=False,
    )  # fmt: skip
    among = None if options.rows is None else as_row_numbers(options.rows, len(rows), "rows", "fit")
    places, held_out = weights.places(among), None
    if options.validation_split:
        places, held_out = validation_rows.split(network, (rows, target, weights), places, options)
    if options.class_weight is not None:
        weights = objective.with_class_weights(weights, options.class_weight, target, places)
        places = weights.places(places)
    return evaluation.weighed(rows, target, weights.scaled(places), places), places, held_out


def _source_of_rows(
    context: TrainingContext,
    given: Checked,
    places: Array | None,
    options: FitOptions,
    keep_predictions: bool,
) -> BatchSource:
    """Return the batch source for the rows at these places, or all rows, with the transform if there is one."""
    rows, target, weights = given
    n, seed = len(rows) if places is None else len(places), context.network.seed
    order_of = _order(n, places, options.shuffle, seed)
    transform = options.transform
    state = context.network._optimizer_state
    if isinstance(state, SolverState):
        size, among = options.batch_size, np.arange(n) if places is None else places
        return SolverBatches(context, state, rows, target, weights, size, order_of, among, keep_predictions)
    assert options.batch_size is not None
    if transform is None:
        return ArrayBatches(context, rows, target, weights, options.batch_size, order_of, n, keep_predictions)
    size = min(options.batch_size, n)

    def batches(epoch: int, first_step: int) -> Iterable[Any]:
        return transformed(transform, rows, target, weights, order_of(epoch), size, seed, epoch, first_step)

    return IterableBatches(context, batches, None, size, n, -(-n // size), keep_predictions, are_all=True)


def _order(
    n: int, places: Array | None, shuffle: bool | str | Callable[[int], Any], seed: int
) -> Callable[[int], npt.NDArray[np.int64]]:
    """Return the function that gives the order of the rows in an epoch: of all n rows, or of those at `places`."""
    in_order = np.arange(n) if places is None else places

    def order_of(epoch: int) -> npt.NDArray[np.int64]:
        if not shuffle:
            return in_order
        if callable(shuffle):
            order = _checked_order(shuffle(epoch), n)
        else:
            permutation = randomness.block_permutation if shuffle == "blocks" else randomness.permutation
            order = permutation(n, seed, randomness.Purpose.SHUFFLE, epoch)
        return order if places is None else places[order]

    return order_of


def _checked_order(given: Any, n: int) -> npt.NDArray[np.int64]:
    """Check and copy a user's order of rows, which the engine uses as indices."""
    order = inputs.as_array(given, "The order of an epoch")
    if order.shape == (n,) and order.dtype.kind in "iu":
        order = order.astype(np.int64)
        is_there = np.zeros(n, bool)
        is_there[order[(order >= 0) & (order < n)]] = True
        if is_there.all():
            return order
    raise InvalidParameterError(
        f"The order of an epoch that 'shuffle' returns must have each whole number from 0 to {n - 1} once. "
        f"Got {shown(given)} instead."
    )


def _batches(given: Any, *, is_gone_through_again: bool) -> Callable[[int, int], Iterable[Any]]:
    """Return a function of the epoch and its first step that returns the remaining batches of the epoch."""
    if is_gone_through_again and isinstance(given, Iterator):
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


def _n_steps(given: Any, options: FitOptions) -> int | None:
    """Return the number of batches per epoch; None if it is not known beforehand."""
    if options.steps_per_epoch is not None:
        return options.steps_per_epoch
    try:
        return len(given) or None
    except TypeError:
        return None


def _warn_of_constant_units(network: Model) -> None:
    for operation in network._engine.operations:
        if operation.is_activation and operation.activation is not None:
            activation = operation.activation.component
            if operation.units < activation.min_units:
                warn(
                    f"{type(activation).__name__} must be of at least {activation.min_units} units to learn. Got "
                    f"{operation.units}, for which it is the same whatever goes in: sigmoid fits one class of two.",
                    stacklevel=5,
                )


def _directions(objective: Objective, metrics_by_name: dict[str, metrics.Directed]) -> dict[str, bool | None]:
    """Return for each name in the history whether greater is better: False for losses, metrics know it themselves."""
    losses = evaluation.of_each_output(objective, [0.0] * len(objective.losses))
    of_derivatives = objective.derivative_figures(np.zeros(len(objective.losses)))
    directions: dict[str, bool | None] = dict.fromkeys(["loss", *losses, *of_derivatives], False)
    directions.update({name: metric.greater_is_better for name, metric in metrics_by_name.items()})
    directions |= {f"val_{name}": rises for name, rises in directions.items()}
    return directions | {"seconds": None}


def _figures(
    source: BatchSource, objective: Objective, metrics_by_name: dict[str, metrics.Directed]
) -> dict[str, float]:
    """Return the losses and the metrics of the epoch that was just trained."""
    sums = source.sums()
    loss, losses = objective.mean_losses(sums)
    figures = {"loss": float(loss)} | evaluation.of_each_output(objective, losses)
    if objective.derivative_weights is not None:
        figures |= objective.derivative_figures(objective.mean_derivative_losses(sums))
    if metrics_by_name:
        seen = source.predicted()
        figures.update({name: metric(*seen) for name, metric in metrics_by_name.items()})
    return figures
