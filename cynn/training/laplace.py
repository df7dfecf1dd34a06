"""`Network.laplace`: the uncertainty of a trained network, from the curvature of the loss at its weights."""

from __future__ import annotations

import copy
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cynn import layers
from cynn.activations import Identity
from cynn.engine import threads
from cynn.engine.normal_equations import NormalEquations
from cynn.errors import DataError, InvalidParameterError, check_number, not_allowed
from cynn.kernels import cholesky
from cynn.training import evaluation
from cynn.training.problem import check_deterministic, check_sum_of_squares, targets_of
from cynn.training.trained_weights import TrainedWeights

if TYPE_CHECKING:
    from cynn.model import Model

__all__ = ["Laplace", "of_network"]

Array = npt.NDArray[Any]
Vector = npt.NDArray[np.float64]

_ITERATIONS = 100
_NUMBERS_AT_ONCE = 1 << 22  # elements of a Jacobian that are computed at once


class Laplace:
    """A trained network with the uncertainty of its predictions. `Network.laplace` makes it.

    Parameters
    ----------
    network : Network
        The network that predicts. It must not be trained afterwards.
    posterior : object
        Its method `variances` takes rows and returns, per row and output, the variance that comes from the weights.
    noise : float64 array of shape (outputs,)
        The standard deviation of the targets around the predictions, per output.
    n_threads : int
        The largest number of threads to use.

    Attributes
    ----------
    noise : float64 array of shape (outputs,)
        The standard deviation of the targets around the predictions, per output.

    Examples
    --------
    >>> import cynn, numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(-1, 1, size=(500, 1))
    >>> y = np.sin(3 * x[:, 0]) + 0.1 * rng.normal(size=500)
    >>> net = cynn.Network.mlp([1, 16, 1], activation="tanh", seed=0)
    >>> history = net.fit(x, y, optimizer="lbfgs", epochs=200)
    >>> laplace = net.laplace(x, y)
    >>> mean, deviation = laplace.predict([[0.0], [5.0]])
    >>> deviation.round(1)
    array([[0.1],
           [1.9]])
    """

    def __init__(self, network: Model, posterior: LastLayer | Diagonal, noise: Vector, n_threads: int) -> None:
        self._network, self._posterior, self._n_threads = network, posterior, n_threads
        self.noise = noise

    def predict(self, x: Any) -> tuple[Vector, Vector]:
        """The mean and the standard deviation of the targets for rows of x.

        Parameters
        ----------
        x : array of shape (rows, inputs), or (inputs,) for a single row
            As for `Network.predict`.

        Returns
        -------
        mean : float64 array of shape (rows, outputs), or (outputs,)
            The prediction of the network. Several outputs are concatenated.
        deviation : float64 array of the same shape
            √(noise² + variance from the weights).
        """
        network = self._network
        rows, single = network.as_rows_or_one(x)
        network.check_rows(rows, "x", check_finite=True)
        predicted = network._outputs.split(network.predict(rows, n_threads=self._n_threads), "x")
        mean = np.concatenate(predicted, axis=1, dtype=np.float64)
        deviation = np.sqrt(self.noise**2 + self._posterior.variances(rows))
        return (mean[0], deviation[0]) if single else (mean, deviation)

    def interval(self, x: Any, probability: float = 0.9) -> tuple[Vector, Vector]:
        """Prediction intervals: bounds that contain the target with a given probability.

        Parameters
        ----------
        x : array of shape (rows, inputs), or (inputs,) for a single row
            As for `Network.predict`.
        probability : float
            The probability, between 0 and 1.

        Returns
        -------
        low : float64 array of shape (rows, outputs), or (outputs,)
            mean - c * deviation, with the c of the normal distribution for this probability.
        high : float64 array of the same shape
            mean + c * deviation.
        """
        probability = check_number(probability, "probability", "interval", above=0, below=1)
        mean, deviation = self.predict(x)
        half = NormalDist().inv_cdf(0.5 + probability / 2) * deviation
        return mean - half, mean + half


class LastLayer:
    """The posterior of the weights of the last layers. It is exact, since these layers are linear.

    Parameters
    ----------
    network : Model
    n_threads : int
    """

    def __init__(self, network: Model, n_threads: int) -> None:
        self._network, self._n_threads = network, n_threads
        self._layers: list[layers.Dense] = []
        for value in network._outputs.values:
            layer = network.layers[network._values.index(value) - 1]
            if not isinstance(layer, layers.Dense) or not isinstance(layer.activation, Identity):
                raise InvalidParameterError(
                    "The last layer must be Dense without an activation for kind='last_layer'. "
                    f"Got {layer!r} instead: kind='diagonal' takes any."
                )
            self._layers.append(layer)
        self._roots: list[Vector] = []  # for each output, R with covariance R Rᵀ

    def _features(self, rows: Array) -> list[Vector]:
        """The input of the last layer of each output, with a column of ones for its biases."""
        operations = [self._network._engine.operations[value - 1] for value in self._network._outputs.values]
        found = [np.empty((len(rows), operation.widths[0]), self._network.dtype) for operation in operations]
        self._network.forward(rows, [operation.inputs[0] for operation in operations], found, self._n_threads)
        return [
            np.concatenate([each, np.ones((len(rows), int(layer.biases is not None)))], axis=1, dtype=np.float64)
            for each, layer in zip(found, self._layers, strict=True)
        ]

    def fit(self, rows: Array, weight: Vector, squares: Vector) -> Vector:
        """Compute the posterior from rows, their weights and the sums of r²; return the noise of each output."""
        noise, place = np.zeros(len(squares)), 0
        for layer, features in zip(self._layers, self._features(rows), strict=True):
            products = features.T @ (weight[:, None] * features)
            for unit in range(layer.weights.shape[1]):
                of_unit = [layer.weights[:, unit], *([] if layer.biases is None else [layer.biases[unit : unit + 1]])]
                w = np.concatenate(of_unit, dtype=np.float64)
                root, noise[place] = _posterior_of_unit(products, w, float(squares[place]), len(rows))
                self._roots.append(root)
                place += 1
        return noise

    def variances(self, rows: Array) -> Vector:
        """The variance of each prediction due to the weights."""
        roots = iter(self._roots)
        found = [
            np.square(features @ next(roots)).sum(axis=1)
            for layer, features in zip(self._layers, self._features(rows), strict=True)
            for _ in range(layer.weights.shape[1])
        ]
        return np.stack(found, axis=1)


