"""Weights and inputs of dense layers in eight bits: what a plan becomes after calibration.

Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only inference", 2018,
sections 2.1 to 2.4: weights have a scale for each unit, inputs one and a zero point for each layer, and sums are int32.
Here what lies between the dense layers stays in float32.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from cynn.errors import InvalidParameterError
from cynn.interop.plan import Affine, Array, Plan

__all__ = ["QuantizedAffine", "quantized"]

_MAX_INPUTS = 2**31 // (2 * 128 * 127)  # so that a sum of products has room in 32 bits
_MAGIC = np.float32(12582912.0)  # 1.5 * 2^23: adding it rounds to a whole number


@dataclass
class QuantizedAffine:
    """z = scales (q W + sums), with q the input in eight bits.

    Attributes
    ----------
    source : int
        The value that it takes.
    weights : array of int8, of shape (units, inputs)
    sums : array of int32
        The biases, and what the zero point adds.
    scales : array of float32
    input_scale : float32
        What the input is multiplied by.
    zero : int
        The q of an input of 0.
    """

    source: int
    weights: Array
    sums: Array
    scales: Array
    input_scale: np.float32
    zero: int
    kind: ClassVar[str] = "quantized"

    @property
    def units(self) -> int:
        """Columns of z."""
        return len(self.weights)

    def quantize(self, x: Array) -> Array:
        """The input in eight bits; a NaN becomes the least."""
        scaled = (x * self.input_scale).astype(np.float32)
        low, high = np.float32(-128 - self.zero), np.float32(127 - self.zero)
        scaled = np.where(scaled > low, scaled, low)
        scaled = np.where(scaled < high, scaled, high)
        whole = (scaled + _MAGIC) - _MAGIC
        return (whole.astype(np.int32) + self.zero).astype(np.int8)


def quantized(plan: Plan, values: list[Array]) -> Plan:
    """The plan with its dense layers in eight bits.

    Parameters
    ----------
    plan : Plan
    values : list of array
        What each value was for the rows of the calibration.
    """
    steps = [
        _of_affine(step, values[step.source], number) if isinstance(step, Affine) else step
        for number, step in enumerate(plan.steps)
    ]
    return replace(plan, steps=steps, widths=list(plan.widths))


def _of_affine(step: Affine, x: Array, number: int) -> QuantizedAffine:
    W = step.weights.astype(np.float64)
    if len(W) > _MAX_INPUTS:
        raise InvalidParameterError(
            f"A dense layer in int8 must have no more than {_MAX_INPUTS} inputs. Got {len(W)} instead."
        )
    low, high = min(float(x.min()), 0.0), max(float(x.max()), 0.0)
    scale = (high - low) / 255
    scale = scale if scale > 1e-30 else 1.0  # of inputs that are all 0, any will do
    input_scale = np.float32(1 / scale)
    zero = int(np.clip(np.rint(-128 - low / scale), -128, 127))
    largest = np.abs(W).max(axis=0)
    weight_scale = np.where(largest > 0, largest / 127, 1.0)
    W8 = np.rint(W / weight_scale).astype(np.int8).T
    scales = (weight_scale * scale).astype(np.float32)
    b = np.zeros(step.units) if step.biases is None else step.biases.astype(np.float64)
    sums = np.rint(b / (weight_scale * scale)) - zero * W8.sum(axis=1, dtype=np.int64)
    limit = 2**31 - 1 - len(W) * 128 * 127
    return QuantizedAffine(
        step.source, np.ascontiguousarray(W8), np.clip(sums, -limit, limit).astype(np.int32), scales, input_scale, zero
    )
