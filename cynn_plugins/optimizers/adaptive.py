"""Optimizers with adaptive step sizes, from the squares or the signs of earlier gradients."""

from typing import Any

from cynn.errors import InvalidParameterError
from cynn.hyperparameters import hyperparameter
from cynn.optimizers import Optimizer
from cynn_plugins.optimizers._adaptive import KERNELS

__all__ = ["Adadelta", "Adagrad", "Ftrl", "RMSprop", "Rprop"]


class RMSprop(Optimizer):
    """The gradient divided by the root of a running mean of its square.

    With gradient g and learning rate η::

        v := rho v + (1 - rho) g²                       centered: v - (mean of g)² in its place below
        u := momentum u + g / (sqrt(v) + epsilon)
        w := w - η u

    Sources: Hinton, "Neural networks for machine learning", 2012, lecture 6e; Graves, "Generating
    sequences with recurrent neural networks", 2013, equations 38 to 45 (centered). rho as in the
    lecture, Keras and Optax (PyTorch has 0.99), epsilon outside the root as in PyTorch and Optax (Keras has it
    inside). The learning rate is not part of u, as in PyTorch: when it changes, u is multiplied by the new rate.

    Examples
    --------
    >>> import cynn
    >>> cynn.registry.optimizers.get("rmsprop", momentum=0.9)
    RMSprop(learning_rate=0.001, rho=0.9, momentum=0.9, centered=False,
            epsilon=1e-08)
    """

    name = "rmsprop"
    learning_rate: float = hyperparameter(default=0.001, above=0, doc="The learning rate.")
    rho: float = hyperparameter(default=0.9, minimum=0, below=1, doc="The decay rate of the mean of g².")
    momentum: float = hyperparameter(
        default=0.0, minimum=0, below=1, doc="The momentum."
    )
    centered: bool = hyperparameter(
        default=False, doc="Whether to divide by the standard deviation of g instead of its root mean square."
    )
    epsilon: float = hyperparameter(default=1e-8, above=0, doc="Added to the denominator, for numerical stability.")

    @property
    def kernel(self) -> Any:
        """The kernel for these hyperparameters."""
        variant = "_centered" if self.centered else ("_momentum" if self.momentum else "")
        return KERNELS["rmsprop" + variant]


class Adagrad(Optimizer):
    """The gradient divided by the root of the sum of all squared gradients.

    ::

        s := s + g²
        w := w - η g / (sqrt(initial_accumulator + s) + epsilon)

    Source: Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic
    optimization", 2011, figure 1. Defaults as in PyTorch; in Keras and Optax the initial sum is 0.1.

    Examples
    --------
    >>> import cynn
    >>> cynn.registry.optimizers.get("adagrad")
    Adagrad(learning_rate=0.01, initial_accumulator=0.0, epsilon=1e-10)
    """

    name = "adagrad"
    kernel = KERNELS["adagrad"]
    learning_rate: float = hyperparameter(default=0.01, above=0, doc="The learning rate.")
    initial_accumulator: float = hyperparameter(default=0.0, minimum=0, doc="The initial value of the sum of g².")
    epsilon: float = hyperparameter(default=1e-10, above=0, doc="Added to the denominator, for numerical stability.")


class Adadelta(Optimizer):
    """The gradient scaled by the ratio of recent steps to recent gradients: needs almost no learning rate.

    ::

        v := rho v + (1 - rho) g²
        Δ := sqrt(u + epsilon) / sqrt(v + epsilon) g
        u := rho u + (1 - rho) Δ²
        w := w - η Δ

    Source: Zeiler, "ADADELTA: an adaptive learning rate method", 2012, algorithm 1; rho and epsilon
    of its section 4.1.

    Examples
    --------
    >>> import cynn
    >>> cynn.registry.optimizers.get("adadelta")
    Adadelta(learning_rate=1.0, rho=0.95, epsilon=1e-06)
    """

    name = "adadelta"
    kernel = KERNELS["adadelta"]
    learning_rate: float = hyperparameter(
        default=1.0, above=0, doc="The learning rate, a factor of the step. 1 in the paper."
    )
    rho: float = hyperparameter(default=0.95, minimum=0, below=1, doc="The decay rate of both means.")
    epsilon: float = hyperparameter(default=1e-6, above=0, doc="Added to both means, so that the first step is not 0.")


class Rprop(Optimizer):
    """Resilient backpropagation: uses only the signs of the gradient. For full-batch training.

    Each weight has its own step size Δ. Its initial value is the learning rate; later changes of the rate have no
    effect::

        Δ := min(increase Δ, largest_step)              where g has the sign of the last g
        Δ := max(decrease Δ, smallest_step), g := 0     where the sign changed
        w := w - sign(g) Δ

    Sources: Riedmiller and Braun, "A direct adaptive method for faster backpropagation learning: the
    RPROP algorithm", 1993; Igel and Hüsken, "Improving the Rprop learning algorithm", 2000 (this
    variant, iRprop-). Defaults as in PyTorch.

    Examples
    --------
    >>> import cynn
    >>> cynn.registry.optimizers.get("rprop")
    Rprop(learning_rate=0.01, decrease=0.5, increase=1.2,
          smallest_step=1e-06, largest_step=50.0)
    """

    name = "rprop"
    kernel = KERNELS["rprop"]
    learning_rate: float = hyperparameter(default=0.01, above=0, doc="The initial step size of each weight.")
    decrease: float = hyperparameter(
        default=0.5, above=0, below=1, doc="The factor when the sign of the gradient changes."
    )
    increase: float = hyperparameter(
        default=1.2, above=1, doc="The factor while the sign of the gradient stays the same."
    )
    smallest_step: float = hyperparameter(default=1e-6, above=0, doc="The minimum step size.")
    largest_step: float = hyperparameter(default=50.0, above=0, doc="The maximum step size.")

    def __post_init__(self) -> None:
        if self.smallest_step > self.largest_step:
            raise InvalidParameterError(
                f"The 'largest_step' parameter of Rprop must be >= its smallest_step, "
                f"{self.smallest_step:g}. Got {self.largest_step!r} instead."
            )


class Ftrl(Optimizer):
    """Follow the regularized leader, proximal: with l1, unimportant weights become exactly 0.

    With α the learning rate::

        z := z + g - (sqrt(n + g²) - sqrt(n)) / α w
        n := n + g²
        w := 0 where |z| <= l1, else (sign(z) l1 - z) / ((beta + sqrt(n)) / α + l2)

    In the paper, the initial w is 0. Here the initial z is computed from the initial weights, so that the first step
    does not set random weights to 0.

    Source: McMahan and others, "Ad click prediction: a view from the trenches", 2013, algorithm 1;
    beta as in its section 3.1, the learning rate as in Keras.

    Examples
    --------
    >>> import cynn
    >>> cynn.registry.optimizers.get("ftrl", l1=0.01)
    Ftrl(learning_rate=0.001, beta=1.0, l1=0.01, l2=0.0,
         initial_accumulator=0.0)
    """

    name = "ftrl"
    kernel = KERNELS["ftrl"]
    learning_rate: float = hyperparameter(default=0.001, above=0, doc="The learning rate, α in the paper.")
    beta: float = hyperparameter(default=1.0, minimum=0, doc="Reduces the first steps.")
    l1: float = hyperparameter(default=0.0, minimum=0, doc="The L1 penalty on |w|, which makes weights exactly 0.")
    l2: float = hyperparameter(default=0.0, minimum=0, doc="The L2 penalty on w² / 2.")
    initial_accumulator: float = hyperparameter(default=0.0, minimum=0, doc="The initial value of the sum of g².")
