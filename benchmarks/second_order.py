"""Solvers beside SciPy and scikit-learn: ``python -m benchmarks.second_order``.

- Levenberg-Marquardt until the mean squared error is 1e-8: sin(10 x) / (10 x) at 20,000 points in [-1, 1], 1-20-1 with
  tanh in float64, beside `scipy.optimize.least_squares(method="lm")` with a Jacobian by NumPy, from the same weights.
- L-BFGS, 784-16-16-10 on 10,000 digits, beside `sklearn.neural_network.MLPClassifier(solver="lbfgs")`: the time to the
  loss that both reach.

Starts of both sides alternate; the ratio is the median of those of all starts.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

import cynn
from benchmarks.table import Table
from cynn.callbacks import Callback
from cynn.solvers import LevenbergMarquardt

Array = npt.NDArray[Any]

GOAL = 1e-8
HIDDEN = 20
MAX_EPOCHS = 2_000


class Reached(Exception):
    """Ends a function of SciPy at the goal."""


class UntilLoss(Callback):
    """Ends a training at a loss."""

    name = "until_loss"

    def __init__(self, goal: float) -> None:
        self.goal = goal

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        self.stop_training = logs["loss"] <= self.goal


def curve() -> tuple[Array, Array]:
    """The points to fit."""
    x = np.linspace(-1, 1, 20_000)[:, None]
    return x, np.sinc(10 * x / np.pi)


def own_seconds(x: Array, y: Array, seed: int, solver: LevenbergMarquardt) -> float | None:
    """How long CyNN takes; None if it ends above the goal."""
    net = cynn.Network.mlp([1, HIDDEN, 1], activation="tanh", seed=seed, dtype="float64")
    begin = time.perf_counter()
    history = net.fit(
        x, y, optimizer=solver, epochs=MAX_EPOCHS, batch_size=len(x), callbacks=[UntilLoss(GOAL)], progress=False
    )
    seconds = time.perf_counter() - begin
    return seconds if history["loss"][-1] <= GOAL else None


def scipy_seconds(x: Array, y: Array, seed: int) -> float | None:
    """How long SciPy takes from the same weights; None if it ends above the goal."""
    from scipy.optimize import least_squares

    start = cynn.Network.mlp([1, HIDDEN, 1], activation="tanh", seed=seed, dtype="float64").parameter_vector
    column, n = x[:, 0], HIDDEN

    def residuals(theta: Array) -> Array:
        found = np.tanh(x * theta[:n] + theta[n : 2 * n]) @ theta[2 * n : 3 * n] + theta[-1] - y[:, 0]
        if found @ found <= GOAL * len(found):
            raise Reached
        return found

    def jacobian(theta: Array) -> Array:
        a = np.tanh(x * theta[:n] + theta[n : 2 * n])
        of_z = (1 - a * a) * theta[2 * n : 3 * n]
        return np.hstack([of_z * column[:, None], of_z, a, np.ones((len(x), 1))])

    begin = time.perf_counter()
    try:
        least_squares(residuals, start, jacobian, method="lm", ftol=1e-15, xtol=1e-15, gtol=1e-15, max_nfev=MAX_EPOCHS)
    except Reached:
        return time.perf_counter() - begin
    return None


def of_curve(starts: int, **options: Any) -> list[tuple[float, float]]:
    """The seconds of SciPy and of CyNN, for each start from which both reach the goal."""
    x, y = curve()
    found = []
    for seed in range(starts):
        theirs, own = scipy_seconds(x, y, seed), own_seconds(x, y, seed, LevenbergMarquardt(**options))
        if theirs is not None and own is not None:
            found.append((theirs, own))
        else:
            print(f"start {seed}: not reached by {'SciPy' if theirs is None else 'CyNN'}", flush=True)
    return found


def of_digits(starts: int, epochs: int) -> list[tuple[float, float]]:
    """The seconds of scikit-learn and of CyNN to the higher of their last losses."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    (x, y), _ = cynn.datasets.load_mnist()
    x, y = (x[:10_000] / 255).astype(np.float32), y[:10_000]
    found = []
    for seed in range(starts):
        theirs = MLPClassifier((16, 16), solver="lbfgs", alpha=0, max_iter=epochs, max_fun=10**6, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            begin = time.perf_counter()
            theirs.fit(x, y)
        seconds = time.perf_counter() - begin
        net = cynn.Network.mlp([784, 16, 16, 10], output="softmax", seed=seed)
        begin = time.perf_counter()
        history = net.fit(
            x, y, optimizer="lbfgs", epochs=10 * epochs, callbacks=[UntilLoss(theirs.loss_)], progress=False
        )
        own = time.perf_counter() - begin
        if history["loss"][-1] <= theirs.loss_:
            found.append((seconds, own))
        else:
            print(f"start {seed}: loss {history['loss'][-1]:.4g} where scikit-learn has {theirs.loss_:.4g}", flush=True)
    return found


def row(what: str, peer: str, wanted: str, pairs: list[tuple[float, float]]) -> list[str]:
    """A row of the table: medians of the seconds and of the ratios."""
    if not pairs:
        return [what, peer, "-", "-", "-", wanted]
    theirs, own = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    return [f"{what} ({len(pairs)} starts)", peer, f"{theirs:.2f}", f"{own:.2f}", f"{ratio:.1f}", wanted]


def main() -> None:
    parser = argparse.ArgumentParser(description="Solvers beside SciPy and scikit-learn.")
    parser.add_argument("--starts", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=100, help="of L-BFGS by scikit-learn")
    options = parser.parse_args()
    cases: list[tuple[str, str, str, Callable[[], list[tuple[float, float]]]]] = [
        ("Levenberg-Marquardt", "SciPy", "30", lambda: of_curve(options.starts)),
        ("without acceleration", "SciPy", "30", lambda: of_curve(options.starts, acceleration=False)),
        ("L-BFGS", "scikit-learn", "4", lambda: of_digits(max(1, options.starts // 2), options.epochs)),
    ]
    rows = [row(what, peer, wanted, run()) for what, peer, wanted, run in cases]
    print(Table("Solvers", ["what", "peer", "peer, s", "CyNN, s", "ratio", "at least"], rows).text())


if __name__ == "__main__":
    main()
