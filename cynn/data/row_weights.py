"""Weights of rows: a weight of w means w copies of the row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cynn.data.arrays import as_numbers
from cynn.errors import DataError, InvalidParameterError, ShapeError, check_number, check_whole_number, shown

if TYPE_CHECKING:
    import numpy.typing as npt

    from cynn.data.targets import Targets

    Array = npt.NDArray[Any]
    Places = npt.NDArray[np.int64]

__all__ = ["RowWeights", "as_sample_weight", "check_as_given", "of_classes", "of_one_output"]


class RowWeights:
    """The weights of the rows for each output.

    Parameters
    ----------
    each : list of float64 array of shape (n,), or None
        The weights in the loss and the metrics of each output. None means 1 for every row.
    names : list of str
        The names of the weights in messages.

    Attributes
    ----------
    rows : float64 array of shape (n,), or None
        The weight of a row in the batch: the largest of its weights in the outputs. A row with weight 0 in every output
        is left out.
    """

    def __init__(self, each: Sequence[Array | None], names: Sequence[str]) -> None:
        self.each = list(each)
        self.names = list(names)
        self.rows = each[0]
        for one in each[1:]:
            if one is not self.rows:
                self.rows = np.maximum(_or_one(self.rows), _or_one(one))

    @classmethod
    def room(cls, n: int, n_outputs: int) -> RowWeights:
        """Make room for the weights of n rows, to be filled by `put`."""
        weights = cls([np.zeros(n) for _ in range(n_outputs)], [""] * n_outputs)
        weights.rows = np.zeros(n)
        return weights

    def _with(self, each: Sequence[Array | None], rows: Array | None) -> RowWeights:
        weights = RowWeights(each, self.names)
        weights.rows = rows
        return weights

    def places(self, among: Places | None = None) -> Places | None:
        """The places of the rows whose weight is not 0, among all rows or some; None if these are all rows."""
        if self.rows is None:
            return among
        is_there = self.rows > 0
        if among is not None:
            return among[is_there[among]]
        return None if is_there.all() else np.flatnonzero(is_there)

    def take(self, places: Array) -> RowWeights:
        """The weights of the rows at these places, in that order."""
        each = [None if one is None else one[places] for one in self.each]
        return self._with(each, None if self.rows is None else self.rows[places])

    def scaled(self, places: Places | None = None) -> RowWeights:
        """The weights divided by their mean over all rows, or over some; those of the other rows become 0.

        Raises
        ------
        DataError
            In an output, all of these rows have weight 0.
        """
        each = [_over_mean(one, places, name) for one, name in zip(self.each, self.names, strict=True)]
        return self._with(each, _over_mean(self.rows, places, self.names[0]))

    def times(self, factors: Sequence[Array | None], names: Sequence[str]) -> RowWeights:
        """The weights multiplied by a factor per row for each output; None stands for ones."""
        each, own_names = list(self.each), list(self.names)
        for number, (own, factor) in enumerate(zip(self.each, factors, strict=True)):
            if factor is not None:
                with np.errstate(over="ignore"):
                    each[number] = product = factor if own is None else own * factor
                _check_sum_finite(product, names[number])
                own_names[number] = names[number]
        return RowWeights(each, own_names)

    def put(self, place: slice, others: RowWeights) -> None:
        """Write other weights into a slice of these, none of which may be None."""
        for own, other in zip([*self.each, self.rows], [*others.each, others.rows], strict=True):
            assert own is not None
            own[place] = 1 if other is None else other

    @classmethod
    def concatenated(cls, parts: Sequence[RowWeights], sizes: Sequence[int]) -> RowWeights:
        """Concatenate the weights of several batches of these sizes."""
        each: list[Array | None] = []
        for of_batches in zip(*(part.each for part in parts), strict=True):
            filled = [np.ones(n) if one is None else one for one, n in zip(of_batches, sizes, strict=True)]
            each.append(None if all(one is None for one in of_batches) else np.concatenate(filled))
        return cls(each, parts[0].names)


def _or_one(weight: Array | None) -> Array:
    return np.ones(1) if weight is None else weight


def _over_mean(weight: Array | None, places: Places | None, name: str) -> Array | None:
    if weight is None:
        return None
    seen = weight if places is None else weight[places]
    largest = seen.max(initial=0.0)
    if largest == 0:
        raise _nothing_counts(name)
    seen = seen / largest  # so that very small weights do not underflow
    scaled = np.zeros(len(weight))
    scaled[slice(None) if places is None else places] = seen / seen.mean()
    return scaled


def _nothing_counts(name: str) -> DataError:
    return DataError(f"{name} must not be zero everywhere. Got only zeros instead.")


def of_one_output(sample_weight: Any, n: int) -> RowWeights:
    """Validate weights with one number per row."""
    return RowWeights([as_sample_weight(sample_weight, n, "sample_weight")], ["sample_weight"])


def check_as_given(weights: RowWeights, of: str, dtype: str) -> None:
    """Raise a DataError unless the weights are finite in the network's dtype without a division by their mean."""
    for weight, name in zip(weights.each, weights.names, strict=True):
        if weight is not None and weight.max() > np.finfo(dtype).max:
            row = int(np.argmax(weight))
            raise DataError(f"{name}{of} must be finite in {dtype}. Got {weight[row]:g} in row {row} instead.")
    if weights.rows is not None and not weights.rows.any():
        raise _nothing_counts(f"{weights.names[0]}{of}")


