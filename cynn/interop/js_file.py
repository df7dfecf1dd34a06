"""`net.to_js`: one module of JavaScript that predicts."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from cynn import file_access
from cynn.interop import functions, js_lookup
from cynn.interop.exported_model import exported_model
from cynn.interop.expressions import Expression
from cynn.interop.plan import LARGEST, Affine, Array, Copy, Grouped, Map, Plan, Reduce, Take
from cynn.interop.printer import Printer, plain

__all__ = ["JsPrinter", "to_js"]

_OUTPUT = "  {{ name: {}, first: {}, units: {} }},\n"


def to_js(self: Any, path: str | os.PathLike[str]) -> None:
    """Write the network as one ES module with a function `predict(x)`, for browsers and Node.

    It computes in float64 with the network's weights. `predict` takes an array of numbers, one row, and returns a
    Float64Array, or for several outputs an object with one for each name. `inputs` and `outputs` are their numbers. The
    file of an estimator for tables takes an object with a value for each column, too, and has `label(y)`.

    Parameters
    ----------
    path : str or path
        Where to write, such as "digits.js". An existing file is replaced.

    Raises
    ------
    InvalidParameterError
        A layer or an activation has no formula. The message names it and its place. Nothing is written.

    Examples
    --------
    >>> import cynn, pathlib, tempfile
    >>> net = cynn.Network.mlp([2, 3, 1], activation="tanh", seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "small.js")
    ...     net.to_js(path)
    ...     text = path.read_text()
    >>> "export function predict(x) {" in text
    True
    """
    path = Path(file_access.as_path(path, "path", "to_js"))
    text = JsPrinter(exported_model(self).plan).file(path.stem)
    with file_access.replacing(str(path)) as file:
        file.write(text.encode())


class JsPrinter(Printer):
    """Prints a plan as functions of JavaScript.

    Parameters
    ----------
    plan : Plan
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.operators |= {"==": "({0} === {1})", "!=": "({0} !== {1})"}
        self.plan = plan
        self.lines: list[str] = []

    def number(self, value: float) -> str:
        if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "(-Infinity)"
        return f"{value!r}" if math.copysign(1, value) > 0 else f"({value!r})"

    def leaf(self, node: Expression) -> str:
        if node.kind == "x":
            return "x"
        if node.kind == "row":
            return f"v{node.value}[0]"
        owner, first = node.value
        prefix = f"v{owner}" if node.kind == "column" else f"p{owner}"
        return f"{prefix}[j + {first}]" if first else f"{prefix}[j]"

    def call(self, name: str, argument: str) -> str:
        return f"erfc({argument})" if name == "erfc" else f"Math.{name.removeprefix('f')}({argument})"

    def file(self, stem: str) -> str:
        """The whole module."""
        plan = self.plan
        first = 0
        outputs = []
        for output in plan.outputs:
            outputs.append(_OUTPUT.format(js_lookup.literal(output.name), first, plan.widths[output.value]))
            first += plan.widths[output.value]
        single = plan.outputs[0].name is None
        result = (
            f"v{plan.outputs[0].value}" if single
            else "{ " + ", ".join(f"[{js_lookup.literal(each.name)}]: v{each.value}" for each in plan.outputs) + " }"
        )  # fmt: skip
        parts = [
            f"// {plain(stem)}: a network that CyNN has written. predict(x) takes {plan.inputs} numbers.\n"
            + "".join(f"// {line}\n" for line in js_lookup.about(plan)),
            f"export const inputs = {plan.inputs};\n\nexport const outputs = [\n{''.join(outputs)}];\n",
            self.function("export function predict(x)", result),
            js_lookup.functions(plan),
            self._constants(),
        ]
        return "\n".join(parts)

    def function(self, head: str, result: str) -> str:
        """A function that computes all values of the plan, v0, v1, ..., of x, and what it calls.

        Parameters
        ----------
        head : str
            How it begins, such as "function predict(x)".
        result : str
            What it returns.
        """
        self.lines = []
        self._body()
        text = "\n".join([f"{head} {{", *self.lines, f"  return {result};", "}", ""])
        return text + (f"\n{self._erfc()}" if "erfc(" in text else "")

    def _erfc(self) -> str:
        named, text = self.formula(functions.body("erfc", "float64"))
        lines = [f"  const {name} = {value};" for name, value in named]
        return "\n".join(["function erfc(x) {", *lines, f"  return {text};", "}", ""])

    def _constants(self) -> str:
        arrays = [*self.plan.named_arrays(), *self.plan.input_arrays.items()]
        return "\n".join(self._array(name, array) for name, array in arrays)

    def _array(self, name: str, values: Array) -> str:
        kind = "Float32Array" if values.dtype == np.float32 else "Float64Array"
        texts = [str(each) for each in values.ravel()]
        lines = ",\n  ".join(", ".join(texts[first : first + 10]) for first in range(0, len(texts), 10))
        return f"const {name} = new {kind}([\n  {lines},\n]);\n"

    def _line(self, text: str, depth: int = 1) -> None:
        self.lines.append("  " * depth + text)

    def _loop(self, n: int, *body: str) -> None:
        self._line(f"for (let j = 0; j < {n}; ++j) {{")
        for each in body:
            self._line(each, 2)
        self._line("}")

    def _body(self) -> None:
        row = "x" if self.plan.columns is None else "asNumbers(x)"
        if self.plan.standardization is not None:
            z = f"(v - centers[j]) * scales[j], {self.number(-LARGEST)}), {self.number(LARGEST)}"
            self._line(f"const v0 = Float64Array.from({row}, (v, j) => Math.min(Math.max({z}));")
        else:
            scale, offset = self.plan.input_terms(self.number, "{}[j]".format)
            text = f"v * {scale} + {offset}" if self.plan.changes_input else "v"
            named = "(v, j)" if self.plan.input_arrays else "(v)"
            self._line(f"const v0 = Float64Array.from({row}, {named} => {text});")
        for number, step in enumerate(self.plan.steps, start=1):
            self._line(f"const v{number} = new Float64Array({step.units});")
            getattr(self, f"_{step.kind}")(number, step)

    def _affine(self, number: int, step: Affine) -> None:
        n, units = step.weights.shape
        if step.biases is not None:
            self._line(f"v{number}.set(b{number});")
        self._line(f"for (let k = 0; k < {n}; ++k) {{")  # row by row, as the weights are in memory
        self._line(f"const a = v{step.source}[k];", 2)
        self._line(f"for (let j = 0; j < {units}; ++j) v{number}[j] += a * w{number}[k * {units} + j];", 2)
        self._line("}")

    def _grouped(self, number: int, step: Grouped) -> None:
        groups, n, units = step.weights.shape
        w = f"w{number}[(i * {n} + k) * {units} + j]"
        self._line(f"for (let i = 0; i < {groups}; ++i) for (let j = 0; j < {units}; ++j) {{")
        self._line(f"let sum = b{number}[i * {units} + j];", 2)
        self._line(f"for (let k = 0; k < {n}; ++k) sum += v{step.source}[i * {n} + k] * {w};", 2)
        self._line(f"v{number}[i * {units} + j] = sum;", 2)
        self._line("}")

    def _map(self, number: int, step: Map) -> None:
        named, text = self.formula(step.formula)
        self._loop(step.units, *[f"const {name} = {value};" for name, value in named], f"v{number}[j] = {text};")

    def _reduce(self, number: int, step: Reduce) -> None:
        x = f"v{step.source}[j + {step.first}]"
        best = f"v{number}[0]"
        if step.how == "sum":
            self._loop(step.width, f"{best} += {x};")
            return
        self._line(f"{best} = {'Infinity' if step.how == 'min' else '-Infinity'};")
        if step.how in ("max", "min"):
            self._loop(step.width, f"{best} = Math.{step.how}({best}, {x});")
            return
        other = x.replace("[j", "[i")
        self._loop(
            step.width,
            "let count = 0, total = -1;",
            f"for (let i = 0; i < {step.width}; ++i) if ({other} >= {x}) {{ count += 1; total += {other}; }}",
            f"{best} = Math.max({best}, total / count);",
        )

    def _take(self, number: int, step: Take) -> None:
        first = 0
        for place, part in enumerate(step.parts):
            if isinstance(part, Copy):
                self._loop(part.count, f"v{number}[{first} + j] = v{part.source}[{part.first} + j];")
            else:
                x = f"v{part.source}[{part.column}]"
                row = f"({x} > 0 ? Math.trunc(Math.min({x}, {len(part.table) - 1})) : 0)"
                self._loop(part.count, f"v{number}[{first} + j] = t{number}_{place}[{row} * {part.count} + j];")
            first += part.count
