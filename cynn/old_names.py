"""Imports modules that have moved by their old names, for existing pickles and programs."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, cast

_NOW = {
    "cynn.diagnosis": "cynn.training.diagnosis",
    "cynn.history": "cynn.training.history",
    "cynn.images": "cynn.data.images",
    "cynn.operations": "cynn.engine.operations",
    "cynn.optimizer_state": "cynn.training.optimizer_state",
    "cynn.weights_lock": "cynn.engine.weights_lock",
}


class _OldNames:
    """A finder that is also its loader. It does without the base classes of importlib.abc, which is slow to import."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, cast(Any, self)) if fullname in _NOW else None

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None  # the default module, which exec_module replaces

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[module.__name__] = importlib.import_module(_NOW[module.__name__])


sys.meta_path.append(_OldNames())
