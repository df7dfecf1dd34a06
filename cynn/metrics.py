"""Metrics: figures of how well predictions fit, that training does not use.

A metric is a name, an object of this module, or any function `metric(y_true, y_pred)`; those of
`sklearn.metrics` get what each expects.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from cynn.described import call
from cynn.errors import (
    InvalidParameterError,
    ShapeError,
    as_list,
    check_number,
    check_switch,
    check_whole_number,
    shown,
    unknown_name,
)
from cynn.targets import Targets

if TYPE_CHECKING:
    from cynn.outputs import Outputs

__all__ = [
    "Accuracy",
    "BinaryAccuracy",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "R2Score",
    "RootMeanSquaredError",
    "TopKAccuracy",
    "greater_is_better",
    "of_outputs",
    "resolve",
]

Array = npt.NDArray[Any]
#: What a metric is within: a function of targets and predictions.
Resolved = Callable[[Targets, Array], float]
#: Likewise, of the targets of all outputs of a network, and the prediction of each.
OfOutputs = Callable[[Targets, list[Array]], float]


class Directed:
    """A metric, called as `function` is, and whether greater is better; None where nothing says it."""

    def __init__(self, function: Callable[..., float], greater_is_better: bool | None) -> None:
        self.function = function
        self.greater_is_better = greater_is_better

    def __call__(self, *args: Any) -> float:
        return self.function(*args)


class Metric:
    """The base of the built-in metrics; called with arrays, it is one like any other."""

    name: ClassVar[str] = ""
    aliases: ClassVar[tuple[str, ...]] = ()
    #: Of two figures, which is the better; None where a class does not say.
    greater_is_better: ClassVar[bool | None] = None

    def __call__(self, y_true: Any, y_pred: Any) -> float:
        """The figure for classes (rows,) or values (rows, outputs), and predictions (rows, outputs)."""
        prediction = np.asarray(y_pred)
        prediction = prediction.reshape(len(prediction), -1)
        true, outputs = np.asarray(y_true), prediction.shape[1]
        if len(true) != len(prediction):
            raise ShapeError(
                f"y_true must have as many rows as y_pred, {len(prediction)}. Got {len(true)} instead."
            )
        if true.ndim == 1 and outputs > 1:
            return self.of(Targets(None, true.astype(np.int64), outputs), prediction)
        return self.of(Targets(true.reshape(len(true), -1), None, outputs), prediction)

    def of(self, target: Targets, prediction: Array) -> float:
        """The figure for checked targets."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return call(self, vars(self))


class Accuracy(Metric):
    """The share of rows whose class is right: the largest output, or, of one, whether it is over 0.5.

    Where any number of the targets of a row may be 1 (several labels), the share of outputs that are on the
    right side of 0.5.

    Examples
    --------
    >>> from cynn.metrics import Accuracy
    >>> Accuracy()([0, 1], [[0.9, 0.1], [0.8, 0.2]])
    0.5
    """

    name = "accuracy"
    greater_is_better = True

    def of(self, target: Targets, prediction: Array) -> float:
        if target.kind == "labels":
            return BinaryAccuracy().of(target, prediction)
        if target.outputs == 1:
            predicted = (prediction[:, 0] > 0.5).astype(np.int64)
        else:
            predicted = np.argmax(prediction, axis=1)
        return float(np.mean(predicted == target.as_classes()))


class BinaryAccuracy(Metric):
    """The share of outputs that are on the right side of a threshold.

    Parameters
    ----------
    threshold : float
        Outputs above it are taken for 1.

    Examples
    --------
    >>> from cynn.metrics import BinaryAccuracy
    >>> BinaryAccuracy()([[0, 1], [1, 1]], [[0.1, 0.9], [0.8, 0.2]])
    0.75
    """

    name = "binary_accuracy"
    greater_is_better = True

    def __init__(self, threshold: float = 0.5) -> None:
        self.threshold = check_number(threshold, "threshold", "BinaryAccuracy")

    def of(self, target: Targets, prediction: Array) -> float:
        return float(np.mean((prediction > self.threshold) == (target.as_values() > 0.5)))


