"""The base of all estimators: validates X, y and weights, trains a network and predicts with it."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state

from cynn.callbacks import Callback
from cynn.errors import (
    DataError,
    TrainingDivergedError,
    check_number,
    check_switch,
    check_whole_number,
    not_allowed,
)
from cynn.losses import Loss
from cynn.network import Network
from cynn.optimizers import Optimizer
from cynn.regularizers import Regularizer
from cynn.sklearn import rows
from cynn.sklearn.part_parameters import PartParameters
from cynn.training import History

__all__ = ["NetworkEstimator", "Objective", "store_parameters"]

Array = npt.NDArray[Any]


def store_parameters(estimator: Any, parameters: dict[str, Any]) -> None:
    """Store the parameters of an `__init__`, unchanged, as attributes of the same names."""
    for name, value in parameters.items():
        if name not in ("self", "__class__"):
            setattr(estimator, name, value)


def _not_finite(problem: TrainingDivergedError) -> DataError:
    """The error for diverged training, with the words that scikit-learn uses for it."""
    return DataError(
        "Solver produced non-finite parameter weights. The input data may contain large values and need to be "
        f"preprocessed. {problem}"
    )


class Objective(NamedTuple):
    """The loss of a network and the output layer that goes with it.

    Attributes
    ----------
    loss : Loss
    weight : float
        The loss is multiplied by this number.
    units : int
        The number of outputs of the network.
    activation : str
        The activation of the output layer.
    """

    loss: Loss
    weight: float
    units: int
    activation: str


class ValidationRows(NamedTuple):
    """Validation rows: x, targets and sample weights."""

    X: Any
    targets: Array
    weight: Array | None


class _EpochEnd(Callback):
    """Passes the logs of each epoch to the estimator, which decides when training stops."""

    def __init__(self, estimator: NetworkEstimator, held: ValidationRows | None, n: int) -> None:
        self.estimator = estimator
        self.held = held
        self.n = n

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Record the epoch and decide whether training stops.

        Parameters
        ----------
        epoch : int
            The number of the epoch.
        logs : dict of str to float
            The losses and metrics of the epoch.
        """
        self.stop_training = self.estimator._end_epoch(logs, self.held, self.n)


