"""The training context: everything that all steps of a training share."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cynn import schedules
from cynn.components import schema
from cynn.data.row_weights import RowWeights
from cynn.data.targets import Targets
from cynn.engine.operations import UpdateSettings
from cynn.engine.optimizer_kernel import OptimizerKernel
from cynn.engine.trainer import Trainer
from cynn.training import moving_averages
from cynn.training.optimizer_state import OptimizerState

if TYPE_CHECKING:
    from cynn.data.objective import Objective
    from cynn.engine.operations import HyperparameterSchedule
    from cynn.model import Model
    from cynn.training.communicator import Communicator

__all__ = ["TrainingContext"]

Array = npt.NDArray[Any]


class TrainingContext:
    """The network, the losses, the optimizer and the options that every step needs.

    Parameters
    ----------
    network : Model
    objective : Objective
    state : OptimizerState or None
        None if no step is taken.
    n_threads : int
    check_finite : bool
    communicator : Communicator, optional
        The ranks that take each step together.
    """

    def __init__(
        self,
        network: Model,
        objective: Objective,
        state: OptimizerState | None,
        n_threads: int,
        check_finite: bool,
        communicator: Communicator | None = None,
    ) -> None:
        self.network = network
        self.objective = objective
        self.state = state
        self.n_threads = n_threads
        self.check_finite = check_finite
        self.communicator = communicator
        self._has_met_a_single_row = False

    def warn_of_a_single_row(self) -> None:
        """Warn once that a batch of one row has no statistics for BatchNorm."""
        if not self._has_met_a_single_row:
            self._has_met_a_single_row = True
            moving_averages.warn_of_a_single_row(self.network)

    def trainer(
        self, rows: Array, target: Targets, weights: RowWeights, batch_size: int, *, keeps_gradients: bool = False
    ) -> Trainer:
        """Make a trainer for these data."""
        settings = self.state.settings if self.state else UpdateSettings()
        if keeps_gradients:
            settings = copy.copy(settings)
            settings.keeps_gradients = True
        kernel = None
        if self.state is not None:
            kernel = OptimizerKernel(self.state.optimizer)
            kernel.require_dtype(self.network.dtype)
        return Trainer(
            self.network._engine,
            rows,
            [(part.values, part.classes) for part in target.parts],
            weights.each,
            weights.rows,
            self.objective.kernels,
            self.objective.weights,
            kernel,
            self.state.slots if self.state else [],
            settings,
            batch_size,
            self.n_threads,
            self.communicator,
            derivatives=target.derivatives,
        )

    @property
    def has_schedule(self) -> bool:
        """Whether the learning rate, or another parameter of a step, changes from step to step."""
        return self.state is not None and (self.state.has_schedule or self.is_scheduled)

    @property
    def is_scheduled(self) -> bool:
        """Whether a parameter of a step other than the learning rate changes from step to step."""
        return self.state is not None and (self.state.settings.is_decay_scheduled or bool(self._schedules()))

    def _schedules(self) -> list[HyperparameterSchedule]:
        return [each.schedule for each in self.network._engine.operations if each.schedule is not None]

    def scheduled(self, count: int, total_steps: int | None, *, ahead: int = 0) -> npt.NDArray[np.float64] | None:
        """The values of the other scheduled parameters, for the same steps as `OptimizerState.rates`."""
        assert self.state is not None
        first, found = self.state.t + ahead, []
        if (decay := self.state.optimizer.decay_schedule) is not None:
            found.append(schedules.started(decay).rates(first, count, total_steps)[:, None])
        found += [schedule(first, count, total_steps) for schedule in self._schedules()]
        return np.concatenate(found, axis=1) if found else None

    def room_for_predictions(self, rows: int) -> list[Array]:
        """Allocate a matrix of predictions for each output."""
        return [np.empty((rows, units), self.network.dtype) for units in self.objective.outputs.units]

    def schemas_of_predictions(self, rows: int) -> list[Any]:
        """The schemas of these matrices in a checkpoint."""
        return [
            schema.array((rows, units), self.network.dtype, is_finite=False) for units in self.objective.outputs.units
        ]

    def schema_of_sums(self) -> dict[str, Any]:
        """The schema of what every batch source writes to a checkpoint."""
        sums = schema.array((self.objective.n_sums,), np.float64)
        return {"sums": sums, "last_rate": schema.number(0)}

    def count(self, trainer: Trainer, take_steps: Callable[[int], object]) -> None:
        """Call `take_steps` with the number t of the next step, and count its steps, even if it raises."""
        assert self.state is not None
        with self.network._weights_lock.turn():
            t_before = self.state.t - trainer.steps
            try:
                take_steps(self.state.t + 1)
            finally:
                # Ctrl-C is raised when `run` returns, and a plugin may raise within it
                self.state.t = t_before + trainer.steps
