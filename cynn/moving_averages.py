"""Batch normalization's moving averages computed anew, for weights that did not come about step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cynn import kernels
from cynn.errors import ShapeError

if TYPE_CHECKING:
    from cynn.network import Network
    from cynn.operations import Operation

__all__ = ["has_moving_averages", "pieces", "update"]

Array = npt.NDArray[Any]

_ROWS_AT_A_TIME = 4096


def _normalizations(network: Network) -> list[Operation]:
    batch = kernels.normalization.KERNELS["batch"]
    return [o for o in network._engine.operations if o.kernels is batch and o.trainable]


def has_moving_averages(network: Network) -> bool:
    """Whether there are some that training moves."""
    return bool(_normalizations(network))


def pieces(rows: Array, places: npt.NDArray[np.int64] | None = None) -> Iterator[Array]:
    """The rows, or those at some places, so many at a time as fit in memory."""
    n = len(rows) if places is None else len(places)
    for begin in range(0, n, _ROWS_AT_A_TIME):
        part = slice(begin, begin + _ROWS_AT_A_TIME)
        yield rows[part] if places is None else rows[places[part]]


def update(network: Network, batches: Callable[[], Iterable[Array]], n_threads: int) -> None:
    """Make them the mean and the variance over all rows of `batches()`, which is called once for each layer.

    A layer is done when those before it are: what it sees is what it will see in predictions.
    """
    for operation in _normalizations(network):
        (value,), (columns,) = operation.inputs, operation.widths
        n, mean, squares = 0, np.zeros(columns), np.zeros(columns)
        for rows in batches():
            x = np.empty((len(rows), columns), network.dtype)
            network.forward(rows, {value: x}, n_threads)
            found = x.mean(axis=0, dtype=np.float64)
            difference, total = found - mean, n + len(rows)
            # Chan, Golub and LeVeque, 1979: sums of squares around the means of two parts make one of the whole
            squares += np.square(x - found).sum(axis=0) + np.square(difference) * n * len(rows) / total
            mean += difference * len(rows) / total
            n = total
        if n == 0:
            raise ShapeError("x must have at least one row. Got none instead.")
        moving_mean, moving_variance = operation.states
        with network._weights_lock.turn():
            moving_mean[...], moving_variance[...] = mean, squares / n
