"""Compiles exported files of C, and calls them in memory that shows what is written and read beside their arrays."""

from __future__ import annotations

import ctypes
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cynn.testing.memory import Array
from cynn.testing.report import Failure, Skipped

__all__ = ["compiled"]

_FLAGS = ["-std=c99", "-O1", "-fPIC", "-shared", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror"]
# what is undefined, such as an index beyond an array, ends the process
_TRAPS = ["-fsanitize=undefined", "-fsanitize-undefined-trap-on-error"]
_AROUND = 64  # numbers on both sides of an array


def compiled(source: Path, inputs: int, outputs: int, dtype: str) -> Callable[[Array], Array]:
    """The function of an exported file, over rows.

    Parameters
    ----------
    source : Path
        The file. It is not needed afterwards.
    inputs, outputs : int
        How many numbers go in, and come out.
    dtype : str
        The dtype of the file.
    """
    target = source.with_suffix(".so")
    command = [*_compiler(), *_FLAGS, *_TRAPS, str(source), "-o", str(target), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        said = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr.strip())
        raise Failure(f"c_source must compile without a warning. {command[0]} says: {said.replace(str(source), 'it')}")
    function = getattr(ctypes.CDLL(str(target)), f"{source.stem}_predict")
    function.restype = None

    def predict(x: Array) -> Array:
        y = np.empty((len(x), outputs), dtype)
        given = np.full(inputs + 2 * _AROUND, np.nan, dtype)
        taken = np.empty(outputs + 2 * _AROUND, dtype)
        buffer = np.full(2 * (inputs + outputs + _AROUND), np.nan, dtype)
        item = given.itemsize * _AROUND
        for row, out in zip(x, y, strict=True):
            given[_AROUND:-_AROUND] = row
            taken[:] = 12345
            function(*(ctypes.c_void_p(each.ctypes.data + item) for each in (given, taken, buffer)))
            out[:] = taken[_AROUND:-_AROUND]
            taken[_AROUND:-_AROUND] = 12345
            if (taken != 12345).any():
                place = int(np.argwhere(taken != 12345)[0, 0]) - _AROUND
                raise Failure(f"c_source must write the {outputs} numbers of a alone. It wrote to a[{place}]")
        return y

    return predict


def _compiler() -> list[str]:
    """The command of a compiler of C: that of the variable CC, or the first that is installed."""
    named = shlex.split(os.environ.get("CC", ""))
    for command in ([named] if named else [["gcc"], ["clang"], ["cc"]]):
        if shutil.which(command[0]):
            return command
    raise Skipped("no compiler of C was found, neither as CC nor as gcc, clang or cc: the function was not run")
