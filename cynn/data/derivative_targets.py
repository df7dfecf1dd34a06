"""Given derivatives of the outputs by the inputs, in the form that the engine reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cynn.data.arrays import as_numbers
from cynn.errors import DataError, InvalidParameterError, ShapeError

if TYPE_CHECKING:
    import numpy.typing as npt

    from cynn.data.outputs import Outputs
    from cynn.data.row_weights import RowWeights

    Array = npt.NDArray[Any]

__all__ = ["DerivativeTargets", "as_derivatives"]


class DerivativeTargets:
    """The derivatives that some outputs should have.

    Parameters
    ----------
    values : list of (array of shape (n, numbers), or None)
        For each output: the derivatives of each row, by output and input, or by direction and output. NaN: not given.
    directions : array of shape (n, k * inputs), or None
        The directions of each row, by which the derivatives are; None: by all inputs.
    loss_weights : list of float
        The weight of the loss of each output's derivatives.

    Attributes
    ----------
    row_weights : list of float64 array of shape (n,)
        The weight of the sum over the squared errors of a row, for each output.
    """

    def __init__(self, values: list[Array | None], directions: Array | None, loss_weights: list[float]) -> None:
        self.values = values
        self.directions = directions
        self.loss_weights = loss_weights
        n = next(len(value) for value in values if value is not None)
        self.row_weights: list[Array] = [np.zeros(n) for _ in values]

    def weigh(self, weights: RowWeights, places: Array | None = None) -> None:
        """Let the loss be the weighted mean over what is given: in all rows, or in those at these places.

        With weights w of the rows and c = Σ w / Σ w (numbers given in the row), a row has the weight w c.
        """
        seen = slice(None) if places is None else places
        for number, (value, weight) in enumerate(zip(self.values, weights.each, strict=True)):
            if value is None:
                continue
            of_rows = np.ones(len(value)) if weight is None else weight
            given = float(of_rows[seen] @ np.count_nonzero(~np.isnan(value[seen]), axis=1))
            self.row_weights[number] = of_rows * (of_rows[seen].sum() / given if given else 0.0)

    def _with(
        self, values: list[Array | None], directions: Array | None, row_weights: list[Array]
    ) -> DerivativeTargets:
        found = DerivativeTargets(values, directions, self.loss_weights)
        found.row_weights = row_weights
        return found

    def take(self, order: Array) -> DerivativeTargets:
        """Those of the rows at these places, in that order."""
        return self._with(
            [None if value is None else value[order] for value in self.values],
            None if self.directions is None else self.directions[order],
            [weight[order] for weight in self.row_weights],
        )

    def with_room(self, rows: int) -> DerivativeTargets:
        """Make room for others of the same form for so many rows, to be filled by `put`."""

        def room(array: Array) -> Array:
            return np.zeros((rows, *array.shape[1:]), array.dtype)

        return self._with(
            [None if value is None else room(value) for value in self.values],
            None if self.directions is None else room(self.directions),
            [room(weight) for weight in self.row_weights],
        )

    def has_form_of(self, other: DerivativeTargets) -> bool:
        """Whether the same outputs have as many derivatives of a row."""
        return self._form() == other._form()

    def _form(self) -> list[Any]:
        return [None if each is None else (each.shape[1], each.dtype) for each in [*self.values, self.directions]]

    def put(self, place: slice, other: DerivativeTargets) -> None:
        """Write others of the same form into a slice of these."""
        own, given = [*self.values, self.directions], [*other.values, other.directions]
        pairs = zip([*own, *self.row_weights], [*given, *other.row_weights], strict=True)
        for mine, others in pairs:
            if mine is not None:
                mine[place] = others


def as_derivatives(
    dy_dx: Any,
    directions: Any,
    outputs: Outputs,
    inputs: int,
    n: int,
    loss_weights: list[float],
    dtype: str,
    form: str,
    is_counted: Array | None,
) -> DerivativeTargets:
    """Validate and convert derivatives and directions.

    Parameters
    ----------
    dy_dx, directions
        As for `fit`.
    outputs : Outputs
    inputs, n : int
        Columns and rows of x.
    loss_weights : list of float
        The weight of the loss of each output's derivatives.
    dtype : str
        Of the network.
    form : str
        What messages make of the names of arrays, such as "validation {}".
    is_counted : array of bool of shape (n,), or None
        Rows that are checked; None for all.
    """
    k = None
    if directions is not None:
        directions = as_numbers(directions, form.format("directions"))
        if directions.ndim != 3 or len(directions) != n or directions.shape[2] != inputs or not directions.shape[1]:
            raise ShapeError(
                f"{form.format('directions')} must have the shape ({n}, k, {inputs}): k directions for each row. "
                f"Got {directions.shape} instead."
            )
        k = directions.shape[1]
        directions = _checked(directions.reshape(n, -1), form.format("directions"), dtype, is_counted, may_be_nan=False)
    values: list[Array | None] = []
    own = form.format("dy_dx")
    for given, units, name in zip(_split(dy_dx, outputs, own), outputs.units, outputs.names, strict=True):
        own_name = own if outputs.is_one else f"{own} of {name}"
        if given is None:
            values.append(None)
            continue
        array = as_numbers(given, own_name)
        shape = (n, units, inputs) if k is None else (n, k, units)
        of_one_unit = (n, inputs) if k is None else (n, k)
        if array.shape != shape and (units != 1 or array.shape != of_one_unit):
            form = f"{shape} or {of_one_unit}" if units == 1 else f"{shape}"
            raise ShapeError(f"{own_name} must have the shape {form}. Got {array.shape} instead.")
        values.append(_checked(array.reshape(n, -1), own_name, dtype, is_counted, may_be_nan=True))
    if all(value is None for value in values):
        raise InvalidParameterError(f"{own} must have the derivatives of at least one output. Got none instead.")
    return DerivativeTargets(values, directions, loss_weights)


def _split(dy_dx: Any, outputs: Outputs, name: str) -> list[Any]:
    """Those of each output; a dict may leave some out."""
    if isinstance(dy_dx, dict) and not outputs.is_one and set(dy_dx) < set(outputs.names):
        return [dy_dx.get(output) for output in outputs.names]
    return outputs.split(dy_dx, name)


def _checked(array: Array, name: str, dtype: str, is_counted: Array | None, *, may_be_nan: bool) -> Array:
    wrong = np.abs(array) > np.finfo(dtype).max
    if not may_be_nan:
        wrong |= np.isnan(array)
    if is_counted is not None:
        wrong &= is_counted[:, None]
    if wrong.any():
        row = int(np.argmax(wrong.any(axis=1)))
        raise DataError(
            f"{name} must be finite in {dtype}{', or NaN where it is not given' if may_be_nan else ''}. "
            f"Got {array[row][wrong[row]][0]} in row {row} instead."
        )
    return np.ascontiguousarray(array)