class TopKAccuracy(Metric):
    """The share of rows whose class is among the k largest outputs; of equal ones, the first counts as the larger.

    Parameters
    ----------
    k : int
        How many outputs count.

    Examples
    --------
    >>> from cynn.metrics import TopKAccuracy
    >>> TopKAccuracy(k=2)([0, 1], [[0.2, 0.5, 0.3], [0.3, 0.2, 0.1]])
    0.5
    """

    name = "top_k_accuracy"
    aliases = ("top_k_categorical_accuracy",)
    greater_is_better = True

    def __init__(self, k: int = 5) -> None:
        self.k = check_whole_number(k, "k", "TopKAccuracy", minimum=1)

    def of(self, target: Targets, prediction: Array) -> float:
        own = np.take_along_axis(prediction, target.as_classes()[:, None], axis=1)
        # of outputs that are equal, the first counts as the larger, as for argmax
        before = np.arange(prediction.shape[1]) < target.as_classes()[:, None]
        larger = (prediction > own) | ((prediction == own) & before)
        return float(np.mean(larger.sum(axis=1) < self.k))


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

    def of(self, target: Targets, prediction: Array) -> float:
        return float(np.mean((prediction - target.as_values()) ** 2))


class RootMeanSquaredError(Metric):
    """The root of the mean over rows and outputs of (prediction - target)²: of several outputs one root, as in Keras.

    Examples
    --------
    >>> from cynn.metrics import RootMeanSquaredError
    >>> RootMeanSquaredError()([[1.0, 2.0]], [[0.0, 9.0]])
    5.0
    """

    name = "root_mean_squared_error"
    aliases = ("rmse",)
    greater_is_better = False

    def of(self, target: Targets, prediction: Array) -> float:
        return float(np.sqrt(np.mean((prediction - target.as_values()) ** 2)))


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

    def of(self, target: Targets, prediction: Array) -> float:
        return float(np.mean(np.abs(prediction - target.as_values())))


class R2Score(Metric):
    """The mean over the outputs of 1 - Σ (target - prediction)² / Σ (target - mean target)².

    An output whose target does not vary counts as 1 if it is met, else as 0, as in scikit-learn.

    Examples
    --------
    >>> from cynn.metrics import R2Score
    >>> R2Score()([1.0, 2.0, 3.0], [1.0, 2.0, 4.0])
    0.5
    """

    name = "r2_score"
    greater_is_better = True

    def of(self, target: Targets, prediction: Array) -> float:
        values = target.as_values()
        left = ((values - prediction) ** 2).sum(axis=0)
        spread = ((values - values.mean(axis=0)) ** 2).sum(axis=0)
        varies = spread > 0
        scores = np.where(left == 0, 1.0, 0.0)
        scores[varies] = 1 - left[varies] / spread[varies]
        return float(scores.mean())


_BUILT_IN: dict[str, type[Metric]] = {
    name: cls
    for cls in (
        Accuracy,
        BinaryAccuracy,
        MeanAbsoluteError,
        MeanSquaredError,
        R2Score,
        RootMeanSquaredError,
        TopKAccuracy,
    )
    for name in (cls.name, *cls.aliases)
}


def resolve(metrics: Any) -> dict[str, Directed]:
    """Metrics by name, from names, metrics and functions; one alone need not be in a list."""
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
        name, resolved = _resolve_one(metric)
        if name in found:
            raise InvalidParameterError(f"Metrics must have different names. Got {shown(name)} twice instead.")
        found[name] = Directed(resolved, greater_is_better(metric))
    return found


def of_outputs(outputs: Outputs, metrics: Any) -> dict[str, Directed]:
    """Metrics by their names in the history, for one output or for each of several.

    Parameters
    ----------
    outputs : Outputs
    metrics : what `resolve` takes, or for several outputs a list or a dict with such for each
    """

    def of_output(number: int, metric: Resolved) -> OfOutputs:
        return lambda target, predictions: metric(target.parts[number], predictions[number])

    each = [metrics] * len(outputs.values)
    if isinstance(metrics, dict) or (
        isinstance(metrics, (list, tuple)) and any(one is None or isinstance(one, (list, tuple)) for one in metrics)
    ):
        each = outputs.split_if(metrics, "metrics")
    return {
        name if outputs.is_one else f"{outputs.names[number]}_{name}": Directed(
            of_output(number, metric), metric.greater_is_better
        )
        for number, given in enumerate(each)
        for name, metric in resolve(given).items()
    }


