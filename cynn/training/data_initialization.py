"""`Network.initialize_from`: initial weights and biases from data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cynn import kernels
from cynn.engine import randomness
from cynn.errors import DataError

if TYPE_CHECKING:
    from cynn.engine.operations import Operation
    from cynn.model import Model

__all__ = ["initialize_from"]

Array = npt.NDArray[Any]

# The number of rows whose weighted mean of z gives a bias.
_ROWS_OF_A_BIAS = 5


def initialize_from(network: Model, rows: Array, n_threads: int) -> None:
    """`Network.initialize_from` for checked rows: layer by layer, starting at the input."""
    affine = kernels.dense.KERNELS["affine"]
    done = 0
    before = network.get_weights()
    try:
        for number, operation in enumerate(network._engine.operations):
            if operation.kernel.capsule is affine and operation.trainable:
                z = np.empty((len(rows), operation.units), network.dtype)
                network.forward(rows, [number + 1], [z], n_threads)
                W, b = _of_outputs(operation, z.astype(np.float64), network.seed, done)
                done += 1
                with network._weights_lock.turn():
                    for array, values in zip(operation.parameters, (W, b), strict=True):
                        if array is not None:
                            array[...] = values
    except BaseException:
        network.set_weights(before)
        raise


def _of_outputs(operation: Operation, z: Array, seed: int, number: int) -> tuple[Array, Array]:
    """Weights for which z has a standard deviation of 1, and biases for which z changes its sign among the rows."""
    W, b = operation.parameters
    assert W is not None
    z -= 0 if b is None else b
    with np.errstate(over="ignore", invalid="ignore"):
        deviation = z.std(axis=0)
        scale = 1 / np.where(deviation > 0, deviation, 1)  # a constant z is not scaled
        is_finite = np.isfinite(deviation).all() and np.isfinite((W * scale).astype(W.dtype)).all()
    if not is_finite:
        raise DataError(
            "The outputs of a layer for x must have a standard deviation that is finite, and not next to 0. Got "
            f"{deviation.min():g} to {deviation.max():g} instead."
        )
    generator = randomness.generator(seed, randomness.Purpose.DATA_INITIALIZATION, 0, number)
    chosen = generator.integers(0, len(z), (_ROWS_OF_A_BIAS, operation.units))
    shares = generator.exponential(size=chosen.shape)
    shares /= shares.sum(axis=0)
    at_rows = np.take_along_axis(z, chosen, axis=0) * scale
    return W * scale, -(shares * at_rows).sum(axis=0)
