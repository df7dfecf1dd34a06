"""Prints dense layers in C: in floating point, in groups of columns, and in eight or four bits."""

from __future__ import annotations

from cynn.interop.evaluation import LANES
from cynn.interop.plan import Affine, Grouped, Plan
from cynn.interop.printer import Printer
from cynn.interop.quantization import QuantizedAffine

__all__ = ["DensePrinter"]

# The number of units whose sums stay in registers: twice as many with those of AVX, where they are whole tiles.
_TILE = {"float32": 16, "float64": 8}
_FEW = 256  # so few weights of units that fill no tile are better left out of vectors
_TILE_OF_AVX = """#ifdef __AVX__
#define {name} {wide}
#else
#define {name} {narrow}
#endif

"""


class DensePrinter(Printer):
    """Prints the steps of dense layers as lines of a function.

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
        super().__init__()
        self.plan = plan
        self.name = name
        self.dtype = dtype
        self.exact = exact
        self.real = {"float32": "float", "float64": "double"}[dtype]
        self.suffix = "f" if dtype == "float32" else ""
        self.tile = f"{name.upper()}_TILE"
        self.lines: list[str] = []

    def add(self, a: str, b: str, c: str) -> str:
        """a b + c."""
        return f"fma{self.suffix}({a}, {b}, {c})" if self.exact else f"{a} * {b} + {c}"

    def times(self, a: str, b: str) -> str:
        """a b; with `exact`, in a form that no compiler contracts with a sum."""
        return f"fma{self.suffix}({a}, {b}, -0.0{self.suffix})" if self.exact else f"{a} * {b}"

    def line(self, text: str, depth: int = 1) -> None:
        """Append a line."""
        self.lines.append("    " * depth + text)

    def loop(self, n: int, *body: str) -> None:
        """A loop over columns with these lines."""
        self.line(f"for (int j = 0; j < {n}; ++j) {{")
        for each in body:
            self.line(each, 2)
        self.line("}")

    def definition_of_tile(self) -> str:
        """The number of units in a tile, for the preprocessor."""
        tile = _TILE[self.dtype]
        return _TILE_OF_AVX.format(name=self.tile, wide=2 * tile, narrow=tile)

    def _affine(self, number: int, step: Affine) -> None:
        tile = _TILE[self.dtype]
        whole = step.units - step.units % tile
        self.line(f"/* {self.plan.widths[step.source]} -> {step.units} */")
        if whole:
            self._tiles(number, step, 0, whole, self.tile if step.units % (2 * tile) == 0 else str(tile))
        rest = step.units - whole
        if rest and (rest >= tile // 2 or rest * len(step.weights) > _FEW):
            self._tiles(number, step, whole, step.units, str(rest))
        elif rest:
            self._singles(number, step, whole)

    def _tiles(self, number: int, step: Affine, first: int, stop: int, width: str) -> None:
        """The sums of some units, over four inputs at a time: they do not depend on each other."""
        n, units = step.weights.shape
        x = f"v{step.source}"
        whole = n - n % LANES
        self.line(f"for (int j = {first}; j < {stop}; j += {width}) {{")
        self.line("".join([f"{self.real} ", ", ".join(f"s{k}[{width}] = {{0}}" for k in range(LANES)), ";"]), 2)
        if whole:
            self.line(f"for (int k = 0; k < {whole}; k += {LANES}) {{", 2)
            self.line(f"const {self.real} *const w = {self.name}_w{number} + k * {units} + j;", 3)
            self.line(f"for (int i = 0; i < {width}; ++i) {{", 3)
            for k in range(LANES):
                at, w = (f"{x}[k + {k}]", f"w[i + {k * units}]") if k else (f"{x}[k]", "w[i]")
                self.line(f"s{k}[i] = {self.add(at, w, f's{k}[i]')};", 4)
            self.line("}", 3)
            self.line("}", 2)
        for k in range(whole, n):
            w = f"{self.name}_w{number}[{k * units} + j + i]"
            self.line(f"for (int i = 0; i < {width}; ++i) s0[i] = {self.add(f'{x}[{k}]', w, 's0[i]')};", 2)
        b = "" if step.biases is None else f" + {self.name}_b{number}[j + i]"
        total = f"(s0[i] + s1[i]) + (s2[i] + s3[i]){b}"
        self.line(f"for (int i = 0; i < {width}; ++i) v{number}[j + i] = {total};", 2)
        self.line("}")

    def _singles(self, number: int, step: Affine, first: int) -> None:
        """Likewise the sums of few units, one unit after the other."""
        n, units = step.weights.shape
        x = f"v{step.source}"
        whole = n - n % LANES
        self.line(f"for (int j = {first}; j < {units}; ++j) {{")
        self.line(f"const {self.real} *const w = {self.name}_w{number} + j;", 2)
        self.line(f"{self.real} {', '.join(f's{k} = 0' for k in range(LANES))};", 2)
        for k in range(min(LANES, whole)):  # loops of their own, which gcc does not turn into vectors and back
            sum_ = self.add(f"{x}[k]", f"w[k * {units}]", f"s{k}")
            self.line(f"for (int k = {k}; k < {whole}; k += {LANES}) s{k} = {sum_};", 2)
        for k in range(whole, n):
            self.line(f"s0 = {self.add(f'{x}[{k}]', f'w[{k * units}]', 's0')};", 2)
        b = "" if step.biases is None else f" + {self.name}_b{number}[j]"
        self.line(f"v{number}[j] = (s0 + s1) + (s2 + s3){b};", 2)
        self.line("}")

    def _grouped(self, number: int, step: Grouped) -> None:
        groups, n, units = step.weights.shape
        w = f"{self.name}_w{number}[(i * {n} + k) * {units} + j]"
        self.line(f"/* {groups} times {n} -> {units} */")
        self.line(f"for (int i = 0; i < {groups}; ++i) {{")
        self.line(f"for (int j = 0; j < {units}; ++j) {{", 2)
        self.line(f"{self.real} s = 0.0{self.suffix};", 3)
        sum_ = self.add(f"v{step.source}[i * {n} + k]", w, "s")
        self.line(f"for (int k = 0; k < {n}; ++k) s = {sum_};", 3)
        self.line(f"v{number}[i * {units} + j] = s + {self.name}_b{number}[i * {units} + j];", 3)
        self.line("}", 2)
        self.line("}")

    def _quantized(self, number: int, step: QuantizedAffine) -> None:
        units, n = step.weights.shape
        low, high = self.number(-128 - step.zero), self.number(127 - step.zero)
        self.line(f"/* {n} -> {units}, in {'eight' if step.bits == 8 else 'four'} bits */")
        self.loop(
            n,
            f"float t = v{step.source}[j] * {self.number(float(step.input_scale))};",
            f"t = t > {low} ? t : {low};",
            f"t = t < {high} ? t : {high};",
            f"q[j] = (int8_t)((int32_t)((t + 12582912.0f) - 12582912.0f) + {step.zero});",
        )
        kind, width = ("int8_t", n) if step.bits == 8 else ("uint8_t", (n + 1) // 2)
        sums = [f"for (int k = 0; k < {n}; ++k) s += (int32_t)q[k] * w[k];"]
        if step.bits == 4:
            pair = "q[2 * k] * ((w[k] & 15) - 8) + q[2 * k + 1] * ((w[k] >> 4) - 8)"
            sums = [f"for (int k = 0; k < {n // 2}; ++k) s += {pair};"]
            sums += [f"s += q[{n - 1}] * ((w[{n // 2}] & 15) - 8);"] * (n % 2)
        self.loop(
            units,
            f"const {kind} *const w = {self.name}_w{number} + j * {width};",
            f"int32_t s = {self.name}_b{number}[j];",
            *sums,
            f"v{number}[j] = {self.times('(float)s', f'{self.name}_s{number}[j]')};",
        )
