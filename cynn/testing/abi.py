"""The structs of cynn/abi.h declared for ctypes, so that a kernel can be called on any memory.

ctypes releases the GIL during a call, as the engine does.
"""

from __future__ import annotations

import ctypes
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_double, c_int64, c_uint16, c_uint32, c_uint64, c_void_p
from typing import Any

from cynn.components.hyperparameters import Component

__all__ = [
    "CLASS_INDEX",
    "ELEMENTWISE",
    "IN_PLACE",
    "NEEDS_A",
    "NEEDS_Z",
    "ROWWISE",
    "STRUCTS",
    "ActivationStruct",
    "LossStruct",
    "OptimizerStruct",
    "functions",
    "struct_of",
]

NEEDS_Z = 1
NEEDS_A = 2
ROWWISE = 4
IN_PLACE = 8
CLASS_INDEX = 1
ELEMENTWISE = 1

PREFIX: list[tuple[str, Any]] = [
    ("abi_major", c_uint16),
    ("abi_minor", c_uint16),
    ("struct_size", c_uint32),
    ("flags", c_uint64),
]


class _Prefix(ctypes.Structure):
    _fields_ = PREFIX


# Arrays are passed as addresses: c_void_p takes an integer or None.
_FORWARD = CFUNCTYPE(None, c_void_p, c_int64, c_int64, c_void_p, c_void_p)
_BACKWARD = CFUNCTYPE(None, c_void_p, c_int64, c_int64, c_void_p, c_void_p, c_void_p)
_LOSS = CFUNCTYPE(c_double, c_void_p, c_int64, c_int64, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p)
_STEP = CFUNCTYPE(None, c_void_p, c_double, c_int64, c_int64, c_int64, c_void_p, c_void_p, c_void_p)

_LINEAR_STEP = CFUNCTYPE(None, c_void_p, c_double, c_int64, POINTER(c_double), POINTER(c_double))


class ActivationStruct(ctypes.Structure):
    """`cynn_activation`."""

    _fields_ = [
        *PREFIX,
        ("forward_f32", _FORWARD),
        ("backward_f32", _BACKWARD),
        ("forward_f64", _FORWARD),
        ("backward_f64", _BACKWARD),
    ]


class LossStruct(ctypes.Structure):
    """`cynn_loss`."""

    _fields_ = [
        *PREFIX,
        ("value_and_gradient_f32", _LOSS),
        ("value_and_gradient_f64", _LOSS),
        ("fuses_with", c_char_p),
        ("fused_value_and_gradient_f32", _LOSS),
        ("fused_value_and_gradient_f64", _LOSS),
    ]


class OptimizerStruct(ctypes.Structure):
    """`cynn_optimizer`."""

    _fields_ = [
        *PREFIX,
        ("n_slots", c_int64),
        ("step_f32", _STEP),
        ("step_f64", _STEP),
        ("linear_step", _LINEAR_STEP),
    ]


STRUCTS: dict[str, type[ctypes.Structure]] = {
    "activation": ActivationStruct,
    "loss": LossStruct,
    "optimizer": OptimizerStruct,
}


def struct_of(component: Component) -> Any:
    """A copy of the struct in a compiled component's capsule. Optional fields that it lacks are NULL."""
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype = c_void_p
    get_pointer.argtypes = [ctypes.py_object, c_char_p]
    address = get_pointer(component.kernel, f"cynn.{component._registry.kind}".encode())
    struct = STRUCTS[component._registry.kind]()
    size = ctypes.cast(address, POINTER(_Prefix)).contents.struct_size
    ctypes.memmove(ctypes.byref(struct), address, min(size, ctypes.sizeof(struct)))
    return struct


def functions(component: Component) -> dict[str, int]:
    """The addresses of a compiled component's functions, by field name.

    Examples
    --------
    >>> import cynn
    >>> sorted(functions(cynn.optimizers.Adam()))
    ['step_f32', 'step_f64']
    """
    struct = struct_of(component)
    found = {}
    for name, kind in struct._fields_:
        if issubclass(kind, ctypes._CFuncPtr):  # type: ignore[attr-defined]  # the base of what CFUNCTYPE makes
            address = ctypes.cast(getattr(struct, name), c_void_p).value
            if address:
                found[name] = address
    return found
