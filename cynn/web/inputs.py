"""What a page offers as input: a pad to draw on, or a slider or a menu for each column."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cynn.errors import InvalidParameterError, as_list, shown
from cynn.interop.plan import Array, Copy, Gather, Plan, Take

if TYPE_CHECKING:
    from cynn.network import Network

__all__ = ["inputs_of"]

_MIN_SIDE = 8  # pixels, from which on a square number of inputs is taken for a picture
_MAX_STEPS = 50  # the range of whole numbers that a slider goes through one by one


def inputs_of(network: Network, plan: Plan, given: Any, rows: Array | None, names: list[str] | None) -> dict[str, Any]:
    """What the page needs to know of the input.

    Parameters
    ----------
    network : Network
    plan : Plan
    given : tuple, list, dict or None
        As for `to_html`.
    rows : array of float32 or None
        The examples.
    names : list of str or None
        The names of the columns.

    Returns
    -------
    dict
        The `kind`, the `shape` and number for `full` ink of a picture, the `fields` of a table, and a `base` row.
    """
    n = network.input.units
    base = np.zeros(n) if rows is None else np.median(rows, axis=0)
    side = math.isqrt(n)
    if given is None and names is None and side * side == n and side >= _MIN_SIDE:
        given = (side, side)
    if isinstance(given, tuple) and len(given) == 2 and all(isinstance(each, int) for each in given):
        if min(given) < 1 or given[0] * given[1] != n:
            raise _bad(n, given)
        full = 1 / network.input.scale if rows is None or not len(rows) else float(np.abs(rows).max()) or 1.0
        return {"kind": "picture", "shape": given, "full": full, "fields": [], "base": [0] * n}
    fields = [
        _field(name, kind, k, rows) for k, (name, kind) in enumerate(_named(network, _categories(plan), given, names))
    ]
    for k, field in enumerate(fields):
        if field["categories"] or field["whole"]:
            base[k] = round(base[k])
        base[k] = min(max(base[k], field["low"]), field["high"])
    kind = "curve" if n <= 2 and not any(field["categories"] for field in fields) else "table"
    return {"kind": kind, "shape": None, "full": 1, "fields": fields, "base": base.tolist()}


def _bad(n: int, given: Any) -> InvalidParameterError:
    return InvalidParameterError(
        f"The 'inputs' parameter of to_html must be None, the shape of a picture of {n} pixels, a list of {n} names, "
        "or a dict that gives each name None, a range (low, high) with low < high, or a list of at least 2 categories. "
        f"Got {shown(given)} instead."
    )


def _named(network: Network, categories: dict[int, int], given: Any, names: list[str] | None) -> list[tuple[str, Any]]:
    """The name of each input, and what it may be."""
    n = network.input.units
    names = names or [f"x{k}" for k in range(n)]
    if isinstance(given, Mapping):
        pairs = list(given.items())
    elif given is None:
        pairs = [(name, None) for name in names]
    else:
        pairs = [(name, None) for name in as_list(given) or []] if not isinstance(given, (str, bytes)) else []
    if len(pairs) != n or not all(isinstance(name, str) for name, _ in pairs):
        raise _bad(n, given)
    if network.feature_names is not None and [name for name, _ in pairs] != network.feature_names:
        raise InvalidParameterError(
            "The 'inputs' parameter of to_html must have the names of the network's feature_names, in their order: "
            f"{shown(network.feature_names)}. Got {shown([name for name, _ in pairs])} instead."
        )
    found = []
    for k, (name, kind) in enumerate(pairs):
        count = categories.get(k)
        if isinstance(kind, tuple) and len(kind) == 2:
            if not _is_range(kind):
                raise _bad(n, given)
        elif kind is not None:
            labels = as_list(kind) if not isinstance(kind, (str, bytes)) else None
            if labels is None or len(labels) < 2 or (count is not None and len(labels) != count):
                raise _bad(n, given)
            kind = [str(label) for label in labels]
        elif count is not None:
            kind = [str(label) for label in range(count)]
        found.append((name, kind))
    return found


def _is_range(given: tuple[Any, Any]) -> bool:
    numbers = [isinstance(each, (int, float, np.number)) and math.isfinite(each) for each in given]
    return all(numbers) and given[0] < given[1]


def _categories(plan: Plan) -> dict[int, int]:
    """The number of categories of each column of the input that rows of a table are taken for."""
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
    return {column: count for column, count in found.items() if column is not None}


def _field(name: str, kind: Any, k: int, rows: Array | None) -> dict[str, Any]:
    """A column: its range is that of the examples, or from -1 to 1."""
    if isinstance(kind, list):
        return {"name": name, "low": 0, "high": len(kind) - 1, "whole": True, "categories": kind}
    column = None if rows is None or not len(rows) else rows[:, k]
    low, high = (-1.0, 1.0) if column is None else (float(column.min()), float(column.max()))
    if kind is not None:
        low, high = map(float, kind)
    if low == high:
        low, high = low - 1, high + 1
    whole = column is not None and bool((column == np.rint(column)).all()) and high - low <= _MAX_STEPS
    return {"name": name, "low": low, "high": high, "whole": whole, "categories": None}
