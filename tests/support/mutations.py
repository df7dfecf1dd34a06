"""Model files and checkpoints with something changed in them, and with a right checksum all the same."""

from __future__ import annotations

import copy
import json
import math
import random
from typing import Any

import numpy as np

from cynn.saving import tensor_file

#: What stands where something else should.
ODD: list[Any] = [
    *(None, True, False, 0, 1, -1, 2, 3, 7, 2**31 - 1, 2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63)),
    *(10**30, 10**400, 0.0, -0.0, 0.5, 1.5, -1e-300, 1e39, 1e300, math.inf, -math.inf, math.nan),
    *("", "a", "1", "NaN", "relu", "swish", "softmax", "dense", "residual", "adam", "float32", "float64", "cynn:relu"),
    *("\0", "\ud800", "é", "../x", "a" * 1000),
    *([], [None], [0], [1, 2], [[]], [[0]], ["a"], [1] * 100, {}, {"a": 1}, {"": None}),
    *({"name": "relu"}, {"name": []}, {"name": "constant"}, {"name": "l2", "l2": 1e300}),
    *({"layer": "dense", "units": 3}, {"layer": "input", "units": 2}, {"layer": "dropout", "rate": 0.5}),
    *({"layer": "add", "branches": [[], []]}, {"layer": "residual", "layers": []}),
]
DTYPES = ["BOOL", "U8", "I8", "I32", "I64", "U64", "F16", "BF16", "F32", "F64", "F8_E4M3"]


def _odd(generator: random.Random) -> Any:
    return copy.deepcopy(generator.choice(ODD))


class File:
    """The parts of a safetensors file: `header` and `data`; the JSON within the metadata is a tree, too."""

    JSON = ("network", "plugins", "training")

    def __init__(self, content: bytes) -> None:
        end = 8 + int.from_bytes(content[:8], "little")
        self.header: Any = json.loads(content[8:end])
        self.data = content[end:]
        metadata = self.header["__metadata__"]
        self.trees: dict[str, Any] = {name: json.loads(metadata[name]) for name in self.JSON if name in metadata}

    def content(self) -> bytes:
        """The bytes, with a checksum that is right wherever there can be one."""
        metadata = self.header.get("__metadata__") if isinstance(self.header, dict) else None
        if isinstance(metadata, dict):
            metadata.update({name: json.dumps(tree) for name, tree in self.trees.items()})
            if "sha256" in metadata:
                metadata["sha256"] = self._checksum({k: v for k, v in metadata.items() if k != "sha256"})
        header = json.dumps(self.header).encode()
        return len(header).to_bytes(8, "little") + header + self.data

    def _checksum(self, metadata: dict[str, Any]) -> str:
        tensors = {}
        try:
            for name, entry in self.header.items():
                if name != "__metadata__":
                    begin, end = entry["data_offsets"]
                    array = np.frombuffer(self.data[begin:end], tensor_file._DTYPES[entry["dtype"]])
                    tensors[name] = array.reshape(entry["shape"])
            return tensor_file._sha256(tensors, metadata)
        except Exception:
            return ""  # it cannot be read, so that nobody comes to the checksum


def mutated(whole: bytes, generator: random.Random) -> bytes:
    """A file in which one thing, or a few, are changed."""
    if generator.random() < 0.1:
        return _bytes(whole, generator)
    file = File(whole)
    for _ in range(generator.choice([1, 1, 1, 2, 5])):
        generator.choice([_tree, _tree, _tree, _tensor, _numbers, _metadata, _header])(file, generator)
    content = file.content()
    if generator.random() < 0.05:
        content = _bytes(content, generator)
    return content


def _bytes(content: bytes, generator: random.Random) -> bytes:
    changed = bytearray(content)
    at = generator.randrange(len(changed)) if generator.random() < 0.5 else generator.randrange(min(600, len(changed)))
    kind = generator.randrange(4)
    if kind == 0:
        changed[at] ^= 1 << generator.randrange(8)
    elif kind == 1:
        del changed[at : at + generator.randrange(1, 20)]
    elif kind == 2:
        changed[at:at] = generator.randbytes(generator.randrange(1, 20))
    else:
        changed[:8] = generator.choice([0, 1, 2**32, 2**63, 2**64 - 1, len(changed) - 8]).to_bytes(8, "little")
    return bytes(changed)


def _tree(file: File, generator: random.Random) -> None:
    if file.trees:
        name = generator.choice(list(file.trees))
        file.trees[name] = changed_tree(file.trees[name], generator)


