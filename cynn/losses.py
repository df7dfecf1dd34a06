"""Losses: the cost C of a prediction for a target, which training minimizes.

The loss of a batch is the sum over its rows of weight * loss, divided by the number of rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from cynn import kernels, registry
from cynn.components.declarations import attribute
from cynn.components.hyperparameters import Component, hyperparameter
from cynn.errors import DataError

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

__all__ = ["BinaryCrossEntropy", "CrossEntropy", "Loss", "MeanAbsoluteError", "MeanSquaredError"]


class Loss(Component):
    """The base class of losses.

    A subclass sets `name` and has one of

    - `kernel`, a capsule of the plugin ABI that holds a `cynn_loss`, made in Cython or C, or by
      `from_addresses`;
    - `value_and_gradient(prediction, target)`, a method over NumPy arrays, which the engine calls
      with the GIL on whole batches.

    Examples
    --------
    >>> import numpy as np
    >>> import cynn
    >>> class Quartic(cynn.losses.Loss):
    ...     '''(prediction - target)⁴, summed over the outputs.'''
    ...     name = "quartic"
    ...     def value_and_gradient(self, prediction, target):
    ...         difference = prediction - target
    ...         return (difference**4).sum(axis=1), 4 * difference**3
    >>> net = cynn.Network([cynn.Input(1), cynn.Dense(1)], seed=0)
    >>> net.layers[0].weights = [[2.0]]
    >>> net.evaluate([[1.0]], [[1.0]], loss=Quartic())
    {'loss': 1.0}
    """

    kind = "loss"
    methods: ClassVar[tuple[str, ...]] = ("value_and_gradient",)
    #: Of a loss in Python: a method `backward_jvp(prediction, target, dprediction)` that returns, of each row, the
    #: Hessian of its loss by the prediction, times dprediction: an array of shape (rows, outputs). `net.hvp` needs it.
    backward_jvp: ClassVar[Any] = None

    @staticmethod
    def from_addresses(
        *,
        value_and_gradient_f32: Any = None,
        value_and_gradient_f64: Any = None,
        fuses_with: str | None = None,
        fused_value_and_gradient_f32: Any = None,
        fused_value_and_gradient_f64: Any = None,
        backward_jvp_f32: Any = None,
        backward_jvp_f64: Any = None,
        fused_backward_jvp_f32: Any = None,
        fused_backward_jvp_f64: Any = None,
        class_index: bool = False,
    ) -> Any:
        """Make the `kernel` of a class from the addresses of compiled functions.

        The functions are those of `cynn_loss` in the header `cynn/abi.h`, with its rules: they run
        without the GIL, on any thread.

        Parameters
        ----------
        value_and_gradient_f32, value_and_gradient_f64 : int, Numba cfunc or ctypes function
            Addresses, or objects with an address, which are kept alive. A dtype without functions is not supported.
        fuses_with : str, optional
            The name of an activation. After a last layer with this activation, the fused functions are called with z.
        fused_value_and_gradient_f32, fused_value_and_gradient_f64 : int, Numba cfunc or ctypes function
            Required if `fuses_with` is given.
        backward_jvp_f32, backward_jvp_f64 : int, Numba cfunc or ctypes function, optional
            The Hessian times a vector, for `net.hvp`.
        fused_backward_jvp_f32, fused_backward_jvp_f64 : int, Numba cfunc or ctypes function, optional
            The same as a function of z. Required with `backward_jvp` if `fuses_with` is given.
        class_index : bool
            Whether the functions accept class numbers as integers. Otherwise they get one-hot rows.

        Returns
        -------
        capsule
            The value for `kernel` in the body of a class.

        Examples
        --------
        >>> import cynn
        >>> from cynn.testing import abi
        >>> functions = abi.functions(cynn.losses.MeanSquaredError())
        >>> class SameSquaredError(cynn.losses.Loss):
        ...     name = "same_squared_error"
        ...     kernel = cynn.losses.Loss.from_addresses(**functions)
        >>> net = cynn.Network.mlp([1, 1], seed=0)
        >>> net.evaluate([[0.0]], [3.0], loss=SameSquaredError())
        {'loss': 9.0}
        """
        from cynn.plugins.addresses import loss_kernel

        functions = {
            "value_and_gradient_f32": value_and_gradient_f32,
            "value_and_gradient_f64": value_and_gradient_f64,
            "fused_value_and_gradient_f32": fused_value_and_gradient_f32,
            "fused_value_and_gradient_f64": fused_value_and_gradient_f64,
            "backward_jvp_f32": backward_jvp_f32,
            "backward_jvp_f64": backward_jvp_f64,
            "fused_backward_jvp_f32": fused_backward_jvp_f32,
            "fused_backward_jvp_f64": fused_backward_jvp_f64,
        }
        return loss_kernel(functions, fuses_with=fuses_with, class_index=class_index)

    def value_and_gradient(self, prediction: Array, target: Array) -> tuple[Array, Array]:
        """The loss of each row, and its gradient.

        Parameters
        ----------
        prediction, target : array of shape (rows, outputs)
            The predictions and the targets.

        Returns
        -------
        value : array of shape (rows,)
            The loss of each row.
        gradient : array of shape (rows, outputs)
            ∂value/∂prediction for each row.
        """
        from cynn.engine.loss_kernel import LossKernel

        return LossKernel(self, use_kernel=True).value_and_gradient(prediction, target)

    #: The open interval of valid predictions. The last activation must stay in it, and the conformance kit draws its
    #: predictions from it. May be a property that depends on hyperparameters.
    prediction_range: tuple[float, float] = attribute((-np.inf, np.inf))

    #: For metrics: an output above this threshold means class 1, or that a label is set. It is 0 for margins and other
    #: scores whose sign decides. None: half-way between the two targets, 0.5 for 0 and 1, and 0 for -1 and 1. May be a
    #: property that depends on hyperparameters.
    decision_threshold: float | None = attribute(None)

    def check_target(self, target: Array) -> None:
        """Raise a `DataError` that names the first row whose target is invalid for this loss.

        Parameters
        ----------
        target : array of shape (rows, outputs)
            The targets, as the user gave them.
        """


class MeanSquaredError(Loss):
    """C = mean over the outputs of (prediction - target)².

    Nielsen's quadratic cost ½‖a - y‖² is this times outputs / 2. His learning rate η corresponds to η * outputs / 2
    here.

    Source: Nielsen, "Neural networks and deep learning", 2015, chapter 1.

    Examples
    --------
    >>> import numpy as np
    >>> from cynn.losses import MeanSquaredError
    >>> prediction, target = np.array([[1.0, 2.0]]), np.array([[0.0, 0.0]])
    >>> MeanSquaredError().value_and_gradient(prediction, target)
    (array([2.5]), array([[1., 2.]]))
    """

    name = "mean_squared_error"
    aliases = ("mse",)
    kernel = kernels.losses.KERNELS["mean_squared_error"]


class MeanAbsoluteError(Loss):
    """C = mean over the outputs of ``|prediction - target|``.

    Examples
    --------
    >>> import numpy as np
    >>> from cynn.losses import MeanAbsoluteError
    >>> prediction, target = np.array([[1.0, 2.0]]), np.array([[0.0, 0.0]])
    >>> MeanAbsoluteError().value_and_gradient(prediction, target)
    (array([1.5]), array([[0.5, 0.5]]))
    """

    name = "mean_absolute_error"
    aliases = ("mae",)
    kernel = kernels.losses.KERNELS["mean_absolute_error"]


class BinaryCrossEntropy(Loss):
    """C = mean over the outputs of -(t log p + (1 - t) log(1 - p)), with targets t in [0, 1].

    After a sigmoid it is computed from z, as ``max(z, 0) - z t + log(1 + exp(-|z|))``, which is accurate for any z.
    After other activations, C continues along its tangent for p below 1e-7 and above 1 - 1e-7.

    Source: Nielsen, "Neural networks and deep learning", 2015, chapter 3.

    Examples
    --------
    >>> import numpy as np
    >>> from cynn.losses import BinaryCrossEntropy
    >>> loss = BinaryCrossEntropy()
    >>> prediction, target = np.array([[0.5]]), np.array([[1.0]])
    >>> value, gradient = loss.value_and_gradient(prediction, target)
    >>> value.round(4), gradient
    (array([0.6931]), array([[-2.]]))
    """

    name = "binary_cross_entropy"
    prediction_range = (0.0, 1.0)
    aliases = ("binary_crossentropy",)
    kernel = kernels.losses.KERNELS["binary_cross_entropy"]

    def check_target(self, target: Array) -> None:
        outside = (target < 0) | (target > 1)
        if outside.any():
            row = int(np.argwhere(outside)[0][0])
            raise DataError(
                "The targets of binary_cross_entropy must lie between 0 and 1. "
                f"Got {target[row][outside[row]][0]:g} in row {row} instead."
            )


class CrossEntropy(Loss):
    """C = -Σ_j t_j log p_j, with a target that is a class or a row of probabilities.

    After a softmax it is computed from z, as log Σ_j exp(z_j) - z_class, which is accurate for any z. After other
    activations, C continues along its tangent for p below 1e-7.

    Targets are not normalized: a row with the sum s counts s times as much as a row of probabilities. For targets >= 0,
    the loss is `kl_divergence` plus the entropy of the targets, -Σ_j t_j log t_j.

    With `label_smoothing` ε and k outputs, t is replaced by (1 - ε) t + ε / k, in `evaluate` too (Szegedy et al.,
    "Rethinking the Inception architecture for computer vision", 2016, section 7).

    Source: Goodfellow, Bengio and Courville, "Deep learning", 2016, section 6.2.2.3.

    Examples
    --------
    >>> import numpy as np
    >>> from cynn.losses import CrossEntropy
    >>> loss = CrossEntropy()
    >>> prediction = np.array([[0.25, 0.75]])
    >>> target = np.array([[0.0, 1.0]])
    >>> value, gradient = loss.value_and_gradient(prediction, target)
    >>> value.round(4), gradient.round(4)
    (array([0.2877]), array([[-0.    , -1.3333]]))
    """

    name = "cross_entropy"
    prediction_range = (0.0, 1.0)
    aliases = ("categorical_crossentropy", "sparse_categorical_crossentropy")
    kernel = kernels.losses.KERNELS["cross_entropy"]
    label_smoothing: float = hyperparameter(
        default=0.0, minimum=0, below=1, doc="The share of a target that is spread over all classes."
    )

    def check_target(self, target: Array) -> None:
        negative = target < 0
        if negative.any():
            row = int(np.argwhere(negative)[0][0])
            raise DataError(
                "The targets of cross_entropy must be classes or rows of probabilities >= 0. "
                f"Got {target[row][negative[row]][0]:g} in row {row} instead."
            )


registry.declare(Loss, globals())
