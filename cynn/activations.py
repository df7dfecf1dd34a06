"""Activations: functions a = f(z), applied to the weighted inputs z of a layer.

The built-in activations are compiled. A custom one is a subclass of `Activation`, either with methods over NumPy
arrays or with a compiled kernel.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from cynn import kernels, registry
from cynn.components.hyperparameters import Component, hyperparameter

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

__all__ = ["Activation", "Identity", "LeakyReLU", "ReLU", "Sigmoid", "Softmax", "Tanh"]


class Activation(Component):
    """The base class of activations.

    A subclass sets `name` and has one of

    - `kernel`, a capsule of the plugin ABI that holds a `cynn_activation`, made in Cython or C, or by
      `from_addresses`;
    - `forward(z)` and `backward(z, a, grad)`, methods over NumPy arrays, which the engine calls
      with the GIL on whole batches.

    Examples
    --------
    >>> import numpy as np
    >>> import cynn
    >>> class Cube(cynn.activations.Activation):
    ...     '''a = z³'''
    ...     name = "cube"
    ...     def forward(self, z):
    ...         return z**3
    ...     def backward(self, z, a, grad):
    ...         return grad * 3 * z**2
    >>> layers = [cynn.Input(2), cynn.Dense(1, activation=Cube())]
    >>> net = cynn.Network(layers, seed=0)
    >>> net.predict([[0.0, 0.0]])
    array([[0.]], dtype=float32)
    """

    kind = "activation"
    methods: ClassVar[tuple[str, ...]] = ("forward", "backward")
    #: The default initializer of the weights of a layer with this activation.
    initializer: ClassVar[str] = "glorot_uniform"
    #: The default loss of an output with this activation.
    default_loss: ClassVar[str] = "mean_squared_error"
    #: f for exports to other languages: a C expression of `z`, the hyperparameters, functions of math.h such as
    #: `exp(z)`, and functions of a row such as `row_max(z)`. Or a whole C function, for exports to C only:
    #: `real f(real z, ...)` of one number, or `void f(int n, const real *z, real *a, ...)` of a row.
    #: None: networks with this activation cannot be exported.
    c_source: ClassVar[str | None] = None
    #: A method `onnx_nodes(dtype, opset)` that yields NodeProto and TensorProto objects of onnx: the nodes that compute
    #: `a` from `z`, and their constants. Exports to ONNX use it instead of `c_source`.
    onnx_nodes: ClassVar[Any] = None
    #: The smallest useful number of units: with fewer, a is the same for every z. It is 2 for softmax and similar ones.
    min_units: ClassVar[int] = 1
    #: The open interval in which z must lie, such as (0, inf) for log(z). The conformance kit draws z from it.
    domain: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    #: Whether `backward` deliberately differs from the derivative of `forward`, as in straight-through estimators
    #: (Bengio, Léonard and Courville, "Estimating or propagating gradients through stochastic neurons for conditional
    #: computation", 2013). The conformance kit then does not compare it with finite differences.
    straight_through: ClassVar[bool] = False
    #: Of an activation in Python: a method `jvp(z, a, dz)` that returns da, the tangent of a where dz is that of z;
    #: elementwise, f′(z) dz. `net.jvp`, Hessians and training on derivatives need it. Compiled ones have it in their
    #: kernel.
    jvp: ClassVar[Any] = None
    #: Likewise `backward_jvp(z, a, grad, dz, da, dgrad)`, which returns the tangent of ∂C/∂z where dgrad is that of
    #: grad; elementwise, f′(z) dgrad + f″(z) dz grad. dgrad may be overwritten.
    backward_jvp: ClassVar[Any] = None

    def initializer_of(self, *, is_first: bool) -> Any:
        """The default initializer of the weights of a layer with this activation.

        Parameters
        ----------
        is_first : bool
            Whether no layer with weights comes before this layer.

        Returns
        -------
        str, Initializer or dict
            An initializer in any form that a layer accepts.
        """
        return self.initializer

    @property
    def is_rowwise(self) -> bool:
        """Whether an element of a depends on its whole row of z, as in softmax. False for Python methods."""
        from cynn.engine.activation_kernel import ActivationKernel

        return ActivationKernel(self).is_rowwise

    @staticmethod
    def from_addresses(
        *,
        forward_f32: Any = None,
        backward_f32: Any = None,
        forward_f64: Any = None,
        backward_f64: Any = None,
        jvp_f32: Any = None,
        jvp_f64: Any = None,
        backward_jvp_f32: Any = None,
        backward_jvp_f64: Any = None,
        needs_z: bool = False,
        needs_a: bool = False,
        rowwise: bool = False,
        in_place: bool = False,
    ) -> Any:
        """Make the `kernel` of a class from the addresses of compiled functions.

        The functions are those of `cynn_activation` in the header `cynn/abi.h`, with its rules: they
        run without the GIL, on any thread.

        Parameters
        ----------
        forward_f32, backward_f32, forward_f64, backward_f64 : int, Numba cfunc or ctypes function
            Addresses, or objects with an address, which are kept alive. A dtype without functions is not supported.
        jvp_f32, jvp_f64, backward_jvp_f32, backward_jvp_f64 : int, Numba cfunc or ctypes function, optional
            The directional derivatives, for `net.jvp`, Hessians and training on derivatives.
        needs_z, needs_a : bool
            Whether `backward` reads z or a.
        rowwise : bool
            Whether an element of a depends on its whole row of z.
        in_place : bool
            Whether `forward` may write a over z. Not allowed together with `needs_z`.

        Returns
        -------
        capsule
            The value for `kernel` in the body of a class.

        Examples
        --------
        This example uses the functions of a compiled class; `docs/examples/plugins/numba` makes them with Numba.

        >>> import cynn
        >>> from cynn.testing import abi
        >>> functions = abi.functions(cynn.activations.Tanh())
        >>> class SameTanh(cynn.activations.Activation):
        ...     name = "same_tanh"
        ...     kernel = cynn.activations.Activation.from_addresses(
        ...         **functions, needs_a=True
        ...     )
        >>> SameTanh()([-1e4, 0.0])
        array([-1.,  0.])
        """
        from cynn.plugins.addresses import activation_kernel

        functions = {
            "forward_f32": forward_f32,
            "backward_f32": backward_f32,
            "forward_f64": forward_f64,
            "backward_f64": backward_f64,
            "jvp_f32": jvp_f32,
            "jvp_f64": jvp_f64,
            "backward_jvp_f32": backward_jvp_f32,
            "backward_jvp_f64": backward_jvp_f64,
        }
        return activation_kernel(
            functions, needs_z=needs_z, needs_a=needs_a, rowwise=rowwise, in_place=in_place
        )

    def forward(self, z: Array) -> Array:
        """a = f(z).

        Parameters
        ----------
        z : array of shape (rows, units)
            The weighted inputs of the layer.

        Returns
        -------
        array
            a, of the same shape.
        """
        from cynn.engine.activation_kernel import ActivationKernel

        return ActivationKernel(self, use_kernel=True).forward(z)

    def backward(self, z: Array, a: Array, grad: Array) -> Array:
        """∂C/∂z from ∂C/∂a.

        Parameters
        ----------
        z, a : array of shape (rows, units)
            The input and the output of `forward`.
        grad : array of shape (rows, units)
            ∂C/∂a.

        Returns
        -------
        array of the same shape
            ∂C/∂z; for an elementwise f it is grad * f′(z).
        """
        from cynn.engine.activation_kernel import ActivationKernel

        return ActivationKernel(self, use_kernel=True).backward(z, a, grad)

    def __call__(self, z: npt.ArrayLike) -> Array:
        """f(z) for an array of any shape. The last axis holds the units of a row."""
        z = np.asarray(z)
        if z.dtype not in (np.float32, np.float64):
            z = z.astype(np.float64)
        rows = z.reshape(math.prod(z.shape[:-1]), z.shape[-1]) if z.ndim else z.reshape(1, 1)
        return self.forward(np.ascontiguousarray(rows)).reshape(z.shape)


class Identity(Activation):
    """a = z.

    Examples
    --------
    >>> from cynn.activations import Identity
    >>> Identity()([-1.0, 2.0])
    array([-1.,  2.])
    """

    name = "identity"
    aliases = ("linear",)
    c_source = "z"
    kernel = kernels.activations.KERNELS["identity"]


class Sigmoid(Activation):
    """a = σ(z) = 1 / (1 + exp(-z)), between 0 and 1; σ′ = a (1 - a).

    Source: Nielsen, "Neural networks and deep learning", 2015, chapter 1.

    Examples
    --------
    >>> from cynn.activations import Sigmoid
    >>> Sigmoid()([-1e4, 0.0, 1e4])
    array([0. , 0.5, 1. ])
    """

    name = "sigmoid"
    default_loss = "binary_cross_entropy"
    c_source = "1 / (1 + exp(-z))"
    kernel = kernels.activations.KERNELS["sigmoid"]


class Tanh(Activation):
    """a = tanh(z), between -1 and 1; its derivative is 1 - a².

    Source: LeCun, Bottou, Orr and Müller, "Efficient BackProp", 1998, section 4.4.

    Examples
    --------
    >>> from cynn.activations import Tanh
    >>> Tanh()([-1e4, 0.0, 1e4])
    array([-1.,  0.,  1.])
    """

    name = "tanh"
    c_source = "tanh(z)"
    kernel = kernels.activations.KERNELS["tanh"]


class ReLU(Activation):
    """a = max(z, 0): the rectified linear unit. The derivative at 0 is taken as 0.

    Source: Nair and Hinton, "Rectified linear units improve restricted Boltzmann machines", 2010.

    Examples
    --------
    >>> from cynn.activations import ReLU
    >>> ReLU()([-2.0, 0.0, 3.0])
    array([0., 0., 3.])
    """

    name = "relu"
    initializer = "he_uniform"
    c_source = "z < 0 ? 0 : z"
    kernel = kernels.activations.KERNELS["relu"]


class LeakyReLU(Activation):
    """a = z where z > 0, negative_slope * z elsewhere.

    Source: Maas, Hannun and Ng, "Rectifier nonlinearities improve neural network acoustic models",
    2013.

    Examples
    --------
    >>> from cynn.activations import LeakyReLU
    >>> LeakyReLU(negative_slope=0.1)([-2.0, 3.0])
    array([-0.2,  3. ])
    """

    name = "leaky_relu"
    initializer = "he_uniform"
    c_source = "z < 0 ? z * negative_slope : z"
    kernel = kernels.activations.KERNELS["leaky_relu"]
    negative_slope: float = hyperparameter(default=0.01, above=0, doc="The slope where z is negative.")


class Softmax(Activation):
    """a_j = exp(z_j) / Σ_k exp(z_k) over a row: positive numbers that sum to 1.

    The largest z of the row is subtracted first, so that nothing overflows.

    Source: Goodfellow, Bengio and Courville, "Deep learning", 2016, equation 6.29.

    Examples
    --------
    >>> from cynn.activations import Softmax
    >>> Softmax()([1e4, 1e4])
    array([0.5, 0.5])
    """

    name = "softmax"
    default_loss = "cross_entropy"
    min_units = 2
    c_source = "exp(z - row_max(z)) / row_sum(exp(z - row_max(z)))"
    kernel = kernels.activations.KERNELS["softmax"]


registry.declare(Activation, globals())
