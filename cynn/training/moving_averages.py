"""Recomputes the moving averages of BatchNorm, for weights that do not come from training steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cynn import kernels
from cynn.errors import ShapeError, warn

if TYPE_CHECKING:
    from cynn.engine.operations import Operation
    from cynn.model import Model

__all__ = ["has_moving_averages", "pieces", "update", "warn_of_a_single_row"]

Array = npt.NDArray[Any]

_ROWS_AT_A_TIME = 4096


def _normalizations(network: Model) -> list[Operation]:
    batch = kernels.normalization.KERNELS["batch"]
    return [o for o in network._engine.operations if o.kernel.capsule is batch and o.trainable]


def has_moving_averages(network: Model) -> bool:
    """Whether a network has moving averages that training updates."""
    return bool(_normalizations(network))


def warn_of_a_single_row(network: Model) -> None:
    """Warn that a batch of one row has no statistics, if the network has a BatchNorm."""
    if has_moving_averages(network):
        warn(
            "A batch must have at least two rows for BatchNorm to take their mean and variance. Got one instead: it is "
            "normalized by the moving averages, and does not move them. Another batch_size helps.",
            stacklevel=2,
        )


def pieces(
    rows: Array, weight: Array | None, places: npt.NDArray[np.int64] | None = None
) -> Iterator[tuple[Array, Array | None]]:
    """Yield the rows, or those at some places, in small pieces, each with its weights."""
    for begin in range(0, len(rows) if places is None else len(places), _ROWS_AT_A_TIME):
        part: Any = slice(begin, begin + _ROWS_AT_A_TIME)
        at = part if places is None else places[part]
        yield rows[at], None if weight is None else weight[at]


def update(network: Model, batches: Callable[[], Iterable[tuple[Array, Array | None]]], n_threads: int) -> None:
    """Set the moving averages to the mean and the variance over all rows of `batches()`.

    `batches` is called once per layer. The layers are updated in order, so that each sees the inputs that it will get
    in predictions.
    """
    for operation in _normalizations(network):
        (value,), (columns,) = operation.inputs, operation.widths
        n_rows, weight, mean, squares = 0, 0.0, np.zeros(columns), np.zeros(columns)
        for rows, given in batches():
            x = np.empty((len(rows), columns), network.dtype)
            network.forward(rows, [value], [x], n_threads)
            of_row = np.ones(len(rows)) if given is None else given
            own = of_row.sum()
            found = of_row @ x / own
            difference, total = found - mean, weight + own
            # Chan, Golub and LeVeque, 1979: the sum of squares of two parts together
            squares += of_row @ np.square(x - found) + np.square(difference) * weight * own / total
            mean += difference * own / total
            n_rows, weight = n_rows + len(rows), total
        if n_rows < 2:
            raise ShapeError(f"x must have at least two rows, of which there is a variance. Got {n_rows} instead.")
        moving_mean, moving_variance = operation.states
        with network._weights_lock.turn():
            moving_mean[...], moving_variance[...] = mean, squares / weight
