"""The kernels of activations, losses and optimizers: checked ABI structs, with their hyperparameters.

They are callable on arrays, and ready for the engine.
"""

from array import array

import numpy as np

from cynn.errors import InvalidParameterError, PluginError, ShapeError

from cpython.pycapsule cimport PyCapsule_GetName, PyCapsule_GetPointer, PyCapsule_IsValid
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy, memset

from cynn.abi cimport (
    CYNN_ABI_MAJOR,
    CYNN_ABI_MINOR,
    CYNN_ACTIVATION_CAPSULE,
    CYNN_ACTIVATION_FLAGS,
    CYNN_ACTIVATION_SMALLEST_SIZE,
    CYNN_CLASS_INDEX,
    CYNN_IN_PLACE,
    CYNN_LOSS_CAPSULE,
    CYNN_LOSS_FLAGS,
    CYNN_LOSS_SMALLEST_SIZE,
    CYNN_MOST_SLOTS,
    CYNN_NEEDS_A,
    CYNN_NEEDS_Z,
    CYNN_OPTIMIZER_CAPSULE,
    CYNN_OPTIMIZER_FLAGS,
    CYNN_OPTIMIZER_SMALLEST_SIZE,
    CYNN_ROWWISE,
    cynn_abi_prefix,
    cynn_activation,
    cynn_loss,
    cynn_optimizer,
    floating,
)
from cynn.kernels.blas cimport faults, raise_faults_since

DTYPES = {"float32": np.float32, "float64": np.float64}


cdef int copy_struct(
    object component, object capsule, const char *capsule_name, uint64_t flags, size_t smallest, void *target,
    size_t size
) except -1:
    """Check the struct in a capsule and copy what this version knows of it: fields that it lacks are zero.

    smallest is the size up to the last required field, size is the size now.
    """
    cdef const cynn_abi_prefix *prefix
    if not PyCapsule_IsValid(capsule, capsule_name):
        raise PluginError(
            f"The kernel of {describe(component)} must be a capsule named {capsule_name.decode()!r}. "
            f"Got {describe_capsule(capsule)} instead: give the class the capsule of its own kind."
        )
    prefix = <const cynn_abi_prefix *>PyCapsule_GetPointer(capsule, capsule_name)
    if prefix.abi_major != CYNN_ABI_MAJOR:
        older = "the plugin" if prefix.abi_major < CYNN_ABI_MAJOR else "CyNN"
        raise PluginError(
            f"The kernel of {describe(component)} must be built for ABI {CYNN_ABI_MAJOR}.x. Got ABI "
            f"{prefix.abi_major}.{prefix.abi_minor} instead: upgrade {older}, and build the plugin again."
        )
    if prefix.struct_size < smallest:
        raise PluginError(
            f"The kernel of {describe(component)} must be a struct of at least {smallest} bytes (ABI "
            f"{CYNN_ABI_MAJOR}.{CYNN_ABI_MINOR}). Got {prefix.struct_size} bytes (ABI {prefix.abi_major}."
            f"{prefix.abi_minor}) instead: set struct_size to the sizeof the struct, "
            "and build the plugin again."
        )
    if prefix.flags & ~flags:
        raise PluginError(
            f"The flags of the kernel of {describe(component)} must be among {flags:#x}, those of ABI "
            f"{CYNN_ABI_MAJOR}.{CYNN_ABI_MINOR}. Got {prefix.flags:#x} (ABI {prefix.abi_major}."
            f"{prefix.abi_minor}) instead: upgrade CyNN, or build the plugin without the others."
        )
    memset(target, 0, size)
    memcpy(target, prefix, min(size, <size_t>prefix.struct_size))
    return 0


