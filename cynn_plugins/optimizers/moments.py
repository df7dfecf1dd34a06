"""Optimizers of the Adam family: steps from running means of the gradient and of its square.

In the formulas, m is the mean of g, v is the mean of g², and m^ = m / (1 - beta_1ᵗ) and v^ = v / (1 - beta_2ᵗ) are
corrected for the bias of their initial value 0.
"""

from typing import Any

import numpy.typing as npt

from cynn.hyperparameters import hyperparameter
from cynn.optimizers import Optimizer
from cynn_plugins.optimizers._moments import KERNELS

__all__ = ["AMSGrad", "AdaBelief", "Adamax", "Adan", "Lion", "NAdam", "RAdam", "ScheduleFreeAdamW"]

Array = npt.NDArray[Any]


class _Moments(Optimizer):
    learning_rate: float = hyperparameter(default=0.001, above=0, doc="The learning rate.")
    beta_1: float = hyperparameter(default=0.9, minimum=0, below=1, doc="The decay rate of the mean of g.")
    beta_2: float = hyperparameter(
        default=0.999, minimum=0, below=1, doc="The decay rate of the mean of g²."
    )
    epsilon: float = hyperparameter(default=1e-8, above=0, doc="Added to the denominator, for numerical stability.")


class Adamax(_Moments):
    """Adam with the maximum of recent |g| instead of the root of the mean of g².

    ::

        m := beta_1 m + (1 - beta_1) g
        u := max(beta_2 u, |g| + epsilon)
        w := w - η m^ / u

    Source: Kingma and Ba, "Adam: a method for stochastic optimization", 2015, algorithm 2; epsilon as
    in PyTorch.

    Examples
    --------
    >>> import cynn
    >>> cynn.registry.optimizers.get("adamax")
    Adamax(learning_rate=0.002, beta_1=0.9, beta_2=0.999, epsilon=1e-08)
    """

    name = "adamax"
    kernel = KERNELS["adamax"]
    learning_rate: float = hyperparameter(default=0.002, above=0, doc="The learning rate.")


class NAdam(_Moments):
    """Adam with Nesterov's momentum, which grows from beta_1 / 2 to beta_1.

    With μ_t = beta_1 (1 - 0.96^(t momentum_decay) / 2) and Π_t = μ_1 μ_2 ... μ_t::

        w := w - η (μ_(t+1) m / (1 - Π_(t+1)) + (1 - μ_t) g / (1 - Π_t)) / (sqrt(v^) + epsilon)

    Source: Dozat, "Incorporating Nesterov momentum into Adam", 2016, algorithm 2; the learning rate and
    the schedule of μ as in PyTorch.

    Examples
    --------
    >>> import cynn
    >>> cynn.registry.optimizers.get("nadam")
    NAdam(learning_rate=0.002, beta_1=0.9, beta_2=0.999, epsilon=1e-08,
          momentum_decay=0.004)
    """

    name = "nadam"
    kernel = KERNELS["nadam"]
    learning_rate: float = hyperparameter(default=0.002, above=0, doc="The learning rate.")
    momentum_decay: float = hyperparameter(default=0.004, minimum=0, doc="How soon the momentum is full.")


class RAdam(_Moments):
    """Adam that warms up by itself: until v is an average of enough steps, it steps by m^ alone.

    With ρ = 2 / (1 - beta_2) - 1 and ρ_t = ρ - 2 t beta_2ᵗ / (1 - beta_2ᵗ)::

        w := w - η m^                                    while ρ_t <= 5
        w := w - η r m^ / (sqrt(v) + epsilon) sqrt(1 - beta_2ᵗ)
        r² = (ρ_t - 4) (ρ_t - 2) ρ / ((ρ - 4) (ρ - 2) ρ_t)

    Source: Liu and others, "On the variance of the adaptive learning rate and beyond", 2020, algorithm
    2; the 5 as in PyTorch and Optax, where the paper has 4.

    Examples
    --------
    >>> import cynn
    >>> cynn.registry.optimizers.get("radam")
    RAdam(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-08)
    """

    name = "radam"
    kernel = KERNELS["radam"]


class AMSGrad(_Moments):
    """Adam with the maximum of all v so far instead of v, so that the step size never increases.

    ::

        u := max(u, v)
        w := w - η m^ / (sqrt(u / (1 - beta_2ᵗ)) + epsilon)

    Source: Reddi, Kale and Kumar, "On the convergence of Adam and beyond", 2018, algorithm 2; without
    bias as in PyTorch and Keras.

    Examples
    --------
    >>> import cynn
    >>> cynn.registry.optimizers.get("amsgrad")
    AMSGrad(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-08)
    """

    name = "amsgrad"
    kernel = KERNELS["amsgrad"]


class AdaBelief(_Moments):
    """Adam with the mean of (g - m)² instead of g²: large steps where g is close to its prediction m.

    ::

        s := beta_2 s + (1 - beta_2) (g - m)² + epsilon
        w := w - η m^ / (sqrt(s^) + epsilon)

    Source: Zhuang and others, "AdaBelief optimizer: adapting stepsizes by the belief in observed
    gradients", 2020, algorithm 2; epsilon as in the authors' package and Optax.

    Examples
    --------
    >>> import cynn
    >>> cynn.registry.optimizers.get("adabelief")
    AdaBelief(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-16)
    """

    name = "adabelief"
    kernel = KERNELS["adabelief"]
    epsilon: float = hyperparameter(default=1e-16, above=0, doc="Added to the denominator, for numerical stability.")


