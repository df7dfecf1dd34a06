"""What a page offers as input: a pad to draw on, or a slider or a menu for each column."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from cynn.errors import InvalidParameterError, as_list, shown
from cynn.interop.exported_model import ExportedModel
from cynn.interop.plan import Array, Copy, Gather, Plan, Take

__all__ = ["inputs_of"]

_MIN_SIDE = 8  # pixels, from which on a square number of inputs is taken for a picture
_MAX_STEPS = 50  # the range of whole numbers that a slider goes through one by one


def inputs_of(
    exported: ExportedModel, given: Any, rows: Array | None, names: list[str] | None, dates: set[int]
) -> dict[str, Any]:
    """What the page needs to know of the input.

    Parameters
    ----------
    exported : ExportedModel
    given : tuple, list, dict or None
        As for `to_html`.
    rows : array or None
        The examples.
    names : list of str or None
        The names of the columns of the examples.
    dates : set of int
        The columns of a table whose numbers are seconds since 1970.

    Returns
    -------
    dict
        The `kind`, the `shape` and number for `full` ink of a picture, the `fields` of a table, and a `base` row.
    """
    plan = exported.plan
    n, usual = plan.inputs, plan.usual_input
    side = math.isqrt(n)
    fixed = exported.networks[-1].feature_names
    if plan.columns is not None:
        fixed = [column.label for column in plan.columns]
    names = fixed or names
    categories = _categories(plan)
    if given is None and names is None and side * side == n and side >= _MIN_SIDE:
        given = (side, side)
    if isinstance(given, tuple) and len(given) == 2 and all(isinstance(each, int) for each in given):
        if min(given) < 1 or given[0] * given[1] != n or categories:
            raise _bad(n, given)
        full = 1 / float(np.max(usual[1])) if rows is None or not len(rows) else float(np.nanmax(np.abs(rows))) or 1.0
        return {"kind": "picture", "shape": given, "full": full, "fields": [], "base": [0] * n}
    fields, base = [], []
    for k, (name, kind) in enumerate(_named(n, categories, given, names, fixed)):
        column = np.zeros(0) if rows is None else rows[:, k][~np.isnan(rows[:, k])]
        field = _field(name, kind, column, usual[0][k], usual[1][k])
        field |= {"isOptional": plan.columns is not None, "isDate": k in dates}
        middle = float(np.median(column)) if len(column) else float(usual[0][k])
        if field["categories"] or field["whole"]:
            middle = round(middle)
        fields.append(field)
        base.append(min(max(middle, field["low"]), field["high"]))
    kind = "curve" if n <= 2 and not any(field["categories"] for field in fields) else "table"
    return {"kind": kind, "shape": None, "full": 1, "fields": fields, "base": base}


def _bad(n: int, given: Any) -> InvalidParameterError:
    return InvalidParameterError(
        f"The 'inputs' parameter must be None, the shape of a picture of {n} pixels, a list of {n} names, "
        "or a dict that gives each name None, a range (low, high) with low < high, or a list of at least 2 categories. "
        f"Got {shown(given)} instead."
    )


def _named(
    n: int, categories: dict[int, list[str]], given: Any, names: list[str] | None, fixed: list[str] | None
) -> list[tuple[str, Any]]:
    """The name of each input, and what it may be."""
    names = names or [f"x{k}" for k in range(n)]
    if isinstance(given, Mapping):
        pairs = list(given.items())
    elif given is None:
        pairs = [(name, None) for name in names]
    else:
        pairs = [(name, None) for name in as_list(given) or []] if not isinstance(given, (str, bytes)) else []
    if len(pairs) != n or not all(isinstance(name, str) for name, _ in pairs):
        raise _bad(n, given)
    if fixed is not None and [name for name, _ in pairs] != fixed:
        raise InvalidParameterError(
            f"The 'inputs' parameter must have the names of the columns, in their order: {shown(fixed)}. Got "
            f"{shown([name for name, _ in pairs])} instead."
        )
    found = []
    for k, (name, kind) in enumerate(pairs):
        known = categories.get(k)
        if isinstance(kind, tuple) and len(kind) == 2:
            if not _is_range(kind) or known is not None:
                raise _bad(n, given)
        elif kind is not None:
            labels = as_list(kind) if not isinstance(kind, (str, bytes)) else None
            if labels is None or len(labels) < 2 or (known is not None and len(labels) != len(known)):
                raise _bad(n, given)
            kind = [str(label) for label in labels]
        else:
            kind = known
        found.append((name, kind))
    return found


def _is_range(given: tuple[Any, Any]) -> bool:
    numbers = [isinstance(each, (int, float, np.number)) and math.isfinite(each) for each in given]
    return all(numbers) and given[0] < given[1]


def _categories(plan: Plan) -> dict[int, list[str]]:
    """The categories of each column that has any; they are numbers where only rows of an embedding are known."""
    if plan.columns is not None:
        kinds = enumerate(column.categories for column in plan.columns)
        return {k: categories for k, categories in kinds if categories is not None}
    takes = {number: step for number, step in enumerate(plan.steps, start=1) if isinstance(step, Take)}

    def origin(value: int, column: int) -> int | None:
        """The column of the input that a column of a value is a copy of."""
        if value == 0:
            return column
        for part in takes[value].parts if value in takes else []:
            if column < part.count:
                return origin(part.source, part.first + column) if isinstance(part, Copy) else None
            column -= part.count
        return None

    tables = [part for step in takes.values() for part in step.parts if isinstance(part, Gather)]
    found = {origin(part.source, part.column): len(part.table) for part in tables}
    return {column: [str(k) for k in range(count)] for column, count in found.items() if column is not None}


def _field(name: str, kind: Any, column: Array, center: float, scale: float) -> dict[str, Any]:
    """A column: its range is that of the examples, or the usual one.

    Parameters
    ----------
    name : str
    kind : list, tuple or None
        Categories, or a range, or nothing.
    column : array
        The numbers of the examples that are not missing.
    center, scale : float
        What brings most numbers to -1 to 1.
    """
    if isinstance(kind, list):
        return {"name": name, "low": 0, "high": len(kind) - 1, "whole": True, "categories": kind}
    low, high = center - 1 / scale, center + 1 / scale
    if len(column):
        low, high = float(column.min()), float(column.max())
    if kind is not None:
        low, high = map(float, kind)
    if low == high:
        low, high = low - 1, high + 1
    whole = len(column) > 0 and bool((column == np.rint(column)).all()) and high - low <= _MAX_STEPS
    return {"name": name, "low": low, "high": high, "whole": whole, "categories": None}
