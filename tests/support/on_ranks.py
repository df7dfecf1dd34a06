"""Run by mpiexec on each rank: `python on_ranks.py SCENARIO FOLDER` trains, and prints what a test compares."""

import hashlib
import os
import signal
import sys

import derived
import numpy as np
from mpi4py import MPI

import cynn
from cynn_plugins.optimizers.whole import LAMB

RANKS = MPI.COMM_WORLD
GENERATOR = np.random.default_rng(0)
X = GENERATOR.standard_normal((500, 300)).astype(np.float32)
Y = GENERATOR.integers(0, 3, 500)


def mlp(*hidden, **options):
    return cynn.Network.mlp([300, *hidden, 3], output="softmax", seed=1, **options)


def penalized(*hidden):
    network = mlp(*hidden)
    network.regularizer = cynn.regularizers.L2(0.01)
    return network


class Squared(cynn.losses.Loss):
    """A loss in Python."""

    name = "squared"

    def value_and_gradient(self, prediction, target):
        return np.square(prediction - target).sum(axis=1), 2 * (prediction - target)


def with_norms():
    dense = cynn.Dense
    return cynn.Network(
        [cynn.Input(300), dense(64), cynn.BatchNorm(), cynn.Activation("relu"), cynn.Dropout(0.2), dense(32, "relu"),
         cynn.LayerNorm(), cynn.PReLU(), cynn.GLU(16), dense(3, "softmax")], seed=1,
    )  # fmt: skip


def with_methods():
    dense = cynn.Dense
    layers = [cynn.Input(300), dense(64, "tanh"), derived.Scaled(), dense(32, derived.Cubed()), dense(3, "softmax")]
    return cynn.Network(layers, seed=1)


def two_branches():
    h = cynn.Dense(40, "relu")(cynn.Input(300))
    both = cynn.Add()(h, cynn.Dense(40, "tanh")(h))
    return cynn.Network({"a": cynn.Dense(3, "softmax")(both), "b": cynn.Dense(1)(h)}, seed=1)


