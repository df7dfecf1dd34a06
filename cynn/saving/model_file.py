"""Model files: safetensors, with the network's configuration in the metadata.

Reading a file runs no code from it. It contains numbers and a description in JSON; the names in that description
are looked up in the registry.
"""

from __future__ import annotations

import copy
import os
from typing import TYPE_CHECKING, Any, TypeVar

import numpy.typing as npt

from cynn import file_access, layers
from cynn.data import inputs
from cynn.errors import CynnError, ModelFileError, PluginError, UnknownNameError
from cynn.layers.builder import Builder
from cynn.saving import provenance, tensor_file
from cynn.version import __version__

if TYPE_CHECKING:
    from cynn.model import Model

__all__ = ["contents", "from_contents", "pickled", "read", "save"]

Array = npt.NDArray[Any]
M = TypeVar("M", bound="Model")

_FORMAT = "cynn"
_FORMAT_VERSION = 1


def save(network: Model, path: str | os.PathLike[str]) -> None:
    """Write a network to a file, atomically."""
    tensor_file.write(file_access.as_path(path, "path", "save"), *contents(network))


def contents(network: Model) -> tuple[dict[str, Array], dict[str, str]]:
    """The tensors and the metadata of a model file."""
    import json

    metadata = {
        "format": _FORMAT,
        "format_version": str(_FORMAT_VERSION),
        "cynn_version": __version__,
        # Without compute: a file is loaded on any machine.
        "network": json.dumps({name: part for name, part in network.get_config().items() if name != "compute"}),
        "plugins": json.dumps(provenance.record(network)),
    }
    with network._weights_lock.turn():  # so that all arrays are from the same step
        return {name: array.copy() for name, array in layers.arrays(network.layers)}, metadata


def pickled(network: Model) -> dict[str, Any]:
    """Return the state to pickle: the description of a network, and copies of everything that training changes."""
    state: dict[str, Any] = {
        "layers": [network.input, *network._composition.layers],
        "options": {
            "seed": network.seed,
            "dtype": network.dtype,
            "compute": network.compute,
            "regularizer": network.regularizer,
            "sources": network._composition.sources,
            "outputs": None if network._outputs.is_one else network._composition.outputs,
            "feature_names": network.feature_names,
            "classes": network.classes,
        },
    }
    with network._weights_lock.turn():  # so that all arrays are from the same step
        state["arrays"] = network.get_weights()
        state["history"] = network.history and network.history.copy()
        state["epochs_trained"] = network.epochs_trained
        state["optimizer_state"] = copy.copy(network._optimizer_state)
    return state


def read(path: str | os.PathLike[str], kind: type[M]) -> M:
    """Read the model in a model file or a checkpoint, as an object of that class: see `cynn.load`."""
    path = file_access.as_path(path, "path", "load")
    try:
        return from_contents(path, *tensor_file.read(path, "model file"), kind)
    except MemoryError as error:
        raise _bad(path, "a network for which there is memory", "one that is larger") from error


def from_contents(path: str, tensors: dict[str, Array], metadata: dict[str, str], kind: type[M]) -> M:
    """The model of such tensors and metadata, which are from that file."""
    config = _checked_config(path, metadata)
    if "training" in metadata:  # the file is a checkpoint
        tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith("training/")}
    network = _network(path, config, tensors, kind)
    for name, array in layers.arrays(network.layers):
        array[...] = tensors[name]
    return network


def _bad(path: str, allowed: str, got: str) -> ModelFileError:
    return tensor_file.bad(path, "model file", allowed, got)


def _checked_config(path: str, metadata: dict[str, str]) -> dict[str, Any]:
    if metadata.get("format") != _FORMAT:
        raise _bad(path, "a network saved by CyNN", f"the format {metadata.get('format')!r}")
    if metadata.get("format_version") != str(_FORMAT_VERSION):
        raise _bad(
            path,
            f"format version {_FORMAT_VERSION} (this is CyNN's; a newer CyNN may read it)",
            f"version {metadata.get('format_version')!r}",
        )
    config, plugins = _json(path, metadata, "network", "null"), _json(path, metadata, "plugins", "[]")
    if not isinstance(config, dict) or type(config.get("seed")) is not int:
        raise _bad(path, "the network's description, with its layers, seed and dtype", f"{str(config)[:200]}")
    if not isinstance(plugins, list) or not all(provenance.is_record(plugin) for plugin in plugins):
        raise _bad(path, "its plugins, each with kind, name, distribution and version", f"{str(plugins)[:200]}")
    return provenance.resolve(config, plugins)


def _json(path: str, metadata: dict[str, str], name: str, default: str) -> Any:
    try:
        return tensor_file.parsed(metadata.get(name, default))
    except ValueError as error:
        raise _bad(path, f"its {name} as JSON", str(error)) from error


def _network(path: str, config: dict[str, Any], tensors: dict[str, Array], kind: type[M]) -> M:
    """Build the network after its arrays have been checked: a wrong description must not allocate memory."""
    try:
        expected = _expected_arrays(config)
        for name in sorted(expected | tensors):
            if name not in expected or name not in tensors or expected[name].shape != tensors[name].shape:
                raise _bad(
                    path,
                    f"{name} of shape {expected[name].shape}" if name in expected else f"no tensor {name}",
                    f"shape {tensors[name].shape}" if name in tensors else "none",
                )
            if expected[name].dtype != tensors[name].dtype:
                raise _bad(path, f"{name} in {expected[name].dtype}", tensors[name].dtype.name)
        return kind.from_config(config)
    except (PluginError, UnknownNameError, ModelFileError):
        raise
    except CynnError as error:
        raise _bad(path, "a network that can be built", f"{type(error).__name__}: {error}") from error


def _expected_arrays(config: dict[str, Any]) -> dict[str, Array]:
    """Return the shapes and dtypes of all arrays of the network, as arrays that take no memory."""
    composition = layers.compose(layers.of_network(config), config.get("sources"), config.get("outputs"))
    builder = Builder(composition.input.units, inputs.check_dtype(config["dtype"]), 0, only_shapes=True)
    built, _ = composition.build(builder)
    return dict(layers.arrays(built))
