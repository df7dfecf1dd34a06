"""The state of a solver for one network: its memory and its steps. `fit` uses it like the state of an optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cynn import registry
from cynn.components import schema
from cynn.engine.operations import UpdateSettings
from cynn.errors import PluginError, unknown_name
from cynn.training.trained_weights import TrainedWeights

if TYPE_CHECKING:
    from cynn.model import Model
    from cynn.schedules.monitoring import Directions
    from cynn.solvers import Solver
    from cynn.solvers.base import Memory

__all__ = ["SolverState", "is_solver", "solver_of"]


class SolverState:
    """A solver, and its memory of the training of one network.

    Parameters
    ----------
    solver : Solver
    network : Model
    """

    has_schedule = False

    def __init__(self, solver: Solver, network: Model) -> None:
        self.optimizer = solver
        self.dtype = network.dtype
        self.t = 0
        self.n_parameters = TrainedWeights(network).size
        self.slots: list[list[Any]] = []
        self.settings = UpdateSettings()
        self.memory: Memory = solver.start(self.n_parameters)
        self.is_done = False

    def begin(self, network: Model, greater_is_better: Directions) -> None:
        """Begin a fit. The data may have changed, so the solver has not finished."""
        self.is_done = False

    def averaged(self, network: Model) -> None:
        """Do nothing: a solver does not average weights."""

    def on_epoch_end(self, logs: Mapping[str, float]) -> None:
        """Do nothing: a solver has no schedule."""

    def figures(self) -> dict[str, float]:
        """Further figures for the history."""
        return self.optimizer.figures(self.memory)

    def checked(self, memory: Any) -> Memory:
        """Check the memory that a step returned."""
        own = self.memory
        is_like = isinstance(memory, Mapping) and memory.keys() == own.keys()
        found = {name: np.asarray(memory[name], np.float64) for name in own} if is_like else {}
        if not is_like or any(found[name].shape != own[name].shape for name in own):
            raise PluginError(
                f"The step of {type(self.optimizer).__name__} must return a memory with the names and the shapes of "
                f"what start returned, {list(own)}. Got another one instead."
            )
        return found

    def get_config(self) -> dict[str, Any]:
        """The configuration of the solver."""
        return self.optimizer.get_config()

    def get_state(self) -> dict[str, Any]:
        """The state for a checkpoint."""
        return {"t": self.t, "memory": dict(self.memory), "is_done": self.is_done}

    def state_schema(self) -> Any:
        """The schema of `get_state` for this network."""
        memory = {name: schema.array_like(np.asarray(array), is_finite=False) for name, array in self.memory.items()}
        return {"t": schema.whole_number(), "memory": memory, "is_done": schema.SWITCH}

    def check_rates(self, state: Mapping[str, Any], first: int, count: int, total_steps: int) -> None:
        """Do nothing: a solver has no learning rates."""

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Continue from what `get_state` returned; it must fit its schema."""
        self.t, self.memory, self.is_done = state["t"], dict(state["memory"]), state["is_done"]


def is_solver(spec: Any) -> bool:
    """Whether the value of `optimizer=` means a solver. Raises a PluginError for a name of both kinds."""
    name = spec.get("name") if isinstance(spec, Mapping) else spec
    if not isinstance(name, str):
        base = registry.solvers._base
        return isinstance(spec, base) or (isinstance(spec, type) and issubclass(spec, base))
    package, _, bare = name.rpartition(":")
    if not package:
        for kind in ("optimizer", "solver"):
            if bare in registry.of_kind(kind).builtins:
                return kind == "solver"
    offers = {kind: registry.of_kind(kind).offers(bare) for kind in ("optimizer", "solver")}
    known = [
        kind
        for kind, offered in offers.items()
        if (package in offered if package else registry.of_kind(kind).has(bare))
    ]
    if not known and not package:
        names = (name for kind in offers for name in registry.of_kind(kind).names())
        raise unknown_name("optimizer", bare, names)
    if len(known) > 1:
        raise PluginError(
            f"The name {name!r} must be that of an optimizer or of a solver. Got both: an optimizer of "
            f"{' and '.join(offers['optimizer']) or 'this process'}, and a solver of "
            f"{' and '.join(offers['solver']) or 'this process'}."
        )
    return known == ["solver"]


def solver_of(given: Any, state: Any) -> Solver | None:
    """The solver that `optimizer=` means; None if it means an optimizer. By default, the solver of the last fit."""
    if given is None:
        return state.optimizer if isinstance(state, SolverState) else None
    return registry.solvers.get(given) if is_solver(given) else None
