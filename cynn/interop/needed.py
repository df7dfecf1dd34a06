"""Imports another library, or raises an error that names the extra that installs it."""

from __future__ import annotations

import importlib
from typing import Any

from cynn.errors import MissingDependencyError

__all__ = ["needed"]


def needed(module: str, extra: str) -> Any:
    """Import a module.

    Parameters
    ----------
    module : str
        The name, such as "onnx".
    extra : str
        The extra of CyNN that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise MissingDependencyError(
            f'This needs the package {package}. Install it with: pip install "cynn-nn[{extra}]"'
        ) from error
