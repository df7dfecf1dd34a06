"""`NetworkClassifier` and `NetworkRegressor`: any network as an estimator."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from cynn import registry
from cynn.activations import Identity, Softmax
from cynn.errors import InvalidParameterError, ShapeError, shown
from cynn.layers import Dense, Input, Layer
from cynn.network import Network
from cynn.optimizers import Optimizer
from cynn.sklearn.estimator import NetworkEstimator, Objective, store_parameters
from cynn.sklearn.targets import ClassifierNetwork, RegressorNetwork

__all__ = ["NetworkClassifier", "NetworkRegressor"]

Array = npt.NDArray[Any]


class AnyNetwork(NetworkEstimator):
    """The base of `NetworkClassifier` and `NetworkRegressor`."""

    _kinds: ClassVar[dict[str, str]] = {
        "network": "layer",
        "optimizer": "optimizer",
        "loss": "loss",
        "callbacks": "callback",
    }
    network: Any
    optimizer: Any
    epochs: int

    def _epochs(self) -> int:
        return self.epochs

    def _new_optimizer(self) -> Optimizer:
        return copy.deepcopy(registry.optimizers.get(self.optimizer))  # type: ignore[no-any-return]  # of that registry

    def _new_network(
        self, objective: Objective, dtype: str, random: np.random.RandomState
    ) -> tuple[Network, Objective]:
        seed = int(random.randint(2**31 - 1))
        given = self.network
        if callable(given) and not isinstance(given, (Layer, Network)):
            given = given(self.n_features_in_, objective.units)
        if isinstance(given, Network):
            network = copy.deepcopy(given)
        elif given is None or isinstance(given, (list, tuple)):
            hidden = [Dense(100, "relu")] if given is None else [_layer(each) for each in given]
            network = Network(self._completed(hidden, objective), seed=seed, dtype=dtype)
        else:
            raise InvalidParameterError(
                f"The 'network' parameter of {type(self).__name__} must be a list of layers, a Network, or a function "
                f"of (n_features, n_outputs) that returns one of these. Got {shown(given)} instead."
            )
        if objective.units == 1 and network.outputs == 2 and isinstance(network.output_activation, Softmax):
            objective = self._objective_by_softmax()
        self.n_outputs_ = objective.units
        for what, units, wanted in [
            ("inputs", network.input.units, self.n_features_in_), ("outputs", network.outputs, objective.units)
        ]:  # fmt: skip
            if units != wanted:
                raise ShapeError(f"The network must have {wanted} {what}, as the data say. Got {shown(units)} instead.")
        if objective.activation in ("sigmoid", "softmax") and isinstance(network.output_activation, Identity):
            raise InvalidParameterError(
                f"The network must end with probabilities, as with {objective.activation!r}, for this loss. "
                "Got 'identity' instead."
            )
        return network, objective

    def _objective_by_softmax(self) -> Objective:
        """The objective of a network with a softmax over two outputs."""
        return self._objective()

    def _completed(self, layers: list[Any], objective: Objective) -> list[Any]:
        """Add an input layer and an output layer if they are missing."""
        if not (layers and isinstance(layers[0], Input)):
            layers = [Input(self.n_features_in_), *layers]
        last = layers[-1]
        output = registry.activations.get(objective.activation)
        if isinstance(last, Dense):
            is_output = (last.units, last.activation) == (objective.units, output)
            # a softmax with another number of outputs is an error, which `_new_network` reports
            if is_output or isinstance(last.activation, Softmax):
                return layers
        return [*layers, Dense(objective.units, output)]


def _layer(given: Any) -> Any:
    return given if isinstance(given, (Input, Layer)) else registry.layers.get(given)


class NetworkClassifier(ClassifierNetwork, AnyNetwork):
    """A classifier made from any network.

    Nested parameters can be set and tuned: `optimizer__learning_rate`, `network__0__units`, or `network__NAME` if
    `network` is a function.

    Parameters
    ----------
    network : list, callable or Network, optional
        A list of CyNN layers, given as objects, names or configurations; an `Input` and an output layer are added if
        they are missing. Or a function of (n_features, n_outputs) that returns such a list or a `Network`; its other
        parameters must have defaults. Or a `cynn.Network`, which each `fit` copies with its weights. By default, one
        hidden layer of 100 units with ReLU.
    loss : str, Loss or dict
        'log_loss', or any loss of CyNN or a plugin.
    optimizer : str, Optimizer or dict
        Any optimizer of CyNN or a plugin, with any schedule. A copy of it is used.
    epochs : int
        The maximum number of epochs.
    batch_size : int or "auto"
        The number of rows per batch. "auto" is min(200, n_samples).
    shuffle : bool
        Whether to shuffle the rows in each epoch.
    random_state : int, RandomState or None
        The seed of the network, of the validation split and of the shuffling.
    warm_start : bool
        Whether `fit` continues with the existing network and the state of its optimizer.
    early_stopping : bool
        Whether to stop when the validation accuracy has not improved by `tol` for more than `n_iter_no_change`
        epochs, and restore the best weights.
    validation_fraction : float
        The fraction of rows that `early_stopping` holds out, if `fit` is given no validation data.
    n_iter_no_change : int or inf
        See `early_stopping`.
    tol : float
        The smallest change that counts as an improvement.
    class_weight : dict or "balanced", optional
        The weight of each label. "balanced" is n_samples / (n_classes * n_samples_of_class). It multiplies
        `sample_weight`.
    metrics : list, optional
        Metrics recorded in `history_` for each epoch, as in `cynn.Network.fit`.
    callbacks : list of cynn.callbacks.Callback, optional
        Callbacks. Copies of them are used, and kept as `callbacks_`.
    dtype : {"float32", "float64"}, optional
        The dtype of the network. By default the dtype of X, or float64 if X has another dtype. A given `Network`
        keeps its own dtype.
    n_threads : int, optional
        The number of threads, by default `cynn.get_num_threads()`. The result does not depend on it.
    verbose : bool or int
        Whether to print the loss of each epoch.

    Attributes
    ----------
    network_ : cynn.Network
        The trained network. `network_.save(path)` saves it.
    history_ : cynn.training.History or None
        The losses and metrics of the last `fit`.
    loss_, loss_curve_ : float, list of float
        The training loss of the last epoch, and of each epoch.
    validation_scores_, best_validation_score_ : list of float or None, float or None
        The validation score of each epoch and the best of them, with `early_stopping`.
    n_iter_, t_ : int
        The number of epochs of the last `fit`, and the number of rows the network has been trained on in total.
    n_features_in_, n_outputs_ : int
        The number of columns of X and of outputs.
    feature_names_in_ : array of str
        The column names, if X is a DataFrame.
    classes_ : array
        The labels in ascending order.

    Examples
    --------
    >>> import cynn
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import GridSearchCV
    >>> from cynn.sklearn import NetworkClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> layers = [cynn.Dense(16, "tanh"), cynn.Dropout(0.1)]
    >>> classifier = NetworkClassifier(
    ...     layers, batch_size=32, random_state=0
    ... )
    >>> grid = {
    ...     "network__0__units": [8, 32],
    ...     "optimizer__learning_rate": [1e-6, 0.01],
    ... }
    >>> search = GridSearchCV(classifier, grid, cv=3).fit(X, y)
    >>> search.best_params_["optimizer__learning_rate"]
    0.01
    """

    def __init__(
        self,
        network: Any = None,
        *,
        loss: Any = "log_loss",
        optimizer: Any = "adam",
        epochs: int = 100,
        batch_size: Any = "auto",
        shuffle: bool = True,
        random_state: Any = None,
        warm_start: bool = False,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: float = 10,
        tol: float = 1e-4,
        class_weight: Any = None,
        metrics: Any = None,
        callbacks: Any = None,
        dtype: Any = None,
        n_threads: int | None = None,
        verbose: Any = False,
    ) -> None:
        store_parameters(self, locals())

    def _objective_by_softmax(self) -> Objective:
        return self._objective(by_softmax=True)


class NetworkRegressor(RegressorNetwork, AnyNetwork):
    """A regressor made from any network.

    Nested parameters can be set and tuned: `optimizer__learning_rate`, `network__0__units`, or `network__NAME` if
    `network` is a function.

    Parameters
    ----------
    network : list, callable or Network, optional
        A list of CyNN layers, given as objects, names or configurations; an `Input` and an output layer are added if
        they are missing. Or a function of (n_features, n_outputs) that returns such a list or a `Network`; its other
        parameters must have defaults. Or a `cynn.Network`, which each `fit` copies with its weights. By default, one
        hidden layer of 100 units with ReLU.
    loss : str, Loss or dict
        'squared_error', or any loss of CyNN or a plugin.
    optimizer : str, Optimizer or dict
        Any optimizer of CyNN or a plugin, with any schedule. A copy of it is used.
    epochs : int
        The maximum number of epochs.
    batch_size : int or "auto"
        The number of rows per batch. "auto" is min(200, n_samples).
    shuffle : bool
        Whether to shuffle the rows in each epoch.
    random_state : int, RandomState or None
        The seed of the network, of the validation split and of the shuffling.
    warm_start : bool
        Whether `fit` continues with the existing network and the state of its optimizer.
    early_stopping : bool
        Whether to stop when the validation R² has not improved by `tol` for more than `n_iter_no_change` epochs, and
        restore the best weights.
    validation_fraction : float
        The fraction of rows that `early_stopping` holds out, if `fit` is given no validation data.
    n_iter_no_change : int or inf
        See `early_stopping`.
    tol : float
        The smallest change that counts as an improvement.
    metrics : list, optional
        Metrics recorded in `history_` for each epoch, as in `cynn.Network.fit`.
    callbacks : list of cynn.callbacks.Callback, optional
        Callbacks. Copies of them are used, and kept as `callbacks_`.
    dtype : {"float32", "float64"}, optional
        The dtype of the network. By default the dtype of X, or float64 if X has another dtype. A given `Network`
        keeps its own dtype.
    n_threads : int, optional
        The number of threads, by default `cynn.get_num_threads()`. The result does not depend on it.
    verbose : bool or int
        Whether to print the loss of each epoch.

    Attributes
    ----------
    network_ : cynn.Network
        The trained network. `network_.save(path)` saves it.
    history_ : cynn.training.History or None
        The losses and metrics of the last `fit`.
    loss_, loss_curve_ : float, list of float
        The training loss of the last epoch, and of each epoch.
    validation_scores_, best_validation_score_ : list of float or None, float or None
        The validation score of each epoch and the best of them, with `early_stopping`.
    n_iter_, t_ : int
        The number of epochs of the last `fit`, and the number of rows the network has been trained on in total.
    n_features_in_, n_outputs_ : int
        The number of columns of X and of outputs.
    feature_names_in_ : array of str
        The column names, if X is a DataFrame.

    Examples
    --------
    >>> import cynn, numpy as np
    >>> from cynn.sklearn import NetworkRegressor
    >>> X = np.linspace(-1, 1, 100)[:, None]
    >>> y = X[:, 0] ** 2
    >>> def network(n_features, n_outputs, units=16):
    ...     return [cynn.Dense(units, "tanh"), cynn.Dense(n_outputs)]
    >>> regressor = NetworkRegressor(
    ...     network, optimizer="adam", epochs=300, random_state=0
    ... )
    >>> params = {"network__units": 32, "optimizer__learning_rate": 0.02}
    >>> regressor.set_params(**params).fit(X, y).network_.layers
    [Dense(32, activation=Tanh()), Dense(1, activation=Identity())]
    >>> bool(regressor.score(X, y) > 0.95)
    True
    """

    def __init__(
        self,
        network: Any = None,
        *,
        loss: Any = "squared_error",
        optimizer: Any = "adam",
        epochs: int = 100,
        batch_size: Any = "auto",
        shuffle: bool = True,
        random_state: Any = None,
        warm_start: bool = False,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: float = 10,
        tol: float = 1e-4,
        metrics: Any = None,
        callbacks: Any = None,
        dtype: Any = None,
        n_threads: int | None = None,
        verbose: Any = False,
    ) -> None:
        store_parameters(self, locals())
