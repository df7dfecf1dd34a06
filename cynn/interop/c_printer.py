"""Prints a plan as one file of C99, which is valid C++, too."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import numpy as np

from cynn.interop import functions
from cynn.interop.c_dense import DensePrinter
from cynn.interop.c_functions import MATH_H, CFunction
from cynn.interop.evaluation import LANES, LONG
from cynn.interop.expressions import Expression, contracted
from cynn.interop.plan import LARGEST, Array, Copy, Function, Map, Plan, Reduce, Take
from cynn.interop.printer import functions_needed, identifier, places_of, unique
from cynn.interop.quantization import QuantizedAffine

__all__ = ["CPrinter"]

# Functions on the bits of a number: 2^k for a whole k, and the exponent k of a normal number.
_PRIMITIVES = {
    "pow2": """static inline {real} {name}_pow2({real} k)
{{
    {real} shifted = k + {magic}, power;
    {bits} bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits - {magic_bits} + {bias}) << {mantissa};
    memcpy(&power, &bits, sizeof bits);
    return power;
}}
""",
    "exponent": """static inline {real} {name}_exponent({real} x)
{{
    {bits} bits;
    memcpy(&bits, &x, sizeof bits);
    return ({real})((int32_t)((bits >> {mantissa}) & {mask}) - {signed_bias});
}}
""",
}
_BITS = {
    "float32": {
        "real": "float", "bits": "uint32_t", "magic": "12582912.0f", "magic_bits": "0x4b400000u", "bias": "127u",
        "mantissa": "23", "mask": "255u", "signed_bias": "127",
    },
    "float64": {
        "real": "double", "bits": "uint64_t", "magic": "6755399441055744.0",
        "magic_bits": "UINT64_C(0x4338000000000000)", "bias": "1023u",
        "mantissa": "52", "mask": "2047u", "signed_bias": "1023",
    },
}  # fmt: skip


def in_double(value: float) -> str:
    """A constant of the type double."""
    return "(double)NAN" if math.isnan(value) else repr(value)


class CPrinter(DensePrinter):
    """Prints a plan.

    Parameters
    ----------
    plan : Plan
    name : str
        The prefix of every name in the file.
    dtype : {"float32", "float64"}
        The dtype of the computation.
    exact : bool
        Whether every multiply-add is an `fma`.
    """

    def __init__(self, plan: Plan, name: str, dtype: str, exact: bool) -> None:
        super().__init__(plan, name, dtype, exact)
        self.input = self.real if plan.standardization is None else "double"
        self.operators["fma"] = f"fma{self.suffix}({{0}}, {{1}}, {{2}})"
        outputs = {output.value for output in plan.outputs}
        self.is_scaled = plan.changes_input or 0 in outputs
        outside = outputs if self.is_scaled else outputs | {0}
        self.places, self.buffer = places_of(plan, lambda value: value in outside)
        self.quantized = max(
            (plan.widths[step.source] for step in plan.steps if isinstance(step, QuantizedAffine)), default=0
        )
        texts = [step.code.text for step in plan.steps if isinstance(step, Function)]
        #: The prefix of the names for each function of a plugin.
        self.own = {text: f"{name}_f{number}" for number, text in enumerate(dict.fromkeys(texts), start=1)}

    # ------------------------------------------------------------------------------------- expressions

    def number(self, value: float) -> str:
        if math.isnan(value):
            return "NAN" if self.suffix else "(double)NAN"
        if math.isinf(value):
            return ("" if value > 0 else "-") + ("INFINITY" if self.suffix else "(double)INFINITY")
        held = np.float32(value) if self.suffix else np.float64(value)
        text = f"{held!r}".partition("(")[2].rstrip(")")
        if not any(mark in text for mark in ".en"):
            text += ".0"
        return text + self.suffix

    def leaf(self, node: Expression) -> str:
        if node.kind == "x":
            return "x"
        if node.kind == "row":
            return f"v{node.value}[0]"
        owner, first = node.value
        prefix = f"v{owner}" if node.kind == "column" else f"{self.name}_p{owner}"
        return f"{prefix}[j + {first}]" if first else f"{prefix}[j]"

    def call(self, name: str, argument: str) -> str:
        return f"{self.name_of(name)}({argument})"

    def name_of(self, function: str) -> str:
        """The name that a function of one number has in the file."""
        return f"{function}{self.suffix}" if self._is_of_math_h(function) else f"{self.name}_{function}"

    def _is_of_math_h(self, name: str) -> bool:
        return name in ("sqrt", "fabs") or (name in functions.ONLY_WITH_FMA and not self.exact)

    def formula(self, node: Expression, name: str = "t") -> tuple[list[tuple[str, str]], str]:
        return super().formula(contracted(node) if self.exact else node, name)

    # ------------------------------------------------------------------------------------------- parts

    def constants(self) -> str:
        """The weights, as constants for flash memory."""
        parts = [self.array(name, self.real, array) for name, array in self.plan.named_arrays()]
        for name, array in self.plan.input_arrays.items():
            parts.append(self.array(name, "double", array))
        for number, step in enumerate(self.plan.steps, start=1):
            if isinstance(step, QuantizedAffine):
                parts.append(self.array(f"w{number}", "int8_t" if step.bits == 8 else "uint8_t", step.packed))
                parts.append(self.array(f"b{number}", "int32_t", step.sums))
                parts.append(self.array(f"s{number}", self.real, step.scales))
        return "\n".join(parts)

    def array(self, name: str, kind: str, values: Array) -> str:
        """A constant array."""
        flat = values.ravel()
        writers: dict[str, Callable[[float], str]] = {self.real: self.number, "double": in_double}
        texts = [writers[kind](float(v)) if kind in writers else str(int(v)) for v in flat]
        rows = [", ".join(texts[first : first + 10]) for first in range(0, len(texts), 10)]
        body = ",\n    ".join(rows)
        return f"static const {kind} {self.name}_{name}[{len(texts)}] = {{\n    {body}\n}};\n"

    def functions(self) -> str:
        """The functions that the file brings along, such as exp, and those of plugins."""
        parts = []
        for name in functions_needed(self.plan, lambda each: not self._is_of_math_h(each), self.dtype):
            if name in _PRIMITIVES:
                parts.append(_PRIMITIVES[name].format(name=self.name, **_BITS[self.dtype]))
                continue
            named, text = self.formula(functions.body(name, self.dtype))
            lines = [f"    const {self.real} {each} = {value};" for each, value in named]
            head = f"static inline {self.real} {self.name}_{name}({self.real} x)"
            parts.append("\n".join([head, "{", *lines, f"    return {text};", "}", ""]))
        for text, prefix in self.own.items():
            parts.append(CFunction(text, "").printed(prefix, self.real, self.name_of))
        return "\n".join(parts)

    def predict(self) -> str:
        """The function that predicts."""
        self.lines = []
        head = f"void {self.name}_predict(const {self.input} *x, {self.real} *y, {self.real} *buffer)"
        first = 0
        begins: dict[int, int] = {}
        for output in self.plan.outputs:
            begins.setdefault(output.value, first)
            first += self.plan.widths[output.value]
        for value in range(len(self.plan.widths)):
            if value in begins:
                self.line(f"{self.real} *const v{value} = y + {begins[value]};")
            elif value in self.places:
                self.line(f"{self.real} *const v{value} = buffer + {self.places[value]};")
            else:
                self.line(f"const {self.real} *const v{value} = x;")
        if self.quantized:
            self.line(f"int8_t *const q = (int8_t *)(buffer + {self.buffer});")
        if not self.buffer + self.quantized:
            self.line("(void)buffer;")
        if self.is_scaled:
            self._scale()
        for number, step in enumerate(self.plan.steps, start=1):
            getattr(self, f"_{step.kind}")(number, step)
        self._repeated(begins)
        body = "\n".join([head, "{", *self.lines, "}", ""])
        return self.definition_of_tile() + body if self.tile in body else body

    def _repeated(self, begins: dict[int, int]) -> None:
        """The outputs that repeat the value of an earlier one."""
        first = 0
        for output in self.plan.outputs:
            width = self.plan.widths[output.value]
            if begins[output.value] != first:
                self.loop(width, f"y[{first} + j] = v{output.value}[j];")
            first += width

    def _scale(self) -> None:
        if self.plan.standardization is not None:
            self.loop(
                self.plan.inputs,
                f"double z = (x[j] - {self.name}_centers[j]) * {self.name}_scales[j];",
                f"z = z > {LARGEST!r} ? {LARGEST!r} : z;",
                f"z = z < -{LARGEST!r} ? -{LARGEST!r} : z;",
                f"v0[j] = ({self.real})z;",
            )
            return
        if self.plan.is_scaled_in_double:
            scale, offset = self.plan.input_terms(repr, lambda name: f"{self.name}_{name}[j]")
            text = f"(double)x[j] * {scale} + {offset}"
            text = f"fma((double)x[j], {scale}, {offset})" if self.exact else text
            text = f"({self.real})({text})"
        else:
            text = self.times("x[j]", self.number(self.plan.scale)) if self.plan.changes_input else "x[j]"
        self.loop(self.plan.inputs, f"v0[j] = {text};")

    def _map(self, number: int, step: Map) -> None:
        named, text = self.formula(step.formula)
        lines = [f"const {self.real} {name} = {value};" for name, value in named]
        if step.units == 1 and not any(node.kind in ("column", "array") for node in step.formula.nodes()):
            self.line("{")
            for each in [*lines, f"v{number}[0] = {text};"]:
                self.line(each, 2)
            self.line("}")
        else:
            self.loop(step.units, *lines, f"v{number}[j] = {text};")

    def _function(self, number: int, step: Function) -> None:
        code, own = step.code, {"n": str(step.width), "units": str(step.units), "z": f"v{step.source}"}
        own |= {"a": f"v{number}"}
        at = f" + {step.first}" if step.first else ""
        own["z"] += at if code.is_of_rows else f"[j{at}]"
        arguments = []
        for kind, name in code.parameters:
            if name in own:
                arguments.append(own[name])
            elif name in step.arrays:
                arguments.append(f"{self.name}_p{step.arrays[name]}{'' if code.is_of_rows else '[j]'}")
            else:
                value = step.numbers[name]
                arguments.append(str(int(value)) if kind == "count" else self.number(value))
        text = f"{code.name_in(self.own[code.text])}({', '.join(arguments)})"
        if code.is_of_rows:
            self.line(f"{text};")
        else:
            self.loop(step.units, f"v{number}[j] = {text};")

    def _reduce(self, number: int, step: Reduce) -> None:
        n, x = step.width, f"v{step.source}[j + {step.first}]" if step.first else f"v{step.source}[j]"
        best = f"v{number}[0]"
        if step.how in ("max", "min"):
            sign = ">" if step.how == "max" else "<"
            self.line(f"{best} = v{step.source}[{step.first}];")
            self.loop(n, f"{best} = {x} {sign} {best} ? {x} : {best};")
            return
        wide, suffix = (self.real, self.suffix) if n < LONG else ("double", "")
        zero, one, cast = f"0.0{suffix}", f"1.0{suffix}", "" if wide == self.real else f"({self.real})"
        if step.how == "sum":
            self.line(f"{wide} s{number}[{LANES}] = {{0}};")
            self.loop(n, f"s{number}[j % {LANES}] += {x};")
            total = f"(s{number}[0] + s{number}[1]) + (s{number}[2] + s{number}[3])"
            self.line(f"{best} = {cast}({total});")
            return
        other = x.replace("[j", "[i")
        self.line(f"{wide} s{number} = -{'' if suffix else '(double)'}INFINITY;")
        self.loop(
            n,
            f"{wide} count = {zero}, total = {zero};",
            f"for (int i = 0; i < {n}; ++i) {{",
            f"    count += {other} >= {x} ? {one} : {zero};",
            f"    total += {other} >= {x} ? {other} : {zero};",
            "}",
            f"total = (total - {one}) / count;",
            f"s{number} = total > s{number} ? total : s{number};",
        )
        self.line(f"{best} = {cast}s{number};")

    def _take(self, number: int, step: Take) -> None:
        first = 0
        for place, part in enumerate(step.parts):
            if isinstance(part, Copy):
                self.loop(part.count, f"v{number}[{first} + j] = v{part.source}[{part.first} + j];")
            else:
                last, x = len(part.table) - 1, f"v{part.source}[{part.column}]"
                end = self.number(last)
                row = f"{x} > {self.number(0)} ? ({x} < {end} ? (int){x} : {last}) : 0"
                self.line(f"for (int j = 0, row = {row}; j < {part.count}; ++j) {{")
                table = f"{self.name}_t{number}_{place}[row * {part.count} + j]"
                self.line(f"v{number}[{first} + j] = {table};", 2)
                self.line("}")
            first += part.count

    def needs_math_h(self, text: str) -> bool:
        """Whether a text uses anything of math.h."""
        words = ("sqrt", "fabs", "erfc", "sin", "cos", "INFINITY", "NAN", *MATH_H)
        return any(re.search(rf"(?<![\w]){word}f?\b", text) for word in words)

    @property
    def parameter_count(self) -> int:
        """The number of weights, biases and elements of other arrays."""
        whole = [step for step in self.plan.steps if isinstance(step, QuantizedAffine)]
        return self.plan.parameter_count + sum(step.weights.size + step.units for step in whole)

    def flash_bytes(self) -> int:
        """The size of all constants."""
        size = np.dtype(self.dtype).itemsize
        total = size * sum(array.size for _, array in self.plan.named_arrays())
        total += sum(array.nbytes for array in self.plan.input_arrays.values())
        for step in self.plan.steps:
            if isinstance(step, QuantizedAffine):
                total += step.packed.size + 8 * step.units
        return total

    def output_lines(self) -> list[tuple[str, int, int]]:
        """Name in capitals, first column and number of columns of each output."""
        found: list[tuple[str, int, int]] = []
        names = unique(identifier(output.name or "y", "output").upper() for output in self.plan.outputs)
        for name, output in zip(names, self.plan.outputs, strict=True):
            first = found[-1][1] + found[-1][2] if found else 0
            found.append((name, first, self.plan.widths[output.value]))
        return found

    def buffer_length(self) -> int:
        """The length of the buffer that the predicting function needs."""
        size = np.dtype(self.dtype).itemsize
        return self.buffer + -(-self.quantized // size)
