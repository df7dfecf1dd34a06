"""Takes over the state of another library's optimizer, for a network that was converted from that library."""

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
    """Let the next `fit` continue with the state of another library's optimizer.

    This happens if `fit` gets no optimizer, or this instance.

    Parameters
    ----------
    network : Network
    optimizer : Optimizer
    memory : list of (array, list of array)
        An array of a layer of the network, and the state arrays for it, in the order of the optimizer's slots. The
        slots of other arrays stay 0.
    steps : int
        The number of steps that the optimizer has taken.
    """
    state = OptimizerState(optimizer, network)
    slots_of = {array.ctypes.data: slots for array, slots in memory}
    for parameter, slots in zip(network._engine.trained_parameters(), state.slots, strict=True):
        if parameter is not None:
            for slot, values in zip(slots, slots_of.get(parameter.ctypes.data, ()), strict=False):
                slot[...] = values.reshape(slot.shape)
    state.t = steps
    network._optimizer_state = state
