"""Networks from scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np

from cynn.errors import InvalidParameterError, shown
from cynn.interop.adopter import Adopter
from cynn.interop.needed import needed
from cynn.network import Network

__all__ = ["adopt"]

_ACTIVATIONS = {"logistic": "sigmoid", "exp": "exponential"}


def adopt(estimator: Any) -> Network:
    """Make a network from a fitted `MLPClassifier` or `MLPRegressor`.

    It may be the last step of a `Pipeline` after `StandardScaler` and `MinMaxScaler`, which become layers. The outputs
    of a classifier are the probabilities, in the order of its `classes_`; with two classes, that of the second. The
    weights are the same bits, the predictions equal up to rounding.

    Parameters
    ----------
    estimator : MLPClassifier, MLPRegressor or Pipeline
        A fitted estimator.

    Returns
    -------
    Network
        It has the dtype of the estimator's weights.

    Raises
    ------
    MissingDependencyError
        scikit-learn is not installed.
    InvalidParameterError
        A part has no counterpart, which the message names before anything is built; or the estimator is not fitted.
    """
    pipeline = needed("sklearn.pipeline", "sklearn")
    named = estimator.steps if isinstance(estimator, pipeline.Pipeline) else [(type(estimator).__name__, estimator)]
    steps = [(name, step) for name, step in named if step is not None and step != "passthrough"]
    scalers = steps[:-1]
    model: Any = steps[-1][1] if steps else None
    perceptrons = needed("sklearn.neural_network", "sklearn")
    is_known = any(_is(model, kind, "predict") for kind in (perceptrons.MLPClassifier, perceptrons.MLPRegressor))
    if not is_known:
        raise InvalidParameterError(
            "An estimator that is adopted must be an MLPClassifier or an MLPRegressor, or a Pipeline that ends in one. "
            f"Got {shown(model)} instead."
        )
    if not hasattr(model, "coefs_"):
        raise InvalidParameterError(f"An estimator that is adopted must be fitted. Got {shown(model)} instead.")
    first = scalers[0][1] if scalers else model
    adopter = Adopter(int(getattr(first, "n_features_in_", 0) or model.n_features_in_), "an estimator")
    value = 0
    for step, scaler in scalers:
        value = _scaled(adopter, value, step, scaler)
    for W, b in zip(model.coefs_, model.intercepts_, strict=True):
        is_last = W is model.coefs_[-1]
        f = model.out_activation_ if is_last else model.activation
        value = adopter.activation(adopter.dense(value, W, b), _ACTIVATIONS.get(f, f))
    return adopter.network(value, str(model.coefs_[0].dtype))


def _is(estimator: Any, kind: type, method: str) -> bool:
    """Whether an estimator is of a class, or of one that inherits this method."""
    return isinstance(estimator, kind) and getattr(type(estimator), method) is getattr(kind, method)


def _scaled(adopter: Adopter, value: int, name: str, scaler: Any) -> int:
    preprocessing = needed("sklearn.preprocessing", "sklearn")
    n = adopter.widths[value]
    if _is(scaler, preprocessing.StandardScaler, "transform") and hasattr(scaler, "n_features_in_"):
        mean = np.zeros(n) if scaler.mean_ is None or not scaler.with_mean else scaler.mean_
        slope = np.ones(n) if scaler.scale_ is None else 1 / scaler.scale_
        return adopter.affine_columns(value, mean, slope)
    if _is(scaler, preprocessing.MinMaxScaler, "transform") and hasattr(scaler, "scale_") and not scaler.clip:
        return adopter.affine_columns(value, np.zeros(n), scaler.scale_, scaler.min_)
    return adopter.lack(repr(scaler), f"step {name!r}", value)


