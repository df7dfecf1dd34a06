"""Makes kernels from the addresses of compiled functions: see `Activation.from_addresses`."""

import ctypes

from cynn.errors import InvalidParameterError, unknown_name

from cpython.mem cimport PyMem_Calloc, PyMem_Free
from cpython.pycapsule cimport (
    PyCapsule_GetContext,
    PyCapsule_GetName,
    PyCapsule_GetPointer,
    PyCapsule_New,
    PyCapsule_SetContext,
)
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stddef cimport size_t
from libc.stdint cimport uint32_t, uint64_t, uintptr_t
from libc.string cimport memcpy, memset

from cynn.abi cimport (
    CYNN_ABI_MAJOR,
    CYNN_ABI_MINOR,
    CYNN_ACTIVATION_CAPSULE,
    CYNN_AFFINE_IN_X,
    CYNN_CLASS_INDEX,
    CYNN_DIVISIBLE,
    CYNN_ELEMENTWISE,
    CYNN_GRADIENT_IN_PLACE,
    CYNN_IN_PLACE,
    CYNN_LOSS_CAPSULE,
    CYNN_NEEDS_A,
    CYNN_NEEDS_OUT,
    CYNN_NEEDS_Z,
    CYNN_ONLY_TRAINING,
    CYNN_OPERATION_CAPSULE,
    CYNN_OPTIMIZER_CAPSULE,
    CYNN_PREFETCHES,
    CYNN_PROPAGATES_NONFINITE,
    CYNN_ROWWISE,
    cynn_abi_prefix,
    cynn_activation,
    cynn_loss,
    cynn_operation,
    cynn_optimizer,
)

cdef list OPERATION_FUNCTIONS = [
    f"{name}_{suffix}"
    for name in (
        "forward", "backward", "gradient", "forward_columns", "backward_columns", "linear_step", "update_states", "jvp",
        "backward_jvp", "gradient_jvp"
    )
    for suffix in ("f32", "f64")
]


def activation_kernel(functions, *, bint needs_z, bint needs_a, bint rowwise, bint in_place):
    """The capsule of an activation; `functions` maps the names in `cynn_activation` to addresses."""
    cdef cynn_activation kernel
    cdef uint64_t flags = (
        CYNN_NEEDS_Z * needs_z | CYNN_NEEDS_A * needs_a | CYNN_ROWWISE * rowwise | CYNN_IN_PLACE * in_place
    )
    memset(&kernel, 0, sizeof(kernel))
    write_prefix(<cynn_abi_prefix *>&kernel, sizeof(kernel), flags)
    for name, value in functions.items():
        set_pointer(name, value, b"forward_f32", &kernel.forward_f32)
        set_pointer(name, value, b"backward_f32", &kernel.backward_f32)
        set_pointer(name, value, b"forward_f64", &kernel.forward_f64)
        set_pointer(name, value, b"backward_f64", &kernel.backward_f64)
        set_pointer(name, value, b"jvp_f32", &kernel.jvp_f32)
        set_pointer(name, value, b"jvp_f64", &kernel.jvp_f64)
        set_pointer(name, value, b"backward_jvp_f32", &kernel.backward_jvp_f32)
        set_pointer(name, value, b"backward_jvp_f64", &kernel.backward_jvp_f64)
    return owning_capsule(&kernel, sizeof(kernel), CYNN_ACTIVATION_CAPSULE, list(functions.values()))


def loss_kernel(functions, *, fuses_with, bint class_index):
    """The capsule of a loss; `functions` maps the names in `cynn_loss` to addresses."""
    cdef cynn_loss kernel
    cdef bytes name_of_activation = b"" if fuses_with is None else fuses_with.encode()
    memset(&kernel, 0, sizeof(kernel))
    write_prefix(<cynn_abi_prefix *>&kernel, sizeof(kernel), CYNN_CLASS_INDEX * class_index)
    if fuses_with is not None:
        kernel.fuses_with = name_of_activation
    for name, value in functions.items():
        set_pointer(name, value, b"value_and_gradient_f32", &kernel.value_and_gradient_f32)
        set_pointer(name, value, b"value_and_gradient_f64", &kernel.value_and_gradient_f64)
        set_pointer(
            name, value, b"fused_value_and_gradient_f32", &kernel.fused_value_and_gradient_f32
        )
        set_pointer(
            name, value, b"fused_value_and_gradient_f64", &kernel.fused_value_and_gradient_f64
        )
        set_pointer(name, value, b"backward_jvp_f32", &kernel.backward_jvp_f32)
        set_pointer(name, value, b"backward_jvp_f64", &kernel.backward_jvp_f64)
        set_pointer(name, value, b"fused_backward_jvp_f32", &kernel.fused_backward_jvp_f32)
        set_pointer(name, value, b"fused_backward_jvp_f64", &kernel.fused_backward_jvp_f64)
    return owning_capsule(
        &kernel, sizeof(kernel), CYNN_LOSS_CAPSULE, [name_of_activation, *functions.values()]
    )


