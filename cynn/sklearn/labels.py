"""Converts labels of any type to class codes for the network."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from cynn.errors import DataError, InvalidParameterError, shown

__all__ = ["Labels"]

Array = npt.NDArray[Any]


class Labels:
    """The set of labels of a classifier.

    Parameters
    ----------
    y : array of shape (rows,) or (rows, labels)
        One label per row, or rows of 0 and 1 for several labels per row.
    classes : array, optional
        All labels, if y may lack some of them.

    Attributes
    ----------
    classes : array
        The labels in ascending order. For several labels per row, the column numbers.
    is_multilabel : bool
    """

    def __init__(self, y: Array, classes: Any = None) -> None:
        check_classification_targets(y)
        kind = type_of_target(y)
        if kind == "multiclass-multioutput":
            raise DataError(
                "y must have one label per row, or rows of 0 and 1 for several labels. "
                "Got rows of several classes instead."
            )
        self.is_multilabel = kind == "multilabel-indicator"
        if self.is_multilabel:
            self.classes = np.arange(y.shape[1])
        else:
            self.classes = np.unique(y if classes is None else np.asarray(classes))

    @property
    def is_binary(self) -> bool:
        """Whether one output is enough for all classes."""
        return not self.is_multilabel and len(self.classes) <= 2

    def codes(self, y: Array) -> Array:
        """The class code of each row. Several labels per row are returned unchanged."""
        if self.is_multilabel:
            if y.ndim != 2 or y.shape[1] != len(self.classes):
                raise DataError(f"y must have a column for each of {len(self.classes)} labels. Got {y.shape} instead.")
            return y.toarray() if hasattr(y, "toarray") else y
        places = np.searchsorted(self.classes, y) if y.ndim == 1 else np.zeros(0, int)
        codes: Array = np.minimum(places, len(self.classes) - 1)
        if y.ndim != 1 or (self.classes[codes] != y).any():
            raise DataError(
                f"y must have labels that are in `classes_`, {shown(self.classes)}. Got {shown(np.unique(y))} instead."
            )
        return codes

    def weights(self, class_weight: Any, codes: Array, weight: Array | None) -> npt.NDArray[np.float64]:
        """The class weight of each row.

        Parameters
        ----------
        class_weight : dict or "balanced"
            The weight of each label (1 for labels that are missing), or n_samples / (n_classes * n_samples_of_class).
        codes : array of shape (rows,)
            Class codes.
        weight : array of shape (rows,), or None
            Sample weights.
        """
        if self.is_multilabel:
            raise InvalidParameterError(
                "The 'class_weight' parameter must be None where a row may have several labels. "
                f"Got {shown(class_weight)} instead."
            )
        of_class = np.ones(len(self.classes))
        if isinstance(class_weight, str) and class_weight == "balanced":
            counts = np.bincount(codes, weight, minlength=len(self.classes))
            there = counts > 0
            of_class[there] = counts.sum() / (there.sum() * counts[there])
        elif isinstance(class_weight, dict):
            of_class = compute_class_weight(class_weight, classes=self.classes, y=self.classes)
        else:
            raise InvalidParameterError(
                "The 'class_weight' parameter must be None, 'balanced' or a dict from labels to weights. "
                f"Got {shown(class_weight)} instead."
            )
        found: npt.NDArray[np.float64] = of_class[codes]
        return found
