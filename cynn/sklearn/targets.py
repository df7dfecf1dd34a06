"""The bases of classifiers and regressors: targets, loss, output layer and predictions."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.metaestimators import available_if

from cynn import registry
from cynn.errors import CynnError, DataError, InvalidParameterError, shown
from cynn.losses import BinaryCrossEntropy, CrossEntropy, Loss, MeanSquaredError
from cynn.sklearn.estimator import NetworkEstimator, Objective, ValidationRows
from cynn.sklearn.labels import Labels

__all__ = ["ClassifierNetwork", "RegressorNetwork"]

Array = npt.NDArray[Any]

#: Classification losses whose outputs are scores, not probabilities, in addition to those with threshold 0.
_SCORES = ("categorical_hinge", "multi_margin")


def _is_of_margins(loss: Loss) -> bool:
    return loss.decision_threshold == 0 or loss.name in _SCORES


def _is_of_classes(loss: Loss) -> bool:
    """Whether a loss needs one output per class, even for two classes: a lone output with target 0 has no gradient."""
    if loss.name in _SCORES:
        return True
    _, gradient = loss.value_and_gradient(np.array([[0.5]]), np.array([[0.0]]))
    return not _is_of_margins(loss) and not gradient.any()


def _takes_steps(estimator: Any) -> bool:
    takes: bool = estimator._takes_steps
    return takes


def _gives_probabilities(estimator: Any) -> bool:
    """Whether the outputs are probabilities, given the loss."""
    loss = estimator.loss
    if loss is None or (isinstance(loss, str) and loss == "log_loss"):
        return True
    try:
        return not _is_of_margins(registry.losses.get(loss))
    except CynnError:
        return True  # an unknown name: fit reports it


def _gives_margins(estimator: Any) -> bool:
    return not _gives_probabilities(estimator)


class ClassifierNetwork(ClassifierMixin, NetworkEstimator):
    """The base of classifiers: converts labels to class codes and back."""

    _estimator_type: ClassVar[str] = "classifier"
    loss: Any
    class_weight: Any
    _labels: Labels

    @available_if(_takes_steps)
    def partial_fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        classes: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Train for one epoch on the given rows, and keep the state of the optimizer.

        Parameters
        ----------
        X : array, DataFrame or sparse matrix of shape (rows, features)
            Finite numbers.
        y : array of shape (rows,) or (rows, labels)
            Labels.
        sample_weight : array of shape (rows,), optional
            Sample weights. Only their ratios matter.
        classes : array, optional
            All labels that may occur in later calls. Required in the first call, unless rows have several labels.
        X_val, y_val, sample_weight_val : optional
            Validation data, required with `early_stopping`. After more than `n_iter_no_change` calls without
            improvement, the best weights are restored, and later calls do nothing.

        Returns
        -------
        object
            The fitted estimator.
        """
        if not hasattr(self, "network_"):
            if classes is None and np.ndim(y) < 2:
                raise DataError("classes must be passed on the first call to partial_fit. Got None instead.")
        elif classes is not None and not np.array_equal(self.classes_, np.unique(np.asarray(classes))):
            raise DataError(
                f"classes must be the same in every call of partial_fit, {shown(self.classes_)}. "
                f"Got {shown(classes)} instead."
            )
        return self._partial_fit(X, y, sample_weight, (X_val, y_val, sample_weight_val), classes)

    def _learn_targets(self, y: Array, classes: Any = None) -> None:
        labels = Labels(y, classes)
        labels.codes(y)
        self._labels = labels
        self.classes_ = labels.classes

    def _check_warm_start(self, y: Array) -> None:
        classes = np.arange(y.shape[1]) if y.ndim == 2 else np.unique(y)
        if not np.array_equal(classes, self.classes_):
            raise DataError(
                "warm_start can only be used where `y` has the same classes as in the previous call to fit. Previously "
                f"got {self.classes_}, `y` has {classes}"
            )

    def _checked_targets(self, y: Array) -> Array:
        codes = self._labels.codes(y)
        targets: Array = 2 * codes - 1 if self._has_signs else codes
        return targets

    @property
    def _has_signs(self) -> bool:
        """Whether the targets are -1 and 1 instead of class codes."""
        one_a_unit = self._labels.is_binary or self._labels.is_multilabel
        return one_a_unit and _gives_margins(self) and not _is_of_classes(registry.losses.get(self.loss))

    def _codes(self, targets: Array) -> Array:
        return (targets + 1) // 2 if self._has_signs else targets

    def _objective(self, *, by_softmax: bool = False) -> Objective:
        """The objective of a new network. With `by_softmax`, two classes have one output each."""
        labels = self._labels
        of_each = (labels.is_binary and not by_softmax) or labels.is_multilabel
        units = len(labels.classes) if labels.is_multilabel else 1 if of_each else max(2, len(labels.classes))
        if self.loss is None or (isinstance(self.loss, str) and self.loss in ("log_loss", "cross_entropy")):
            if of_each:
                return Objective(BinaryCrossEntropy(), units, units, "sigmoid")
            return Objective(CrossEntropy(), 1, units, "softmax")
        loss = registry.losses.get(self.loss)
        if of_each and _is_of_classes(loss):
            if labels.is_multilabel:
                raise InvalidParameterError(
                    "The 'loss' parameter must be one that looks at each output by itself where a row may have several "
                    f"labels. Got {shown(self.loss)} instead."
                )
            return self._objective(by_softmax=True)
        if _is_of_margins(loss):
            return Objective(loss, 1, units, "identity")
        return Objective(loss, 1, units, "sigmoid" if of_each else "softmax")

    def _class_weights(self, targets: Array, weight: Array | None) -> Array | None:
        if self.class_weight is None:
            return None
        return self._labels.weights(self.class_weight, self._codes(targets), weight)

    def _strata(self, targets: Array) -> Array | None:
        """Only for two classes, as booleans: scikit-learn's message about small classes names True and False."""
        return self._codes(targets).astype(bool)[:, None] if self._labels.is_binary else None

    def _score_of(self, outputs: Array, held: ValidationRows) -> float:
        if not np.isfinite(outputs).all():
            return float("nan")
        right = self._decided(outputs) == self._codes(held.targets)
        return float(np.average(right.all(axis=1) if right.ndim == 2 else right, weights=held.weight))

    def _decided(self, outputs: Array) -> Array:
        """Class codes of shape (rows,), or 0 and 1 of shape (rows, labels)."""
        if outputs.shape[1] > 1 and not self._labels.is_multilabel:
            largest: Array = outputs.argmax(axis=1)
            return largest
        is_over = outputs > (0.0 if self._trained_on.activation == "identity" else 0.5)
        return is_over.astype(np.int64) if self._labels.is_multilabel else is_over[:, 0].astype(np.int64)

    def predict(self, X: Any) -> Array:
        """Predict the label of each row.

        Parameters
        ----------
        X : array, DataFrame or sparse matrix of shape (rows, features)
            As for `fit`.

        Returns
        -------
        array of shape (rows,) or (rows, labels)
            Labels. For several labels per row, 0 and 1.
        """
        decided = self._decided(self._outputs(X))
        if self._labels.is_multilabel:
            return decided
        found: Array = self.classes_[np.minimum(decided, len(self.classes_) - 1)]
        return found

    @available_if(_gives_probabilities)
    def predict_proba(self, X: Any) -> Array:
        """Predict the probability of each class.

        Parameters
        ----------
        X : array, DataFrame or sparse matrix of shape (rows, features)
            As for `fit`.

        Returns
        -------
        array of shape (rows, classes)
            In the order of `classes_`. For several labels per row, the probability of each label.
        """
        outputs = self._outputs(X)
        if outputs.shape[1] > 1 or self._labels.is_multilabel:
            return outputs
        if len(self.classes_) == 1:
            return np.ones_like(outputs)
        found = np.empty((len(outputs), 2), outputs.dtype)
        found[:, 1] = outputs[:, 0]
        np.subtract(1, found[:, 1], out=found[:, 0])
        return found

    @available_if(_gives_probabilities)
    def predict_log_proba(self, X: Any) -> Array:
        """The logarithm of `predict_proba`.

        Parameters
        ----------
        X : array, DataFrame or sparse matrix of shape (rows, features)
            As for `fit`.

        Returns
        -------
        array of shape (rows, classes)
            In the order of `classes_`.
        """
        found: Array = self.predict_proba(X)
        with np.errstate(divide="ignore"):
            np.log(found, out=found)
        return found

    @available_if(_gives_margins)
    def decision_function(self, X: Any) -> Array:
        """Predict the scores of the classes. Only available with margin losses such as `hinge`.

        Parameters
        ----------
        X : array, DataFrame or sparse matrix of shape (rows, features)
            As for `fit`.

        Returns
        -------
        array of shape (rows,) or (rows, classes)
            For two classes, one score, which is positive for the second class.
        """
        outputs = self._outputs(X)
        if not self._labels.is_binary:
            return outputs
        return outputs[:, -1] - outputs[:, 0] if outputs.shape[1] == 2 else outputs[:, 0]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class RegressorNetwork(RegressorMixin, NetworkEstimator):
    """The base of regressors."""

    _estimator_type: ClassVar[str] = "regressor"
    loss: Any

    @available_if(_takes_steps)
    def partial_fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Train for one epoch on the given rows, and keep the state of the optimizer.

        Parameters
        ----------
        X : array, DataFrame or sparse matrix of shape (rows, features)
            Finite numbers.
        y : array of shape (rows,) or (rows, outputs)
            Finite numbers.
        sample_weight : array of shape (rows,), optional
            Sample weights. Only their ratios matter.
        X_val, y_val, sample_weight_val : optional
            Validation data, required with `early_stopping`. After more than `n_iter_no_change` calls without
            improvement, the best weights are restored, and later calls do nothing.

        Returns
        -------
        object
            The fitted estimator.
        """
        return self._partial_fit(X, y, sample_weight, (X_val, y_val, sample_weight_val))

    def _learn_targets(self, y: Array, classes: Any = None) -> None:
        self._shape = y.shape[1:]

    def _check_warm_start(self, y: Array) -> None:
        self._checked_targets(y)

    def _checked_targets(self, y: Array) -> Array:
        if y.shape[1:] != self._shape:
            columns = f"{self._shape[0]} columns" if self._shape else "one value per row"
            raise DataError(f"y must have {columns}, as at first. Got the shape {y.shape} instead.")
        return y if y.ndim == 2 else y[:, None]

    def _objective(self) -> Objective:
        units = self._shape[0] if self._shape else 1
        if self.loss is None or (isinstance(self.loss, str) and self.loss == "squared_error"):
            return Objective(MeanSquaredError(), units / 2, units, "identity")
        loss = registry.losses.get(self.loss)
        if isinstance(self.loss, str) and self.loss == "poisson":
            return Objective(loss, units, units, "exponential")
        is_positive = loss.prediction_range[0] >= 0
        return Objective(loss, 1, units, "exponential" if is_positive else "identity")

    def _score_of(self, outputs: Array, held: ValidationRows) -> float:
        if not np.isfinite(outputs).all():
            return float("nan")
        return float(r2_score(held.targets, outputs, sample_weight=held.weight))

    def predict(self, X: Any) -> Array:
        """Predict the value of each row.

        Parameters
        ----------
        X : array, DataFrame or sparse matrix of shape (rows, features)
            As for `fit`.

        Returns
        -------
        array of shape (rows,) or (rows, outputs)
            The same number of dimensions as the y of `fit`.
        """
        outputs = self._outputs(X)
        return outputs if self._shape else outputs[:, 0]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
