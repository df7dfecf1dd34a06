"""Accuracy and cost of the functions of cynn/vector_math.h: ``python -m benchmarks.vector_math``.

For each level of CPU that the machine runs, a loop over each function is compiled as the kernels are. The accuracy is
the largest error over many numbers of the whole range, in units of the last place (ULP), against mpmath or, for
float32, against the same in double. The cost is that of an element in a loop over 1,024 of them: the least of many
rounds, in the processor time of the thread. Both are printed as tables for docs/vector_math.rst.
"""

from __future__ import annotations

import argparse
import ctypes
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import cynn
from cynn.kernels import cpu

OPTIONS = ["-O3", "-fno-math-errno", "-fno-trapping-math", "-shared", "-fPIC"]
MARCH = {
    "baseline": ["-march=x86-64-v2"],
    "avx2": ["-march=x86-64-v3"],
    "avx512": ["-march=x86-64-v4", "-mprefer-vector-width=512"],
}
# The range of float32 and float64 in which the result is a number other than 0 and infinity, or nearly 1.
RANGES = {
    "exp": ((-103, 88.7), (-745, 709.7)),
    "expm1": ((-103, 88.7), (-745, 709.7)),
    "log": ((1e-44, 3e38), (1e-320, 1e308)),
    "log1p": ((-0.999999, 3e38), (-0.999999, 1e308)),
    "tanh": ((-20, 20), (-40, 40)),
    "erf": ((-6, 6), (-8, 8)),
    "erfc": ((-6, 9.2), (-8, 26.5)),
    "sin": ((-8192, 8192), (-1e6, 1e6)),
    "cos": ((-8192, 8192), (-1e6, 1e6)),
    "sigmoid": ((-87, 17), (-708, 37)),
    "softplus": ((-87, 100), (-708, 700)),
}
# What cynn/vector_math.pxd makes of these.
MADE = {
    "sigmoid": "1 / (1 + {prefix}exp{suffix}(-x[i]))",
    "softplus": "(x[i] < 0 ? 0 : x[i]) + {prefix}log1p{suffix}({prefix}exp{suffix}(x[i] > 0 ? -x[i] : x[i]))",
}
TYPES = {"f32": ("float", np.float32, "f"), "f64": ("double", np.float64, "")}
ELEMENTS = 1024
BARRIER = '__asm__ volatile("" ::: "memory");'  # each round is to be run
TIMES = 50  # calls in a round


def source() -> str:
    """A loop over each function, and over that of the C library."""
    lines = ['#include "cynn/vector_math.h"']
    for suffix, (c_type, _, ending) in TYPES.items():
        expressions = {"multiplication": "x[i] * 3"}
        for name in RANGES:
            form = MADE.get(name, f"{{prefix}}{name}{{suffix}}(x[i])")
            expressions[name] = form.format(prefix="cynn_", suffix=f"_{suffix}")
            expressions[f"libm_{name}"] = form.format(prefix="", suffix=ending)
        lines += [
            f"void {name}_{suffix}(const {c_type} *x, {c_type} *y, long n, long times)"
            f"{{ for (long t = 0; t < times; t++) {{ for (long i = 0; i < n; i++) y[i] = {expression}; {BARRIER} }} }}"
            for name, expression in expressions.items()
        ]
    return "\n".join(lines) + "\n"


def compiled(folder: Path, level: str) -> ctypes.CDLL:
    """The library of one level."""
    (folder / "functions.c").write_text(source())
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    target = folder / f"{level}.so"
    command = [compiler, *OPTIONS, *MARCH[level], f"-I{cynn.get_include()}", "functions.c", "-o", str(target), "-lm"]
    subprocess.run(command, cwd=folder, check=True)
    return ctypes.CDLL(str(target))


def caller(library: ctypes.CDLL, name: str, suffix: str) -> Callable[..., None]:
    """A function that writes f(x) to y, so many times."""
    function = getattr(library, f"{name}_{suffix}")

    def call(x: Any, y: Any, times: int = 1) -> None:
        addresses = (ctypes.c_void_p(x.ctypes.data), ctypes.c_void_p(y.ctypes.data))
        function(*addresses, ctypes.c_long(len(x)), ctypes.c_long(times))

    return call


