"""One module a library, each with a `create(workload, data, n_threads)` that returns a `Peer`."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any, Protocol

import numpy.typing as npt

from benchmarks.data import Data
from benchmarks.workloads import Workload

Array = npt.NDArray[Any]


class Peer(Protocol):
    """A library with the network of a workload."""

    version: str

    def train(self, orders: list[Array]) -> None:
        """One epoch for each order of the rows, in steps of the workload's batch; all done at the end."""

    def predict(self, rows: Array) -> Array:
        """The outputs for rows, from a NumPy array to a NumPy array."""

    def parameters(self) -> list[tuple[Array, Array]]:
        """W of shape (inputs, units) and b of every layer."""


class _Module(Protocol):
    def create(self, workload: Workload, data: Data, n_threads: int) -> Peer: ...


_MODULES = {
    "cynn": ("cynn", "cynn_peer"),
    "torch": ("torch", "torch_peer"),
    "jax": ("jax", "jax_peer"),
    "scikit-learn": ("sklearn", "sklearn_peer"),
    "onnxruntime": ("onnxruntime", "onnxruntime_peer"),
    "numpy": ("numpy", "numpy_peer"),
}


def is_installed(peer: str) -> bool:
    """Whether the library can be imported; it is not."""
    found = importlib.util.find_spec(_MODULES[peer][0]) is not None
    return found and (peer != "onnxruntime" or importlib.util.find_spec("onnx") is not None)


def create(peer: str, workload: Workload, data: Data, n_threads: int) -> Peer:
    """Import the library and make its network."""
    # each of the modules has what the protocol says
    module: _Module = importlib.import_module(f"benchmarks.peers.{_MODULES[peer][1]}")  # type: ignore[assignment]
    return module.create(workload, data, n_threads)
