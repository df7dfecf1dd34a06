"""A network as steps that every language can print: what `to_c` and its likes are made from.

Value 0 is a row of the input, scaled; step i makes value i + 1, a row of its own width.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

import numpy.typing as npt

from cynn.interop.expressions import Expression, number

__all__ = ["Affine", "Array", "Copy", "Gather", "Group", "Map", "Output", "Plan", "Reduce", "Step", "Take", "column"]

Array: TypeAlias = npt.NDArray[Any]


@dataclass
class Affine:
    """z = x W + b."""

    source: int
    weights: Array
    biases: Array | None
    kind: ClassVar[str] = "affine"

    @property
    def units(self) -> int:
        """Columns of z."""
        return int(self.weights.shape[1])


@dataclass
class Map:
    """Element j is a formula of elements of other rows."""

    formula: Expression
    units: int
    kind: ClassVar[str] = "map"


@dataclass
class Reduce:
    """One number of a whole row: "max", "min" or "sum" of `width` columns of a value.

    "threshold" is the t for which the sum of max(x - t, 0) is 1: the largest of (the sum of those >= x_j, less 1) over
    their number (Martins and Astudillo, 2016, algorithm 1).
    """

    how: str
    source: int
    first: int
    width: int
    units: ClassVar[int] = 1
    kind: ClassVar[str] = "reduce"


@dataclass
class Copy:
    """Columns of another value."""

    source: int
    first: int
    count: int


@dataclass
class Gather:
    """A row of a table, by the category that is in a column."""

    source: int
    column: int
    table: Array

    @property
    def count(self) -> int:
        """Columns of the table."""
        return int(self.table.shape[1])


@dataclass
class Take:
    """Columns of other values and rows of tables, side by side."""

    parts: list[Copy | Gather]
    kind: ClassVar[str] = "take"

    @property
    def units(self) -> int:
        """Columns of all parts."""
        return sum(part.count for part in self.parts)


Step: TypeAlias = Any  # one of these, or what replaces it: it has a kind and units


@dataclass
class Output:
    """An output of the network: its name, None where there is one alone, and which value it is."""

    name: str | None
    value: int


@dataclass
class Group:
    """Steps that are one activation, or one layer: other libraries may have the whole.

    Attributes
    ----------
    first, last : int
        The values that its steps make.
    source : int
        The value that it takes.
    part : Activation or Layer
    """

    first: int
    last: int
    source: int
    part: Any


@dataclass
class Plan:
    """What a network computes.

    Attributes
    ----------
    inputs : int
    scale, offset : float
        Value 0 is scale * x + offset.
    dtype : str
        The network's.
    steps : list of Step
    widths : list of int
        Of each value.
    arrays : list of array
        What formulas take a number per column from.
    outputs : list of Output
    groups : list of Group
        In their order, each apart from the others.
    """

    inputs: int
    scale: float
    offset: float
    dtype: str
    steps: list[Step] = field(default_factory=list)
    widths: list[int] = field(default_factory=list)
    arrays: list[Array] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.widths = self.widths or [self.inputs]

    def add(self, step: Step) -> int:
        """The number of the value that the step makes."""
        self.steps.append(step)
        self.widths.append(step.units)
        return len(self.steps)

    def array(self, values: Array) -> Expression:
        """Element j of an array, in a formula."""
        self.arrays.append(values)
        return Expression("array", (), (len(self.arrays) - 1, 0))

    def map(self, formula: Expression, units: int) -> int:
        """Add the steps of a formula, of which each function of a whole row is one; the number of its value."""
        known: dict[Expression, Expression] = {}
        for node in list(formula.nodes()):
            if node.kind == "call" and node.value.startswith("row_"):
                known[node] = self._reduce(node, units, known)
        formula = formula.replaced(known.get)
        formula = formula.replaced(lambda node: self._of_row(node, known))
        if formula.kind == "column" and formula.value[1] == 0 and self.widths[formula.value[0]] == units:
            return int(formula.value[0])
        return self.add(Map(formula, units))

    def group(self, part: Any, source: int, formula: Expression, units: int) -> int:
        """Likewise, of steps that are one activation or layer."""
        first = len(self.widths)
        value = self.map(formula, units)
        if first <= value:
            self.groups.append(Group(first, value, source, part))
        return value

    def _reduce(self, node: Expression, units: int, known: dict[Expression, Expression]) -> Expression:
        (argument,) = node.arguments
        found = argument.replaced(known.get)
        if found.kind != "column":  # it is computed once, for the other places where it is needed too
            found = column(self.add(Map(found.replaced(lambda each: self._of_row(each, known)), units)))
            known[argument] = found
        how = node.value.removeprefix("row_")
        source, first = found.value
        step = Reduce("sum" if how == "mean" else how, source, first, units)
        total = Expression("row", (), self.add(step))
        return total / units if how == "mean" else total

    def _of_row(self, node: Expression, known: dict[Expression, Expression]) -> Expression | None:
        """What is the same for the whole row is computed once."""
        kinds = {each.kind for each in node.nodes() if not each.arguments}
        if not node.arguments or "row" not in kinds or kinds - {"row", "number"} or node.is_condition:
            return None
        if node not in known:
            known[node] = Expression("row", (), self.add(Map(node, 1)))
        return known[node]

    def reads(self, step: Step) -> set[int]:
        """The values that a step reads."""
        if isinstance(step, Take):
            return {part.source for part in step.parts}
        if not isinstance(step, Map):
            return {step.source}
        leaves = [node for node in step.formula.nodes() if node.kind in ("column", "row")]
        return {node.value[0] if node.kind == "column" else node.value for node in leaves}

    @property
    def parameter_count(self) -> int:
        """Numbers of all arrays."""
        return sum(array.size for _, array in self.named_arrays())

    def named_arrays(self, weights: str = "w", table: str = "t") -> Iterator[tuple[str, Array]]:
        """What formulas read, weights, biases and tables, each with its name in a file.

        Parameters
        ----------
        weights, table : str
            How the names of these begin.
        """
        for k, array in enumerate(self.arrays):
            yield f"p{k}", array
        for k, step in enumerate(self.steps, start=1):
            if isinstance(step, Affine):
                yield f"{weights}{k}", step.weights
                if step.biases is not None:
                    yield f"b{k}", step.biases
            elif isinstance(step, Take):
                for place, part in enumerate(step.parts):
                    if isinstance(part, Gather):
                        yield f"{table}{k}_{place}", part.table

    @property
    def multiplications(self) -> int:
        """Of weights, per row."""
        return sum(step.weights.size for step in self.steps if isinstance(step, Affine))


def column(value: int, offset: int = 0) -> Expression:
    """Element j + offset of a value, in a formula."""
    return Expression("column", (), (value, offset))


def constant_or(array: Array | None, plan: Plan, otherwise: float) -> Expression:
    """Element j of an array, or a number where there is none."""
    return number(otherwise) if array is None else plan.array(array)
