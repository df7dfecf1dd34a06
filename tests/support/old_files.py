"""The networks and the trainings of the files in tests/support/data, which an earlier version wrote.

`python tests/support/old_files.py FOLDER` writes such files with the version at hand.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import cynn
from cynn.callbacks import Checkpoint, CSVLogger, EarlyStopping, StochasticWeightAveraging, Timer
from cynn.schedules import CosineDecay, ReduceOnPlateau, WarmUp

EPOCHS = 4
X = np.stack([2 * (np.arange(30) % 4), np.arange(30) % 7], axis=1).astype(np.float64)
Y = np.arange(30) % 3


def network() -> cynn.Network:
    """With a layer of nearly every kind, and a plugin."""
    layers = [
        cynn.Input(2, scale=0.5),
        cynn.Embedding(4, 3, columns=0),
        cynn.Dense(4, "swish", regularizer="l2", constraint="max_norm", initializer="orthogonal"),
        cynn.BatchNorm(momentum=0.8),
        cynn.Residual([cynn.Dense(4, cynn.activations.LeakyReLU(0.1), use_bias=False), cynn.Dropout(0.2)]),
        cynn.layers.Concatenate([[], [cynn.layers.GLU(2), cynn.LayerNorm()]]),
        cynn.layers.Maxout(3, pieces=2),
        cynn.layers.PReLU(),
        cynn.Dense(3, "softmax"),
    ]
    return cynn.Network(layers, seed=2**63 + 5)


def of_two_outputs() -> cynn.Network:
    """No chain, in float64."""
    x = cynn.Input(2)
    h = cynn.Dense(4, "tanh")(x)
    outputs = {"kind": cynn.Dense(3, "softmax")(h), "size": cynn.Dense(1)(cynn.layers.Concatenate()(h, x))}
    return cynn.Network(outputs, seed=0, dtype="float64")


def batches(epoch: int) -> Iterator[Any]:
    """Three batches for the two outputs."""
    for rows in np.random.default_rng(epoch).integers(0, len(X), size=(3, 10)):
        yield X[rows], {"kind": Y[rows], "size": X[rows, 1]}


def stopping(folder: Path) -> dict[str, Any]:
    """A schedule that learns, and callbacks that do."""
    rate = WarmUp(ReduceOnPlateau(CosineDecay(0.01), monitor="loss"), warmup_steps=2)
    callbacks = [
        EarlyStopping(monitor="accuracy", patience=9, restore_best_weights=True), Timer(), CSVLogger(folder / "log.csv")
    ]  # fmt: skip
    return {
        "net": network(), "x": X, "y": Y, "batch_size": 10, "metrics": ["accuracy"], "callbacks": callbacks,
        "optimizer": cynn.optimizers.Adam(rate, global_clipnorm=1.0),
    }  # fmt: skip


def averaging(folder: Path) -> dict[str, Any]:
    """The mean of the weights of epochs."""
    return {"net": network(), "x": X, "y": Y, "batch_size": 10, "callbacks": [StochasticWeightAveraging(2)]}


def feeding(folder: Path) -> dict[str, Any]:
    """Batches that come one by one, and the moving average of the weights."""
    return {
        "net": of_two_outputs(), "x": batches, "metrics": {"kind": ["accuracy"]},
        "optimizer": cynn.optimizers.SGD(0.01, momentum=0.9, use_ema=True),
    }  # fmt: skip


TRAININGS = {"stopping": stopping, "averaging": averaging, "feeding": feeding}


def fit(net: cynn.Network, *, callbacks: Any = (), **options: Any) -> cynn.Network:
    net.fit(**options, callbacks=callbacks, epochs=EPOCHS, progress=False)
    return net


class Stopped(Exception):
    """The end of a training, as a kill would be."""


class StopAfterWriting(Checkpoint):
    """Ends the training once it has written step 7, in the middle of epoch 3."""

    def write(self, state: Any, place: Any) -> None:
        super().write(state, place)
        if place[1] == 7:
            raise Stopped


def write(folder: Path) -> None:
    """Write a model file and a checkpoint of each training."""
    folder.mkdir(exist_ok=True)
    network().save(folder / "model.safetensors")
    for name, options in TRAININGS.items():
        of_training = options(folder)
        checkpoint = StopAfterWriting(folder / f"{name}.safetensors", every_steps=7)
        try:
            fit(**{**of_training, "callbacks": [*of_training.get("callbacks", []), checkpoint]})
        except Stopped:
            (folder / "log.csv").unlink(missing_ok=True)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
