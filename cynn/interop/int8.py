"""Quantizes the weights and inputs of dense layers of a plan to eight bits, by calibration.

Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only inference", 2018,
sections 2.1 to 2.4: weights have a scale per unit, inputs a scale and a zero point per layer, and sums are int32.
Here, all else stays in float32.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from cynn.errors import InvalidParameterError
from cynn.interop.plan import Affine, Array, Plan

__all__ = ["QuantizedAffine", "quantized"]

_MAX_INPUTS = 2**31 // (2 * 128 * 127)  # so that a sum of products fits into 32 bits
_MAGIC = np.float32(12582912.0)  # 1.5 * 2^23: adding it rounds to a whole number


@dataclass
class QuantizedAffine:
    """z = scales (q W + sums), where q is the input in eight bits.

    Attributes
    ----------
    source : int
        The number of its input value.
    weights : array of int8, of shape (units, inputs)
    sums : array of int32
        The biases plus the contribution of the zero point.
    scales : array of float32
    input_scale : float32
        The factor of the input.
    zero : int
        The zero point: q of an input of 0.
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
        """The number of columns of z."""
        return len(self.weights)

    def quantize(self, x: Array) -> Array:
        """The input in eight bits; a NaN becomes the smallest number."""
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
        Each value for the rows of the calibration.
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
    scale = scale if scale > 1e-30 else 1.0  # any scale is right if all inputs are 0
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
