"""`Network.evaluate`: the loss and the metrics of predictions."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from cynn import data, metrics
from cynn.errors import ShapeError, check_switch

if TYPE_CHECKING:
    from cynn.network import Network
    from cynn.objective import Objective, Weights

__all__ = ["evaluate", "figures"]

Array = npt.NDArray[Any]


def evaluate(
    network: Network,
    x: Any,
    y: Any,
    *,
    loss: Any,
    loss_weights: Any,
    metrics: Any,
    sample_weight: Any,
    n_threads: int | None,
    check_finite: bool,
) -> dict[str, float]:
    """`Network.evaluate`."""
    check_finite = check_switch(check_finite, "check_finite", "evaluate")
    objective = network.objective(loss, loss_weights)
    rows = network.as_rows(x, "x", check_finite=check_finite)
    target = objective.targets(y, len(rows), "y", check_finite=check_finite)
    weights = objective.sample_weights(sample_weight, len(rows))
    return figures(
        network, objective, rows, target, weights, _of_outputs(objective.outputs, metrics), n_threads
    )


def figures(
    network: Network,
    objective: Objective,
    rows: Array,
    target: data.Targets,
    weights: Weights,
    metrics_by_name: dict[str, metrics.Directed],
    n_threads: int | None,
) -> dict[str, float]:
    """What `evaluate` returns, for data that has been checked."""
    if len(rows) == 0:
        raise ShapeError("x must have at least one row. Got none instead.")
    found = network.outputs_for_loss(objective, rows, n_threads)
    losses, predictions = [], []
    for kernel, part, weight, (prediction, activation) in zip(
        objective.kernels, target.parts, weights, found, strict=True
    ):
        fused = kernel.fuses_behind(activation)
        n = len(rows) if weight is None else float(weight.sum())
        losses.append(kernel.total(prediction, part.values, part.classes, weight, fused) / n)
        if metrics_by_name:
            predictions.append(activation.forward(prediction) if fused and activation is not None else prediction)
    result = {"loss": sum(map(operator.mul, objective.weights, losses)) + network.penalty()}
    result |= of_each_output(objective, losses)
    for name, metric in metrics_by_name.items():
        result[name] = metric(target, predictions)
    return result


def of_each_output(objective: Objective, losses: Iterable[float]) -> dict[str, float]:
    """The loss of each output by its name in the history; nothing where there is one output."""
    if objective.outputs.is_one:
        return {}
    return {f"{name}_loss": float(loss) for name, loss in zip(objective.outputs.names, losses, strict=True)}


_of_outputs = metrics.of_outputs  # `metrics` is a parameter where it is needed