def operation_kernel(
    functions, *, bint propagates_nonfinite, bint divisible, bint gradient_in_place, bint in_place, bint needs_out,
    bint only_training, bint prefetches, bint affine_in_x
):
    """The capsule of an operation; `functions` maps the names in `cynn_operation` to addresses."""
    cdef cynn_operation kernel
    cdef uint64_t flags = (
        CYNN_PROPAGATES_NONFINITE * propagates_nonfinite | CYNN_DIVISIBLE * divisible
        | CYNN_GRADIENT_IN_PLACE * gradient_in_place | CYNN_IN_PLACE * in_place | CYNN_NEEDS_OUT * needs_out
        | CYNN_ONLY_TRAINING * only_training | CYNN_PREFETCHES * prefetches
        | CYNN_AFFINE_IN_X * affine_in_x
    )
    memset(&kernel, 0, sizeof(kernel))
    write_prefix(<cynn_abi_prefix *>&kernel, sizeof(kernel), flags)
    for name, value in functions.items():
        if name not in OPERATION_FUNCTIONS:
            raise unknown_name("function of an operation", name, OPERATION_FUNCTIONS)
        set_pointer(name, value, b"forward_f32", &kernel.forward_f32)
        set_pointer(name, value, b"forward_f64", &kernel.forward_f64)
        set_pointer(name, value, b"backward_f32", &kernel.backward_f32)
        set_pointer(name, value, b"backward_f64", &kernel.backward_f64)
        set_pointer(name, value, b"gradient_f32", &kernel.gradient_f32)
        set_pointer(name, value, b"gradient_f64", &kernel.gradient_f64)
        set_pointer(name, value, b"forward_columns_f32", &kernel.forward_columns_f32)
        set_pointer(name, value, b"forward_columns_f64", &kernel.forward_columns_f64)
        set_pointer(name, value, b"backward_columns_f32", &kernel.backward_columns_f32)
        set_pointer(name, value, b"backward_columns_f64", &kernel.backward_columns_f64)
        set_pointer(name, value, b"linear_step_f32", &kernel.linear_step_f32)
        set_pointer(name, value, b"linear_step_f64", &kernel.linear_step_f64)
        set_pointer(name, value, b"update_states_f32", &kernel.update_states_f32)
        set_pointer(name, value, b"update_states_f64", &kernel.update_states_f64)
        set_pointer(name, value, b"jvp_f32", &kernel.jvp_f32)
        set_pointer(name, value, b"jvp_f64", &kernel.jvp_f64)
        set_pointer(name, value, b"backward_jvp_f32", &kernel.backward_jvp_f32)
        set_pointer(name, value, b"backward_jvp_f64", &kernel.backward_jvp_f64)
        set_pointer(name, value, b"gradient_jvp_f32", &kernel.gradient_jvp_f32)
        set_pointer(name, value, b"gradient_jvp_f64", &kernel.gradient_jvp_f64)
    return owning_capsule(&kernel, sizeof(kernel), CYNN_OPERATION_CAPSULE, list(functions.values()))


def optimizer_kernel(functions, *, n_slots, bint elementwise):
    """The capsule of an optimizer; `functions` maps the names in `cynn_optimizer` to addresses."""
    cdef cynn_optimizer kernel
    memset(&kernel, 0, sizeof(kernel))
    write_prefix(<cynn_abi_prefix *>&kernel, sizeof(kernel), CYNN_ELEMENTWISE * elementwise)
    kernel.n_slots = n_slots
    for name, value in functions.items():
        set_pointer(name, value, b"step_f32", &kernel.step_f32)
        set_pointer(name, value, b"step_f64", &kernel.step_f64)
        set_pointer(name, value, b"linear_step", &kernel.linear_step)
    return owning_capsule(&kernel, sizeof(kernel), CYNN_OPTIMIZER_CAPSULE, list(functions.values()))


cdef void write_prefix(cynn_abi_prefix *prefix, uint32_t struct_size, uint64_t flags) noexcept:
    prefix.abi_major = CYNN_ABI_MAJOR
    prefix.abi_minor = CYNN_ABI_MINOR
    prefix.struct_size = struct_size
    prefix.flags = flags


cdef int set_pointer(str name, object value, const char *field, void *pointer) except -1:
    """Write the address to that field of a struct, a function pointer, if the name is that of the field."""
    cdef uintptr_t address
    if name.encode() == field:
        address = address_of_function(name, value)
        memcpy(pointer, &address, sizeof(address))
    return 0


cdef object address_of_function(str name, object value):
    """The address of an integer, a Numba `cfunc` or a ctypes function; 0 for None."""
    if value is None:
        return 0
    address = getattr(value, "address", value)
    if isinstance(value, ctypes._CFuncPtr):
        address = ctypes.cast(value, ctypes.c_void_p).value
    if not isinstance(address, int) or isinstance(address, bool) or not 0 < address < 2**64:
        raise InvalidParameterError(
            f"The {name!r} parameter of from_addresses must be an address: an integer, a Numba cfunc, or a "
            f"function of ctypes. Got {value!r} instead."
        )
    return address


cdef object owning_capsule(const void *kernel, size_t size, const char *name, list alive):
    """A capsule that owns a copy of the struct, and keeps the objects in `alive` alive."""
    cdef void *copy = PyMem_Calloc(1, size)
    if copy == NULL:
        raise MemoryError
    memcpy(copy, kernel, size)
    capsule = PyCapsule_New(copy, name, free_struct)
    Py_INCREF(alive)
    PyCapsule_SetContext(capsule, <void *>alive)
    return capsule


cdef void free_struct(object capsule) noexcept:
    PyMem_Free(PyCapsule_GetPointer(capsule, PyCapsule_GetName(capsule)))
    Py_DECREF(<object>PyCapsule_GetContext(capsule))
