"""First derivatives: Jacobians, vᵀJ, and the gradient of a loss by the inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cynn.data import inputs
from cynn.data.arrays import as_numbers
from cynn.engine import threads
from cynn.engine.abi_checks import describe
from cynn.engine.derivatives import GivenGradient, InputDerivatives
from cynn.engine.operations import UpdateSettings
from cynn.engine.trainer import Diverged, Trainer, UnusableRow
from cynn.errors import InvalidParameterError, PluginError, ShapeError, check_switch
from cynn.training import evaluation
from cynn.training.moving_averages import warn_of_a_single_row
from cynn.training.steps import gradients_of_layers, not_finite_error

if TYPE_CHECKING:
    import numpy.typing as npt

    from cynn.model import Model

    Array = npt.NDArray[Any]

__all__ = ["check_inputs", "check_noise", "input_gradients", "jacobian", "of_inputs", "vjp"]


def of_inputs(network: Model) -> InputDerivatives:
    """What computes derivatives of predictions, with the buffers that it keeps for the next call."""
    kept: InputDerivatives | None = network._input_derivatives
    if kept is None:
        check_inputs(network)
        check_noise(network)
        kept = network._input_derivatives = InputDerivatives(network._engine, network._outputs.is_one)
    return kept


def check_inputs(network: Model) -> None:
    """Raise an error if there is no derivative by some input, since it is a category."""
    if network._categories:
        raise InvalidParameterError(
            "The inputs of a network must be numbers to have derivatives. Got categories, for an Embedding, in the "
            f"columns {sorted(network._categories)} instead."
        )


def check_noise(network: Model) -> None:
    """Raise an error if forward, which is to save what backward reads, would draw the noise of training."""
    for operation in network._engine.operations:
        if operation.draws and operation.saved and not operation.kernel.only_training:
            raise PluginError(
                f"An operation of {describe(operation.kernel.layer)} that draws random numbers must have the flag "
                "CYNN_ONLY_TRAINING to have derivatives of predictions. Got none instead: training=True has those of "
                "training."
            )


def _derivatives(network: Model, training: bool) -> InputDerivatives | None:
    """As `of_inputs`; in training the engine's step has them."""
    if not training:
        return of_inputs(network)
    check_inputs(network)
    return None


def jacobian(
    network: Model, x: Any, *, out: Any, training: bool, n_threads: int | None, check_finite: bool
) -> Any:
    """`Network.jacobian`."""
    training = check_switch(training, "training", "jacobian")
    check_finite = check_switch(check_finite, "check_finite", "jacobian")
    derivatives, n_threads = _derivatives(network, training), threads.resolve(n_threads)
    rows, single = network.as_rows_or_one(x)
    outputs = network._outputs
    columns = network.input.units
    shapes: list[tuple[int, ...]] = [
        (units, columns) if single else (len(rows), units, columns) for units in outputs.units
    ]
    outs = None if out is None else outputs.split(out, "out")
    found = _room(network, outs, shapes, [rows])
    matrices = [array.reshape(len(rows), units, columns) for array, units in zip(found, outputs.units, strict=True)]
    if derivatives is None:
        _training_jacobian(network, rows, matrices, n_threads, check_finite)
    elif len(rows) and not derivatives.jacobian(rows, matrices, n_threads, check_finite):
        network.raise_unusable(rows, "x", check_finite=check_finite)
    return outputs.join(_hand_out(outs, found))


def _training_jacobian(
    network: Model, rows: Array, matrices: list[Array], n_threads: int, check_finite: bool
) -> None:
    """One pass for each output, all with the same random numbers."""
    if any(operation.column_piece for operation in network._engine.operations):
        raise InvalidParameterError(
            "jacobian must have rows that do not depend on each other. Got training=True and a layer, such as "
            "BatchNorm, whose statistics are those of the batch, instead: use vjp, or training=False."
        )
    if len(rows) == 0:
        return
    vectors = [np.zeros((len(rows), units), network.dtype) for units in network._outputs.units]
    for vector, matrix in zip(vectors, matrices, strict=True):
        for output in range(matrix.shape[1]):
            vector[:, output] = 1
            trainer = _backward(network, rows, vectors, n_threads, check_finite, training=True)
            matrix[:, output] = _by_raw_inputs(network, trainer)
            vector[:, output] = 0


