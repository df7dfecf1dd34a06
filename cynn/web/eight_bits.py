"""Weights in eight bits, with a scale for each neuron, and what that costs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from cynn.interop.plan import Affine, Array, Grouped, Plan
from cynn.web.values import values_of

__all__ = ["difference", "rounded", "weights8"]


def weights8(W: Array) -> tuple[Array, Array]:
    """Whole numbers from -127 to 127, and the scale of each column, or of each column of groups."""
    largest = np.abs(W).max(axis=0)
    scales = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    return np.rint(W / scales).astype(np.int8), scales


def rounded(plan: Plan) -> Plan:
    """A plan whose dense layers have weights of eight bits."""
    steps = list(plan.steps)
    for number, step in enumerate(steps):
        if isinstance(step, (Affine, Grouped)):
            whole, scales = weights8(step.weights)
            steps[number] = replace(step, weights=whole * scales)
    return replace(plan, steps=steps)


def difference(before: Plan, after: Plan, rows: Array, outputs: list[dict[str, Any]], answers: list[str] | None) -> str:
    """What the weights of eight bits cost: in words, on these rows.

    Parameters
    ----------
    before, after : Plan
    rows : array
    outputs : list of dict
        What the page knows of the outputs.
    answers : list of str or None
        The targets of the rows.
    """
    wanted = [output.value for output in before.outputs]
    both = [values_of(plan, wanted, rows) for plan in (before, after)]
    largest = max(float(np.abs(a - b).max()) for a, b in zip(*both, strict=True))
    said = f"Weights in eight bits: on {len(rows):,} rows, outputs differ by at most {largest:.2g}"
    if len(wanted) > 1 or before.widths[wanted[0]] == 1:
        return f"{said}."
    best = [each[0].argmax(axis=1) for each in both]
    said += f", and the largest output is the same in {100 * (best[0] == best[1]).mean():.2f} % of them"
    labels = np.array(outputs[0]["labels"])
    if answers is None or not outputs[0]["isShare"] or not set(answers) <= set(labels.tolist()):
        return f"{said}."
    shares = [100 * (labels[each] == np.array(answers)).mean() for each in best]
    return f"{said}; accuracy {shares[0]:.2f} % before, {shares[1]:.2f} % after."
