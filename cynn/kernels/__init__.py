"""Compiled kernels, which compute on arrays. They do not depend on layers, networks or training.

Most kernels are compiled once per CPU level from one source. This module chooses the best level that this machine
supports, at import; `CYNN_CPU=baseline|avx2|avx512` forces one. The sources are in the folder `leveled`, and the
compiled modules in one folder per level. Kernels may use the headers and .pxd files of the plugin ABI.
"""

import importlib.util
import os
from types import ModuleType

from cynn.kernels import cpu


def _choose_level() -> str:
    supported = cpu.supported_levels()
    wanted = os.environ.get("CYNN_CPU")
    if not wanted:
        return next(filter(_is_built, reversed(supported)), "baseline")
    if wanted not in supported or not _is_built(wanted):
        raise ImportError(
            "CYNN_CPU must name a level that this machine runs and this build holds: "
            f"{', '.join(filter(_is_built, supported))}. Got {wanted!r} instead."
        )
    return wanted


def _is_built(level: str) -> bool:
    return importlib.util.find_spec(f"cynn.kernels.{level}.dense") is not None


def _load(name: str) -> ModuleType:
    return importlib.import_module(f"cynn.kernels.{level}.{name}")


def _load_blas() -> ModuleType:
    # This variable sets how many threads OpenBLAS starts when it is loaded. Ours runs only on the calling thread, so it
    # must start none. NumPy's own BLAS is loaded already and keeps its settings. The user's value is restored.
    name = "OPENBLAS_NUM_THREADS"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        return importlib.import_module("cynn.kernels.blas")
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


level = _choose_level()
blas = _load_blas()
activation_op = _load("activation_op")
activations = _load("activations")
dense = _load("dense")
directions = _load("directions")
embedding = _load("embedding")
losses = _load("losses")
merge = _load("merge")
noise = _load("noise")
normalization = _load("normalization")
optimizers = _load("optimizers")
parametric_activations = _load("parametric_activations")
rows = _load("rows")
updates = _load("updates")

# C plugins import this capsule as "cynn.blas" (cynn/blas.h).
noise.add_random_numbers(dense.BLAS)