def known_bytes(component, capsule, str kind, size_t size):
    """The first bytes of the struct in a capsule, checked, as a CyNN copies it whose struct has that size.

    There are zeros where the plugin's is shorter. For tests of older and newer versions.

    Parameters
    ----------
    component : Component
        Whose kernel it is.
    capsule : capsule
        The kernel.
    kind : {"activation", "loss", "optimizer"}
        The kind of component.
    size : int
        The size of that CyNN's struct.

    Returns
    -------
    bytes
        The struct.
    """
    cdef bytearray target = bytearray(size)
    name, flags, smallest = {
        "activation": (CYNN_ACTIVATION_CAPSULE, CYNN_ACTIVATION_FLAGS, CYNN_ACTIVATION_SMALLEST_SIZE),
        "loss": (CYNN_LOSS_CAPSULE, CYNN_LOSS_FLAGS, CYNN_LOSS_SMALLEST_SIZE),
        "optimizer": (CYNN_OPTIMIZER_CAPSULE, CYNN_OPTIMIZER_FLAGS, CYNN_OPTIMIZER_SMALLEST_SIZE),
    }[kind]
    copy_struct(component, capsule, name, flags, smallest, <char *>target, size)
    return bytes(target)


cdef int check_offer(
    object component, str dtype, bint first, bint second, str first_name, str second_name
) except -1:
    """Raise a PluginError where one of two functions that belong together is NULL."""
    if first != second:
        present, missing = (first_name, second_name) if first else (second_name, first_name)
        suffix = "f32" if dtype == "float32" else "f64"
        raise PluginError(
            f"The kernel of {describe(component)} must offer {dtype} whole. Got {present}_{suffix} with a "
            f"NULL {missing}_{suffix} instead: set both, or neither."
        )
    return 0


cdef object nothing_offered(object component, str functions):
    return PluginError(
        f"The kernel of {describe(component)} must offer float32, float64 or both. Got NULL for all of "
        f"{functions} instead: set them before the capsule is made."
    )


def describe(component):
    """The component and where its class comes from, for messages.

    Parameters
    ----------
    component : Component
        Of any kind.

    Returns
    -------
    str
        Such as `the activation 'relu' of cynn-nn 1.0`.
    """
    from cynn import registry

    cls = type(component)
    distribution, version = getattr(registry, registry._plural(component.kind)).origin(cls)
    return f"the {component.kind} {component.name!r} of {distribution} {version}"


def raise_plugin_error(component, error):
    """Raise a PluginError from what a Python method of a component has raised; an interrupt stays one.

    Parameters
    ----------
    component : Component
        Whose method it was.
    error : BaseException
        What it raised.
    """
    if not isinstance(error, Exception):
        raise error
    raise PluginError(
        f"{describe(component)} must run without an error. It raised {type(error).__name__}: {error}"
    ) from error


def checked_loss(component, prediction, target):
    """What a loss with Python methods returns, once its shapes have been checked.

    Parameters
    ----------
    component : Loss
        One with Python methods.
    prediction, target : array of shape (rows, outputs)
        What it is given.

    Returns
    -------
    value : array of shape (rows,)
        The loss of each row.
    gradient : array of shape (rows, outputs)
        Of each row's loss, for its prediction.
    """
    value, gradient = component.value_and_gradient(prediction, target)
    if np.shape(value) != prediction.shape[:1] or np.shape(gradient) != prediction.shape:
        raise ValueError(
            f"value_and_gradient must return arrays of shapes {prediction.shape[:1]} and {prediction.shape}. "
            f"Got {np.shape(value)} and {np.shape(gradient)} instead."
        )
    return value, gradient


cdef object describe_capsule(object capsule):
    if type(capsule).__name__ != "PyCapsule":
        return repr(capsule)
    cdef const char *name = PyCapsule_GetName(capsule)
    return "a capsule without a name" if name == NULL else f"a capsule named {name.decode()!r}"


cdef object missing_dtype(object component, str dtype):
    return PluginError(
        f"The dtype of a network with {describe(component)} must be one that its kernel has. "
        f"Got {dtype!r}, for which it has none."
    )


cdef object require_overridden(object component, type base, str method):
    if getattr(type(component), method) is getattr(base, method):
        raise PluginError(
            f"The class of {describe(component)} must have a compiled kernel or define {method}(). "
            "It has neither."
        )


cdef inline int check_pair(object first, object second, str first_name, str second_name) except -1:
    if first.shape != second.shape or first.dtype != second.dtype:
        raise ShapeError(
            f"{second_name} must have the shape and dtype of {first_name}, {first.shape} {first.dtype}. "
            f"Got {second.shape} {second.dtype} instead."
        )
    return 0


