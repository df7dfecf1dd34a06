"""Networks from Keras."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from cynn import file_access, layers
from cynn.errors import InvalidParameterError, shown
from cynn.interop.adopter import Adopter
from cynn.interop.needed import needed
from cynn.interop.plan import Array
from cynn.network import Network

__all__ = ["adopt"]

#: Activations of Keras that have another name or parameters here.
_ACTIVATIONS: dict[str, Any] = {
    "linear": "identity",
    "silu": "swish",
    "hard_silu": "hard_swish",
    "hard_tanh": "hardtanh",
    "hard_shrink": "hardshrink",
    "soft_shrink": "softshrink",
    "tanh_shrink": "tanhshrink",
    "leaky_relu": {"name": "leaky_relu", "negative_slope": 0.2},
}
_SAME_NAME = {
    "celu", "elu", "exponential", "gelu", "hard_sigmoid", "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu",
    "sigmoid", "softmax", "softplus", "softsign", "sparse_plus", "squareplus", "tanh",
}  # fmt: skip


def adopt(model: Any) -> Network:
    """Make a network from a model of dense layers: `Sequential` or functional, without shared layers.

    Dense, the activations, Dropout, AlphaDropout, GaussianNoise, BatchNormalization, LayerNormalization, Normalization,
    Rescaling, PReLU, Add, Concatenate and models within the model. The weights are the same bits, the predictions
    equal up to rounding.

    Parameters
    ----------
    model : keras.Model, str or path
        A built model, with any backend, or the file of one, such as "digits.keras". Code in a file, as that of a
        `Lambda`, is not run.

    Returns
    -------
    Network
        It has the dtype of the model. Several outputs are a list, in the order of the model.

    Raises
    ------
    MissingDependencyError
        Keras is not installed.
    InvalidParameterError
        A layer has no counterpart: the message names it and its place, before anything is built. Or the file is no
        model of Keras.
    """
    keras = needed("keras", "keras")
    if isinstance(model, (str, os.PathLike)):
        model = _read(keras, model)
    if not isinstance(model, keras.Model) or not model.built or not hasattr(model, "inputs"):
        raise InvalidParameterError(
            "A model of Keras that is adopted must be a keras.Model that is built, Sequential or functional. "
            f"Got {shown(model)} instead."
        )
    shapes = [tuple(tensor.shape) for tensor in model.inputs]
    if len(shapes) != 1 or len(shapes[0]) != 2 or shapes[0][1] is None:
        raise InvalidParameterError(
            f"A model of Keras that is adopted must have one input, of rows of numbers. Got inputs of {shapes}."
        )
    adopter = Adopter(int(shapes[0][1]), "a model of Keras")
    found = _model(adopter, keras, model, 0, "")
    dtype = str(model.dtype_policy.compute_dtype)
    return adopter.network(found[0] if len(found) == 1 else found, "float64" if dtype == "float64" else "float32")


def _read(keras: Any, path: str | os.PathLike[str]) -> Any:
    """The model in a file. Code in it is not run."""
    path = file_access.as_path(path, "model", "keras.adopt")
    with file_access.open_regular(path):  # what cannot be opened is an OSError, as everywhere
        pass
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # of the archive, a class that is not known, or a Lambda
        raise InvalidParameterError(f"{path} must be a model of Keras. Got this instead: {error}") from error


def _model(adopter: Adopter, keras: Any, model: Any, value: int, place: str) -> list[int]:
    """Add a model that is called on a value. Returns the numbers of its outputs."""
    if isinstance(model, keras.Sequential):
        for layer in model.layers:
            value = _layer(adopter, keras, layer, [value], place)
        return [value]
    values: dict[int, int] = {id(tensor): value for tensor in model.inputs}
    for operation in model.operations:
        node = operation._inbound_nodes[0]
        sources = [values.get(id(tensor)) for tensor in node.input_tensors]
        if not sources:
            continue  # the input
        known = [source for source in sources if source is not None]
        if len(operation._inbound_nodes) > 1 or len(known) < len(sources):
            output = adopter.lack(f"{type(operation).__name__}, which is shared", f"{place}{operation.name}", 0)
        else:
            output = _layer(adopter, keras, operation, known, place)
        values |= {id(tensor): output for tensor in node.output_tensors}
    return [values.get(id(tensor), 0) for tensor in model.outputs]  # a layer without a counterpart has been noted


def _layer(adopter: Adopter, keras: Any, layer: Any, sources: list[int], place: str) -> int:
    """Add a layer. Returns the number of its output."""
    if isinstance(layer, keras.Model):
        return _model(adopter, keras, layer, sources[0], f"{place}{layer.name}/")[0]
    kind = type(layer).__name__
    make = _LAYERS.get(kind) if type(layer).__module__.startswith("keras.") else None
    found = None if make is None or (len(sources) > 1 and kind not in ("Add", "Concatenate")) else make(
        adopter, layer, sources
    )  # fmt: skip
    return adopter.lack(kind, f"{place}{layer.name}", sources[0]) if found is None else found


def _array(variable: Any) -> Array | None:
    """The array of a variable of any backend."""
    if variable is None:
        return None
    held = variable.detach() if hasattr(variable, "detach") else variable  # the tensor of a sum, such as with LoRA
    found: Array = np.asarray(held.numpy() if hasattr(held, "numpy") else held)
    return found.astype(np.float32) if found.dtype.name == "bfloat16" else found


def _activated(adopter: Adopter, function: Any, value: int) -> int | None:
    name = getattr(function, "__name__", type(function).__name__)
    is_theirs = str(function.__module__).startswith(("keras.activations", "keras.src.activations"))
    if not is_theirs or (name not in _ACTIVATIONS and name not in _SAME_NAME):
        return None
    return adopter.activation(value, _ACTIVATIONS.get(name, name))


def _dense(adopter: Adopter, layer: Any, sources: list[int]) -> int | None:
    W = _array(layer.kernel)
    if W is None or W.ndim != 2 or getattr(layer, "quantization_mode", None) is not None:
        return None
    return _activated(adopter, layer.activation, adopter.dense(sources[0], W, _array(layer.bias)))


def _batch_norm(adopter: Adopter, layer: Any, sources: list[int]) -> int:
    described = layers.BatchNorm(layer.momentum, layer.epsilon, use_scale=layer.scale, use_bias=layer.center)
    arrays = {name: _array(getattr(layer, name)) for name in ("gamma", "beta", "moving_mean", "moving_variance")}
    return adopter.add(described, sources, adopter.widths[sources[0]], **arrays)


def _layer_norm(adopter: Adopter, layer: Any, sources: list[int]) -> int:
    described = layers.LayerNorm(layer.epsilon, use_scale=layer.scale, use_bias=layer.center)
    arrays = {"gamma": _array(layer.gamma), "beta": _array(layer.beta)}
    return adopter.add(described, sources, adopter.widths[sources[0]], **arrays)


def _normalization(adopter: Adopter, layer: Any, sources: list[int]) -> int | None:
    mean, variance = (np.asarray(_array(each), np.float64).reshape(-1) for each in (layer.mean, layer.variance))
    n = adopter.widths[sources[0]]
    slope = 1 / np.maximum(np.sqrt(variance), 1e-7)
    if mean.size not in (1, n) or layer.invert:
        return None
    return adopter.affine_columns(sources[0], np.broadcast_to(mean, n), np.broadcast_to(slope, n))


def _rescaling(adopter: Adopter, layer: Any, sources: list[int]) -> int:
    n = adopter.widths[sources[0]]
    scale, offset = np.broadcast_to(layer.scale, n), np.broadcast_to(layer.offset, n)
    return adopter.affine_columns(sources[0], np.zeros(n), scale, offset)


def _relu(adopter: Adopter, layer: Any, sources: list[int]) -> int | None:
    most, slope, threshold = layer.max_value, float(layer.negative_slope), float(layer.threshold)
    if threshold or (most is not None and (slope or float(most) != 6)):
        return None
    f: Any = {"name": "leaky_relu", "negative_slope": slope} if slope else "relu" if most is None else "relu6"
    return adopter.activation(sources[0], f)


def _prelu(adopter: Adopter, layer: Any, sources: list[int]) -> int:
    return adopter.add(layers.PReLU(), sources, adopter.widths[sources[0]], alpha=_array(layer.alpha))


def _add(adopter: Adopter, layer: Any, sources: list[int]) -> int | None:
    widths = {adopter.widths[source] for source in sources}
    return adopter.add(layers.Add(), sources, adopter.widths[sources[0]]) if len(widths) == 1 else None


def _noise(adopter: Adopter, described: layers.Layer, sources: list[int]) -> int:
    return adopter.add(described, sources, adopter.widths[sources[0]])


_LAYERS: dict[str, Callable[[Adopter, Any, list[int]], int | None]] = {
    "Dense": _dense,
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "Normalization": _normalization,
    "Rescaling": _rescaling,
    "ReLU": _relu,
    "PReLU": _prelu,
    "Add": _add,
    "Concatenate": lambda adopter, layer, sources: adopter.concatenate(sources) if layer.axis in (1, -1) else None,
    "Activation": lambda adopter, layer, sources: _activated(adopter, layer.activation, sources[0]),
    "LeakyReLU": lambda adopter, layer, sources: adopter.activation(
        sources[0], {"name": "leaky_relu", "negative_slope": float(layer.negative_slope)}
    ),
    "ELU": lambda adopter, layer, sources: adopter.activation(
        sources[0], {"name": "elu", "alpha": float(layer.alpha)}
    ),
    "Softmax": lambda adopter, layer, sources: (
        adopter.activation(sources[0], "softmax") if layer.axis in (1, -1) else None
    ),
    "Dropout": lambda adopter, layer, sources: _noise(adopter, layers.Dropout(layer.rate), sources),
    "AlphaDropout": lambda adopter, layer, sources: _noise(adopter, layers.AlphaDropout(layer.rate), sources),
    "GaussianNoise": lambda adopter, layer, sources: _noise(adopter, layers.GaussianNoise(layer.stddev), sources),
    "Flatten": lambda adopter, layer, sources: sources[0],
    "Identity": lambda adopter, layer, sources: sources[0],
    "InputLayer": lambda adopter, layer, sources: sources[0],
}
