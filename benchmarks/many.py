"""Many networks, and many processes: ``python -m benchmarks.many``.

Ratios of one run, medians of interleaved rounds:

- ``fleet``: 100 digit networks (784-16-16-10, batch 32, a learning rate of their own) by ``fit_many`` on two threads,
  beside the same one after the other on one thread, and beside JAX with ``jit(vmap(scan))`` where it is installed;
- ``threads``: fit_many, and one network, on 1, 2, 4, ... threads, up to the cores of this machine;
- ``search``: 64 candidates by successive halving with two Dask workers, beside the same in one process;
- ``ranks``: a step of L (784-1024-1024-10, batch 256) on two ranks of MPI, one thread each, beside one rank; and what
  the model of `benchmarks.ranks` says, whose constants are measured here, for more ranks than there are.

The machine must be quiet. Whatever is not installed is left out, and said.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import cynn
from benchmarks import ranks
from benchmarks.table import Table


class Found:
    """Pairs of times, in seconds."""

    def __init__(self) -> None:
        self.rows: list[list[str]] = []

    def add(self, what: str, first: float, second: float) -> None:
        """Add a pair, of which the second should be the shorter."""
        self.rows.append([what, f"{first * 1e3:,.2f}", f"{second * 1e3:,.2f}", f"{first / second:.2f}"])


# 188 steps for each network, which take it about 5 ms
NETWORKS, ROWS, BATCH = 100, 6_016, 32
RATES = np.geomspace(0.01, 1, NETWORKS)
SEARCH_ROWS = 30_000


def digits() -> tuple[Any, Any]:
    (x, y), _ = cynn.datasets.load_mnist()
    return (x[:ROWS] / np.float32(255)).astype(np.float32), y[:ROWS]


def fleet() -> list[cynn.Network]:
    sizes = [784, 16, 16, 10]
    return [cynn.Network.mlp(sizes, activation="sigmoid", output="softmax", seed=0) for _ in range(NETWORKS)]


def medians(rounds: int, *calls: Callable[[], Any]) -> list[float]:
    """The median seconds of each call, over interleaved rounds after one that warms up."""
    found: list[list[float]] = [[] for _ in calls]
    for round in range(rounds + 1):
        for call, times in zip(calls, found, strict=True):
            begin = time.perf_counter()
            call()
            if round:
                times.append(time.perf_counter() - begin)
    return [statistics.median(times) for times in found]


def optimizers() -> list[cynn.optimizers.SGD]:
    return [cynn.optimizers.SGD(learning_rate=float(rate)) for rate in RATES]


def train_fleet(networks: list[cynn.Network], x: Any, y: Any, n_threads: int) -> None:
    cynn.fit_many(networks, x, y, epochs=1, batch_size=BATCH, optimizer=optimizers(), n_threads=n_threads)


def train_in_turn(networks: list[cynn.Network], x: Any, y: Any) -> None:
    for network, optimizer in zip(networks, optimizers(), strict=True):
        network.fit(x, y, epochs=1, batch_size=BATCH, optimizer=optimizer, n_threads=1, progress=False)


def train_with_jax(x: Any, y: Any) -> Callable[[], Any]:
    """The same networks as one program: vmap over networks, scan over steps."""
    import jax
    import jax.numpy as jnp

    first = fleet()[0].get_weights()
    weights = [jnp.stack([jnp.asarray(w)] * NETWORKS) for w in first]
    targets, data, rates = jax.nn.one_hot(y, 10), jnp.asarray(x), jnp.asarray(RATES, jnp.float32)

    def loss(weights: Any, rows: Any, wanted: Any) -> Any:
        w1, b1, w2, b2, w3, b3 = weights
        a = jax.nn.sigmoid(jax.nn.sigmoid(rows @ w1 + b1) @ w2 + b2)
        return -(wanted * jax.nn.log_softmax(a @ w3 + b3)).sum(axis=1).mean()

    def train(weights: Any, rate: Any, order: Any) -> Any:
        def step(weights: Any, rows: Any) -> Any:
            slopes = jax.grad(loss)(weights, data[rows], targets[rows])
            return [w - rate * slope for w, slope in zip(weights, slopes, strict=True)], None

        return jax.lax.scan(step, weights, order.reshape(-1, BATCH))[0]

    many = jax.jit(jax.vmap(train))
    orders = jnp.stack([jnp.asarray(np.random.default_rng(k).permutation(ROWS)) for k in range(NETWORKS)])
    return lambda: jax.block_until_ready(many(weights, rates, orders))


def of_fleet(found: Found, rounds: int) -> None:
    x, y = digits()
    one, two = fleet(), fleet()
    calls: list[Callable[[], Any]] = [lambda: train_in_turn(one, x, y), lambda: train_fleet(two, x, y, 2)]
    if importlib.util.find_spec("jax"):
        calls.append(train_with_jax(x, y))
    else:
        print("fleet: no jax")
    in_turn, many, *jax = medians(rounds, *calls)
    found.add(f"{NETWORKS} networks, one after the other : fit_many on 2 threads", in_turn, many)
    if jax:
        found.add(f"{NETWORKS} networks, JAX : fit_many on 2 threads", jax[0], many)


def of_threads(found: Found, rounds: int) -> None:
    cores = len(os.sched_getaffinity(0))
    counts = [n for n in (1, 2, 4, 8, 16, 32, 64) if n <= cores]
    x, y = digits()
    networks = fleet()
    wide = cynn.Network.mlp(ranks.SIZES, output="softmax", seed=0)
    middle = cynn.Network.mlp([784, 128, 64, 10], output="softmax", seed=0)
    small = fleet()[0]
    large = np.tile(x, (5, 1))[:10_000].copy()
    cases: dict[str, Callable[[int], Any]] = {
        f"a fleet of {NETWORKS}": lambda n: train_fleet(networks, x, y, n),
        "L": lambda n: wide.fit(x, y, epochs=1, batch_size=ranks.BATCH, optimizer="sgd", n_threads=n, progress=False),
        "M": lambda n: middle.fit(x, y, epochs=10, batch_size=128, optimizer="sgd", n_threads=n, progress=False),
        "10,000 predictions": lambda n: [small.predict(large, n_threads=n) for _ in range(20)],
        "10,000 predictions of L": lambda n: wide.predict(large, n_threads=n),
    }
    for name, case in cases.items():
        times = medians(rounds, *[lambda n=n, case=case: case(n) for n in counts])
        for n, seconds in zip(counts[1:], times[1:], strict=True):
            found.add(f"{name}, 1 thread : {n} threads", times[0], seconds)


def of_search(found: Found, rounds: int) -> None:
    if not importlib.util.find_spec("distributed"):
        print("search: no distributed")
        return
    from distributed import Client, LocalCluster

    (x, y), _ = cynn.datasets.load_mnist()
    x, y = x[:SEARCH_ROWS] / np.float32(255), y[:SEARCH_ROWS]

    def search(executor: Any) -> None:
        cynn.search(
            build, SPACE, x, y, candidates=64, epochs=27, min_epochs=3, validation_split=0.2, executor=executor,
            n_threads=1,
        )  # fmt: skip

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        here, there = medians(rounds, lambda: search(None), lambda: search(client))
    found.add("search of 64 candidates, one process : 2 Dask workers", here, there)


SPACE = {"units": [16, 32, 64], "learning_rate": cynn.many.log_uniform(1e-3, 1)}


def build(units: int, learning_rate: float) -> Any:
    network = cynn.Network.mlp([784, units, 10], activation="sigmoid", output="softmax", seed=0)
    return network, {"optimizer": cynn.optimizers.SGD(learning_rate=learning_rate)}


def of_ranks(found: Found, rounds: int) -> None:
    if not importlib.util.find_spec("mpi4py"):
        print("ranks: no mpi4py")
        return
    alone, both = ranks.measured(1, rounds), ranks.measured(2, rounds)
    model = ranks.Model(alone["step"], both)
    found.add("a step of L, 1 rank : 2 ranks", alone["step"], both["step"])
    found.add("the same by the model", alone["step"], model.step(2))
    print(model.table().text())


CASES = {"fleet": of_fleet, "threads": of_threads, "search": of_search, "ranks": of_ranks}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", help=f"of {', '.join(CASES)}; all by default")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (default 5)")
    options = parser.parse_args()
    found = Found()
    for name in options.cases or CASES:
        CASES[name](found, options.rounds)
    print(Table("Many networks", ["first : second", "first, ms", "second, ms", "ratio"], found.rows).text())


if __name__ == "__main__":
    main()