def as_sample_weight(sample_weight: Any, n: int, name: str, *, may_be_zero: bool = False) -> Array | None:
    """Validate and convert weights of rows to float64: finite, not negative, and not all zero unless `may_be_zero`."""
    if sample_weight is None:
        return None
    weight = np.array(as_numbers(sample_weight, name), dtype=np.float64, order="C")
    if weight.shape != (n,):
        raise ShapeError(f"{name} must have the shape ({n},). Got {weight.shape} instead.")
    wrong = ~np.isfinite(weight) | (weight < 0)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(f"{name} must be finite and >= 0. Got {weight[row]} in row {row} instead.")
    _check_sum_finite(weight, name)
    if not weight.any() and not may_be_zero:
        raise _nothing_counts(name)
    return weight


def _check_sum_finite(weight: Array, name: str) -> None:
    """Raise a DataError if the sum of the weights is not finite."""
    with np.errstate(over="ignore"):
        total = weight.sum()
    if not np.isfinite(total):
        raise DataError(f"{name} must have a finite sum. Got weights up to {weight.max():g} instead.")


def of_classes(class_weight: Any, target: Targets, weight: Array | None, places: Places | None, name: str) -> Array:
    """Return, for each row, the weight of its class.

    Parameters
    ----------
    class_weight : dict or "balanced"
        The weight of each class, 1 by default; or n / (k * count) for each of the k classes that occur.
    target : Targets
    weight : array of shape (n,), or None
        The weight of each row in the counts.
    places : array, or None
        The training rows, which are counted; None for all.
    name : str
        The name of class_weight in messages.
    """
    classes = target.as_labels()
    if classes is None:
        raise DataError(
            f"{name} must come with classes: whole numbers, or rows of one 1 and else 0 or else -1. "
            "Got other targets instead."
        )
    n_classes = max(2, target.outputs)
    by_class = np.ones(n_classes)
    if isinstance(class_weight, str) and class_weight == "balanced":
        counted = slice(None) if places is None else places
        counts = np.bincount(
            classes[counted], None if weight is None else weight[counted], minlength=n_classes
        )
        there = counts > 0
        by_class[there] = counts.sum() / (there.sum() * counts[there])
    elif isinstance(class_weight, dict):
        for at, value in _by_class(class_weight, target, n_classes, name).items():
            by_class[at] = check_number(value, name, f"fit (of class {at})", minimum=0)
    else:
        raise InvalidParameterError(
            f"The {name!r} parameter of fit must be 'balanced' or a dict from classes to weights. "
            f"Got {shown(class_weight)} instead."
        )
    return by_class[classes]


def _by_class(class_weight: dict[Any, Any], target: Targets, n_classes: int, name: str) -> dict[int, Any]:
    """Return the weights by the number of the class. Where targets are -1 and 1, -1 is another name of class 0."""
    smallest = -1 if target.outputs == 1 and target.decision_threshold == 0 else 0
    found: dict[int, Any] = {}
    for label, value in class_weight.items():
        at = max(0, check_whole_number(label, name, "fit (its keys)", minimum=smallest, maximum=n_classes - 1))
        if at in found:
            raise InvalidParameterError(
                f"The {name!r} parameter of fit must name every class once. Got both -1 and 0 instead."
            )
        found[at] = value
    return found
