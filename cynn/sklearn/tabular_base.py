"""The base of `TabularClassifier` and `TabularRegressor`: from a table to trained networks and predictions."""

from __future__ import annotations

import os
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.validation import assert_all_finite, check_consistent_length, check_is_fitted, validate_data

from cynn.callbacks import Callback
from cynn.callbacks.together import restoring
from cynn.errors import (
    DataError,
    TrainingDivergedError,
    check_number,
    check_switch,
    check_whole_number,
    not_allowed,
)
from cynn.faces.table import FaceMethods
from cynn.losses import Loss
from cynn.many import Ensemble
from cynn.network import Network
from cynn.sklearn import folds, raw_columns, recipes, rows, table_file
from cynn.sklearn.part_parameters import PartParameters
from cynn.sklearn.table_columns import TableColumns

if TYPE_CHECKING:
    from cynn.interop.exported_model import ExportedModel
    from cynn.interop.from_layers import Steps

__all__ = ["Rows", "TabularEstimator"]

Array = npt.NDArray[Any]

#: A multiple of the number of rows that kernels process at once (4 or 6). Leftover rows differ in the last digits.
_ROWS_AT_ONCE = 12


class Rows(NamedTuple):
    """Rows as inputs and targets of a network.

    Attributes
    ----------
    inputs : array of shape (rows, inputs)
    targets : array of shape (rows,) or (rows, outputs)
    weight : array of shape (rows,), or None
    """

    inputs: Array
    targets: Array
    weight: Array | None

    def some(self, places: Array) -> Rows:
        """The rows with these indices."""
        return Rows(self.inputs[places], self.targets[places], None if self.weight is None else self.weight[places])


def _name_of(y: Any) -> str | None:
    """The name of a series, if y is one."""
    name = getattr(y, "name", None)
    return name if isinstance(name, str) else None


