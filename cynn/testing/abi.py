"""The structs of cynn/abi.h declared for ctypes, so that a kernel can be called on any memory.

ctypes releases the GIL during a call, as the engine does.
"""

from __future__ import annotations

import ctypes
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_double, c_int32, c_int64, c_uint16, c_uint32, c_uint64, c_void_p
from typing import Any

__all__ = [
    "AFFINE_IN_X",
    "CLASS_INDEX",
    "DIVISIBLE",
    "ELEMENTWISE",
    "GRADIENT_IN_PLACE",
    "IN_PLACE",
    "NEEDS_A",
    "NEEDS_OUT",
    "NEEDS_Z",
    "ONLY_TRAINING",
    "PREFETCHES",
    "PROPAGATES_NONFINITE",
    "ROWWISE",
    "STRUCTS",
    "ActivationStruct",
    "LossStruct",
    "Operands",
    "OperationStruct",
    "OptimizerStruct",
    "Pass",
    "Tangents",
    "capsule_name",
    "functions",
    "functions_in",
    "struct_in",
    "struct_of",
]

NEEDS_Z = 1
NEEDS_A = 2
ROWWISE = 4
IN_PLACE = 8
CLASS_INDEX = 1
ELEMENTWISE = 1
PROPAGATES_NONFINITE = 1
DIVISIBLE = 2
GRADIENT_IN_PLACE = 4
NEEDS_OUT = 16
ONLY_TRAINING = 32
PREFETCHES = 64
AFFINE_IN_X = 128

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
_LOSS_JVP = CFUNCTYPE(None, c_void_p, c_int64, c_int64, *[c_void_p] * 6)
_ACTIVATION_JVP = CFUNCTYPE(None, c_void_p, c_int64, c_int64, *[c_void_p] * 4)
_ACTIVATION_BACKWARD_JVP = CFUNCTYPE(None, c_void_p, c_int64, c_int64, *[c_void_p] * 6)
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
        ("jvp_f32", _ACTIVATION_JVP),
        ("jvp_f64", _ACTIVATION_JVP),
        ("backward_jvp_f32", _ACTIVATION_BACKWARD_JVP),
        ("backward_jvp_f64", _ACTIVATION_BACKWARD_JVP),
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
        ("backward_jvp_f32", _LOSS_JVP),
        ("backward_jvp_f64", _LOSS_JVP),
        ("fused_backward_jvp_f32", _LOSS_JVP),
        ("fused_backward_jvp_f64", _LOSS_JVP),
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


class Pass(ctypes.Structure):
    """`cynn_pass`."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("training", c_int32),
        ("updates", c_int32),
        ("epoch", c_uint32),
        ("step", c_uint32),
        ("seed", c_uint64),
        ("rows", c_int64),
        ("row_weight", c_void_p),
        ("total_weight", c_double),
        ("prefetch", c_void_p),
    ]


class Operands(ctypes.Structure):
    """`cynn_operands`."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("number", c_uint32),
        ("n_inputs", c_int64),
        ("widths", POINTER(c_int64)),
        ("units", c_int64),
        ("x", POINTER(c_void_p)),
        ("dx", POINTER(c_void_p)),
        ("out", c_void_p),
        ("delta", c_void_p),
        ("n_parameters", c_int64),
        ("parameters", POINTER(c_void_p)),
        ("parameter_rows", POINTER(c_int64)),
        ("parameter_columns", POINTER(c_int64)),
        ("n_states", c_int64),
        ("states", POINTER(c_void_p)),
        ("n_saved", c_int64),
        ("saved", POINTER(c_void_p)),
        ("n_h", c_int64),
        ("h", POINTER(c_double)),
        ("activation", c_void_p),
        ("activation_h", POINTER(c_double)),
    ]


