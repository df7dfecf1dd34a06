"""Another library, or an error that names the extra that installs it."""

from __future__ import annotations

import importlib
from typing import Any

from cynn.errors import MissingDependencyError

__all__ = ["needed"]


def needed(module: str, extra: str) -> Any:
    """The module of that name.

    Parameters
    ----------
    module : str
        Such as "onnx".
    extra : str
        What installs it, with CyNN.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise MissingDependencyError(
            f'This needs the package {package}. Install it with: pip install "cynn-nn[{extra}]"'
        ) from error