def _metadata(file: File, generator: random.Random) -> None:
    metadata = file.header.get("__metadata__") if isinstance(file.header, dict) else None
    if not isinstance(metadata, dict) or not metadata:
        return
    name = generator.choice(list(metadata))
    file.trees.pop(name, None)
    if generator.random() < 0.3:
        del metadata[name]
    elif generator.random() < 0.3:
        metadata[name] = _odd(generator)
    else:
        text = str(metadata[name])
        at = generator.randrange(len(text) + 1)
        metadata[name] = generator.choice(
            [text[:at], text[:at] + generator.choice('{}[],:"0e\\ ') + text[at:], "[" * 5000, '{"a":' * 500, text * 2]
        )


def _header(file: File, generator: random.Random) -> None:
    file.header = changed_tree(file.header, generator)


def _entries(file: File) -> list[tuple[str, Any]]:
    header = file.header if isinstance(file.header, dict) else {}
    return [(name, entry) for name, entry in header.items() if name != "__metadata__" and isinstance(entry, dict)]


def _tensor(file: File, generator: random.Random) -> None:
    """Another name, dtype or shape, or none."""
    entries = _entries(file)
    if not entries:
        return
    name, entry = generator.choice(entries)
    shape = entry.get("shape")
    kind = generator.randrange(5)
    if kind == 0:
        entry["dtype"] = generator.choice(DTYPES)
    elif kind == 1 and isinstance(shape, list):
        entry["shape"] = generator.choice(
            [shape[::-1], [1, *shape], [*shape, 1], [math.prod(shape)], [1] * 1000, [0, 2**62], []]
            if all(isinstance(n, int) for n in shape)
            else [[]]
        )
    elif kind == 2:
        other = generator.choice(entries)[0]
        file.header[name], file.header[other] = file.header[other], entry
    else:
        del file.header[name]
        new = generator.choice(
            [f"{name}/0", f"{name}/x", "training/", "training", "training/optimizer/t", name[:-1], name + "0", "", "\0",
             "training/feed/sums", "training/callbacks/0/state/best", "layers.0.weights", "training/history/loss/0"]
        )  # fmt: skip
        if kind == 3:
            file.header[new] = entry


def _numbers(file: File, generator: random.Random) -> None:
    """Other numbers in a tensor."""
    entries = [entry for _, entry in _entries(file) if str(entry.get("dtype")) in tensor_file._DTYPES]
    if not entries:
        return
    entry = generator.choice(entries)
    try:
        begin, end = entry["data_offsets"]
        values = np.frombuffer(file.data[begin:end], tensor_file._DTYPES[entry["dtype"]]).copy()
        with np.errstate(all="ignore"):
            odd = np.array(generator.choice([np.nan, np.inf, -np.inf, 0.0, -1.0, 1e30, 255.0])).astype(values.dtype)
        values[generator.randrange(len(values)) :] = odd
        file.data = file.data[:begin] + values.tobytes() + file.data[end:]
    except (TypeError, ValueError, KeyError, IndexError):
        pass  # something else in it is changed already


def changed_tree(tree: Any, generator: random.Random) -> Any:
    """A tree with another value at one place, one less, one more, or two that are exchanged."""
    places = list(_places(tree))
    if not places or generator.random() < 0.02:
        return _odd(generator)
    container, key = generator.choice(places)
    kind = generator.randrange(8)
    if kind == 0:
        del container[key]
    elif kind == 1:
        value = json.loads(json.dumps(container[key]))
        if isinstance(container, list):
            container.insert(key, value)
        else:
            container[generator.choice([f"{key}_", "", "name", "layer", "units"])] = value
    elif kind == 2:
        other, place = generator.choice(places)
        if (isinstance(other, dict) and place in other) or (isinstance(other, list) and place < len(other)):
            container[key] = json.loads(json.dumps(other[place]))
    elif kind == 3:
        for _ in range(generator.choice([1, 2, 30, 75])):
            container[key] = generator.choice([[container[key]], {"layer": "residual", "layers": [container[key]]}])
    elif kind == 4 and type(container[key]) in (int, float):
        number = container[key]
        container[key] = generator.choice([number + 1, number - 1, -number, 10 * number])
    else:
        container[key] = _odd(generator)
    return tree


def _places(tree: Any) -> Any:
    waiting = [tree]
    while waiting:
        each = waiting.pop()
        if isinstance(each, (dict, list)):
            for key in each if isinstance(each, dict) else range(len(each)):
                yield each, key
                waiting.append(each[key])
