"""The examples that a page holds: those that light a neuron most."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from cynn.data import frames
from cynn.errors import ShapeError
from cynn.interop.exported_model import ExportedModel
from cynn.interop.plan import Array, Plan
from cynn.web.values import values_of

__all__ = ["answers_of", "as_held", "chosen", "dates_of", "names_of", "rows_of"]

_MAX_ROWS = 5_000  # rows, among which examples are looked for
_EACH = 4  # examples for each neuron
_MAX_BYTES = 9_000  # of all examples in the page, compressed
_MAX_NEURONS = 64  # of a layer, for which examples are looked for
_DIGITS = 4  # of values that are no classes


def names_of(examples: Any) -> list[str] | None:
    """The names of the columns, if the examples are a DataFrame."""
    return frames.names_of(examples[0] if isinstance(examples, tuple) and examples else examples)


def dates_of(examples: Any) -> set[int]:
    """The columns that hold dates, if the examples are a DataFrame."""
    dtypes = getattr(examples[0] if isinstance(examples, tuple) and examples else examples, "dtypes", [])
    return {k for k, dtype in enumerate(dtypes) if str(dtype).lower().startswith("date")}


def rows_of(exported: ExportedModel, examples: Any) -> tuple[Array | None, Array | None]:
    """Validated rows, and their targets; None for what is not given, and for targets of several outputs."""
    x, y = examples if isinstance(examples, tuple) and len(examples) == 2 else (examples, None)
    if x is None:
        return None, None
    rows = exported.rows(x, "examples", "float32")
    if y is None or len(exported.plan.outputs) > 1:
        return rows, None
    y = np.asarray(y)
    if y.shape[:1] != rows.shape[:1]:
        raise ShapeError(f"examples must hold a target for each of the {len(rows)} rows. Got shape {y.shape} instead.")
    return rows, y


def chosen(plan: Plan, values: list[int], rows: Array) -> Array:
    """The numbers of rows: the first of each neuron's best, then the second of each, until there are enough.

    Parameters
    ----------
    plan : Plan
    values : list of int
        The numbers of the values that hold the neurons.
    rows : array
    """
    looked = rows[:_MAX_ROWS]
    lit = values_of(plan, values, looked, _MAX_NEURONS)
    best = [np.argsort(-a, axis=0, kind="stable")[:_EACH] for a in lit]
    order = np.concatenate([np.arange(min(_EACH, len(looked)))[:, None], *best], axis=1).ravel()
    numbers = np.array(list(dict.fromkeys(order.tolist())))
    while len(numbers) > 1 and len(zlib.compress(as_held(rows[numbers]).tobytes())) > _MAX_BYTES:
        numbers = numbers[: len(numbers) * 7 // 8]
    return numbers


def as_held(rows: Array) -> Array:
    """Rows as the page holds them: in the shortest of three types that has the same numbers."""
    if ((rows >= 0) & (rows <= 255) & (rows == np.rint(rows))).all():
        return np.ascontiguousarray(rows, np.uint8)
    with np.errstate(over="ignore"):
        short = np.ascontiguousarray(rows, np.float32)
    return short if np.array_equal(short, rows, equal_nan=True) else rows


def answers_of(y: Array | None, output: dict[str, Any], *, is_coded: bool) -> list[str] | None:
    """The target of each row as a text: a class by its label.

    Parameters
    ----------
    y : array or None
        Of shape (rows,) or (rows, outputs).
    output : dict
        What the page knows of the output.
    is_coded : bool
        Whether whole numbers are the places of labels; otherwise they are labels.
    """
    if y is None:
        return None
    labels = output["labels"]
    if y.ndim > 1 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim > 1 and output["isShare"] and ((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all():
        y = y.argmax(axis=1)
    if y.ndim > 1:
        return [", ".join(f"{each:.{_DIGITS}g}" for each in row) for row in y.astype(float)]
    if y.dtype.kind in "OUST" or (output["isShare"] and not is_coded):
        return [str(each) for each in y.tolist()]
    if y.dtype.kind in "iub" and len(labels) > 1:
        return [labels[each] if 0 <= each < len(labels) else str(each) for each in y.astype(int)]
    return [f"{each:.{_DIGITS}g}" for each in y.astype(float)]
