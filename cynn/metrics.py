"""Metrics: numbers that measure how good predictions are. Training does not minimize them.

A metric is a name, an object of this module, or any function `metric(y_true, y_pred)`. Functions of `sklearn.metrics`
get their arguments in the form that each expects.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from cynn import registry
from cynn.components.configurable import Configurable
from cynn.components.declarations import number, whole_number
from cynn.data.row_weights import RowWeights, as_sample_weight
from cynn.data.targets import Targets
from cynn.errors import (
    InvalidParameterError,
    ShapeError,
    as_list,
    check_switch,
    shown,
    warn,
)

if TYPE_CHECKING:
    from cynn.data.outputs import Outputs

__all__ = [
    "Accuracy",
    "BinaryAccuracy",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Metric",
    "R2Score",
    "RootMeanSquaredError",
    "TopKAccuracy",
    "greater_is_better",
    "of_outputs",
    "resolve",
]

Array = npt.NDArray[Any]
#: A metric in its internal form: a function of targets, predictions and row weights (or None).
Resolved = Callable[[Targets, Array, Array | None], float]
#: The same for a network: a function of the targets, predictions and weights of all outputs.
OfOutputs = Callable[[Targets, list[Array], RowWeights], float]


class Directed:
    """A metric as a function, with its direction: whether greater is better (None if unknown).

    `part` is the metric object, or None for a function.
    """

    def __init__(
        self, function: Callable[..., float], greater_is_better: bool | None, part: Metric | None = None
    ) -> None:
        self.function = function
        self.greater_is_better = greater_is_better
        self.part = part

    def __call__(self, *args: Any) -> float:
        return self.function(*args)


class Metric(Configurable):
    """The base class of named metrics. A subclass defines `of`. A metric can also be called with arrays.

    Examples
    --------
    >>> import numpy as np
    >>> import cynn
    >>> @cynn.registry.metrics.register
    ... class LargestError(cynn.metrics.Metric):
    ...     name = "largest_error"
    ...     greater_is_better = False
    ...     def of(self, target, prediction, weight=None):
    ...         return float(np.abs(prediction - target.as_values()).max())
    >>> net = cynn.Network([cynn.Input(1), cynn.Dense(1)], seed=0)
    >>> net.layers[0].weights = [[2.0]]
    >>> net.evaluate([[1.0], [2.0]], [2.0, 5.0], metrics=["largest_error"])
    {'loss': 0.5, 'largest_error': 1.0}
    """

    kind = "metric"
    #: Whether a larger value is better; None if unknown.
    greater_is_better: ClassVar[bool | None] = None

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> float:
        """Compute the metric from classes (rows,) or values (rows, outputs), and predictions (rows, outputs).

        A row of weight w counts w times.
        """
        prediction = np.asarray(y_pred)
        prediction = prediction.reshape(len(prediction), -1)
        true, outputs = np.asarray(y_true), prediction.shape[1]
        if len(true) != len(prediction):
            raise ShapeError(
                f"y_true must have as many rows as y_pred, {len(prediction)}. Got {len(true)} instead."
            )
        weight = as_sample_weight(sample_weight, len(true), "sample_weight")
        if true.ndim == 1 and outputs > 1:
            return _of_counted(self.of, Targets(None, true.astype(np.int64), outputs), prediction, weight)
        return _of_counted(self.of, Targets(true.reshape(len(true), -1), None, outputs), prediction, weight)

    def of(self, target: Targets, prediction: Array, weight: Array | None = None) -> float:
        """Compute the metric for checked targets of rows with weight > 0.

        Parameters
        ----------
        target : Targets
            `as_values()` returns numbers of shape (rows, outputs), `as_classes()` classes of shape (rows,).
        prediction : array of shape (rows, outputs)
            The predictions for these rows.
        weight : array of shape (rows,), optional
            The weight of each row; None if all are 1.

        Returns
        -------
        float
            The value of the metric.
        """
        raise NotImplementedError(f"{type(self).__name__} must define of(target, prediction, weight).")


class Accuracy(Metric):
    """The fraction of rows whose class is predicted correctly.

    The predicted class is the largest output. A single output means class 1 if it exceeds a threshold. For several
    labels per row, the metric is the fraction of outputs on the right side of the threshold. The threshold is the
    `decision_threshold` of the loss: 0 for margins such as `hinge`, otherwise half-way between the two targets, such as
    0.5 for 0 and 1.

    Examples
    --------
    >>> from cynn.metrics import Accuracy
    >>> Accuracy()([0, 1], [[0.9, 0.1], [0.8, 0.2]])
    0.5
    """

    name = "accuracy"
    greater_is_better = True

    def of(self, target: Targets, prediction: Array, weight: Array | None = None) -> float:
        if target.kind == "labels":
            return BinaryAccuracy().of(target, prediction, weight)
        return _mean(target.predicted_classes(prediction) == target.as_classes(), weight)


class BinaryAccuracy(Metric):
    """The fraction of outputs on the right side of a threshold.

    Parameters
    ----------
    threshold : float, optional
        Outputs above it mean 1. The default is that of `Accuracy`.

    Examples
    --------
    >>> from cynn.metrics import BinaryAccuracy
    >>> BinaryAccuracy()([[0, 1], [1, 1]], [[0.1, 0.9], [0.8, 0.2]])
    0.75
    """

    name = "binary_accuracy"
    greater_is_better = True
    threshold: float | None = number(default=None)

    def of(self, target: Targets, prediction: Array, weight: Array | None = None) -> float:
        threshold = target.decision_threshold if self.threshold is None else self.threshold
        return _mean((prediction > threshold) == target.as_flags(), weight)


class TopKAccuracy(Metric):
    """The fraction of rows whose class is among the k largest outputs. Among equal outputs, the first ones win.

    Parameters
    ----------
    k : int
        The number of outputs.

    Examples
    --------
    >>> from cynn.metrics import TopKAccuracy
    >>> TopKAccuracy(k=2)([0, 1], [[0.2, 0.5, 0.3], [0.3, 0.2, 0.1]])
    0.5
    """

    name = "top_k_accuracy"
    aliases = ("top_k_categorical_accuracy",)
    greater_is_better = True
    k: int = whole_number(default=5, minimum=1)

    def of(self, target: Targets, prediction: Array, weight: Array | None = None) -> float:
        own = np.take_along_axis(prediction, target.as_classes()[:, None], axis=1)
        # among equal outputs, the first ones win, as with argmax
        before = np.arange(prediction.shape[1]) < target.as_classes()[:, None]
        larger = (prediction > own) | ((prediction == own) & before)
        return _mean(larger.sum(axis=1) < self.k, weight)


class MeanSquaredError(Metric):
    """The mean over rows and outputs of (prediction - target)².

    Examples
    --------
    >>> from cynn.metrics import MeanSquaredError
    >>> MeanSquaredError()([1.0, 2.0], [1.0, 4.0])
    2.0
    """

    name = "mean_squared_error"
    aliases = ("mse",)
    greater_is_better = False

    def of(self, target: Targets, prediction: Array, weight: Array | None = None) -> float:
        return _mean((prediction - target.as_values()) ** 2, weight)


class RootMeanSquaredError(Metric):
    """The root of the mean over rows and outputs of (prediction - target)².

    Several outputs share one mean and one root, as in Keras.

    Examples
    --------
    >>> from cynn.metrics import RootMeanSquaredError
    >>> RootMeanSquaredError()([[1.0, 2.0]], [[0.0, 9.0]])
    5.0
    """

    name = "root_mean_squared_error"
    aliases = ("rmse",)
    greater_is_better = False

    def of(self, target: Targets, prediction: Array, weight: Array | None = None) -> float:
        return float(np.sqrt(MeanSquaredError().of(target, prediction, weight)))


class MeanAbsoluteError(Metric):
    """The mean over rows and outputs of ``|prediction - target|``.

    Examples
    --------
    >>> from cynn.metrics import MeanAbsoluteError
    >>> MeanAbsoluteError()([1.0, 2.0], [1.0, 4.0])
    1.0
    """

    name = "mean_absolute_error"
    aliases = ("mae",)
    greater_is_better = False

    def of(self, target: Targets, prediction: Array, weight: Array | None = None) -> float:
        return _mean(np.abs(prediction - target.as_values()), weight)


class R2Score(Metric):
    """The mean over the outputs of 1 - Σ (target - prediction)² / Σ (target - mean target)².

    An output with a constant target counts as 1 if it is predicted exactly, otherwise as 0, as in scikit-learn. For a
    single row, which has no variance, the result is NaN, with a `CynnWarning`.

    Examples
    --------
    >>> from cynn.metrics import R2Score
    >>> R2Score()([1.0, 2.0, 3.0], [1.0, 2.0, 4.0])
    0.5
    """

    name = "r2_score"
    greater_is_better = True

    def of(self, target: Targets, prediction: Array, weight: Array | None = None) -> float:
        values = target.as_values()
        if len(values) < 2:
            warn("r2_score must have at least two rows. Got one instead: it is NaN.", stacklevel=2)
            return float("nan")
        of_row = np.ones(len(values)) if weight is None else weight
        left = of_row @ (values - prediction) ** 2
        spread = of_row @ (values - np.average(values, axis=0, weights=of_row)) ** 2
        varies = spread > 0
        scores = np.where(left == 0, 1.0, 0.0)
        scores[varies] = 1 - left[varies] / spread[varies]
        return float(scores.mean())


def _mean(figures: Array, weight: Array | None) -> float:
    """The mean over rows and outputs, weighted by row."""
    if weight is None:
        return float(np.mean(figures))
    return float(np.average(figures.reshape(len(weight), -1).mean(axis=1), weights=weight))


def _of_counted(metric: Resolved, target: Targets, prediction: Array, weight: Array | None) -> float:
    """Compute a metric for the rows whose weight is not 0."""
    if weight is not None and not weight.all():
        places = np.flatnonzero(weight)
        target, prediction, weight = target.take(places), prediction[places], weight[places]
    return metric(target, prediction, weight)


registry.declare(Metric, globals())


def resolve(metrics: Any) -> dict[str, Directed]:
    """A dict of metrics by name, from a list of names, metrics and functions, or a single one."""
    if metrics is None:
        return {}
    if isinstance(metrics, str) or callable(metrics):
        metrics = [metrics]
    given = as_list(metrics)
    if given is None:
        raise InvalidParameterError(
            f"The metrics must be a list of names and callables. Got {shown(metrics)} instead."
        )
    found: dict[str, Directed] = {}
    for metric in given:
        part = _as_part(metric)
        if part is None:
            name, resolved = _resolve_function(metric)
        else:
            name = metric.rpartition(":")[2] if isinstance(metric, str) else part.name
            resolved = _checking(part.of, name)
        if name in found:
            raise InvalidParameterError(f"Metrics must have different names. Got {shown(name)} twice instead.")
        found[name] = Directed(resolved, greater_is_better(part or metric), part)
    return found


def of_outputs(outputs: Outputs, metrics: Any) -> dict[str, Directed]:
    """A dict of metrics by their names in the history, for one output or for each of several.

    Parameters
    ----------
    outputs : Outputs
    metrics : what `resolve` takes, or for several outputs a list or a dict with such for each
    """

    def of_output(number: int, metric: Resolved) -> OfOutputs:
        return lambda target, predictions, weights: _of_counted(
            metric, target.parts[number], predictions[number], weights.each[number]
        )

    each = [metrics] * len(outputs.values)
    if isinstance(metrics, dict) or (
        isinstance(metrics, (list, tuple)) and any(one is None or isinstance(one, (list, tuple)) for one in metrics)
    ):
        each = outputs.split_if(metrics, "metrics")
    return {
        name if outputs.is_one else f"{outputs.names[number]}_{name}": Directed(
            of_output(number, metric), metric.greater_is_better, metric.part
        )
        for number, given in enumerate(each)
        for name, metric in resolve(given).items()
    }


def greater_is_better(metric: Any) -> bool | None:
    """Whether a larger value of a metric is better, according to its class or function; None if unknown.

    Parameters
    ----------
    metric : str, Metric or callable
        A name, an object or a function, as for `fit`. A custom metric has an attribute `greater_is_better`.

    Returns
    -------
    bool or None
        For functions of `sklearn.metrics` it follows from the name: larger is better for a score, smaller for an error,
        a loss and a deviance.

    Examples
    --------
    >>> from cynn.metrics import greater_is_better
    >>> greater_is_better("accuracy"), greater_is_better("mse")
    (True, False)
    >>> greater_is_better("of my own") is None
    True
    """
    if isinstance(metric, str):
        return registry.metrics.find(metric).greater_is_better if registry.metrics.has(metric) else None
    function, said = metric, getattr(metric, "greater_is_better", None)
    while said is None and isinstance(function, functools.partial):
        function = function.func
        said = getattr(function, "greater_is_better", None)
    name = getattr(function, "__name__", type(function).__name__)
    if said is not None:
        return check_switch(said, "greater_is_better", name)
    return _of_sklearn_name(name) if _is_of_sklearn(function) else None


def _as_part(metric: Any) -> Metric | None:
    """Get a metric object from a name, a configuration, a class or an object."""
    is_one = isinstance(metric, (str, dict, Metric)) or (isinstance(metric, type) and issubclass(metric, Metric))
    return registry.metrics.get(metric) if is_one else None


def _checking(metric: Callable[..., Any], name: str) -> Resolved:
    """The metric, with a check that its result is a number."""
    return lambda *given: _figure(metric(*given), name)


def _resolve_function(metric: Any) -> tuple[str, Resolved]:
    if not callable(metric):
        raise InvalidParameterError(f"A metric must be a name or a callable. Got {shown(metric)} instead.")
    function = metric
    while isinstance(function, functools.partial):
        function = function.func
    name = getattr(function, "__name__", type(function).__name__)
    if _is_of_sklearn(function):
        return name, _of_sklearn(metric, function)
    weighed = _with_weights(metric)
    return name, _checking(
        lambda target, prediction, weight: weighed(weight)(target.as_given(), prediction.copy()), name
    )


def _figure(value: Any, name: str) -> float:
    """Check that the result of a custom metric is a number, and return it as a float. NaN is allowed."""
    try:
        if isinstance(value, np.ndarray) and value.size == 1:
            value = value.item()
        if isinstance(value, (str, bytes)) or getattr(getattr(value, "dtype", None), "kind", "f") not in "buif":
            raise TypeError
        return float(value)
    except Exception:  # __float__ may raise anything
        raise InvalidParameterError(f"The metric {name!r} must return a number. Got {shown(value)} instead.") from None


def _with_weights(metric: Callable[..., Any]) -> Callable[[Array | None], Callable[..., Any]]:
    """Pass `sample_weight` to the metric if there are weights and it has this parameter."""
    import inspect

    given = metric.keywords if isinstance(metric, functools.partial) else {}
    try:
        takes_weights = "sample_weight" in inspect.signature(metric).parameters and "sample_weight" not in given
    except (TypeError, ValueError):  # a C function without a signature
        takes_weights = False

    def weighed(weight: Array | None) -> Callable[..., Any]:
        return metric if weight is None or not takes_weights else functools.partial(metric, sample_weight=weight.copy())

    return weighed


# ------------------------------------------------------------------------------- metrics of scikit-learn

# Metrics whose second parameter is named y_pred but holds probabilities.
_TAKE_PROBABILITIES = {"log_loss", "d2_log_loss_score"}
_NAMES_OF_SCORES = {"y_score", "y_prob", "y_proba", "pred_decision"}
# Whether larger is better, by the ending of a function's name (scikit-learn's user guide, section 3.4), and exceptions.
_RISES_BY_ENDING = {"_score": True, "_error": False, "_loss": False, "_deviance": False}
_RISES_BY_NAME = {"matthews_corrcoef": True, "auc": True, "davies_bouldin_score": False}


def _is_of_sklearn(function: Callable[..., Any]) -> bool:
    return (getattr(function, "__module__", None) or "").startswith("sklearn.")


def _of_sklearn_name(name: str) -> bool | None:
    endings = (rises for ending, rises in _RISES_BY_ENDING.items() if name.endswith(ending))
    return _RISES_BY_NAME.get(name, next(endings, None))


def _of_sklearn(metric: Callable[..., Any], function: Callable[..., Any]) -> Resolved:
    """Wrap a function of scikit-learn: it gets classes, labels, probabilities or values, as it expects."""
    import inspect

    parameters = list(inspect.signature(function).parameters)
    is_regression = function.__module__.endswith("_regression")
    takes_scores = function.__name__ in _TAKE_PROBABILITIES or parameters[1] in _NAMES_OF_SCORES
    knows_classes = takes_scores and "labels" in parameters
    if isinstance(metric, functools.partial) and "labels" in metric.keywords:
        knows_classes = False

    weighed = _with_weights(metric)

    def resolved(target: Targets, prediction: Array, weight: Array | None) -> float:
        figure = weighed(weight)
        if is_regression or target.kind == "values":
            return float(figure(target.as_values(), prediction))
        if target.kind == "labels":
            labels = (prediction > target.decision_threshold).astype(np.int64)
            return float(figure(target.as_flags(), prediction if takes_scores else labels))
        classes = target.as_classes()
        if not takes_scores:
            return float(figure(classes, target.predicted_classes(prediction)))
        if target.outputs == 1 or target.outputs == 2:
            scores, n_classes = prediction[:, -1], 2  # of the class 1
        else:
            scores, n_classes = prediction, target.outputs
        if knows_classes:
            # without labels, a class that has no rows would be an error
            return float(figure(classes, scores, labels=np.arange(n_classes)))
        return float(figure(classes, scores))

    return resolved