def _posterior_of_unit(products: Vector, w: Vector, squares: float, n: int) -> tuple[Vector, float]:
    """R, with the covariance R Rᵀ = (ΦᵀΦ / σ² + α)⁻¹, and σ. α and σ maximize the evidence (MacKay, 1992)."""
    p, of_weights = len(w), float(w @ w)
    variance = max(squares / n, np.finfo(np.float64).tiny)
    alpha, root = 1e-3, np.zeros((p, p))
    for _ in range(_ITERATIONS):
        root = products / variance
        root[np.diag_indices(p)] += alpha + 1e-12 * root.diagonal().max()
        if not cholesky.factor(root):
            raise DataError("The outputs of the layer before the last must be finite. Got others instead.")
        cholesky.inverse(root)
        effective = p - alpha * float(np.square(root).sum())
        before = alpha, variance
        if of_weights > 0:
            alpha = max(effective, 1e-3) / of_weights
        variance = max(squares / max(n - effective, 1.0), np.finfo(np.float64).tiny)
        if np.allclose(before, (alpha, variance), rtol=1e-6, atol=0):
            break
    return root, float(np.sqrt(variance))


class Diagonal:
    """The posterior of all trained weights, from the diagonal of the Gauss-Newton matrix.

    Parameters
    ----------
    network : Model
    n_threads : int
    """

    def __init__(self, network: Model, n_threads: int) -> None:
        check_deterministic(network)
        self._network, self._n_threads = network, n_threads
        self._weights = TrainedWeights(network)
        self._variance = np.zeros(self._weights.size)

    def _squared_jacobians(self, rows: Array) -> Any:
        """Yield the squared derivatives of a few rows at a time, of shape (rows, outputs, weights)."""
        outputs = sum(self._network._outputs.units)
        equations = NormalEquations(
            self._network._engine, rows, np.zeros((len(rows), outputs)), None, self._n_threads
        )
        at_once = max(1, _NUMBERS_AT_ONCE // max(1, outputs * self._weights.size))
        for begin in range(0, len(rows), at_once):
            part = np.arange(begin, min(begin + at_once, len(rows)))
            yield part, np.square(equations.jacobian(part)).reshape(len(part), outputs, -1)

    def fit(self, rows: Array, weight: Vector, squares: Vector) -> Vector:
        """As in `LastLayer`."""
        w = self._weights.get()
        n, of_weights = len(rows), float(w @ w)
        diagonals = np.zeros((len(squares), len(w)))
        for part, squared in self._squared_jacobians(rows):
            diagonals += np.einsum("r,rkp->kp", weight[part], squared)
        variance, alpha = np.maximum(squares / n, np.finfo(np.float64).tiny), 1e-3
        for _ in range(_ITERATIONS):
            precision = alpha + (diagonals / variance[:, None]).sum(axis=0)
            effective = float((1 - alpha / precision).sum())
            before = alpha, variance
            if of_weights > 0:
                alpha = max(effective, 1e-3) / of_weights
            free = max(n - effective / len(squares), 1.0)
            variance = np.maximum(squares / free, np.finfo(np.float64).tiny)
            if np.allclose(before[0], alpha, rtol=1e-6) and np.allclose(before[1], variance, rtol=1e-6, atol=0):
                break
        self._variance = 1 / precision
        return np.sqrt(variance)

    def variances(self, rows: Array) -> Vector:
        """As in `LastLayer`."""
        parts = [squared @ self._variance for _, squared in self._squared_jacobians(rows)]
        return np.concatenate([np.zeros((0, sum(self._network._outputs.units))), *parts])


_KINDS: dict[str, type[LastLayer | Diagonal]] = {"last_layer": LastLayer, "diagonal": Diagonal}


def of_network(network: Model, x: Any, y: Any, *, kind: str, sample_weight: Any, n_threads: int | None) -> Laplace:
    """`Network.laplace`."""
    if not isinstance(kind, str) or kind not in _KINDS:
        raise not_allowed("kind", "laplace", "'last_layer' or 'diagonal'", kind)
    own = copy.deepcopy(network)
    objective = own.objective(None, None)
    check_sum_of_squares(objective, TrainedWeights(own))
    n_threads = threads.resolve(n_threads)
    posterior = _KINDS[kind](own, n_threads)
    rows, target, weights = evaluation.counted(
        *evaluation.checked(own, objective, x, y, sample_weight, "", check_finite=True)
    )
    weight = np.ones(len(rows)) if weights.rows is None else weights.rows
    predicted = own._outputs.split(own.predict(rows, n_threads=n_threads), "x")
    residuals = np.concatenate(predicted, axis=1, dtype=np.float64) - targets_of(target, len(rows))
    noise = posterior.fit(rows, weight, (weight[:, None] * residuals**2).sum(axis=0))
    return Laplace(own, posterior, noise, n_threads)
