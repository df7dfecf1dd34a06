"""Networks for streams, by the interface of River: dicts in, one row at a time."""

from __future__ import annotations

import copy
import math
import operator
from collections.abc import Callable, Collection, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from cynn.errors import DataError, InvalidParameterError, shown
from cynn.interop.needed import needed
from cynn.layers import Dense, Input
from cynn.network import Network
from cynn.optimizers import Adam

__all__ = ["MLPClassifier", "MLPRegressor"]

Array = npt.NDArray[Any]


class _Stream:
    """What both have in common: columns for the features, and a network that grows with them."""

    _base: str
    hidden_layer_sizes: Any
    activation: Any
    optimizer: Any
    loss: Any
    dtype: str
    seed: int | None

    def __new__(cls, *parameters: Any, **named: Any) -> Self:
        return object.__new__(_with_base(cls))

    def __reduce__(self) -> tuple[Any, ...]:
        state = {name: value for name, value in vars(self).items() if name not in ("_loop", "_all_of")}
        return _made_again, (_own(type(self)), state)

    def _begin(self) -> None:
        self._network: Network | None = None
        self._loop: Any = None
        self._columns: dict[Any, int] = {}  # of the features, in the order of the columns
        self._all_of = _getter(self._columns)

    def _row(self, x: dict[Any, Any]) -> Array:
        """The features that have a column, as a row; those that are missing are 0."""
        assert self._network is not None
        try:
            values = self._all_of(x)  # the usual case, in half the time
        except KeyError:
            values = [x.get(name, 0) for name in self._columns]
        units = self._network.input.units
        try:
            row = np.fromiter(values, self.dtype, len(values))
        except (TypeError, ValueError):
            row = np.array([_number(value, f"Feature {name!r}") for name, value in x.items()])  # which raises
        return row if len(row) == units else np.append(row, np.zeros(units - len(row), self.dtype))

    def _learn(self, x: dict[Any, Any], y: Array, outputs: int) -> None:
        if not x.keys() <= self._columns.keys():
            _check(x)
            # in an order of their own, whatever that of the dict
            new = sorted(x.keys() - self._columns.keys(), key=lambda name: (type(name).__name__, repr(name)))
            self._columns.update({name: len(self._columns) + k for k, name in enumerate(new)})
            self._all_of = _getter(self._columns)
        network = self._network
        if network is None or len(self._columns) > network.input.units or outputs > network.outputs:
            network = self._grow(outputs)
        if self._loop is None:
            self._loop = network.loop(1, loss=self.loss)
        try:
            self._loop.step(self._row(x)[None], y)
        except DataError:
            _check(x)  # which names the feature
            raise

    def _predict(self, x: dict[Any, Any]) -> Array:
        assert self._network is not None
        try:
            predicted: Array = self._network.predict(self._row(x))
        except DataError:
            _check(x)
            raise
        return predicted

    def _grow(self, outputs: int) -> Network:
        """Make a network with room for the columns and outputs there are, and the weights there were."""
        old, columns = self._network, max(1, len(self._columns))
        if old is not None:
            columns = old.input.units if columns <= old.input.units else max(columns, 2 * old.input.units)
            outputs = old.outputs if outputs <= old.outputs else max(outputs, 2 * old.outputs)
        hidden = [Dense(units, self.activation) for units in self.hidden_layer_sizes]
        layers: list[Any] = [Input(columns), *hidden, Dense(outputs, self._output)]
        network = Network(layers, seed=self.seed if old is None else old.seed, dtype=self.dtype)
        if old is not None:
            weights = network.get_weights()
            for array, before in zip(weights, old.get_weights(), strict=True):
                array[tuple(map(slice, before.shape))] = before
            network.set_weights(weights)
        self._network = network
        optimizer = Adam(0.01) if self.optimizer is None else copy.deepcopy(self.optimizer)
        self._loop = network.loop(1, loss=self.loss, optimizer=optimizer)
        return network

    _output = "identity"


