"""CyNN: dense neural networks on a CPU, compiled.

>>> import cynn
>>> net = cynn.Network.mlp([784, 16, 16, 10], activation="sigmoid", output="softmax", seed=0)
>>> net.parameter_count
13002
"""

from cynn import activations, datasets, errors, layers, losses, optimizers, registry, training
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
    "datasets",
    "errors",
    "get_include",
    "get_num_threads",
    "hyperparameter",
    "layers",
    "load",
    "losses",
    "optimizers",
    "registry",
    "set_num_threads",
    "show_config",
    "training",
]
