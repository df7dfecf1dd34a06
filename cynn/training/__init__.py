"""Training: epochs, batches, history, evaluation, diagnosis. :meth:`cynn.Network.fit` calls it.

It may use the model, the files and the data. A process that only predicts does not import it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cynn.callbacks.base import Callback
    from cynn.training.history import History
    from cynn.training.laplace import Laplace
    from cynn.training.own_loop import TrainingLoop
    from cynn.training.problem import Problem

__all__ = ["Callback", "History", "Laplace", "Problem", "TrainingLoop"]

# Imported on demand.
_HOMES = {
    "Callback": "cynn.callbacks.base",
    "History": "cynn.training.history",
    "Laplace": "cynn.training.laplace",
    "Problem": "cynn.training.problem",
    "TrainingLoop": "cynn.training.own_loop",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'cynn.training' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(globals().keys() | _HOMES.keys())
