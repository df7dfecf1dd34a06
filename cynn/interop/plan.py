"""A plan: a network as steps that every language can express. `to_c`, `to_js` and the others print it.

Value 0 is a scaled row of the input. Step i computes value i + 1, a row with its own width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from cynn.interop.expressions import Expression, number

__all__ = [
    "LARGEST", "Affine", "Array", "Column", "Copy", "Function", "Gather", "Group", "Grouped", "Map", "Output", "Plan",
    "Reduce", "Standardization", "Step", "Take", "column",
]  # fmt: skip

Array: TypeAlias = npt.NDArray[Any]

#: A standardized input is no further than this from 0, so that its square is a number.
LARGEST = 1e15


@dataclass
class Affine:
    """z = x W + b."""

    source: int
    weights: Array
    biases: Array | None
    kind: ClassVar[str] = "affine"

    @property
    def units(self) -> int:
        """The number of columns of z."""
        return int(self.weights.shape[1])


@dataclass
class Grouped:
    """z = x W + b for each of some groups of columns by itself, which are all as wide.

    Attributes
    ----------
    source : int
        The number of its input value.
    weights : array of shape (groups, inputs, units)
    biases : array of shape (groups * units,)
    """

    source: int
    weights: Array
    biases: Array
    kind: ClassVar[str] = "grouped"

    @property
    def units(self) -> int:
        """The number of columns of z."""
        return len(self.biases)


@dataclass
class Map:
    """Element j is a formula of elements of other values."""

    formula: Expression
    units: int
    kind: ClassVar[str] = "map"


@dataclass
class Reduce:
    """One number per row: the "max", "min" or "sum" of `width` columns of a value.

    "threshold" is the t for which the sum of max(x - t, 0) is 1. It is the maximum over j of (S - 1) / n, where S is
    the sum of the n elements that are >= x_j (Martins and Astudillo, 2016, algorithm 1).
    """

    how: str
    source: int
    first: int
    width: int
    units: ClassVar[int] = 1
    kind: ClassVar[str] = "reduce"


@dataclass
class Copy:
    """Some columns of another value."""

    source: int
    first: int
    count: int


@dataclass
class Gather:
    """A row of a table, for the category in a column."""

    source: int
    column: int
    table: Array

    @property
    def count(self) -> int:
        """The number of columns of the table."""
        return int(self.table.shape[1])


@dataclass
class Take:
    """Columns of other values and rows of tables, concatenated."""

    parts: list[Copy | Gather]
    kind: ClassVar[str] = "take"

    @property
    def units(self) -> int:
        """The number of columns of all parts."""
        return sum(part.count for part in self.parts)


@dataclass
class Function:
    """A row of some columns of a value, by code that a plugin has brought along for one language.

    Attributes
    ----------
    source, first, width : int
        The value, and which of its columns.
    units : int
        The number of columns that come out.
    part : Activation or Layer
        Whose code it is.
    code : object
        A `CFunction`, or None where the part itself yields nodes of ONNX.
    numbers : dict of str to float
        The numbers that the code may name.
    arrays : dict of str to int
        Likewise the arrays, by their places among those of the plan.
    """

    source: int
    first: int
    width: int
    units: int
    part: Any
    code: Any
    numbers: dict[str, float]
    arrays: dict[str, int]
    kind: ClassVar[str] = "function"


Step: TypeAlias = Any  # one of these, or a replacement that has a kind and units


@dataclass
class Output:
    """An output of the network: its name (None for a single output) and the number of its value."""

    name: str | None
    value: int


@dataclass
class Column:
    """A column of the input, for a file that says what its numbers mean.

    Attributes
    ----------
    name : str or int
    categories : list of str, or None
        The input is the place of the category in this list, or -1 for a missing or an unknown one. None: it is a
        number, or NaN where it is missing.
    """

    name: str | int
    categories: list[str] | None

    @property
    def label(self) -> str:
        """What to call it: x0, x1, ... where columns have numbers for names."""
        return self.name if isinstance(self.name, str) else f"x{self.name}"


@dataclass
class Standardization:
    """(x - centers) * scales for each column, in float64 whatever the dtype of the computation, and within `LARGEST`.

    A NaN stays a NaN.

    Attributes
    ----------
    centers, scales : array of float64
    """

    centers: Array
    scales: Array


@dataclass
class Group:
    """Steps that together are one activation or layer, for libraries that have it as a whole.

    Attributes
    ----------
    first, last : int
        The numbers of the first and the last value that its steps compute.
    source : int
        The number of its input value.
    part : Activation or Layer
    """

    first: int
    last: int
    source: int
    part: Any


@dataclass
class Plan:
    """The computation of a network.

    Attributes
    ----------
    inputs : int
    scale, offset : float, or array of float64
        Value 0 is scale * x + offset: two numbers, or two arrays with one number for each column,
    standardization : Standardization, optional
        or this, of an x in float64.
    dtype : str
        The dtype of the network.
    steps : list of Step
    widths : list of int
        The number of columns of each value.
    arrays : list of array
        The arrays from which formulas take one number per column.
    outputs : list of Output
    groups : list of Group
        In their order, without overlap.
    columns : list of Column, optional
        What is known of the columns of the input.
    labels : list, optional
        What the columns of a single output stand for: the label of the largest is what is predicted.
    output_name : str
        The name of a single output, in languages where it needs one.
    layers : list of int
        The number of the value that each layer of the network computes.
    """

    inputs: int
    scale: Any
    offset: Any
    dtype: str
    steps: list[Step] = field(default_factory=list)
    widths: list[int] = field(default_factory=list)
    arrays: list[Array] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    standardization: Standardization | None = None
    columns: list[Column] | None = None
    labels: list[Any] | None = None
    output_name: str = "y"
    layers: list[int] = field(default_factory=list)

    @property
    def input_dtype(self) -> str:
        """The dtype of x, where the dtype of the computation is that of the network."""
        return self.dtype if self.standardization is None else "float64"

    @property
    def is_scaled_in_double(self) -> bool:
        """Whether value 0 is computed in float64 whatever the dtype: all but a product with one number."""
        return isinstance(self.scale, np.ndarray) or self.offset != 0

    @property
    def changes_input(self) -> bool:
        """Whether value 0 is something else than x."""
        return self.standardization is not None or self.is_scaled_in_double or self.scale != 1

    @property
    def input_arrays(self) -> dict[str, Array]:
        """The arrays of float64 by their names with which value 0 is computed: one number for each column."""
        if self.standardization is not None:
            return dict(vars(self.standardization))
        return {"scales": self.scale, "offsets": self.offset} if isinstance(self.scale, np.ndarray) else {}

    @property
    def usual_input(self) -> tuple[Array, Array]:
        """For each column, the x that becomes 0, and 1 / how far from it those lie that become 1 and -1."""
        if self.standardization is not None:
            return self.standardization.centers, self.standardization.scales
        scale, offset = (np.broadcast_to(np.float64(each), self.inputs) for each in (self.scale, self.offset))
        return np.divide(-offset, scale, out=np.zeros(self.inputs), where=scale != 0), np.where(scale, np.abs(scale), 1)

    def input_terms(self, number: Callable[[float], Any], element: Callable[[str], Any]) -> tuple[Any, Any]:
        """Scale and offset of column j in a language: as numbers, or as elements of `input_arrays`."""
        if self.input_arrays:
            return element("scales"), element("offsets")
        return number(self.scale), number(self.offset)

    def __post_init__(self) -> None:
        self.widths = self.widths or [self.inputs]

    def add(self, step: Step) -> int:
        """Add a step. Returns the number of its value."""
        self.steps.append(step)
        self.widths.append(step.units)
        return len(self.steps)

    def array(self, values: Array) -> Expression:
        """Element j of an array, in a formula."""
        self.arrays.append(values)
        return Expression("array", (), (len(self.arrays) - 1, 0))

    def map(self, formula: Expression, units: int) -> int:
        """Add the steps of a formula, with one for each function of a whole row. Returns the number of its value."""
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
        """Likewise, and group the steps as one activation or layer."""
        first = len(self.widths)
        value = self.map(formula, units)
        if first <= value:
            self.groups.append(Group(first, value, source, part))
        return value

    def _reduce(self, node: Expression, units: int, known: dict[Expression, Expression]) -> Expression:
        (argument,) = node.arguments
        found = argument.replaced(known.get)
        if found.kind != "column":  # computed once for all places that need it
            found = column(self.add(Map(found.replaced(lambda each: self._of_row(each, known)), units)))
            known[argument] = found
        how = node.value.removeprefix("row_")
        source, first = found.value
        step = Reduce("sum" if how == "mean" else how, source, first, units)
        total = Expression("row", (), self.add(step))
        return total / units if how == "mean" else total

    def _of_row(self, node: Expression, known: dict[Expression, Expression]) -> Expression | None:
        """A subexpression that is the same for the whole row, as a step of its own."""
        kinds = {each.kind for each in node.nodes() if not each.arguments}
        if not node.arguments or "row" not in kinds or kinds - {"row", "number"} or node.is_condition:
            return None
        if node not in known:
            known[node] = Expression("row", (), self.add(Map(node, 1)))
        return known[node]

    def reads(self, step: Step) -> set[int]:
        """The numbers of the values that a step reads."""
        if isinstance(step, Take):
            return {part.source for part in step.parts}
        if not isinstance(step, Map):
            return {step.source}
        leaves = [node for node in step.formula.nodes() if node.kind in ("column", "row")]
        return {node.value[0] if node.kind == "column" else node.value for node in leaves}

    @property
    def parameter_count(self) -> int:
        """The number of elements of all arrays."""
        return sum(array.size for _, array in self.named_arrays())

    def named_arrays(self, weights: str = "w", table: str = "t") -> Iterator[tuple[str, Array]]:
        """All arrays, that is those of formulas, weights, biases and tables, with their names in a file.

        Parameters
        ----------
        weights, table : str
            The prefixes of the names of these.
        """
        for k, array in enumerate(self.arrays):
            yield f"p{k}", array
        for k, step in enumerate(self.steps, start=1):
            if isinstance(step, (Affine, Grouped)):
                yield f"{weights}{k}", step.weights
                if step.biases is not None:
                    yield f"b{k}", step.biases
            elif isinstance(step, Take):
                for place, part in enumerate(step.parts):
                    if isinstance(part, Gather):
                        yield f"{table}{k}_{place}", part.table

    @property
    def multiplications(self) -> int:
        """The number of multiplications by weights per row."""
        return sum(step.weights.size for step in self.steps if step.kind in ("affine", "grouped", "quantized"))


def column(value: int, offset: int = 0) -> Expression:
    """Element j + offset of a value, in a formula."""
    return Expression("column", (), (value, offset))


def constant_or(array: Array | None, plan: Plan, otherwise: float) -> Expression:
    """Element j of an array, or a number if the array is None."""
    return number(otherwise) if array is None else plan.array(array)
