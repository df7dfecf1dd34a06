"""The charts of the page of results: bars of the times of each library, for the docs' directive ``bars``."""

from __future__ import annotations

from benchmarks.table import Table
from benchmarks.workloads import CYNN

#: The workloads that are drawn; the tables have all.
DRAWN = ("S", "M", "L", "W", "C", "M-adam", "predict-1", "predict-1-small", "predict-10000")
NAMES = {
    "cynn": "CyNN", "jax": "JAX", "numpy": "NumPy", "onnxruntime": "ONNX Runtime", "torch": "PyTorch",
}  # fmt: skip


def charts(times: Table, workloads: Table) -> str:
    """A chart for each workload of a table of times that is drawn: CyNN first, then the fastest first.

    Parameters
    ----------
    times : Table
        Of each workload the times of the libraries, with ratios beside them.
    workloads : Table
        What each workload is.
    """
    described = {row[0]: row[1] for row in workloads.rows}
    lines = [".. container:: measured", ""]
    for row in times.rows:
        if row[0] not in DRAWN:
            continue
        pairs = zip(times.header[1:], row[1:], strict=True)
        found = {NAMES.get(peer, peer): time for peer, time in pairs if time and not peer.startswith(":")}
        ours = {NAMES[CYNN]: found.pop(NAMES[CYNN])}
        ordered = ours | dict(sorted(found.items(), key=lambda item: float(item[1].replace(",", ""))))
        lines += [f"   .. bars:: {row[0]}: {described[row[0]]}", ""]
        lines += [*(f"      {name}: {time}" for name, time in ordered.items()), ""]
    return "\n".join(lines)
