"""The method of Levenberg and Marquardt, for sums of squares."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from cynn.components.declarations import number, switch, whole_number
from cynn.errors import InvalidParameterError
from cynn.kernels import cholesky
from cynn.solvers.base import Memory, Problem, Solver, Vector
from cynn.solvers.vectors import inner

__all__ = ["LevenbergMarquardt"]

_LARGEST_DAMPING = 1e20
# Of the acceleration, relative to the step, as in Transtrum and Sethna, section 3.3.
_LARGEST_ACCELERATION = 0.75
# Of the step, for the difference that is the second derivative of the residuals, as there.
_DIFFERENCE = 0.1


class LevenbergMarquardt(Solver):
    """Levenberg and Marquardt's method: Gauss-Newton steps, damped until the loss falls.

    For a loss C = Σ r² / rows + Σ l2 w², which is `mean_squared_error` with any weights of rows and outputs, and L2
    regularizers. With the Jacobian J of the residuals, g = ∂C/∂θ and H = 2 JᵀJ / rows + 2 diag(l2), a step is::

        δ = -(H + μ D)⁻¹ g          D: the largest diagonal of H so far (Marquardt's scaling, as in MINPACK)
        ρ = (C(θ) - C(θ + δ)) / (what the quadratic model says)
        ρ > 0:  θ := θ + δ,  μ := μ max(1 / decrease, 1 - (2ρ - 1)³),  ν := 2
        else:   μ := μ ν,  ν := 2 ν, and again with the same J

    μ follows Nielsen's rule. JᵀJ is summed in double by the engine, tile by tile, and never is J stored whole. A step
    costs one Jacobian (a forward pass, and a backward pass for each output), rows * outputs * p² / 2 multiplications
    for JᵀJ with p weights, and for each try p³ / 6 for Cholesky's factor and a forward pass. It needs 16 p² bytes, and
    24 p² with `bayesian_regularization`: 1.6 GB for 10,000 weights.

    With `acceleration`, the step is δ + a / 2, with the geodesic acceleration a = -(H + μ D)⁻¹ 2 Jᵀ r'' / rows and the
    second derivative of the residuals along δ, r'' = 2 (r(θ + h δ) - r(θ) - h J δ) / h² with h = 0.1. It costs two more
    forward passes and a backward pass per try, and saves most of the steps in long, curved valleys. Where |a| > ¾ |δ|,
    as measured by D, the step is δ alone.

    With `bayesian_regularization`, a penalty λ Σ w² on all weights is added, whose λ comes from the evidence after
    every step, so that no validation data are needed: with the number of effective parameters
    γ = p - 2 λ tr (H + 2 λ)⁻¹, λ = γ C / (Σ w² (N - γ)), for N residuals. The history has γ as `effective_parameters`
    and λ as `penalty_factor`.

    Training ends where the relative fall of C, the step relative to the weights, or the cosine between r and every
    column of J is at most `tolerance`.

    Sources: Marquardt, "An algorithm for least-squares estimation of nonlinear parameters", 1963; Nielsen, "Damping
    parameter in Marquardt's method", 1999; Moré, "The Levenberg-Marquardt algorithm: implementation and theory", 1978;
    Transtrum and Sethna, "Improvements to the Levenberg-Marquardt algorithm for nonlinear least-squares minimization",
    2012 (acceleration); MacKay, "Bayesian interpolation", 1992, and Foresee and Hagan, "Gauss-Newton approximation to
    Bayesian learning", 1997 (regularization).

    Parameters
    ----------
    initial_damping : float
        The first μ.
    decrease : float
        The largest factor by which μ falls in a step; Nielsen has 3. A failed try costs no Jacobian.
    acceleration : bool
        Whether steps have a geodesic acceleration. Without it, a try costs a forward pass.
    bayesian_regularization : bool
        Whether a penalty on the weights follows from the evidence.
    tolerance : float
        When to stop.
    memory_limit : int
        More bytes than this are not used: a network with too many weights is an error beforehand.

    Examples
    --------
    >>> import cynn, numpy as np
    >>> x = np.linspace(-1, 1, 50)[:, None]
    >>> y = np.sin(3 * x)
    >>> net = cynn.Network.mlp(
    ...     [1, 5, 1], activation="tanh", seed=0, dtype="float64"
    ... )
    >>> history = net.fit(x, y, optimizer="levenberg_marquardt", epochs=100)
    >>> bool(history["loss"][-1] < 1e-4)
    True
    """

    name = "levenberg_marquardt"
    aliases = ("lm",)
    least_squares: ClassVar[bool] = True

    initial_damping: float = number(default=1.0, above=0)
    decrease: float = number(default=100.0, above=1)
    acceleration: bool = switch(default=True)
    bayesian_regularization: bool = switch(default=False)
    tolerance: float = number(default=1e-10, minimum=0, below=1)
    memory_limit: int = whole_number(default=4 * 2**30, minimum=1)

    def memory_bytes(self, n_parameters: int) -> int:
        """The bytes that the matrices of a network with so many trained weights take.

        Parameters
        ----------
        n_parameters : int
            The number of trained weights.

        Returns
        -------
        int
            Two matrices of float64, or three.

        Examples
        --------
        >>> import cynn
        >>> cynn.solvers.LevenbergMarquardt().memory_bytes(1000)
        16000000
        """
        return (24 if self.bayesian_regularization else 16) * n_parameters**2

    def check_size(self, n_parameters: int) -> None:
        needed = self.memory_bytes(n_parameters)
        if needed > self.memory_limit:
            raise InvalidParameterError(
                f"The matrices of levenberg_marquardt must fit in memory_limit={self.memory_limit:,} bytes. "
                f"Got {n_parameters:,} weights, for which they take {needed:,} bytes, instead: 'lbfgs' needs no matrix."
            )

    def start(self, n_parameters: int) -> Memory:
        return {
            "damping": np.array(self.initial_damping),
            "growth": np.array(2.0),
            "scale": np.zeros(n_parameters),
            "is_done": np.array(0.0),
            "penalty_factor": np.array(0.0),
            "effective_parameters": np.array(float(n_parameters)),
            "steps": np.array(0.0),
        }

    def is_done(self, memory: Memory) -> bool:
        return bool(memory["is_done"])

    def figures(self, memory: Memory) -> dict[str, float]:
        found = {"damping": float(memory["damping"])}
        if self.bayesian_regularization:
            found |= {name: float(memory[name]) for name in ("effective_parameters", "penalty_factor")}
        return found

    def step(self, problem: Problem, theta: Vector, memory: Memory) -> tuple[Vector, Memory]:
        value, gradient, products = problem.gauss_newton(theta)
        now = dict(memory)
        now["steps"] = memory["steps"] + 1
        penalty = 0.0
        if self.bayesian_regularization and len(theta):
            now |= self._evidence(problem, value, products, theta, memory)
            penalty = float(now["penalty_factor"])
            value = value + penalty * inner(theta, theta)
            gradient = gradient + 2 * penalty * theta
            products[np.diag_indices(len(theta))] += 2 * penalty
        diagonal = products.diagonal()
        now["scale"] = scale = np.maximum(memory["scale"], diagonal)
        is_flat = scale == 0  # weights that nothing depends on
        scale = np.where(is_flat, 1.0, scale)
        if value == 0 or self._is_stationary(value, gradient, diagonal):
            return theta, now | {"is_done": np.array(1.0)}
        damping, growth = float(memory["damping"]), float(memory["growth"])
        matrix = np.empty_like(products)
        while damping <= _LARGEST_DAMPING:
            step = self._damped(products, damping * scale, matrix, -gradient)
            if step is not None:
                predicted = 0.5 * inner(step, damping * scale * step - gradient)
                moved = theta + step
                if self.acceleration:
                    moved = moved + self._correction(problem, theta, step, gradient, damping * scale, penalty, matrix)
                after = problem.value(moved) + penalty * inner(moved, moved)
                ratio = (value - after) / predicted if predicted > 0 else math.nan
                if ratio > 0:
                    damping *= max(1 / self.decrease, 1 - (2 * min(ratio, 1.0) - 1) ** 3)
                    now |= {"damping": np.array(damping), "growth": np.array(2.0)}
                    size = math.sqrt(inner(theta, scale * theta))
                    is_short = math.sqrt(inner(step, scale * step)) <= self.tolerance * size
                    is_small = max(value - after, predicted) <= self.tolerance * value and ratio <= 2
                    is_steady = abs(penalty - float(memory["penalty_factor"])) <= 1e-3 * penalty
                    now["is_done"] = np.array(float((is_short or is_small) and is_steady))
                    return moved, now
            damping *= growth
            growth *= 2
        # no step is so short that the loss falls: the weights are as good as their precision lets them be
        now |= {"damping": np.array(self.initial_damping), "growth": np.array(2.0), "is_done": np.array(1.0)}
        return theta, now

    def _is_stationary(self, value: float, gradient: Vector, diagonal: Vector) -> bool:
        """Whether the gradient is 0, as seen from the length of the residuals and the columns of J."""
        lengths = np.sqrt(2 * value * diagonal)
        return bool((np.abs(gradient) <= self.tolerance * lengths).all())

    @staticmethod
    def _damped(products: Vector, damping: Vector, matrix: Vector, right: Vector) -> Vector | None:
        """(H + μ D)⁻¹ times a vector, with the factor left in `matrix`; None if that is not positive definite."""
        np.copyto(matrix, products)
        matrix[np.diag_indices(len(right))] += damping
        if not cholesky.factor(matrix):
            return None
        cholesky.solve(matrix, right)
        return right if np.isfinite(right).all() else None

    @staticmethod
    def _correction(
        problem: Problem, theta: Vector, step: Vector, gradient: Vector, damping: Vector, penalty: float, factor: Vector
    ) -> Vector | float:
        """Half of the geodesic acceleration; 0 if it is too large for the series to be trusted."""
        h, near = _DIFFERENCE, theta + _DIFFERENCE * step
        ahead = problem.chord_gradient(theta, near) + 2 * penalty * near
        # Jᵀ (r(θ + h δ) - r - h J δ), since H δ = -g - μ D δ
        acceleration = -2 / h**2 * (ahead - (1 - h) * gradient + h * damping * step)
        if not np.isfinite(acceleration).all():
            return 0.0
        cholesky.solve(factor, acceleration)
        length = math.sqrt(inner(step, damping * step))
        if math.sqrt(inner(acceleration, damping * acceleration)) > _LARGEST_ACCELERATION * length:
            return 0.0
        return 0.5 * acceleration

    def _evidence(
        self, problem: Problem, value: float, products: Vector, theta: Vector, memory: Memory
    ) -> dict[str, Vector]:
        """The factor of the penalty, and the number of effective parameters, at these weights."""
        p, of_weights = len(theta), inner(theta, theta)
        if not memory["steps"] or of_weights == 0:
            return {}
        before = float(memory["penalty_factor"])
        inverse = products.copy()
        inverse[np.diag_indices(p)] += 2 * before
        effective = float(p)
        if before > 0 and cholesky.factor(inverse):
            cholesky.inverse(inverse)
            effective = p - 2 * before * float(np.square(inverse).sum())
        effective = min(max(effective, 0.0), float(p))
        free = max(problem.n_residuals - effective, 1.0)
        factor = effective * value / (of_weights * free)
        return {"penalty_factor": np.array(factor), "effective_parameters": np.array(effective)}
