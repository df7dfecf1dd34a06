"""`net.to_python`: one readable file of NumPy code that predicts."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

from cynn import file_access
from cynn.interop import python_lookup
from cynn.interop.exported_model import exported_model
from cynn.interop.expressions import Expression
from cynn.interop.plan import LARGEST, Affine, Array, Copy, Grouped, Map, Plan, Reduce, Take
from cynn.interop.printer import Printer, plain

__all__ = ["to_python"]

_HEAD = '''"""{stem}: a network that CyNN has written, in NumPy. Its {count:,} numbers are at the end."""

{imports}import numpy as np


def predict(x):
    """{outputs}"""
'''


def to_python(self: Any, path: str | os.PathLike[str]) -> None:
    """Write the network as one readable file of NumPy code with a function `predict(x)`, for teaching and audits.

    It computes in the network's dtype. For several outputs, `predict` returns a dict. The file of an estimator for
    tables takes a DataFrame or a dict of columns, too, and has `label(y)`.

    Parameters
    ----------
    path : str or path
        Where to write, such as "digits.py". An existing file is replaced.

    Raises
    ------
    InvalidParameterError
        A layer or an activation has no formula. The message names it and its place. Nothing is written.

    Examples
    --------
    >>> import cynn, pathlib, tempfile
    >>> net = cynn.Network.mlp([2, 3, 1], activation="tanh", seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "small.py")
    ...     net.to_python(path)
    ...     lines = path.read_text().splitlines()
    >>> [line.strip() for line in lines if "tanh" in line or "@" in line]
    ['z1 = x @ W1 + b1', 'a2 = np.tanh(z1)', 'z3 = a2 @ W3 + b3']
    """
    path = Path(file_access.as_path(path, "path", "to_python"))
    text = _PythonPrinter(exported_model(self).plan).file(path.stem)
    with file_access.replacing(str(path)) as file:
        file.write(text.encode())


class _PythonPrinter(Printer):
    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.operators |= {"where": "np.where({0}, {1}, {2})", "&&": "({0} & {1})", "||": "({0} | {1})"}
        self.plan = plan
        self.units = 0
        letters = ["z" if step.kind in ("affine", "grouped") else "a" for step in plan.steps]
        self.names: list[str] = ["x", *(f"{letter}{number}" for number, letter in enumerate(letters, start=1))]

    def number(self, value: float) -> str:
        if not math.isfinite(value):
            return "np.nan" if math.isnan(value) else "np.inf" if value > 0 else "(-np.inf)"
        text = repr(int(value)) if value.is_integer() and abs(value) < 1e6 else repr(value)
        return text if math.copysign(1, value) > 0 else f"({value!r})"

    def columns(self, name: str, first: int, count: int, width: int, axis: str = ":, ") -> str:
        """Some columns of an array, or the array itself."""
        return name if (first, count) == (0, width) else f"{name}[{axis}{first}:{first + count}]"

    def leaf(self, node: Expression) -> str:
        if node.kind == "row":
            return str(self.names[node.value])
        owner, first = node.value
        if node.kind == "column":
            return self.columns(self.names[owner], first, self.units, self.plan.widths[owner])
        return self.columns(f"p{owner}", first, self.units, len(self.plan.arrays[owner]), "")

    def call(self, name: str, argument: str) -> str:
        return f"erfc({argument})" if name == "erfc" else f"np.{name}({argument})"

    def file(self, stem: str) -> str:
        """The whole file."""
        plan = self.plan
        x = "x" if plan.columns is None else "as_numbers(x)"
        if plan.standardization is not None:
            z = f"(np.asarray({x}, np.float64) - centers) * scales"
            lines = [f"x = np.clip({z}, {-LARGEST!r}, {LARGEST!r}).astype(np.{plan.dtype})"]
        elif plan.is_scaled_in_double:
            scale, offset = plan.input_terms(repr, str)
            scaled = f"np.asarray({x}, np.float64) * {scale} + {offset}"
            lines = [f"x = {scaled}" if plan.dtype == "float64" else f"x = ({scaled}).astype(np.{plan.dtype})"]
        else:
            lines = [f"x = np.asarray({x}, np.{plan.dtype})" + (f" * {plan.scale!r}" if plan.changes_input else "")]
        for number, step in enumerate(plan.steps, start=1):
            lines += getattr(self, f"_{step.kind}")(number, step)
        if plan.outputs[0].name is None:
            lines.append(f"return {self.names[plan.outputs[0].value]}")
        else:
            each = ", ".join(f"{output.name!r}: {self.names[output.value]}" for output in plan.outputs)
            lines.append(f"return {{{each}}}")
        body = "\n".join(f"    {line}" for line in lines)
        head = _HEAD.format(
            stem=plain(stem).replace("\\", r"\\").replace('"', "'"), count=plan.parameter_count,
            outputs=python_lookup.about(plan),
            imports=python_lookup.imports(plan, ["import math"] if "erfc(" in body else []),
        )  # fmt: skip
        functions = "\n\nerfc = np.vectorize(math.erfc, otypes=[np.float64])\n" if "erfc(" in body else ""
        constants = self._constants()
        functions += python_lookup.functions(plan)
        return f"{head}{body}\n{functions}" + (f"\n\n{constants}" if constants else "")

    def _constants(self) -> str:
        parts = [self._array(name, array, self.plan.dtype) for name, array in self.plan.named_arrays(weights="W")]
        parts += [self._array(name, array, "float64") for name, array in self.plan.input_arrays.items()]
        return "\n".join(parts)

    def _array(self, name: str, values: Array, dtype: str) -> str:
        texts = [str(each) for each in values.ravel()]
        lines = ",\n    ".join(", ".join(texts[first : first + 10]) for first in range(0, len(texts), 10))
        shape = f".reshape{values.shape}" if values.ndim > 1 else ""
        return f"{name} = np.array([\n    {lines},\n], np.{dtype}){shape}\n"

    def _affine(self, number: int, step: Affine) -> list[str]:
        b = "" if step.biases is None else f" + b{number}"
        return [f"{self.names[number]} = {self.names[step.source]} @ W{number}{b}"]

    def _grouped(self, number: int, step: Grouped) -> list[str]:
        groups, n, _ = step.weights.shape
        x, z = self.names[step.source], self.names[number]
        return [f"{z} = ({x}.reshape(-1, {groups}, 1, {n}) @ W{number}).reshape(-1, {step.units}) + b{number}"]

    def _map(self, number: int, step: Map) -> list[str]:
        self.units = step.units
        named, text = self.formula(step.formula)
        cast = f".astype(np.{self.plan.dtype})" if "erfc(" in text and self.plan.dtype != "float64" else ""
        text = f"({text}){cast}" if cast else text
        return [*(f"{name} = {value}" for name, value in named), f"{self.names[number]} = {text}"]

    def _reduce(self, number: int, step: Reduce) -> list[str]:
        x = self.columns(self.names[step.source], step.first, step.width, self.plan.widths[step.source])
        name = self.names[number]
        if step.how != "threshold":
            return [f"{name} = {x}.{step.how}(axis=1, keepdims=True)"]
        return [
            f"t = -np.sort(-{x}, axis=1)",
            f"{name} = ((t.cumsum(axis=1) - 1) / np.arange(1, {step.width + 1}, dtype=t.dtype)).max(1, keepdims=True)",
        ]

    def _take(self, number: int, step: Take) -> list[str]:
        parts = []
        for place, part in enumerate(step.parts):
            source = self.names[part.source]
            if isinstance(part, Copy):
                parts.append(self.columns(source, part.first, part.count, self.plan.widths[part.source]))
            else:
                code = f"np.clip(np.nan_to_num({source}[:, {part.column}]), 0, {len(part.table) - 1}).astype(int)"
                parts.append(f"t{number}_{place}[{code}]")
        return [f"{self.names[number]} = np.concatenate([{', '.join(parts)}], axis=1)"]