def batches(epoch):
    for begin in range(0, 400, 100):
        yield X[begin : begin + 60 + begin // 10], Y[begin : begin + 60 + begin // 10]


TWO = {"y": {"a": Y, "b": X[:, 0]}}
#: For each scenario a network, and what differs from the usual parameters of fit.
SCENARIOS = {
    "chain": (lambda: mlp(64, 32), {"metrics": ["accuracy"], "validation_split": 0.2}),
    "sgd": (lambda: mlp(64, 32), {"optimizer": "sgd"}),
    "float64": (lambda: mlp(64, dtype="float64"), {}),
    "wide": (lambda: mlp(1100, 1030), {"batch_size": 128, "epochs": 1}),
    "norms": (with_norms, {"metrics": ["accuracy"], "sample_weight": np.arange(500) % 4}),
    "clipped": (lambda: mlp(64, 32), {"optimizer": cynn.optimizers.Adam(global_clipnorm=0.01)}),
    "whole": (lambda: mlp(64, 32), {"optimizer": LAMB()}),
    "penalized": (lambda: penalized(40, 30), {"optimizer": cynn.optimizers.SGD(0.1, momentum=0.9)}),
    "python": (lambda: mlp(16), {"loss": Squared(), "metrics": ["accuracy"]}),
    "methods": (with_methods, {"metrics": ["accuracy"]}),
    "accumulated": (lambda: mlp(64), {"optimizer": cynn.optimizers.Adam(gradient_accumulation_steps=3, use_ema=True)}),
    "outputs": (two_branches, TWO),
    "batches": (lambda: mlp(64), {"x": batches, "y": None}),
    "transformed": (lambda: mlp(64), {"transform": lambda x, y, generator: (x + generator.normal(size=x.shape), y)}),
    "stopped": (lambda: mlp(16), {"callbacks": [cynn.callbacks.EarlyStopping("loss", min_delta=0.1)], "epochs": 30}),
    "threads": (lambda: mlp(256, 32), {"n_threads": 2, "batch_size": 250}),
}  # fmt: skip


def digest(network):
    slots = [slot for of_one in network._optimizer_state.slots for slot in of_one]
    arrays = [array.tobytes() for array in [*network.get_weights(), *slots]]
    history = {name: figures for name, figures in network.history.history.items() if name != "seconds"}
    return hashlib.sha256(b"".join([*arrays, repr(history).encode()])).hexdigest()


def fit(network, communicator=RANKS, **options):
    given = {"x": X, "y": Y, "epochs": 2, "batch_size": 100, "progress": False, "communicator": communicator} | options
    network.fit(given.pop("x"), given.pop("y"), **given)
    return digest(network)


def same_bits():
    """Each scenario on all ranks, against a fit of rank 0 alone."""
    for name, (build, options) in SCENARIOS.items():
        digests = RANKS.allgather(fit(build(), **options))
        print(name, set(digests) == {fit(build(), None, **options)}) if RANKS.rank == 0 else None


class EndAt(cynn.callbacks.Callback):
    """Ends rank 1 in an epoch: by an error, or by a signal."""

    def __init__(self, how, epoch):
        super().__init__()
        self.how, self.epoch = how, epoch

    def on_epoch_end(self, epoch, logs):
        if RANKS.rank == 1 and epoch == self.epoch:
            if self.how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise RuntimeError("the disk of this rank is full")


def ended(how):
    try:
        fit(mlp(16), epochs=1000, callbacks=[EndAt(how, 2)])
    except (cynn.CynnError, RuntimeError) as error:
        print(f"{RANKS.rank}: {type(error).__name__}: {error}", flush=True)


def checkpoint(folder):
    """Stops after 2 of 4 epochs."""
    callbacks = [cynn.callbacks.StopAfter(2), cynn.callbacks.Checkpoint(f"{folder}/run.safetensors")]
    fit(with_norms(), epochs=4, callbacks=callbacks)


def resume(folder):
    callbacks = [cynn.callbacks.StopAfter(9), cynn.callbacks.Checkpoint(f"{folder}/run.safetensors")]
    ours = fit(with_norms(), epochs=4, callbacks=callbacks, resume=f"{folder}/run.safetensors")
    digests = RANKS.allgather(ours)
    alone = fit(with_norms(), None, epochs=4, callbacks=[cynn.callbacks.StopAfter(9)])
    print(set(digests) == {alone}) if RANKS.rank == 0 else None


def often():
    """More often than MPI has communicators at a time."""
    network = cynn.Network.mlp([2, 1], seed=0)
    for _ in range(2100):
        network.fit(np.zeros((4, 2)), np.zeros(4), epochs=1, progress=False, communicator=RANKS)
    print("done")


def refused():
    x = X.copy()
    x[7, 3] = np.nan
    tries = {
        "seed": lambda: fit(cynn.Network.mlp([300, 3], seed=RANKS.rank)),
        "epochs": lambda: fit(mlp(4), batch_size=32 + RANKS.rank),
        "seconds": lambda: fit(mlp(4), callbacks=[cynn.callbacks.Checkpoint("a", every_seconds=1)]),
        "row": lambda: fit(mlp(4), x=x),
        "rate": lambda: fit(cynn.Network.mlp([300, 3], seed=0), optimizer=cynn.optimizers.SGD(1e30)),
        "object": lambda: fit(mlp(4), communicator=3),
    }
    for name, attempt in tries.items():
        try:
            attempt()
            found = "no error"
        except cynn.CynnError as error:
            found = f"{type(error).__name__}: {error}"
        each = RANKS.gather(found)
        kinds = {one.partition(":")[0] for one in each} if RANKS.rank == 0 else None
        print(name, *kinds, each[0], sep="|", flush=True) if kinds else None


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
