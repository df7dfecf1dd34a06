"""What a call costs besides its arithmetic: ``python -m benchmarks.calls``.

A network of 16-64-64-4 with tanh. The arithmetic is measured in the same run, where one call from Python has many
steps: epochs of `fit` for a step, a trainer without an optimizer for gradients, a prediction of the same rows for an
evaluation. Rounds of all cases alternate, and a case has the median of its rounds. Beside it stand PyTorch (its fused
Adam) and scikit-learn, where they are installed.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import itertools
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import cynn
from benchmarks.table import Table
from cynn.training.context import TrainingContext

SIZES = (16, 64, 64, 4)


@dataclass
class Case:
    """A round of calls, and what goes beside it: the names of other cases."""

    run: Callable[[], Any]
    calls: int
    arithmetic: str = ""
    peer: str = ""
    is_shown: bool = True


def network() -> cynn.Network:
    return cynn.Network.mlp(SIZES, activation="tanh", seed=0)


def batches(rows: int, steps: int) -> list[tuple[Any, Any]]:
    """Batches that all differ: one that is learned by heart leaves tiny numbers, which are slow to compute with."""
    generator = np.random.default_rng(0)
    shape = steps, rows
    x, y = (generator.normal(size=(*shape, columns)).astype(np.float32) for columns in (SIZES[0], SIZES[-1]))
    return list(zip(x, y, strict=True))


def joined(rows: int, steps: int) -> tuple[Any, Any]:
    x, y = zip(*batches(rows, steps), strict=True)
    return np.concatenate(x), np.concatenate(y)


def each(call: Callable[[Any, Any], Any], rows: int, steps: int) -> Case:
    given = batches(rows, steps)

    def run() -> None:
        for x, y in given:
            call(x, y)

    return Case(run, steps)


def fit(rows: int, steps: int) -> Case:
    """Epochs enough for what a `fit` costs besides its steps to vanish among these."""
    net, (x, y) = network(), joined(rows, steps)
    run = functools.partial(net.fit, x, y, batch_size=rows, epochs=10, progress=False, n_threads=1)
    return Case(run, 10 * steps)


def gradients_alone(rows: int, steps: int) -> Case:
    net, (x, y) = network(), joined(rows, steps)
    objective = net.objective(None)
    context = TrainingContext(net, objective, None, 1, check_finite=True)
    target = objective.targets(y, len(x), "y", check_finite=True)
    trainer = context.trainer(x, target, objective.sample_weights(None, len(x)), rows)
    order = np.arange(len(x))

    def run() -> None:
        trainer.begin_epoch(True, 0)
        trainer.run(order, 0, 1, np.zeros(steps), None, 1e9)

    return Case(run, steps)


def torch_step(rows: int, steps: int) -> Case:
    import torch

    torch.set_num_threads(1)
    layers: list[Any] = []
    for inputs, units in itertools.pairwise(SIZES):
        layers += [torch.nn.Linear(inputs, units), torch.nn.Tanh()]
    model = torch.nn.Sequential(*layers[:-1])
    optimizer = torch.optim.Adam(model.parameters(), fused=True)

    def step(x: Any, y: Any) -> None:
        optimizer.zero_grad(set_to_none=True)
        torch.nn.functional.mse_loss(model(torch.from_numpy(x)), torch.from_numpy(y)).backward()
        optimizer.step()

    return each(step, rows, steps)


def partial_fits(cls: Any, steps: int) -> Case:
    model, classes = cls(SIZES[1:-1], activation="tanh", random_state=0), np.arange(SIZES[-1])
    given = [(x, y.argmax(axis=1)) for x, y in batches(1, steps)]
    model.partial_fit(*given[0], classes=classes)

    def run() -> None:
        for x, y in given:
            model.partial_fit(x, y)

    return Case(run, steps)


def river_steps(steps: int, *, predicts: bool) -> Case:
    from cynn.interop.river import MLPRegressor

    model = MLPRegressor(SIZES[1:-1], "tanh", seed=0)
    given = [({f"f{k}": value for k, value in enumerate(x[0].tolist())}, float(y[0, 0])) for x, y in batches(1, steps)]
    model.learn_one(*given[0])

    def run() -> None:
        for x, y in given:
            if predicts:
                model.predict_one(x)
            else:
                model.learn_one(x, y)

    return Case(run, steps)


def cases(steps: int) -> dict[str, Case]:
    net, trained = network(), network()
    found: dict[str, Case] = {}

    def add(name: str, case: Case, arithmetic: str = "", peer: str = "", *, is_shown: bool = True) -> None:
        case.arithmetic, case.peer, case.is_shown = arithmetic, peer, is_shown
        found[name] = case

    for rows in (1, 32):
        step, pure, torch = f"a step of {rows}", f"gradients alone of {rows}", f"PyTorch, {rows}"
        add(step, fit(rows, steps), is_shown=False)
        add(pure, gradients_alone(rows, steps), is_shown=False)
        if importlib.util.find_spec("torch"):
            add(torch, torch_step(rows, steps), is_shown=False)
        add(f"train_batch, {rows} rows", each(network().train_batch, rows, steps), step, torch)
        add(f"loop.step, {rows} rows", each(network().loop(rows).step, rows, steps), step, torch)
        add(f"gradients, {rows} rows", each(net.gradients, rows, steps), pure)
        add(f"predict, {rows} rows", each(lambda x, y: net.predict(x), rows, steps))
        add(f"activations, {rows} rows", each(lambda x, y: net.activations(x), rows, steps), f"predict, {rows} rows")
        add(f"evaluate, {rows} rows", each(net.evaluate, rows, steps), f"predict, {rows} rows")
        given, by_batches = batches(rows, steps), network()
        generator = Case(lambda given=given, net=by_batches: net.fit(given, epochs=1, progress=False), steps)
        add(f"fit, a generator of {rows}", generator, step)
    loop = network().loop(1)
    add("loop.learn_one", each(lambda x, y: loop.learn_one(x[0], y[0]), 1, steps), "a step of 1")
    if importlib.util.find_spec("river"):
        add("river: learn_one", river_steps(steps, predicts=False), "a step of 1")
        add("river: predict_one", river_steps(steps, predicts=True), "predict, 1 rows")
    if importlib.util.find_spec("sklearn"):
        from sklearn.neural_network import MLPClassifier

        from cynn.sklearn import MLPClassifier as OurClassifier

        add("scikit-learn", partial_fits(MLPClassifier, steps), is_shown=False)
        add("partial_fit of a row", partial_fits(OurClassifier, steps), "a step of 1", "scikit-learn")
    x, y = batches(32, 1)[0]
    add("fit, an epoch of one step", Case(lambda: trained.fit(x, y, epochs=1, progress=False), 1), "a step of 32")
    add("building a network", Case(network, 1))
    return found


def table(rounds: int, steps: int, *, cpu_time: bool = False) -> Table:
    measured, now = cases(steps), time.process_time if cpu_time else time.perf_counter
    times: dict[str, list[float]] = {name: [] for name in measured}
    for round in range(rounds + 1):
        for name, case in measured.items():
            begin = now()
            case.run()
            if round:  # the first makes plans
                times[name].append((now() - begin) / case.calls * 1e6)
    us = {name: statistics.median(of_case) for name, of_case in times.items()}
    rows = []
    for name, case in measured.items():
        if not case.is_shown:
            continue
        pure, peer = us.get(case.arithmetic), us.get(case.peer)
        rows.append([
            name,
            f"{us[name]:.2f}",
            "-" if pure is None else f"{pure:.2f}",
            "-" if pure is None else f"{us[name] - pure:.2f}",
            "-" if peer is None else case.peer.partition(",")[0],
            "-" if peer is None else f"{peer:.1f}",
            "-" if peer is None else f"{peer / us[name]:.1f}",
        ])  # fmt: skip
    header = ["call", "µs", "arithmetic, µs", "over it, µs", "beside", "µs there", "ratio"]
    return Table("Calls", header, rows, "16-64-64-4 with tanh, Adam, float32, one thread.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="interleaved rounds (default 15)")
    parser.add_argument("--cpu-time", action="store_true", help="the CPU's time, for a busy machine")
    parser.add_argument("--quick", action="store_true", help="one round, to see that it runs")
    options = parser.parse_args()
    rounds, steps = (1, 10) if options.quick else (options.rounds, 300)
    print(table(rounds, steps, cpu_time=options.cpu_time).text())


if __name__ == "__main__":
    main()