class Tangents(ctypes.Structure):
    """`cynn_tangents`."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("x", POINTER(c_void_p)),
        ("parameters", POINTER(c_void_p)),
        ("out", c_void_p),
        ("delta", c_void_p),
        ("dx", POINTER(c_void_p)),
        ("saved", POINTER(c_void_p)),
    ]


_OVER_ROWS = CFUNCTYPE(None, POINTER(Operands), POINTER(Pass), c_int64, c_int64, c_void_p)
_GRADIENT = CFUNCTYPE(None, POINTER(Operands), POINTER(Pass), c_int64, c_int64, c_int64, c_void_p)
_STEP_OF_ROWS = CFUNCTYPE(None, POINTER(Operands), POINTER(Pass), c_int64, c_int64, c_double, c_double, c_void_p)
_STATES = CFUNCTYPE(None, POINTER(Operands), POINTER(Pass), POINTER(c_void_p))
_JVP = CFUNCTYPE(None, POINTER(Operands), POINTER(Tangents), POINTER(Pass), c_int64, c_int64, c_void_p)
_GRADIENT_JVP = CFUNCTYPE(
    None, POINTER(Operands), POINTER(Tangents), POINTER(Pass), c_int64, c_int64, c_int64, c_void_p
)


class OperationStruct(ctypes.Structure):
    """`cynn_operation`."""

    _fields_ = [
        *PREFIX,
        ("forward_f32", _OVER_ROWS),
        ("forward_f64", _OVER_ROWS),
        ("backward_f32", _OVER_ROWS),
        ("backward_f64", _OVER_ROWS),
        ("gradient_f32", _GRADIENT),
        ("gradient_f64", _GRADIENT),
        ("forward_columns_f32", _OVER_ROWS),
        ("forward_columns_f64", _OVER_ROWS),
        ("backward_columns_f32", _OVER_ROWS),
        ("backward_columns_f64", _OVER_ROWS),
        ("linear_step_f32", _STEP_OF_ROWS),
        ("linear_step_f64", _STEP_OF_ROWS),
        ("update_states_f32", _STATES),
        ("update_states_f64", _STATES),
        ("jvp_f32", _JVP),
        ("jvp_f64", _JVP),
        ("backward_jvp_f32", _JVP),
        ("backward_jvp_f64", _JVP),
        ("gradient_jvp_f32", _GRADIENT_JVP),
        ("gradient_jvp_f64", _GRADIENT_JVP),
    ]


STRUCTS: dict[str, type[ctypes.Structure]] = {
    "activation": ActivationStruct,
    "layer": OperationStruct,
    "loss": LossStruct,
    "optimizer": OptimizerStruct,
}


def capsule_name(kind: str) -> str:
    """The capsule name for a kind."""
    return "cynn.operation" if kind == "layer" else f"cynn.{kind}"


def struct_of(component: Any) -> Any:
    """A copy of the struct in the capsule of a compiled component or layer: optional fields that it lacks are NULL."""
    return struct_in(component.kernel, component._registry.kind)


def struct_in(capsule: Any, kind: str) -> Any:
    """The same for the struct in a capsule."""
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype = c_void_p
    get_pointer.argtypes = [ctypes.py_object, c_char_p]
    address = get_pointer(capsule, capsule_name(kind).encode())
    struct = STRUCTS[kind]()
    size = ctypes.cast(address, POINTER(_Prefix)).contents.struct_size
    ctypes.memmove(ctypes.byref(struct), address, min(size, ctypes.sizeof(struct)))
    return struct


def functions(component: Any) -> dict[str, int]:
    """The addresses of the functions of a compiled component or layer, by their names in the struct.

    Examples
    --------
    >>> import cynn
    >>> sorted(functions(cynn.optimizers.Adam()))
    ['step_f32', 'step_f64']
    """
    return functions_in(struct_of(component))


def functions_in(struct: Any) -> dict[str, int]:
    """The same for the functions of a struct."""
    found = {}
    for name, kind in struct._fields_:
        if issubclass(kind, ctypes._CFuncPtr):  # type: ignore[attr-defined]  # the base class of CFUNCTYPE types
            address = ctypes.cast(getattr(struct, name), c_void_p).value
            if address:
                found[name] = address
    return found
