"""The tables of a run."""

from __future__ import annotations

from typing import Any

from benchmarks.rounds import Result
from benchmarks.table import Table
from benchmarks.targets import TARGETS
from benchmarks.workloads import CYNN, PEERS, WORKLOADS

NOTHING = ""
LOW_CORE_SHARE = 0.9  # below it, a library shared its core with something else
CHECK_TOLERANCE = 0.05
CPU_TIME = "Of workloads on one thread this is the CPU's time, without that in which others had the core."


def tables(results: list[Result]) -> list[Table]:
    """All that there is something to say in."""
    alike = [r for r in results if not WORKLOADS[r.workload].against_itself]
    training = [r for r in alike if WORKLOADS[r.workload].trains]
    predicting = [r for r in alike if not WORKLOADS[r.workload].trains]
    made = [
        _workloads(results),
        _times("Training", "a step", training),
        _times("Prediction", "a call", predicting),
        _threads(results),
        _rates(results),
        _products(results),
        _first_calls(results),
        _targets(results),
    ]
    return [table for table in made if table.rows]


def notes(run: dict[str, Any], results: list[Result]) -> list[str]:
    """What a reader of the tables must know about this run."""
    found = [CPU_TIME] if run["cpu_time"] else []
    for result in results:
        found += [f"{result.workload}: {peer} failed: {why}" for peer, why in result.failures.items()]
        shares = {m.peer: m.core_share for m in result.measured if m.n_threads == 1}
        if result.blas_core_share is not None:
            shares["blas"] = result.blas_core_share
        if busy := [
            f"{peer} {100 * share:.0f} %" for peer, share in shares.items() if share < LOW_CORE_SHARE
        ]:
            found.append(f"{result.workload}: others were at work; of its time got {', '.join(busy)}")
        cynn = result.of(CYNN)
        for other in result.measured:
            if cynn and abs(other.check - cynn.check) > CHECK_TOLERANCE * abs(cynn.check):
                found.append(
                    f"{result.workload}: {other.peer} has computed something else: {other.check:.6g} "
                    f"against {cynn.check:.6g}"
                )
    return found


def time(seconds: float) -> str:
    """µs, with three digits that mean something."""
    microseconds = 1e6 * seconds
    return f"{microseconds:,.0f}" if microseconds >= 100 else f"{microseconds:.3g}"


def _ratio(value: float) -> str:
    return f"{value:.0f}x" if value >= 100 else f"{value:.3g}x" if value >= 10 else f"{value:.2f}x"


def _workloads(results: list[Result]) -> Table:
    rows = [[r.workload, WORKLOADS[r.workload].description, f"{r.steps:,}"] for r in results]
    return Table("Workloads", ["workload", "network", "steps a round"], rows, words=2)


def _times(title: str, unit: str, results: list[Result]) -> Table:
    peers = [peer for peer in PEERS if any(result.of(peer) for result in results)]
    rows = []
    for result in results:
        cynn = result.of(CYNN)
        cells = [result.workload, time(cynn.seconds) if cynn else NOTHING]
        for peer in peers:
            other = result.of(peer)
            cells.append(time(other.seconds) if other else NOTHING)
            cells.append(_ratio(other.seconds / cynn.seconds) if other and cynn else NOTHING)
        rows.append(cells)
    header = ["workload", CYNN]
    for peer in peers:
        header += [peer, ": cynn"]
    note = f"Microseconds {unit}, the median of all rounds; ': cynn' is how many times CyNN's time that is."
    return Table(f"{title}: µs {unit}", header, rows, note)


def _threads(results: list[Result]) -> Table:
    rows = []
    for result in results:
        if WORKLOADS[result.workload].against_itself and len(result.measured) == 2:
            one, two = result.measured
            ratio = _ratio(one.seconds / two.seconds)
            rows.append([result.workload, time(one.seconds), time(two.seconds), ratio])
    header = ["workload", "1 thread", "2 threads", "1 : 2"]
    return Table("CyNN on two threads: µs a step", header, rows)


def _rates(results: list[Result]) -> Table:
    rows = []
    for result in results:
        workload, cynn = WORKLOADS[result.workload], result.of(CYNN)
        if not (cynn and result.gflops):
            continue
        operations, products = workload.floating_point_operations, sum(result.product_seconds)
        rate = operations / cynn.seconds / 1e9
        row = [result.workload, f"{operations / 1e6:,.2f}", f"{rate:.1f}", f"{result.gflops:.1f}"]
        shared = products / workload.n_threads
        row += [f"{100 * rate / result.gflops:.0f} %", time(shared), f"{operations / products / 1e9:.1f}"]
        rows.append([*row, _ratio(shared / cynn.seconds)])
    note = (
        "Only the matrix products of a step are counted. 'sgemm' is OpenBLAS on square products of 2048 rows "
        "(1024 with --quick) on as many threads, in float64 where the workload is. 'products' is what "
        "OpenBLAS needs for the products of the step on one thread, each over the whole batch, divided by "
        "the number of threads, and the rate of it; 'products : cynn' compares that with CyNN's whole step."
    )
    header = ["workload", "MFLOP", "GFLOP/s", "sgemm", "share", "products: µs", "GFLOP/s", "products : cynn"]
    return Table("Arithmetic: GFLOP/s of CyNN and of the BLAS", header, rows, note)


def _products(results: list[Result]) -> Table:
    rows, seen = [], set()
    for result in results:
        workload = WORKLOADS[result.workload]
        key = (workload.sizes, workload.batch, workload.dtype, workload.trains)
        if not result.product_rounds or workload.n_threads > 1 or key in seen:
            continue
        seen.add(key)
        for (name, m, n, k, _, _), seconds in zip(workload.products, result.product_seconds, strict=True):
            rate = f"{2 * m * n * k / seconds / 1e9:.1f}" if seconds else NOTHING
            rows.append([result.workload, name, f"{m} x {k} . {k} x {n}", time(seconds), rate])
    note = "Operands in cache, one thread; the cost of the call from Python is taken off."
    header = ["workload", "product", "shape", "µs", "GFLOP/s"]
    return Table("OpenBLAS on the products of a step", header, rows, note, words=3)


def _first_calls(results: list[Result]) -> Table:
    peers = [peer for peer in (CYNN, *PEERS) if any(result.of(peer) for result in results)]
    rows = []
    for result in results:
        if WORKLOADS[result.workload].against_itself:
            continue
        cells = [result.workload]
        for peer in peers:
            measured, repeats = result.of(peer), result.steps if WORKLOADS[result.workload].trains else 1
            extra = measured.first_call_seconds - repeats * measured.seconds if measured else 0
            cells.append(f"{1000 * max(extra, 0):,.1f}" if measured else NOTHING)
        rows.append(cells)
    note = "What the first round of training, or the first call, took beyond a later one; in no other table."
    return Table("The first call: ms", ["workload", *peers], rows, note)


def _targets(results: list[Result]) -> Table:
    by_name = {result.workload: result for result in results}
    rows = []
    for target in TARGETS:
        result = by_name.get(target.workload)
        value = target.reached(result) if result else None
        if value is not None:
            verdict = "reached" if value >= target.at_least else "missed"
            row = [target.workload, target.against, target.shown(target.at_least), target.shown(value)]
            rows.append([*row, verdict])
    return Table("Targets", ["workload", "against", "at least", "measured", "so"], rows, words=2)