cdef object as_matrix(object array_like, str name):
    matrix = np.ascontiguousarray(array_like)
    if matrix.ndim != 2 or matrix.dtype not in (np.float32, np.float64):
        raise ShapeError(
            f"{name} must be a two-dimensional array of float32 or float64. "
            f"Got {matrix.ndim} dimensions of {matrix.dtype} instead."
        )
    return matrix


cdef forward_rows(ActivationKernel kernel, const floating[:, ::1] z, floating[:, ::1] a):
    cdef int64_t faults_before = faults()
    if floating is float:
        kernel.functions.forward_f32(kernel.h, z.shape[0], z.shape[1], &z[0, 0], &a[0, 0])
    else:
        kernel.functions.forward_f64(kernel.h, z.shape[0], z.shape[1], &z[0, 0], &a[0, 0])
    raise_faults_since(faults_before)


cdef backward_rows(
    ActivationKernel kernel, const floating[:, ::1] z, const floating[:, ::1] a, floating[:, ::1] grad
):
    cdef int64_t faults_before = faults()
    if floating is float:
        kernel.functions.backward_f32(kernel.h, z.shape[0], z.shape[1], &z[0, 0], &a[0, 0], &grad[0, 0])
    else:
        kernel.functions.backward_f64(kernel.h, z.shape[0], z.shape[1], &z[0, 0], &a[0, 0], &grad[0, 0])
    raise_faults_since(faults_before)


cdef loss_of_each_row(
    LossKernel kernel, bint fused, const floating[:, ::1] prediction, const floating[:, ::1] target,
    floating[::1] value, floating[:, ::1] gradient
):
    cdef int64_t row, faults_before = faults()
    for row in range(prediction.shape[0]):
        value[row] = <floating>loss_of_rows(
            &kernel.functions, kernel.h, fused, 1, prediction.shape[1], &prediction[row, 0], &target[row, 0],
            NULL, <const floating *>NULL, &gradient[row, 0]
        )
    raise_faults_since(faults_before)


cdef double total_loss(
    LossKernel kernel, bint fused, const floating[:, ::1] prediction, const floating[:, ::1] target,
    const int64_t[::1] classes, const floating[::1] sample_weight
) except? -1:
    cdef const floating *target_address = NULL
    cdef const int64_t *class_address = NULL
    cdef const floating *weight_address = NULL
    cdef int64_t faults_before = faults()
    cdef double total
    if target is not None:
        target_address = &target[0, 0]
    if classes is not None:
        class_address = &classes[0]
    if sample_weight is not None:
        weight_address = &sample_weight[0]
    with nogil:
        total = loss_of_rows(
            &kernel.functions, kernel.h, fused, prediction.shape[0], prediction.shape[1], &prediction[0, 0],
            target_address, class_address, weight_address, <floating *>NULL
        )
    raise_faults_since(faults_before)
    return total


cdef step_on_matrix(
    OptimizerKernel kernel, floating[:, ::1] w, floating[:, ::1] grad, list slots, double learning_rate,
    int64_t t
):
    cdef floating *addresses[CYNN_MOST_SLOTS]
    cdef floating[:, ::1] slot
    cdef int64_t faults_before = faults()
    cdef int i
    for i in range(kernel.n_slots):
        slot = slots[i]
        addresses[i] = &slot[0, 0]
    step_on_piece(
        &kernel.functions, kernel.h, learning_rate, t, w.shape[0], w.shape[1], &w[0, 0], &grad[0, 0],
        addresses
    )
    raise_faults_since(faults_before)


cdef class KernelObject:
    """What the kernels of all kinds have in common.

    Parameters
    ----------
    component : Component
        Whose functions these are.
    use_kernel : bool
        Whether methods that a subclass of a compiled class overrides are passed over.

    Attributes
    ----------
    is_python : bool
        Whether its methods work on NumPy arrays; there are no functions then.
    values : array
        The hyperparameters as the functions receive them.
    """

    def __init__(self, component, *, bint use_kernel=False):
        self.component = component
        self.is_python = not (use_kernel and component.kernel is not None or component.is_compiled())
        self.values = array("d", component.kernel_values())
        if len(self.values):
            self.held = self.values  # which thereby keeps its size
            self.h = &self.held[0]


