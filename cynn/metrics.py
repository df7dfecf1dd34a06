"""Metrics: figures of how well predictions fit, that training does not use."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from cynn.data import Targets
from cynn.errors import InvalidParameterError, unknown_name

__all__ = ["accuracy", "mean_absolute_error", "mean_squared_error", "resolve"]

Array = npt.NDArray[Any]
Metric = Callable[[Targets, Array], float]


def accuracy(target: Targets, prediction: Array) -> float:
    """The share of rows whose class is right: the largest output, or, of one, whether it is over 0.5."""
    if target.outputs == 1:
        predicted = (prediction[:, 0] > 0.5).astype(np.int64)
    else:
        predicted = np.argmax(prediction, axis=1)
    return float(np.mean(predicted == target.as_classes()))


def mean_squared_error(target: Targets, prediction: Array) -> float:
    """The mean over rows and outputs of (prediction - target)²."""
    return float(np.mean((prediction - _values(target)) ** 2))


def mean_absolute_error(target: Targets, prediction: Array) -> float:
    """The mean over rows and outputs of |prediction - target|."""
    return float(np.mean(np.abs(prediction - _values(target))))


def _values(target: Targets) -> Array:
    if target.values is not None:
        return np.asarray(target.values, np.float64)
    return np.eye(target.outputs)[target.as_classes()]


_BUILT_IN: dict[str, Metric] = {
    "accuracy": accuracy,
    "mean_squared_error": mean_squared_error,
    "mse": mean_squared_error,
    "mean_absolute_error": mean_absolute_error,
    "mae": mean_absolute_error,
}


def resolve(metrics: Any) -> dict[str, Metric]:
    """Metrics by name, from names and callables metric(y_true, y_pred); one alone need not be in a list."""
    if metrics is None:
        return {}
    if isinstance(metrics, str) or callable(metrics):
        metrics = [metrics]
    if not isinstance(metrics, Iterable):
        raise InvalidParameterError(
            f"The metrics must be a list of names and callables. Got {metrics!r} instead."
        )
    found: dict[str, Metric] = {}
    for metric in metrics:
        if isinstance(metric, str):
            if metric not in _BUILT_IN:
                raise unknown_name("metric", metric, _BUILT_IN)
            found[metric] = _BUILT_IN[metric]
        elif callable(metric):
            found[getattr(metric, "__name__", type(metric).__name__)] = _adapt(metric)
        else:
            raise InvalidParameterError(f"A metric must be a name or a callable. Got {metric!r} instead.")
    return found


def _adapt(metric: Callable[[Array, Array], Any]) -> Metric:
    return lambda target, prediction: float(metric(target.as_given(), prediction))
