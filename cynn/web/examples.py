"""The examples that a page holds: those that light a neuron most."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from cynn.data import frames
from cynn.errors import ShapeError
from cynn.interop.exported_model import exported_model
from cynn.interop.plan import Array

if TYPE_CHECKING:
    from cynn.network import Network

__all__ = ["answers_of", "as_held", "chosen", "names_of", "rows_of"]

_MAX_ROWS = 5_000  # rows, among which examples are looked for
_EACH = 4  # examples for each neuron
_MAX_BYTES = 9_000  # of all examples in the page, compressed
_MAX_NEURONS = 64  # of a layer, for which examples are looked for
_DIGITS = 4  # of values that are no classes


def names_of(examples: Any) -> list[str] | None:
    """The names of the columns, if the examples are a DataFrame."""
    return frames.names_of(examples[0] if isinstance(examples, tuple) and examples else examples)


def rows_of(network: Network, examples: Any) -> tuple[Array | None, Array | None]:
    """Validated rows, in float32, and their targets; None for what is not given, and for targets of several outputs."""
    x, y = examples if isinstance(examples, tuple) and len(examples) == 2 else (examples, None)
    if x is None:
        return None, None
    rows = exported_model(network).rows(x, "examples", "float32")
    if y is None or not isinstance(network.outputs, int):
        return rows, None
    y = np.asarray(y)
    if y.shape[:1] != rows.shape[:1]:
        raise ShapeError(f"examples must hold a target for each of the {len(rows)} rows. Got shape {y.shape} instead.")
    return rows, y


def chosen(network: Network, rows: Array) -> Array:
    """The numbers of rows: the first of each neuron's best, then the second of each, until there are enough."""
    looked = rows[:_MAX_ROWS]
    best = [np.argsort(-a[:, :_MAX_NEURONS], axis=0, kind="stable")[:_EACH] for a in network.activations(looked)[1:]]
    order = np.concatenate([np.arange(min(_EACH, len(looked)))[:, None], *best], axis=1).ravel()
    numbers = np.array(list(dict.fromkeys(order.tolist())))
    while len(numbers) > 1 and len(zlib.compress(as_held(rows[numbers]).tobytes())) > _MAX_BYTES:
        numbers = numbers[: len(numbers) * 7 // 8]
    return numbers


def as_held(rows: Array) -> Array:
    """Rows as the page holds them: as bytes, if they are whole numbers up to 255."""
    is_bytes = ((rows >= 0) & (rows <= 255) & (rows == np.rint(rows))).all()
    return np.ascontiguousarray(rows, np.uint8 if is_bytes else np.float32)


def answers_of(y: Array | None, rows: Array, labels: list[str]) -> list[str]:
    """The target of each row of these numbers, as a text: a class by its label."""
    if y is None:
        return [""] * len(rows)
    given = y[rows]
    if given.ndim > 1:
        given = given.argmax(axis=1) if given.shape[1] > 1 else given[:, 0]
    if given.dtype.kind in "OUST":
        return [str(each) for each in given]
    if given.dtype.kind in "iub" and len(labels) > 1:
        return [labels[each] if 0 <= each < len(labels) else str(each) for each in given.astype(int)]
    return [f"{each:.{_DIGITS}g}" for each in given.astype(float)]