cdef class ActivationKernel(KernelObject):
    """The functions of an activation."""

    def __init__(self, component, *, bint use_kernel=False):
        super().__init__(component, use_kernel=use_kernel)
        if self.is_python:
            from cynn.activations import Activation

            require_overridden(component, Activation, "forward")
            require_overridden(component, Activation, "backward")
        else:
            copy_struct(
                component, component.kernel, CYNN_ACTIVATION_CAPSULE, CYNN_ACTIVATION_FLAGS,
                CYNN_ACTIVATION_SMALLEST_SIZE, &self.functions, sizeof(cynn_activation)
            )
            self.check_functions()

    cdef int check_functions(self) except -1:
        cdef cynn_activation *functions = &self.functions
        check_offer(
            self.component, "float32", functions.forward_f32 != NULL, functions.backward_f32 != NULL,
            "forward", "backward"
        )
        check_offer(
            self.component, "float64", functions.forward_f64 != NULL, functions.backward_f64 != NULL,
            "forward", "backward"
        )
        if functions.forward_f32 == NULL and functions.forward_f64 == NULL:
            raise nothing_offered(self.component, "forward and backward")
        if functions.flags & CYNN_IN_PLACE and functions.flags & CYNN_NEEDS_Z:
            raise PluginError(
                f"The flags of the kernel of {describe(self.component)} must not have CYNN_IN_PLACE and "
                "CYNN_NEEDS_Z together. Got both: z is lost where a takes its place, so drop CYNN_IN_PLACE."
            )
        return 0

    @property
    def in_place(self):
        """Whether a may take the place of z."""
        return not self.is_python and (self.functions.flags & CYNN_IN_PLACE) != 0

    @property
    def is_rowwise(self):
        """Whether an element of a depends on its whole row of z."""
        return not self.is_python and (self.functions.flags & CYNN_ROWWISE) != 0

    @property
    def needs_a(self):
        """Whether backward reads a."""
        return self.is_python or (self.functions.flags & CYNN_NEEDS_A) != 0

    @property
    def needs_z(self):
        """Whether backward reads z."""
        return self.is_python or (self.functions.flags & CYNN_NEEDS_Z) != 0

    def require_dtype(self, str dtype):
        """Raise a PluginError unless there are kernels for that dtype.

        Parameters
        ----------
        dtype : {"float32", "float64"}
            That of a network.
        """
        if self.is_python:
            return
        if dtype == "float32":
            offered = self.functions.forward_f32 != NULL and self.functions.backward_f32 != NULL
        else:
            offered = self.functions.forward_f64 != NULL and self.functions.backward_f64 != NULL
        if not offered:
            raise missing_dtype(self.component, dtype)

    def forward(self, z):
        """a = f(z), for an array of two dimensions.

        Parameters
        ----------
        z : array of shape (rows, units)
            float32 or float64.

        Returns
        -------
        array
            a, of the same shape and dtype.
        """
        z = as_matrix(z, "z")
        if self.is_python:
            return self.component.forward(z)
        self.require_dtype(z.dtype.name)
        a = np.empty_like(z)
        if z.size and z.dtype == np.float32:
            forward_rows[float](self, z, a)
        elif z.size:
            forward_rows[double](self, z, a)
        return a

    def backward(self, z, a, grad):
        """dC/dz from dC/da.

        Parameters
        ----------
        z, a : array of shape (rows, units)
            What went in, and what came out.
        grad : array of shape (rows, units)
            dC/da, which is left as it is.

        Returns
        -------
        array
            dC/dz, of the same shape and dtype.
        """
        z, a, grad = as_matrix(z, "z"), as_matrix(a, "a"), as_matrix(grad, "grad").copy()
        check_pair(z, a, "z", "a")
        check_pair(z, grad, "z", "grad")
        if self.is_python:
            return self.component.backward(z, a, grad)
        self.require_dtype(z.dtype.name)
        if z.size and z.dtype == np.float32:
            backward_rows[float](self, z, a, grad)
        elif z.size:
            backward_rows[double](self, z, a, grad)
        return grad


