"""`net.to_c`: one file of C that predicts, with a test that checks its results on the machine where it runs."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from cynn import file_access
from cynn.errors import DataError, InvalidParameterError, check_switch, not_allowed, shown
from cynn.interop import c_lookup
from cynn.interop.c_printer import CPrinter
from cynn.interop.calibration import calibrated
from cynn.interop.evaluation import Exact, Reference
from cynn.interop.exported_model import ExportedModel, exported_model
from cynn.interop.plan import Array, Function, Plan
from cynn.interop.printer import identifier, plain
from cynn.interop.quantization import WEIGHT_BITS

__all__ = ["to_c"]

_DTYPES = ("float32", "float64", *WEIGHT_BITS)

_FILE = """/* @stem@: a network that CyNN @version@ has written. It takes @inputs@ numbers and makes @outputs@.
 *
@x@ *     @real@ @x_too@y[@NAME@_OUTPUTS], buffer[@NAME@_BUFFER];
 *     @name@_predict(x, y, buffer);
 *
@about@
 */
@includes@
@head@
@constants@
@functions@
@predict@@lookup@
#ifdef __cplusplus
}
#endif
@selftest@"""

_HEAD = """#ifdef __cplusplus
extern "C" {
#endif

#define @NAME@_INPUTS @inputs@
#define @NAME@_OUTPUTS @outputs@
#define @NAME@_BUFFER @buffer@
@places@
void @name@_predict(const @input@ *x, @real@ *y, @real@ *buffer);
@lookups@"""

_HEADER = """#ifndef @NAME@_H
#define @NAME@_H

@head@
#ifdef __cplusplus
}
#endif

#endif
"""

# 0: each type is computed in itself. 16 (ISO/IEC TS 18661-3): so are all but smaller ones than _Float16.
_STRICT = """#if defined(__FAST_MATH__) || !defined(FLT_EVAL_METHOD) || (FLT_EVAL_METHOD != 0 && FLT_EVAL_METHOD != 16)
#error "This file promises its bits: compile it without -ffast-math, for arithmetic in the types that it names."
#endif
"""

_SELFTEST = """
#ifdef CYNN_SELFTEST
/* Compile with -DCYNN_SELFTEST for a program that says whether this machine computes the same. */
#include <stdio.h>
#ifndef __cplusplus
#include <math.h>
#endif

