"""Validates and converts user input to what the engine reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cynn.data.arrays import as_array, as_numbers
from cynn.data.names import is_text
from cynn.data.numbers import numbers_of
from cynn.data.sparse import as_dense, as_sparse_rows, is_sparse
from cynn.data.targets import Targets
from cynn.engine import randomness
from cynn.engine.row_matrix import RowMatrix
from cynn.engine.sparse_rows import SparseRows
from cynn.errors import DataError, InvalidParameterError, ShapeError, shown

if TYPE_CHECKING:
    import numpy.typing as npt

    from cynn.losses import Loss

    Array = npt.NDArray[Any]
    Places = npt.NDArray[np.int64]

__all__ = [
    "Conversion",
    "Targets",
    "as_array",
    "as_rows",
    "as_rows_or_one",
    "as_targets",
    "check_dtype",
    "check_outs",
    "check_rows",
    "overlap",
    "split",
]

_ROWS_AT_A_TIME = 1 << 16


class Conversion:
    """The conversion of numbers at the input of a network: scale * value + offset, narrowed to its dtype.

    Attributes
    ----------
    dtype : {"float32", "float64"}
    scale, offset : float, or array of float64 with one number for each column
        Both are numbers, or both are arrays.
    """

    __slots__ = ("dtype", "offset", "scale")

    def __init__(self, dtype: str, scale: Any = 1.0, offset: Any = 0.0) -> None:
        self.dtype, self.scale, self.offset = dtype, scale, offset

    @property
    def has_offset(self) -> bool:
        """Whether something is added, so that the last digits of large numbers count."""
        return bool(np.any(self.offset))

    @property
    def changes_numbers(self) -> bool:
        """Whether it scales or adds, and does not only narrow."""
        return bool(np.any(self.scale != 1)) or self.has_offset

    def of_column(self, column: int) -> Conversion:
        """That of one column."""
        if not isinstance(self.scale, np.ndarray):
            return self
        return Conversion(self.dtype, float(self.scale[column]), float(self.offset[column]))


def as_rows(x: Any, columns: int, name: str, *, exactly: bool = False) -> Array:
    """Convert `x` to a matrix of uint8, float32 or float64 with that many columns; one of these is not copied.

    Other numbers are converted: float16, small integers and bools to float32, which holds them
    exactly, others to float64; with `exactly`, it is an error where that does not hold them.
    """
    return _with_columns(_as_numbers(x, name, exactly=exactly), columns, name)


def as_rows_or_one(x: Any, columns: int, name: str, *, exactly: bool = False) -> tuple[Array, bool]:
    """Convert `x` like `as_rows`, but allow a single row of shape (inputs,); also return whether it is one."""
    numbers = _as_numbers(x, name, exactly=exactly)
    is_single = numbers.ndim == 1
    return _with_columns(numbers[None, :] if is_single else numbers, columns, name), is_single


def _as_numbers(x: Any, name: str, *, exactly: bool) -> Any:
    """Convert `x` to an array, or to sparse rows, which have the interface of rows."""
    return (as_sparse_rows if is_sparse(x) else as_numbers)(x, name, exactly=exactly)


def overlap(out: Array, rows: Any) -> bool:
    """Whether an array may share memory with rows."""
    return np.may_share_memory(out, rows.values if isinstance(rows, SparseRows) else rows)


def _with_columns(rows: Array, columns: int, name: str) -> Array:
    if rows.ndim != 2:
        hint = ""
        if rows.ndim > 2 and int(np.prod(rows.shape[1:])) == columns:
            hint = f" Use {name}.reshape(len({name}), -1)."
        elif rows.ndim == 1 and rows.shape[0] == columns:
            hint = f" For one row, use {name}[None, :]."
        raise ShapeError(f"{name} must have the shape (rows, {columns}). Got {rows.shape} instead.{hint}")
    if rows.shape[1] != columns:
        raise ShapeError(
            f"{name} must have {columns} columns. Got {rows.shape[1]}, in the shape {rows.shape}, instead."
        )
    return rows


def check_rows(
    rows: Array,
    name: str,
    conversion: Conversion,
    categories: Mapping[int, int],
    places: Places | None = None,
    *,
    check_finite: bool,
) -> None:
    """Raise a DataError that names the first value that a network cannot use.

    Parameters
    ----------
    rows : array of shape (rows, inputs)
    name : str
        The name of the rows in messages.
    conversion : Conversion
        What the network does to its input.
    categories : dict of int to int
        The columns that must hold categories, which are whole numbers from 0, and the number of categories of each.
    places : array, or None
        The rows to look at; None for all.
    check_finite : bool
        Whether a NaN or an infinity, as the network sees it, is an error.
    """
    if check_finite:
        _check_finite(rows, name, conversion, places)
    for column, n_categories in categories.items():
        _check_categories(rows, name, conversion, places, column, n_categories)


def _check_finite(rows: Array, name: str, conversion: Conversion, places: Places | None) -> None:
    row = RowMatrix(rows).first_nonfinite_row(conversion, places)
    if row < 0:
        return
    seen = RowMatrix(rows[row : row + 1]).converted(conversion)[0]
    column = int(np.argmin(np.isfinite(seen)))
    given = as_dense(rows[row : row + 1])[0, column]
    where = ""
    if np.isfinite(given):
        moved = ", multiplied by the scale of the input and moved by its offset" if conversion.changes_numbers else ""
        where = f" in {conversion.dtype}{moved}"
    raise DataError(
        f"{name} must be finite{where}. Got {given} in row {row}, column {column}, instead. "
        "(check_finite=False turns this check off, where a method has it.)"
    )


def _check_categories(
    rows: Array, name: str, conversion: Conversion, places: Places | None, column: int, n_categories: int
) -> None:
    for some in _pieces(np.arange(len(rows)) if places is None else places):
        own = rows[some].dense(column, column + 1) if isinstance(rows, SparseRows) else rows[some, column : column + 1]
        seen = RowMatrix(own).converted(conversion.of_column(column))[:, 0]
        wrong = ~((seen >= 0) & (seen <= n_categories - 1) & (seen == np.floor(seen)))
        if wrong.any():
            at = int(np.argmax(wrong))
            raise DataError(
                f"{name} must hold categories, whole numbers from 0 to {n_categories - 1}, in column {column}. "
                f"Got {seen[at]:g} in row {some[at]} instead."
            )


def _pieces(places: Places) -> Iterator[Places]:
    """Yield the places in pieces, so that a copy of their rows needs little memory."""
    for first in range(0, len(places), _ROWS_AT_A_TIME):
        yield places[first : first + _ROWS_AT_A_TIME]


def as_targets(
    y: Any, outputs: int, loss: Loss, name: str, weight: Array | None, *, n: int, dtype: str, check_finite: bool = True
) -> Targets:
    """Convert `y` to targets: classes if it has one whole number per row and there are several outputs, else values.

    The targets of rows with weight 0 are not checked: they are replaced by those of other rows.
    """
    given = _as_numbers_or_integers(y, name)
    if given.ndim == 0 or given.shape[0] != n:
        raise ShapeError(f"{name} must have as many rows as x, {n}. Got the shape {given.shape} instead.")
    if weight is not None and weight.any() and not weight.all():
        given = given[_row_that_counts(weight)]
    one_a_row = given.ndim == 1 or (given.ndim == 2 and given.shape[1] == 1)
    if one_a_row and outputs > 1:
        return Targets(None, _as_classes(given.reshape(n), outputs, name), outputs, loss.decision_threshold)
    if one_a_row:
        given = given.reshape(n, 1).copy()  # a copy, as for classes: what has been checked cannot change afterwards
    values = as_rows(given, outputs, name)
    if check_finite:
        _check_finite(values, name, Conversion(dtype), None)
    loss.check_target(values)
    return Targets(values, None, outputs, loss.decision_threshold)


def _row_that_counts(weight: Array) -> npt.NDArray[np.int64]:
    """Return all row numbers. Those of weight 0 are replaced by the last earlier row with a weight, or the first."""
    counts = weight > 0
    rows = np.where(counts, np.arange(len(weight)), int(np.argmax(counts)))
    last: npt.NDArray[np.int64] = np.maximum.accumulate(rows)
    return last


def _as_numbers_or_integers(y: Any, name: str) -> Array:
    array = as_array(y, name)
    if is_text(array):
        raise InvalidParameterError(
            f"{name} must be numbers. Got {shown(str(array.flat[0]))}, a label, instead. labels, y = numpy.unique(y, "
            "return_inverse=True) numbers them; Network(..., classes=labels) takes them as they are, and so does "
            "cynn.sklearn.NetworkClassifier."
        )
    return array if array.dtype.kind in "iu" else numbers_of(array, name)


def _as_classes(labels: Array, outputs: int, name: str) -> npt.NDArray[np.int64]:
    with np.errstate(invalid="ignore"):
        # a copy: the engine uses classes as indices, which must not change after the check
        classes = np.array(labels, dtype=np.int64, order="C")
    wrong = (classes != labels) | (classes < 0) | (classes >= outputs)
    if wrong.any():
        row = int(np.argmax(wrong))
        whole = (classes == labels).all()
        hint = " They go from 1 on: subtract 1." if whole and classes.min() >= 1 and classes.max() == outputs else ""
        raise DataError(
            f"{name} must be classes, whole numbers from 0 to {outputs - 1}, or rows of {outputs} values. "
            f"Got {labels[row]} in row {row} instead.{hint}"
        )
    return classes


def split(
    target: Targets, n: int, fraction: float, seed: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Split the rows into training and validation rows, each in ascending order.

    The seed picks the rows. The split is stratified: both parts have the same share of every class, up to one row. With
    several outputs, this holds for every combination of their classes, and for the classes of the first output that has
    classes.
    """
    order = randomness.permutation(n, seed, randomness.Purpose.SPLIT)
    for part in reversed(target.parts):
        labels = part.as_labels()
        if labels is not None:
            order = order[np.argsort(_of_16_bits(labels[order]), kind="stable")]
    # the rows are sorted by class, and every (1 / fraction)-th one is held out
    counted = np.floor(np.arange(n + 1) * fraction + 0.5)
    held_out = counted[1:] > counted[:-1]
    if held_out.all() or not held_out.any():
        raise DataError(
            f"The 'validation_split' parameter of fit must leave rows on both sides. Got {fraction:g} of {n} rows "
            "instead."
        )
    return np.sort(order[~held_out]), np.sort(order[held_out])


