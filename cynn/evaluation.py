"""`Network.evaluate`: the loss and the metrics of predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from cynn import data, metrics
from cynn.errors import ShapeError

if TYPE_CHECKING:
    from cynn.kernel_objects import LossKernel
    from cynn.network import Network

__all__ = ["evaluate", "figures"]

Array = npt.NDArray[Any]


def evaluate(
    network: Network,
    x: Any,
    y: Any,
    *,
    loss: Any,
    metrics: Any,
    sample_weight: Any,
    n_threads: int | None,
    check_finite: bool,
) -> dict[str, float]:
    """`Network.evaluate`."""
    kernel = network.loss_kernel(loss)
    rows = network.as_rows(x, "x", check_finite=check_finite)
    target = data.as_targets(y, len(rows), network.outputs, kernel.component, "y", check_finite=check_finite)
    weight = data.as_sample_weight(sample_weight, len(rows))
    return figures(network, kernel, rows, target, weight, _metrics(metrics), n_threads)


def figures(
    network: Network,
    kernel: LossKernel,
    rows: Array,
    target: data.Targets,
    weight: Array | None,
    metrics_by_name: dict[str, metrics.Resolved],
    n_threads: int | None,
) -> dict[str, float]:
    """What `evaluate` returns, for data that has been checked."""
    if len(rows) == 0:
        raise ShapeError("x must have at least one row. Got none instead.")
    prediction, is_z = network.outputs_for_loss(kernel, rows, n_threads)
    total = kernel.total(prediction, target.values, target.classes, weight, is_z)
    mean = total / (len(rows) if weight is None else float(weight.sum()))
    result = {"loss": mean + network.penalty()}
    if metrics_by_name and is_z:
        prediction = network.output_activation.forward(prediction)
    for name, metric in metrics_by_name.items():
        result[name] = metric(target, prediction)
    return result


_metrics = metrics.resolve  # `metrics` is a parameter where it is needed
