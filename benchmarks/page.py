"""The page of results for the docs."""

from __future__ import annotations

from typing import Any

from benchmarks import report
from benchmarks.charts import charts
from benchmarks.rounds import Result
from benchmarks.table import Table
from benchmarks.workloads import CYNN

_HEAD = """\
Speed
=====

.. This page is written by: python -m benchmarks --page docs/speed.rst

How long a step of training, or a prediction, takes in CyNN and in other libraries: on the same data, with the
same network, the same first weights and the same order of the rows, on the same cores. The numbers are
microseconds; less is better. The gain is the largest where networks and batches are small, since there the
overhead of every call is most of the time.
"""

_TO_ACCURACY = """\
.. include:: time_to_accuracy.txt
"""

_METHOD = """\
How it is measured
------------------

Each library is used as its users would who want speed: PyTorch eager with fused optimizers, JAX with all steps
of a round in one compiled ``scan``, NumPy with buffers allocated beforehand, scikit-learn by ``fit``, ONNX
Runtime on the same weights. The digits are bytes, as in MNIST. Each library gathers and scales the rows of a
batch itself, within the step. CyNN's figures are those of ``Network.fit`` and ``Network.predict`` with all that
these do. At the end the losses of all libraries are compared: they have learned the same.
"""

_WHAT = {"Training": "Microseconds a step:", "Prediction": "Microseconds a call:"}

_APPENDIX = """\
Appendix: all figures
---------------------
"""

_REPRODUCE = """\
How to reproduce
----------------

In a clone of the repository, with CyNN installed from it (``pip install -e .``)::

    pip install -r benchmarks/requirements.txt
    python -m benchmarks

That takes {minutes}. ``python -m benchmarks S M`` runs two workloads, ``--peers torch,jax`` some libraries,
``--quick`` fewer and shorter rounds; ``--page docs/speed.rst`` writes this page. On a machine that does other
work at the same time, timings are worth little; ratios are worth more, because the rounds alternate between
the libraries. With AVX-512, ``python -m benchmarks.as_avx2 python -m benchmarks`` measures all libraries as on a
processor that has AVX2 alone.
"""


def page(run: dict[str, Any], results: list[Result]) -> str:
    """The whole page, in reStructuredText."""
    versions = {m.peer: m.version for result in results for m in result.measured if m.peer != CYNN}
    described = {**run["machine"], **{peer: versions[peer] for peer in versions if peer != "numpy"}}
    described["measured"] = f"{run['date']}, {run['rounds']} rounds{', --quick' if run['quick'] else ''}"
    machine = Table("The machine", ["what", "is"], [list(item) for item in described.items()], words=2)
    minutes = max(1, round(run["seconds"] / 60))
    notes = report.notes(run, results)
    return assembled(report.tables(results), machine, notes, "a minute" if minutes == 1 else f"about {minutes} minutes")


def assembled(tables: list[Table], machine: Table, notes: list[str], minutes: str) -> str:
    """The page of these tables: charts first, and the tables in an appendix."""
    titled = {table.title.partition(":")[0]: table for table in tables}
    parts = [_HEAD]
    for title in ("Training", "Prediction"):
        if title in titled:
            drawn = charts(titled[title], titled["Workloads"])
            parts.append("\n".join([title, "-" * len(title), "", _WHAT[title], "", drawn]))
    parts += [_TO_ACCURACY, _METHOD, _REPRODUCE.format(minutes=minutes), machine.rst(), _APPENDIX]
    parts += [table.rst("~") for table in tables]
    if notes:
        parts.append("\n".join(["Notes", "~~~~~", "", *(f"- {note}" for note in notes), ""]))
    return "\n".join(parts)