def numbers(name: str, suffix: str, few: int) -> Any:
    """So many of float64, spread over the range, around 0, and over all exponents; of float32, 200 times as many."""
    _, dtype, _ = TYPES[suffix]
    low, high = RANGES[name][suffix == "f64"]
    if suffix == "f32":
        x = np.arange(0, 2**32, 2**32 // (200 * few) | 1, dtype=np.uint64).astype(np.uint32).view(np.float32)
        x = x[np.isfinite(x)]
    else:
        rng = np.random.default_rng(5)
        exponents = 10.0 ** rng.uniform(-320, np.log10(high), few // 4)
        x = np.concatenate([rng.uniform(max(low, -1e3), min(high, 1e3), few // 2), rng.uniform(-1, 1.5, few // 2)])
        x = np.concatenate([x, exponents, -exponents])
    return x[(x >= low) & (x <= high) & (x != 0)].astype(dtype)


def exact(name: str, x: Any) -> Any:
    """f(x) in a precision beside which that of the result does not count: in longdouble, of float64."""
    if x.dtype == np.float32:
        import scipy.special as special

        functions = {"erf": special.erf, "erfc": special.erfc, "sigmoid": special.expit}
        functions["softplus"] = lambda x: np.logaddexp(0, x)
        return functions.get(name, getattr(np, name, None))(x.astype(np.float64))
    import mpmath

    mpmath.mp.prec = 120
    made = {
        "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
        "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    }
    function = made.get(name) or getattr(mpmath, name)
    high = [function(mpmath.mpf(float(value))) for value in x]
    first = np.array([float(value) for value in high])
    rest = np.array([float(value - mpmath.mpf(one)) for value, one in zip(high, first.tolist(), strict=True)])
    return first.astype(np.longdouble) + rest


def error(y: Any, expected: Any) -> float:
    """The largest error in units of the last place of the result."""
    unit = np.spacing(np.abs(expected.astype(y.dtype)))
    with np.errstate(invalid="ignore"):
        return float(np.nanmax(np.abs(y.astype(expected.dtype) - expected) / unit))


def cost(call: Callable[..., None], x: Any, rounds: int) -> float:
    """Nanoseconds for an element."""
    y, best = np.empty_like(x), float("inf")
    for _ in range(rounds):
        start = time.thread_time_ns()
        call(x, y, TIMES)
        best = min(best, (time.thread_time_ns() - start) / (TIMES * len(x)))
    return best


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table in reStructuredText."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    line = "  ".join("=" * width for width in widths)
    body = ["  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    top = "  ".join(f"{cell:{width}}" for cell, width in zip(head, widths, strict=True)).rstrip()
    return "\n".join([line, top, line, *body, line])


def main() -> int:
    parser = argparse.ArgumentParser(description="Accuracy and cost of the functions of cynn/vector_math.h.")
    parser.add_argument("--quick", action="store_true", help="few numbers and rounds")
    few, rounds = (100, 1) if parser.parse_args().quick else (20_000, 1_000)
    levels = [level for level in MARCH if level in cpu.supported_levels()]
    errors: dict[str, list[str]] = {name: [] for name in RANGES}
    with tempfile.TemporaryDirectory() as folder:
        libraries = {level: compiled(Path(folder), level) for level in levels}
        for suffix in TYPES:
            for name in RANGES:
                x = numbers(name, suffix, few)
                y, expected, worst = np.empty_like(x), exact(name, x), 0.0
                for library in libraries.values():
                    caller(library, name, suffix)(x, y)
                    worst = max(worst, error(y, expected))
                errors[name].append(f"{worst:.2f}")
        print(table(["function", "float32", "float64"], [[f"``{name}``", *each] for name, each in errors.items()]))
        for suffix, (_, dtype, _) in TYPES.items():
            x = np.random.default_rng(0).uniform(0.1, 3.0, ELEMENTS).astype(dtype)
            rows = []
            for name in ("multiplication", *RANGES):
                calls = [caller(library, name, suffix) for library in libraries.values()]
                if name in RANGES:
                    calls.append(caller(libraries[levels[-1]], f"libm_{name}", suffix))
                cells = [f"{cost(call, x, rounds):.2f}" for call in calls]
                rows.append([f"``{name}``", *cells] if name in RANGES else [name, *cells, ""])
            print(f"\n{np.dtype(dtype).name}\n" + table(["function", *levels, "C library"], rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
