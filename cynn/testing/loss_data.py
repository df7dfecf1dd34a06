"""Targets that a loss accepts, and predictions for them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cynn.errors import DataError
from cynn.losses import Loss
from cynn.testing.memory import Array

__all__ = ["OUTPUTS", "predictions", "targets"]

OUTPUTS = 6


def targets(loss: Loss, random: np.random.Generator, rows: int, outputs: int = OUTPUTS) -> Iterator[tuple[str, Array]]:
    """The kinds of targets that the loss accepts: those that its `check_target` does not refuse."""
    shape = (rows, outputs)
    positive = random.uniform(0.05, 3, shape)
    for name, target in [
        ("any numbers", random.normal(0, 1.5, shape)),
        ("numbers between 0 and 1", random.uniform(0.05, 0.95, shape)),
        ("probabilities", positive / positive.sum(axis=1, keepdims=True)),
        ("one-hot rows", np.eye(outputs)[np.arange(rows) % outputs]),
        ("signs", np.where(random.uniform(size=shape) < 0.5, -1.0, 1.0)),
        ("zeros and ones", (random.uniform(size=shape) < 0.5).astype(np.float64)),
        ("positive numbers", positive),
        ("counts", np.floor(random.uniform(0, 5, shape))),
    ]:
        try:
            loss.check_target(target)
        except DataError:
            continue
        yield name, target


def predictions(
    loss: Loss, random: np.random.Generator, rows: int, outputs: int = OUTPUTS, *, z: bool = False
) -> Array:
    """Predictions from the middle of their range. z may be any number."""
    low, high = (-np.inf, np.inf) if z else loss.prediction_range
    shape = (rows, outputs)
    if low == -np.inf and high == np.inf:
        return random.normal(0, 1.5, shape)
    part = random.uniform(0.05, 0.95, shape)
    if high == np.inf:
        return low + 3 * part
    return high - 3 * part if low == -np.inf else low + (high - low) * part
