"""The kernels of an activation, a loss or an optimizer: ABI structs that have been checked, with
their hyperparameters, callable on arrays and ready for the engine.
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
    CYNN_CLASS_INDEX,
    CYNN_LOSS_CAPSULE,
    CYNN_LOSS_FLAGS,
    CYNN_OPTIMIZER_CAPSULE,
    CYNN_OPTIMIZER_FLAGS,
    cynn_abi_prefix,
    cynn_activation,
    cynn_loss,
    cynn_optimizer,
    floating,
)

# Slots of one optimizer, so that the engine can keep their addresses on the stack.
LARGEST_N_SLOTS = 16

DTYPES = {"float32": np.float32, "float64": np.float64}


cdef int copy_struct(
    object component, const char *capsule_name, void *target, size_t size, uint64_t flags
) except -1:
    """Check the struct in the component's capsule and copy what this version knows of it."""
    cdef object capsule = component.kernel
    cdef const cynn_abi_prefix *prefix
    if not PyCapsule_IsValid(capsule, capsule_name):
        raise PluginError(
            f"The kernel of {describe(component)} must be a capsule named {capsule_name.decode()!r}. "
            f"Got {describe_capsule(capsule)} instead."
        )
    prefix = <const cynn_abi_prefix *>PyCapsule_GetPointer(capsule, capsule_name)
    if prefix.abi_major != CYNN_ABI_MAJOR:
        older = "the plugin" if prefix.abi_major < CYNN_ABI_MAJOR else "CyNN"
        raise PluginError(
            f"The kernel of {describe(component)} must be built for ABI {CYNN_ABI_MAJOR}.x. Got ABI "
            f"{prefix.abi_major}.{prefix.abi_minor} instead: upgrade {older}, and build the plugin again."
        )
    if prefix.struct_size < size:
        # all fields up to now belong to version 1.0: a shorter struct lacks some that it must have
        raise PluginError(
            f"The kernel of {describe(component)} must be a struct of at least {size} bytes (ABI "
            f"{CYNN_ABI_MAJOR}.{CYNN_ABI_MINOR}). Got {prefix.struct_size} bytes (ABI {prefix.abi_major}."
            f"{prefix.abi_minor}) instead: build the plugin again."
        )
    if prefix.flags & ~flags:
        raise PluginError(
            f"The flags of the kernel of {describe(component)} must be among {flags:#x}. Got "
            f"{prefix.flags:#x} instead: upgrade CyNN, or build the plugin for ABI "
            f"{CYNN_ABI_MAJOR}.{CYNN_ABI_MINOR}."
        )
    memset(target, 0, size)
    memcpy(target, prefix, size)
    return 0


def describe(component):
    """The component and where its class comes from, for messages."""
    from cynn import registry

    cls = type(component)
    distribution, version = getattr(registry, registry._plural(component.kind)).origin(cls)
    return f"the {component.kind} {component.name!r} of {distribution} {version}"


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
    if floating is float:
        kernel.functions.forward_f32(kernel.h, z.shape[0], z.shape[1], &z[0, 0], &a[0, 0])
    else:
        kernel.functions.forward_f64(kernel.h, z.shape[0], z.shape[1], &z[0, 0], &a[0, 0])


cdef backward_rows(
    ActivationKernel kernel, const floating[:, ::1] z, const floating[:, ::1] a, floating[:, ::1] grad
):
    if floating is float:
        kernel.functions.backward_f32(kernel.h, z.shape[0], z.shape[1], &z[0, 0], &a[0, 0], &grad[0, 0])
    else:
        kernel.functions.backward_f64(kernel.h, z.shape[0], z.shape[1], &z[0, 0], &a[0, 0], &grad[0, 0])


cdef loss_of_each_row(
    LossKernel kernel, bint fused, const floating[:, ::1] prediction, const floating[:, ::1] target,
    floating[::1] value, floating[:, ::1] gradient
):
    cdef int64_t row
    for row in range(prediction.shape[0]):
        value[row] = <floating>loss_of_rows(
            &kernel.functions, kernel.h, fused, 1, prediction.shape[1], &prediction[row, 0], &target[row, 0],
            NULL, <const floating *>NULL, &gradient[row, 0]
        )