cdef class LossKernel(KernelObject):
    """The functions of a loss."""

    def __init__(self, component, *, bint use_kernel=False):
        super().__init__(component, use_kernel=use_kernel)
        if self.is_python:
            from cynn.losses import Loss

            require_overridden(component, Loss, "value_and_gradient")
        else:
            copy_struct(
                component, component.kernel, CYNN_LOSS_CAPSULE, CYNN_LOSS_FLAGS, CYNN_LOSS_SMALLEST_SIZE,
                &self.functions, sizeof(cynn_loss)
            )
            self.check_functions()

    cdef int check_functions(self) except -1:
        cdef cynn_loss *functions = &self.functions
        cdef bint f32 = functions.value_and_gradient_f32 != NULL
        cdef bint f64 = functions.value_and_gradient_f64 != NULL
        if not f32 and not f64:
            raise nothing_offered(self.component, "value_and_gradient")
        if functions.fuses_with != NULL:
            check_offer(
                self.component, "float32", f32, functions.fused_value_and_gradient_f32 != NULL,
                "value_and_gradient", "fused_value_and_gradient"
            )
            check_offer(
                self.component, "float64", f64, functions.fused_value_and_gradient_f64 != NULL,
                "value_and_gradient", "fused_value_and_gradient"
            )
        return 0

    def require_dtype(self, str dtype):
        """Raise a PluginError unless there is a kernel for that dtype.

        Parameters
        ----------
        dtype : {"float32", "float64"}
            That of a network.
        """
        if self.is_python:
            return
        if dtype == "float32":
            offered = self.functions.value_and_gradient_f32 != NULL
        else:
            offered = self.functions.value_and_gradient_f64 != NULL
        if not offered:
            raise missing_dtype(self.component, dtype)

    @property
    def fuses_with(self):
        """The name of the activation behind which this loss is computed from z, or None."""
        if self.is_python or self.functions.fuses_with == NULL:
            return None
        return self.functions.fuses_with.decode()

    def fuses_behind(self, ActivationKernel activation):
        """Whether this loss is computed from what the last activation (None: the identity) would take.

        Parameters
        ----------
        activation : ActivationKernel or None
            The last of a network.

        Returns
        -------
        bool
            Whether it is given z.
        """
        if self.fuses_with is None:
            return False
        if activation is None:
            return self.fuses_with == "identity"
        return not activation.is_python and self.fuses_with == activation.component.name

    def value_and_gradient(self, prediction, target, *, fused=False):
        """The loss of each row and its gradient; with `fused`, prediction is z.

        Parameters
        ----------
        prediction, target : array of shape (rows, outputs)
            float32 or float64, both alike.
        fused : bool
            Whether prediction is z of the activation that `fuses_with` names.

        Returns
        -------
        value : array of shape (rows,)
            The loss of each row.
        gradient : array of shape (rows, outputs)
            Of each row's loss, for its prediction.
        """
        prediction, target = as_matrix(prediction, "prediction"), as_matrix(target, "target")
        check_pair(prediction, target, "prediction", "target")
        if self.is_python:
            return self.component.value_and_gradient(prediction, target)
        self.require_dtype(prediction.dtype.name)
        if fused and self.fuses_with is None:
            raise InvalidParameterError(
                f"fused must be False for {describe(self.component)}, which fuses with no activation. "
                "Got True instead."
            )
        value, gradient = np.zeros(prediction.shape[0], prediction.dtype), np.empty_like(prediction)
        if prediction.size and prediction.dtype == np.float32:
            loss_of_each_row[float](self, fused, prediction, target, value, gradient)
        elif prediction.size:
            loss_of_each_row[double](self, fused, prediction, target, value, gradient)
        return value, gradient

    def total(self, prediction, target, classes, sample_weight, bint fused):
        """The sum over rows of weight * loss; with `fused`, prediction is z.

        Exactly one of target (rows, outputs) and classes (rows,) is given.

        Parameters
        ----------
        prediction : array of shape (rows, outputs)
            Predictions, or z.
        target : array of shape (rows, outputs) or None
            Values.
        classes : int64 array of shape (rows,) or None
            The class of each row.
        sample_weight : array of shape (rows,) or None
            How much each row counts.
        fused : bool
            Whether prediction is z.

        Returns
        -------
        float
            The sum.
        """
        rows, outputs = prediction.shape
        if classes is not None and (self.is_python or not self.functions.flags & CYNN_CLASS_INDEX):
            target = np.zeros((rows, outputs), prediction.dtype)
            target[np.arange(rows), classes] = 1
            classes = None
        if target is not None:
            target = np.ascontiguousarray(target, dtype=prediction.dtype)
        if sample_weight is not None:
            sample_weight = np.ascontiguousarray(sample_weight, dtype=prediction.dtype)
        if self.is_python:
            try:
                value, _ = checked_loss(self.component, prediction, target)
            except Exception as error:
                raise_plugin_error(self.component, error)
            weight = 1 if sample_weight is None else sample_weight
            return float(np.sum(np.asarray(value, np.float64) * weight))
        if prediction.dtype == np.float32:
            return total_loss[float](self, fused, prediction, target, classes, sample_weight)
        return total_loss[double](self, fused, prediction, target, classes, sample_weight)


