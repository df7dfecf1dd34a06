"""Networks and data for the tests, from seeded generators."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import reference

import cynn

Array = npt.NDArray[Any]

#: What float32 can hold of a sum of some hundred products, and float64 likewise.
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}


def network(
    sizes: Sequence[int], names: Sequence[Any], dtype: str = "float64", seed: int = 0
) -> cynn.Network:
    """A network of these sizes and activations, with random weights and biases."""
    layers = [cynn.Dense(units, name) for units, name in zip(sizes[1:], names, strict=True)]
    net = cynn.Network([cynn.Input(sizes[0]), *layers], seed=seed, dtype=dtype)
    generator = np.random.default_rng(seed)
    for layer in net.layers:
        layer.weights = generator.normal(size=layer.weights.shape) / np.sqrt(len(layer.weights))
        layer.biases = generator.normal(size=layer.biases.shape) / 4
    return net


def parameters(net: cynn.Network) -> list[tuple[Array, Array]]:
    """Copies of W and b of every layer, in float64."""
    return [(layer.weights.astype(np.float64), layer.biases.astype(np.float64)) for layer in net.layers]


def inputs(rows: int, columns: int, dtype: str = "float64", seed: int = 0) -> Array:
    return np.random.default_rng(seed + 1).normal(size=(rows, columns)).astype(dtype)


def targets(rows: int, outputs: int, loss: str, seed: int = 0) -> Array:
    """Targets that the loss takes: rows of probabilities, one-hot rows, or any numbers."""
    generator = np.random.default_rng(seed + 2)
    if loss == "binary_cross_entropy":
        return generator.uniform(size=(rows, outputs))
    if loss == "cross_entropy":
        return reference.one_hot(generator.integers(outputs, size=rows), outputs)
    return generator.normal(size=(rows, outputs))


def blobs(rows: int = 300, seed: int = 0) -> tuple[Array, Array]:
    """Three clouds of points in the plane, and which cloud each belongs to."""
    generator = np.random.default_rng(seed)
    y = np.arange(rows) % 3
    x = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])[y] + generator.normal(size=(rows, 2)) / 2
    return x, y


def classifier(seed: int = 0, dtype: str = "float32") -> cynn.Network:
    """A small network for `blobs`."""
    return cynn.Network.mlp([2, 8, 3], activation="tanh", output="softmax", seed=seed, dtype=dtype)


def digest(net: cynn.Network) -> str:
    """A hash of every bit of the weights, the biases and whatever else training changes."""
    parts = [array.tobytes() for _, array in cynn.layers.arrays(net.layers)]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def raw(net: cynn.Network) -> list[tuple[Array, Array]]:
    """Copies of W and b of every layer, as they are."""
    return [(layer.weights.copy(), layer.biases.copy()) for layer in net.layers]


def same_bits(first: list[tuple[Array, Array]], second: list[tuple[Array, Array]]) -> bool:
    return all(
        a.tobytes() == b.tobytes()
        for pair, other in zip(first, second, strict=True)
        for a, b in zip(pair, other, strict=True)
    )


def relative_error(found: Array, expected: Array) -> float:
    """The largest difference, relative to the largest number there is."""
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    assert found.shape == expected.shape
    if not expected.size:
        return 0.0
    return float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-30))


def same_weights(first, second):
    """Two networks have the same bits in all of their weights."""
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def kept(net: cynn.Network, way: str, tmp_path: Path) -> cynn.Network:
    """The network as it comes back: from a file ("save"), a pickle ("pickle"), or its config and weights ("config")."""
    if way == "save":
        net.save(tmp_path / "net.safetensors")
        return cynn.load(tmp_path / "net.safetensors")
    if way == "pickle":
        return pickle.loads(pickle.dumps(net))
    other = cynn.Network.from_config(net.get_config())
    other.set_weights(net.get_weights())
    return other
