"""The trained weights of a network, as one vector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from cynn.model import Model

__all__ = ["TrainedWeights"]

Array = npt.NDArray[Any]


class TrainedWeights:
    """The trained weights of a network as one vector: layer by layer, each array row by row.

    Parameters
    ----------
    network : Model
    """

    def __init__(self, network: Model) -> None:
        engine = network._engine
        self.arrays = [array for array in engine.trained_parameters() if array is not None]
        self.size = sum(array.size for array in self.arrays)
        rules = [
            (parameter, operation.rules[j].l1, operation.rules[j].l2) if j < len(operation.rules) else (parameter, 0, 0)
            for operation in engine.operations
            if operation.trainable
            for j, parameter in enumerate(operation.parameters)
            if parameter is not None
        ]
        self.has_l1 = any(l1 for _, l1, _ in rules)
        #: For each weight, the factor of its square in the penalty.
        self.l2 = np.concatenate([np.zeros(0), *(np.full(array.size, l2, np.float64) for array, _, l2 in rules)])

    def get(self, dtype: npt.DTypeLike = np.float64) -> Array:
        """Copy the weights to a vector."""
        return np.concatenate([np.zeros(0, dtype), *(array.ravel() for array in self.arrays)], dtype=dtype)

    def set(self, theta: Array) -> None:
        """Copy a vector to the weights, in their dtype."""
        place = 0
        with np.errstate(over="ignore"):  # a solver's trial step may overflow in float32; its loss is then not finite
            for array in self.arrays:
                array[...] = theta[place : place + array.size].reshape(array.shape)
                place += array.size
