"""Checks of the package folder: whether it is compiled, and whether it has files of the other project named cynn."""

from __future__ import annotations

import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from types import ModuleType

from cynn.errors import CynnError, warn

__all__ = ["require_compiled", "require_own", "warn_of_foreign_files"]

_FOLDER = os.path.dirname(os.path.abspath(__file__))
# The files that the other project with the name cynn installs in the folder cynn, besides an __init__.py.
_FOREIGN = {"CMakeLists", "cnn", "fann", "genann", "kann", "tinn"}
_CURE = "Uninstall both, by pip uninstall cynn cynn-nn, and install the one that you want again."


def require_compiled() -> None:
    """Raise an error if modules are not compiled, or are compiled for another Python.

    Raises
    ------
    ImportError
        The message has the command that compiles them.
    """
    missing = _uncompiled()
    if missing:
        python = f'"{sys.executable}"' if " " in sys.executable else sys.executable
        raise ImportError(
            f"The folder {_FOLDER} is the source of CyNN, which must be compiled before it is imported. "
            f"Got no {missing[0]} for Python {sys.version_info.major}.{sys.version_info.minor}. "
            f"In the folder {os.path.dirname(_FOLDER)}, type: {python} -m pip install -e . "
            "Or, if CyNN is installed elsewhere, run Python in another folder."
        ) from None  # the original error would say "circular import"


def _uncompiled() -> list[str]:
    """The modules that are not compiled. Sources in `leveled` are compiled into the folder `baseline` beside it."""
    missing = []
    for folder, _, files in os.walk(_FOLDER):
        parent, last = os.path.split(folder)
        compiled = os.path.join(parent, "baseline") if last == "leveled" else folder
        for name in sorted(file.removesuffix(".pyx") for file in files if file.endswith(".pyx")):
            if not any(os.path.exists(os.path.join(compiled, name + suffix)) for suffix in EXTENSION_SUFFIXES):
                module = os.path.relpath(os.path.join(compiled, name), os.path.dirname(_FOLDER))
                missing.append(module.replace(os.sep, "."))
    return sorted(missing)


def _names(folder: str) -> list[str]:
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []  # a frozen program has no folder


def warn_of_foreign_files() -> None:
    """Warn of files of the other project among ours: installing or removing that project changes our files.

    Warns
    -----
    CynnWarning
        The message has the names of the files.
    """
    foreign = [name for name in _names(_FOLDER) if name.partition(".")[0] in _FOREIGN]
    if foreign:
        warn(
            f"The folder {_FOLDER} must hold nothing but CyNN. Got {', '.join(foreign)} of another project "
            f"that is also called cynn: each overwrites files of the other. {_CURE}",
            stacklevel=3,
        )


def require_own(package: ModuleType) -> None:
    """Raise an error if the other project, or its removal, has replaced our `__init__.py`.

    Parameters
    ----------
    package : module
        The imported package cynn.

    Raises
    ------
    CynnError
        The message says what to do.
    """
    if not hasattr(package, "Network"):
        raise CynnError(
            f"The folder {_FOLDER} must hold the __init__.py of CyNN. Got none, or that of another project that is "
            f"also called cynn. {_CURE}"
        )
