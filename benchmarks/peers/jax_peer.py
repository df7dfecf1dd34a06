"""JAX: all steps of an epoch in one compiled scan, the parameters donated."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.data import Data, initial_parameters
from benchmarks.workloads import Workload

_ACTIVATIONS = {"sigmoid": jax.nn.sigmoid, "tanh": jnp.tanh, "relu": jax.nn.relu}
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


class JaxPeer:
    version = jax.__version__

    def __init__(self, workload: Workload, data: Data, n_threads: int) -> None:
        if workload.dtype == "float64":
            jax.config.update("jax_enable_x64", True)
        self.workload, self.data = workload, data
        self.x = jnp.asarray(data.x)
        self.y = jnp.asarray(data.y.astype(np.int32) if data.has_classes else data.y)
        self.weights = jax.tree.map(jnp.asarray, initial_parameters(workload))
        zeros = jax.tree.map(jnp.zeros_like, self.weights)
        slots = (zeros, jax.tree.map(jnp.copy, zeros)) if workload.optimizer == "adam" else ()
        self.state = (self.weights, slots, jnp.zeros((), jnp.int32))
        self.epochs = jax.jit(self._epochs, donate_argnums=0)
        self.forward = jax.jit(self._outputs)

    def _z(self, weights: Any, x: Any) -> Any:
        for W, b in weights[:-1]:
            x = _ACTIVATIONS[self.workload.activation](x @ W + b)
        W, b = weights[-1]
        return x @ W + b

    def _outputs(self, weights: Any, x: Any) -> Any:
        z = self._z(weights, x)
        return jax.nn.softmax(z) if self.workload.output == "softmax" else z

    def _loss(self, weights: Any, x: Any, y: Any) -> Any:
        z = self._z(weights, x)
        if not self.data.has_classes:
            return jnp.mean((z - y) ** 2)
        # A product with one-hot rows: its gradient is no scatter, which is slow on a CPU.
        target = jax.nn.one_hot(y, z.shape[1], dtype=z.dtype)
        return -jnp.mean(jnp.sum(jax.nn.log_softmax(z) * target, axis=1))

    def _step(self, x: Any, y: Any, state: Any, rows: Any) -> Any:
        weights, slots, t = state
        if self.workload.shuffle:
            take = partial(jnp.take, indices=rows, axis=0, mode="clip")  # no check of each index
            x, y = take(x), take(y)
        if x.dtype == jnp.uint8:
            x = x.astype(self.workload.dtype) * self.data.scale
        loss, grads = jax.value_and_grad(self._loss)(weights, x, y)
        rate, t = self.workload.learning_rate, t + 1
        if self.workload.optimizer == "sgd":
            weights = jax.tree.map(lambda w, g: w - rate * g, weights, grads)
        else:
            m = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, slots[0], grads)
            v = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, slots[1], grads)
            real = t.astype(self.workload.dtype)
            c1, c2 = 1 - BETA1**real, 1 - BETA2**real
            weights = jax.tree.map(
                lambda w, m, v: w - rate * (m / c1) / (jnp.sqrt(v / c2) + EPSILON), weights, m, v
            )
            slots = (m, v)
        return (weights, slots, t), loss

    def _epochs(self, state: Any, x: Any, y: Any, rows: Any) -> Any:
        return jax.lax.scan(partial(self._step, x, y), state, rows)

    def train(self, orders: list[Any]) -> None:
        rows = np.concatenate(orders).astype(np.int32).reshape(-1, self.workload.batch)
        self.state, losses = self.epochs(self.state, self.x, self.y, rows)
        jax.block_until_ready((self.state, losses))
        self.weights = self.state[0]

    def predict(self, rows: Any) -> Any:
        return np.asarray(self.forward(self.weights, rows))

    def parameters(self) -> list[Any]:
        return [(np.asarray(W), np.asarray(b)) for W, b in self.state[0]]


create = JaxPeer