def vjp(
    network: Model, x: Any, v: Any, *, weights: bool, out: Any, training: bool, n_threads: int | None,
    check_finite: bool,
) -> Any:  # fmt: skip
    """`Network.vjp`."""
    training = check_switch(training, "training", "vjp")
    check_finite = check_switch(check_finite, "check_finite", "vjp")
    weights = check_switch(weights, "weights", "vjp")
    derivatives, n_threads = _derivatives(network, training), threads.resolve(n_threads)
    rows, single = network.as_rows_or_one(x)
    vectors = _vectors(network, v, len(rows), single, check_finite)
    outs = None if out is None else [out]
    found = _room(network, outs, [(rows.shape[1],) if single else rows.shape], [rows, *vectors])
    dx = found[0].reshape(rows.shape)
    dw = None
    if derivatives is None or weights:
        if len(rows) == 0:
            raise ShapeError("x must have at least one row. Got none instead.")
        if training and len(rows) == 1:
            warn_of_a_single_row(network)
        trainer = _backward(network, rows, vectors, n_threads, check_finite, training=training)
        dx[...] = _by_raw_inputs(network, trainer)
        dw = gradients_of_layers(network, trainer.gradients)
    elif len(rows) and not derivatives.vjp(rows, vectors, dx, n_threads, check_finite):
        network.raise_unusable(rows, "x", check_finite=check_finite)
    (result,) = _hand_out(outs, found)
    return (result, dw) if weights else result


def input_gradients(
    network: Model, x: Any, y: Any, *, loss: Any, loss_weights: Any, sample_weight: Any, training: bool,
    n_threads: int | None, check_finite: bool,
) -> Array:  # fmt: skip
    """`Network.input_gradients`."""
    training = check_switch(training, "training", "input_gradients")
    check_finite = check_switch(check_finite, "check_finite", "input_gradients")
    _derivatives(network, training)
    objective = network.objective(loss, loss_weights)
    given, target, weights = evaluation.checked(
        network, objective, x, y, sample_weight, "", check_finite=check_finite
    )
    places = weights.places()
    rows, target, weights = evaluation.counted(given, target, weights)
    if training and len(rows) == 1:
        warn_of_a_single_row(network)
    trainer = Trainer(
        network._engine, rows, [(part.values, part.classes) for part in target.parts], weights.each, weights.rows,
        objective.kernels, objective.weights, None, [], UpdateSettings(), len(rows), threads.resolve(n_threads),
        training=training, by_inputs=True,
    )  # fmt: skip
    _run(network, trainer, rows, check_finite=False)  # it has been checked
    found = np.zeros(given.shape, network.dtype)  # rows of weight 0 have no part in the loss
    found[slice(None) if places is None else places] = _by_raw_inputs(network, trainer)
    return found


def _vectors(network: Model, v: Any, n: int, single: bool, check_finite: bool) -> list[Array]:
    """v for each output, as matrices of the network's dtype."""
    found, outputs = [], network._outputs
    names = ["v"] if outputs.is_one else [f"v of {name}" for name in outputs.names]
    for given, units, name in zip(outputs.split(v, "v"), outputs.units, names, strict=True):
        vector = as_numbers(given, name)
        shape = (units,) if single else (n, units)
        if vector.shape != shape:
            raise ShapeError(f"{name} must have the shape {shape}. Got {vector.shape} instead.")
        vector = vector.reshape(n, units)
        inputs.check_rows(vector, name, inputs.Conversion(network.dtype), {}, check_finite=check_finite)
        with np.errstate(over="ignore"):
            found.append(np.require(vector, network.dtype, ["C", "A", "W"]))
    return found


def _room(network: Model, outs: list[Any] | None, shapes: list[tuple[int, ...]], read: list[Array]) -> list[Array]:
    """Where to write: the arrays of the caller, or new ones in place of those that overlap what is read."""
    if outs is None:
        return [np.empty(shape, network.dtype) for shape in shapes]
    inputs.check_outs(outs, shapes, network.dtype, network._engine.holds)
    return [
        np.empty(out.shape, network.dtype) if any(inputs.overlap(out, one) for one in read) else out
        for out in outs
    ]


def _hand_out(outs: list[Any] | None, found: list[Array]) -> list[Array]:
    """Return the arrays of the caller, if there are some, with what was found."""
    if outs is None:
        return found
    for out, array in zip(outs, found, strict=True):
        if out is not array:
            out[...] = array
    return outs


def _backward(
    network: Model, rows: Array, vectors: list[Array], n_threads: int, check_finite: bool, *, training: bool
) -> Trainer:
    """A step without an optimizer, in which the gradients of the outputs are given."""
    n_heads = len(vectors)
    trainer = Trainer(
        network._engine, rows, [(vector, None) for vector in vectors], [None] * n_heads, None,
        [GivenGradient()] * n_heads, [1.0] * n_heads, None, [], UpdateSettings(regularizes=False), len(rows), n_threads,
        training=training, by_inputs=True,
    )  # fmt: skip
    _run(network, trainer, rows, check_finite)
    return trainer


def _run(network: Model, trainer: Trainer, rows: Array, check_finite: bool) -> None:
    trainer.begin_epoch(check_finite, 0)
    try:
        trainer.run(np.arange(len(rows)), 0, 1, np.zeros(1), None, 0.0)
    except UnusableRow:
        network.raise_unusable(rows, "x", check_finite=check_finite)
    except Diverged as diverged:
        raise not_finite_error(diverged) from None


def _by_raw_inputs(network: Model, trainer: Trainer) -> Array:
    """The gradient by x as the caller gives it, before the scale of `Input`."""
    found: Array = trainer.input_gradient * np.asarray(network.conversion.scale, network.dtype)
    return found
