"""Checks that the struct in the capsule of a part is valid for this ABI, and complete."""

from cynn.errors import PluginError

from cpython.pycapsule cimport PyCapsule_GetName, PyCapsule_GetPointer, PyCapsule_IsValid
from libc.stddef cimport size_t
from libc.stdint cimport uint64_t
from libc.string cimport memcpy, memset

from cynn.abi cimport (
    CYNN_ABI_MAJOR,
    CYNN_ABI_MINOR,
    CYNN_ACTIVATION_CAPSULE,
    CYNN_ACTIVATION_FLAGS,
    CYNN_ACTIVATION_SMALLEST_SIZE,
    CYNN_LOSS_CAPSULE,
    CYNN_LOSS_FLAGS,
    CYNN_LOSS_SMALLEST_SIZE,
    CYNN_OPERATION_CAPSULE,
    CYNN_OPERATION_FLAGS,
    CYNN_OPERATION_SMALLEST_SIZE,
    CYNN_OPTIMIZER_CAPSULE,
    CYNN_OPTIMIZER_FLAGS,
    CYNN_OPTIMIZER_SMALLEST_SIZE,
    cynn_abi_prefix,
)


cdef int copy_struct(
    object component, object capsule, const char *capsule_name, uint64_t flags, size_t smallest, void *target,
    size_t size
) except -1:
    """Check the struct in a capsule, and copy the fields that this version knows. Missing fields are zero.

    `smallest` is the size up to the last required field, `size` that of the struct in this version.
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
    """Check the struct in a capsule, and copy it as a version of CyNN does whose struct has this size.

    If the plugin's struct is shorter, the rest is zero. For tests of older and newer versions.

    Parameters
    ----------
    component : Component
        The component with this kernel.
    capsule : capsule
        The kernel.
    kind : {"activation", "layer", "loss", "optimizer"}
        The kind of component.
    size : int
        The size of the struct in that version.

    Returns
    -------
    bytes
        The copy.
    """
    cdef bytearray target = bytearray(size)
    name, flags, smallest = {
        "activation": (CYNN_ACTIVATION_CAPSULE, CYNN_ACTIVATION_FLAGS, CYNN_ACTIVATION_SMALLEST_SIZE),
        "layer": (CYNN_OPERATION_CAPSULE, CYNN_OPERATION_FLAGS, CYNN_OPERATION_SMALLEST_SIZE),
        "loss": (CYNN_LOSS_CAPSULE, CYNN_LOSS_FLAGS, CYNN_LOSS_SMALLEST_SIZE),
        "optimizer": (CYNN_OPTIMIZER_CAPSULE, CYNN_OPTIMIZER_FLAGS, CYNN_OPTIMIZER_SMALLEST_SIZE),
    }[kind]
    copy_struct(component, capsule, name, flags, smallest, <char *>target, size)
    return bytes(target)


cdef int check_offer(
    object component, str dtype, bint first, bint second, str first_name, str second_name
) except -1:
    """Raise a PluginError if a kernel has only one of two functions that belong together."""
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
    """The component and the package of its class, for messages.

    Parameters
    ----------
    component : Component
        Of any kind.

    Returns
    -------
    str
        Such as `the activation 'relu' of cynn-nn 1.0`.
    """
    distribution, version = component._registry.origin(type(component))
    return f"the {component._registry.kind} {component.name!r} of {distribution} {version}"


def raise_plugin_error(component, error):
    """Raise a PluginError from an error in a Python method of a component. An interrupt such as Ctrl-C stays as it is.

    Parameters
    ----------
    component : Component
        The component with the method.
    error : BaseException
        The error that the method raised.
    """
    if not isinstance(error, Exception):
        raise error
    raise PluginError(
        f"{describe(component)} must run without an error. It raised {type(error).__name__}: {error}"
    ) from error


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


cdef object require_overridden(object component, str method):
    if not component._registry.overrides(type(component), method):
        raise PluginError(
            f"The class of {describe(component)} must have a compiled kernel or define {method}(). "
            "It has neither."
        )
