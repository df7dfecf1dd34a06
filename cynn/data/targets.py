"""Targets in the form that the engine reads, and in the forms that metrics read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from cynn.data.derivative_targets import DerivativeTargets

    Array = npt.NDArray[Any]

__all__ = ["JointTargets", "Targets"]


class Targets:
    """Targets as the engine takes them: `values` (n, outputs) or `classes` (n,); the other is None.

    Parameters
    ----------
    values, classes : array or None
    outputs : int
        The number of columns of the predictions.
    decision_threshold : float, optional
        The threshold that the loss of the output defines.

    Attributes
    ----------
    derivatives : DerivativeTargets or None
        The derivatives of all outputs by the inputs, if these are trained, too.
    """

    derivatives: DerivativeTargets | None = None

    def __init__(
        self, values: Array | None, classes: Array | None, outputs: int, decision_threshold: float | None = None
    ) -> None:
        self.values = values
        self.classes = classes
        self.outputs = outputs
        self._decision_threshold = decision_threshold
        self._kind: str | None = None
        self._smallest = 0.0

    @property
    def parts(self) -> list[Targets]:
        """The targets of each output of the network."""
        return [self]

    @property
    def kind(self) -> str:
        """The kind of the targets, inferred from their values.

        "classes": whole numbers, rows of one 1 and else 0, or a single column of 0 and 1; "labels": rows of 0 and 1
        of which any number may be 1; "values": anything else. Instead of 0 there may be -1 everywhere.
        """
        if self._kind is None:
            self._kind = self._find_kind()
        return self._kind

    def _find_kind(self) -> str:
        if self.values is None:
            return "classes"
        is_one = self.values == 1
        if (is_one | (self.values == -1)).all() and not is_one.all():
            self._smallest = -1.0
        elif not (is_one | (self.values == 0)).all():
            return "values"
        return "classes" if self.outputs == 1 or (is_one.sum(axis=1) == 1).all() else "labels"

    @property
    def decision_threshold(self) -> float:
        """A prediction above it means 1, not 0 or -1: as the loss says, else half-way between the two."""
        if self._decision_threshold is not None:
            return self._decision_threshold
        return (1 + self._smallest) / 2 if self.kind in ("classes", "labels") else 0.5

    def predicted_classes(self, prediction: Array) -> Array:
        """The predicted class of each row of predictions."""
        if self.outputs == 1:
            return (prediction[:, 0] > self.decision_threshold).astype(np.int64)
        classes: Array = np.argmax(prediction, axis=1)
        return classes

    def as_labels(self) -> npt.NDArray[np.int64] | None:
        """The class of each row, or None if the targets are not classes."""
        return self.as_classes().astype(np.int64, copy=False) if self.kind == "classes" else None

    def as_values(self) -> Array:
        """Rows of values, in float64: one-hot rows for classes."""
        if self.values is not None:
            return np.asarray(self.values, np.float64)
        return np.eye(self.outputs)[self.as_classes()]

    def as_flags(self) -> Array:
        """Rows of 0 and 1: 1 if the value is above 0.5."""
        return (self.as_values() > 0.5).astype(np.int64)

    def as_classes(self) -> Array:
        """The class of each row: that of the largest value where values are given."""
        if self.classes is not None:
            return self.classes
        assert self.values is not None
        if self.outputs == 1:
            return (self.values[:, 0] > 0.5).astype(np.int64)
        classes: Array = np.argmax(self.values, axis=1)
        return classes

    def take(self, order: Array) -> Targets:
        """The targets of the rows at these places, in that order."""
        taken = self._take(order)
        taken.derivatives = None if self.derivatives is None else self.derivatives.take(order)
        return taken

    def _take(self, order: Array) -> Targets:
        taken = Targets(
            None if self.values is None else self.values[order],
            None if self.classes is None else self.classes[order],
            self.outputs,
            self._decision_threshold,
        )
        taken._kind, taken._smallest = self.kind, self._smallest  # the kind depends on all rows
        return taken

    def first(self, n: int) -> Targets:
        """The targets of the first n rows: views."""
        return Targets(
            None if self.values is None else self.values[:n],
            None if self.classes is None else self.classes[:n],
            self.outputs,
            self._decision_threshold,
        )

    def as_given(self) -> Array:
        """A copy in the form that a user gave: the y_true of a metric that is a function."""
        given = self.values if self.classes is None else self.classes
        assert given is not None
        return given.copy()

    def with_room(self, rows: int) -> Targets:
        """Make room for targets of the same form for so many rows, to be filled by `put`."""
        room = self._with_room(rows)
        room.derivatives = None if self.derivatives is None else self.derivatives.with_room(rows)
        return room

    def _with_room(self, rows: int) -> Targets:
        return Targets(
            None if self.values is None else np.zeros((rows, self.outputs), self.values.dtype),
            None if self.classes is None else np.zeros(rows, np.int64),
            self.outputs,
            self._decision_threshold,
        )

    def has_form_of(self, other: Targets) -> bool:
        """Whether both are classes, or values of one dtype, and their derivatives have one form."""
        if self.derivatives is None or other.derivatives is None:
            have_one_form = self.derivatives is other.derivatives
        else:
            have_one_form = self.derivatives.has_form_of(other.derivatives)
        return have_one_form and self._has_form_of(other)

    def _has_form_of(self, other: Targets) -> bool:
        if self.values is None or other.values is None:
            return self.values is other.values
        return self.values.dtype == other.values.dtype

    def put(self, place: slice, other: Targets) -> None:
        """Write other targets of the same form into a slice of these."""
        if self.derivatives is not None:
            assert other.derivatives is not None
            self.derivatives.put(place, other.derivatives)
        self._put(place, other)

    def _put(self, place: slice, other: Targets) -> None:
        for own, given in ((self.values, other.values), (self.classes, other.classes)):
            if own is not None:
                own[place] = given

    @classmethod
    def concatenated(cls, batches: list[Targets]) -> Targets:
        """Concatenate the targets of several batches, without derivatives: classes if all are classes, else values."""
        outputs, threshold = batches[0].outputs, batches[0]._decision_threshold
        if all(batch.classes is not None for batch in batches):
            return cls(None, np.concatenate([batch.as_classes() for batch in batches]), outputs, threshold)
        return cls(np.concatenate([batch.as_values() for batch in batches]), None, outputs, threshold)


class JointTargets(Targets):
    """Targets of several outputs.

    Parameters
    ----------
    parts : list of Targets
    join : function
        Converts a list with one item per output to the form that the user gave.
    """

    def __init__(self, parts: list[Targets], join: Callable[[list[Any]], Any]) -> None:
        super().__init__(None, None, 0)
        self._parts = parts
        self._join = join
        self._kind = "several"

    @property
    def parts(self) -> list[Targets]:
        return self._parts

    def _take(self, order: Array) -> Targets:
        return JointTargets([part.take(order) for part in self._parts], self._join)

    def as_given(self) -> Any:
        return self._join([part.as_given() for part in self._parts])

    def _with_room(self, rows: int) -> Targets:
        return JointTargets([part.with_room(rows) for part in self._parts], self._join)

    def _has_form_of(self, other: Targets) -> bool:
        return all(own.has_form_of(given) for own, given in zip(self._parts, other.parts, strict=True))

    def _put(self, place: slice, other: Targets) -> None:
        for own, given in zip(self._parts, other.parts, strict=True):
            own.put(place, given)

    @classmethod
    def concatenated(cls, batches: list[Targets]) -> Targets:
        """Concatenate the targets of several batches, output by output."""
        first = batches[0]
        assert isinstance(first, JointTargets)
        of_parts = zip(*(batch.parts for batch in batches), strict=True)
        return cls([Targets.concatenated(list(parts)) for parts in of_parts], first._join)
