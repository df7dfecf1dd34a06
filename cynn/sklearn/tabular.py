"""`TabularClassifier` and `TabularRegressor`: strong models for tables without preprocessing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.validation import assert_all_finite

from cynn import registry
from cynn.data.weighted import mean_and_deviation
from cynn.errors import DataError, check_number, check_switch, shown
from cynn.losses import CrossEntropy, Loss, MeanSquaredError
from cynn.sklearn import recipes, table_file
from cynn.sklearn.estimator import store_parameters
from cynn.sklearn.labels import Labels
from cynn.sklearn.tabular_base import Rows, TabularEstimator
from cynn.sklearn.temperature import apply_temperature, fit_temperature

if TYPE_CHECKING:
    from cynn.interop.from_layers import Steps

__all__ = ["TabularClassifier", "TabularRegressor", "load"]

Array = npt.NDArray[Any]


class TabularClassifier(ClassifierMixin, TabularEstimator):
    """A classifier for tables that need no preprocessing.

    Columns may hold numbers, booleans, strings, categories and dates, with missing values.

    Parameters
    ----------
    preset : {"default", "fast"}
        "default" is RealMLP-TD. "fast" is RealMLP-TD-S, without numerical embeddings, dropout, weight decay and
        parametric activations.
    hidden_layer_sizes : list of int
        The number of units of each hidden layer.
    learning_rate, dropout, weight_decay, label_smoothing : float, optional
        Values to use instead of the preset's. `learning_rate` is the maximum of Adam's schedule. `dropout` and
        `weight_decay` are initial values, which fall to 0 in the second half of training. `label_smoothing` is the
        share of each label that is spread over all classes.
    batch_size : int
        The number of rows per batch.
    epochs : int
        The number of epochs.
    early_stopping : bool
        Whether to hold out validation rows and keep the weights of the epoch with the best validation score. If
        False, the weights of the last epoch are kept.
    validation_fraction : float
        The fraction of rows to hold out, if `fit` is given no validation data. With fewer than 10 rows, none are.
    n_members : int
        The number of networks. Each holds out its own rows, and the prediction is the mean.
    n_folds : int, optional
        Split the rows into this many folds, and train one network per fold, which holds out that fold
        (cross-validated bagging). With `n_members`, this is repeated that many times.
    class_weight : dict or "balanced", optional
        The weight of each label. "balanced" is n_samples / (n_classes * n_samples_of_class). It multiplies
        `sample_weight`.
    calibrate : bool
        Whether to calibrate the probabilities by temperature scaling on held-out rows.
    callbacks : list of cynn.callbacks.Callback, optional
        Callbacks. Copies of them are used for each network, and kept as `callbacks_`.
    random_state : int, RandomState or None
        The seed of the initial weights, the validation split, the shuffling and dropout.
    n_threads : int, optional
        The number of threads, by default `cynn.get_num_threads()`. The result does not depend on it.
    verbose : bool
        Whether to print the losses and metrics of each epoch.

    Attributes
    ----------
    ensemble_ : cynn.Ensemble
        The networks.
    columns_ : object
        The fitted preprocessing. `columns_.get_config()` shows it.
    histories_ : list of cynn.training.History
        For each network, the losses and metrics of its epochs.
    best_epochs_ : list of int
        For each network, the epoch whose weights were kept.
    callbacks_ : list of lists of cynn.callbacks.Callback
        For each network, the callbacks that its training has called.
    validation_score_ : float or None
        The accuracy on held-out rows.
    classes_ : array
        The labels in ascending order.
    temperature_ : float
        The temperature found by `calibrate`, otherwise 1.
    n_features_in_ : int
        The number of columns of X.
    feature_names_in_ : array of str
        The column names, if X is a DataFrame.
    target_name_ : str or None
        The name of y, if it is a series.

    Notes
    -----
    Numbers are centred at the median, divided by the interquartile range and clipped smoothly. Missing numbers are
    replaced by the median, and an additional input marks them. Booleans and columns of two categories become -1 and 1.
    Columns with up to 9 categories (100 with "fast") are one-hot encoded, and columns with more get a learned
    embedding. Categories that did not occur in training count as missing. Dates are numbers of seconds. For
    predictions, the columns of a DataFrame must have the same names in the same order, as everywhere in scikit-learn:
    `X[list(estimator.feature_names_in_)]` selects them.

    Source: Holzmüller, Grinsztajn and Steinwart, "Better by default: strong pre-tuned MLPs and boosted trees on
    tabular data", NeurIPS 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from cynn.sklearn import TabularClassifier
    >>> random = np.random.default_rng(0)
    >>> colours = random.choice(["red", "blue"], 200)
    >>> X = [[colour, random.random()] for colour in colours]
    >>> X[3][1] = None
    >>> y = ["warm" if colour == "red" else "cold" for colour, _ in X]
    >>> classifier = TabularClassifier("fast", epochs=30, random_state=0)
    >>> classifier.fit(X, y).predict([["red", 0.5], ["blue", None]])
    array(['warm', 'cold'], dtype='<U4')
    """

    _estimator_type = "classifier"
    _figure = ("val_accuracy", 1)
    label_smoothing: float | None
    class_weight: Any
    calibrate: bool
    classes_: Array
    _labels: Labels

    def __init__(
        self,
        preset: str = "default",
        *,
        hidden_layer_sizes: Any = (256, 256, 256),
        learning_rate: float | None = None,
        dropout: float | None = None,
        weight_decay: float | None = None,
        label_smoothing: float | None = None,
        batch_size: int = 256,
        epochs: int = 256,
        early_stopping: bool = True,
        validation_fraction: float = 0.2,
        n_members: int = 1,
        n_folds: int | None = None,
        class_weight: Any = None,
        calibrate: bool = False,
        callbacks: Any = None,
        random_state: Any = None,
        n_threads: int | None = None,
        verbose: Any = False,
    ) -> None:
        store_parameters(self, locals())

    def _learn_targets(self, y: Array, weight: Array | None) -> None:
        check_switch(self.calibrate, "calibrate", "TabularClassifier")
        if self.label_smoothing is not None:
            check_number(self.label_smoothing, "label_smoothing", "TabularClassifier", minimum=0, below=1)
        self._labels = Labels(y)
        if self._labels.is_multilabel:
            raise DataError("y must have one label per row. Got rows of several labels instead.")
        self.classes_ = self._labels.classes
        self.temperature_ = 1.0

    def _as_targets(self, y: Array) -> Array:
        return self._labels.codes(y)

    def _total_weight(self, targets: Array, weight: Array | None) -> Array | None:
        if self.class_weight is None:
            return weight
        of_class = self._labels.weights(self.class_weight, targets, weight)
        total = of_class if weight is None else weight * of_class
        if not total.any():
            raise DataError("class_weight must leave rows that count. Got rows whose weights are all 0 instead.")
        return total

    def _recipe(self) -> recipes.Recipe:
        return recipes.recipe_of(
            self.preset,
            "classes",
            learning_rate=self.learning_rate,
            dropout=self.dropout,
            weight_decay=self.weight_decay,
            label_smoothing=self.label_smoothing,
        )

    def _objective(self, recipe: recipes.Recipe) -> tuple[Loss, int, str]:
        return CrossEntropy(label_smoothing=recipe.label_smoothing), max(2, len(self.classes_)), "softmax"

    def _class_names(self) -> list[str] | None:
        return [str(label) for label in self.classes_] if len(self.classes_) > 1 else None  # one class has two outputs

    def _strata(self, targets: Array) -> Array | None:
        return targets

    def _judge(self, outputs: Array, seen: Rows) -> None:
        if len(outputs):
            self.validation_score_ = self._score_of(outputs, seen)
        if not self.calibrate:
            return
        if not len(outputs):
            raise DataError(
                "calibrate=True must have rows that were not trained on: of early_stopping, n_folds or X_val. Got none."
            )
        self.temperature_ = fit_temperature(outputs, seen.targets, seen.weight)

    def _score_of(self, outputs: Array, seen: Rows) -> float:
        return float(np.average(outputs.argmax(axis=1) == seen.targets, weights=seen.weight))

    def predict(self, X: Any) -> Array:
        """Predict the label of each row.

        Parameters
        ----------
        X : DataFrame or array of shape (rows, columns)
            As for `fit`.

        Returns
        -------
        array of shape (rows,)
            Labels.
        """
        codes = self._outputs(X).argmax(axis=1)
        found: Array = self.classes_[np.minimum(codes, len(self.classes_) - 1)]
        return found

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Predict the probability of each class.

        Parameters
        ----------
        X : DataFrame or array of shape (rows, columns)
            As for `fit`.

        Returns
        -------
        array of shape (rows, classes)
            In the order of `classes_`. Each row sums to 1.
        """
        return self._predictions(self._outputs(X))

    def _predictions(self, outputs: Array) -> npt.NDArray[np.float64]:
        return apply_temperature(outputs[:, : len(self.classes_)], self.temperature_)

    def _predictions_as_steps(self, steps: Steps, value: int) -> int:
        steps.plan.labels, steps.plan.output_name = self.classes_.tolist(), "probabilities"
        share = "z"
        if self.temperature_ != 1:
            z = "z / row_max(z)"
            share = f"({z} > 0 ? exp(log({z} > 0 ? {z} : 1) / {self.temperature_!r}) : 0)"
        return steps.formula(f"{share} / row_sum({share})", steps.select(value, range(len(self.classes_))), {})

    def predict_log_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """The logarithm of `predict_proba`.

        Parameters
        ----------
        X : DataFrame or array of shape (rows, columns)
            As for `fit`.

        Returns
        -------
        array of shape (rows, classes)
            In the order of `classes_`.
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def _targets_config(self) -> dict[str, Any]:
        return {"classes": table_file.of_labels(self.classes_), "temperature": self.temperature_}

    def _set_targets(self, config: dict[str, Any]) -> None:
        self.classes_ = table_file.labels(config["classes"])
        self._labels = Labels(self.classes_)
        self.temperature_ = float(config["temperature"])


class TabularRegressor(RegressorMixin, TabularEstimator):
    """A regressor for tables that need no preprocessing.

    Columns may hold numbers, booleans, strings, categories and dates, with missing values. Targets are standardized
    internally. Predictions lie within the range of the training targets.

    Parameters
    ----------
    preset : {"default", "fast"}
        "default" is RealMLP-TD. "fast" is RealMLP-TD-S, without numerical embeddings, dropout, weight decay and
        parametric activations.
    loss : str, Loss or dict
        "squared_error", "quantile", or any CyNN loss for values of any sign. It is computed on standardized targets.
    quantile : float
        The quantile to predict with `loss="quantile"`.
    hidden_layer_sizes : list of int
        The number of units of each hidden layer.
    learning_rate, dropout, weight_decay : float, optional
        Values to use instead of the preset's. `learning_rate` is the maximum of Adam's schedule. `dropout` and
        `weight_decay` are initial values, which fall to 0 in the second half of training.
    batch_size : int
        The number of rows per batch.
    epochs : int
        The number of epochs.
    early_stopping : bool
        Whether to hold out validation rows and keep the weights of the epoch with the best validation score. If
        False, the weights of the last epoch are kept.
    validation_fraction : float
        The fraction of rows to hold out, if `fit` is given no validation data. With fewer than 10 rows, none are.
    n_members : int
        The number of networks. Each holds out its own rows, and the prediction is the mean.
    n_folds : int, optional
        Split the rows into this many folds, and train one network per fold, which holds out that fold
        (cross-validated bagging). With `n_members`, this is repeated that many times.
    callbacks : list of cynn.callbacks.Callback, optional
        Callbacks. Copies of them are used for each network, and kept as `callbacks_`.
    random_state : int, RandomState or None
        The seed of the initial weights, the validation split, the shuffling and dropout.
    n_threads : int, optional
        The number of threads, by default `cynn.get_num_threads()`. The result does not depend on it.
    verbose : bool
        Whether to print the losses and metrics of each epoch.

    Attributes
    ----------
    ensemble_ : cynn.Ensemble
        The networks.
    columns_ : object
        The fitted preprocessing. `columns_.get_config()` shows it.
    histories_ : list of cynn.training.History
        For each network, the losses and metrics of its epochs.
    best_epochs_ : list of int
        For each network, the epoch whose weights were kept.
    callbacks_ : list of lists of cynn.callbacks.Callback
        For each network, the callbacks that its training has called.
    validation_score_ : float or None
        R² on held-out rows.
    n_features_in_ : int
        The number of columns of X.
    feature_names_in_ : array of str
        The column names, if X is a DataFrame.
    target_name_ : str or None
        The name of y, if it is a series.

    Notes
    -----
    Numbers are centred at the median, divided by the interquartile range and clipped smoothly. Missing numbers are
    replaced by the median, and an additional input marks them. Booleans and columns of two categories become -1 and 1.
    Columns with up to 9 categories (100 with "fast") are one-hot encoded, and columns with more get a learned
    embedding. Categories that did not occur in training count as missing. Dates are numbers of seconds. For
    predictions, the columns of a DataFrame must have the same names in the same order, as everywhere in scikit-learn:
    `X[list(estimator.feature_names_in_)]` selects them.

    Source: Holzmüller, Grinsztajn and Steinwart, "Better by default: strong pre-tuned MLPs and boosted trees on
    tabular data", NeurIPS 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from cynn.sklearn import TabularRegressor
    >>> X = np.linspace(-1, 1, 300)[:, None]
    >>> y = 5000 + 100 * X[:, 0] ** 2
    >>> regressor = TabularRegressor("fast", epochs=60, random_state=0)
    >>> bool(regressor.fit(X, y).score(X, y) > 0.97)
    True
    """

    _estimator_type = "regressor"
    _figure = ("val_loss", -1)
    loss: Any
    quantile: float

    def __init__(
        self,
        preset: str = "default",
        *,
        loss: Any = "squared_error",
        quantile: float = 0.5,
        hidden_layer_sizes: Any = (256, 256, 256),
        learning_rate: float | None = None,
        dropout: float | None = None,
        weight_decay: float | None = None,
        batch_size: int = 256,
        epochs: int = 256,
        early_stopping: bool = True,
        validation_fraction: float = 0.2,
        n_members: int = 1,
        n_folds: int | None = None,
        callbacks: Any = None,
        random_state: Any = None,
        n_threads: int | None = None,
        verbose: Any = False,
    ) -> None:
        store_parameters(self, locals())

    def _checked(self, X: Any, y: Any, sample_weight: Any, *, reset: bool) -> Any:
        raw, y, weight = super()._checked(X, y, sample_weight, reset=reset)
        if y.dtype.kind not in "fiub":
            try:
                y = y.astype(np.float64)
            except (TypeError, ValueError):
                raise DataError(f"y must hold numbers. Got {shown(y.ravel().tolist()[0])} instead.") from None
            assert_all_finite(y, input_name="y")
        return raw, y.astype(np.float64), weight

    def _learn_targets(self, y: Array, weight: Array | None) -> None:
        check_number(self.quantile, "quantile", "TabularRegressor", above=0, below=1)
        self._shape = y.shape[1:]
        self._mean, self._deviation = mean_and_deviation(y.reshape(len(y), -1), weight)
        targets = self._as_targets(y)
        self._lowest, self._highest = targets.min(axis=0), targets.max(axis=0)

    def _as_targets(self, y: Array) -> Array:
        if y.shape[1:] != self._shape:
            columns = f"{self._shape[0]} columns" if self._shape else "one value per row"
            raise DataError(f"y must have {columns}, as at first. Got the shape {y.shape} instead.")
        targets: Array = (y.reshape(len(y), -1) - self._mean) / self._deviation
        return targets

    def _recipe(self) -> recipes.Recipe:
        return recipes.recipe_of(
            self.preset,
            "values",
            learning_rate=self.learning_rate,
            dropout=self.dropout,
            weight_decay=self.weight_decay,
        )

    def _objective(self, recipe: recipes.Recipe) -> tuple[Loss, int, str]:
        outputs = len(self._mean)
        if isinstance(self.loss, str) and self.loss == "squared_error":
            return MeanSquaredError(), outputs, "identity"
        if isinstance(self.loss, str) and self.loss == "quantile":
            return registry.losses.get("quantile", quantile=self.quantile), outputs, "identity"
        return registry.losses.get(self.loss), outputs, "identity"

    def _judge(self, outputs: Array, seen: Rows) -> None:
        if len(outputs) > 1:
            self.validation_score_ = self._score_of(outputs, seen)

    def _score_of(self, outputs: Array, seen: Rows) -> float:
        return float(r2_score(seen.targets, outputs, sample_weight=seen.weight))

    def predict(self, X: Any) -> npt.NDArray[np.float64]:
        """Predict the value of each row, within the range of the training targets.

        Parameters
        ----------
        X : DataFrame or array of shape (rows, columns)
            As for `fit`.

        Returns
        -------
        array of shape (rows,) or (rows, outputs)
            The same number of dimensions as the y of `fit`.
        """
        found = self._predictions(self._outputs(X))
        return found if self._shape else found[:, 0]

    def _predictions(self, outputs: Array) -> npt.NDArray[np.float64]:
        outputs = np.clip(outputs.astype(np.float64), self._lowest, self._highest)
        found: npt.NDArray[np.float64] = outputs * self._deviation + self._mean
        return found

    def _predictions_as_steps(self, steps: Steps, value: int) -> int:
        steps.plan.output_name = "prediction"
        arrays = {name.strip("_"): getattr(self, name) for name in _OF_TARGETS}
        return steps.formula(
            "(z < lowest ? lowest : z > highest ? highest : z) * deviation + mean", value, arrays
        )

    def _targets_config(self) -> dict[str, Any]:
        arrays = {name: getattr(self, name).tolist() for name in _OF_TARGETS}
        return {**arrays, "shape": list(self._shape)}

    def _set_targets(self, config: dict[str, Any]) -> None:
        self._shape = tuple(int(size) for size in config["shape"])
        for name in _OF_TARGETS:
            setattr(self, name, np.array(config[name], np.float64))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


#: For each output, the mean and standard deviation of the targets, and the range of the standardized targets.
_OF_TARGETS = ("_mean", "_deviation", "_lowest", "_highest")


def load(path: str | os.PathLike[str]) -> Any:
    """Load an estimator saved by `TabularClassifier.save` or `TabularRegressor.save`. Loading runs no code.

    Parameters
    ----------
    path : str or path
        The file.

    Returns
    -------
    TabularClassifier or TabularRegressor
        The estimator. Its predictions are the same. `callbacks`, `callbacks_` and `histories_` are not saved.

    Raises
    ------
    ModelFileError
        The file is not a saved estimator, or is damaged.
    """
    return table_file.read(path, (TabularClassifier, TabularRegressor))
