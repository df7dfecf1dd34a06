"""The scale and the offset of an `Input` whose `scale` is a rule: from the columns of the training rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cynn.data.weighted import quantiles
from cynn.engine.sparse_rows import SparseRows
from cynn.errors import DataError
from cynn.layers.input import Input

if TYPE_CHECKING:
    import numpy.typing as npt

    from cynn.model import Model

    Array = npt.NDArray[Any]

__all__ = ["fit_input"]

_COLUMNS_AT_A_TIME = 64


def fit_input(network: Model, rows: Any, weight: Array | None, places: Array | None) -> None:
    """Compute the numbers that the rule of the input stands for, and let the network keep them.

    Parameters
    ----------
    network : Model
        A network whose input has a rule.
    rows : array of shape (rows, inputs)
        What `as_rows` returned.
    weight : array of shape (rows,), or None
        The weights of all rows.
    places : array, or None
        The training rows; None for all. None of them has weight 0.

    Raises
    ------
    DataError
        They are not finite, or the numbers would not be. The network stays as it was.
    """
    network.check_rows(rows, "x", places, check_finite=True)
    if weight is not None and places is not None:
        weight = weight[places]
    rule = {"robust": _robust, "standard": _standard}[network.input.scale]
    n = network.input.units
    scale, offset = np.ones(n), np.zeros(n)
    for first in range(0, n, _COLUMNS_AT_A_TIME):
        last = min(first + _COLUMNS_AT_A_TIME, n)
        part = rows.dense(first, last) if isinstance(rows, SparseRows) else rows[:, first:last]
        part = part if places is None else part[places]
        for column, values in enumerate(part.T, start=first):
            if column in network._categories:
                continue
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                center, scale[column] = rule(values.astype(np.float64), weight)
                offset[column] = 0.0 - center * scale[column]
            if not np.isfinite([scale[column], offset[column]]).all():
                raise DataError(
                    "x must have columns whose distances from their center can be divided by their width. Got numbers "
                    f"from {values.min()} to {values.max()} in column {column} instead."
                )
    network.replace_input(Input(n, scale=scale.tolist(), offset=offset.tolist()))


def _robust(values: Array, weight: Array | None) -> tuple[float, float]:
    """The median and the scale: 1 / (q75 - q25); 2 / (max - min) if the quartiles are equal; 0 for a constant."""
    low, center, high = quantiles(values, [0.25, 0.5, 0.75], weight)
    distance = high - low or (values.max() - values.min()) / 2
    return center, float(1 / distance) if distance > 0 else 0.0


def _standard(values: Array, weight: Array | None) -> tuple[float, float]:
    """The mean and 1 / the standard deviation; 1 for a constant."""
    near = values[0]  # what is subtracted first leaves a constant without a rounding error
    mean = near + np.average(values - near, weights=weight)
    deviation = float(np.sqrt(np.average((values - mean) ** 2, weights=weight)))
    return float(mean), 1 / deviation if deviation > 0 else 1.0
