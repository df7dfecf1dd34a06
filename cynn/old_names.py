"""Finds modules that have moved under their old names, which pickles and programs use."""

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
    """A finder and its loader; not from their bases in importlib.abc, which brings tempfile and more along."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, cast(Any, self)) if fullname in _NOW else None

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None  # a plain one, in whose place the present one is put

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[module.__name__] = importlib.import_module(_NOW[module.__name__])


sys.meta_path.append(_OldNames())