class _BestEpoch(Callback):
    """Keeps the weights of the best epoch (the last of equal ones) and restores them at the end of training."""

    def __init__(self, figure: str, sign: int, says: str) -> None:
        self.figure = figure
        self.sign = sign
        self.says = says
        self.best = -np.inf
        self.epoch = 0
        self.weights: list[Array] | None = None

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Keep the weights if the epoch is the best.

        Parameters
        ----------
        epoch : int
            The number of the epoch.
        logs : dict of str to float
            The losses and metrics of the epoch.
        """
        if self.says:
            print(f"{self.says}, epoch {epoch}: " + ", ".join(f"{name} {value:.5g}" for name, value in logs.items()))
        if self.figure not in logs:
            self.epoch = epoch
        elif self.sign * logs[self.figure] >= self.best:
            self.best, self.epoch = self.sign * logs[self.figure], epoch
            self.weights = (self.final_weights or self.network.get_weights)()

    def on_train_end(self) -> None:
        """Restore the best weights."""
        if self.weights is not None:
            self.network.set_weights(self.weights)


class TabularEstimator(FaceMethods, PartParameters):
    """The base of the tabular estimators."""

    _kinds: ClassVar[dict[str, str]] = {"callbacks": "callback"}
    _estimator_type: ClassVar[str]
    #: The validation metric that decides which epoch is best, and 1 if greater is better, -1 if smaller is.
    _figure: ClassVar[tuple[str, int]]

    preset: str
    hidden_layer_sizes: Any
    learning_rate: float | None
    dropout: float | None
    weight_decay: float | None
    batch_size: int
    epochs: int
    early_stopping: bool
    validation_fraction: float
    n_members: int
    n_folds: int | None
    random_state: Any
    n_threads: int | None
    verbose: Any

    ensemble_: Ensemble
    columns_: TableColumns
    validation_score_: float | None
    n_features_in_: int
    target_name_: str | None

    # -------------------------------------------------------------------------------- defined by a subclass

    @abstractmethod
    def _learn_targets(self, y: Array, weight: Array | None) -> None:
        """Determine the outputs of the network from y."""

    @abstractmethod
    def _as_targets(self, y: Array) -> Array:
        """Convert y to the targets of the network."""

    @abstractmethod
    def _recipe(self) -> recipes.Recipe:
        """The architecture and training settings."""

    @abstractmethod
    def _objective(self, recipe: recipes.Recipe) -> tuple[Loss, int, str]:
        """The loss, the number of outputs and the output activation."""

    def _class_names(self) -> list[str] | None:
        """The labels as text, or None."""
        return None

    def _strata(self, targets: Array) -> Array | None:
        """The labels by which splits are stratified, or None."""
        return None

    def _total_weight(self, targets: Array, weight: Array | None) -> Array | None:
        """Sample weights times class weights."""
        return weight

    @abstractmethod
    def _judge(self, outputs: Array, seen: Rows) -> None:
        """Compute the validation score, and the calibration, from predictions for held-out rows."""

    @abstractmethod
    def _predictions(self, outputs: Array) -> npt.NDArray[np.float64]:
        """Probabilities or values of the mean outputs of the networks."""

    @abstractmethod
    def _predictions_as_steps(self, steps: Steps, value: int) -> int:
        """Likewise, as steps for an export: the number of a value that is added for that of the mean outputs."""

    @abstractmethod
    def _targets_config(self) -> dict[str, Any]:
        """What was learned from the targets, in a form that JSON can hold."""

    @abstractmethod
    def _set_targets(self, config: dict[str, Any]) -> None:
        """Restore what `_targets_config` returned, read from a file."""

    # ----------------------------------------------------------------------------------------------- training

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "ensemble_")

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Train.

        Parameters
        ----------
        X : DataFrame or array of shape (rows, columns)
            Numbers, booleans, strings, categories and dates, with missing values anywhere.
        y : array of shape (rows,), or of a regressor also (rows, outputs)
            Labels of any type, or finite numbers.
        sample_weight : array of shape (rows,), optional
            A weight of 2 has the effect of two copies of the row.
        X_val, y_val, sample_weight_val : optional
            Validation data to choose the best epoch, used instead of held-out rows.

        Returns
        -------
        object
            The fitted estimator.
        """
        self._check_parameters()
        if (X_val is None) != (y_val is None):
            missing = "X_val" if X_val is None else "y_val"
            raise DataError(f"X_val and y_val must be given together. Got no {missing} instead.")
        if X_val is not None and self.n_folds is not None:
            raise DataError("n_folds must be None where X_val and y_val are given. Got both instead.")
        with self._unchanged_on_error():
            self.target_name_ = _name_of(y)
            raw, y, weight = self._checked(X, y, sample_weight, reset=True)
            self._learn_targets(y, weight)
            names = getattr(self, "feature_names_in_", range(len(raw)))
            recipe = self._recipe()
            self.columns_ = TableColumns.learned(raw, list(names), recipe.max_one_hot, weight)
            training = self._rows(raw, y, weight)
            held = None
            if X_val is not None:
                held = self._rows(*self._checked(X_val, y_val, sample_weight_val, reset=False))
            self._train(training, held, recipe)
        return self

    def _checked(
        self, X: Any, y: Any, sample_weight: Any, *, reset: bool
    ) -> tuple[list[raw_columns.RawColumn], Array, Array | None]:
        """Validate X, y and the weights. Rows of weight 0 are dropped."""
        raw = raw_columns.columns(X)
        X, y = validate_data(self, X, y, skip_check_array=True, reset=reset)
        n = len(raw[0].values)
        y = np.asarray(y)
        if y.ndim != 2 or y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        check_consistent_length(raw[0].values, y)
        if y.dtype.kind in "fc":
            assert_all_finite(y, input_name="y")
        weight = rows.as_weights(sample_weight, n)
        if weight is not None and not weight.all():
            there = np.flatnonzero(weight)
            raw = [each._replace(values=each.values[there]) for each in raw]
            y, weight = y[there], weight[there]
        return raw, y, weight

    def _rows(self, raw: list[raw_columns.RawColumn], y: Array, weight: Array | None) -> Rows:
        targets = self._as_targets(y)
        return Rows(self.columns_.inputs(raw), targets, self._total_weight(targets, weight))

    def _check_parameters(self) -> None:
        owner = type(self).__name__
        if not isinstance(self.preset, str) or self.preset not in recipes.PRESETS:
            raise not_allowed("preset", owner, f"one of {', '.join(map(repr, recipes.PRESETS))}", self.preset)
        if not isinstance(self.hidden_layer_sizes, (list, tuple)):
            raise not_allowed("hidden_layer_sizes", owner, "a list of numbers of units", self.hidden_layer_sizes)
        for units in self.hidden_layer_sizes:
            check_whole_number(units, "hidden_layer_sizes", owner, minimum=1)
        for name in ("batch_size", "epochs", "n_members"):
            check_whole_number(getattr(self, name), name, owner, minimum=1)
        if self.n_folds is not None:
            check_whole_number(self.n_folds, "n_folds", owner, minimum=2)
        if self.learning_rate is not None:
            check_number(self.learning_rate, "learning_rate", owner, above=0)
        if self.dropout is not None:
            check_number(self.dropout, "dropout", owner, minimum=0, below=1)
        if self.weight_decay is not None:
            check_number(self.weight_decay, "weight_decay", owner, minimum=0)
        check_switch(self.early_stopping, "early_stopping", owner)
        check_number(self.validation_fraction, "validation_fraction", owner, above=0, below=1)

    def _train(self, training: Rows, held: Rows | None, recipe: recipes.Recipe) -> None:
        """Train all networks, each on its own rows."""
        random = check_random_state(self.random_state)
        n = len(training.inputs)
        strata = self._strata(training.targets)
        splits: list[tuple[Array, Array | None]] = []
        for _ in range(self.n_members):
            if held is not None or (not self.early_stopping and self.n_folds is None):
                splits.append((np.arange(n), None))
            elif self.n_folds is not None:
                splits += folds.k_folds(n, self.n_folds, strata, random)
            else:
                splits.append(folds.train_validation_split(n, self.validation_fraction, strata, random))
        networks: list[Network] = []
        self.histories_: list[Any] = []
        self.best_epochs_: list[int] = []
        self.callbacks_ = [self._copied_callbacks() for _ in splits]
        judged = training if held is None else held
        _, outputs, _ = self._objective(recipe)
        total, count = np.zeros((len(judged.inputs), outputs)), np.zeros(len(judged.inputs))
        for number, (callbacks, (places, out)) in enumerate(zip(self.callbacks_, splits, strict=True), start=1):
            own = held if held is not None else None if out is None else training.some(out)
            says = f"network {number} of {len(splits)}" if self.verbose else ""
            seed = int(random.randint(2**31 - 1))
            network = self._trained(training, places, own, recipe, seed, says, callbacks)
            networks.append(network)
            if own is not None:
                these = slice(None) if out is None else out
                total[these] += network.predict(own.inputs, n_threads=self.n_threads)
                count[these] += 1
        self.ensemble_ = Ensemble(networks)
        seen = np.flatnonzero(count)
        self.validation_score_ = None
        self._judge(total[seen] / count[seen, None], judged.some(seen))

    def _trained(
        self,
        training: Rows,
        places: Array,
        held: Rows | None,
        recipe: recipes.Recipe,
        seed: int,
        says: str,
        callbacks: list[Callback],
    ) -> Network:
        loss, outputs, activation = self._objective(recipe)
        hidden = tuple(self.hidden_layer_sizes)
        network = recipes.network_of(recipe, self.columns_, hidden, outputs, activation, seed, self._class_names())
        order = np.random.default_rng(seed).permutation(places)
        recipes.start(network, recipe, training.inputs[order[: recipes.ROWS_TO_START_BY]], self.n_threads)
        figure, sign = self._figure
        judges: Any = held if self.early_stopping else None
        best = _BestEpoch(figure, sign, says)
        try:
            network.fit(
                training.inputs,
                training.targets,
                rows=places,
                sample_weight=training.weight,
                loss=loss,
                optimizer=recipes.optimizer_of(recipe),
                epochs=self.epochs,
                batch_size=self.batch_size,
                validation_data=judges,
                metrics=["accuracy"] if figure == "val_accuracy" else [],
                callbacks=[best, *callbacks],  # the first one has the last word on the weights
                n_threads=self.n_threads,
                progress=False,
            )
        except TrainingDivergedError as error:
            if best.weights is None:
                raise DataError(f"Training must end with finite weights: lower the learning_rate. {error}") from None
        self.histories_.append(network.history)
        theirs = restoring(callbacks)
        self.best_epochs_.append(theirs[0].best_epoch if theirs and best.weights is None else best.epoch)
        return network

    # --------------------------------------------------------------------------------------------- predictions

    def _raw(self, X: Any) -> list[raw_columns.RawColumn]:
        """The columns of X, validated."""
        check_is_fitted(self, "ensemble_")
        raw = raw_columns.columns(X)
        validate_data(self, X, skip_check_array=True, reset=False)
        return raw

    def _outputs(self, X: Any) -> Array:
        """The mean output of the networks for X."""
        raw = self._raw(X)
        return self._of_inputs(self.columns_.inputs(raw))

    def _of_inputs(self, inputs: Array) -> Array:
        """The mean output for given inputs. Rows of 0 are appended, so that a row has the same result alone."""
        n = len(inputs)
        padded = np.concatenate([inputs, np.zeros((-n % _ROWS_AT_ONCE, inputs.shape[1]), inputs.dtype)])
        return self.ensemble_.predict(padded, n_threads=self.n_threads)[:n]

    @abstractmethod
    def _score_of(self, outputs: Array, seen: Rows) -> float:
        """The score of given outputs, as defined by `score`."""

    def feature_importances(
        self, X: Any, y: Any, *, sample_weight: Any = None, n_repeats: int = 5, random_state: Any = None
    ) -> Array:
        """Permutation importance: the mean decrease of the score when a column is shuffled.

        Source: Breiman, "Random forests", 2001, section 10.

        Parameters
        ----------
        X : DataFrame or array of shape (rows, columns)
            Rows, preferably not used in training.
        y : array of shape (rows,) or (rows, outputs)
            As for `fit`.
        sample_weight : array of shape (rows,), optional
            Sample weights.
        n_repeats : int
            The number of times each column is shuffled.
        random_state : int, RandomState or None
            The seed of the shuffles.

        Returns
        -------
        array of shape (columns,)
            In the order of the columns. 0 for a constant column.
        """
        if not hasattr(self, "ensemble_"):
            self._outputs(X)
        check_whole_number(n_repeats, "n_repeats", "feature_importances", minimum=1)
        raw, y, weight = self._checked(X, y, sample_weight, reset=False)
        given = Rows(self.columns_.inputs(raw), self._as_targets(y), weight)
        random = check_random_state(random_state)
        whole = self._score_of(self._of_inputs(given.inputs), given)
        found = np.zeros(len(raw))
        for column in range(len(raw)):
            places = self.columns_.parts_of(column)
            if not places:
                continue
            inputs = given.inputs.copy()
            for _ in range(n_repeats):
                inputs[:, places] = given.inputs[random.permutation(len(inputs))][:, places]
                found[column] += (whole - self._score_of(self._of_inputs(inputs), given)) / n_repeats
        return found

    def _exported_model(self, form: str) -> ExportedModel:
        """What `to_c` and the other exports take."""
        from cynn.sklearn.export import ExportedTable

        check_is_fitted(self, "ensemble_")
        return ExportedTable(self, form)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save the estimator (preprocessing, networks, labels) to one file. `cynn.sklearn.load` reads it.

        Parameters
        ----------
        path : str or path
            For example "prices.safetensors".
        """
        if not hasattr(self, "ensemble_"):
            raise NotFittedError(f"This {type(self).__name__} instance is not fitted yet. Call 'fit' before 'save'.")
        table_file.save(self, path)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags
