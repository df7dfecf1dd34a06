"""Networks from other libraries, and for other programs: a face.

What enters is a network, or a model of another library. It uses the public interface of networks, and other libraries
only in the functions that need them. What a network computes becomes a plan, which a printer for each language reads.
"""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["keras", "onnx", "sklearn", "torch"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return importlib.import_module(f"cynn.interop.{name}")
    raise AttributeError(f"module 'cynn.interop' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
