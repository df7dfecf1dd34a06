"""A copy of a network from before a fit, which is restored if a row turns out to be invalid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cynn import layers

if TYPE_CHECKING:
    from cynn.model import Model
    from cynn.training.optimizer_state import OptimizerState

__all__ = ["Snapshot"]

Array = npt.NDArray[Any]
Places = npt.NDArray[np.int64]


class Snapshot:
    """A copy of everything that training changes in a network.

    Parameters
    ----------
    network : Model
    rows, places : array
        The training rows, for the error message.
    """

    def __init__(self, network: Model, rows: Array, places: Places | None) -> None:
        self.network, self.rows, self.places = network, rows, places
        self.history, self.epochs_trained, self.input = network.history, network.epochs_trained, network.input
        self.state: OptimizerState | None = network._optimizer_state
        self.t = self.state.t if self.state else 0
        self.copies = [(array, array.copy()) for array in self._arrays()]

    def _arrays(self) -> list[Array]:
        of_network = [array for _, array in layers.arrays(self.network.layers)]
        return of_network + [slot for slots in (self.state.slots if self.state else []) for slot in slots]

    def restore(self) -> None:
        """Restore the network."""
        with self.network._weights_lock.turn():
            for array, copy in self.copies:
                array[...] = copy
            if self.state:
                self.state.t = self.t
        self.network._optimizer_state = self.state
        self.network.replace_input(self.input)
        self.network.history, self.network.epochs_trained = self.history, self.epochs_trained
