"""A file of several networks, with a description of what they are together.

It is one safetensors file. The tensors of network k are named `k/` and their name in its model file; its metadata are
JSON in the metadata, under its number. Reading such a file runs no code from it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from cynn import file_access
from cynn.errors import ModelFileError
from cynn.saving import model_file, tensor_file

if TYPE_CHECKING:
    from cynn.model import Model

__all__ = ["read", "save"]

M = TypeVar("M", bound="Model")

_MAX_NETWORKS = 100_000


def save(path: str | os.PathLike[str], format: str, networks: Sequence[Model], description: Any) -> None:
    """Write networks to a file, atomically.

    Parameters
    ----------
    path : str or path
    format : str
        What the file holds, such as "cynn ensemble".
    networks : list of Model
    description : object
        What else there is to say, as JSON can hold it.
    """
    import json

    tensors, metadata = {}, {"format": format, "format_version": "1", "networks": str(len(networks))}
    metadata["description"] = json.dumps(description)
    for number, network in enumerate(networks):
        own, of_network = model_file.contents(network)
        tensors.update({f"{number}/{name}": array for name, array in own.items()})
        metadata[str(number)] = json.dumps(of_network)
    tensor_file.write(file_access.as_path(path, "path", "save"), tensors, metadata)


def read(path: str | os.PathLike[str], format: str, kind: type[M]) -> tuple[list[M], Any]:
    """Read what `save` wrote: the networks, as objects of a class, and the description.

    Raises
    ------
    OSError
        The file cannot be read.
    ModelFileError
        It is no complete file of that format.
    """
    path = file_access.as_path(path, "path", "load")
    tensors, metadata = tensor_file.read(path, format, needs_checksum=True)
    if metadata.get("format") != format or metadata.get("format_version") != "1":
        got = f"{metadata.get('format')!r} in {metadata.get('format_version')!r}"
        raise _bad(path, f"a {format} in version 1", got, format)
    count = metadata.get("networks", "")
    if not count.isdecimal() or not 0 < int(count) <= _MAX_NETWORKS:
        raise _bad(path, "the number of its networks", repr(count[:200]), format)
    own: list[dict[str, Any]] = [{} for _ in range(int(count))]
    for name, tensor in tensors.items():
        place, _, inner = name.partition("/")
        if not place.isdecimal() or int(place) >= len(own):
            raise _bad(path, "tensors of its networks", repr(name), format)
        own[int(place)][inner] = tensor
    networks = []
    for number, of_network in enumerate(own):
        inner_metadata = _json(path, metadata, str(number), format)
        if not isinstance(inner_metadata, dict) or not all(isinstance(text, str) for text in inner_metadata.values()):
            raise _bad(path, f"the description of network {number}", str(inner_metadata)[:200], format)
        networks.append(model_file.from_contents(path, of_network, inner_metadata, kind))
    return networks, _json(path, metadata, "description", format)


def _json(path: str, metadata: dict[str, str], name: str, format: str) -> Any:
    try:
        return tensor_file.parsed(metadata.get(name, "null"))
    except ValueError as error:
        raise _bad(path, f"its {name} as JSON", str(error), format) from error


def _bad(path: str, allowed: str, got: str, format: str) -> ModelFileError:
    return tensor_file.bad(path, format, allowed, got)
