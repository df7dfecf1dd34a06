"""An activation of every function of vector_math, and an optimizer that calls BLAS."""

from cynn.activations import Activation
from cynn.hyperparameters import hyperparameter
from cynn.optimizers import Optimizer
from cynn_example_maths import _kernel


class SumOfAll(Activation):
    """a = σ(z) + tanh(z) + erf(z) - erfc(z) + softplus(z) + 2 log(1 + z²) + 2 exp(-z²) - 1 + sqrt(1 + z²) + |z|."""

    name = "sum_of_all"
    kernel = _kernel.SUM_OF_ALL


class BlasDescent(Optimizer):
    """w := w - η g"""

    name = "blas_descent"
    kernel = _kernel.BLAS_DESCENT
    learning_rate: float = hyperparameter(default=0.01, above=0, doc="How far each step goes.")
