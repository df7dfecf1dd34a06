"""`Network.evaluate`: the loss and the metrics of predictions."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from cynn import metrics
from cynn.data.row_weights import RowWeights
from cynn.engine import threads
from cynn.engine.batch_copier import BatchCopier
from cynn.engine.engine import TILE_ROWS
from cynn.engine.plans import are_given_again
from cynn.errors import ShapeError, check_switch
from cynn.training import derivative_losses

if TYPE_CHECKING:
    from cynn.data.objective import Objective
    from cynn.data.targets import Targets
    from cynn.model import Model

__all__ = ["checked", "counted", "evaluate", "figures", "weighed"]

Array = npt.NDArray[Any]
#: Rows, their targets and their weights.
Checked = tuple[Array, "Targets", "RowWeights"]


def evaluate(
    network: Model,
    x: Any,
    y: Any,
    loss: Any,
    loss_weights: Any,
    metrics: Any,
    sample_weight: Any,
    n_threads: int | None,
    check_finite: bool,
    dy_dx: Any = None,
    derivative_weight: Any = None,
    directions: Any = None,
) -> dict[str, float]:
    """`Network.evaluate`."""
    check_finite = check_switch(check_finite, "check_finite", "evaluate")
    plans, objective = network._plans, network.objective(loss, loss_weights)
    objective = derivative_losses.objective_with(network, objective, dy_dx, directions, derivative_weight, "evaluate")
    plans.take("evaluate")  # drops the kept plan, which was for other settings or dtypes
    rows, target, weights = checked(
        network, objective, x, y, sample_weight, "", check_finite=check_finite, derivatives=(dy_dx, directions)
    )
    if objective.takes_plain_targets and target.derivatives is None:
        plans.keep("evaluate", EvaluationPlan(network, objective, (loss, loss_weights), target))
    counts = counted(rows, target, weights)
    return figures(network, objective, *counts, _of_outputs(objective.outputs, metrics), n_threads)


class EvaluationPlan:
    """The fast path of `Network.evaluate` for few rows: buffers for the targets, and where the losses read.

    Parameters
    ----------
    network : Model
    objective : Objective
        A loss that takes targets without conversion.
    given : tuple
        The loss and its weights, as given by the user.
    target : Targets
        An example of the form and the dtype of the targets.
    """

    def __init__(self, network: Model, objective: Objective, given: tuple[Any, Any], target: Targets) -> None:
        self._network, self._objective, self._given = network, objective, given
        self._values = network.values_for_loss(objective)
        self._kernel, (self._activation,) = objective.kernels[0], network._output_activations()
        self._is_fused = self._kernel.fuses_behind(self._activation)
        self._is_penalized = bool(network.penalized())
        self._target = made = target.with_room(TILE_ROWS)
        self._copier = BatchCopier(network.dtype, None, made.values, made.classes, made.outputs, [], TILE_ROWS)

    def again(
        self,
        x: Any,
        y: Any,
        loss: Any,
        loss_weights: Any,
        metrics: Any,
        sample_weight: Any,
        n_threads: Any,
        check_finite: Any,
    ) -> dict[str, float] | None:
        """The fast path of `Network.evaluate`: see `cynn.engine.plans`."""
        if (
            sample_weight is not None
            or (check_finite is not True and check_finite is not False)
            or not are_given_again((loss, loss_weights), self._given)
        ):
            return None
        if n_threads is not None:
            threads.resolve(n_threads)
        found = self._network._engine.values_of_small_batch(x, self._values, check_finite)
        if found is None or found[0].ndim != 2:
            return None
        n = len(found[0])
        if not self._copier.put_targets(0, n, y, check_finite):
            return None
        target, objective = self._target.first(n), self._objective
        if target.values is not None:
            objective.losses[0].check_target(target.values)
        total = self._kernel.total(found[0], target.values, target.classes, None, self._is_fused)
        result = {"loss": objective.weights[0] * (total / n)}
        if self._is_penalized:
            result["loss"] += self._network.penalty()
        if metrics is not None:
            if self._is_fused and self._activation is not None:
                found = [self._activation.forward(found[0])]
            for name, metric in _of_outputs(objective.outputs, metrics).items():
                result[name] = metric(target, found, RowWeights([None], ["x"]))
        return result


def checked(
    network: Model,
    objective: Objective,
    x: Any,
    y: Any,
    sample_weight: Any,
    prefix: str,
    *,
    check_finite: bool,
    look_at_x: bool = True,
    needs_scale: bool = True,
    derivatives: tuple[Any, Any] = (None, None),
) -> Checked:
    """Validate and convert x, y, weights, and derivatives with directions.

    Rows of weight 0 are not checked. x is checked only if `look_at_x`. Without `needs_scale`, the scale of the input
    need not be known yet.
    """
    rows = network.as_rows(x, f"{prefix}x", needs_scale=needs_scale)
    if len(rows) == 0:
        raise ShapeError(f"{prefix}x must have at least one row. Got none instead.")
    weights = objective.sample_weights(sample_weight, len(rows))
    if look_at_x:
        network.check_rows(rows, f"{prefix}x", weights.places(), check_finite=check_finite)
    target = objective.targets(y, len(rows), f"{prefix}y", weights, check_finite=check_finite)
    target.derivatives = objective.derivatives(*derivatives, network.input.units, len(rows), prefix + "{}", weights)
    return rows, target, weights


def counted(rows: Array, target: Targets, weights: RowWeights) -> Checked:
    """Return the rows whose weight is not 0, with their weights divided by the mean weight."""
    places = weights.places()
    if places is not None:
        rows, target, weights = rows[places], target.take(places), weights.take(places)
    return weighed(rows, target, weights.scaled())


def weighed(rows: Array, target: Targets, weights: RowWeights, places: Array | None = None) -> Checked:
    """Return the same with the final row weights, which also apply to the losses of derivatives at these places."""
    if target.derivatives is not None:
        target.derivatives.weigh(weights, places)
    return rows, target, weights


def figures(
    network: Model,
    objective: Objective,
    rows: Array,
    target: Targets,
    weights: RowWeights,
    metrics_by_name: dict[str, metrics.Directed],
    n_threads: int | None,
    name: str = "x",
) -> dict[str, float]:
    """Return the loss and the metrics for rows from `counted`. Error messages call the rows `name`."""
    found = network.outputs_for_loss(objective, rows, n_threads, name)
    losses, predictions = [], []
    for kernel, part, weight, (prediction, activation) in zip(
        objective.kernels, target.parts, weights.each, found, strict=True
    ):
        fused = kernel.fuses_behind(activation)
        losses.append(kernel.total(prediction, part.values, part.classes, weight, fused) / len(rows))
        if metrics_by_name:
            predictions.append(activation.forward(prediction) if fused and activation is not None else prediction)
    result = {"loss": sum(map(operator.mul, objective.weights, losses)) + network.penalty()}
    result |= of_each_output(objective, losses)
    if target.derivatives is not None:
        of_derivatives = derivative_losses.mean_losses(network, rows, target.derivatives, n_threads)
        result["loss"] += sum(map(operator.mul, target.derivatives.loss_weights, of_derivatives))
        result |= objective.derivative_figures(of_derivatives)
    for name, metric in metrics_by_name.items():
        result[name] = metric(target, predictions, weights)
    return result


def of_each_output(objective: Objective, losses: Iterable[float]) -> dict[str, float]:
    """The loss of each output by its name in the history; empty if there is one output."""
    if objective.outputs.is_one:
        return {}
    return {f"{name}_loss": float(loss) for name, loss in zip(objective.outputs.names, losses, strict=True)}


_of_outputs = metrics.of_outputs  # the functions below have a parameter named `metrics`
