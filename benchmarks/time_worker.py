"""A process that trains one network with one library until it is accurate enough, and tells how long it took.

``python -m benchmarks.time_worker LIBRARY`` reads a recipe of `benchmarks.time_to_accuracy` as JSON, and writes JSON:
the seconds of the imports, and for each epoch the seconds since them and the accuracy. What imports a library stands in
functions, so that no process imports more than its own.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

# Gets the accuracy after an epoch, and says whether to go on.
AfterEpoch = Callable[[float], bool]


class Data:
    """The digits as bytes, in files that the parent has written."""

    def __init__(self, folder: str) -> None:
        import numpy as np

        names = ("x", "y", "x_test", "y_test")
        self.x, self.y, self.x_test, self.y_test = (np.load(Path(folder, f"{name}.npy")) for name in names)

    def scaled(self) -> tuple[Any, Any]:
        """Both x as float32 from 0 to 1."""
        import numpy as np

        return self.x / np.float32(255), self.x_test / np.float32(255)


def with_cynn(recipe: dict[str, Any]) -> Callable[[Data, AfterEpoch], None]:
    import cynn

    class Watch(cynn.callbacks.Callback):
        def __init__(self, after_epoch: AfterEpoch) -> None:
            self.after_epoch = after_epoch

        def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
            self.stop_training = not self.after_epoch(logs["val_accuracy"])

    def train(data: Data, after_epoch: AfterEpoch) -> None:
        net = cynn.Network.mlp(
            recipe["sizes"], activation=recipe["activation"], output="softmax", input_scale=1 / 255,
            seed=recipe["seed"],
        )  # fmt: skip
        net.fit(
            data.x, data.y, optimizer=cynn.optimizers.Adam(learning_rate=recipe["learning_rate"]),
            batch_size=recipe["batch_size"], epochs=recipe["epochs"], metrics=["accuracy"],
            validation_data=(data.x_test, data.y_test), callbacks=[Watch(after_epoch)], progress=False,
        )  # fmt: skip

    return train


def with_torch(recipe: dict[str, Any]) -> Callable[[Data, AfterEpoch], None]:
    import torch
    from torch import nn

    def train(data: Data, after_epoch: AfterEpoch) -> None:
        torch.manual_seed(recipe["seed"])
        x, x_test = map(torch.from_numpy, data.scaled())
        y, y_test = torch.from_numpy(data.y).long(), torch.from_numpy(data.y_test).long()
        activation = {"sigmoid": nn.Sigmoid, "relu": nn.ReLU}[recipe["activation"]]
        sizes = recipe["sizes"]
        parts: list[nn.Module] = []
        for inputs, units in pairwise(sizes):
            parts += [nn.Linear(inputs, units), activation()]
        net = nn.Sequential(*parts[:-1])
        loss_of = nn.CrossEntropyLoss()
        optimizer = torch.optim.Adam(net.parameters(), lr=recipe["learning_rate"], fused=True)
        for _ in range(recipe["epochs"]):
            for rows in torch.randperm(len(x)).split(recipe["batch_size"]):  # quicker than a DataLoader
                optimizer.zero_grad()
                loss_of(net(x[rows]), y[rows]).backward()
                optimizer.step()
            with torch.no_grad():
                accuracy = (net(x_test).argmax(dim=1) == y_test).float().mean().item()
            if not after_epoch(accuracy):
                return

    return train


def with_keras(recipe: dict[str, Any]) -> Callable[[Data, AfterEpoch], None]:
    os.environ["KERAS_BACKEND"] = "jax"
    import keras

    class Watch(keras.callbacks.Callback):
        def __init__(self, after_epoch: AfterEpoch) -> None:
            super().__init__()
            self.after_epoch = after_epoch

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.model.stop_training = not self.after_epoch(logs["val_accuracy"])

    def train(data: Data, after_epoch: AfterEpoch) -> None:
        keras.utils.set_random_seed(recipe["seed"])
        inputs, *hidden, outputs = recipe["sizes"]
        layers = [keras.layers.Dense(units, activation=recipe["activation"]) for units in hidden]
        net = keras.Sequential(
            [keras.Input((inputs,)), *layers, keras.layers.Dense(outputs, activation="softmax")]
        )
        net.compile(
            keras.optimizers.Adam(recipe["learning_rate"]), loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
        )  # fmt: skip
        x, x_test = data.scaled()
        net.fit(
            x, data.y, batch_size=recipe["batch_size"], epochs=recipe["epochs"], verbose=0,
            validation_data=(x_test, data.y_test), callbacks=[Watch(after_epoch)],
        )  # fmt: skip

    return train


def with_jax(recipe: dict[str, Any]) -> Callable[[Data, AfterEpoch], None]:
    import jax
    import jax.numpy as jnp

    activation = {"sigmoid": jax.nn.sigmoid, "relu": jax.nn.relu}[recipe["activation"]]
    rate, batch = recipe["learning_rate"], recipe["batch_size"]

    def outputs(weights: Any, x: Any) -> Any:
        for W, b in weights[:-1]:
            x = activation(x @ W + b)
        W, b = weights[-1]
        return x @ W + b

    def loss(weights: Any, x: Any, y: Any) -> Any:
        return -(jax.nn.log_softmax(outputs(weights, x)) * jax.nn.one_hot(y, recipe["sizes"][-1])).sum(1).mean()

    def step(state: Any, x: Any, y: Any) -> Any:
        weights, m, v, t = state
        slopes, t = jax.grad(loss)(weights, x, y), t + 1
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, slopes)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, slopes)
        size = rate * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        weights = jax.tree.map(lambda w, m, v: w - size * m / (jnp.sqrt(v) + 1e-8), weights, m, v)
        return weights, m, v, t

    @jax.jit
    def epoch(state: Any, key: Any, x: Any, y: Any) -> Any:
        """One scan over the whole batches, and a step on the remaining rows."""
        order, whole = jax.random.permutation(key, len(x)), len(x) // batch * batch
        state, _ = jax.lax.scan(
            lambda state, rows: (step(state, x[rows], y[rows]), None), state, order[:whole].reshape(-1, batch)
        )
        rest = order[whole:]
        return step(state, x[rest], y[rest]) if len(rest) else state

    @jax.jit
    def accuracy_of(weights: Any, x: Any, y: Any) -> Any:
        return (outputs(weights, x).argmax(axis=1) == y).mean()

    def train(data: Data, after_epoch: AfterEpoch) -> None:
        key = jax.random.key(recipe["seed"])
        sizes, weights = recipe["sizes"], []
        for inputs, units in pairwise(sizes):
            key, own = jax.random.split(key)
            limit = (6 / (inputs + units)) ** 0.5
            weights.append((jax.random.uniform(own, (inputs, units), minval=-limit, maxval=limit), jnp.zeros(units)))
        zeros = jax.tree.map(jnp.zeros_like, weights)
        state = (weights, zeros, zeros, 0.0)
        x, x_test = map(jnp.asarray, data.scaled())
        y, y_test = jnp.asarray(data.y), jnp.asarray(data.y_test)
        for _ in range(recipe["epochs"]):
            key, own = jax.random.split(key)
            state = epoch(state, own, x, y)
            if not after_epoch(float(accuracy_of(state[0], x_test, y_test))):
                return

    return train


def with_sklearn(recipe: dict[str, Any]) -> Callable[[Data, AfterEpoch], None]:
    from sklearn.neural_network import MLPClassifier

    def train(data: Data, after_epoch: AfterEpoch) -> None:
        net = MLPClassifier(
            recipe["sizes"][1:-1], activation={"sigmoid": "logistic"}.get(recipe["activation"], recipe["activation"]),
            learning_rate_init=recipe["learning_rate"], batch_size=recipe["batch_size"], alpha=0,
            random_state=recipe["seed"],
        )  # fmt: skip
        x, x_test = data.scaled()
        for _ in range(recipe["epochs"]):
            net.partial_fit(x, data.y, classes=range(recipe["sizes"][-1]))  # one epoch
            if not after_epoch(net.score(x_test, data.y_test)):
                return

    return train


#: By the package that must be there.
LIBRARIES = {
    "cynn": with_cynn, "torch": with_torch, "keras": with_keras, "jax": with_jax, "sklearn": with_sklearn,
}  # fmt: skip


def main() -> None:
    recipe = json.loads(sys.stdin.read())
    began = time.perf_counter()
    train = LIBRARIES[sys.argv[1]](recipe)
    imported = time.perf_counter()
    epochs: list[tuple[float, float]] = []

    def after_epoch(accuracy: float) -> bool:
        epochs.append((time.perf_counter() - imported, float(accuracy)))
        return accuracy < recipe["target"]

    train(Data(recipe["folder"]), after_epoch)
    print(json.dumps({"imports": imported - began, "epochs": epochs}))


if __name__ == "__main__":
    main()
