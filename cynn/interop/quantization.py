"""Quantizes dense layers of a plan by calibration: their weights to eight or four bits, their inputs to eight.

Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only inference", 2018,
sections 2.1 to 2.4: weights have a scale per unit, inputs a scale and a zero point per layer, and sums are int32.
Here, all else stays in float32. Biases take up the mean error that the rounding of weights makes (Nagel et al.,
"Data-free quantization through weight equalization and bias correction", 2019, section 4.2).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from cynn.errors import InvalidParameterError
from cynn.interop.plan import Affine, Array, Plan

__all__ = ["WEIGHT_BITS", "QuantizedAffine", "quantized"]

#: The number of bits of weights, for each dtype that is quantized.
WEIGHT_BITS = {"int8": 8, "int4": 4}

_MAX_INPUTS = 2**31 // (2 * 128 * 127)  # so that a sum of products fits into 32 bits
# The largest weight of a unit that is not clipped, as shares of its largest: few bits are better spent on the others.
_SHARES = {8: np.ones(1), 4: np.linspace(0.3, 1, 36)}
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
    bits : {8, 4}
        The number of bits of a weight.
    """

    source: int
    weights: Array
    sums: Array
    scales: Array
    input_scale: np.float32
    zero: int
    bits: int
    kind: ClassVar[str] = "quantized"

    @property
    def units(self) -> int:
        """The number of columns of z."""
        return len(self.weights)

    @property
    def packed(self) -> Array:
        """The weights of each unit as they are in memory: of four bits, two in a byte, the first in the lower half.

        Each is 8 more than it is, and a unit of an odd number of weights ends with one of 0.
        """
        if self.bits == 8:
            return self.weights
        pairs = np.pad(self.weights + 8, ((0, 0), (0, self.weights.shape[1] % 2)), constant_values=8).astype(np.uint8)
        return pairs[:, ::2] | pairs[:, 1::2] << 4

    def quantize(self, x: Array) -> Array:
        """The input in eight bits; a NaN becomes the smallest number."""
        scaled = (x * self.input_scale).astype(np.float32)
        low, high = np.float32(-128 - self.zero), np.float32(127 - self.zero)
        scaled = np.where(scaled > low, scaled, low)
        scaled = np.where(scaled < high, scaled, high)
        whole = (scaled + _MAGIC) - _MAGIC
        return (whole.astype(np.int32) + self.zero).astype(np.int8)


def quantized(plan: Plan, values: list[Array], bits: int) -> Plan:
    """The plan with quantized dense layers.

    Parameters
    ----------
    plan : Plan
    values : list of array
        Each value for the rows of the calibration.
    bits : {8, 4}
        The number of bits of a weight.
    """
    steps = [
        _of_affine(step, values[step.source], bits) if isinstance(step, Affine) else step for step in plan.steps
    ]
    return replace(plan, steps=steps, widths=list(plan.widths))


def _of_affine(step: Affine, x: Array, bits: int) -> QuantizedAffine:
    W = step.weights.astype(np.float64)
    if len(W) > _MAX_INPUTS:
        raise InvalidParameterError(
            f"A dense layer of whole numbers must have no more than {_MAX_INPUTS} inputs. Got {len(W)} instead."
        )
    low, high = min(float(x.min()), 0.0), max(float(x.max()), 0.0)
    scale = (high - low) / 255
    scale = scale if scale > 1e-30 else 1.0  # any scale is right if all inputs are 0
    input_scale = np.float32(1 / scale)
    zero = int(np.clip(np.rint(-128 - low / scale), -128, 127))
    weight_scale = _scales_of(W, x, bits)
    q = _rounded(W, weight_scale, bits).astype(np.int8).T
    scales = (weight_scale * scale).astype(np.float32)
    b = np.zeros(step.units) if step.biases is None else step.biases.astype(np.float64)
    b = b + x.mean(axis=0) @ (W - weight_scale * q.T)
    sums = np.rint(b / (weight_scale * scale)) - zero * q.sum(axis=1, dtype=np.int64)
    limit = 2**31 - 1 - len(W) * 128 * 127
    sums = np.clip(sums, -limit, limit).astype(np.int32)
    return QuantizedAffine(step.source, np.ascontiguousarray(q), sums, scales, input_scale, zero, bits)


def _rounded(W: Array, scale: Array, bits: int) -> Array:
    top = 2 ** (bits - 1)
    whole: Array = np.clip(np.rint(W / scale), -top, top - 1)
    return whole


def _scales_of(W: Array, x: Array, bits: int) -> Array:
    """The scale of each unit with which the squared error of z is least, where errors of weights are independent."""
    largest = np.abs(W).max(axis=0)
    whole = np.where(largest > 0, largest, 1.0) / (2 ** (bits - 1) - 1)
    squares = np.square(x, dtype=np.float64).mean(axis=0)
    tried = np.array([share * whole for share in _SHARES[bits]])
    errors = [squares @ np.square(_rounded(W, scale, bits) * scale - W) for scale in tried]
    best: Array = tried[np.argmin(errors, axis=0), np.arange(len(whole))]
    return best
