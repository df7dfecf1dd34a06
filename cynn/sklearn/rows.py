"""Validates rows, drops those of weight 0, and splits them into batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import is_regressor
from sklearn.utils import column_or_1d
from sklearn.utils.validation import validate_data

from cynn.errors import DataError, ShapeError

__all__ = [
    "Orders",
    "as_weights",
    "batches",
    "checked",
    "checked_with_targets",
    "drop_zero_weights",
    "needs_no_validation",
]  # fmt: skip

Array = npt.NDArray[Any]

def needs_no_validation(estimator: Any, X: Any) -> bool:
    """Whether X can go straight to the network of a fitted estimator. scikit-learn's validation is slow."""
    return (
        type(X) is np.ndarray
        and X.dtype.char in "fd"
        and X.ndim == 2
        and X.shape[1] == estimator.n_features_in_
        and X.shape[0] > 0
        and not hasattr(estimator, "feature_names_in_")
    )


def checked(estimator: Any, X: Any, *, reset: bool = False, **options: Any) -> Any:
    """Validate X, and y if given, with scikit-learn. X becomes an array or CSR matrix of float32 or float64."""
    return validate_data(estimator, X, accept_sparse="csr", dtype=(np.float64, np.float32), reset=reset, **options)


def checked_with_targets(estimator: Any, X: Any, y: Any, *, reset: bool = False) -> tuple[Any, Array]:
    """Validate X and y as `checked` does. A y with one column becomes an array of shape (rows,)."""
    X, y = checked(estimator, X, y=y, multi_output=True, y_numeric=is_regressor(estimator), reset=reset)
    return X, column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y


def as_weights(sample_weight: Any, n: int) -> npt.NDArray[np.float64] | None:
    """Validate the sample weights of n rows: numbers >= 0."""
    if sample_weight is None:
        return None
    weight: npt.NDArray[np.float64] = np.array(sample_weight, np.float64)  # a copy
    if weight.ndim == 0:
        weight = np.full(n, weight)
    if weight.shape != (n,):
        raise ShapeError(f"sample_weight must have the shape ({n},). Got {weight.shape} instead.")
    wrong = ~(np.isfinite(weight) & (weight >= 0))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(f"sample_weight must be finite and >= 0. Got {weight[row]} in row {row} instead.")
    if not weight.any():
        raise DataError("sample_weight must not be zero everywhere. Got only zeros instead.")
    return weight


def drop_zero_weights(X: Any, y: Array, weight: Array | None) -> tuple[Any, Array, Array | None]:
    """Drop the rows of weight 0. A weight of w has the effect of w copies."""
    if weight is None or weight.all():
        return X, y, weight
    places = np.flatnonzero(weight)
    return X[places], y[places], weight[places]


class Orders:
    """The order of n rows in each epoch, drawn as scikit-learn does: each epoch shuffles the order of the last.

    Parameters
    ----------
    random : numpy.random.RandomState
    n : int
    """

    def __init__(self, random: np.random.RandomState, n: int) -> None:
        self.random = random
        self.order = np.arange(n)
        self.epoch = -1

    def __call__(self, epoch: int) -> npt.NDArray[np.int64]:
        if epoch > self.epoch:
            permutation = np.arange(len(self.order))
            self.random.shuffle(permutation)
            self.order, self.epoch = self.order[permutation], epoch
        return self.order


def batches(
    X: Any, targets: Array, weight: Array | None, order: npt.NDArray[np.int64], batch_size: int
) -> Iterator[tuple[Any, ...]]:
    """The batches of an epoch."""
    for first in range(0, len(order), batch_size):
        places = order[first : first + batch_size]
        batch = X[places], targets[places]
        yield batch if weight is None else (*batch, weight[places])
