"""Derivatives beside those of JAX and PyTorch: ``python -m benchmarks.derivatives``.

Each case is a row of the table: what is computed, what it is compared with, and how many times as fast it must be.
Short runs of both sides alternate, and the least of each counts, so that other processes disturb little. Between them
runs a product of the BLAS on two threads: the last column is the share of its rate that a case reaches.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

import cynn
from benchmarks import machine
from cynn.kernels import blas


@dataclass
class Case:
    """What is measured, and beside what."""

    what: str
    run: Callable[[], Any]
    against: str
    other: Callable[[], Any] | None  # None: it is not installed
    at_least: float  # how many times as fast
    multiply_adds: float = 0.0
    calls: int = 1  # in a run


SIDE = 384  # of the matrices of the product that is the yardstick: it takes about as long as a case
THREADS = 2  # as those of cases with many rows

CASES: list[Callable[[], Case]] = []


def case(make: Callable[[], Case]) -> Callable[[], Case]:
    """Add a case to the table."""
    CASES.append(make)
    return make


def network() -> cynn.Network:
    return cynn.Network.mlp([16, 64, 64, 4], activation="tanh", seed=0)


def rows(n: int) -> Any:
    return np.random.default_rng(0).normal(size=(n, 16)).astype(np.float32)


def function_of_jax(net: cynn.Network) -> Callable[[Any], Any]:
    """The same network of one row."""
    import jax

    weights = [jax.numpy.asarray(array) for array in net.get_weights()]

    def f(x: Any) -> Any:
        for k in range(0, len(weights), 2):
            x = x @ weights[k] + weights[k + 1]
            x = jax.numpy.tanh(x) if k + 2 < len(weights) else x
        return x

    return f


def jacobian_of_jax(net: cynn.Network, x: Any) -> Callable[[], Any] | None:
    """The same by `jax.jit`, with `vmap` for many rows; None without JAX."""
    try:
        import jax
    except ImportError:
        return None
    jacobian = jax.jacrev(function_of_jax(net))
    compiled = jax.jit(jacobian if x.ndim == 1 else jax.vmap(jacobian))
    given = jax.numpy.asarray(x)
    np.testing.assert_allclose(compiled(given), net.jacobian(x), atol=1e-5)
    return lambda: compiled(given).block_until_ready()


MULTIPLY_ADDS = 16 * 64 + 64 * 64 + 64 * 4 + 4 * (64 * 64 + 64 * 16)  # of a row: the last layer's W is its Jacobian


@case
def jacobian_of_one_row() -> Case:
    net, x = network(), rows(1)[0]
    return Case("Jacobian of one row, 16-64-64-4", lambda: net.jacobian(x), "JAX, jit", jacobian_of_jax(net, x),
                3.5, MULTIPLY_ADDS, 200)  # fmt: skip


@case
def jacobian_of_1000_rows() -> Case:
    net, x = network(), rows(1000)
    return Case("Jacobians of 1,000 rows, 2 threads", lambda: net.jacobian(x, n_threads=2), "JAX, jit(vmap)",
                jacobian_of_jax(net, x), 1.5, 1000 * MULTIPLY_ADDS, 2)  # fmt: skip


def hessian_of_jax(net: cynn.Network, x: Any) -> Callable[[], Any] | None:
    """The same by `jax.jit` and `vmap`; None without JAX."""
    try:
        import jax
    except ImportError:
        return None
    compiled, given = jax.jit(jax.vmap(jax.hessian(function_of_jax(net)))), jax.numpy.asarray(x)
    np.testing.assert_allclose(compiled(given), net.hessian(x), atol=1e-4)
    return lambda: compiled(given).block_until_ready()


@case
def hessian_of_1000_rows() -> Case:
    net, x = cynn.Network.mlp([16, 64, 64, 1], activation="tanh", seed=0), rows(1000)
    forward = 16 * 64 + 64 * 64 + 64
    # forward and backward; the second layer along 16 inputs; half a matrix of 16 x 16 for each unit of an activation
    of_row = 2 * forward + 16 * 64 * 64 + 2 * 64 * 16 * 17 // 2
    return Case("Hessians of one output, 16-64-64-1, 1,000 rows, 2 threads", lambda: net.hessian(x, n_threads=2),
                "JAX, jit(vmap)", hessian_of_jax(net, x), 1.0, 1000 * of_row, 2)  # fmt: skip


def steps_of_torch(net: cynn.Network, x: Any, y: Any, dy_dx: Any, batch: int) -> Callable[[], Any] | None:
    """An epoch of steps on derivatives by double backward; None without PyTorch."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(2)
    own = cynn.interop.torch.export(net)
    optimizer = torch.optim.Adam(own.parameters())
    x, y, dy_dx = torch.tensor(x, requires_grad=True), torch.tensor(y), torch.tensor(dy_dx)

    def epoch() -> None:
        for k in range(0, len(x), batch):
            some = x[k : k + batch].detach().requires_grad_()
            optimizer.zero_grad()
            out = own(some)
            (slopes,) = torch.autograd.grad(out.sum(), some, create_graph=True)
            loss = ((out - y[k : k + batch]) ** 2).mean() + ((slopes - dy_dx[k : k + batch]) ** 2).mean()
            loss.backward()
            optimizer.step()

    return epoch