def greater_is_better(metric: Any) -> bool | None:
    """Whether a metric is to rise, as its class or the function says; None where nothing does.

    Parameters
    ----------
    metric : str, Metric or callable
        A name, an object or a function, as for `fit`. One of your own says it by an attribute `greater_is_better`.

    Returns
    -------
    bool or None
        For functions of `sklearn.metrics` it follows from how scikit-learn names them: a score is to rise; an error, a
        loss and a deviance are to fall.

    Examples
    --------
    >>> from cynn.metrics import greater_is_better
    >>> greater_is_better("accuracy"), greater_is_better("mse"), greater_is_better("of my own")
    (True, False, None)
    """
    if isinstance(metric, str):
        return _BUILT_IN[metric].greater_is_better if metric in _BUILT_IN else None
    function, said = metric, getattr(metric, "greater_is_better", None)
    while said is None and isinstance(function, functools.partial):
        function = function.func
        said = getattr(function, "greater_is_better", None)
    name = getattr(function, "__name__", type(function).__name__)
    if said is not None:
        return check_switch(said, "greater_is_better", name)
    return _of_sklearn_name(name) if _is_of_sklearn(function) else None


def _resolve_one(metric: Any) -> tuple[str, Resolved]:
    if isinstance(metric, str):
        if metric not in _BUILT_IN:
            raise unknown_name("metric", metric, _BUILT_IN)
        return metric, _BUILT_IN[metric]().of
    if isinstance(metric, type) and issubclass(metric, Metric):
        return metric.name, metric().of
    if isinstance(metric, Metric):
        return metric.name, metric.of
    if not callable(metric):
        raise InvalidParameterError(f"A metric must be a name or a callable. Got {shown(metric)} instead.")
    function = metric
    while isinstance(function, functools.partial):
        function = function.func
    name = getattr(function, "__name__", type(function).__name__)
    if _is_of_sklearn(function):
        return name, _of_sklearn(metric, function)
    return name, lambda target, prediction: _figure(metric(target.as_given(), prediction.copy()), name)


def _figure(value: Any, name: str) -> float:
    """What a metric of one's own has returned, as a float; NaN is one."""
    try:
        if isinstance(value, np.ndarray) and value.size == 1:
            value = value.item()
        if isinstance(value, (str, bytes)) or getattr(getattr(value, "dtype", None), "kind", "f") not in "buif":
            raise TypeError
        return float(value)
    except Exception:  # what somebody's __float__ raises
        raise InvalidParameterError(f"The metric {name!r} must return a number. Got {shown(value)} instead.") from None


# ------------------------------------------------------------------------------- metrics of scikit-learn

# Their second parameter is named y_pred, and takes probabilities.
_TAKE_PROBABILITIES = {"log_loss", "d2_log_loss_score"}
_NAMES_OF_SCORES = {"y_score", "y_prob", "y_proba", "pred_decision"}
# How the functions end that are to rise, and those that are to fall (scikit-learn's user guide, section 3.4); and those
# that go another way.
_RISES_BY_ENDING = {"_score": True, "_error": False, "_loss": False, "_deviance": False}
_RISES_BY_NAME = {"matthews_corrcoef": True, "auc": True, "davies_bouldin_score": False}


def _is_of_sklearn(function: Callable[..., Any]) -> bool:
    return (getattr(function, "__module__", None) or "").startswith("sklearn.")


def _of_sklearn_name(name: str) -> bool | None:
    endings = (rises for ending, rises in _RISES_BY_ENDING.items() if name.endswith(ending))
    return _RISES_BY_NAME.get(name, next(endings, None))


def _of_sklearn(metric: Callable[..., Any], function: Callable[..., Any]) -> Resolved:
    """Classes, labels, probabilities or values, as the function of scikit-learn expects them."""
    import inspect

    parameters = list(inspect.signature(function).parameters)
    is_regression = function.__module__.endswith("_regression")
    takes_scores = function.__name__ in _TAKE_PROBABILITIES or parameters[1] in _NAMES_OF_SCORES
    knows_classes = takes_scores and "labels" in parameters
    if isinstance(metric, functools.partial) and "labels" in metric.keywords:
        knows_classes = False

    def resolved(target: Targets, prediction: Array) -> float:
        if is_regression or target.kind == "values":
            return float(metric(target.as_values(), prediction))
        if target.kind == "labels":
            labels = target.as_values().astype(np.int64)
            return float(metric(labels, prediction if takes_scores else (prediction > 0.5).astype(np.int64)))
        classes = target.as_classes()
        if not takes_scores:
            return float(metric(classes, Targets(prediction, None, target.outputs).as_classes()))
        if target.outputs == 1 or target.outputs == 2:
            scores, n_classes = prediction[:, -1], 2  # of the class 1
        else:
            scores, n_classes = prediction, target.outputs
        if knows_classes:
            # else a class that no row has would be an error
            return float(metric(classes, scores, labels=np.arange(n_classes)))
        return float(metric(classes, scores))

    return resolved
