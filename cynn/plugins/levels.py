"""Builds the compiled modules of a plugin package once for each CPU level, as CyNN builds its kernels, and finds them.

CyNN's setup.py runs this file by itself, before there is a CyNN to import.
"""

from __future__ import annotations

import copy
import os
import platform
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from setuptools import Extension

__all__ = ["LEVELS", "at_levels", "search_path"]

#: Options of the compiler for each level of this kind of machine, the best last.
LEVELS: dict[str, list[str]] = {"baseline": []}
if platform.machine().lower() in ("x86_64", "amd64") and os.name != "nt":
    LEVELS = {
        "baseline": ["-march=x86-64-v2"],
        "avx2": ["-march=x86-64-v3"],
        "avx512": ["-march=x86-64-v4", "-mprefer-vector-width=512"],
    }


def at_levels(extensions: Iterable[Extension]) -> list[Extension]:
    """The modules, once for each level: `package.module` is the baseline, `package.avx2.module` the next.

    For `setup(ext_modules=at_levels(...))` in a setup.py. With the environment variable `CYNN_NATIVE=1` each is there
    once, compiled for this machine's CPU.

    Parameters
    ----------
    extensions : iterable of setuptools.Extension
        Modules of packages, with sources in C: such as `Cython.Build.cythonize` returns.

    Returns
    -------
    list of setuptools.Extension
        Those for the widest vectors come first, since they take longest.

    Raises
    ------
    InvalidParameterError
        A module is in no package.

    Examples
    --------
    >>> from contextlib import chdir
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from setuptools import Extension
    >>> from cynn.plugins.levels import at_levels
    >>> with TemporaryDirectory() as folder, chdir(folder):
    ...     _ = Path("kernel.c").write_text("/* empty */")
    ...     modules = at_levels([Extension("package.kernel", ["kernel.c"])])
    >>> modules[-1].name
    'package.kernel'
    """
    modules = list(extensions)
    first, *others = levels_to_build()
    better = [at_level(each, level, _name_at(level, each.name)) for level in reversed(others) for each in modules]
    return better + [at_level(each, first, each.name) for each in modules]


def levels_to_build() -> dict[str, list[str]]:
    """The levels to build, and the compiler options of each."""
    return {"baseline": ["-march=native"]} if os.environ.get("CYNN_NATIVE") == "1" else LEVELS


def at_level(extension: Extension, level: str, name: str) -> Extension:
    """A module for one level, under another name, from copies of its sources: object files are written beside them."""
    copies = []
    for source in map(Path, extension.sources):
        target = Path("build", level, source)
        if not target.exists() or target.read_bytes() != source.read_bytes():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
        copies.append(target.as_posix())
    found = copy.copy(extension)
    found.name, found.sources = name, copies
    found.include_dirs = [*extension.include_dirs, *{str(Path(source).parent): None for source in extension.sources}]
    found.extra_compile_args = [*extension.extra_compile_args, *levels_to_build()[level]]
    return found


def _name_at(level: str, name: str) -> str:
    package, _, module = name.rpartition(".")
    if not package:
        from cynn.errors import InvalidParameterError

        raise InvalidParameterError(f"A module for levels of CPU must be in a package. Got {name!r} instead.")
    for folder in map(Path, (package.replace(".", "/"), "src/" + package.replace(".", "/"))):
        if folder.is_dir():
            (folder / level).mkdir(exist_ok=True)  # setuptools does not create it for a build in place
    return f"{package}.{level}.{module}"


def search_path(path: Iterable[str]) -> list[str]:
    """The folders with the modules of a package: first those for the CPU level that CyNN has chosen.

    In the `__init__.py` of the package, before its compiled modules are imported: `__path__ = search_path(__path__)`.
    A module that is missing at that level is taken from the next lower one, and finally from the package itself.

    Parameters
    ----------
    path : list of str
        The `__path__` of the package.

    Returns
    -------
    list of str
        Folders, in the order in which they are searched.

    Examples
    --------
    >>> from cynn.plugins.levels import search_path
    >>> search_path(["package"])[-1]
    'package'
    """
    from cynn import kernels

    supported = kernels.cpu.supported_levels()
    better = supported[1 : supported.index(kernels.level) + 1]
    folders = list(path)
    return [os.path.join(folder, level) for level in reversed(better) for folder in folders] + folders