cdef double total_loss(
    LossKernel kernel, bint fused, const floating[:, ::1] prediction, const floating[:, ::1] target,
    const int64_t[::1] classes, const floating[::1] sample_weight
):
    cdef const floating *target_address = NULL
    cdef const int64_t *class_address = NULL
    cdef const floating *weight_address = NULL
    if target is not None:
        target_address = &target[0, 0]
    if classes is not None:
        class_address = &classes[0]
    if sample_weight is not None:
        weight_address = &sample_weight[0]
    with nogil:
        return loss_of_rows(
            &kernel.functions, kernel.h, fused, prediction.shape[0], prediction.shape[1], &prediction[0, 0],
            target_address, class_address, weight_address, <floating *>NULL
        )


cdef step_on_matrix(
    OptimizerKernel kernel, floating[:, ::1] w, floating[:, ::1] grad, list slots, double learning_rate,
    int64_t t
):
    cdef floating *addresses[16]
    cdef floating[:, ::1] slot
    cdef int i
    for i in range(kernel.n_slots):
        slot = slots[i]
        addresses[i] = &slot[0, 0]
    step_on_piece(
        &kernel.functions, kernel.h, learning_rate, t, w.shape[0], w.shape[1], &w[0, 0], &grad[0, 0],
        addresses
    )


cdef class KernelObject:
    def __init__(self, component):
        self.component = component
        self.is_python = component.kernel is None
        self.values = array("d", component.kernel_values())
        cdef double[::1] view
        if len(self.values):
            view = self.values
            self.h = &view[0]


cdef class ActivationKernel(KernelObject):
    """The functions of an activation."""

    def __init__(self, component):
        super().__init__(component)
        if self.is_python:
            from cynn.activations import Activation

            require_overridden(component, Activation, "forward")
            require_overridden(component, Activation, "backward")
        else:
            copy_struct(
                component, CYNN_ACTIVATION_CAPSULE, &self.functions, sizeof(cynn_activation),
                CYNN_ACTIVATION_FLAGS
            )

    def require_dtype(self, str dtype):
        """Raise a PluginError unless there are kernels for that dtype."""
        if self.is_python:
            return
        if dtype == "float32":
            offered = self.functions.forward_f32 != NULL and self.functions.backward_f32 != NULL
        else:
            offered = self.functions.forward_f64 != NULL and self.functions.backward_f64 != NULL
        if not offered:
            raise missing_dtype(self.component, dtype)

    def forward(self, z):
        """a = f(z), for an array of two dimensions."""
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
        """dC/dz from dC/da."""
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

    def __init__(self, component):
        super().__init__(component)
        if self.is_python:
            from cynn.losses import Loss

            require_overridden(component, Loss, "value_and_gradient")
        else:
            copy_struct(component, CYNN_LOSS_CAPSULE, &self.functions, sizeof(cynn_loss), CYNN_LOSS_FLAGS)

    def require_dtype(self, str dtype):
        """Raise a PluginError unless there is a kernel for that dtype."""
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

    def value_and_gradient(self, prediction, target, *, fused=False):
        """The loss of each row and its gradient; with `fused`, prediction is z."""
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
            value, _ = self.component.value_and_gradient(prediction, target)
            weight = 1 if sample_weight is None else sample_weight
            return float(np.sum(np.asarray(value, np.float64) * weight))
        if prediction.dtype == np.float32:
            return total_loss[float](self, fused, prediction, target, classes, sample_weight)
        return total_loss[double](self, fused, prediction, target, classes, sample_weight)


cdef class OptimizerKernel(KernelObject):
    """The functions of an optimizer."""

    def __init__(self, component):
        super().__init__(component)
        if self.is_python:
            from cynn.optimizers import Optimizer

            require_overridden(component, Optimizer, "step")
            self.n_slots = component.n_slots
        else:
            copy_struct(
                component, CYNN_OPTIMIZER_CAPSULE, &self.functions, sizeof(cynn_optimizer),
                CYNN_OPTIMIZER_FLAGS
            )
            self.n_slots = <int>self.functions.n_slots
        if not 0 <= self.n_slots <= LARGEST_N_SLOTS:
            raise PluginError(
                f"The n_slots of {describe(component)} must lie between 0 and {LARGEST_N_SLOTS}. "
                f"Got {self.n_slots} instead."
            )

    def require_dtype(self, str dtype):
        """Raise a PluginError unless there is a kernel for that dtype."""
        if self.is_python:
            return
        offered = self.functions.step_f32 != NULL if dtype == "float32" else self.functions.step_f64 != NULL
        if not offered:
            raise missing_dtype(self.component, dtype)

    def step(self, w, grad, slots, double learning_rate, int64_t t):
        """Move w, a C-contiguous matrix, and the slots, in place."""
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
