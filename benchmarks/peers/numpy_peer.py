"""NumPy with all buffers allocated beforehand, and all parameters in one array."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.data import Data, initial_parameters
from benchmarks.workloads import Workload

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


class NumpyPeer:
    version = np.__version__

    def __init__(self, workload: Workload, data: Data, n_threads: int) -> None:
        self.workload, self.data = workload, data
        self.dtype = np.dtype(workload.dtype)
        count = sum((inputs + 1) * units for inputs, units in pairwise(workload.sizes))
        arrays = (np.zeros(count, self.dtype) for _ in range(5))
        self.all, self.all_grads, self.scratch, self.m, self.v = arrays
        self.weights, self.grads = _views(self.all, workload.sizes), _views(self.all_grads, workload.sizes)
        for (W, b), (W0, b0) in zip(self.weights, initial_parameters(workload), strict=True):
            W[...], b[...] = W0, b0
        self.t = 0
        batch = workload.batch
        self.x = np.empty((batch, workload.sizes[0]), self.dtype)
        self.x_bytes = np.empty(self.x.shape, np.uint8)
        self.scale = self.dtype.type(data.scale)
        self.a, self.delta, self.slope = (
            [np.empty((batch, u), self.dtype) for u in workload.sizes[1:]] for _ in range(3)
        )
        self.column = np.empty((batch, 1), self.dtype)
        self.target = np.empty((batch, workload.sizes[-1]), self.dtype)
        self.row = np.arange(batch)

    def train(self, orders: list[Any]) -> None:
        data = self.data
        for order in orders:
            for rows in order.reshape(-1, self.workload.batch):
                x, y = data.x, data.y
                if self.workload.shuffle:
                    # clip: with the default mode, take would go through a buffer of its own
                    if x.dtype == np.uint8:
                        np.take(x, rows, axis=0, out=self.x_bytes, mode="clip")
                        np.multiply(self.x_bytes, self.scale, out=self.x, dtype=self.dtype)
                    else:
                        np.take(x, rows, axis=0, out=self.x, mode="clip")
                    x = self.x
                    y = data.y[rows] if data.has_classes else np.take(y, rows, 0, self.target, "clip")
                self._step(x, y)

    def _forward(self, x: Any) -> Any:
        for layer, ((W, b), a) in enumerate(zip(self.weights, self.a, strict=True), start=1):
            np.dot(x, W, out=a)
            a += b
            if layer < len(self.a):
                _ACTIVATIONS[self.workload.activation](a)
            x = a
        if self.workload.output == "softmax":
            np.max(x, axis=1, keepdims=True, out=self.column)
            x -= self.column
            np.exp(x, out=x)
            np.sum(x, axis=1, keepdims=True, out=self.column)
            x /= self.column
        return x

    def _step(self, x: Any, y: Any) -> None:
        a, delta = self._forward(x), self.delta[-1]
        if self.data.has_classes:
            delta[...] = a
            delta[self.row, y] -= 1
            delta /= len(x)
        else:
            np.subtract(a, y, out=delta)
            delta *= 2 / a.size
        for layer in reversed(range(len(self.a))):
            dW, db = self.grads[layer]
            delta = self.delta[layer]
            np.dot((self.a[layer - 1] if layer else x).T, delta, out=dW)
            np.sum(delta, axis=0, out=db)
            if layer:
                np.dot(delta, self.weights[layer][0].T, out=self.delta[layer - 1])
                _SLOPES[self.workload.activation](self.a[layer - 1], self.slope[layer - 1])
                self.delta[layer - 1] *= self.slope[layer - 1]
        self._update()

    def _update(self) -> None:
        g, scratch, rate = self.all_grads, self.scratch, self.workload.learning_rate
        if self.workload.optimizer == "sgd":
            np.multiply(g, rate, out=scratch)
            self.all -= scratch
            return
        self.t += 1
        self.m *= BETA1
        np.multiply(g, 1 - BETA1, out=scratch)
        self.m += scratch
        self.v *= BETA2
        np.multiply(g, g, out=g)
        g *= 1 - BETA2
        self.v += g
        np.multiply(self.v, 1 / (1 - BETA2**self.t), out=scratch)
        np.sqrt(scratch, out=scratch)
        scratch += EPSILON
        np.divide(self.m, scratch, out=scratch)
        scratch *= rate / (1 - BETA1**self.t)
        self.all -= scratch

    def predict(self, rows: Any) -> Any:
        return self._forward(rows)

    def parameters(self) -> list[Any]:
        return self.weights


def _views(flat: Any, sizes: tuple[int, ...]) -> list[Any]:
    """W and b of each layer, as parts of one array."""
    views, begin = [], 0
    for inputs, units in pairwise(sizes):
        middle, end = begin + inputs * units, begin + (inputs + 1) * units
        views.append((flat[begin:middle].reshape(inputs, units), flat[middle:end]))
        begin = end
    return views


def _sigmoid(a: Any) -> None:
    np.negative(a, out=a)
    np.exp(a, out=a)
    a += 1
    np.reciprocal(a, out=a)


def _sigmoid_slope(a: Any, out: Any) -> None:
    np.subtract(1, a, out=out)
    out *= a


def _tanh_slope(a: Any, out: Any) -> None:
    np.multiply(a, a, out=out)
    np.subtract(1, out, out=out)


_ACTIVATIONS = {
    "sigmoid": _sigmoid,
    "tanh": lambda a: np.tanh(a, out=a),
    "relu": lambda a: np.maximum(a, 0, out=a),
}
_SLOPES = {
    "sigmoid": _sigmoid_slope,
    "tanh": _tanh_slope,
    "relu": lambda a, out: np.greater(a, 0, out=out, casting="unsafe"),
}

create = NumpyPeer
