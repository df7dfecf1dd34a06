"""Evaluates a plan in NumPy: with the same bits as the exported C, or as a reference in higher precision."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cynn.interop import functions
from cynn.interop.expressions import COMPARISONS, Expression, contracted
from cynn.interop.kernels import by_kernel
from cynn.interop.plan import LARGEST, Affine, Array, Copy, Function, Gather, Grouped, Plan, Reduce, Step, Take
from cynn.interop.quantization import QuantizedAffine
from cynn.interop.rounding import fma

__all__ = ["LANES", "LONG", "Exact", "Reference"]

LANES = 4  # how many partial sums a product of a row and a matrix has, and the sum of a row
LONG = 32  # from this length on, a sum of float32 is computed in float64


class Reference:
    """Evaluates a plan in float64 or NumPy's longdouble, with NumPy's functions.

    Parameters
    ----------
    plan : Plan
    dtype : str
        "float64" or "longdouble".
    """

    def __init__(self, plan: Plan, dtype: str) -> None:
        self.plan = plan
        self.type = np.dtype(dtype).type
        self.arrays = [array.astype(dtype) for array in plan.arrays]

    def __call__(self, x: Array) -> Array:
        """The outputs, concatenated, for rows of inputs."""
        values = self.values(x)
        return np.concatenate([values[output.value] for output in self.plan.outputs], axis=1)

    def values(self, x: Array) -> list[Array]:
        """Every value of the plan, for rows of inputs."""
        values = [self.scaled(x)]
        with np.errstate(all="ignore"):
            for step in self.plan.steps:
                values.append(self.step(step, values, len(x)))
        return values

    def scaled(self, x: Array) -> Array:
        """Value 0: the scaled or the standardized input."""
        if self.plan.standardization is not None:
            return self.standardized(x)
        return np.asarray(x.astype(self.type) * self.type(self.plan.scale) + self.type(self.plan.offset))

    def standardized(self, x: Array) -> Array:
        """Each column by itself, in float64."""
        known = self.plan.standardization
        assert known is not None
        with np.errstate(over="ignore"):
            z = (np.asarray(x, np.float64) - known.centers) * known.scales
        return np.clip(z, -LARGEST, LARGEST).astype(self.type)

    def step(self, step: Step, values: list[Array], rows: int) -> Array:
        """The output of a step."""
        if isinstance(step, Affine):
            return self.affine(step, values[step.source])
        if isinstance(step, Grouped):
            return self.grouped(step, values[step.source])
        if isinstance(step, QuantizedAffine):
            return self.quantized(step, values[step.source])
        if isinstance(step, Take):
            return np.concatenate([self.part(part, values) for part in step.parts], axis=1)
        if isinstance(step, Function):
            return by_kernel(step, values[step.source][:, step.first : step.first + step.width]).astype(self.type)
        if isinstance(step, Reduce):
            return self.reduce(step.how, values[step.source][:, step.first : step.first + step.width])
        return self.of_columns(step.formula, values, step.units, rows)

    def part(self, part: Copy | Gather, values: list[Array]) -> Array:
        """Some columns of a value, or rows of a table."""
        if isinstance(part, Copy):
            return values[part.source][:, part.first : part.first + part.count]
        x = values[part.source][:, part.column]
        category = np.where(x > 0, np.minimum(x, len(part.table) - 1), 0).astype(np.int64)
        return part.table.astype(self.type)[category]

    def of_columns(self, formula: Expression, values: list[Array], units: int, rows: int) -> Array:
        """A formula for every row and column."""
        known: dict[Expression, Any] = {}
        for node in formula.nodes():
            if node.kind == "column":
                value, first = node.value
                known[node] = values[value][:, first : first + units]
            elif node.kind == "row":
                known[node] = values[node.value]
            elif node.kind == "array":
                index, first = node.value
                known[node] = self.arrays[index][first : first + units]
            else:
                self._compute(node, known)
        return np.broadcast_to(known[formula], (rows, units))

    def _compute(self, node: Expression, known: dict[Expression, Any]) -> None:
        known[node] = self.node(node, [known[part] for part in node.arguments])

    def node(self, node: Expression, parts: list[Any]) -> Any:
        """The value of one node of a formula."""
        if node.kind == "number":
            return self.type(node.value)
        if node.kind == "call":
            return self.call(node.value, parts[0])
        if node.kind == "fma":
            return fma(*[np.asarray(part, self.type) for part in parts])
        return _OPERATORS[node.kind](*parts)

    def call(self, name: str, x: Any) -> Any:
        """A function of one number."""
        if name == "erfc":
            return np.vectorize(math.erfc, otypes=[np.float64])(x).astype(self.type)
        return getattr(np, name)(x)

    def affine(self, step: Affine, x: Array) -> Array:
        """x W + b."""
        z = x @ step.weights.astype(self.type)
        return np.asarray(z if step.biases is None else z + step.biases.astype(self.type))

    def grouped(self, step: Grouped, x: Array) -> Array:
        """x W + b for each group of columns."""
        groups, n, _ = step.weights.shape
        z = x.reshape(len(x), groups, 1, n) @ step.weights.astype(self.type)
        return np.asarray(z.reshape(len(x), -1) + step.biases.astype(self.type))

    def quantized(self, step: QuantizedAffine, x: Array) -> Array:
        """Only the exact evaluation has these."""
        raise NotImplementedError

    def reduce(self, how: str, x: Array) -> Array:
        """One number per row."""
        if how == "sum":
            return np.asarray(x.sum(axis=1, keepdims=True))
        if how == "threshold":
            return _threshold(np.asarray(x), self.type)
        return np.asarray({"max": x.max, "min": x.min}[how](axis=1, keepdims=True))


class Exact(Reference):
    """Evaluates a plan with the bits of the exported C: the same order of sums, every multiply-add rounded once.

    Parameters
    ----------
    plan : Plan
    dtype : {"float32", "float64"}
    """

    def __init__(self, plan: Plan, dtype: str) -> None:
        super().__init__(plan, dtype)
        self.dtype = dtype

    def scaled(self, x: Array) -> Array:
        if self.plan.standardization is not None:
            return self.standardized(x)
        x, plan = x.astype(self.type), self.plan
        if plan.is_scaled_in_double:
            scale, offset = (np.broadcast_to(np.float64(each), x.shape) for each in (plan.scale, plan.offset))
            return fma(x.astype(np.float64), scale, offset).astype(self.type)
        return x if plan.scale == 1 else x * self.type(plan.scale)

    def of_columns(self, formula: Expression, values: list[Array], units: int, rows: int) -> Array:
        return super().of_columns(contracted(formula), values, units, rows)

    def call(self, name: str, x: Any) -> Any:
        if name == "pow2":
            return np.ldexp(self.type(1), np.where(np.isnan(x), 0, x).astype(np.int32))
        if name == "exponent":
            return (np.frexp(np.where((x > 0) & np.isfinite(x), x, 1))[1] - 1).astype(self.type)
        if name in functions.PRIMITIVES:
            return getattr(np, name)(x)
        formula = contracted(functions.body(name, self.dtype))
        known: dict[Expression, Any] = {functions.X: x}
        for node in formula.nodes():
            if node not in known:
                self._compute(node, known)
        return known[formula]

    def affine(self, step: Affine, x: Array) -> Array:
        W = step.weights.astype(self.type)
        sums = np.zeros((LANES, len(x), step.units), self.type)
        whole = len(W) - len(W) % LANES
        for k in range(len(W)):
            lane = k % LANES if k < whole else 0
            sums[lane] = fma(x[:, k : k + 1], W[k], sums[lane])
        z = (sums[0] + sums[1]) + (sums[2] + sums[3])
        return np.asarray(z if step.biases is None else z + step.biases.astype(self.type))

    def grouped(self, step: Grouped, x: Array) -> Array:
        groups, n, units = step.weights.shape
        W = step.weights.astype(self.type)
        x = x.reshape(len(x), groups, n)
        sums = np.zeros((len(x), groups, units), self.type)
        for k in range(n):
            sums = fma(x[:, :, k : k + 1], W[:, k], sums)
        return np.asarray(sums.reshape(len(x), -1) + step.biases.astype(self.type))

    def quantized(self, step: QuantizedAffine, x: Array) -> Array:
        q = step.quantize(x)
        sums = q.astype(np.int64) @ step.weights.T.astype(np.int64) + step.sums
        return sums.astype(np.int32).astype(np.float32) * step.scales

    def reduce(self, how: str, x: Array) -> Array:
        if how in ("max", "min"):
            best = x[:, :1]
            for j in range(1, x.shape[1]):
                each = x[:, j : j + 1]
                best = np.where(each > best if how == "max" else each < best, each, best)
            return best
        wide = x if x.shape[1] < LONG else x.astype(np.float64)
        if how == "threshold":
            return _threshold(wide, wide.dtype.type).astype(self.type)
        sums = np.zeros((LANES, len(x), 1), wide.dtype)
        for j in range(x.shape[1]):
            sums[j % LANES] += wide[:, j : j + 1]
        return np.asarray((sums[0] + sums[1]) + (sums[2] + sums[3])).astype(self.type)


def _threshold(x: Array, kind: type) -> Array:
    """The t for which the sum of max(x - t, 0) is 1."""
    best: Array = np.full((len(x), 1), -np.inf, kind)
    for j in range(x.shape[1]):
        count: Array = np.zeros((len(x), 1), kind)
        total: Array = np.zeros((len(x), 1), kind)
        for i in range(x.shape[1]):
            is_part = x[:, i : i + 1] >= x[:, j : j + 1]
            count = np.where(is_part, count + kind(1), count)
            total = np.where(is_part, total + x[:, i : i + 1], total)
        each = (total - kind(1)) / count
        best = np.where(each > best, each, best)
    return best


_OPERATORS: dict[str, Any] = {
    **COMPARISONS,
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "negate": lambda a: -a,
    "&&": np.logical_and,
    "||": np.logical_or,
    "where": np.where,
}
