"""`show_config` and `get_include`: the configuration of this build, and the folder of its headers."""

from __future__ import annotations

import os

from cynn import kernels
from cynn.engine import threads
from cynn.kernels import cpu
from cynn.version import __version__

__all__ = ["get_include", "show_config"]


def get_include() -> str:
    """The include folder for compiling plugins, which contains `cynn/abi.h`.

    Examples
    --------
    >>> import cynn, pathlib
    >>> pathlib.Path(cynn.get_include(), "cynn", "abi.h").exists()
    True
    """
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "include")


def show_config() -> None:
    """Print the version, the kernels chosen for this CPU, the BLAS and the number of threads.

    Examples
    --------
    >>> import cynn
    >>> cynn.show_config()
    cynn     ...
    kernels  ...
    blas     ...
    threads  ...
    """
    library, core = kernels.blas.description()
    print(f"cynn     {__version__}")
    print(f"kernels  {kernels.level} (of {', '.join(cpu.supported_levels())})")
    print(f"blas     {library}, for {core}")
    print(f"threads  {threads.get_num_threads()}")
