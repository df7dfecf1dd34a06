"""`net.to_fortran`: one module of Fortran 2008 that predicts."""

from __future__ import annotations

import os
import re
import textwrap
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cynn import file_access
from cynn.errors import not_allowed
from cynn.interop import fortran_lookup
from cynn.interop.c_file import check_held
from cynn.interop.exported_model import exported_model
from cynn.interop.expressions import Expression
from cynn.interop.plan import LARGEST, Affine, Array, Copy, Grouped, Map, Plan, Reduce, Take
from cynn.interop.printer import Printer, identifier, plain

__all__ = ["to_fortran"]

_NUMBERS = 600  # per DATA statement: a statement has at most 256 lines
_COLUMNS = 100
_LONGEST_NAME = 63
#: Comments and texts, which are no names.
_NO_NAMES = re.compile(r"^!.*|'[^']*'", re.MULTILINE)

_MODULE = """! {stem}: a network that CyNN has written. A row of {inputs} numbers goes in, {outputs} come out.
!
!     use {name}
!     real({xk}) :: x(inputs)
!     real(rk) :: y(outputs)
!     call predict(x, y)
!
{about}module {name}
    use, intrinsic :: iso_fortran_env, only: {kinds}
    implicit none
    private
    public :: {public}

    integer, parameter :: inputs = {inputs}, outputs = {outputs}
{constants}
contains

    pure subroutine predict(x, y)
        real({xk}), intent(in) :: x(inputs)
        real(rk), intent(out) :: y(outputs)
{declared}
{body}
    end subroutine predict
{lookup}
    elemental function expm1(x) result(y)
        real(rk), intent(in) :: x
        real(rk) :: y
        y = 2 * sinh(x / 2) * exp(x / 2)
    end function expm1

    elemental function log1p(x) result(y)
        real(rk), intent(in) :: x
        real(rk) :: y
        if (abs(x) < 0.5_rk) then
            y = 2 * atanh(x / (2 + x))
        else
            y = log(1 + x)
        end if
    end function log1p

end module {name}
"""


def to_fortran(self: Any, path: str | os.PathLike[str], *, dtype: str = "float32") -> None:
    """Write the network as one module of Fortran 2008, with a pure subroutine `predict(x, y)` for one row.

    Several outputs are concatenated in y. The kind of x and y is `rk`, a constant of the module. The module of an
    estimator for tables takes an x of the kind `xk`, has a function `category(column, text)`, and `labels`.

    Parameters
    ----------
    path : str or path
        Where to write, such as "digits.f90". An existing file is replaced.
    dtype : {"float32", "float64"}
        The dtype of the computation.

    Raises
    ------
    InvalidParameterError
        A layer or an activation has no formula. The message names it and its place. Nothing is written.

    Examples
    --------
    >>> import cynn, pathlib, tempfile
    >>> net = cynn.Network.mlp([2, 3, 1], activation="tanh", seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "small.f90")
    ...     net.to_fortran(path, dtype="float64")
    ...     text = path.read_text()
    >>> "pure subroutine predict(x, y)" in text
    True
    """
    path = Path(file_access.as_path(path, "path", "to_fortran"))
    if dtype not in ("float32", "float64"):
        raise not_allowed("dtype", "to_fortran", "'float32' or 'float64'", dtype)
    plan = exported_model(self).plan
    check_held(plan, dtype)
    text = _FortranPrinter(plan, dtype).file(path.stem)
    with file_access.replacing(str(path)) as file:
        file.write(text.encode())


def _in_double(value: float) -> str:
    text = repr(value)
    return text.replace("e", "d") if "e" in text else f"{text}d0"


def _module_name(stem: str, text: str) -> str:
    """A name for the module from that of the file, other than all names in its text."""
    name = identifier(stem)[:_LONGEST_NAME]
    is_taken = re.search(rf"\b{name}\b", _NO_NAMES.sub("", text), re.IGNORECASE)
    return f"{name[: _LONGEST_NAME - len('_network')]}_network" if is_taken else name


