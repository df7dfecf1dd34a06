"""What is measured: networks, data and steps, the same for every library."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

CYNN = "cynn"
BLAS = "blas"  # takes part in the rounds to say how fast matrix products are
PEERS = ("torch", "jax", "scikit-learn", "onnxruntime", "numpy")
PREDICTS_ONLY = ("onnxruntime",)


@dataclass(frozen=True)
class Contender:
    """A library with a number of threads."""

    peer: str
    n_threads: int

    @property
    def label(self) -> str:
        """How tables name it where a library takes part with several numbers of threads."""
        return f"{self.peer}, {self.n_threads} thread{'s' if self.n_threads > 1 else ''}"


@dataclass(frozen=True)
class Workload:
    """One network, and what is done with it in a round.

    A round of training is `epochs` times through `rows` rows, in steps of `batch` rows; a round of
    prediction is `calls` calls with `batch` rows each.
    """

    name: str
    sizes: tuple[int, ...]
    activation: str
    output: str
    batch: int
    data: str = "digits"
    rows: int = 0
    epochs: int = 1
    calls: int = 0
    loss: str = "cross_entropy"
    optimizer: str = "sgd"
    learning_rate: float = 0.1
    shuffle: bool = True
    dtype: str = "float32"
    n_threads: int = 1
    against_itself: tuple[int, ...] = ()  # numbers of threads, where CyNN is compared with CyNN

    @property
    def trains(self) -> bool:
        return self.calls == 0

    @property
    def steps(self) -> int:
        """Steps, or calls, in a round."""
        return self.epochs * (self.rows // self.batch) if self.trains else self.calls

    @property
    def contenders(self) -> list[Contender]:
        """Who may take part, CyNN first."""
        if self.against_itself:
            return [Contender(CYNN, n) for n in self.against_itself]
        peers = [peer for peer in PEERS if not (self.trains and peer in PREDICTS_ONLY)]
        return [Contender(peer, self.n_threads) for peer in (CYNN, *peers)]

    @property
    def measures_blas(self) -> bool:
        """Whether the rate of matrix products is measured next to it."""
        return not self.against_itself and self.batch > 1

    @property
    def products(self) -> list[tuple[str, int, int, int, bool, bool]]:
        """The matrix products of a step: name, m, n, k, whether A and whether B is transposed."""
        found = []
        for layer, (inputs, units) in enumerate(pairwise(self.sizes), start=1):
            found.append((f"forward {layer}", self.batch, units, inputs, False, False))
            if self.trains:
                found.append((f"dW {layer}", inputs, units, self.batch, True, False))
            if self.trains and layer > 1:
                found.append((f"dx {layer}", self.batch, inputs, units, False, True))
        return found

    @property
    def floating_point_operations(self) -> int:
        """Of the matrix products of a step; nothing else is counted."""
        return sum(2 * m * n * k for _, m, n, k, _, _ in self.products)

    @property
    def description(self) -> str:
        parts = ["-".join(map(str, self.sizes)), self.activation]
        if self.trains:
            parts += [{"cross_entropy": "softmax and cross-entropy"}.get(self.loss, "squared error")]
            parts += [{"sgd": "SGD", "adam": "Adam"}[self.optimizer]]
            parts += [f"batch {self.batch}" if self.batch < self.rows else f"all {self.batch} rows per step"]
        else:
            parts += ["predict " + ("one row" if self.batch == 1 else f"{self.batch:,} rows")]
        if self.dtype != "float32":
            parts.append(self.dtype)
        threads = self.against_itself or (self.n_threads,)
        counts = " and ".join(map(str, threads))
        return ", ".join([*parts, f"{counts} thread{'' if threads == (1,) else 's'}"])

    def quick(self) -> Workload:
        """The same with about a tenth of the steps a round."""
        rows = self.rows
        if self.trains and self.epochs == 1:
            rows = max(4, self.rows // self.batch // 10) * self.batch
        return replace(self, rows=rows, epochs=max(1, self.epochs // 10), calls=-(-self.calls // 10))


DIGITS = (784, 16, 16, 10)

_S = Workload("S", DIGITS, "sigmoid", "softmax", batch=10, rows=30_000)
_M = Workload("M", (784, 128, 64, 10), "relu", "softmax", batch=128, rows=300 * 128)
_L = Workload("L", (784, 1024, 1024, 10), "relu", "softmax", batch=256, rows=40 * 256)
_PREDICT = Workload("predict-1", DIGITS, "sigmoid", "softmax", batch=1, rows=64, calls=5_000)

_ALL = [
    _S,
    replace(_S, name="S32", batch=32, rows=1_500 * 32),
    _M,
    replace(_M, name="M2", n_threads=2),
    _L,
    replace(_L, name="L2", n_threads=2),
    Workload(
        "W", (16, 64, 64, 1), "tanh", "identity", batch=32, data="function", rows=312 * 32, epochs=10,
        loss="mean_squared_error", learning_rate=0.01,
    ),
    Workload(
        "C", (4, 32, 16, 4), "relu", "identity", batch=150, data="exponential", rows=150, epochs=10_000,
        loss="mean_squared_error", learning_rate=0.01, shuffle=False,
    ),
    _PREDICT,
    replace(_PREDICT, name="predict-1-small", sizes=(16, 64, 64, 4), data="function"),
    replace(_PREDICT, name="predict-10000", batch=10_000, rows=10_000, calls=20),
    replace(_M, name="M-float64", dtype="float64"),
    replace(_M, name="M-adam", optimizer="adam", learning_rate=0.001),
    replace(_S, name="S-adam", optimizer="adam", learning_rate=0.001),
    replace(_S, name="S-threads", rows=60_000, against_itself=(1, 2)),
    replace(_M, name="M-threads", against_itself=(1, 2)),
]  # fmt: skip

WORKLOADS = {workload.name: workload for workload in _ALL}