def _of_16_bits(labels: npt.NDArray[np.int64]) -> Array:
    """The same labels in 16 bits if they fit: NumPy sorts these many times as fast."""
    is_small = labels.size and labels.min() >= 0 and labels.max() < 1 << 16
    return labels.astype(np.uint16) if is_small else labels


def check_outs(
    outs: Sequence[Any], shapes: Sequence[tuple[int, ...]], dtype: str, is_of_network: Callable[[Array], bool]
) -> None:
    """Raise an error unless the engine can write to each of `outs` without changing the network or another of them."""
    for number, (out, shape) in enumerate(zip(outs, shapes, strict=True)):
        _check_out(out, shape, dtype)
        if is_of_network(out):
            raise InvalidParameterError(
                "out must lie outside of the network's weights. Got memory that they are in: a copy of them helps."
            )
        if any(np.may_share_memory(out, other) for other in outs[:number]):
            raise InvalidParameterError("The arrays of out must lie apart. Got two that share memory.")


def _check_out(out: Any, shape: tuple[int, ...], dtype: str) -> None:
    if not isinstance(out, np.ndarray) or out.shape != shape or out.dtype != np.dtype(dtype):
        got = f"{out.shape} {out.dtype}" if isinstance(out, np.ndarray) else shown(out)
        raise ShapeError(f"out must be an array of shape {shape} and dtype {dtype}. Got {got} instead.")
    if not (out.flags.c_contiguous and out.flags.aligned and out.flags.writeable):
        raise ShapeError("out must be C-contiguous, aligned and writeable. Got an array that is not.")


def check_dtype(dtype: Any) -> str:
    """Return the name of a dtype that a network can have, from that name or anything that NumPy has for it."""
    name = dtype if isinstance(dtype, str) else getattr(dtype, "__name__", getattr(dtype, "name", None))
    if not isinstance(name, str) or name not in ("float32", "float64"):
        raise InvalidParameterError(
            f"The 'dtype' parameter of Network must be 'float32' or 'float64'. Got {shown(dtype)} instead."
        )
    return name