class MLPRegressor(_Stream):
    """A multilayer perceptron that learns from a stream, as a regressor of River.

    Columns belong to features by name. A feature that is missing in a row is 0, as in the linear models of River. One
    that appears later gets a column; where there is no room left, the network is made with twice the columns: it keeps
    its weights, and the optimizer begins anew. Features that have never been learned from are left out of predictions.

    Parameters
    ----------
    hidden_layer_sizes : tuple of int
        The units of each hidden layer.
    activation : str, Activation or dict
        The activation of the hidden layers.
    optimizer : str, Optimizer or dict, optional
        What takes a step on every row; by default `Adam(0.01)`, since a stream is learned from once.
    loss : str, Loss or dict, optional
        By default "mean_squared_error".
    dtype : {"float32", "float64"}
        The dtype of the computations.
    seed : int, optional
        Determines the initial weights.

    Raises
    ------
    MissingDependencyError
        River is not installed.

    Examples
    --------
    ::

        from river import datasets, evaluate, metrics, preprocessing
        model = preprocessing.StandardScaler() | cynn.interop.river.MLPRegressor(seed=0)
        evaluate.progressive_val_score(datasets.TrumpApproval(), model, metrics.MAE())
    """

    _base = "Regressor"

    def __init__(
        self,
        hidden_layer_sizes: Any = (32,),
        activation: Any = "relu",
        optimizer: Any = None,
        loss: Any = None,
        dtype: str = "float32",
        seed: int | None = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.optimizer = optimizer
        self.loss = loss
        self.dtype = dtype
        self.seed = seed
        self._begin()

    def learn_one(self, x: dict[Any, Any], y: Any) -> None:
        """Take a step on a row.

        Parameters
        ----------
        x : dict
            The features by name: numbers.
        y : number
            The target.

        Raises
        ------
        InvalidParameterError, DataError
            A feature, or y, is no finite number. Nothing is changed.
        TrainingDivergedError
            The loss became infinite: scale the features, or take a smaller learning rate.
        """
        self._learn(x, np.array([[_number(y, "y")]], self.dtype), 1)

    def predict_one(self, x: dict[Any, Any]) -> float:
        """Predict the target of a row.

        Parameters
        ----------
        x : dict
            The features by name.

        Returns
        -------
        float
            The prediction; 0 before the first row has been learned.
        """
        if self._network is None:
            return 0.0
        return float(self._predict(x)[0])


class MLPClassifier(_Stream):
    """A multilayer perceptron that learns from a stream, as a classifier of River.

    Features are as for `MLPRegressor`. Classes may appear at any time: labels are numbered as they come, and where
    there is no room left, the network is made with twice the outputs, which end in a softmax.

    Parameters
    ----------
    hidden_layer_sizes : tuple of int
        The units of each hidden layer.
    activation : str, Activation or dict
        The activation of the hidden layers.
    optimizer : str, Optimizer or dict, optional
        What takes a step on every row; by default `Adam(0.01)`, since a stream is learned from once.
    loss : str, Loss or dict, optional
        By default "cross_entropy".
    dtype : {"float32", "float64"}
        The dtype of the computations.
    seed : int, optional
        Determines the initial weights.

    Raises
    ------
    MissingDependencyError
        River is not installed.

    Examples
    --------
    ::

        from river import datasets, evaluate, metrics, preprocessing
        model = preprocessing.StandardScaler() | cynn.interop.river.MLPClassifier(seed=0)
        evaluate.progressive_val_score(datasets.Phishing(), model, metrics.Accuracy())
    """

    _base = "Classifier"
    _output = "softmax"
    _multiclass = True

    def __init__(
        self,
        hidden_layer_sizes: Any = (32,),
        activation: Any = "relu",
        optimizer: Any = None,
        loss: Any = None,
        dtype: str = "float32",
        seed: int | None = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.optimizer = optimizer
        self.loss = loss
        self.dtype = dtype
        self.seed = seed
        self._begin()
        self._classes: dict[Any, int] = {}

    def learn_one(self, x: dict[Any, Any], y: Any) -> None:
        """Take a step on a row.

        Parameters
        ----------
        x : dict
            The features by name: numbers.
        y : bool, int or str
            The label.

        Raises
        ------
        InvalidParameterError, DataError
            A feature is no finite number. Nothing is changed.
        TrainingDivergedError
            The loss became infinite: scale the features, or take a smaller learning rate.
        """
        number = self._classes.get(y)
        if number is None:
            _check(x)
            number = self._classes[y] = len(self._classes)
        self._learn(x, np.array([number]), max(2, len(self._classes)))

    def predict_proba_one(self, x: dict[Any, Any]) -> dict[Any, float]:
        """Predict the probability of each label.

        Parameters
        ----------
        x : dict
            The features by name.

        Returns
        -------
        dict
            The probability of each label that has been learned; empty before the first.
        """
        if self._network is None:
            return {}
        likely = self._predict(x).tolist()[: len(self._classes)]
        total = sum(likely)
        if not total:  # all is with outputs that no label has yet
            return dict.fromkeys(self._classes, 1 / len(likely))
        return {label: p / total for label, p in zip(self._classes, likely, strict=True)}

    def predict_one(self, x: dict[Any, Any]) -> Any:
        """Predict the label of a row.

        Parameters
        ----------
        x : dict
            The features by name.

        Returns
        -------
        bool, int or str
            The most likely label; None before the first row has been learned.
        """
        if self._network is None:
            return None
        likely = self._predict(x)[: len(self._classes)]
        return list(self._classes)[likely.argmax()]


def _number(value: Any, name: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InvalidParameterError(
            f"{name} must be a number: river.preprocessing makes numbers of others. Got {shown(value)} instead."
        ) from None


def _check(x: dict[Any, Any]) -> None:
    """Raise an error unless all features are finite numbers, before there is a place for new ones."""
    for name, value in x.items():
        if not math.isfinite(_number(value, f"Feature {name!r}")):
            raise DataError(f"Feature {name!r} must be finite. Got {value} instead.")


def _getter(names: Collection[Any]) -> Callable[[dict[Any, Any]], Sequence[Any]]:
    """A function that gets these items, of which a KeyError says that one is missing."""
    if len(names) > 1:
        return operator.itemgetter(*names)
    return lambda x: [x[name] for name in names]


def _own(cls: type) -> type:
    """The class of this module that a class is, or is made of."""
    return next(one for one in cls.__mro__ if one.__module__ == __name__ and "_made_of" not in vars(one))


def _with_base(cls: type) -> type:
    """The class with the class of River behind it, which is imported only now."""
    if "_made_of" in vars(cls):
        return cls
    if cls not in _MADE:
        base = getattr(needed("river.base", "river"), cls._base)  # type: ignore[attr-defined]  # a _Stream has it
        names = {name: getattr(cls, name) for name in ("__module__", "__qualname__", "__doc__")}
        _MADE[cls] = type(base)(cls.__name__, (cls, base), {**names, "_made_of": cls})
    return _MADE[cls]


_MADE: dict[type, type] = {}


def _made_again(cls: type, state: dict[str, Any]) -> Any:
    """The inverse of pickling. The optimizer goes on where it was."""
    made: Any = object.__new__(_with_base(cls))
    made.__dict__.update(state, _loop=None, _all_of=_getter(state["_columns"]))
    return made