@case
def steps_on_derivatives() -> Case:
    net, batch = cynn.Network.mlp([8, 64, 64, 1], activation="tanh", seed=0), 256
    x = np.random.default_rng(0).normal(size=(40 * batch, 8)).astype(np.float32)
    y = np.sin(x.sum(axis=1, keepdims=True))
    dy_dx = np.cos(x.sum(axis=1, keepdims=True)).repeat(8, axis=1)

    def epoch() -> None:
        net.fit(x, y, dy_dx=dy_dx, batch_size=batch, epochs=1, shuffle=False, progress=False, n_threads=2)

    forward = 8 * 64 + 64 * 64 + 64
    # forward, backward, the tangents of both, and two products for the gradients
    return Case("40 steps on derivatives, 8-64-64-1, batch 256", epoch, "PyTorch, double backward",
                steps_of_torch(net, x, y, dy_dx, batch), 10.0, len(x) * 6 * forward)  # fmt: skip


@case
def vjp_of_one_row() -> Case:
    """Beside that of the smallest network there is, whose time is that of the call."""
    net, smallest, x, v = network(), cynn.Network([cynn.Input(16), cynn.Dense(4)], seed=0), rows(1)[0], rows(1)[0, :4]
    return Case("vjp of one row", lambda: net.vjp(x, v), "of 16-4: the call alone", lambda: smallest.vjp(x, v),
                0.0, 2 * (16 * 64 + 64 * 64 + 64 * 4), 200)  # fmt: skip


def product() -> Callable[[], None]:
    """A product of square matrices on each thread."""
    pool = ThreadPoolExecutor(THREADS)
    each = [tuple(np.ones((SIDE, SIDE), np.float32) for _ in range(3)) for _ in range(THREADS)]

    def run() -> None:
        list(pool.map(lambda matrices: blas.matmul(*matrices), each))

    return run


def least(case: Case, yardstick: Callable[[], None], seconds: float) -> tuple[float, float, float]:
    """The least seconds a call, of both sides and of the yardstick in turn."""
    sides = [(case.run, case.calls), (case.other, case.calls), (yardstick, 1)]
    found = [float("inf")] * 3
    for run, _ in sides:
        if run is not None:
            run()
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        for side, (run, calls) in enumerate(sides):
            if run is None:
                continue
            begin = time.perf_counter()
            for _ in range(calls):
                run()
            found[side] = min(found[side], (time.perf_counter() - begin) / calls)
    return found[0], found[1], found[2]


def table(cases: list[Callable[[], Case]], seconds: float) -> str:
    """A line for each case."""
    titles = ["what", "time", "against", "time", "ratio", "at least", "10⁹ multiply-adds/s", "of the product's rate"]
    lines, yardstick = ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"], product()
    for make in cases:
        each = make()
        own, other, of_product = least(each, yardstick, seconds)
        ratio = f"{other / own:.2f}" if each.other is not None else "-"
        rate = f"{each.multiply_adds / own / 1e9:.1f}" if each.multiply_adds else "-"
        share = each.multiply_adds / own / (THREADS * SIDE**3 / of_product)
        wanted = each.at_least or "-"
        cells = [each.what, f"{1e6 * own:.2f} µs", each.against, f"{1e6 * other:.2f} µs", ratio, wanted, rate,
                 f"{share:.0%}" if each.multiply_adds else "-"]  # fmt: skip
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each case")
    options = parser.parse_args()
    print(*(f"{name}: {value}" for name, value in machine.describe().items()), sep="\n", end="\n\n")
    print(table(CASES, options.seconds))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
