"""A network as a function of its weights: `Network.problem`, and what solvers minimize in `fit`."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cynn.data.inputs import as_array
from cynn.engine import threads
from cynn.engine.normal_equations import NormalEquations
from cynn.engine.trainer import Diverged
from cynn.engine.weights_lock import WeightsLock
from cynn.errors import DataError, InvalidParameterError, ShapeError
from cynn.layers import as_values
from cynn.losses import MeanSquaredError
from cynn.training import evaluation
from cynn.training.context import TrainingContext
from cynn.training.curvature import HessianProduct
from cynn.training.trained_weights import TrainedWeights

if TYPE_CHECKING:
    from cynn.data.objective import Objective
    from cynn.data.row_weights import RowWeights
    from cynn.data.targets import Targets
    from cynn.model import Model

__all__ = ["Problem", "check_deterministic", "check_sum_of_squares", "of_network", "targets_of"]

Array = npt.NDArray[Any]
Vector = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

# The number of rows whose gradient is computed at once, so that the values between layers stay in the cache.
_ROWS_AT_ONCE = 1024


class Problem:
    """The loss of a network on some rows, as a function of its trained weights θ.

    `Network.problem` makes it from a copy of the network. The network itself does not change until you assign a
    result: `net.parameter_vector = theta`. θ is a float64 vector in the order of `net.parameter_vector`. A float32
    network computes with θ rounded to float32.

    Parameters
    ----------
    network : Network
        The network. Every method changes its weights.
    objective : Objective
        The losses of its outputs.
    rows, target, weights : array, Targets, RowWeights
        Checked data.
    order : int64 array
        The numbers of the rows to use.
    n_threads : int
        The largest number of threads to use.
    check_finite : bool
        Whether to check each row that is read.
    by_squares : bool
        Whether to compute the loss from the residuals.

    Attributes
    ----------
    n_parameters : int
        The size of θ.
    n_residuals : int
        The number of rows times the number of outputs.
    theta : float64 array of shape (n_parameters,)
        The initial weights of the network.

    Examples
    --------
    >>> import cynn, numpy as np
    >>> from scipy.optimize import least_squares, minimize
    >>> x = np.linspace(-1, 1, 40)[:, None]
    >>> y = np.sin(3 * x)
    >>> net = cynn.Network.mlp(
    ...     [1, 4, 1], activation="tanh", seed=0, dtype="float64"
    ... )
    >>> problem = net.problem(x, y)
    >>> found = least_squares(
    ...     problem.residuals, problem.theta,
    ...     jac=problem.jacobian, method="lm",
    ... )
    >>> net.parameter_vector = found.x
    >>> bool(net.evaluate(x, y)["loss"] < 1e-5)
    True
    >>> found = minimize(
    ...     problem.value_and_gradient, problem.theta,
    ...     jac=True, method="L-BFGS-B",
    ... )
    >>> bool(found.fun < 1e-2)
    True
    """

    def __init__(
        self, network: Model, objective: Objective, rows: Array, target: Targets, weights: RowWeights,
        order: Places, n_threads: int, check_finite: bool = True, by_squares: bool = False,
    ) -> None:  # fmt: skip
        self._network, self._objective = network, objective
        self._rows, self._target, self._row_weights = rows, target, weights
        self._n_threads, self._check_finite = n_threads, check_finite
        self._by_squares = by_squares  # the loss from residuals differs in its last bits
        self._weights = TrainedWeights(network)
        self._lock = WeightsLock()  # free in a forked child, unlike a lock of Python's that another thread holds
        self.precision = float(np.finfo(network.dtype).eps)
        self.n_parameters = self._weights.size
        chunk = min(_ROWS_AT_ONCE, len(order))
        context = TrainingContext(network, objective, None, n_threads, check_finite)
        self._trainer = context.trainer(rows, target, weights, chunk)
        self._chunk = chunk
        self._equations: NormalEquations | None = None
        self._products: Vector | None = None
        self._curvature: HessianProduct | None = None
        self.set_batch(order)
        self.theta: Vector = self._weights.get()

    def set_batch(self, order: Places) -> None:
        """Choose the rows.

        Parameters
        ----------
        order : int64 array
            Their numbers.
        """
        self._order = order
        self.n_residuals = len(order) * sum(self._objective.outputs.units)
        #: The last weights, their sums, and their gradient if it was computed.
        self._last: tuple[Vector, Vector, Vector | None] | None = None

    @property
    def weights(self) -> TrainedWeights:
        """The weights of the network that this problem computes with."""
        return self._weights

    # ------------------------------------------------------------------------------------- the loss

    def value(self, theta: Vector) -> float:
        """The loss, with the penalty of the regularizers.

        Parameters
        ----------
        theta : array of shape (n_parameters,)
            The weights.

        Returns
        -------
        float
            The loss of `Network.evaluate`. It may be NaN or infinite.
        """
        return self._mean(self._at(theta)[0])

    def sums(self, theta: Vector) -> Vector:
        """The number of rows, that number times the penalty, and the sum of the losses of each output.

        Parameters
        ----------
        theta : array of shape (n_parameters,)
            The weights.

        Returns
        -------
        float64 array of shape (2 + outputs,)
            In the form of `Trainer.sums`.
        """
        return self._at(theta)[0].copy()

    def value_and_gradient(self, theta: Vector) -> tuple[float, Vector]:
        """The loss and its gradient.

        Parameters
        ----------
        theta : array of shape (n_parameters,)
            The weights.

        Returns
        -------
        value : float
            As `value`.
        gradient : float64 array of shape (n_parameters,)
            ∂C/∂θ; NaN if the loss is not finite.
        """
        sums, gradient = self._at(theta, wants_gradient=True)
        assert gradient is not None
        return self._mean(sums), gradient.copy()

    def _mean(self, sums: Vector) -> float:
        return float(self._objective.mean_losses(sums)[0])

    def _at(self, theta: Vector, *, wants_gradient: bool = False) -> tuple[Vector, Vector | None]:
        """The sums at these weights, and the gradient if it is wanted or known. The last result is cached."""
        with self._lock.turn():
            rounded = self._put(theta)
            if self._last is not None and np.array_equal(self._last[0], rounded, equal_nan=True):
                _, sums, gradient = self._last
                if gradient is not None or not wants_gradient:
                    return sums, gradient
            gradient = None
            if wants_gradient or not self._by_squares:
                sums, gradient = self._sums_and_gradient()
            if self._by_squares:
                sums = self._sums_of(rounded, self.least_squares().squares(self._order))
            self._last = rounded, sums, gradient
            return sums, gradient

    def _sums_and_gradient(self) -> tuple[Vector, Vector]:
        """Compute both over all rows, some at a time. The gradient is NaN if the loss is not finite."""
        trainer, n = self._trainer, len(self._order)
        gradient, total = np.zeros(self.n_parameters), np.zeros(self._objective.n_sums)
        for begin in range(0, n, self._chunk):
            rows = self._order[begin : begin + self._chunk]
            trainer.begin_epoch(self._check_finite, 0)
            try:
                trainer.run(rows, 0, 1, np.zeros(1), None, 0.0)
            except Diverged as diverged:
                total[:] = n, 0, *[diverged.figure] * (len(total) - 2)
                return total, np.full_like(gradient, np.nan)
            total += trainer.sums
            parts = [part.ravel() for part in trainer.gradients if part is not None]
            gradient += np.concatenate([np.zeros(0), *parts]) * (len(rows) / n)
        return total, gradient

    def hvp(self, theta: Vector, v: Vector) -> Vector:
        """The Hessian of the loss with its penalty, times a vector: H v, without computing H.

        H v = d/dε ∇C(θ + ε v) at ε = 0, computed exactly. It costs about as much as two gradients.

        Source: Pearlmutter, "Fast exact multiplication by the Hessian", Neural Computation 6, 1994.

        Parameters
        ----------
        theta, v : array of shape (n_parameters,)
            The weights, and the vector.

        Returns
        -------
        float64 array of shape (n_parameters,)
            H v; NaN if the loss is not finite.

        Raises
        ------
        InvalidParameterError
            The network has an L1 regularizer, whose derivative is discontinuous.
        PluginError
            A part does not offer the functions that this needs. The message names the part and the function.
        """
        with self._lock.turn():
            check_smooth(self._weights)
            vector = self._checked(v, "v")
            self._put(theta)
            if self._curvature is None:
                self._curvature = HessianProduct(
                    self._network, self._objective, self._rows, self._target, self._row_weights, self._n_threads,
                    self._chunk,
                )  # fmt: skip
            return self._curvature(self._order, vector)

    def constrain(self) -> None:
        """Apply the constraints of the layers to the weights that the network has."""
        self._trainer.constrain()

    def _put(self, theta: Vector) -> Vector:
        """Set the weights of the network; return them as rounded to its dtype."""
        self._weights.set(self._checked(theta, "theta"))
        return self._weights.get()

    def _checked(self, vector: Any, name: str) -> Vector:
        given = as_array(vector, name)
        if given.shape != (self.n_parameters,) or given.dtype.kind not in "fiub":
            raise ShapeError(
                f"{name} must be a vector of {self.n_parameters} numbers, one for each trained weight. Got "
                f"{given.dtype} of shape {given.shape} instead."
            )
        return given.astype(np.float64, copy=False)

    # ---------------------------------------------------------------------------- sums of squares

    def residuals(self, theta: Vector) -> Vector:
        """The residuals r, with the loss C = Σ r² / rows.

        For a row and an output, r = √(weight / outputs) * (prediction - target). For one output and without weights,
        this is the difference itself. An L2 regularizer adds a residual √(l2 * rows) * w for each weight.

        Parameters
        ----------
        theta : array of shape (n_parameters,)
            The weights.

        Returns
        -------
        float64 array of shape (rows * outputs,)
            The residuals of each row, followed by those of the regularizers.

        Raises
        ------
        InvalidParameterError
            The loss is not `mean_squared_error`, or there is an L1 regularizer.
        """
        with self._lock.turn():
            equations = self.least_squares()
            self._put(theta)
            found = equations.residuals(self._order).ravel()
            is_penalized, factors = self._penalty_factors()
            return np.concatenate([found, factors * self._weights.get()[is_penalized]])

    def jacobian(self, theta: Vector) -> Vector:
        """The derivatives of the residuals by the weights.

        Parameters
        ----------
        theta : array of shape (n_parameters,)
            The weights.

        Returns
        -------
        float64 array of shape (residuals, n_parameters)
            One row for each element of `residuals`.

        Raises
        ------
        InvalidParameterError
            The loss is not `mean_squared_error`, or there is an L1 regularizer.
        """
        with self._lock.turn():
            equations = self.least_squares()
            self._put(theta)
            found = equations.jacobian(self._order)
            is_penalized, factors = self._penalty_factors()
            if not len(factors):
                return found
            of_penalty = np.zeros((len(factors), self.n_parameters))
            of_penalty[np.arange(len(factors)), np.flatnonzero(is_penalized)] = factors
            return np.concatenate([found, of_penalty])

    def _penalty_factors(self) -> tuple[npt.NDArray[np.bool_], Vector]:
        """Which weights are penalized, and the factors of their residuals."""
        is_penalized = self._weights.l2 > 0
        return is_penalized, np.sqrt(len(self._order) * self._weights.l2[is_penalized])

    def gauss_newton(self, theta: Vector) -> tuple[float, Vector, Vector]:
        """The loss, its gradient and the Gauss-Newton matrix 2 JᵀJ / rows + 2 diag(l2).

        Parameters
        ----------
        theta : array of shape (n_parameters,)
            The weights.

        Returns
        -------
        value : float
            As `value`.
        gradient : float64 array of shape (n_parameters,)
            As in `value_and_gradient`.
        matrix : float64 array of shape (n_parameters, n_parameters)
            Only its upper triangle is valid. The next call overwrites it.

        Raises
        ------
        InvalidParameterError
            The loss is not `mean_squared_error`, or there is an L1 regularizer.
        """
        with self._lock.turn():
            equations, n, l2 = self.least_squares(), len(self._order), self._weights.l2
            rounded = self._put(theta)
            if self._products is None:
                self._products = np.empty((self.n_parameters, self.n_parameters))
            squares, gradient = equations.equations(self._order, self._products)
            sums = self._sums_of(rounded, squares)
            self._products *= 2 / n
            self._products[np.diag_indices(self.n_parameters)] += 2 * l2
            value = float(self._objective.mean_losses(sums)[0])
            return value, gradient * (2 / n) + 2 * l2 * rounded, self._products

    def chord_gradient(self, theta: Vector, moved: Vector) -> Vector:
        """2 Jᵀ r / rows + 2 diag(l2) w, with J at θ, and with the residuals r and the weights w of another place.

        It is the gradient where the two are the same. It costs two passes forward and one backward.

        Parameters
        ----------
        theta, moved : array of shape (n_parameters,)
            The weights of J, and those of r.

        Returns
        -------
        float64 array of shape (n_parameters,)
            As in `value_and_gradient`.

        Raises
        ------
        InvalidParameterError
            The loss is not `mean_squared_error`, or there is an L1 regularizer.
        """
        with self._lock.turn():
            equations = self.least_squares()
            there = self._put(moved)
            residuals = equations.residuals(self._order)
            self._put(theta)
            product = equations.transposed_product(self._order, residuals)
            return product * (2 / len(self._order)) + 2 * self._weights.l2 * there

    def least_squares(self) -> NormalEquations:
        """Computes residuals; made when it is first needed."""
        if self._equations is None:
            check_sum_of_squares(self._objective, self._weights)
            targets, scales = _targets_and_scales(self._objective, self._target, self._row_weights, len(self._rows))
            self._equations = NormalEquations(
                self._network._engine, self._rows, targets, scales, self._n_threads
            )
        return self._equations

    def _sums_of(self, rounded: Vector, squares: Vector) -> Vector:
        """The sums that follow from the squares of the residuals."""
        n, sums, place = len(self._order), [], 0
        for units, weight in zip(self._objective.outputs.units, self._objective.weights, strict=True):
            sums.append(float(squares[place : place + units].sum()) / weight)
            place += units
        is_penalized, _ = self._penalty_factors()
        with np.errstate(over="ignore"):
            penalty = float(self._weights.l2[is_penalized] @ np.square(rounded[is_penalized]))
        return np.array([n, n * penalty, *sums])


def _targets_and_scales(
    objective: Objective, target: Targets, weights: RowWeights, n: int
) -> tuple[Vector, Vector | None]:
    """The targets of all outputs, concatenated, and the factor of each residual."""
    scales = []
    for part, weight, of_loss in zip(target.parts, weights.each, objective.weights, strict=True):
        of_rows = np.ones(n) if weight is None else weight
        scales.append(np.repeat(np.sqrt(of_rows * (of_loss / part.outputs))[:, None], part.outputs, axis=1))
    scale = np.concatenate(scales, axis=1)
    return targets_of(target, n), None if (scale == 1).all() else scale


def targets_of(target: Targets, n: int) -> Vector:
    """The targets of all outputs, concatenated, in float64; classes as one-hot rows."""
    found = []
    for part in target.parts:
        values = part.values
        if values is None:
            assert part.classes is not None
            values = np.zeros((n, part.outputs))
            values[np.arange(n), part.classes] = 1
        found.append(values)
    return np.concatenate(found, axis=1, dtype=np.float64, casting="unsafe")


def check_sum_of_squares(objective: Objective, weights: TrainedWeights) -> None:
    """Raise an InvalidParameterError unless the loss is a sum of squares."""
    if objective.derivative_weights is not None:
        raise InvalidParameterError(
            "The loss must be one of outputs alone where residuals are needed. Got dy_dx instead: 'lbfgs' takes it."
        )
    for loss in objective.losses:
        if not isinstance(loss, MeanSquaredError):
            raise InvalidParameterError(
                "The loss must be mean_squared_error where residuals are needed, a sum of squares. Got "
                f"{loss.name!r} instead: 'lbfgs' takes any loss."
            )
    check_smooth(weights)


def check_smooth(weights: TrainedWeights) -> None:
    """Raise an InvalidParameterError for a penalty without a second derivative."""
    if weights.has_l1:
        raise InvalidParameterError(
            "The regularizers of a network must be L2 where second derivatives are used. Got one with l1 > 0 instead, "
            "whose derivative jumps at 0."
        )


def check_deterministic(network: Model) -> None:
    """Raise an InvalidParameterError unless the loss is a function of the weights, row by row."""
    for operation in network._engine.operations:
        if operation.draws or operation.kernel.only_training:
            reason = "noise, with which the loss is another one at every look"
        elif operation.column_piece or operation.states:
            reason = "statistics over the batch, with which a row depends on the others"
        elif operation.schedule is not None:
            reason = "a hyperparameter that changes from step to step"
        else:
            continue
        raise InvalidParameterError(
            "The layers of a network must make its loss a function of the weights alone, for a solver or a problem. "
            f"Got {reason}, instead: Dropout, BatchNorm and their like go with optimizers."
        )


def of_network(
    network: Model, x: Any, y: Any, *, loss: Any, loss_weights: Any, sample_weight: Any, n_threads: int | None
) -> Problem:
    """`Network.problem`."""
    check_deterministic(network)
    own = copy.deepcopy(network)
    objective = own.objective(loss, loss_weights)
    given = evaluation.checked(own, objective, x, y, sample_weight, "", check_finite=True)
    rows, target, weights = evaluation.counted(*given)
    return Problem(own, objective, rows, target, weights, np.arange(len(rows)), threads.resolve(n_threads))


def hvp(
    network: Model, x: Any, y: Any, v: Any, *, loss: Any, loss_weights: Any, sample_weight: Any, n_threads: int | None
) -> Array:
    """`Network.hvp`."""
    check_deterministic(network)
    weights = TrainedWeights(network)
    check_smooth(weights)
    like = weights.get(network.dtype)
    vector = as_values(v, like, "v")
    if not np.isfinite(vector).all():
        raise DataError("v must be finite. Got a NaN or an infinity.")
    objective = network.objective(loss, loss_weights)
    given = evaluation.checked(network, objective, x, y, sample_weight, "", check_finite=True)
    rows, target, of_rows = evaluation.counted(*given)
    chunk = min(_ROWS_AT_ONCE, len(rows))
    product = HessianProduct(network, objective, rows, target, of_rows, threads.resolve(n_threads), chunk)
    return product(np.arange(len(rows)), vector.astype(np.float64)).astype(network.dtype)
