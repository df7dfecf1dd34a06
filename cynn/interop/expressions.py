"""Formulas as expression trees, from which the code of every language is printed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

__all__ = ["COMPARISONS", "Expression", "call", "contracted", "number", "shared", "where"]

COMPARISONS = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


class Expression:
    """A number, a named value, or an operator over other expressions. Equal expressions are one node.

    Attributes
    ----------
    kind : str
        "number"; "column", element j + offset of the row of a value; "row", the single number per row of a value;
        "array", element j + offset of an array of the network; "x", the argument of a function; an operator: one of
        + - * / < <= > >= == != && ||, "negate", "where", "fma"; or "call" of a function.
    arguments : tuple of Expression
    value : object
        The number, the name of the function, or the value or array and its offset.
    """

    __slots__ = ("_hash", "arguments", "kind", "value")

    def __init__(self, kind: str, arguments: tuple[Expression, ...] = (), value: Any = None) -> None:
        self.kind = kind
        self.arguments = arguments
        self.value = value
        self._hash = hash((kind, arguments, repr(value)))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Expression)
            and self._hash == other._hash
            and (self.kind, repr(self.value), self.arguments) == (other.kind, repr(other.value), other.arguments)
        )

    def __add__(self, other: Operand) -> Expression:
        return _binary("+", self, number(other))

    def __radd__(self, other: float) -> Expression:
        return _binary("+", number(other), self)

    def __sub__(self, other: Operand) -> Expression:
        return _binary("-", self, number(other))

    def __rsub__(self, other: float) -> Expression:
        return _binary("-", number(other), self)

    def __mul__(self, other: Operand) -> Expression:
        return _binary("*", self, number(other))

    def __rmul__(self, other: float) -> Expression:
        return _binary("*", number(other), self)

    def __truediv__(self, other: Operand) -> Expression:
        return _binary("/", self, number(other))

    def __rtruediv__(self, other: float) -> Expression:
        return _binary("/", number(other), self)

    def __neg__(self) -> Expression:
        return number(-self.value) if self.kind == "number" else Expression("negate", (self,))

    @property
    def is_condition(self) -> bool:
        """Whether its value is true or false."""
        return self.kind in COMPARISONS or self.kind in ("&&", "||")

    def compared(self, operator: str, other: Operand) -> Expression:
        """A comparison with another expression."""
        right = number(other)
        if self.kind == right.kind == "number":
            return number(float(COMPARISONS[operator](self.value, right.value)))
        return Expression(operator, (self, right))

    def with_arguments(self, arguments: Iterable[Expression]) -> Expression:
        """The same operator with other arguments."""
        return Expression(self.kind, tuple(arguments), self.value)

    def replaced(self, change: Callable[[Expression], Expression | None]) -> Expression:
        """A tree in which `change` has replaced some nodes, from the top down."""
        found = change(self)
        if found is not None:
            return found
        if not self.arguments:
            return self
        return rebuilt(self, [each.replaced(change) for each in self.arguments])

    def nodes(self) -> Iterator[Expression]:
        """Every node once, arguments first."""
        seen: set[Expression] = set()

        def visit(node: Expression) -> Iterator[Expression]:
            if node not in seen:
                seen.add(node)
                for each in node.arguments:
                    yield from visit(each)
                yield node

        return visit(self)


Operand: TypeAlias = "Expression | float"


def number(value: Operand) -> Expression:
    """Make an expression of a number; an expression is returned as it is."""
    return value if isinstance(value, Expression) else Expression("number", (), float(value))


def _binary(operator: str, a: Expression, b: Expression) -> Expression:
    """Make an operation. Constants are folded, and neutral elements left out."""
    if a.kind == b.kind == "number" and not (operator == "/" and b.value == 0):
        left, right = a.value, b.value
        return number({"+": left + right, "-": left - right, "*": left * right, "/": left / (right or 1)}[operator])
    if operator in "*/" and b.kind == "number" and b.value == 1:
        return a
    if operator == "*" and a.kind == "number" and a.value == 1:
        return b
    if operator in "+-" and b.kind == "number" and b.value == 0:
        return a
    return Expression(operator, (a, b))


def where(condition: Expression, a: Operand, b: Operand) -> Expression:
    """a if the condition is true, else b."""
    if condition.kind == "number":
        return number(a if condition.value else b)
    return Expression("where", (condition, number(a), number(b)))


def call(name: str, *arguments: Operand) -> Expression:
    """The call of a function by name."""
    return Expression("call", tuple(map(number, arguments)), name)


def rebuilt(node: Expression, arguments: list[Expression]) -> Expression:
    """A node with other arguments; constants are folded."""
    if node.kind in ("+", "-", "*", "/"):
        return _binary(node.kind, *arguments)
    if node.kind == "where":
        return where(*arguments)
    if node.kind == "negate":
        return -arguments[0]
    if node.kind in COMPARISONS:
        return arguments[0].compared(node.kind, arguments[1])
    return node.with_arguments(arguments)


def contracted(node: Expression) -> Expression:
    """The expression with each product and its sum as one `fma`, which rounds once.

    A product outside a sum becomes a b + -0, which has the same bits, so that no compiler contracts it with a sum.
    """
    done: dict[Expression, Expression] = {}
    for each in node.nodes():
        parts = [done[part] for part in each.arguments]
        if each.kind in ("+", "-") and each.arguments[0].kind == "*":
            a, b = (done[part] for part in each.arguments[0].arguments)
            done[each] = Expression("fma", (a, b, parts[1] if each.kind == "+" else -parts[1]))
        elif each.kind in ("+", "-") and each.arguments[1].kind == "*":
            a, b = (done[part] for part in each.arguments[1].arguments)
            done[each] = Expression("fma", (a if each.kind == "+" else -a, b, parts[0]))
        elif each.kind == "*":
            done[each] = Expression("fma", (*parts, number(-0.0)))
        else:
            done[each] = each.with_arguments(parts) if parts else each
    return done[node]


def shared(node: Expression) -> list[Expression]:
    """The nodes that are used more than once, arguments first: each gets a name."""
    uses: dict[Expression, int] = {}
    for each in node.nodes():
        for part in each.arguments:
            uses[part] = uses.get(part, 0) + 1
    return [each for each in node.nodes() if each.arguments and not each.is_condition and uses.get(each, 0) > 1]
