"""The batch source of solvers: one step of a solver per batch, which usually has all rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cynn.components import schema
from cynn.data.row_weights import RowWeights
from cynn.data.targets import Targets
from cynn.engine.abi_checks import raise_plugin_error
from cynn.engine.trainer import Diverged
from cynn.errors import CynnError, InvalidParameterError, PluginError, shown
from cynn.training.batches import RowBatches
from cynn.training.problem import Problem, check_deterministic, check_smooth, check_sum_of_squares
from cynn.training.solver_state import SolverState
from cynn.training.trained_weights import TrainedWeights

if TYPE_CHECKING:
    from cynn.data.objective import Objective
    from cynn.model import Model
    from cynn.training.context import TrainingContext
    from cynn.training.fit_options import FitOptions

__all__ = ["SolverBatches", "check"]

Array = npt.NDArray[Any]


def check(network: Model, objective: Objective, solver: Any, x_gives_batches: bool, options: FitOptions) -> None:
    """Raise an InvalidParameterError for options that a solver does not support, before training begins."""
    owner = f"fit with the solver {solver.name!r}"
    if x_gives_batches:
        raise InvalidParameterError(
            f"{owner} must be given arrays x and y, whose loss it may evaluate as often as it needs. Got an x that "
            "gives batches instead."
        )
    if options.transform is not None:
        raise InvalidParameterError(
            f"The 'transform' parameter of {owner} must be left out: a solver looks at the same rows several times in "
            "a step, and must see the same. Got one instead."
        )
    if options.communicator is not None:
        raise InvalidParameterError(
            f"The 'communicator' parameter of {owner} must be left out: a solver runs in one process. Got one instead."
        )
    check_deterministic(network)
    weights = TrainedWeights(network)
    solver.check_size(weights.size)
    if solver.least_squares:
        check_sum_of_squares(objective, weights)
    check_smooth(weights)


class SolverBatches(RowBatches):
    """Batches of rows of an array, each for one step of a solver."""

    def __init__(
        self,
        context: TrainingContext,
        state: SolverState,
        rows: Array,
        target: Targets,
        weights: RowWeights,
        batch_size: int | None,
        order_of: Callable[[int], npt.NDArray[np.int64]],
        places: npt.NDArray[np.int64],
        keep_predictions: bool,
    ) -> None:
        self.context, self.state = context, state
        n = len(places)
        self.rows, self.target, self.weights, self.n = rows, target, weights, n
        self.batch_size = self.capacity = n if batch_size is None else min(batch_size, n)
        solver = self.state.optimizer
        if solver.full_batch and self.batch_size < n:
            raise InvalidParameterError(
                f"The 'batch_size' parameter of fit with the solver {solver.name!r} must be left out, or that of all "
                f"{n} rows: it compares gradients of one function. Got {shown(batch_size)} instead."
            )
        # with all rows in one batch, their order does not matter
        self.order_of = order_of if self.batch_size < n else lambda epoch: places
        self.rows_per_epoch: int | None = n
        self.steps_per_epoch: int | None = -(-n // self.batch_size)
        self.last_rate: float | None = None
        self.predictions = context.room_for_predictions(n) if keep_predictions else None
        self.problem = Problem(
            context.network, context.objective, rows, target, weights, places, context.n_threads, context.check_finite,
            by_squares=solver.least_squares,
        )  # fmt: skip

    def begin_epoch(self, number: int, total_steps: int | None, state: Mapping[str, Any] | None = None) -> None:
        order = self.order_of(number)
        self.is_new_order = self.batch_size < self.n
        self.order = order
        self.step = state["step"] if state else 0
        self.rows_done = min(self.n, self.step * self.batch_size)
        self._sums = state["sums"].copy() if state else np.zeros(self.context.objective.n_sums)
        if state and self.predictions is not None:
            for own, saved in zip(self._seen_predictions(), state["predictions"], strict=True):
                own[...] = saved

    def take_steps(self, seconds: float, max_steps: int) -> bool:
        if self.rows_done == self.n:
            return False
        batch = self.order[self.rows_done : self.rows_done + self.batch_size]
        with self.context.network._weights_lock.turn():
            self._take_step(batch)
        self.step += 1
        self.rows_done += len(batch)
        return True

    def _take_step(self, batch: npt.NDArray[np.int64]) -> None:
        problem, state = self.problem, self.state
        if self.is_new_order:
            problem.set_batch(np.ascontiguousarray(batch))
        theta = problem.weights.get()
        try:
            sums = problem.sums(theta)
            loss = float(self.context.objective.mean_losses(sums)[0])
            if not np.isfinite(loss):
                raise Diverged(self.step, "loss", loss)
            self._predict(batch)
            moved, memory = self._stepped(theta)
        except BaseException:
            problem.weights.set(theta)
            raise
        problem.weights.set(moved)
        problem.constrain()
        self._sums += sums
        state.memory = memory
        state.t += 1
        state.is_done = self.batch_size == self.n and bool(state.optimizer.is_done(memory))

    def _stepped(self, theta: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], Any]:
        solver = self.state.optimizer
        try:
            with np.errstate(over="ignore", invalid="ignore"):  # a trial step with an infinite loss is rejected
                moved, memory = solver.step(self.problem, theta.copy(), self.state.memory)
        except CynnError:
            raise
        except Exception as error:
            raise_plugin_error(solver, error)
        moved = np.asarray(moved)
        if moved.shape != theta.shape or moved.dtype.kind != "f":
            raise PluginError(
                f"The step of {type(solver).__name__} must return a vector of {len(theta)} numbers. Got {shown(moved)} "
                "instead."
            )
        return moved, self.state.checked(memory)

    def _predict(self, batch: npt.NDArray[np.int64]) -> None:
        """Predict with the weights from before the step."""
        if self.predictions is not None:
            network = self.context.network
            seen = slice(self.rows_done, self.rows_done + len(batch))
            outputs = [np.empty((len(batch), each.shape[1]), each.dtype) for each in self.predictions]
            network.forward(self.rows[batch], network._outputs.values, outputs, self.context.n_threads)
            for own, found in zip(self.predictions, outputs, strict=True):
                own[seen] = found

    def sums(self) -> npt.NDArray[np.float64]:
        return self._sums.copy()

    def is_finite(self) -> bool:
        return all(np.isfinite(array).all() for array in self.problem.weights.arrays)

    def get_state(self) -> dict[str, Any]:
        return {"step": self.step, "sums": self.sums(), "predictions": self._seen_predictions()}

    def state_schema(self) -> Any:
        assert self.steps_per_epoch is not None

        def with_predictions(state: Mapping[str, Any]) -> Any:
            rows = min(self.n, state["step"] * self.batch_size)
            seen = [] if self.predictions is None else self.context.schemas_of_predictions(rows)
            sums = schema.array((self.context.objective.n_sums,), np.float64)
            return {"sums": sums, "step": schema.ANYTHING, "predictions": seen}

        return schema.Then(schema.Having({"step": schema.whole_number(0, self.steps_per_epoch)}), with_predictions)

    def gather_memory(self) -> None:
        pass
