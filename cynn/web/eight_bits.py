"""Weights in eight bits, with a scale for each neuron, and what that costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cynn.interop.from_layers import plan_of
from cynn.interop.plan import Affine, Array, Grouped

if TYPE_CHECKING:
    from cynn.network import Network

__all__ = ["difference", "rounded", "weights8"]


def weights8(W: Array) -> tuple[Array, Array]:
    """Whole numbers from -127 to 127, and the scale of each column, or of each column of groups."""
    largest = np.abs(W).max(axis=0)
    scales = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    return np.rint(W / scales).astype(np.int8), scales


def rounded(network: Network) -> Network:
    """A copy in float32 whose dense layers have weights of eight bits."""
    same = type(network).from_config({**network.get_config(), "dtype": "float32"})
    same.set_weights(network.get_weights())
    for step in plan_of(same).steps:
        if isinstance(step, (Affine, Grouped)):
            whole, scales = weights8(step.weights)
            step.weights[...] = whole * scales
    return same


def difference(network: Network, other: Network, rows: Array, y: Any) -> str:
    """What the weights of eight bits cost: in words, on these rows."""
    both = [_outputs(each.predict(rows)) for each in (network, other)]
    largest = max(float(np.abs(a - b).max()) for a, b in zip(*both, strict=True))
    said = f"Weights in eight bits: on {len(rows):,} rows, outputs differ by at most {largest:.2g}"
    if len(both[0]) > 1 or both[0][0].shape[1] == 1:
        return f"{said}."
    before, after = (each[0].argmax(axis=1) for each in both)
    said += f", and the largest output is the same in {100 * (before == after).mean():.2f} % of them"
    if y is None or network.output_activation.name != "softmax":
        return f"{said}."
    shares = [100 * each.evaluate(rows, y, metrics=["accuracy"])["accuracy"] for each in (network, other)]
    return f"{said}; accuracy {shares[0]:.2f} % before, {shares[1]:.2f} % after."


def _outputs(predictions: Any) -> list[Array]:
    found = predictions.values() if isinstance(predictions, dict) else predictions
    return list(found) if isinstance(found, (list, type({}.values()))) else [found]
