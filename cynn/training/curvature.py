"""The Hessian of the loss by the trained weights, times a vector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cynn.engine import directional
from cynn.engine.operations import UpdateSettings
from cynn.engine.trainer import Diverged, Trainer
from cynn.training.trained_weights import TrainedWeights

if TYPE_CHECKING:
    from cynn.data.objective import Objective
    from cynn.data.row_weights import RowWeights
    from cynn.data.targets import Targets
    from cynn.model import Model

__all__ = ["HessianProduct"]

Array = npt.NDArray[Any]
Vector = npt.NDArray[np.float64]


class HessianProduct:
    """Computes H v of the loss of a network on some rows, and its L2 penalty, at the weights that it has.

    Parameters
    ----------
    network : Network
    objective : Objective
    rows, target, weights : array, Targets, RowWeights
        Checked data.
    n_threads : int
        The largest number of threads to use.
    chunk : int
        The number of rows at once.

    Raises
    ------
    PluginError
        A part has no function for it.
    """

    def __init__(
        self,
        network: Model,
        objective: Objective,
        rows: Array,
        target: Targets,
        weights: RowWeights,
        n_threads: int,
        chunk: int,
    ) -> None:
        engine = network._engine
        functions = ["jvp", "backward_jvp", "gradient_jvp"]
        directional.require(engine.operations, network.dtype, functions, "hvp")
        for kernel, activation in zip(objective.kernels, network._output_activations(), strict=True):
            if not kernel.has_backward_jvp(activation, network.dtype):
                directional.refuse(kernel.component, kernel.is_python, "backward_jvp", network.dtype, "hvp")
        self._weights = TrainedWeights(network)
        self._chunk = chunk
        self._directions = [None if w is None else np.zeros_like(w) for w in engine.trained_parameters()]
        self._trainer = Trainer(
            engine, rows, [(part.values, part.classes) for part in target.parts], weights.each, weights.rows,
            objective.kernels, objective.weights, None, [], UpdateSettings(regularizes=False), chunk, n_threads,
            direction=self._directions,
        )  # fmt: skip

    def __call__(self, order: npt.NDArray[np.int64], v: Vector) -> Vector:
        """H v of the rows with these numbers; NaN where the loss is not finite."""
        place = 0
        for direction in self._directions:
            if direction is not None:
                direction[...] = v[place : place + direction.size].reshape(direction.shape)
                place += direction.size
        found: Vector = 2 * self._weights.l2 * v
        for begin in range(0, len(order), self._chunk):
            rows = order[begin : begin + self._chunk]
            self._trainer.begin_epoch(False, 0)
            try:
                self._trainer.run(rows, 0, 1, np.zeros(1), None, 0.0)
            except Diverged:
                return np.full_like(found, np.nan)
            parts = [part.ravel() for part in self._trainer.gradients if part is not None]
            found += np.concatenate([np.zeros(0), *parts]) * (len(rows) / len(order))
        return found
