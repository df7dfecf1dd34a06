"""The state of an optimizer for one network: its memory, step and learning rate."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cynn import layers, registry, schedules
from cynn.components import schema
from cynn.components.configurable import config_of
from cynn.engine.operations import UpdateSettings
from cynn.engine.optimizer_kernel import OptimizerKernel
from cynn.engine.workspace import aligned_copy, aligned_zeros
from cynn.errors import CynnError, InvalidParameterError, shown
from cynn.saving import provenance
from cynn.schedules.monitoring import Directions
from cynn.training.solver_state import SolverState, is_solver

if TYPE_CHECKING:
    from cynn.model import Model
    from cynn.optimizers import Optimizer

__all__ = ["OptimizerState", "optimizer_state", "update_state"]


class OptimizerState:
    """An optimizer, and its memory for the parameters of one network."""

    #: Only a solver may end a training.
    is_done = False

    def __init__(self, optimizer: Optimizer, network: Model) -> None:
        optimizer.check_held(network.dtype)
        self.optimizer = optimizer
        self.dtype = network.dtype
        self.t = 0
        self.n_slots = OptimizerKernel(optimizer).n_slots
        parameters = network._engine.trained_parameters()
        self.slots = [
            [aligned_zeros(parameter.shape, network.dtype) for _ in range(self.n_slots)]
            if parameter is not None
            else []
            for parameter in parameters
        ]
        averaged = parameters if optimizer.use_ema else []
        self.settings = _settings_of(optimizer, [None if p is None else _own(p) for p in averaged])
        self._first: Any = optimizer.learning_rate  # the learning rate at the beginning of this fit
        self._given: Any = None
        self._schedule: schedules.Schedule | None = None
        self._directions: Directions = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_schedule": copy.deepcopy(self._schedule)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Copy the arrays that the engine writes: unpickled arrays may be read-only or share memory."""
        self.__dict__.update(state)
        self.slots = [[_own(slot) for slot in of_one] for of_one in self.slots]
        averages = [None if mean is None else _own(mean) for mean in self.settings.averages]
        self.settings = _settings_of(self.optimizer, averages)

    @property
    def schedule(self) -> schedules.Schedule:
        """The schedule of the learning rate; a new one if the optimizer was given another learning rate."""
        given = self.optimizer.learning_rate
        if self._schedule is None or given is not self._given:
            self._given, self._schedule = given, schedules.started(given)
            self._schedule.on_train_begin(self._directions)
        return self._schedule

    @property
    def has_schedule(self) -> bool:
        """Whether the learning rate is not a number."""
        return callable(self.optimizer.learning_rate)

    def rates(self, count: int, total_steps: int | None, *, ahead: int = 0) -> npt.NDArray[np.float64]:
        """The learning rates of `count` steps, starting `ahead` steps after the next one."""
        return self.schedule.rates(self.t + ahead, count, total_steps)

    def begin(self, network: Model, greater_is_better: Directions) -> None:
        """Begin a fit: averages start at the current weights; the schedule learns which metrics should increase."""
        self._first, self._directions = self.optimizer.learning_rate, greater_is_better
        self.schedule.on_train_begin(greater_is_better)
        for mean, parameter in zip(self.settings.averages, network._engine.trained_parameters(), strict=False):
            if mean is not None:
                mean[...] = parameter

    def averaged(self, network: Model) -> list[Any] | None:
        """The weights of the network, with averages instead of trained parameters; None if nothing is averaged."""
        if not self.settings.averages:
            return None
        parameters = network._engine.trained_parameters()
        mean_of = {
            parameter.ctypes.data: mean
            for parameter, mean in zip(parameters, self.settings.averages, strict=True)
            if parameter is not None and mean is not None
        }
        own = (array for _, array in layers.arrays(network.layers))
        return [mean_of.get(array.ctypes.data, array).reshape(array.shape).copy() for array in own]

    def on_epoch_end(self, logs: Mapping[str, float]) -> None:
        """Give the figures of an epoch to the schedule."""
        self.schedule.on_epoch_end(logs)

    def figures(self) -> dict[str, float]:
        """Further figures for the history."""
        return {}

    def get_config(self) -> dict[str, Any]:
        """The configuration of the optimizer. A learning rate that is a function is replaced by its name."""
        try:
            return self.optimizer.get_config()
        except CynnError:
            rate = self.optimizer.learning_rate
            name = getattr(rate, "__qualname__", type(rate).__qualname__)
            return {"name": self.optimizer.name, **self.optimizer._parameters(), "learning_rate": name}

    def get_state(self) -> dict[str, Any]:
        """The state for a checkpoint."""
        rate = self.optimizer.learning_rate
        if rate is not self._first:
            provenance.require_known(rate)
        return {
            "t": self.t,
            "slots": self.slots,
            "averages": self.settings.averages,
            "schedule": self.schedule.get_state(),
            "learning_rate": None if rate is self._first else config_of(rate),
        }

    def state_schema(self) -> Any:
        """The schema of `get_state` for this network."""
        known = {
            "t": schema.whole_number(),
            "slots": [[schema.array_like(slot, is_finite=False) for slot in of_one] for of_one in self.slots],
            "averages": [
                schema.NOTHING if mean is None else schema.array_like(mean) for mean in self.settings.averages
            ],
            "learning_rate": schema.Optional(_RATE),
        }

        def with_schedule(state: Mapping[str, Any]) -> Any:
            return {**known, "schedule": schema.of_state(schedules.started(self._rate_of(state)))}

        return schema.Then(schema.Having(known), with_schedule)

    def _rate_of(self, state: Mapping[str, Any]) -> Any:
        """The learning rate of the optimizer, or the one assigned to it during the training."""
        given = state["learning_rate"]
        if given is None:
            return self.optimizer.learning_rate
        return schedules.learning_rate_of(given, "learning_rate", type(self.optimizer).__name__)

    def check_rates(self, state: Mapping[str, Any], first: int, count: int, total_steps: int) -> None:
        """Raise an error unless the schedule of a state has rates for `count` steps."""
        self.schedule_of(state).rates(first, count, total_steps)

    def schedule_of(self, state: Mapping[str, Any]) -> schedules.Schedule:
        """Make the schedule that a state describes; the state must fit its schema."""
        schedule = schedules.started(self._rate_of(state))
        with schema.taken_by(repr(schedule)):
            schedule.set_state(state["schedule"])
        return schedule

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Continue from what `get_state` returned; it must fit its schema."""
        for slots, saved in zip(self.slots, state["slots"], strict=True):
            for slot, values in zip(slots, saved, strict=True):
                slot[...] = values
        for mean, values in zip(self.settings.averages, state["averages"], strict=True):
            if mean is not None:
                mean[...] = values
        self.t = state["t"]
        if state["learning_rate"] is not None:
            self.optimizer.learning_rate = self._rate_of(state)
        self.schedule.set_state(state["schedule"])


def _settings_of(optimizer: Optimizer, averages: list[npt.NDArray[Any] | None]) -> UpdateSettings:
    return UpdateSettings(
        clip_value=optimizer.clipvalue,
        clip_norm=optimizer.clipnorm,
        global_clip_norm=optimizer.global_clipnorm,
        accumulation=int(optimizer.gradient_accumulation_steps),
        average_momentum=optimizer.ema_momentum if optimizer.use_ema else 0.0,
        averages=averages,
        decay_place=optimizer.decay_place,
        decays_biases=optimizer.decay_biases,
        is_decay_scheduled=optimizer.decay_schedule is not None,
    )


def _own(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return aligned_copy(array, array.dtype.newbyteorder("="))


# JSON has no functions, and `learning_rate_of` checks the rest.
_RATE = schema.Kind("a number or the configuration of a schedule", lambda value: type(value) in (int, float, dict))


def optimizer_state(network: Model, optimizer: Any, *, equal_goes_on: bool = False) -> OptimizerState:
    """Return the network's optimizer state if `optimizer` is None or the same instance as before; else a new state.

    With `equal_goes_on`, an equal optimizer keeps the state, too.
    """
    state: OptimizerState | None = network._optimizer_state
    if is_solver(optimizer) or (optimizer is None and isinstance(state, SolverState)):
        raise InvalidParameterError(
            "The 'optimizer' parameter of train_batch and diagnose must be an optimizer: a solver takes steps on a "
            "loss that it may evaluate again, with fit. Got "
            f"{shown(optimizer) if state is None or optimizer is not None else state.optimizer!r} instead."
        )
    if optimizer is None and state is None:
        optimizer = "adam"
    if optimizer is not None and (state is None or optimizer is not state.optimizer):
        found = registry.optimizers.get(optimizer)
        if not (equal_goes_on and state is not None and found == state.optimizer):
            state = OptimizerState(found, network)
    assert state is not None
    if state.n_slots != OptimizerKernel(state.optimizer).n_slots:
        state = OptimizerState(state.optimizer, network)  # momentum was added or removed
    network._optimizer_state = state
    return state


def update_state(network: Model, given: Any) -> OptimizerState | SolverState:
    """Return the state of an optimizer or of a solver with which `fit` takes its steps.

    None means the same as before. The same instance of an optimizer or a solver continues with its state.
    """
    state: OptimizerState | SolverState | None = network._optimizer_state
    if isinstance(state, SolverState) and (given is None or given is state.optimizer):
        return state
    if not is_solver(given):
        return optimizer_state(network, given)
    network._optimizer_state = solver = SolverState(registry.solvers.get(given), network)
    return solver
