"""CyNN: dense neural networks on a CPU, compiled.

>>> import cynn
>>> net = cynn.Network.mlp([784, 16, 16, 10], activation="sigmoid", output="softmax", seed=0)
>>> net.parameter_count
13002
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cynn import (
    activations,
    callbacks,
    constraints,
    datasets,
    errors,
    initializers,
    layers,
    losses,
    metrics,
    optimizers,
    registry,
    regularizers,
    schedules,
    training,
)
from cynn.configuration import get_include, show_config
from cynn.errors import CynnError
from cynn.hyperparameters import hyperparameter
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
from cynn.network import Network
from cynn.persistence import load
from cynn.threads import get_num_threads, set_num_threads
from cynn.version import __version__

if TYPE_CHECKING:
    from cynn import plot

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
    "datasets",
    "errors",
    "get_include",
    "get_num_threads",
    "hyperparameter",
    "initializers",
    "layers",
    "load",
    "losses",
    "metrics",
    "optimizers",
    "plot",
    "registry",
    "regularizers",
    "schedules",
    "set_num_threads",
    "show_config",
    "training",
]


def __getattr__(name: str) -> Any:
    """`cynn.plot`, imported when somebody asks for it."""
    if name == "plot":
        import importlib

        return importlib.import_module("cynn.plot")
    raise AttributeError(f"module 'cynn' has no attribute {name!r}")
