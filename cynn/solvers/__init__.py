"""Solvers: second-order training, as `optimizer="levenberg_marquardt"` or `optimizer="lbfgs"` of `fit`.

An optimizer is given the gradient of one batch, and moves the weights. A solver is given the loss as a function of the
weights, and may evaluate it as often as it likes before it moves them. What enters are classes that solve, each a part
of the kind "solver"; the function is that of `cynn.solvers.base.Problem`, which training provides. Solvers may use the
components and the kernels.
"""

from cynn import registry
from cynn.solvers.base import Solver
from cynn.solvers.lbfgs import LBFGS
from cynn.solvers.levenberg_marquardt import LevenbergMarquardt

__all__ = ["LBFGS", "LevenbergMarquardt", "Solver"]

registry.declare(Solver, globals())
