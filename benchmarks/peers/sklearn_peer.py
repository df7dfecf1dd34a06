"""scikit-learn: `fit` for one epoch at a time, which costs less a step than `partial_fit`.

Its Adam begins anew with each `fit`, so that its weights come out a little different.
"""

from __future__ import annotations

import warnings
from typing import Any

import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from benchmarks.data import Data, initial_parameters
from benchmarks.workloads import Workload

warnings.simplefilter("ignore", ConvergenceWarning)


class SklearnPeer:
    version = sklearn.__version__

    def __init__(self, workload: Workload, data: Data, n_threads: int) -> None:
        self.workload, self.data = workload, data
        as_classes = workload.output == "softmax"
        # Its squared error is half the sum over the outputs, ours their mean.
        rate = workload.learning_rate if as_classes or not workload.trains else 2 / workload.sizes[-1]
        if not as_classes and workload.optimizer == "sgd":
            rate *= workload.learning_rate
        self.model = (MLPClassifier if as_classes else MLPRegressor)(
            hidden_layer_sizes=workload.sizes[1:-1],
            activation="logistic" if workload.activation == "sigmoid" else workload.activation,
            solver=workload.optimizer,
            learning_rate_init=rate,
            momentum=0,
            nesterovs_momentum=False,
            alpha=0,
            batch_size=workload.batch,
            shuffle=False,  # the rows come in their order
            max_iter=1 if workload.shuffle else workload.epochs,
            warm_start=True,
            tol=0,
            n_iter_no_change=10**9,
            random_state=0,
        )
        self._start()
        self.predict = self.model.predict_proba if as_classes else self.model.predict

    def _start(self) -> None:
        """A first step makes its arrays, which then take our weights."""
        data, batch = self.data, self.workload.batch
        x, y = self._taken(slice(0, max(batch, 100)))
        outputs = self.workload.sizes[-1]
        if self.workload.output == "softmax":
            y = (data.y if data.has_classes else range(len(data.x)))[: len(x)]
            y = [int(value) % outputs for value in y]
            y[:outputs] = range(outputs)  # every class, once
        elif outputs == 1:
            y = y.ravel()
        self.model.fit(x, y)
        for layer, (W, b) in enumerate(initial_parameters(self.workload)):
            self.model.coefs_[layer][...] = W
            self.model.intercepts_[layer][...] = b
        del self.model._optimizer

    def _taken(self, rows: Any) -> tuple[Any, Any]:
        data = self.data
        x, y = data.x[rows], data.y[rows]
        if x.dtype.name != self.workload.dtype:
            x = x.astype(self.workload.dtype)
            x *= data.scale
        return x, y

    def train(self, orders: list[Any]) -> None:
        if not self.workload.shuffle:
            self.model.fit(self.data.x, self.data.y)
            return
        flat = self.workload.sizes[-1] == 1
        for order in orders:
            x, y = self._taken(order)
            self.model.fit(x, y.ravel() if flat else y)

    def parameters(self) -> list[Any]:
        return list(zip(self.model.coefs_, self.model.intercepts_, strict=True))


create = SklearnPeer
