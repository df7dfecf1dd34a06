"""The memory of an optimizer that another library has trained with, for a network that was adopted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from cynn.training.optimizer_state import OptimizerState

if TYPE_CHECKING:
    from cynn.model import Model
    from cynn.optimizers import Optimizer

__all__ = ["set_optimizer_memory"]

Array = npt.NDArray[Any]


def set_optimizer_memory(
    network: Model, optimizer: Optimizer, memory: Sequence[tuple[Array, Sequence[Array]]], steps: int
) -> None:
    """Let the next `fit` without an optimizer, or with this one, go on from a memory.

    Parameters
    ----------
    network : Network
    optimizer : Optimizer
    memory : list of (array, list of array)
        An array of a layer of the network, and what the optimizer remembers of it, in the order of its slots. Of others
        it remembers nothing.
    steps : int
        How many steps it has taken.
    """
    state = OptimizerState(optimizer, network)
    slots_of = {array.ctypes.data: slots for array, slots in memory}
    for parameter, slots in zip(network._engine.trained_parameters(), state.slots, strict=True):
        if parameter is not None:
            for slot, values in zip(slots, slots_of.get(parameter.ctypes.data, ()), strict=False):
                slot[...] = values.reshape(slot.shape)
    state.t = steps
    network._optimizer_state = state
