"""Splits rows into training and validation rows: one split, or k folds."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split

from cynn.errors import DataError

__all__ = ["k_folds", "train_validation_split"]

Array = npt.NDArray[Any]

#: With fewer rows than this, none are held out.
_MIN_ROWS = 10


def train_validation_split(
    n: int, fraction: float, strata: Array | None, random: np.random.RandomState
) -> tuple[Array, Array | None]:
    """The indices of the training rows and of the validation rows, or None for the latter if there are too few rows."""
    if n < _MIN_ROWS:
        return np.arange(n), None
    counts = np.unique(strata, return_counts=True)[1] if strata is not None else np.zeros(1)
    held = int(np.ceil(fraction * n))
    fits = counts.min() > 1 and min(held, n - held) >= len(counts)
    trained, out = train_test_split(
        np.arange(n), test_size=fraction, random_state=random, stratify=strata if fits else None
    )
    return trained, out


def k_folds(n: int, n_folds: int, strata: Array | None, random: np.random.RandomState) -> list[tuple[Array, Array]]:
    """For each fold, the indices of the training rows and of the validation rows."""
    if n < n_folds:
        raise DataError(f"n_folds must be at most the number of rows, {n}. Got {n_folds} instead.")
    counts = np.unique(strata, return_counts=True)[1] if strata is not None else np.zeros(1)
    kind = StratifiedKFold if counts.min() >= n_folds else KFold
    return list(kind(n_folds, shuffle=True, random_state=random).split(np.zeros(n), strata))