class Adan(Optimizer):
    """Adaptive Nesterov momentum: running means of the gradient, of its change, and of the square of both.

    With Δ = g - the previous g (0 at the first step), and m^, d^, n^ corrected for bias::

        m := beta_1 m + (1 - beta_1) g
        d := beta_2 d + (1 - beta_2) Δ
        n := beta_3 n + (1 - beta_3) (g + beta_2 Δ)²
        w := (w - η (m^ + beta_2 d^) / (sqrt(n^) + epsilon)) / (1 + η weight_decay)

    Source: Xie, Zhou, Li, Lin and Yan, "Adan: adaptive Nesterov momentum algorithm for faster
    optimizing deep models", 2022, algorithm 1. As in the authors' code and in Optax, the betas are 1 minus those of
    the paper, and the means are corrected for bias.

    Examples
    --------
    >>> import cynn
    >>> cynn.registry.optimizers.get("adan", weight_decay=0.02)
    Adan(learning_rate=0.001, beta_1=0.98, beta_2=0.92, beta_3=0.99,
         epsilon=1e-08, weight_decay=0.02)
    """

    name = "adan"
    kernel = KERNELS["adan"]
    learning_rate: float = hyperparameter(default=0.001, above=0, doc="The learning rate.")
    beta_1: float = hyperparameter(default=0.98, minimum=0, below=1, doc="The decay rate of the mean of g.")
    beta_2: float = hyperparameter(
        default=0.92, minimum=0, below=1, doc="The decay rate of the mean change of g."
    )
    beta_3: float = hyperparameter(
        default=0.99, minimum=0, below=1, doc="The decay rate of the mean square."
    )
    epsilon: float = hyperparameter(default=1e-8, above=0, doc="Added to the denominator, for numerical stability.")
    weight_decay: float = hyperparameter(
        default=0.0, minimum=0, doc="The weight decay: w shrinks by η times this share in each step."
    )


class Lion(Optimizer):
    """Evolved sign momentum: each weight changes by plus or minus the learning rate.

    ::

        w := w - η (sign(beta_1 m + (1 - beta_1) g) + weight_decay w)
        m := beta_2 m + (1 - beta_2) g

    Source: Chen and others, "Symbolic discovery of optimization algorithms", 2023, algorithm 2. Its
    learning rate should be 3 to 10 times smaller than Adam's, its weight decay as much larger.

    Examples
    --------
    >>> import cynn
    >>> cynn.registry.optimizers.get("lion")
    Lion(learning_rate=0.0001, beta_1=0.9, beta_2=0.99, weight_decay=0.0)
    """

    name = "lion"
    kernel = KERNELS["lion"]
    learning_rate: float = hyperparameter(
        default=0.0001, above=0, doc="The learning rate: each weight changes by this much."
    )
    beta_1: float = hyperparameter(default=0.9, minimum=0, below=1, doc="The share of m in the direction.")
    beta_2: float = hyperparameter(default=0.99, minimum=0, below=1, doc="The decay rate of the mean of g.")
    weight_decay: float = hyperparameter(
        default=0.0, minimum=0, doc="The weight decay: w shrinks by η times this share in each step."
    )


class ScheduleFreeAdamW(Optimizer):
    """AdamW with averaged weights instead of a learning-rate schedule: the number of steps need not be known.

    There are three sequences: z, the plain steps; x, the weighted mean of z, which is the result; and y, between the
    two, where the gradient is computed. With the rate γ_t = η min(1, t / warmup_steps) and c = γ_t² / Σ_i γ_i²::

        y = (1 - beta_1) z + beta_1 x
        z := z - γ_t (g(y) / (sqrt(v^) + epsilon) + weight_decay y)
        x := (1 - c) x + c z

    The weights of the network are y, during training and after it. With beta_1 = 0.9, y is close to x. The first slot
    of a parameter is z, and `averaged` computes x. The learning rate should be constant: c assumes that it is.

    Source: Defazio, Yang, Mehta, Mishchenko, Khaled and Cutkosky, "The road less scheduled", 2024,
    algorithm 1; bias correction, the weights of the mean and the defaults as in the authors' code.

    Examples
    --------
    >>> import cynn
    >>> optimizer = cynn.registry.optimizers.get(
    ...     "schedule_free_adamw", warmup_steps=100
    ... )
    >>> optimizer.warmup_steps
    100.0
    """

    name = "schedule_free_adamw"
    kernel = KERNELS["schedule_free_adamw"]
    learning_rate: float = hyperparameter(
        default=0.0025, above=0, doc="The learning rate after the warmup."
    )
    beta_1: float = hyperparameter(
        default=0.9, above=0, below=1, doc="The share of the mean x in y, where the gradient is computed."
    )
    beta_2: float = hyperparameter(
        default=0.999, minimum=0, below=1, doc="The decay rate of the mean of g²."
    )
    epsilon: float = hyperparameter(default=1e-8, above=0, doc="Added to the denominator, for numerical stability.")
    weight_decay: float = hyperparameter(
        default=0.0, minimum=0, doc="The weight decay: y shrinks by γ times this share in each step."
    )
    warmup_steps: float = hyperparameter(
        default=0.0, minimum=0, doc="The number of steps in which the rate grows to the learning rate."
    )

    def averaged(self, w: Array, z: Array) -> Array:
        """Compute the mean x, which is the result of the method.

        Parameters
        ----------
        w : array
            A parameter of the network: y.
        z : array of the same shape
            The first slot of the parameter.

        Returns
        -------
        array
            x, of the same shape.
        """
        x: Array = (w - (1 - self.beta_1) * z) / self.beta_1
        return x
