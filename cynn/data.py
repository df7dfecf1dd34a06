"""The gate: what a user hands over, checked and brought to a form that the engine reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt

from cynn import randomness
from cynn.engine import RowMatrix
from cynn.errors import DataError, InvalidParameterError, ShapeError, check_number, check_whole_number, shown
from cynn.kernel_objects import DTYPES
from cynn.targets import Targets

if TYPE_CHECKING:
    from cynn.losses import Loss

__all__ = [
    "Conversion",
    "Targets",
    "as_array",
    "as_rows",
    "as_sample_weight",
    "as_targets",
    "check_dtype",
    "check_outs",
    "split",
    "with_class_weight",
]

Array = npt.NDArray[Any]

_ROWS_AT_A_TIME = 1 << 16
_READ_AS_THEY_ARE = (np.uint8, np.float32, np.float64)


class Conversion(NamedTuple):
    """How numbers come into a network: scale * value + offset, narrowed to its dtype.

    Attributes
    ----------
    dtype : {"float32", "float64"}
    scale, offset : float
    """

    dtype: str
    scale: float = 1.0
    offset: float = 0.0


def as_array(x: Any, name: str) -> Array:
    """`x` as an array of whatever dtype and shape."""
    if isinstance(x, np.ma.MaskedArray) and np.ma.getmaskarray(x).any():
        raise DataError(
            f"{name} must have no masked values: fill them, or leave their rows out. "
            f"Got {int(np.ma.getmaskarray(x).sum())} masked values instead."
        )
    if hasattr(x, "toarray"):  # NumPy would make one object of it
        raise InvalidParameterError(f"{name} must be dense: use {name}.toarray(). Got {type(x).__name__} instead.")
    try:
        return np.asarray(x)
    except ValueError as error:
        raise ShapeError(
            f"{name} must be a matrix of numbers. Got rows of different lengths instead."
        ) from error
    except Exception as error:  # what __array__ of another library raises
        raise InvalidParameterError(
            f"{name} must be what NumPy makes an array of. Got {type(x).__name__} instead: {error}"
        ) from error


def as_rows(x: Any, columns: int, name: str, *, exactly: bool = False) -> Array:
    """`x` as a matrix of uint8, float32 or float64 with that many columns; it is not copied if it is one.

    Other numbers are converted: float16, small integers and bools to float32, which holds them
    exactly, others to float64; with `exactly`, it is an error where that does not hold them.
    """
    rows = _as_numbers(x, name, exactly=exactly)
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


def check_rows_finite(rows: Array, name: str, conversion: Conversion) -> None:
    """Raise a DataError that names the first number that is a NaN or an infinity, as the network sees it."""
    row = RowMatrix(rows).first_nonfinite_row(*conversion)
    if row < 0:
        return
    seen = RowMatrix(rows[row : row + 1]).converted(*conversion)[0]
    column = int(np.argmin(np.isfinite(seen)))
    given = rows[row, column]
    where = ""
    if np.isfinite(given):
        is_moved = conversion != Conversion(conversion.dtype)
        moved = ", multiplied by the scale of the input and moved by its offset" if is_moved else ""
        where = f" in {conversion.dtype}{moved}"
    raise DataError(
        f"{name} must be finite{where}. Got {given} in row {row}, column {column}, instead. "
        "(check_finite=False turns this check off.)"
    )


def raise_unusable(
    rows: Array, name: str, conversion: Conversion, categories: dict[int, int], *, check_finite: bool
) -> NoReturn:
    """Raise the DataError for rows in which the engine has found a NaN or an infinity, or no category where it must."""
    if check_finite:
        check_rows_finite(rows, name, conversion)
    check_categories(rows, categories, conversion, name)
    raise DataError(f"{name} must stay as it is while it is read. Got numbers in the meantime that cannot be used.")


def check_categories(rows: Array, categories: dict[int, int], conversion: Conversion, name: str) -> None:
    """Raise a DataError unless columns hold, as the network sees them, whole numbers from 0 to below those given.

    Parameters
    ----------
    rows : array of shape (rows, inputs)
    categories : dict of int to int
        The columns, and how many categories each has.
    conversion : Conversion
        What a network does to its input.
    name : str
    """
    for column, n in categories.items():
        for first in range(0, len(rows), _ROWS_AT_A_TIME):
            given = rows[first : first + _ROWS_AT_A_TIME, column : column + 1]
            seen = RowMatrix(given).converted(*conversion)[:, 0]
            wrong = ~((seen >= 0) & (seen <= n - 1) & (seen == np.floor(seen)))
            if wrong.any():
                row = int(np.argmax(wrong))
                raise DataError(
                    f"{name} must hold categories, whole numbers from 0 to {n - 1}, in column {column}. "
                    f"Got {seen[row]:g} in row {first + row} instead."
                )


def _as_numbers(x: Any, name: str, *, exactly: bool = False) -> Array:
    array = as_array(x, name)
    if array.dtype in _READ_AS_THEY_ARE and array.flags.aligned:
        return array.view()  # whose shape stays what it is, whatever becomes of that of the caller's
    if array.dtype.kind not in "buif":
        raise InvalidParameterError(f"{name} must hold real numbers. Got the dtype {array.dtype} instead.")
    exact_in_float32 = array.dtype.itemsize <= 2 or (array.dtype.kind == "f" and array.dtype.itemsize == 4)
    with np.errstate(over="ignore"):  # of a longdouble; an infinity is found by who looks for it
        numbers = array.astype(np.float32 if exact_in_float32 else np.float64)
    if exactly and array.dtype.kind in "iu" and array.dtype.itemsize == 8:
        wrong = numbers.astype(np.longdouble) != array
        if wrong.any():
            raise DataError(
                f"{name} must be whole numbers that float64 holds where the input has an offset: subtract it "
                f"beforehand, while they are whole. Got {array[wrong][0]} instead."
            )
    return numbers


def as_targets(
    y: Any, n: int, outputs: int, loss: Loss, name: str, dtype: str, *, check_finite: bool = True
) -> Targets:
    """`y` as classes, where it is one whole number a row and there are several outputs, else as values."""
    given = _as_numbers_or_integers(y, name)
    if given.ndim == 0 or given.shape[0] != n:
        raise ShapeError(f"{name} must have as many rows as x, {n}. Got the shape {given.shape} instead.")
    one_a_row = given.ndim == 1 or (given.ndim == 2 and given.shape[1] == 1)
    if one_a_row and outputs > 1:
        return Targets(None, _as_classes(given.reshape(n), outputs, name), outputs)
    if one_a_row:
        given = given.reshape(n, 1).copy()  # as for classes: what has been checked stays as it is
    values = as_rows(given, outputs, name)
    if check_finite:
        check_rows_finite(values, name, Conversion(dtype))
    loss.check_target(values)
    return Targets(values, None, outputs)


def _as_numbers_or_integers(y: Any, name: str) -> Array:
    array = as_array(y, name)
    return array if array.dtype.kind in "iu" else _as_numbers(array, name)


def _as_classes(labels: Array, outputs: int, name: str) -> npt.NDArray[np.int64]:
    with np.errstate(invalid="ignore"):
        classes = np.array(labels, dtype=np.int64, order="C")  # our own: the engine takes them for places in memory
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


def as_sample_weight(
    sample_weight: Any, n: int, name: str, *, may_be_zero: bool = False
) -> npt.NDArray[np.float64] | None:
    """Weights of rows as float64: finite, not negative, not all zero unless that `may_be_zero`."""
    if sample_weight is None:
        return None
    weight = np.array(_as_numbers(sample_weight, name), dtype=np.float64, order="C")
    if weight.shape != (n,):
        raise ShapeError(f"{name} must have the shape ({n},). Got {weight.shape} instead.")
    wrong = ~np.isfinite(weight) | (weight < 0)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(f"{name} must be finite and >= 0. Got {weight[row]} in row {row} instead.")
    check_sum_finite(weight, name)
    if not weight.any() and not may_be_zero:
        raise DataError(f"{name} must not be zero everywhere. Got only zeros instead.")
    return weight


def check_sum_finite(weight: Array, name: str) -> None:
    """Raise a DataError where weights of rows are too large to be summed up."""
    with np.errstate(over="ignore"):
        total = weight.sum()
    if not np.isfinite(total):
        raise DataError(f"{name} must have a finite sum. Got weights up to {weight.max():g} instead.")


def with_class_weight(
    weight: Array | None, class_weight: Any, target: Targets, places: Array | None, name: str
) -> npt.NDArray[np.float64]:
    """The weights of rows, times that of the class of each.

    Parameters
    ----------
    weight : array of shape (n,), or None
    class_weight : dict or "balanced"
        The weight of a class, 1 where it has none; or n / (k * count) for each of the k classes there are.
    target : Targets
    places : array, or None
        The rows that are trained on, and counted; None for all.
    name : str
        How messages call class_weight.
    """
    classes = target.as_labels()
    if classes is None:
        raise DataError(
            f"{name} must come with classes: whole numbers, or rows of one 1 and else 0. "
            "Got other targets instead."
        )
    n_classes = max(2, target.outputs)
    of_class = np.ones(n_classes)
    if isinstance(class_weight, str) and class_weight == "balanced":
        counts = np.bincount(classes if places is None else classes[places], minlength=n_classes)
        there = counts > 0
        of_class[there] = counts.sum() / (there.sum() * counts[there])
    elif isinstance(class_weight, dict):
        for label, value in class_weight.items():
            at = check_whole_number(label, name, "fit (its keys)", maximum=n_classes - 1)
            of_class[at] = check_number(value, name, f"fit (of class {at})", minimum=0)
    else:
        raise InvalidParameterError(
            f"The {name!r} parameter of fit must be 'balanced' or a dict from classes to weights. "
            f"Got {shown(class_weight)} instead."
        )
    with np.errstate(over="ignore"):
        found = of_class[classes] if weight is None else weight * of_class[classes]
    check_sum_finite(found, name)
    return found


def split(
    target: Targets, n: int, fraction: float, seed: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The rows to train on and those to validate with, each in ascending order.

    Which those are depends on the seed alone. Of every class there is the same share in both, to a row. Of several
    outputs, that holds for every combination of their classes, and for the classes of the first that has some.
    """
    order = randomness.permutation(n, seed, randomness.Purpose.SPLIT)
    for part in reversed(target.parts):
        labels = part.as_labels()
        if labels is not None:
            order = order[np.argsort(labels[order], kind="stable")]
    # every (1 / fraction)-th row of the classes one after the other
    counted = np.floor(np.arange(n + 1) * fraction + 0.5)
    held_out = counted[1:] > counted[:-1]
    if held_out.all() or not held_out.any():
        raise DataError(
            f"The 'validation_split' parameter of fit must leave rows on both sides. Got {fraction:g} of {n} rows "
            "instead."
        )
    return np.sort(order[~held_out]), np.sort(order[held_out])


def check_outs(
    outs: Sequence[Any], shapes: Sequence[tuple[int, ...]], dtype: str, is_of_network: Callable[[Array], bool]
) -> None:
    """Raise an error unless the engine can write into each of `outs`, without a change to what it reads or writes."""
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
    """The name of the dtype of a network, from that name or from what NumPy takes for it."""
    name = dtype if isinstance(dtype, str) else getattr(dtype, "__name__", getattr(dtype, "name", None))
    if not isinstance(name, str) or name not in DTYPES:
        raise InvalidParameterError(
            f"The 'dtype' parameter of Network must be 'float32' or 'float64'. Got {shown(dtype)} instead."
        )
    return name
