"""CyNN: dense neural networks on a CPU, compiled.

>>> import cynn
>>> net = cynn.Network.mlp([784, 16, 16, 10], activation="sigmoid", output="softmax", seed=0)
>>> net.parameter_count
13002
"""

from cynn import (
    activations,
    callbacks,
    datasets,
    errors,
    initializers,
    layers,
    losses,
    metrics,
    optimizers,
    registry,
    schedules,
    training,
)
from cynn.configuration import get_include, show_config
from cynn.errors import CynnError
from cynn.hyperparameters import hyperparameter
from cynn.layers import Activation, Add, Concatenate, Dense, Input, Residual
from cynn.network import Network
from cynn.persistence import load
from cynn.threads import get_num_threads, set_num_threads
from cynn.version import __version__

__all__ = [
    "Activation",
    "Add",
    "Concatenate",
    "CynnError",
    "Dense",
    "Input",
    "Network",
    "Residual",
    "__version__",
    "activations",
    "callbacks",
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
    "registry",
    "schedules",
    "set_num_threads",
    "show_config",
    "training",
]
