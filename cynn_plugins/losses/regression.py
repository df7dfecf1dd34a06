"""Losses for regression: functions of the distance, ratio or angle between prediction and target."""

import math

from cynn.hyperparameters import hyperparameter
from cynn.losses import Loss
from cynn_plugins.losses._regression import KERNELS
from cynn_plugins.losses.targets import Array, require

__all__ = [
    "CosineSimilarity",
    "Huber",
    "LogCosh",
    "MeanAbsolutePercentageError",
    "MeanSquaredLogarithmicError",
    "Quantile",
    "SmoothL1",
]


class Huber(Loss):
    """C = mean over the outputs of d² / 2 where |d| <= delta, delta (|d| - delta / 2) elsewhere.

    d = prediction - target. Quadratic near the target and linear far from it, so the gradient of an outlier is at
    most delta.

    Source: Huber, "Robust estimation of a location parameter", 1964, section 1.

    Examples
    --------
    >>> import cynn, numpy as np
    >>> loss = cynn.registry.losses.get("huber")
    >>> prediction, target = np.array([[0.5, 3.0]]), np.array([[0.0, 0.0]])
    >>> loss.value_and_gradient(prediction, target)
    (array([1.3125]), array([[0.25, 0.5 ]]))
    """

    name = "huber"
    kernel = KERNELS["huber"]
    delta: float = hyperparameter(default=1.0, above=0, doc="The loss is linear beyond this distance.")


class SmoothL1(Loss):
    """C = mean over the outputs of d² / (2 beta) where |d| < beta, |d| - beta / 2 elsewhere.

    d = prediction - target. It is `huber` with delta = beta, divided by beta: the slope far away is 1.

    Source: Girshick, "Fast R-CNN", 2015, equation 3 (with beta 1).

    Examples
    --------
    >>> import cynn, numpy as np
    >>> loss = cynn.registry.losses.get("smooth_l1", beta=2)
    >>> prediction, target = np.array([[1.0, 4.0]]), np.array([[0.0, 0.0]])
    >>> loss.value_and_gradient(prediction, target)
    (array([1.625]), array([[0.25, 0.5 ]]))
    """

    name = "smooth_l1"
    kernel = KERNELS["smooth_l1"]
    beta: float = hyperparameter(default=1.0, above=0, doc="The loss is linear beyond this distance.")


class LogCosh(Loss):
    """C = mean over the outputs of log(cosh(prediction - target)); its slope is the tanh of that.

    Like d² / 2 near the target and |d| - log 2 far from it, and smooth everywhere.

    Source: Green, "Bayesian reconstructions from emission tomography data using a modified EM
    algorithm", 1990, section III; as a loss, in Keras.

    Examples
    --------
    >>> import cynn, numpy as np
    >>> loss = cynn.registry.losses.get("log_cosh")
    >>> prediction, target = np.array([[1.0, 1e4]]), np.array([[0.0, 0.0]])
    >>> value, gradient = loss.value_and_gradient(prediction, target)
    >>> value.round(4), gradient.round(4)
    (array([4999.8703]), array([[0.3808, 0.5   ]]))
    """

    name = "log_cosh"
    kernel = KERNELS["log_cosh"]


class Quantile(Loss):
    """C = mean over the outputs of max(q e, (q - 1) e), with e = target - prediction.

    It is minimal for the q-quantile of the targets: a prediction that is too low by 1 costs q, one that is too high
    by 1 costs 1 - q. The slope at e = 0 is taken as 0. Also called the pinball loss.

    Source: Koenker and Bassett, "Regression quantiles", 1978, equation 3.2.

    Examples
    --------
    >>> import cynn, numpy as np
    >>> loss = cynn.registry.losses.get("quantile", quantile=0.9)
    >>> loss.value_and_gradient(np.array([[0.0]]), np.array([[2.0]]))
    (array([1.8]), array([[-0.9]]))
    """

    name = "quantile"
    kernel = KERNELS["quantile"]
    quantile: float = hyperparameter(default=0.5, above=0, below=1, doc="The quantile q; 0.5 is the median.")


class MeanAbsolutePercentageError(Loss):
    """C = mean over the outputs of 100 |prediction - target| / max(|target|, epsilon).

    The slope where they are equal is taken as 0.

    Source: Makridakis, "Accuracy measures: theoretical and practical concerns", 1993; epsilon as in
    Keras.

    Examples
    --------
    >>> import cynn, numpy as np
    >>> loss = cynn.registry.losses.get("mape")
    >>> prediction = np.array([[90.0, 5.0]])
    >>> target = np.array([[100.0, 4.0]])
    >>> loss.value_and_gradient(prediction, target)
    (array([17.5]), array([[-0.5, 12.5]]))
    """

    name = "mean_absolute_percentage_error"
    aliases = ("mape",)
    kernel = KERNELS["mean_absolute_percentage_error"]
    epsilon: float = hyperparameter(default=1e-7, above=0, doc="The minimum for |target| in the denominator.")


class MeanSquaredLogarithmicError(Loss):
    """C = mean over the outputs of (log(1 + prediction) - log(1 + target))², for numbers >= 0.

    It depends on the ratio of the numbers plus 1. For predictions below 0, the loss continues as its tangent at 0.

    Source: the square of the root mean squared logarithmic error; as in Keras and scikit-learn.

    Examples
    --------
    >>> import cynn, numpy as np
    >>> loss = cynn.registry.losses.get("msle")
    >>> prediction, target = np.array([[1.0]]), np.array([[3.0]])
    >>> value, gradient = loss.value_and_gradient(prediction, target)
    >>> value.round(4), gradient.round(4)
    (array([0.4805]), array([[-0.6931]]))
    """

    name = "mean_squared_logarithmic_error"
    aliases = ("msle",)
    prediction_range = (0.0, math.inf)
    kernel = KERNELS["mean_squared_logarithmic_error"]

    def check_target(self, target: Array) -> None:
        require(target >= 0, target, self.name, "be >= 0")


class CosineSimilarity(Loss):
    """C = 1 - cos of the angle between the rows of prediction and target: 0 to 2.

    A norm below epsilon counts as epsilon, so that a row of zeros costs 1.

    Source: as `CosineEmbeddingLoss` in PyTorch and `cosine_distance` in Optax; Keras takes -cos, whose
    gradient is the same.

    Examples
    --------
    >>> import cynn, numpy as np
    >>> loss = cynn.registry.losses.get("cosine_similarity")
    >>> prediction, target = np.array([[3.0, 4.0]]), np.array([[0.0, 2.0]])
    >>> loss.value_and_gradient(prediction, target)
    (array([0.2]), array([[ 0.096, -0.072]]))
    """

    name = "cosine_similarity"
    kernel = KERNELS["cosine_similarity"]
    epsilon: float = hyperparameter(default=1e-8, above=0, doc="The minimum for the norms in the denominator.")
