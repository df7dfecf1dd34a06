"""``python -m benchmarks``: run, print, and perhaps write down."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import machine, page, report
from benchmarks.rounds import Measured, Result, measure
from benchmarks.workloads import PEERS, WORKLOADS

ROUNDS, QUICK_ROUNDS = 9, 3


def main() -> int:
    options = _parser().parse_args()
    if options.read:
        run = json.loads(options.read.read_text(encoding="utf-8"))
        results = [
            Result(**{**r, "measured": [Measured(**m) for m in r["measured"]]}) for r in run["results"]
        ]
    else:
        run, results = _run(options)
    for table in report.tables(results):
        print(table.text(), end="\n\n")
    for note in report.notes(run, results):
        print("note:", note)
    if options.json:
        options.json.write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")
    if options.page:
        options.page.write_text(page.page(run, results), encoding="utf-8")
    return 0


def _run(options: argparse.Namespace) -> tuple[dict[str, Any], list[Result]]:
    started = time.perf_counter()
    rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    results = []
    for name in options.workloads or WORKLOADS:
        workload = WORKLOADS[name].quick() if options.quick else WORKLOADS[name]
        print(f"{name}: {workload.description}", end="", flush=True, file=sys.stderr)
        result = measure(workload, options.peers, rounds, options.quick, options.cpu_time)
        results.append(result)
        figures = [f"{m.peer} {report.time(m.seconds)}" for m in result.measured]
        print(": µs", ", ".join(figures), flush=True, file=sys.stderr)
    run = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine.describe(),
        "rounds": rounds,
        "quick": options.quick,
        "cpu_time": options.cpu_time,
        "seconds": time.perf_counter() - started,
        "results": [asdict(result) for result in results],
    }
    return run, results


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="CyNN next to other libraries.")
    add = parser.add_argument
    add(
        "workloads",
        nargs="*",
        type=_workload,
        metavar="WORKLOAD",
        help=f"of {', '.join(WORKLOADS)} (default: all)",
    )
    add("--peers", type=_peers, default=list(PEERS), metavar="A,B", help=f"of {', '.join(PEERS)}; or none")
    add(
        "--rounds",
        type=int,
        metavar="N",
        help=f"of each library (default: {ROUNDS}; --quick: {QUICK_ROUNDS})",
    )
    add("--quick", action="store_true", help="fewer and shorter rounds: to see that it works")
    add("--cpu-time", action="store_true", help="of one-thread workloads the CPU's time: on a busy machine")
    add("--json", type=Path, metavar="FILE", help="write every figure there")
    add("--page", type=Path, metavar="FILE.rst", help="write the page for the docs there")
    add("--read", type=Path, metavar="FILE", help="run nothing: take the figures from what --json wrote")
    return parser


def _workload(name: str) -> str:
    if name not in WORKLOADS:
        raise argparse.ArgumentTypeError(f"must be of {', '.join(WORKLOADS)}. Got {name!r} instead.")
    return name


def _peers(text: str) -> list[str]:
    names = [] if text == "none" else text.split(",")
    for name in names:
        if name not in PEERS:
            raise argparse.ArgumentTypeError(f"must be of {', '.join(PEERS)}, or none. Got {name!r} instead.")
    return names


if __name__ == "__main__":
    sys.exit(main())