cdef class OptimizerKernel(KernelObject):
    """The functions of an optimizer.

    Attributes
    ----------
    n_slots : int
        How many arrays it remembers for each parameter.
    """

    def __init__(self, component, *, bint use_kernel=False):
        super().__init__(component, use_kernel=use_kernel)
        if self.is_python:
            from cynn.optimizers import Optimizer

            require_overridden(component, Optimizer, "step")
            n_slots = component.n_slots
        else:
            copy_struct(
                component, component.kernel, CYNN_OPTIMIZER_CAPSULE, CYNN_OPTIMIZER_FLAGS,
                CYNN_OPTIMIZER_SMALLEST_SIZE, &self.functions, sizeof(cynn_optimizer)
            )
            if self.functions.step_f32 == NULL and self.functions.step_f64 == NULL:
                raise nothing_offered(component, "step")
            n_slots = self.functions.n_slots
        if not isinstance(n_slots, int) or not 0 <= n_slots <= CYNN_MOST_SLOTS:
            raise PluginError(
                f"The n_slots of {describe(component)} must be a whole number from 0 to {CYNN_MOST_SLOTS}. "
                f"Got {n_slots!r} instead."
            )
        self.n_slots = n_slots

    def require_dtype(self, str dtype):
        """Raise a PluginError unless there is a kernel for that dtype.

        Parameters
        ----------
        dtype : {"float32", "float64"}
            That of a network.
        """
        if self.is_python:
            return
        offered = self.functions.step_f32 != NULL if dtype == "float32" else self.functions.step_f64 != NULL
        if not offered:
            raise missing_dtype(self.component, dtype)

    def step(self, w, grad, slots, double learning_rate, int64_t t):
        """Move w, a C-contiguous matrix, and the slots, in place.

        Parameters
        ----------
        w, grad : array of shape (rows, columns)
            The parameter and its gradient.
        slots : list of array
            As many as `n_slots`, of the same shape.
        learning_rate : float
            How far to go.
        t : int
            The number of the step, from 1.
        """
        for array_, name in [(w, "w"), (grad, "grad"), *((slot, "a slot") for slot in slots)]:
            if not array_.flags.c_contiguous or not array_.flags.writeable or array_.ndim != 2:
                raise ShapeError(
                    f"{name} must be a writeable, C-contiguous matrix. Got {array_.flags} instead."
                )
            check_pair(w, array_, "w", name)
        if len(slots) != self.n_slots:
            raise ShapeError(f"slots must be {self.n_slots} arrays. Got {len(slots)} instead.")
        if self.is_python:
            self.component.step(w, grad, slots, learning_rate, t)
            return
        self.require_dtype(w.dtype.name)
        if w.size and w.dtype == np.float32:
            step_on_matrix[float](self, w, grad, slots, learning_rate, t)
        elif w.size:
            step_on_matrix[double](self, w, grad, slots, learning_rate, t)
