"""CyNN: dense neural networks on a CPU, compiled.

>>> import cynn
>>> net = cynn.Network.mlp([784, 16, 16, 10], output="softmax", seed=0)
>>> net.parameter_count
13002
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from cynn import installation, old_names  # noqa: F401  (it finds modules that have moved)

try:
    from cynn import (
        activations,
        constraints,
        errors,
        initializers,
        layers,
        losses,
        optimizers,
        registry,
        regularizers,
        schedules,
    )
    from cynn import kernels as _kernels
    from cynn.components.hyperparameters import hyperparameter
    from cynn.configuration import get_include, show_config
    from cynn.engine.threads import get_num_threads, set_num_threads
    from cynn.errors import CynnError
    from cynn.layers import (
        GLU,
        Activation,
        Add,
        AlphaDropout,
        BatchNorm,
        Concatenate,
        Dense,
        Dropout,
        Embedding,
        GaussianNoise,
        Input,
        LayerNorm,
        Maxout,
        PReLU,
        Residual,
        RMSNorm,
    )
    from cynn.network import Network, load
    from cynn.version import __version__
except ImportError:
    installation.require_compiled()
    raise

if TYPE_CHECKING:
    from cynn import callbacks, datasets, interop, many, metrics, plot, solvers, testing, training
    from cynn.many import Ensemble, cross_validate, fit_many, search

# Modules that a process needs only for training are imported on demand.
_LATER = {"callbacks", "datasets", "interop", "many", "metrics", "plot", "solvers", "testing", "training"}
# So are these, which the module many has.
_OF_MANY = {"Ensemble", "cross_validate", "fit_many", "search"}

__all__ = [
    "GLU",
    "Activation",
    "Add",
    "AlphaDropout",
    "BatchNorm",
    "Concatenate",
    "CynnError",
    "Dense",
    "Dropout",
    "Embedding",
    "Ensemble",
    "GaussianNoise",
    "Input",
    "LayerNorm",
    "Maxout",
    "Network",
    "PReLU",
    "RMSNorm",
    "Residual",
    "__version__",
    "activations",
    "callbacks",
    "constraints",
    "cross_validate",
    "datasets",
    "errors",
    "fit_many",
    "get_include",
    "get_num_threads",
    "hyperparameter",
    "initializers",
    "interop",
    "layers",
    "load",
    "losses",
    "many",
    "metrics",
    "optimizers",
    "plot",
    "registry",
    "regularizers",
    "schedules",
    "search",
    "set_num_threads",
    "show_config",
    "solvers",
    "testing",
    "training",
]


#: What C plugins import: the functions of cynn/blas.h.
blas = _kernels.dense.BLAS

installation.warn_of_foreign_files()


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return importlib.import_module(f"cynn.{name}")
    if name in _OF_MANY:
        return getattr(importlib.import_module("cynn.many"), name)
    raise AttributeError(f"module 'cynn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(globals().keys() | _LATER | _OF_MANY)
