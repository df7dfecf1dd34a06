"""Robust scaling of the columns of x by a BatchNorm after the input, which training does not change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cynn.data.weighted import quantiles
from cynn.engine.row_matrix import RowMatrix
from cynn.engine.sparse_rows import SparseRows
from cynn.errors import InvalidParameterError
from cynn.layers.batch_norm import BatchNorm

if TYPE_CHECKING:
    import numpy.typing as npt

    from cynn.model import Model

    Array = npt.NDArray[Any]

__all__ = ["scale_robustly"]

_COLUMNS_AT_A_TIME = 64


def scale_robustly(network: Model, rows: Any, weight: Array | None) -> None:
    """`Network.scale_robustly`, for checked rows and weights."""
    layer = network.layers[0]
    if not isinstance(layer, BatchNorm) or layer.trainable or layer.gamma is None:
        raise InvalidParameterError(
            "The first layer must be a BatchNorm(trainable=False) with use_scale=True to be scaled robustly. "
            f"Got {layer!r} instead."
        )
    center, scale = np.zeros(network.input.units), np.zeros(network.input.units)
    for first in range(0, network.input.units, _COLUMNS_AT_A_TIME):
        last = min(first + _COLUMNS_AT_A_TIME, network.input.units)
        part = rows.dense(first, last) if isinstance(rows, SparseRows) else rows[:, first:last]
        converted = RowMatrix(part).converted(network.conversion).astype(np.float64)
        for column, values in enumerate(converted.T, start=first):
            center[column], scale[column] = _center_and_scale(values, weight)
    deviation = np.sqrt(1 + layer.epsilon)
    with network._weights_lock.turn():
        layer.moving_mean, layer.moving_variance = center, np.ones_like(center)
        layer.gamma = scale * deviation


def _center_and_scale(values: Array, weight: Array | None) -> tuple[float, float]:
    """The median and the scale: 1 / (q75 - q25); 2 / (max - min) if the quartiles are equal; 0 for a constant."""
    low, center, high = quantiles(values, [0.25, 0.5, 0.75], weight)
    distance = high - low or (values.max() - values.min()) / 2
    return center, float(1 / distance) if distance > 0 else 0.0
