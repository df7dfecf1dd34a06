"""Training: epochs, batches, histories, checks on the way. :meth:`cynn.Network.fit` is the door.

It may use the model, the files and the data; what a process that only predicts does not need is imported here, when a
network trains.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cynn.callbacks.base import Callback
    from cynn.training.history import History

__all__ = ["Callback", "History"]

# Imported when they are asked for, as the modules of this wing do not need them all.
_HOMES = {"Callback": "cynn.callbacks.base", "History": "cynn.training.history"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'cynn.training' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(globals().keys() | _HOMES.keys())
