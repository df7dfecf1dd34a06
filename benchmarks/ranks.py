"""A step of L on several ranks of MPI, and a model of it for more ranks than there are.

A step on p ranks takes

    alone / min(p, PIECES) + exchanges * latency * log2(p) + bytes * (p - 1) / p / rate

where `alone` is the step on one rank, `bytes` what all ranks together have to tell the others, and the rest is measured
with two ranks: exchanges of a step and their bytes are counted, the latency is that of an exchange of 8 bytes, and the
rate that of one as large as the weights. Messages travel as in a tree, so that their latency grows with log2(p), and
each rank gets the bytes of all others.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from benchmarks.table import Table

SIZES, BATCH, STEPS = (784, 1024, 1024, 10), 256, 20
RANKS = (1, 2, 4, 8, 64, 1_000)
# The tiles of 32 rows, the columns of a layer and the blocks of rows of the weights, which ranks share: more than
# eight have no more work, so that the model lets the rest wait.
PIECES = 8

SCRIPT = f"""
import json, statistics, time, numpy as np, cynn
from mpi4py import MPI
from cynn.training.communicator import Communicator

ranks, exchanged = MPI.COMM_WORLD, []
exchange = Communicator.exchange

def counted(self, arrays):
    exchanged.append(sum(array.itemsize * (borders[-1] - borders[0]) for array, borders in arrays))
    exchange(self, arrays)

def seconds(n_bytes):
    data, times = np.zeros(n_bytes, np.uint8), []
    borders = [n_bytes * rank // ranks.size for rank in range(ranks.size + 1)]
    for _ in range(30):
        ranks.Barrier()
        begin = time.perf_counter()
        exchange(own, [(data, borders)])
        times.append(time.perf_counter() - begin)
    return statistics.median(times)

x = np.random.default_rng(0).random(({BATCH * STEPS}, {SIZES[0]}), np.float32)
y = np.arange(len(x)) % {SIZES[-1]}
net = cynn.Network.mlp({list(SIZES)}, output="softmax", seed=0)
options = dict(epochs=1, batch_size={BATCH}, optimizer="sgd", progress=False, communicator=ranks)
times = []
for _ in range(ROUNDS):
    ranks.Barrier()
    begin = time.perf_counter()
    net.fit(x, y, **options)
    times.append((time.perf_counter() - begin) / {STEPS})
Communicator.exchange = counted
net.fit(x, y, **options)
own = Communicator.of(ranks)
weights = sum(w.nbytes for w in net.get_weights())
latency, moved = seconds(8), seconds(weights)
if ranks.rank == 0:
    print(json.dumps(dict(
        step=statistics.median(times[1:]), latency=latency, rate=weights / 2 / max(moved - latency, 1e-9),
        exchanges=len(exchanged) / {STEPS}, bytes=sum(exchanged) / {STEPS},
    )))
"""


def measured(n: int, rounds: int) -> dict[str, Any]:
    """The seconds of a step on n ranks, and what the model needs."""
    mpiexec = Path(sysconfig.get_path("scripts"), "mpiexec")
    script = SCRIPT.replace("ROUNDS", str(rounds + 1))
    done = subprocess.run([mpiexec, "-n", str(n), sys.executable, "-c", script], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


class Model:
    """The time of a step on any number of ranks.

    Parameters
    ----------
    alone : float
        The seconds of a step on one rank.
    of_two : dict
        What `measured` found with two.
    """

    def __init__(self, alone: float, of_two: dict[str, float]) -> None:
        self.alone, self.latency, self.rate = alone, of_two["latency"], of_two["rate"]
        self.exchanges, self.bytes = of_two["exchanges"], of_two["bytes"]

    def parts(self, n: int) -> tuple[float, float, float]:
        """The seconds of the arithmetic, of the latency, and of the bytes."""
        latency = self.exchanges * self.latency * math.log2(n)
        return self.alone / min(n, PIECES), latency, self.bytes * (n - 1) / n / self.rate

    def step(self, n: int) -> float:
        """The seconds of a step."""
        return sum(self.parts(n))

    def table(self) -> Table:
        """How a step splits, by the number of ranks."""
        table = Table("A step of L by the model, ms", ["ranks", "arithmetic", "latency", "bytes", "step", "times"])
        for n in RANKS:
            cells = [f"{1e3 * part:.2f}" for part in (*self.parts(n), self.step(n))]
            table.rows.append([f"{n:,}", *cells, f"{self.alone / self.step(n):.2f}"])
        table.note = (
            f"{self.bytes / 1e6:.1f} MB in {self.exchanges:.0f} exchanges a step, {1e6 * self.latency:.0f} µs each, "
            f"at {self.rate / 1e9:.1f} GB/s."
        )
        return table