@rows@
int main(void)
{
    @real@ y[@NAME@_OUTPUTS], buffer[@NAME@_BUFFER];
    double largest = 0.0;
    int good = 1;
    for (int row = 0; row < @n@; ++row) {
        @name@_predict(@name@_rows + row * @NAME@_INPUTS, y, buffer);
        for (int j = 0; j < @NAME@_OUTPUTS; ++j) {
            double error = (double)y[j] - @name@_expected[row * @NAME@_OUTPUTS + j];
            error = error < 0.0 ? -error : error;
            largest = error > largest ? error : largest;
            good = good && error <= @allowed@; /* not so for a NaN */
        }
    }
    printf("%s: @n@ rows, largest error %g, allowed %g\\n", good ? "PASS" : "FAIL", largest, @allowed@);
    return good ? 0 : 1;
}
#endif
"""


def to_c(
    self: Any,
    path: str | os.PathLike[str],
    *,
    dtype: str = "float32",
    calibration: Any = None,
    selftest: Any = None,
    exact: bool = False,
    header: bool = False,
) -> None:
    """Write the network as one file of C99 that predicts. It is valid C++, too.

    The file allocates nothing, and writes only to the arrays that it is given; weights are constants. `NAME_predict(x,
    y, buffer)`, with the name of the file, predicts one row; several outputs are concatenated in y. Categories are not
    checked: one out of range is replaced by the nearest. The file of an estimator for tables has functions for the
    numbers of categories and the labels of classes; its x is an array of doubles.

    Parameters
    ----------
    path : str or path
        Where to write, such as "digits.c". An existing file is replaced.
    dtype : {"float32", "float64", "int8", "int4"}
        The dtype of the computation. "int8": weights and inputs of dense layers have eight bits, with a scale for each
        unit, and their sums 32 bits (Jacob et al., 2018); all else is float32. "int4": weights have four bits, which
        halves the file and costs more accuracy. The loss of accuracy is printed.
    calibration : array or DataFrame of shape (rows, inputs), or tuple (x, y), optional
        For "int8" and "int4": rows whose smallest and largest numbers define the range of inputs in eight bits. With
        y, classes or values, the accuracy or the root mean squared error is printed.
    selftest : array or DataFrame of shape (rows, inputs), optional
        Compiled with `-DCYNN_SELFTEST`, the file is a program that predicts these rows and prints pass or fail. It
        passes if the largest error, compared with an evaluation in higher precision, is at most twice that of `predict`
        plus 4 ULP of the largest output; with `exact`, "int8" or "int4", if there is no difference at all. With the
        function of a plugin, which is compared with its kernel in float64, 64 ULP are allowed.
    exact : bool
        Whether the bits are the same with every compiler that has IEEE arithmetic: every multiply-add is an `fma`, and
        all functions are in the file. "int8" and "int4" always are.
    header : bool
        Whether a header is written, too.

    Raises
    ------
    InvalidParameterError
        A layer or an activation has no `c_source`, or with `exact`, or whole numbers and a `selftest`, one that is a
        function and no expression. The message names it and its place. Nothing is written.
    DataError, ShapeError
        The rows do not fit the network.

    Examples
    --------
    >>> import cynn, pathlib, tempfile
    >>> net = cynn.Network.mlp([2, 3, 1], activation="tanh", seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "net.c")
    ...     net.to_c(path)
    ...     text = path.read_text()
    >>> "void net_predict(const float *x, float *y, float *buffer)" in text
    True
    """
    path = Path(file_access.as_path(path, "path", "to_c"))
    if dtype not in _DTYPES:
        raise not_allowed("dtype", "to_c", "'float32', 'float64', 'int8' or 'int4'", dtype)
    is_whole = dtype in WEIGHT_BITS
    exact = check_switch(exact, "exact", "to_c") or is_whole
    header = check_switch(header, "header", "to_c")
    if header and (not path.stem.isprintable() or set(path.stem) & set('"\\')):  # the file includes it by this name
        raise InvalidParameterError(
            "The name of a file with a header must be without quotes, backslashes and control characters. "
            f"Got {shown(path.stem)} instead."
        )
    if (calibration is not None) != is_whole:
        raise InvalidParameterError(
            "The 'calibration' parameter of to_c must be rows for the dtypes 'int8' and 'int4', and None for others. "
            f"Got {'rows' if calibration is not None else 'none'} for {dtype!r}."
        )
    real = "float32" if is_whole else dtype
    form = "exact" if exact and not is_whole else "C" if selftest is None or not is_whole else "whole numbers, tested"
    model = exported_model(self, form)
    check_held(model.plan, real)
    if is_whole:
        model.plan = calibrated(model, calibration, dtype)
    printer = CPrinter(model.plan, identifier(path.stem), real, exact)
    rows = None if selftest is None else model.rows(selftest, "selftest", real)
    text = _text(model, printer, path, rows, header, dtype)
    if header:
        with file_access.replacing(str(path.with_suffix(".h"))) as file:
            file.write(_filled(_HEADER, _values(printer, path)).encode())
    with file_access.replacing(str(path)) as file:
        file.write(text.encode())


def check_held(plan: Plan, dtype: str) -> None:
    """Raise a DataError if a weight is not finite in the dtype."""
    for _, array in plan.named_arrays():
        with np.errstate(over="ignore"):
            held = np.isfinite(array.astype(dtype))
        if not held.all():
            raise DataError(
                f"The weights of a network that is exported must be finite in {dtype}. Got {array[~held][0]} instead."
            )


def _expected(model: ExportedModel, rows: Array, dtype: str) -> tuple[Array, float]:
    """The outputs in higher precision, and the allowed error: twice that of `predict` plus 4 ULP of the largest."""
    wanted = Reference(model.plan, "float64" if dtype == "float32" else "longdouble")(rows)
    own = np.abs(model.predict(rows, dtype).astype(wanted.dtype) - wanted).max()
    ulps = 64 if any(isinstance(step, Function) for step in model.plan.steps) else 4
    return wanted, float(2 * own + ulps * np.spacing(np.dtype(dtype).type(np.abs(wanted).max())))


def _values(printer: CPrinter, path: Path) -> dict[str, Any]:
    outputs = printer.output_lines()
    values = {
        "name": printer.name,
        "NAME": printer.name.upper(),
        "stem": plain(path.stem),
        "real": printer.real,
        "input": printer.input,
        "inputs": printer.plan.inputs,
        "outputs": sum(width for _, _, width in outputs),
        "buffer": max(printer.buffer_length(), 1),
    }
    named = outputs if printer.plan.outputs[0].name is not None else []
    lines = [f"#define {values['NAME']}_OUTPUT_{name} {first} /* {width} columns */\n" for name, first, width in named]
    lookups = c_lookup.declarations(printer.plan, printer.name, printer.real)
    return {"head": _filled(_HEAD, {**values, "places": "".join(lines), "lookups": lookups}), **values}


def _filled(template: str, values: dict[str, Any]) -> str:
    """A template with its values; what looks like a place in a value, such as a text of a table, stays as it is."""
    return re.sub(r"@(\w+)@", lambda found: str(values[found[1]]), template)


def _text(model: ExportedModel, printer: CPrinter, path: Path, rows: Array | None, header: bool, dtype: str) -> str:
    from cynn.version import __version__

    values = _values(printer, path)
    plan = printer.plan
    functions, predict = printer.functions(), printer.predict()
    constants = printer.constants()
    is_one_type, x = printer.input == printer.real, f"x[{values['NAME']}_INPUTS]"
    lookup = c_lookup.definitions(plan, printer.name, printer.real)
    used = functions + predict + lookup
    includes = ["stdint.h"] if "int" in used + constants else []
    includes += ["string.h"] if "memcpy" in used or "strcmp" in used else []
    includes += ["math.h"] if printer.needs_math_h(used) or (rows is not None and np.isnan(rows).any()) else []
    includes += ["float.h"] if printer.exact else []
    lines = "".join(f"#include <{each}>\n" for each in sorted(includes))
    about = [
        f" * {printer.parameter_count:,} numbers in flash, of them {plan.multiplications:,} weights in dense layers: "
        f"{printer.flash_bytes():,} bytes.",
        f" * {values['buffer']:,} numbers of buffer. {2 * plan.multiplications:,} "
        f"{'integer' if dtype in WEIGHT_BITS else 'floating point'} operations a row in dense layers.",
    ]
    if plan.standardization is None:
        scale, offset = plan.input_terms(repr, lambda name: f"{printer.name}_{name}[j]")
        about.append(f" * The input is scaled: {scale} * x + {offset}.")
    about += [
        f" * Output {plain(output.name or 'y')}: columns {first} to {first + n - 1}."
        for output, (_, first, n) in zip(plan.outputs, printer.output_lines(), strict=True)
    ]
    about += [f" * {line}" for line in c_lookup.about(plan, printer.name)]
    head = f'#include "{path.with_suffix(".h").name}"\n' if header else values["head"]
    if header:
        head += '\n#ifdef __cplusplus\nextern "C" {\n#endif\n'
    selftest = "" if rows is None else _selftest(model, printer, rows, values)
    return _filled(
        _FILE,
        {
            "selftest": selftest,
            "predict": predict,
            "lookup": lookup,
            "x": "" if is_one_type else f" *     double {x};\n",
            "x_too": f"{x}, " if is_one_type else "",
            "functions": functions,
            "constants": constants,
            "head": head,
            "includes": lines + ("\n" + _STRICT if printer.exact else ""),
            "about": "\n".join(about),
            "version": __version__,
            **{name: value for name, value in values.items() if name != "head"},
        },
    )


def _selftest(model: ExportedModel, printer: CPrinter, rows: Array, values: dict[str, Any]) -> str:
    if printer.exact:
        expected, allowed = Exact(printer.plan, printer.dtype)(rows).astype(np.float64), 0.0
    else:
        expected, allowed = _expected(model, rows, printer.dtype)
    arrays = printer.array("rows", printer.input, rows)
    numbers = ",\n    ".join(repr(float(each)) for each in expected.ravel())
    arrays += f"static const double {printer.name}_expected[{expected.size}] = {{\n    {numbers}\n}};\n"
    return _filled(_SELFTEST, {"rows": arrays, "n": len(rows), "allowed": repr(allowed), **values})