class NetworkEstimator(PartParameters):
    """The base of classifiers and regressors: `fit`, `partial_fit` and the fitted attributes.

    A subclass defines the network, the loss and the optimizer.
    """

    #: Whether it is trained in steps on batches, so that `partial_fit` is available.
    _takes_steps: bool = True
    #: Whether training stops when the training loss no longer improves.
    _stops_by_loss: ClassVar[bool] = False
    #: Whether to warn when training ends at the maximum number of epochs.
    _warns_at_the_end: ClassVar[bool] = False
    #: Whether the penalty must be reported separately from the loss.
    _tells_penalty: bool = False
    #: The name of the parameter for the number of epochs, for messages.
    _epochs_name: ClassVar[str] = "epochs"
    _estimator_type: ClassVar[str]

    # parameters of all estimators
    batch_size: Any
    shuffle: bool
    random_state: Any
    warm_start: bool
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: float
    tol: float
    metrics: Any
    dtype: Any
    n_threads: int | None
    verbose: Any

    network_: Network
    n_features_in_: int
    classes_: Array
    history_: History | None
    loss_curve_: list[float]
    validation_scores_: list[float] | None
    best_loss_: float | None
    best_validation_score_: float | None

    # -------------------------------------------------------------------------- defined by a subclass

    @abstractmethod
    def _learn_targets(self, y: Array, classes: Any = None) -> None:
        """Determine the outputs of the network from the targets of the first training."""

    @abstractmethod
    def _checked_targets(self, y: Array) -> Array:
        """Convert y to the targets of the network."""

    @abstractmethod
    def _objective(self) -> Objective:
        """The objective of a new network. `_learn_targets` has been called before."""

    @abstractmethod
    def _new_network(
        self, objective: Objective, dtype: str, random: np.random.RandomState
    ) -> tuple[Network, Objective]:
        """A network with initial weights, and its objective, which may depend on the outputs of the network."""

    @abstractmethod
    def _new_optimizer(self) -> Optimizer:
        """The optimizer that the parameters describe."""

    @abstractmethod
    def _epochs(self) -> int:
        """The maximum number of epochs in `fit`."""

    @abstractmethod
    def _score_of(self, outputs: Array, held: ValidationRows) -> float:
        """The validation score of the network's outputs. Greater is better."""

    def _class_weights(self, codes: Array, weight: Array | None) -> Array | None:
        """The class weight of each row, which multiplies its sample weight."""
        return None

    def _strata(self, targets: Array) -> Array | None:
        """The labels by which the validation split is stratified, or None."""
        return None

    def _reported_loss(self, logs: dict[str, float]) -> float:
        """The training loss of an epoch, as this estimator reports it."""
        return logs["loss"]

    def _penalty(self, weight_of_batch: float) -> Regularizer | None:
        """The regularizer of the network, for batches with this sum of sample weights."""
        return self.network_.regularizer  # type: ignore[no-any-return]  # of the network

    def _check_parameters(self) -> None:
        owner = type(self).__name__
        if not (isinstance(self.batch_size, str) and self.batch_size == "auto"):
            try:
                check_whole_number(self.batch_size, "batch_size", owner, minimum=1)
            except ValueError:
                raise not_allowed("batch_size", owner, "'auto' or a whole number >= 1", self.batch_size) from None
        check_whole_number(self._epochs(), self._epochs_name, owner, minimum=1)
        for name in ("shuffle", "warm_start", "early_stopping"):
            check_switch(getattr(self, name), name, owner)
        check_number(self.validation_fraction, "validation_fraction", owner, minimum=0, below=1)
        check_number(self.tol, "tol", owner, minimum=0)
        if self.n_iter_no_change != np.inf:
            check_whole_number(self.n_iter_no_change, "n_iter_no_change", owner, minimum=1)

    # ---------------------------------------------------------------------------------------- training

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "network_")

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
        X : array, DataFrame or sparse matrix of shape (rows, features)
            Finite numbers.
        y : array of shape (rows,) or (rows, outputs)
            Finite numbers for a regressor. For a classifier, one label of any type per row, or rows of 0 and 1 for
            several labels per row.
        sample_weight : array of shape (rows,), optional
            A weight of 2 has the effect of two copies of the row.
        X_val, y_val, sample_weight_val : optional
            Validation data, used instead of the rows that `early_stopping` holds out. `history_` then contains
            `val_loss` and the validation metrics.

        Returns
        -------
        object
            The fitted estimator.
        """
        self._check_parameters()
        begins = not (self.warm_start and hasattr(self, "network_"))
        with self._unchanged_on_error():
            X, y, weight = self._checked_rows(X, y, sample_weight, reset=begins)
            random = check_random_state(self.random_state)
            if begins:
                self._learn_targets(y)
            else:
                self._check_warm_start(y)
            targets = self._checked_targets(y)
            held = given = self._held(X_val, y_val, sample_weight_val)
            if begins:
                self._begin(X, random)
            else:
                self._continue_optimizer()
            if self.early_stopping and held is None:
                X, targets, weight, held = self._split(X, targets, weight, random)
            X, targets, weight, mean = self._weighted(X, targets, weight)
            self.callbacks_ = self._copied_callbacks()
        self._train(X, targets, weight, mean, held, given, random)
        return self

    def _checked_rows(self, X: Any, y: Any, sample_weight: Any, *, reset: bool) -> tuple[Any, Array, Array | None]:
        """Validate X, y and the weights. Rows of weight 0 are dropped."""
        X, y = rows.checked_with_targets(self, X, y, reset=reset)
        return rows.drop_zero_weights(X, y, rows.as_weights(sample_weight, X.shape[0]))

    def _check_warm_start(self, y: Array) -> None:
        """Raise an error if y does not fit the network whose training continues."""

    def _begin(self, X: Any, random: np.random.RandomState) -> None:
        """Create the network, the optimizer and empty records."""
        objective = self._objective()
        dtype = X.dtype.name if self.dtype is None else self.dtype
        self.network_, self._trained_on = self._new_network(objective, dtype, random)
        self._optimizer = self._new_optimizer()
        self.t_ = 0
        self.n_iter_ = 0
        self.history_ = None
        self.loss_curve_ = []
        self.best_loss_, self.validation_scores_ = None, None

    def _keep_records(self) -> None:
        """Create the records for early stopping if they are missing: the parameter may be set between two trainings."""
        if self.early_stopping and self.validation_scores_ is None:
            self.validation_scores_, self.best_validation_score_, self.best_loss_ = [], -np.inf, None
        elif not self.early_stopping and self.best_loss_ is None:
            self.validation_scores_, self.best_validation_score_, self.best_loss_ = None, None, np.inf
        else:
            return
        self._no_improvement_count = 0
        self._best_weights: list[Array] | None = None

    def _continue_optimizer(self) -> None:
        """Keep the optimizer and its state, or create a new one if its parameters have changed."""
        new, own = self._new_optimizer(), self._optimizer
        rate, new.learning_rate = new.learning_rate, own.learning_rate
        if new != own:
            self._optimizer = new
        self._optimizer.learning_rate = rate

    def _held(self, X: Any, y: Any, sample_weight: Any) -> ValidationRows | None:
        """The validation data given to `fit`, or None."""
        if X is None and y is None:
            return None
        if X is None or y is None:
            missing = "X_val" if X is None else "y_val"
            raise DataError(f"X_val and y_val must be given together. Got no {missing} instead.")
        X, y, weight = self._checked_rows(X, y, sample_weight, reset=False)
        return ValidationRows(X, self._checked_targets(y), weight)

    def _split(
        self, X: Any, targets: Array, weight: Array | None, random: np.random.RandomState
    ) -> tuple[Any, Array, Array | None, ValidationRows]:
        train, held_out = train_test_split(
            np.arange(X.shape[0]),
            random_state=random,
            test_size=self.validation_fraction,
            stratify=self._strata(targets),
        )
        if len(held_out) < 2:
            raise DataError(
                f"The validation set is too small: it must have at least 2 rows. Got {len(held_out)} instead. "
                "Increase 'validation_fraction', or give X_val and y_val."
            )
        weights = [None, None] if weight is None else [weight[train], weight[held_out]]
        return X[train], targets[train], weights[0], ValidationRows(X[held_out], targets[held_out], weights[1])

    def _train(
        self,
        X: Any,
        targets: Array,
        weight: Array | None,
        mean: float,
        held: ValidationRows | None,
        given: ValidationRows | None,
        random: np.random.RandomState,
    ) -> None:
        """Train on rows that `_weighted` has returned."""
        self._keep_records()
        self._has_stopped = False
        network, n = self.network_, X.shape[0]
        batch_size = self._rows_of_batch(n)
        if not isinstance(self.batch_size, str) and self.batch_size > n:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped", stacklevel=3
            )
        network.regularizer = self._penalty(mean * batch_size)
        orders = rows.Orders(random, n)
        self.n_iter_ = 0
        after = _EpochEnd(self, held, n)
        options: dict[str, Any] = {
            "shuffle": orders if self.shuffle else False,
            "batch_size": batch_size,
            "sample_weight": weight,
        }
        if given is not None:
            options["validation_data"] = (given.X, given.targets, given.weight)
        problem: TrainingDivergedError | None = None
        try:
            network.fit(
                X,
                targets,
                loss=self._trained_on.loss,
                loss_weights=self._trained_on.weight,
                optimizer=self._optimizer,
                epochs=self._epochs(),
                metrics=self._all_metrics(),
                callbacks=[*self.callbacks_, after],
                n_threads=self.n_threads,
                progress=False,
                **options,
            )
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=3)
        except TrainingDivergedError as error:
            problem = error
        finally:
            self.history_ = network.history
        if problem is not None and not (self.early_stopping and self._best_weights is not None):
            raise _not_finite(problem) from problem
        if problem is not None:
            assert self.validation_scores_ is not None
            self.validation_scores_.append(float("nan"))
        if self.early_stopping and self._best_weights is not None:
            network.set_weights(self._best_weights)
        if self._warns_at_the_end and self.n_iter_ == self._epochs() and not after.stop_training:
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({self._epochs()}) reached and the optimization hasn't "
                "converged yet.",
                ConvergenceWarning,
                stacklevel=3,
            )

    def _weighted(self, X: Any, targets: Array, weight: Array | None) -> tuple[Any, Array, Array | None, float]:
        """Rows with a positive weight; sample weight times class weight, divided by its mean; and that mean."""
        of_class = self._class_weights(targets, weight)
        if of_class is not None:
            weight = of_class if weight is None else weight * of_class
        if weight is None:
            return X, targets, None, 1.0
        if not weight.any():
            raise DataError("class_weight must leave rows that count. Got rows whose weights are all 0 instead.")
        mean = float(weight[weight > 0].mean())
        return *rows.drop_zero_weights(X, targets, weight / mean), mean

    def _rows_of_batch(self, n: int) -> int:
        return min(200 if isinstance(self.batch_size, str) else int(self.batch_size), n)

    def _all_metrics(self) -> list[Any]:
        return list(self.metrics or ())

    # ------------------------------------------------------------------------------------- partial_fit

    def _partial_fit(
        self, X: Any, y: Any, sample_weight: Any, validation: tuple[Any, Any, Any], classes: Any = None
    ) -> Self:
        begins = not hasattr(self, "network_")
        if begins:
            self._check_parameters()
            X, y, weight = self._checked_rows(X, y, sample_weight, reset=True)
            self._learn_targets(y, classes)
            targets = self._checked_targets(y)
        elif self._has_stopped:
            return self
        else:
            X, targets, weight = self._rows_to_go_on(X, y, sample_weight)
        held = self._held(*validation)
        if self.early_stopping and held is None:
            raise DataError(
                "partial_fit does not support early_stopping=True without rows that judge the network. "
                "Got no X_val and y_val."
            )
        random = None
        if begins:
            random = check_random_state(self.random_state)
            self._begin(X, random)
        self._keep_records()
        logs = self._take_steps(X, targets, weight, random)
        self.n_iter_ = 0
        stops = self._end_epoch(logs, held, X.shape[0])
        if stops and self.early_stopping and self._best_weights is not None:
            self.network_.set_weights(self._best_weights)
            self._has_stopped = True
        return self

    #: Whether early stopping has ended the training by `partial_fit`.
    _has_stopped: bool = False

    def _rows_to_go_on(self, X: Any, y: Any, sample_weight: Any) -> tuple[Any, Array, Array | None]:
        """Rows and targets for `partial_fit`. Arrays that need no conversion skip most of the validation."""
        if sample_weight is None and rows.needs_no_validation(self, X):
            given = np.asarray(y)
            if given.shape == X.shape[:1] and given.dtype.kind in "iufUS" and np.isfinite(X).all():
                return X, self._checked_targets(given), None
        X, y, weight = self._checked_rows(X, y, sample_weight, reset=False)
        return X, self._checked_targets(y), weight

    def _take_steps(self, X: Any, targets: Array, weight: Array | None, random: Any) -> dict[str, float]:
        """Train for one epoch with `train_batch`. Returns the mean loss and the mean penalty (part of the loss)."""
        X, targets, weight, mean = self._weighted(X, targets, weight)
        network, objective, n = self.network_, self._trained_on, X.shape[0]
        batch_size = self._rows_of_batch(n)
        batches: Any = [(X, targets) if weight is None else (X, targets, weight)]
        if batch_size < n:
            order = np.arange(n)
            if self.shuffle:
                order = rows.Orders(check_random_state(self.random_state) if random is None else random, n)(0)
            batches = rows.batches(X, targets, weight, order, batch_size)
        loss = penalty = 0.0
        for x, target, *weights in batches:
            size = x.shape[0]  # a sparse matrix has no length
            regularizer = self._penalty(mean * size)
            if regularizer != network.regularizer:
                network.regularizer = regularizer
            if self._tells_penalty:
                penalty += size * network.penalty()
            try:
                loss += size * network.train_batch(
                    x,
                    target,
                    loss=objective.loss,
                    loss_weights=objective.weight,
                    optimizer=self._optimizer,
                    sample_weight=weights[0] if weights else None,
                    n_threads=self.n_threads,
                )
            except TrainingDivergedError as error:
                raise _not_finite(error) from error
        return {"loss": loss / n, "penalty": penalty / n}

    # ---------------------------------------------------------------------------------- end of an epoch

    def _end_epoch(self, logs: dict[str, float], held: ValidationRows | None, n: int) -> bool:
        """Record an epoch over n rows. Returns whether training stops."""
        self.n_iter_ += 1
        self.t_ += n
        self.loss_ = self._reported_loss(logs)
        self.loss_curve_.append(self.loss_)
        if self.verbose:
            print(f"Iteration {self.n_iter_}, loss = {self.loss_:.8f}")
        if self.early_stopping:
            assert held is not None
            self._judge(self._score_of(self.network_.predict(held.X, n_threads=self.n_threads), held))
        elif self._stops_by_loss:
            assert self.best_loss_ is not None
            self._count(self.loss_ > self.best_loss_ - self.tol)
            self.best_loss_ = min(self.best_loss_, self.loss_)
        self._move_rate()
        if self._no_improvement_count <= self.n_iter_no_change:
            return False
        what = "Validation score" if self.early_stopping else "Training loss"
        message = f"{what} did not improve more than tol={self.tol:f} for {self.n_iter_no_change} consecutive epochs."
        return self._stop(message)

    def _judge(self, score: float) -> None:
        """Record the validation score of an epoch. Keep the weights of the best epoch."""
        assert self.validation_scores_ is not None
        assert self.best_validation_score_ is not None
        self.validation_scores_.append(score)
        if self.verbose:
            print(f"Validation score: {score:f}")
        self._count(score < self.best_validation_score_ + self.tol)
        if score > self.best_validation_score_:
            self.best_validation_score_ = score
            self._best_weights = self.network_.get_weights()

    def _count(self, is_no_better: bool) -> None:
        self._no_improvement_count = self._no_improvement_count + 1 if is_no_better else 0

    def _move_rate(self) -> None:
        """Change the learning rate after an epoch."""

    def _stop(self, message: str) -> bool:
        """Called after `n_iter_no_change` epochs without improvement. Returns whether training stops."""
        if self.verbose:
            print(f"{message} Stopping.")
        return True

    # ------------------------------------------------------------------------------------------ predictions

    def _outputs(self, X: Any) -> Array:
        """The outputs of the network for X."""
        if not hasattr(self, "network_"):
            raise NotFittedError(
                f"This {type(self).__name__} instance is not fitted yet. Call 'fit' with appropriate arguments before "
                "using this estimator."
            )
        if rows.needs_no_validation(self, X):
            try:
                return self.network_.predict(X, n_threads=self.n_threads)  # type: ignore[no-any-return]  # one output
            except DataError:
                pass  # validate again below, for scikit-learn's own message
        found: Array = self.network_.predict(rows.checked(self, X), n_threads=self.n_threads)
        return found

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
