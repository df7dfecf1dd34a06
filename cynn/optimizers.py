"""Optimizers: rules that update weights from their gradients."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any, ClassVar, Self

from cynn import kernels, registry, schedules
from cynn.components.declarations import Declaration
from cynn.components.hyperparameters import Component, Hyperparameter, hyperparameter, option
from cynn.schedules import Schedule
from cynn.schedules.base import first_of, number_of

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

__all__ = ["SGD", "Adam", "AdamW", "Optimizer"]

# This hyperparameter may have a schedule, and is 0 for parameters that are excluded from weight decay.
_DECAY = "weight_decay"


class Optimizer(Component):
    """The base class of optimizers.

    The learning rate of every optimizer is a number, a schedule of `cynn.schedules`, its configuration, or a function
    of the step, counted from 0. A hyperparameter named `weight_decay` is a number, a schedule that depends only on the
    step, or its configuration. A layer may multiply the learning rate of its parameters by a `learning_rate_factor`,
    and may exclude parameters from weight decay.

    A subclass sets `name` and has one of

    - `kernel`, a capsule of the plugin ABI that holds a `cynn_optimizer`, made in Cython or C, or by
      `from_addresses`;
    - `n_slots` and `step(w, grad, slots, learning_rate, t)`, a method over NumPy arrays, which the
      engine calls with the GIL on whole parameters.

    Besides its hyperparameters, every optimizer has these keyword arguments:

    `clipvalue`, `clipnorm`, `global_clipnorm` : float
        Limits for the elements of the gradients, for the norm of each parameter's gradient, and for the norm of all
        gradients together (Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks",
        2013). Several limits apply in this order: `clipnorm`, `global_clipnorm`, `clipvalue`.
    `gradient_accumulation_steps` : int
        The number of batches per step. A step uses the mean gradient over their rows. The last step of an epoch may
        have fewer batches.
    `decay_biases` : bool
        False excludes parameters with one dimension from weight decay: biases, γ and β of normalizations, slopes of
        `PReLU`. Layers may exclude further parameters.
    `use_ema`, `ema_momentum` : bool, float
        At the end of `fit`, replace the weights by their exponential moving average over the steps. The average starts
        with the weights before the first step (Polyak and Juditsky, "Acceleration of stochastic approximation by
        averaging", 1992).

    Examples
    --------
    >>> import numpy as np
    >>> import cynn
    >>> class SignDescent(cynn.optimizers.Optimizer):
    ...     '''w moves by η, against the sign of the gradient.'''
    ...     name = "sign_descent"
    ...     def step(self, w, grad, slots, learning_rate, t):
    ...         w -= learning_rate * np.sign(grad)
    >>> net = cynn.Network([cynn.Input(1), cynn.Dense(1)], seed=0)
    >>> net.layers[0].weights = [[1.0]]
    >>> descent = SignDescent(learning_rate=0.5)
    >>> history = net.fit([[1.0]], [[3.0]], optimizer=descent, epochs=2)
    >>> net.layers[0].weights
    array([[2.]], dtype=float32)
    """

    kind = "optimizer"
    methods: ClassVar[tuple[str, ...]] = ("step",)
    max_nested: ClassVar[int] = Schedule.max_nested + 1
    n_slots: ClassVar[int] = 0
    #: The learning rates for which a step is proportional to the rate. The conformance kit uses rates in this range.
    learning_rate_range: ClassVar[tuple[float, float]] = (0.0, math.inf)
    assignable: ClassVar[frozenset[str]] = frozenset({"learning_rate"})
    learning_rate: Any = hyperparameter(default=0.01, above=0, doc="The step size.")
    clipvalue: float = option(default=0.0, doc="The largest element of a gradient; 0: no limit.")
    clipnorm: float = option(default=0.0, doc="The largest norm of each parameter's gradient; 0: no limit.")
    global_clipnorm: float = option(default=0.0, doc="The largest norm of all gradients together; 0: no limit.")
    gradient_accumulation_steps: int = option(
        default=1, minimum=1, doc="The number of batches per step, which uses their mean gradient."
    )
    use_ema: bool = option(default=False, doc="Replace the weights by their moving average after training.")
    ema_momentum: float = option(default=0.99, below=1, doc="The decay rate of that average.")
    decay_biases: bool = option(
        default=True, doc="Apply weight decay to biases and to the parameters of normalizations, too."
    )

    @staticmethod
    def from_addresses(
        *,
        step_f32: Any = None,
        step_f64: Any = None,
        linear_step: Any = None,
        n_slots: int = 0,
        elementwise: bool = False,
    ) -> Any:
        """Make the `kernel` of a class from the addresses of compiled functions.

        The functions are those of `cynn_optimizer` in the header `cynn/abi.h`, with its rules: they
        run without the GIL, on any thread.

        Parameters
        ----------
        step_f32, step_f64 : int, Numba cfunc or ctypes function
            Addresses, or objects with an address, which are kept alive. A dtype without functions is not supported.
        linear_step : int, Numba cfunc or ctypes function, optional
            The function that computes alpha and beta, if the step is w := beta w + alpha grad.
        n_slots : int
            The number of state arrays per parameter.
        elementwise : bool
            Whether each element is updated independently, so that a parameter may be updated in pieces.

        Returns
        -------
        capsule
            The value for `kernel` in the body of a class.

        Examples
        --------
        >>> import cynn
        >>> from cynn.testing import abi
        >>> functions = abi.functions(cynn.optimizers.Adam())
        >>> class SameAdam(cynn.optimizers.Adam):
        ...     name = "same_adam"
        ...     kernel = cynn.optimizers.Optimizer.from_addresses(
        ...         **functions, n_slots=2, elementwise=True
        ...     )
        >>> net = cynn.Network.mlp([1, 1], seed=0)
        >>> net.fit([[0.0]], [3.0], optimizer=SameAdam(), epochs=2)
        History(epochs=2, loss=8.994...)
        """
        from cynn.plugins.addresses import optimizer_kernel

        functions = {"step_f32": step_f32, "step_f64": step_f64, "linear_step": linear_step}
        return optimizer_kernel(functions, n_slots=n_slots, elementwise=elementwise)

    def _checked(self, declaration: Declaration, value: Any) -> Any:
        name, owner = declaration.name, type(self).__name__
        if name == "learning_rate":
            return schedules.learning_rate_of(value, name, owner)
        if name == _DECAY and isinstance(declaration, Hyperparameter):
            return number_of(value, name, owner, **declaration.bounds)
        return super()._checked(declaration, value)

    @property
    def decay_place(self) -> int | None:
        """The index of weight decay in `kernel_values`; None if the optimizer has no weight decay."""
        names = [name for name in self.hyperparameters if name not in self.assignable]
        return names.index(_DECAY) if _DECAY in names else None

    @property
    def decay_schedule(self) -> Schedule | None:
        """The schedule of weight decay; None if it is a number or if the optimizer has none."""
        decay = getattr(self, _DECAY, None)
        return decay if isinstance(decay, Schedule) else None

    def with_weight_decay(self, value: float) -> Self:
        """A copy of this optimizer with another weight decay.

        Parameters
        ----------
        value : float
            The weight decay.

        Returns
        -------
        Optimizer
            A shallow copy.
        """
        other = copy.copy(self)
        vars(other)[_DECAY] = value
        return other

    def kernel_values(self) -> list[float]:
        decay = self.decay_schedule
        return super().kernel_values() if decay is None else self.with_weight_decay(first_of(decay)).kernel_values()

    def step(self, w: Array, grad: Array, slots: list[Array], learning_rate: float, t: int) -> None:
        """Update `w` in place.

        Parameters
        ----------
        w, grad : array of shape (rows, columns)
            The parameter and ∂C/∂w. A bias is a matrix of one row. `grad` may be overwritten.
        slots : list of `n_slots` arrays of the same shape
            The optimizer's state for this parameter, which is zero before step 1.
        learning_rate : float
            The learning rate of this step.
        t : int
            The number of this step, from 1.
        """
        from cynn.engine.optimizer_kernel import OptimizerKernel

        OptimizerKernel(self, use_kernel=True).step(w, grad, slots, learning_rate, t)


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum.

    With gradient g = ∂C/∂w + weight_decay * w, velocity v and learning rate η::

        v := momentum * v - η g
        w := w + v                        (nesterov: w := w + momentum * v - η g)

    The learning rate is part of v, as in Keras: when it changes, v still contains the old one. In PyTorch, v does not
    contain it.

    Sources: Nielsen, "Neural networks and deep learning", 2015, chapters 1 and 3; Sutskever,
    Martens, Dahl and Hinton, "On the importance of initialization and momentum in deep learning",
    2013 (Nesterov's form).

    Examples
    --------
    >>> import cynn
    >>> cynn.optimizers.SGD(learning_rate=0.1, momentum=0.9)
    SGD(learning_rate=0.1, momentum=0.9, nesterov=False, weight_decay=0.0)
    """

    name = "sgd"
    learning_rate: Any = hyperparameter(default=0.01, above=0, doc="The step size.")
    momentum: float = hyperparameter(
        default=0.0, minimum=0, maximum=1, doc="The share of the last step that is added to the next one."
    )
    nesterov: bool = hyperparameter(default=False, doc="Use Nesterov's form of momentum.")
    weight_decay: Any = hyperparameter(
        default=0.0, minimum=0, doc="The L2 penalty: weight_decay * w is added to the gradient."
    )

    @property
    def kernel(self) -> Any:
        """The capsule with momentum, or the one without."""
        return kernels.optimizers.KERNELS["momentum" if self.momentum else "sgd"]


class Adam(Optimizer):
    """Adam: steps scaled by moving averages of the gradient and of its square.

    With gradient g, step t and learning rate η::

        m := beta_1 m + (1 - beta_1) g
        v := beta_2 v + (1 - beta_2) g²
        w := w - η (m / (1 - beta_1ᵗ)) / (sqrt(v / (1 - beta_2ᵗ)) + epsilon)

    Source: Kingma and Ba, "Adam: a method for stochastic optimization", 2015, algorithm 1.

    Examples
    --------
    >>> import cynn
    >>> cynn.optimizers.Adam()
    Adam(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-08)
    """

    name = "adam"
    kernel = kernels.optimizers.KERNELS["adam"]
    learning_rate: Any = hyperparameter(default=0.001, above=0, doc="The step size.")
    beta_1: float = hyperparameter(default=0.9, minimum=0, below=1, doc="The decay rate of the mean of g.")
    beta_2: float = hyperparameter(default=0.999, minimum=0, below=1, doc="The decay rate of the mean of g².")
    epsilon: float = hyperparameter(default=1e-8, above=0, doc="Added to the denominator, for numerical stability.")


class AdamW(Adam):
    """Adam with decoupled weight decay: w := w - η weight_decay w, then Adam's step.

    Source: Loshchilov and Hutter, "Decoupled weight decay regularization", 2019, algorithm 2.

    Examples
    --------
    >>> import cynn
    >>> cynn.optimizers.AdamW(weight_decay=0.1)
    AdamW(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-08,
          weight_decay=0.1)
    """

    name = "adamw"
    kernel = kernels.optimizers.KERNELS["adamw"]
    weight_decay: Any = hyperparameter(
        default=0.01, minimum=0, doc="Each step subtracts η weight_decay w."
    )


registry.declare(Optimizer, globals())
