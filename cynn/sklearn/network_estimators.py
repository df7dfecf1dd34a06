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
from cynn.sklearn.estimator import NetworkEstimator, Objective, keep
from cynn.sklearn.targets import ClassifierNetwork, RegressorNetwork

__all__ = ["NetworkClassifier", "NetworkRegressor"]

Array = npt.NDArray[Any]


class AnyNetwork(NetworkEstimator):
    """What both have in common."""

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
        """What a network with a softmax of two outputs is trained on."""
        return self._objective()

    def _completed(self, layers: list[Any], objective: Objective) -> list[Any]:
        """With an input in front and the outputs behind, where they are not there."""
        if not (layers and isinstance(layers[0], Input)):
            layers = [Input(self.n_features_in_), *layers]
        last = layers[-1]
        output = registry.activations.get(objective.activation)
        if isinstance(last, Dense):
            is_output = (last.units, last.activation) == (objective.units, output)
            if is_output or isinstance(last.activation, Softmax):  # if a softmax does not fit, that is an error
                return layers
        return [*layers, Dense(objective.units, output)]


def _layer(given: Any) -> Any:
    return given if isinstance(given, (Input, Layer)) else registry.layers.get(given)


class NetworkClassifier(ClassifierNetwork, AnyNetwork):
    """A classifier that is any network.

    Parameters reach into the parts: `optimizer__learning_rate`, `network__0__units`, or, of a function,
    `network__NAME`; so searches tune them.

    Parameters
    ----------
    network : list, callable or Network, optional
        Layers of CyNN, also by name or as configurations: an `Input` in front, and the outputs behind, are added where
        they are not there. Or a function of (n_features, n_outputs) that returns such a list or a `Network`; more
        parameters of it have defaults. Or a `cynn.Network`, of which every training takes a copy, its weights
        included. By default one hidden layer of 100 rectifiers.
    loss : str, Loss or dict
        'log_loss', or any loss of CyNN or a plugin.
    optimizer : str, Optimizer or dict
        Any optimizer of CyNN or a plugin, with any schedule. A copy of it is trained with.
    epochs : int
        Epochs, at most.
    batch_size : int or "auto"
        Rows in a batch; "auto" is min(200, rows).
    shuffle : bool
        Whether every epoch takes the rows in an order of its own.
    random_state : int, RandomState or None
        Of it come the seed of the network, the rows that `early_stopping` holds out, and the orders.
    warm_start : bool
        Whether `fit` goes on with the network that there is, and with what its optimizer remembers.
    early_stopping : bool
        Whether training ends where the score of rows that validate (accuracy) is no better by `tol` for more than
        `n_iter_no_change` epochs in a row, and the best weights are put back.
    validation_fraction : float
        The share of the rows that `early_stopping` holds out, if `fit` is given none.
    n_iter_no_change : int or inf
        See `early_stopping`.
    tol : float
        How much better is better.
    class_weight : dict or "balanced", optional
        The weight of each label, or rows / (classes * rows of the class): it multiplies `sample_weight`.
    metrics : list, optional
        Figures of every epoch in `history_`, as for `cynn.Network.fit`.
    callbacks : list of cynn.callbacks.Callback, optional
        Copies of them are called, and kept as `callbacks_`.
    dtype : {"float32", "float64"}, optional
        In which the network computes: by default that of X, float64 for what is neither. A `Network` has its own.
    n_threads : int, optional
        By default `cynn.get_num_threads()`. The result does not depend on it.
    verbose : bool or int
        Whether to print the loss of every epoch.

    Attributes
    ----------
    network_ : cynn.Network
        What is trained, and can be saved: `network_.save(path)`.
    history_ : cynn.training.History or None
        The figures of the last `fit`.
    loss_, loss_curve_ : float, list of float
        The last loss of an epoch, and all.
    validation_scores_, best_validation_score_ : list of float or None, float or None
        Of `early_stopping`.
    n_iter_, t_ : int
        Epochs of the last `fit`, and rows seen by the network in its life.
    n_features_in_, n_outputs_ : int
        Columns of X, and outputs of the network.
    feature_names_in_ : array of str
        Of a DataFrame.
    classes_ : array
        The labels, in ascending order.

    Examples
    --------
    >>> import cynn
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import GridSearchCV
    >>> from cynn.sklearn import NetworkClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> classifier = NetworkClassifier([cynn.Dense(16, "tanh"), cynn.Dropout(0.1)], batch_size=32, random_state=0)
    >>> grid = {"network__0__units": [8, 32], "optimizer__learning_rate": [1e-6, 0.01]}
    >>> GridSearchCV(classifier, grid, cv=3).fit(X, y).best_params_["optimizer__learning_rate"]
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
        keep(self, locals())

    def _objective_by_softmax(self) -> Objective:
        return self._objective(by_softmax=True)


class NetworkRegressor(RegressorNetwork, AnyNetwork):
    """A regressor that is any network.

    Parameters reach into the parts: `optimizer__learning_rate`, `network__0__units`, or, of a function,
    `network__NAME`; so searches tune them.

    Parameters
    ----------
    network : list, callable or Network, optional
        Layers of CyNN, also by name or as configurations: an `Input` in front, and the outputs behind, are added where
        they are not there. Or a function of (n_features, n_outputs) that returns such a list or a `Network`; more
        parameters of it have defaults. Or a `cynn.Network`, of which every training takes a copy, its weights
        included. By default one hidden layer of 100 rectifiers.
    loss : str, Loss or dict
        'squared_error', or any loss of CyNN or a plugin.
    optimizer : str, Optimizer or dict
        Any optimizer of CyNN or a plugin, with any schedule. A copy of it is trained with.
    epochs : int
        Epochs, at most.
    batch_size : int or "auto"
        Rows in a batch; "auto" is min(200, rows).
    shuffle : bool
        Whether every epoch takes the rows in an order of its own.
    random_state : int, RandomState or None
        Of it come the seed of the network, the rows that `early_stopping` holds out, and the orders.
    warm_start : bool
        Whether `fit` goes on with the network that there is, and with what its optimizer remembers.
    early_stopping : bool
        Whether training ends where the score of rows that validate (R²) is no better by `tol` for more than
        `n_iter_no_change` epochs in a row, and the best weights are put back.
    validation_fraction : float
        The share of the rows that `early_stopping` holds out, if `fit` is given none.
    n_iter_no_change : int or inf
        See `early_stopping`.
    tol : float
        How much better is better.
    metrics : list, optional
        Figures of every epoch in `history_`, as for `cynn.Network.fit`.
    callbacks : list of cynn.callbacks.Callback, optional
        Copies of them are called, and kept as `callbacks_`.
    dtype : {"float32", "float64"}, optional
        In which the network computes: by default that of X, float64 for what is neither. A `Network` has its own.
    n_threads : int, optional
        By default `cynn.get_num_threads()`. The result does not depend on it.
    verbose : bool or int
        Whether to print the loss of every epoch.

    Attributes
    ----------
    network_ : cynn.Network
        What is trained, and can be saved: `network_.save(path)`.
    history_ : cynn.training.History or None
        The figures of the last `fit`.
    loss_, loss_curve_ : float, list of float
        The last loss of an epoch, and all.
    validation_scores_, best_validation_score_ : list of float or None, float or None
        Of `early_stopping`.
    n_iter_, t_ : int
        Epochs of the last `fit`, and rows seen by the network in its life.
    n_features_in_, n_outputs_ : int
        Columns of X, and outputs of the network.
    feature_names_in_ : array of str
        Of a DataFrame.

    Examples
    --------
    >>> import cynn, numpy as np
    >>> from cynn.sklearn import NetworkRegressor
    >>> X = np.linspace(-1, 1, 100)[:, None]
    >>> def network(n_features, n_outputs, units=16):
    ...     return [cynn.Dense(units, "tanh"), cynn.Dense(n_outputs)]
    >>> regressor = NetworkRegressor(network, optimizer="adam", epochs=300, random_state=0)
    >>> regressor.set_params(network__units=32, optimizer__learning_rate=0.02).fit(X, X[:, 0] ** 2).network_.layers
    [Dense(32, activation=Tanh()), Dense(1, activation=Identity())]
    >>> bool(regressor.score(X, X[:, 0] ** 2) > 0.95)
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
        keep(self, locals())
