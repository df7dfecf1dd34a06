"""C functions of compiled modules, as another module of compiled code calls them."""

import ctypes
from types import ModuleType
from typing import Any


def function(module: ModuleType, name: str, result: Any, *arguments: Any) -> Any:
    """A function that a module offers to others, by its name in C, with the types of its result and its arguments."""
    get = ctypes.pythonapi
    get.PyCapsule_GetName.restype, get.PyCapsule_GetName.argtypes = ctypes.c_char_p, [ctypes.py_object]
    get.PyCapsule_GetPointer.restype = ctypes.c_void_p
    get.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    capsule = module.__pyx_capi__[name]
    address = get.PyCapsule_GetPointer(capsule, get.PyCapsule_GetName(capsule))
    return ctypes.CFUNCTYPE(result, *arguments)(address)
