"""The data of a workload, the order of its rows, and the weights to begin with: equal in every process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

import cynn
from benchmarks.workloads import Workload
from cynn.engine import randomness

SEED = 1
SCALE = 1 / 255  # of the digits, which are bytes

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Data:
    """x, of bytes for the digits, else of the workload's dtype; y, classes or values, for training."""

    x: Array
    y: Array
    scale: float

    @property
    def has_classes(self) -> bool:
        return self.y.ndim == 1


def load(workload: Workload) -> Data:
    """The rows of a round."""
    n, dtype = workload.rows, workload.dtype
    if workload.data == "digits":
        (x, classes), _ = cynn.datasets.load_mnist()
        if not workload.trains:
            return Data(np.ascontiguousarray(x[:n] * np.float32(SCALE), dtype), classes[:n], 1.0)
        return Data(x[:n].copy(), classes[:n].astype(np.int64), SCALE)
    generator = np.random.default_rng(SEED)
    x = generator.normal(size=(n, workload.sizes[0]))
    if workload.data == "function":
        y = np.sin(x @ generator.normal(size=(x.shape[1], workload.sizes[-1])))
    else:
        y = _exponential(x.reshape(-1, 2, 2)).reshape(n, 4)
        y /= y.std()
    return Data(x.astype(dtype), y.astype(dtype), 1.0)


def _exponential(matrices: Array) -> Array:
    """exp of each matrix, by its series."""
    term = total = np.broadcast_to(np.eye(2), matrices.shape)
    for k in range(1, 40):
        term = term @ matrices / k
        total = total + term
    return total


def orders(workload: Workload, first_epoch: int) -> Iterator[Array]:
    """The order of the rows in every epoch of a round: the one in which CyNN takes them by itself."""
    for epoch in range(first_epoch, first_epoch + workload.epochs):
        if workload.shuffle:
            yield randomness.permutation(workload.rows, SEED, randomness.Purpose.SHUFFLE, epoch)
        else:
            yield np.arange(workload.rows)


def network(workload: Workload, scale: float) -> cynn.Network:
    """CyNN's network; the others begin with its weights."""
    return cynn.Network.mlp(
        workload.sizes, activation=workload.activation, output=workload.output, input_scale=scale, seed=SEED,
        dtype=workload.dtype,
    )  # fmt: skip


def initial_parameters(workload: Workload) -> list[tuple[Array, Array]]:
    """W of shape (inputs, units) and b of every layer."""
    layers = network(workload, 1.0).layers
    return [(np.array(layer.weights), np.array(layer.biases)) for layer in layers]


def loss(workload: Workload, data: Data, parameters: list[tuple[Array, Array]]) -> float:
    """Of the first rows, with these weights, in float64: whether all libraries have learned the same."""
    a = data.x[:1000] * np.float64(data.scale)
    y = data.y[:1000]
    for layer, (W, b) in enumerate(parameters, start=1):
        z = a @ np.asarray(W, np.float64) + b
        a = z if layer == len(parameters) else _ACTIVATIONS[workload.activation](z)
    if not data.has_classes:
        return float(np.mean((a - y) ** 2))
    a = a - a.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(a).sum(axis=1)) - a[np.arange(len(a)), y]))


_ACTIVATIONS = {
    "sigmoid": lambda z: 0.5 * (1 + np.tanh(z / 2)),
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
}
