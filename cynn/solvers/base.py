"""The base class of solvers, and the protocol of what they minimize."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from cynn.components.configurable import Configurable

__all__ = ["Memory", "Problem", "Solver", "Vector"]

Vector = npt.NDArray[np.float64]
#: What a solver remembers between steps: float64 arrays by name, whose shapes never change.
Memory = Mapping[str, Vector]


class Problem(Protocol):
    """The loss of some rows, with the penalty of the regularizers, as a function C of the trained weights θ.

    θ is a float64 vector of all trained weights: those of each layer in order, each array row by row. A network of
    float32 computes with θ rounded. Nothing here raises for weights whose loss is not finite.

    Attributes
    ----------
    n_parameters : int
        The size of θ.
    n_residuals : int
        The number of rows times that of outputs.
    precision : float
        The distance from 1 to the next number of the network's dtype.
    """

    n_parameters: int
    n_residuals: int
    precision: float

    def value(self, theta: Vector) -> float:
        """C(θ).

        Parameters
        ----------
        theta : float64 array of shape (n_parameters,)
            The weights.

        Returns
        -------
        float
            NaN or infinity where it is not finite.
        """

    def value_and_gradient(self, theta: Vector) -> tuple[float, Vector]:
        """C(θ) and ∂C/∂θ. Those of the weights that were looked at last are kept.

        Parameters
        ----------
        theta : float64 array of shape (n_parameters,)
            The weights.

        Returns
        -------
        value : float
            As `value`.
        gradient : float64 array of shape (n_parameters,)
            NaN where the value is not finite.
        """

    def gauss_newton(self, theta: Vector) -> tuple[float, Vector, Vector]:
        """C(θ), ∂C/∂θ and the Gauss-Newton matrix, for sums of squares C = Σ r² / rows + Σ l2 w².

        For solvers with `least_squares`.

        Parameters
        ----------
        theta : float64 array of shape (n_parameters,)
            The weights.

        Returns
        -------
        value : float
            As `value`.
        gradient : float64 array of shape (n_parameters,)
            As in `value_and_gradient`.
        matrix : float64 array of shape (n_parameters, n_parameters)
            The upper triangle of 2 JᵀJ / rows + 2 diag(l2). The next call overwrites it.
        """

    def chord_gradient(self, theta: Vector, moved: Vector) -> Vector:
        """2 Jᵀ r / rows + 2 diag(l2) w, with J at θ, and with the residuals r and the weights w of another place.

        For solvers with `least_squares`. It is the gradient where the two are the same, and costs less than another J.

        Parameters
        ----------
        theta, moved : float64 array of shape (n_parameters,)
            The weights of J, and those of r.

        Returns
        -------
        float64 array of shape (n_parameters,)
            NaN or infinity where the residuals are not finite.
        """


class Solver(Configurable):
    """The base class of solvers.

    A subclass sets `name`, declares its parameters as other parts do, and defines `step`; if it remembers anything
    between steps, `start`, too. Steps are taken by `fit`: one for each batch, which is all rows unless `batch_size` is
    given. History, callbacks, validation, checkpoints, weights of rows, constraints and frozen layers are the same as
    with an optimizer.

    Examples
    --------
    Gradient descent that halves its step until the loss falls:

    >>> import cynn, numpy as np
    >>> class Halving(cynn.solvers.Solver):
    ...     '''θ - s ∂C/∂θ, with the first s of 1, ½, ... that lowers C.'''
    ...     name = "halving"
    ...     def step(self, problem, theta, memory):
    ...         value, gradient = problem.value_and_gradient(theta)
    ...         for k in range(30):
    ...             moved = theta - 0.5**k * gradient
    ...             if problem.value(moved) < value:
    ...                 return moved, memory
    ...         return theta, memory
    >>> net = cynn.Network([cynn.Input(1), cynn.Dense(1)], seed=0)
    >>> x, y = [[1.0], [2.0]], [3.0, 5.0]
    >>> history = net.fit(x, y, optimizer=Halving(), epochs=200)
    >>> bool(history["loss"][-1] < 1e-6)
    True
    """

    kind = "solver"
    #: Whether each step must be on all rows.
    full_batch: ClassVar[bool] = False
    #: Whether the loss must be a sum of squares.
    least_squares: ClassVar[bool] = False

    def check_size(self, n_parameters: int) -> None:
        """Raise an InvalidParameterError if this solver does not work with so many weights, before anything begins.

        Parameters
        ----------
        n_parameters : int
            The number of trained weights.
        """

    def start(self, n_parameters: int) -> Memory:
        """What is remembered before the first step.

        Parameters
        ----------
        n_parameters : int
            The size of θ.

        Returns
        -------
        dict of str to float64 array
            Arrays of any shapes, which stay as they are from step to step. A checkpoint has them all.
        """
        return {}

    def step(self, problem: Problem, theta: Vector, memory: Memory) -> tuple[Vector, Memory]:
        """Take one step.

        Parameters
        ----------
        problem : Problem
            What to minimize.
        theta : float64 array
            The weights. Neither they nor the memory may be changed in place: a step that is interrupted has not been.
        memory : dict of str to float64 array
            What the last step returned, or `start`.

        Returns
        -------
        theta : float64 array
            The new weights.
        memory : dict of str to float64 array
            With the same keys and shapes.
        """
        raise NotImplementedError(f"{type(self).__name__} must define step(problem, theta, memory).")

    def figures(self, memory: Memory) -> dict[str, float]:
        """Further figures for the history of an epoch.

        Parameters
        ----------
        memory : dict of str to float64 array
            What the last step returned.

        Returns
        -------
        dict of str to float
            By name.
        """
        return {}

    def is_done(self, memory: Memory) -> bool:
        """Whether no step can improve the weights any more: training on all rows ends then.

        Parameters
        ----------
        memory : dict of str to float64 array
            What the last step returned.

        Returns
        -------
        bool
            False by default.
        """
        return False

