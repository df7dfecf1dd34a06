"""Checkpoint files: a model file that also holds the state of its training.

The state is one tree of dicts and lists. Its arrays are tensors of the file; the name of each is its path in the
tree, such as `training/optimizer/slots/0/1`. Everything else is JSON in the metadata.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cynn.components import schema
from cynn.errors import CheckpointError, InvalidParameterError
from cynn.saving import model_file, provenance, tensor_file

if TYPE_CHECKING:
    from cynn.model import Model

__all__ = ["check", "check_same", "read", "write"]

Array = npt.NDArray[Any]

_ROOT = "training"
_VERSION = "3"
_BEFORE_ROW_WEIGHTS = "2"  # see _convert_epoch
_KINDS = "biuf"  # the kinds of dtypes that both safetensors and NumPy have


def write(path: str, network: Model, state: Mapping[str, Any]) -> None:
    """Write a network and the state of its training. `state["plugins"]` are the plugins that take part in it."""
    import json

    tensors, metadata = model_file.contents(network)
    metadata["training_version"] = _VERSION
    state = dict(state)
    metadata["training_plugins"] = json.dumps(state.pop("plugins", []))
    metadata[_ROOT] = json.dumps(_without_arrays(state, _ROOT, tensors))
    tensor_file.write(path, tensors, metadata)


def read(path: str) -> dict[str, Any]:
    """Read the state of a training. `state["network"]` are the arrays of its network by name."""
    try:
        tensors, metadata = tensor_file.read(path, "checkpoint", needs_checksum=True)
    except OSError as error:
        raise CheckpointError(
            f"The 'resume' parameter of fit must be a checkpoint that can be read. Got {path!r} "
            f"instead: {error.strerror or error}. resume=True goes on where there is a checkpoint, and else begins."
        ) from error
    version = metadata.get("training_version")
    if version not in (_VERSION, _BEFORE_ROW_WEIGHTS):
        got = "a network alone" if version is None else f"version {version!r}"
        raise tensor_file.bad(path, "checkpoint", f"the state of a training in version {_VERSION}", got)
    try:
        state = tensor_file.parsed(metadata.get(_ROOT, "null"))
    except ValueError as error:
        raise tensor_file.bad(path, "checkpoint", "the state of a training as JSON", str(error)) from error
    if not isinstance(state, dict) or "network" in state:
        raise tensor_file.bad(path, "checkpoint", "the state of a training, by name", schema.in_words(state))
    state["network"] = {}
    for name, tensor in tensors.items():
        root, *place = name.split("/")
        if root != _ROOT:
            state["network"][name] = tensor
        elif not _put(state, place, tensor):
            raise tensor_file.bad(path, "checkpoint", "a place for every array", f"none for {name!r}")
    if version == _BEFORE_ROW_WEIGHTS:
        _convert_epoch(state.get("feed"))
    for name in ("plugins", "training_plugins"):
        provenance.check(_plugins(path, metadata.get(name, "[]")), stacklevel=6)
    return state


def _plugins(path: str, text: str) -> list[dict[str, str]]:
    try:
        plugins = tensor_file.parsed(text)
    except ValueError as error:
        raise tensor_file.bad(path, "checkpoint", "its plugins as JSON", str(error)) from error
    if not isinstance(plugins, list) or not all(provenance.is_record(plugin) for plugin in plugins):
        allowed = "its plugins, each with kind, name, distribution and version"
        raise tensor_file.bad(path, "checkpoint", allowed, str(plugins)[:200])
    return plugins


def _convert_epoch(feed: Any) -> None:
    """Convert the state of an epoch from version 2, which had no weights of rows for metrics.

    Its sums were rows, rows * penalty, and weight * loss and weight of each output.
    """
    if not isinstance(feed, dict):
        return
    if isinstance(feed.get("values"), list):
        feed.setdefault("weights", [None] * len(feed["values"]))
    sums = feed.get("sums")
    if not isinstance(sums, np.ndarray) or sums.ndim != 1 or sums.dtype != np.float64:
        return
    if len(sums) >= 4 and len(sums) % 2 == 0:
        rows, losses, weights = sums[0], sums[2::2], sums[3::2]
        means = np.divide(losses, weights, out=np.zeros_like(losses), where=weights != 0)
        feed["sums"] = np.concatenate([sums[:2], rows * means])


def check(path: str, state: Mapping[str, Any], expected: Any) -> None:
    """Raise a ModelFileError unless the state matches its schema."""
    try:
        schema.check(state, expected, "training")
    except schema.Mismatch as found:
        raise tensor_file.bad(path, "checkpoint", f"{found.allowed} at {found.place}", found.got) from None


def _without_arrays(value: Any, place: str, arrays: dict[str, Array]) -> Any:
    """Return the tree with None in place of every array, and add the arrays to `arrays`."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind in _KINDS and value.dtype.itemsize <= 8:
        arrays[place] = np.asarray(value, value.dtype.newbyteorder("="), order="C")
        return None
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _without_arrays(each, f"{place}/{_escaped(key)}", arrays) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_arrays(each, f"{place}/{number}", arrays) for number, each in enumerate(value)]
    raise InvalidParameterError(
        "What a checkpoint holds must be numbers, strings, None, arrays of numbers, and lists and dicts of these by "
        f"name. Got {value!r} at {place} instead."
    )


def _put(tree: Any, place: list[str], array: Array) -> bool:
    """Put an array in its place in the tree, where None is. Returns False if there is no such place."""
    inner = tree
    for step in place:
        tree, key = inner, _key(inner, step)
        if key is None:
            return False
        inner = tree[key]
    if not place or inner is not None:
        return False
    tree[key] = array
    return True


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")  # escaped as in a JSON pointer


def _key(tree: Any, step: str) -> Any:
    """Return the index or key for a part of a path in a list or a dict; None if there is none."""
    if isinstance(tree, list):
        is_number = re.fullmatch(r"0|[1-9][0-9]{0,9}", step)
        return int(step) if is_number and int(step) < len(tree) else None
    key = step.replace("~1", "/").replace("~0", "~")
    return key if isinstance(tree, dict) and key in tree else None


def check_same(path: str, saved: Any, given: Any) -> None:
    """Raise an error that names the first setting of a fit that has changed since the training began."""
    difference = _difference(saved, _without_arrays(given, "settings", {}), "")
    if difference is not None:
        name, was, got = difference
        raise InvalidParameterError(
            f"To go on from the checkpoint {path!r}, {name} must be {was!r}, as it was when the training "
            f"began. Got {got!r} instead."
        )


def _is_same_name(name: str, saved: Any, given: Any) -> bool:
    """Whether an older checkpoint, which has no packages of plugins, has the same name."""
    of_part = name.rpartition(".")[2] in ("name", "layer")
    return of_part and isinstance(given, str) and ":" in given and given.rpartition(":")[2] == saved


def _difference(saved: Any, given: Any, name: str) -> tuple[str, Any, Any] | None:
    pairs: Iterable[tuple[str, Any, Any]]
    if isinstance(saved, dict) and isinstance(given, dict) and set(saved) == set(given):
        pairs = ((f"{name}.{key}".lstrip("."), value, given[key]) for key, value in saved.items())
    elif isinstance(saved, list) and isinstance(given, list) and len(saved) == len(given):
        pairs = ((f"{name}[{n}]", *both) for n, both in enumerate(zip(saved, given, strict=True)))
    else:
        return None if saved == given or _is_same_name(name, saved, given) else (name, saved, given)
    found = (_difference(value, other, path) for path, value, other in pairs)
    return next((difference for difference in found if difference is not None), None)
