"""CyNN, by its public face: all that `fit` and `predict` do is in the time."""

from __future__ import annotations

from typing import Any

import cynn
from benchmarks import data as data_of
from benchmarks.data import Data
from benchmarks.workloads import Workload


class CynnPeer:
    version = cynn.__version__

    def __init__(self, workload: Workload, data: Data, n_threads: int) -> None:
        cynn.set_num_threads(n_threads)
        self.workload, self.data = workload, data
        self.net = data_of.network(workload, data.scale)
        optimizers = {"sgd": cynn.optimizers.SGD, "adam": cynn.optimizers.Adam}
        self.optimizer = optimizers[workload.optimizer](learning_rate=workload.learning_rate)
        self.predict = self.net.predict

    def train(self, orders: list[Any]) -> None:
        """`fit` makes the orders itself, and they are the same."""
        workload = self.workload
        self.net.fit(
            self.data.x,
            self.data.y,
            loss=workload.loss,
            optimizer=self.optimizer,
            epochs=workload.epochs,
            batch_size=workload.batch,
            shuffle=workload.shuffle,
            progress=False,
        )

    def parameters(self) -> list[Any]:
        return [(layer.weights, layer.biases) for layer in self.net.layers]


create = CynnPeer
