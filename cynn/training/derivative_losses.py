"""Losses of derivatives by the inputs: what they need, and their values for rows that are not trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cynn.engine import directional, threads
from cynn.engine.derivatives import InputDerivatives
from cynn.errors import InvalidParameterError, not_allowed

if TYPE_CHECKING:
    from cynn.data.derivative_targets import DerivativeTargets
    from cynn.data.objective import Objective
    from cynn.model import Model

__all__ = ["check", "mean_losses", "objective_with"]

Array = npt.NDArray[Any]

# Rows whose derivatives are computed at once.
_ROWS_AT_ONCE = 1024


def objective_with(
    network: Model, objective: Objective, dy_dx: Any, directions: Any, derivative_weight: Any, of: str
) -> Objective:
    """The objective of a call of that name: with losses of derivatives, if it has been given some."""
    if dy_dx is not None:
        check(network, of)
        return objective.with_derivatives(dy_dx, derivative_weight, of)
    for name, given in ("derivative_weight", derivative_weight), ("directions", directions):
        if given is not None:
            raise not_allowed(name, of, "left out without dy_dx", given)
    return objective


def check(network: Model, of: str) -> None:
    """Raise an error if the derivatives of this network cannot be trained, for a call of that name."""
    if network._categories:
        raise InvalidParameterError(
            "The inputs of a network must be numbers to be trained on derivatives by them. Got categories, for an "
            f"Embedding, in the columns {sorted(network._categories)} instead."
        )
    for operation in network._engine.operations:
        if operation.draws or operation.kernel.only_training:
            reason = "noise, with which each step has the derivatives of another function"
        elif operation.column_piece or operation.states:
            reason = "statistics over the batch, with which an output depends on the inputs of all rows"
        else:
            continue
        raise InvalidParameterError(
            "The layers of a network must make each output a function of its own row, for dy_dx. "
            f"Got {reason}, instead: LayerNorm and regularizers go with derivatives, Dropout and BatchNorm do not."
        )
    functions = ["jvp", "backward_jvp", "gradient_jvp"]
    directional.require(network._engine.operations, network.dtype, functions, f"{of} with dy_dx")


def mean_losses(
    network: Model, rows: Array, given: DerivativeTargets, n_threads: int | None
) -> npt.NDArray[np.float64]:
    """The loss of each output's derivatives, of predictions for these rows."""
    sums, team = np.zeros(len(given.values)), threads.resolve(n_threads)
    for begin in range(0, len(rows), _ROWS_AT_ONCE):
        place = slice(begin, begin + _ROWS_AT_ONCE)
        for number, found in enumerate(_found(network, rows[place], given, place, team)):
            value = given.values[number]
            if value is not None:
                squares = np.square(found.reshape(len(found), -1) - value[place], dtype=np.float64)
                sums[number] += given.row_weights[number][place] @ np.nansum(squares, axis=1)
    found_losses: npt.NDArray[np.float64] = sums / len(rows)
    return found_losses


def _found(network: Model, rows: Array, given: DerivativeTargets, place: slice, n_threads: int) -> list[Array]:
    """The derivatives of each output: (rows, outputs, inputs), or (rows, k, outputs)."""
    engine, units, n = network._engine, network._outputs.units, network.input.units
    if given.directions is None:
        found = [np.empty((len(rows), each, n), network.dtype) for each in units]
        InputDerivatives(engine, network._outputs.is_one).jacobian(rows, found, n_threads, False)
        return found
    directions = given.directions[place].reshape(len(rows), -1, n)
    k = directions.shape[1]
    found = [np.empty((len(rows), k, each), network.dtype) for each in units]
    for i in range(k):
        along = [np.empty((len(rows), each), network.dtype) for each in units]
        directional.differentiate(engine, rows, np.ascontiguousarray(directions[:, i]), along, n_threads)
        for all_of_them, one in zip(found, along, strict=True):
            all_of_them[:, i] = one
    return found
