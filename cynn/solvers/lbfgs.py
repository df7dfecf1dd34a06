"""L-BFGS: quasi-Newton steps of limited memory."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from cynn.components.declarations import number, whole_number
from cynn.solvers.base import Memory, Problem, Solver, Vector
from cynn.solvers.line_search import strong_wolfe
from cynn.solvers.vectors import inner

__all__ = ["LBFGS"]


class LBFGS(Solver):
    """L-BFGS: Newton's step, with second derivatives from the last gradients.

    With s = θ' - θ and y = ∂C/∂θ' - ∂C/∂θ of the last `history_size` steps, the two loops of Nocedal give
    d = -B ∂C/∂θ, where B is the BFGS matrix of these pairs, of which none is ever made. A line search finds a step α
    along d that fulfils Wolfe's strong conditions::

        C(θ + α d) <= C(θ) + 1e-4 α dᵀ ∂C/∂θ        |dᵀ ∂C/∂θ(θ + α d)| <= 0.9 |dᵀ ∂C/∂θ|

    A step is on all rows, and mostly costs one gradient. It needs 16 * `history_size` bytes per weight. Training ends
    where the largest element of the gradient is at most `tolerance`, where the relative fall of C in a step is at most
    `loss_tolerance`, or where no step makes it fall. The history has the number of gradients so far as `evaluations`.

    Sources: Nocedal, "Updating quasi-Newton matrices with limited storage", 1980; Liu and Nocedal, "On the limited
    memory BFGS method for large scale optimization", 1989; Nocedal and Wright, "Numerical optimization", 2006,
    algorithms 7.4 and 3.5.

    Parameters
    ----------
    history_size : int
        The number of pairs.
    tolerance, loss_tolerance : float
        When to stop.
    max_evaluations : int
        The largest number of gradients in a line search.

    Examples
    --------
    >>> import cynn, numpy as np
    >>> x = np.linspace(-1, 1, 50)[:, None]
    >>> net = cynn.Network.mlp(
    ...     [1, 5, 1], activation="tanh", seed=0, dtype="float64"
    ... )
    >>> history = net.fit(x, np.sin(3 * x), optimizer="lbfgs", epochs=300)
    >>> bool(history["loss"][-1] < 1e-4)
    True
    """

    name = "lbfgs"
    aliases = ("l_bfgs",)
    full_batch: ClassVar[bool] = True

    history_size: int = whole_number(default=10, minimum=1, maximum=10_000)
    tolerance: float = number(default=1e-7, minimum=0)
    loss_tolerance: float = number(default=1e-10, minimum=0, below=1)
    max_evaluations: int = whole_number(default=20, minimum=1)

    def start(self, n_parameters: int) -> Memory:
        return {
            "steps": np.zeros((self.history_size, n_parameters)),  # s, the newest last
            "changes": np.zeros((self.history_size, n_parameters)),  # y
            "count": np.array(0.0),
            "evaluations": np.array(0.0),
            "is_done": np.array(0.0),
        }

    def is_done(self, memory: Memory) -> bool:
        return bool(memory["is_done"])

    def figures(self, memory: Memory) -> dict[str, float]:
        return {"evaluations": float(memory["evaluations"])}

    def step(self, problem: Problem, theta: Vector, memory: Memory) -> tuple[Vector, Memory]:
        value, gradient = problem.value_and_gradient(theta)
        now = dict(memory)
        now["evaluations"] = memory["evaluations"] + (memory["evaluations"] == 0)
        if np.abs(gradient).max(initial=0.0) <= self.tolerance:
            return theta, now | {"is_done": np.array(1.0)}
        counts = sorted({int(memory["count"]), 0}, reverse=True)  # without pairs, if they mislead
        for count in counts:
            steps, changes = memory["steps"], memory["changes"]
            direction = -_two_loops(gradient, steps[len(steps) - count :], changes[len(steps) - count :])
            first = 1.0 if count else 1 / math.sqrt(inner(gradient, gradient))
            found, n = strong_wolfe(
                problem.value_and_gradient,
                theta,
                direction,
                value,
                gradient,
                first,
                noise=10 * problem.precision * abs(value),
                max_evaluations=self.max_evaluations,
            )
            now["evaluations"] = now["evaluations"] + n
            if found is not None:
                moved, gradient_after = found
                s, y = moved - theta, gradient_after - gradient
                now["count"] = np.array(float(count))
                if inner(s, y) > problem.precision * inner(y, y):
                    now["steps"] = np.concatenate([steps[1:], s[None]])
                    now["changes"] = np.concatenate([changes[1:], y[None]])
                    now["count"] = np.array(float(min(count + 1, self.history_size)))
                fall = value - problem.value(moved)
                return moved, now | {"is_done": np.array(float(fall <= self.loss_tolerance * abs(value)))}
        return theta, now | {"count": np.array(0.0), "is_done": np.array(1.0)}


def _two_loops(gradient: Vector, steps: Vector, changes: Vector) -> Vector:
    """B ∂C/∂θ, for the BFGS matrix B of these pairs, the newest last (Nocedal and Wright, algorithm 7.4)."""
    q = gradient.copy()
    if not len(steps):
        return q
    of_pairs = np.einsum("ij,ij->i", steps, changes)
    factors = np.zeros(len(steps))
    for i in range(len(steps) - 1, -1, -1):
        factors[i] = inner(steps[i], q) / of_pairs[i]
        q -= factors[i] * changes[i]
    q *= of_pairs[-1] / inner(changes[-1], changes[-1])
    for i in range(len(steps)):
        q += (factors[i] - inner(changes[i], q) / of_pairs[i]) * steps[i]
    return q
