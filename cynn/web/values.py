"""The values of a plan for many rows."""

from __future__ import annotations

import numpy as np

from cynn.interop.evaluation import Reference
from cynn.interop.plan import Array, Plan

__all__ = ["values_of"]

_ROWS = 1_000  # at once, since all values of a plan are in memory


def values_of(plan: Plan, wanted: list[int], rows: Array, most: int | None = None) -> list[Array]:
    """The values with these numbers, computed in float64, of each at most this many columns."""
    of_plan = Reference(plan, "float64")
    parts = []
    for first in range(0, len(rows), _ROWS):
        values = of_plan.values(rows[first : first + _ROWS])
        parts.append([values[number][:, :most] for number in wanted])
    return [np.concatenate(each) for each in zip(*parts, strict=True)]
