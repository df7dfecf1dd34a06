"""A face: imports networks from other libraries, and exports networks for other programs.

What enters: a network, or a model of another library. It uses the public interface of `Network`, and imports another
library only in the functions that need it. An export first makes a plan of what the network computes; a printer for
each language writes the plan as code.
"""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["jax", "keras", "onnx", "river", "sklearn", "torch"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return importlib.import_module(f"cynn.interop.{name}")
    raise AttributeError(f"module 'cynn.interop' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