class _FortranPrinter(Printer):
    def __init__(self, plan: Plan, dtype: str) -> None:
        super().__init__()
        self.operators |= {
            "where": "merge({1}, {2}, {0})", "&&": "({0} .and. {1})", "||": "({0} .or. {1})", "!=": "({0} /= {1})"
        }  # fmt: skip
        self.plan = plan
        self.dtype = dtype
        self.most_names = 0
        self.lines: list[str] = []

    def number(self, value: float) -> str:
        held = np.dtype(self.dtype).type(value)
        text = f"{held!s}" if any(mark in f"{held!s}" for mark in ".e") else f"{held!s}.0"
        return f"({text}_rk)" if text.startswith("-") else f"{text}_rk"

    def leaf(self, node: Expression) -> str:
        if node.kind == "row":
            return f"v{node.value}(1)"
        owner, first = node.value
        prefix = f"v{owner}" if node.kind == "column" else f"p{owner}"
        return f"{prefix}(j + {first})" if first else f"{prefix}(j)"

    def call(self, name: str, argument: str) -> str:
        return f"{name.removeprefix('f')}({argument})"

    def file(self, stem: str) -> str:
        """The whole module."""
        plan = self.plan
        self._body()
        outputs = sum(plan.widths[output.value] for output in plan.outputs)
        kinds = f"rk => {'real32' if self.dtype == 'float32' else 'real64'}"
        xk = "rk" if plan.standardization is None else "xk"  # the kind of x
        public = ["rk", "inputs", "outputs", "predict", *fortran_lookup.names(plan)]
        if plan.input_arrays:
            kinds += ", xk => real64"
        if xk == "xk":
            public.append("xk")
        sizes = "".join(f"        real(rk) :: v{k}({width})\n" for k, width in enumerate(plan.widths))
        names = "".join(f"        real(rk) :: t{k}\n" for k in range(1, self.most_names + 1))
        others = "        real(rk) :: total, best\n        integer :: i, j, row, n\n"
        about, first = "", 1
        for output in plan.outputs:
            last = first + plan.widths[output.value] - 1
            about += f"! Output {plain(output.name or 'y')}: y({first}:{last}).\n"
            first = last + 1
        text = partial(
            _MODULE.format, stem=plain(stem), inputs=plan.inputs, outputs=outputs, kinds=kinds, xk=xk,
            public=", ".join(public), about=about + fortran_lookup.about(plan), lookup=fortran_lookup.function(plan),
            constants=self._constants() + fortran_lookup.constants(plan), declared=sizes + names + others,
            body="\n".join(self.lines),
        )  # fmt: skip
        return text(name=_module_name(stem, text(name="")))

    def _constants(self) -> str:
        parts = [self._array(name, array) for name, array in self.plan.named_arrays(table="table")]
        parts += [self._array(name, array, "xk") for name, array in self.plan.input_arrays.items()]
        return "".join(parts)

    def _array(self, name: str, values: Array, kind: str = "rk") -> str:
        how = _in_double if kind == "xk" else self.number
        texts = [how(float(each)).strip("()") for each in values.ravel()]
        lines = [f"    real({kind}), save :: {name}({len(texts)})"]
        for first in range(0, len(texts), _NUMBERS):
            part = texts[first : first + _NUMBERS]
            rows = _wrapped(", ".join(part))
            lines.append(f"    data {name}({first + 1}:{first + len(part)}) / &")
            lines += [f"        {row} &" for row in rows[:-1]]
            lines.append(f"        {rows[-1]} /")
        return "\n".join(lines) + "\n"

    def _line(self, text: str, depth: int = 0) -> None:
        """A statement, continued over as many lines as needed."""
        indent = "    " * (depth + 2)
        lines = _wrapped(text)
        self.lines += [f"{indent}{line}{' &' if number < len(lines) else ''}" for number, line in enumerate(lines, 1)]

    def _loop(self, n: int, *body: str) -> None:
        self._line(f"do j = 1, {n}")
        for each in body:
            self._line(each, 1)
        self._line("end do")

    def _body(self) -> None:
        if self.plan.standardization is not None:
            far = _in_double(LARGEST)
            z = "(x(j) - centers(j)) * scales(j)"
            limited = f"merge({far}, merge(-{far}, {z}, {z} < -{far}), {z} > {far})"
            self._loop(self.plan.inputs, f"v0(j) = real({limited}, rk)")
        elif self.plan.is_scaled_in_double:
            scale, offset = self.plan.input_terms(_in_double, str)
            self._line(f"v0 = real({scale} * x + ({offset}), rk)")
        else:
            self._line(f"v0 = {self.number(self.plan.scale)} * x" if self.plan.changes_input else "v0 = x")
        for number, step in enumerate(self.plan.steps, start=1):
            getattr(self, f"_{step.kind}")(number, step)
        first = 1
        for output in self.plan.outputs:
            last = first + self.plan.widths[output.value] - 1
            self._line(f"y({first}:{last}) = v{output.value}")
            first = last + 1

    def _affine(self, number: int, step: Affine) -> None:
        n, units = step.weights.shape
        self._line(f"v{number} = {'0' if step.biases is None else f'b{number}'}")
        self._line(f"do i = 1, {n}")
        self._line(f"v{number} = v{number} + v{step.source}(i) * w{number}((i - 1) * {units} + 1:i * {units})", 1)
        self._line("end do")

    def _grouped(self, number: int, step: Grouped) -> None:
        groups, n, units = step.weights.shape
        self._line(f"v{number} = b{number}")
        self._line(f"do row = 0, {groups - 1}")
        self._line(f"do i = row * {n} + 1, row * {n} + {n}", 1)
        self._line(f"do j = 1, {units}", 2)
        target = f"v{number}(row * {units} + j)"
        self._line(f"{target} = {target} + v{step.source}(i) * w{number}((i - 1) * {units} + j)", 3)
        for depth in (2, 1, 0):
            self._line("end do", depth)

    def _map(self, number: int, step: Map) -> None:
        named, text = self.formula(step.formula)
        self.most_names = max(self.most_names, len(named))
        self._loop(step.units, *[f"{name} = {value}" for name, value in named], f"v{number}(j) = {text}")

    def _reduce(self, number: int, step: Reduce) -> None:
        x = f"v{step.source}({step.first + 1}:{step.first + step.width})"
        if step.how != "threshold":
            self._line(f"v{number}(1) = {step.how.replace('max', 'maxval').replace('min', 'minval')}({x})")
            return
        self._line("best = -huge(best)")
        each = f"v{step.source}(j + {step.first})"
        self._loop(
            step.width,
            f"n = count({x} >= {each})",
            f"total = sum({x}, mask={x} >= {each}) - 1",
            "best = max(best, total / n)",
        )
        self._line(f"v{number}(1) = best")

    def _take(self, number: int, step: Take) -> None:
        first = 0
        for place, part in enumerate(step.parts):
            target = f"v{number}({first + 1}:{first + part.count})"
            if isinstance(part, Copy):
                self._line(f"{target} = v{part.source}({part.first + 1}:{part.first + part.count})")
            else:
                x, last = f"v{part.source}({part.column + 1})", len(part.table) - 1
                self._line("row = 0")
                self._line(f"if ({x} > 0) row = int(min({x}, real({last}, rk)))")
                table = f"table{number}_{place}(row * {part.count} + 1:(row + 1) * {part.count})"
                self._line(f"{target} = {table}")
            first += part.count


def _wrapped(text: str) -> list[str]:
    """The lines of a text, which Fortran limits to 132 columns."""
    return textwrap.wrap(text, _COLUMNS, break_long_words=False, break_on_hyphens=False)
