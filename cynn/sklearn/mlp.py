"""`MLPClassifier` and `MLPRegressor`: drop-in replacements for scikit-learn's, with more features."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from scipy.special import xlogy
from sklearn.exceptions import ConvergenceWarning

from cynn import registry
from cynn.errors import (
    InvalidParameterError,
    check_number,
    check_switch,
    check_whole_number,
    not_allowed,
    shown,
)
from cynn.layers import Activation, BatchNorm, Dense, Dropout, Input, Layer
from cynn.network import Network
from cynn.optimizers import SGD, Adam, Optimizer
from cynn.regularizers import L2, Regularizer
from cynn.sklearn.estimator import NetworkEstimator, Objective, ValidationRows, store_parameters
from cynn.sklearn.targets import ClassifierNetwork, RegressorNetwork
from cynn.solvers import LBFGS

__all__ = ["MLPClassifier", "MLPRegressor"]

Array = npt.NDArray[Any]

#: scikit-learn's activations. Layers with them are initialized as in scikit-learn.
_ACTIVATIONS = {"identity": "identity", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}
_OUT_ACTIVATIONS = {"sigmoid": "logistic", "exponential": "exp"}
_RATES = ("constant", "invscaling", "adaptive")
_MIN_RELATIVE_DECREASE = 2.2e-9  # of the loss, for "lbfgs": SciPy's default
_MIN_LEARNING_RATE = 1e-6  # "adaptive" does not reduce it further


class MultilayerPerceptron(NetworkEstimator):
    """The base of `MLPClassifier` and `MLPRegressor`."""

    _warns_at_the_end: ClassVar[bool] = True
    _epochs_name: ClassVar[str] = "max_iter"
    _kinds: ClassVar[dict[str, str]] = {
        "activation": "activation", "solver": "optimizer", "loss": "loss", "hidden_layer_sizes": "layer",
        "learning_rate": "schedule", "callbacks": "callback",
    }  # fmt: skip

    hidden_layer_sizes: Any
    activation: Any
    solver: Any
    alpha: float
    learning_rate: Any
    learning_rate_init: float
    power_t: float
    max_iter: int
    momentum: float
    nesterovs_momentum: bool
    beta_1: float
    beta_2: float
    epsilon: float
    max_fun: int
    dropout: Any
    batch_norm: bool

    # ------------------------------------------------------------------------------- fitted attributes

    def _dense(self) -> list[Dense]:
        return [layer for layer in self.network_.layers if isinstance(layer, Dense)]

    @property
    def coefs_(self) -> list[Array]:
        """The weights of each dense layer: live views of shape (inputs, units). Assigned arrays are copied."""
        self._require_network("coefs_")
        return [layer.weights for layer in self._dense()]

    @coefs_.setter
    def coefs_(self, arrays: Iterable[Any]) -> None:
        self._require_network("coefs_")
        for layer, array in zip(self._dense(), arrays, strict=True):
            layer.weights = array

    @property
    def intercepts_(self) -> list[Array]:
        """The biases of each dense layer: live views of shape (units,). Assigned arrays are copied."""
        self._require_network("intercepts_")
        return [layer.biases for layer in self._dense()]

    @intercepts_.setter
    def intercepts_(self, arrays: Iterable[Any]) -> None:
        self._require_network("intercepts_")
        for layer, array in zip(self._dense(), arrays, strict=True):
            layer.biases = array

    def _require_network(self, name: str) -> None:
        if not hasattr(self, "network_"):
            raise AttributeError(f"{type(self).__name__} must be fitted to have {name}. Got one that is not.")

    # ------------------------------------------------------------------------ parameters and optimizer

    def _epochs(self) -> int:
        return self.max_iter

    @property
    def _is_lbfgs(self) -> bool:
        return isinstance(self.solver, str) and self.solver == "lbfgs"

    @property
    def _takes_steps(self) -> bool:  # type: ignore[override]  # depends on a parameter
        return not self._is_lbfgs

    @property
    def _stops_by_loss(self) -> bool:  # type: ignore[override]  # likewise; "lbfgs" has its own stopping rule
        return not self._is_lbfgs

    def _check_parameters(self) -> None:
        super()._check_parameters()
        owner = type(self).__name__
        if isinstance(self.loss, (int, list, tuple, np.ndarray)):  # scikit-learn's regressor has `loss` first
            raise InvalidParameterError(
                f"The 'loss' parameter of {owner} must be a name, a Loss or a dict. Got {shown(self.loss)} instead: "
                f"the units of the hidden layers are given as {owner}(hidden_layer_sizes={shown(self.loss)})."
            )
        check_number(self.alpha, "alpha", owner, minimum=0)
        check_number(self.learning_rate_init, "learning_rate_init", owner, above=0)
        check_number(self.power_t, "power_t", owner, minimum=0)
        check_number(self.momentum, "momentum", owner, minimum=0, maximum=1)
        check_switch(self.nesterovs_momentum, "nesterovs_momentum", owner)
        check_switch(self.batch_norm, "batch_norm", owner)
        check_number(self.beta_1, "beta_1", owner, minimum=0, below=1)
        check_number(self.beta_2, "beta_2", owner, minimum=0, below=1)
        check_number(self.epsilon, "epsilon", owner, above=0)
        check_whole_number(self.max_fun, "max_fun", owner, minimum=1)
        if isinstance(self.learning_rate, str) and self.learning_rate not in _RATES:
            raise not_allowed(
                "learning_rate", owner, "'constant', 'invscaling', 'adaptive', a schedule or a function of the step",
                self.learning_rate,
            )  # fmt: skip

    def _penalty(self, weight_of_batch: float) -> Regularizer | None:
        """alpha / 2 Σw², divided by the sum of weights of the batch, as in scikit-learn."""
        return L2(0.5 * self.alpha / weight_of_batch) if self.alpha else None

    def _new_optimizer(self) -> Any:
        """The optimizer, or the L-BFGS solver."""
        solver = self.solver
        if self._is_lbfgs:
            return LBFGS(tolerance=float(self.tol), loss_tolerance=_MIN_RELATIVE_DECREASE)
        if not isinstance(solver, (str, type)):
            own: Optimizer = copy.deepcopy(registry.optimizers.get(solver))  # its learning rate may change
            return own
        rate = self.learning_rate_init if isinstance(self.learning_rate, str) else self.learning_rate
        if solver == "sgd":
            return SGD(rate, momentum=self.momentum, nesterov=self.nesterovs_momentum)
        if solver == "adam":
            return Adam(rate, beta_1=self.beta_1, beta_2=self.beta_2, epsilon=self.epsilon)
        return registry.optimizers.get(solver, learning_rate=rate)

    def _continue_optimizer(self) -> None:
        if self._is_lbfgs or isinstance(self._optimizer, LBFGS):
            self._optimizer = self._new_optimizer()  # as in scikit-learn, it keeps no state between two fits
        else:
            super()._continue_optimizer()

    def _rows_of_batch(self, n: int) -> int:
        return n if self._is_lbfgs else super()._rows_of_batch(n)

    def _end_epoch(self, logs: dict[str, float], held: ValidationRows | None, n: int) -> bool:
        stops = super()._end_epoch(logs, held, n)
        if self._is_lbfgs and logs["evaluations"] >= self.max_fun:
            warnings.warn(
                f"lbfgs failed to converge: it has reached its {self.max_fun} evaluations of the loss, max_fun.",
                ConvergenceWarning,
                stacklevel=3,
            )
            return True
        return stops

    @property
    def _moves_rate(self) -> str:
        """The learning-rate policy. As in scikit-learn, only "sgd" has one."""
        is_sgd = isinstance(self.solver, str) and self.solver == "sgd"
        return self.learning_rate if is_sgd and isinstance(self.learning_rate, str) else "constant"

    def _move_rate(self) -> None:
        if self._moves_rate == "invscaling":
            self._optimizer.learning_rate = float(self.learning_rate_init) / (self.t_ + 1) ** self.power_t

    def _stop(self, message: str) -> bool:
        if self._moves_rate != "adaptive" or self._optimizer.learning_rate <= _MIN_LEARNING_RATE:
            reason = " Learning rate too small." if self._moves_rate == "adaptive" else ""
            return super()._stop(message + reason)
        self._optimizer.learning_rate /= 5
        if self.verbose:
            print(f"{message} Setting learning rate to {self._optimizer.learning_rate:f}")
        self._no_improvement_count = 0
        return False

    # ---------------------------------------------------------------------------------------- network

    def _new_network(
        self, objective: Objective, dtype: str, random: np.random.RandomState
    ) -> tuple[Network, Objective]:
        state: Any = random.get_state()  # without drawing: the random numbers drawn below are those of scikit-learn
        _, key, place, *_ = state
        seed = int(np.random.RandomState([int(key[0]), int(place)]).randint(2**31 - 1))
        hidden, names = self._hidden()
        layers: list[Any] = [Input(self.n_features_in_), *hidden, Dense(objective.units, objective.activation)]
        network = Network(layers, seed=seed, dtype=dtype)
        self.n_outputs_ = objective.units
        self.n_layers_ = 1 + sum(isinstance(layer, Dense) for layer in layers)
        self.out_activation_ = _OUT_ACTIVATIONS.get(objective.activation, objective.activation)
        last = next((name for name in reversed(names) if name), "relu")
        starts = [(layer, name) for layer, name in zip(network.layers[:-1], names, strict=True) if name]
        for layer, name in [*starts, (network.layers[-1], last)]:
            _start(layer, name, random)
        return network, objective

    def _hidden(self) -> tuple[list[Layer], list[str | None]]:
        """The hidden layers, and the activation name of those that are initialized as in scikit-learn."""
        sizes = self._sizes()
        n_sizes = sum(not isinstance(each, Layer) for each in sizes)
        activations = iter(self._one_each(self.activation, "activation", n_sizes))
        rates = iter(self._one_each(self.dropout, "dropout", n_sizes))
        layers: list[Layer] = []
        names: list[str | None] = []
        for size in sizes:
            if isinstance(size, Layer):
                layers, names = [*layers, size], [*names, None]
                continue
            activation, rate = next(activations), next(rates)
            name = activation if isinstance(activation, str) and activation in _ACTIVATIONS else None
            f = registry.activations.get(_ACTIVATIONS[name] if name else activation)
            parts: list[Layer] = [Dense(size), BatchNorm(), Activation(f)] if self.batch_norm else [Dense(size, f)]
            parts += [Dropout(rate)] if rate else []
            layers, names = [*layers, *parts], [*names, name, *[None] * (len(parts) - 1)]
        return layers, names

    def _sizes(self) -> list[Any]:
        given = self.hidden_layer_sizes
        sizes = list(given) if isinstance(given, Iterable) and not isinstance(given, (str, dict)) else [given]
        found: list[Any] = []
        for size in sizes:
            if isinstance(size, (Layer, str, dict)):
                found.append(registry.layers.get(size))
                continue
            try:
                found.append(check_whole_number(size, "hidden_layer_sizes", type(self).__name__, minimum=1))
            except ValueError:
                raise InvalidParameterError(
                    f"hidden_layer_sizes must be > 0, got {shown(given)}: whole numbers and layers are allowed."
                ) from None
        return found

    def _one_each(self, given: Any, name: str, n: int) -> list[Any]:
        """One value for each hidden layer given by its size."""
        if not isinstance(given, (list, tuple)):
            return [given] * n
        if len(given) != n:
            raise InvalidParameterError(
                f"The {name!r} parameter of {type(self).__name__} must be one for all hidden layers, or a list with "
                f"one for each of {n}. Got {len(given)} instead."
            )
        return list(given)


def _start(layer: Any, activation: str, random: np.random.RandomState) -> None:
    """Draw initial weights and biases as scikit-learn does: uniform, within the limit of Glorot and Bengio (2010)."""
    limit = np.sqrt((2 if activation == "logistic" else 6) / (layer.inputs + layer.units))
    layer.weights = random.uniform(-limit, limit, layer.weights.shape)
    layer.biases = random.uniform(-limit, limit, layer.biases.shape)


class MLPClassifier(ClassifierNetwork, MultilayerPerceptron):
    """A multilayer perceptron for classification: a drop-in replacement for scikit-learn's, on CyNN's engine.

    Parameters and attributes have the same meaning as in `sklearn.neural_network.MLPClassifier`. With the same
    `random_state`, the loss curve is the same.

    Parameters
    ----------
    hidden_layer_sizes : int, or list of int, Layer, str or dict
        The number of units of each hidden layer. The list may also contain CyNN layers, given as objects, names or
        configurations: `(64, cynn.LayerNorm(), 64)`.
    activation : str, Activation, dict, or list of such
        The activation of the hidden layers: 'identity', 'logistic', 'tanh', 'relu', or any activation of CyNN or a
        plugin. A list gives one activation per hidden layer.
    solver : str, Optimizer or dict
        'adam', 'sgd', 'lbfgs', or any optimizer of CyNN or a plugin. An `Optimizer` object has its own learning rate.
        'lbfgs' uses all rows in each step, and stops when no element of the gradient is larger than `tol`.
    alpha : float
        The strength of the L2 penalty. alpha / 2 Σw² over the weights (not biases), divided by the number of rows of
        a batch or the sum of their sample weights, is added to the loss of the batch. If the last batch is shorter,
        scikit-learn divides by fewer rows there; CyNN divides by the same number in all batches.
    batch_size : int or "auto"
        The number of rows per batch. "auto" is min(200, n_samples).
    learning_rate : {"constant", "invscaling", "adaptive"}, Schedule or callable
        'constant' is `learning_rate_init`. 'invscaling' and 'adaptive' are for 'sgd' only. 'invscaling' sets the rate
        to `learning_rate_init` / (`t_` + 1)^`power_t` after each epoch. 'adaptive' divides it by 5 after more than
        `n_iter_no_change` epochs without an improvement of `tol`, down to 1e-6. A schedule of `cynn.schedules`, or a
        function of the step, works with every solver.
    learning_rate_init : float
        The initial learning rate.
    power_t : float
        The exponent for 'invscaling'.
    max_iter : int
        The maximum number of epochs.
    shuffle : bool
        Whether to shuffle the rows in each epoch.
    random_state : int, RandomState or None
        The seed of the initial weights, the validation split and the shuffling, which are drawn as in scikit-learn,
        and of the network.
    tol : float
        The smallest change that counts as an improvement.
    verbose : bool or int
        Whether to print the loss of each epoch.
    warm_start : bool
        Whether `fit` continues with the existing network. The state of the optimizer is kept too, if the parameters
        of the solver are the same.
    momentum : float
        The momentum for 'sgd'.
    nesterovs_momentum : bool
        Whether 'sgd' uses Nesterov's momentum.
    early_stopping : bool
        Whether to stop when the validation score (accuracy or R²) has not improved by `tol` for more than
        `n_iter_no_change` epochs, and restore the best weights. If False, the training loss decides.
    validation_fraction : float
        The fraction of rows that `early_stopping` holds out, if `fit` is given no validation data.
    beta_1, beta_2, epsilon : float
        The parameters of 'adam'. Epsilon is added to the bias-corrected square root, as in the paper; scikit-learn
        adds it to the uncorrected one.
    n_iter_no_change : int or inf
        See `early_stopping`.
    max_fun : int
        The maximum number of loss evaluations, for 'lbfgs' only.
    loss : str, Loss or dict
        'log_loss', or any loss of CyNN or a plugin. With a margin loss, such as 'hinge', the estimator has
        `decision_function` instead of `predict_proba`.
    class_weight : dict or "balanced", optional
        The weight of each label. "balanced" is n_samples / (n_classes * n_samples_of_class). It multiplies
        `sample_weight`.
    dropout : float, or list of float
        The dropout rate after each hidden layer. A list gives one rate per hidden layer.
    batch_norm : bool
        Whether to add a `cynn.BatchNorm` before each hidden activation.
    metrics : list, optional
        Metrics recorded in `history_` for each epoch, as in `cynn.Network.fit`.
    callbacks : list of cynn.callbacks.Callback, optional
        Callbacks. Copies of them are used, and kept as `callbacks_`.
    dtype : {"float32", "float64"}, optional
        The dtype of the network. By default the dtype of X, or float64 if X has another dtype.
    n_threads : int, optional
        The number of threads, by default `cynn.get_num_threads()`. The result does not depend on it.

    Attributes
    ----------
    network_ : cynn.Network
        The trained network. `network_.save(path)` saves it.
    coefs_, intercepts_ : list of array
        The weights, of shape (inputs, units), and the biases of the dense layers, as live views.
    loss_, best_loss_, loss_curve_ : float, float or None, list of float
        The loss of the last epoch, the smallest loss, and the loss of each epoch. With `early_stopping`, `best_loss_`
        is None.
    validation_scores_, best_validation_score_ : list of float or None, float or None
        The validation score of each epoch and the best of them, with `early_stopping`.
    history_ : cynn.training.History or None
        The losses and metrics of the last `fit`.
    n_iter_, t_ : int
        The number of epochs of the last `fit`, and the number of rows the network has been trained on in total.
    n_features_in_, n_layers_, n_outputs_ : int
        The number of columns of X, of layers with the input layer, and of outputs.
    feature_names_in_ : array of str
        The column names, if X is a DataFrame.
    out_activation_ : str
        The activation of the output layer: 'logistic', 'softmax', 'identity' or 'exp'.
    classes_ : array
        The labels in ascending order.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from cynn.sklearn import MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> classifier = MLPClassifier(
    ...     (32, 32), learning_rate_init=0.01, random_state=0
    ... )
    >>> bool(classifier.fit(X, y).score(X, y) > 0.95)
    True
    """

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: Any = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        loss: Any = "log_loss",
        class_weight: Any = None,
        dropout: Any = 0.0,
        batch_norm: bool = False,
        metrics: Any = None,
        callbacks: Any = None,
        dtype: Any = None,
        n_threads: int | None = None,
    ) -> None:
        store_parameters(self, locals())


class MLPRegressor(RegressorNetwork, MultilayerPerceptron):
    """A multilayer perceptron for regression: a drop-in replacement for scikit-learn's, on CyNN's engine.

    Parameters and attributes have the same meaning as in `sklearn.neural_network.MLPRegressor`. With the same
    `random_state`, the loss curve is the same.

    Parameters
    ----------
    loss : str, Loss or dict
        'squared_error' (half the mean squared error), 'poisson' (half the Poisson deviance, with an exponential output
        activation), or any loss of CyNN or a plugin, such as 'quantile' or 'huber'.
    hidden_layer_sizes : int, or list of int, Layer, str or dict
        The number of units of each hidden layer. The list may also contain CyNN layers, given as objects, names or
        configurations: `(64, cynn.LayerNorm(), 64)`.
    activation : str, Activation, dict, or list of such
        The activation of the hidden layers: 'identity', 'logistic', 'tanh', 'relu', or any activation of CyNN or a
        plugin. A list gives one activation per hidden layer.
    solver : str, Optimizer or dict
        'adam', 'sgd', 'lbfgs', or any optimizer of CyNN or a plugin. An `Optimizer` object has its own learning rate.
        'lbfgs' uses all rows in each step, and stops when no element of the gradient is larger than `tol`.
    alpha : float
        The strength of the L2 penalty. alpha / 2 Σw² over the weights (not biases), divided by the number of rows of
        a batch or the sum of their sample weights, is added to the loss of the batch. If the last batch is shorter,
        scikit-learn divides by fewer rows there; CyNN divides by the same number in all batches.
    batch_size : int or "auto"
        The number of rows per batch. "auto" is min(200, n_samples).
    learning_rate : {"constant", "invscaling", "adaptive"}, Schedule or callable
        'constant' is `learning_rate_init`. 'invscaling' and 'adaptive' are for 'sgd' only. 'invscaling' sets the rate
        to `learning_rate_init` / (`t_` + 1)^`power_t` after each epoch. 'adaptive' divides it by 5 after more than
        `n_iter_no_change` epochs without an improvement of `tol`, down to 1e-6. A schedule of `cynn.schedules`, or a
        function of the step, works with every solver.
    learning_rate_init : float
        The initial learning rate.
    power_t : float
        The exponent for 'invscaling'.
    max_iter : int
        The maximum number of epochs.
    shuffle : bool
        Whether to shuffle the rows in each epoch.
    random_state : int, RandomState or None
        The seed of the initial weights, the validation split and the shuffling, which are drawn as in scikit-learn,
        and of the network.
    tol : float
        The smallest change that counts as an improvement.
    verbose : bool or int
        Whether to print the loss of each epoch.
    warm_start : bool
        Whether `fit` continues with the existing network. The state of the optimizer is kept too, if the parameters
        of the solver are the same.
    momentum : float
        The momentum for 'sgd'.
    nesterovs_momentum : bool
        Whether 'sgd' uses Nesterov's momentum.
    early_stopping : bool
        Whether to stop when the validation score (accuracy or R²) has not improved by `tol` for more than
        `n_iter_no_change` epochs, and restore the best weights. If False, the training loss decides.
    validation_fraction : float
        The fraction of rows that `early_stopping` holds out, if `fit` is given no validation data.
    beta_1, beta_2, epsilon : float
        The parameters of 'adam'. Epsilon is added to the bias-corrected square root, as in the paper; scikit-learn
        adds it to the uncorrected one.
    n_iter_no_change : int or inf
        See `early_stopping`.
    max_fun : int
        The maximum number of loss evaluations, for 'lbfgs' only.
    dropout : float, or list of float
        The dropout rate after each hidden layer. A list gives one rate per hidden layer.
    batch_norm : bool
        Whether to add a `cynn.BatchNorm` before each hidden activation.
    metrics : list, optional
        Metrics recorded in `history_` for each epoch, as in `cynn.Network.fit`.
    callbacks : list of cynn.callbacks.Callback, optional
        Callbacks. Copies of them are used, and kept as `callbacks_`.
    dtype : {"float32", "float64"}, optional
        The dtype of the network. By default the dtype of X, or float64 if X has another dtype.
    n_threads : int, optional
        The number of threads, by default `cynn.get_num_threads()`. The result does not depend on it.

    Attributes
    ----------
    network_ : cynn.Network
        The trained network. `network_.save(path)` saves it.
    coefs_, intercepts_ : list of array
        The weights, of shape (inputs, units), and the biases of the dense layers, as live views.
    loss_, best_loss_, loss_curve_ : float, float or None, list of float
        The loss of the last epoch, the smallest loss, and the loss of each epoch. With `early_stopping`, `best_loss_`
        is None.
    validation_scores_, best_validation_score_ : list of float or None, float or None
        The validation score of each epoch and the best of them, with `early_stopping`.
    history_ : cynn.training.History or None
        The losses and metrics of the last `fit`.
    n_iter_, t_ : int
        The number of epochs of the last `fit`, and the number of rows the network has been trained on in total.
    n_features_in_, n_layers_, n_outputs_ : int
        The number of columns of X, of layers with the input layer, and of outputs.
    feature_names_in_ : array of str
        The column names, if X is a DataFrame.
    out_activation_ : str
        The activation of the output layer: 'logistic', 'softmax', 'identity' or 'exp'.

    Examples
    --------
    >>> import cynn, numpy as np
    >>> from cynn.sklearn import MLPRegressor
    >>> X = np.linspace(-1, 1, 100)[:, None]
    >>> y = X[:, 0] ** 2
    >>> adam = cynn.optimizers.Adam(0.02)
    >>> regressor = MLPRegressor(
    ...     activation="tanh", solver=adam, tol=1e-6, random_state=0
    ... )
    >>> bool(regressor.fit(X, y).score(X, y) > 0.95)
    True
    """

    def __init__(
        self,
        loss: Any = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: Any = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        dropout: Any = 0.0,
        batch_norm: bool = False,
        metrics: Any = None,
        callbacks: Any = None,
        dtype: Any = None,
        n_threads: int | None = None,
    ) -> None:
        store_parameters(self, locals())

    @property
    def _tells_penalty(self) -> bool:  # type: ignore[override]  # depends on fitted attributes
        """With several outputs, their sum is minimized and their mean is reported."""
        return self._is("squared_error") and self.n_outputs_ > 1

    def _is(self, loss: str) -> bool:
        return isinstance(self.loss, str) and self.loss == loss

    def _all_metrics(self) -> list[Any]:
        return [*super()._all_metrics(), *(["mean_squared_error"] if self._tells_penalty else [])]

    def _weighted(self, X: Any, targets: Array, weight: Array | None) -> tuple[Any, Array, Array | None, float]:
        """Also compute the constant that makes the Poisson loss 0 for perfect predictions, as in scikit-learn."""
        X, targets, weight, mean = super()._weighted(X, targets, weight)
        self._added = 0.0
        if self._is("poisson"):
            self._added = float(np.average(xlogy(targets, targets) - targets, axis=0, weights=weight).sum())
        return X, targets, weight, mean

    def _reported_loss(self, logs: dict[str, float]) -> float:
        loss, k = logs["loss"] + self._added, self.n_outputs_
        if not self._tells_penalty:
            return loss
        penalty = logs["penalty"] if "penalty" in logs else loss - k / 2 * logs["mean_squared_error"]
        return (loss - penalty) / k + penalty
