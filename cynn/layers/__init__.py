"""Layers, the building blocks of a network. A layer is a description; its copy in a network has weights.

A layer defines the operations of the engine of which it consists. Layers may use the other parts, the registry and the
kernels, but not the data or the training.
"""

from __future__ import annotations

from typing import Any

from cynn import registry
from cynn.components.configurable import check_config
from cynn.engine.operations import SavedForBackward
from cynn.errors import InvalidParameterError, shown
from cynn.layers.activation import Activation
from cynn.layers.alpha_dropout import AlphaDropout
from cynn.layers.batch_norm import BatchNorm
from cynn.layers.builder import Builder
from cynn.layers.composition import compose
from cynn.layers.dense import Dense
from cynn.layers.dropout import Dropout
from cynn.layers.embedding import Embedding
from cynn.layers.gaussian_noise import GaussianNoise
from cynn.layers.glu import GLU
from cynn.layers.input import Input
from cynn.layers.layer import Layer, Node, Parameter, arrays, as_values, walk
from cynn.layers.layer_norm import LayerNorm
from cynn.layers.maxout import Maxout
from cynn.layers.merge import Add, Concatenate, Residual
from cynn.layers.prelu import PReLU
from cynn.layers.rms_norm import RMSNorm

__all__ = [
    "GLU",
    "Activation",
    "Add",
    "AlphaDropout",
    "BatchNorm",
    "Builder",
    "Concatenate",
    "Dense",
    "Dropout",
    "Embedding",
    "GaussianNoise",
    "Input",
    "Layer",
    "LayerNorm",
    "Maxout",
    "Node",
    "PReLU",
    "Parameter",
    "RMSNorm",
    "Residual",
    "SavedForBackward",
    "arrays",
    "as_values",
    "compose",
    "from_config",
    "of_network",
    "walk",
]

registry.declare(Layer, globals())


def from_config(config: dict[str, Any]) -> Input | Layer:
    """Make a layer from its configuration.

    Parameters
    ----------
    config : dict
        The result of `get_config`: the kind of layer as `layer`, and its parameters.

    Returns
    -------
    Input or Layer
        A layer that is not part of a network.

    Examples
    --------
    >>> import cynn
    >>> cynn.layers.from_config(cynn.Dense(3, "relu").get_config())
    Dense(3, activation=ReLU())
    """
    check_config(config, "layer", optional=config)
    if not isinstance(config.get("layer"), str):
        raise InvalidParameterError(
            f"A layer's description must name its kind as 'layer'. Got {shown(config)} instead."
        )
    found: Input | Layer = registry.layers.get(config)
    return found


def of_network(config: Any) -> list[Input | Layer]:
    """Make the input and the layers from the configuration of a network, after checking it.

    Parameters
    ----------
    config : dict
        The result of `Network.get_config`.

    Returns
    -------
    list of Input and Layer
        The input and the layers, which are not part of a network.
    """
    optional = ["compute", "regularizer", "sources", "outputs", "feature_names", "classes"]
    check_config(config, "network", ["layers", "seed", "dtype"], optional)
    if not isinstance(config["layers"], list):
        raise InvalidParameterError(
            f"The layers of a network's configuration must be a list. Got {shown(config['layers'])} instead."
        )
    return [from_config(layer) for layer in config["layers"]]
