"""The base of the printers of all languages: formulas as text, and the memory of values."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable

from cynn.interop import functions
from cynn.interop.expressions import Expression, call, shared
from cynn.interop.plan import Column, Plan

__all__ = [
    "Printer", "category_texts", "column_names", "functions_needed", "identifier", "meaning", "places_of", "plain",
    "unique",
]  # fmt: skip


_MAX_LISTED = 50  # characters of a list of categories in a comment


def identifier(text: str, otherwise: str = "network") -> str:
    """Make a name that is valid in every language from the name of a file or an output."""
    found = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_")
    return found if found and not found[0].isdigit() else f"{otherwise}_{found}".rstrip("_")


def plain(text: str) -> str:
    """A text for a comment of any language: of one line, and without what could end the comment."""
    shown = "".join(each if each.isprintable() else " " for each in text)
    return shown.replace("*/", "* /").replace("/*", "/ *")


def meaning(column: Column, place: str) -> str:
    """What the number of a column says, for a comment; `place` is how a file finds the place of a category."""
    if column.categories is None:
        return "a number, NaN where it is missing; a date is the seconds since 1970"
    listed = ", ".join(f"{number} for {plain(text)}" for number, text in enumerate(column.categories))
    return f"{listed if len(listed) <= _MAX_LISTED else place}; -1 where it is missing or unknown"


def unique(names: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """Names that differ, also from those that are taken: some get underscores."""
    found = list(taken)
    first = len(found)
    for name in names:
        while name in found:
            name += "_"
        found.append(name)
    return found[first:]


def category_texts(plan: Plan) -> tuple[list[str], list[int]]:
    """The categories of all columns in one list; where those of each column begin in it, and the end of the last."""
    texts, first = [], [0]
    for column in plan.columns or []:
        texts += column.categories or []
        first.append(len(texts))
    return texts, first


def column_names(plan: Plan) -> list[str]:
    """Names of the columns in capitals that are valid in every language."""
    names = [re.sub(r"\W+", "_", str(column.name), flags=re.ASCII).strip("_") for column in plan.columns or []]
    return unique(name.upper() or str(place) for place, name in enumerate(names))


def places_of(plan: Plan, is_kept: Callable[[int], bool]) -> tuple[dict[int, int], int]:
    """Assign memory to the values in one buffer, in which it is reused. Returns their offsets and its length.

    Parameters
    ----------
    plan : Plan
    is_kept : callable
        Whether a value has its own memory outside the buffer.
    """
    last = {0: -1}
    for number, step in enumerate(plan.steps, start=1):
        last[number] = number
        for value in plan.reads(step):
            last[value] = number
    last |= {output.value: len(plan.steps) + 1 for output in plan.outputs}
    places: dict[int, int] = {}
    size = 0
    for value, width in enumerate(plan.widths):
        if is_kept(value):
            continue
        taken = sorted((place, plan.widths[other]) for other, place in places.items() if last[other] >= value)
        place = 0
        for begin, length in taken:
            if place + width <= begin:
                break
            place = max(place, begin + length)
        places[value] = place
        size = max(size, place + width)
    return places, size


_OPERATORS = {
    **{each: f"({{0}} {each} {{1}})" for each in ("+", "-", "*", "/", "<", "<=", ">", ">=", "==", "!=", "&&", "||")},
    "negate": "(-{0})",
    "where": "({0} ? {1} : {2})",
}


class Printer(ABC):
    """Prints formulas in a language.

    A subclass defines how numbers, leaves and functions are written. Operators are those of C by default.
    """

    def __init__(self) -> None:
        #: How an operator is written, with {0}, {1} and {2} for its arguments.
        self.operators = dict(_OPERATORS)

    @abstractmethod
    def number(self, value: float) -> str:
        """A constant."""

    @abstractmethod
    def leaf(self, node: Expression) -> str:
        """A column, a row's number or an element of an array."""

    @abstractmethod
    def call(self, name: str, argument: str) -> str:
        """A function of one number."""

    def formula(self, node: Expression, name: str = "t") -> tuple[list[tuple[str, str]], str]:
        """Print a formula. Returns names and texts of subexpressions that are used more than once, and its text."""
        names: dict[Expression, str] = {}
        named = []
        for each in shared(node):
            text = self._text(each, names)
            names[each] = f"{name}{len(names) + 1}"
            named.append((names[each], text))
        text = self._text(node, names)
        return named, text[1:-1] if _is_bracketed(text) else text

    def _text(self, node: Expression, names: dict[Expression, str]) -> str:
        if node in names:
            return names[node]
        if node.kind == "number":
            return self.number(node.value)
        parts = [self._text(part, names) for part in node.arguments]
        if node.kind == "call":
            part = parts[0]
            return self.call(node.value, part[1:-1] if _is_bracketed(part) else part)
        if not parts:
            return self.leaf(node)
        return self.operators[node.kind].format(*parts)


def _is_bracketed(text: str) -> bool:
    """Whether one pair of brackets encloses the whole text."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return text[0] == "(" and place == len(text) - 1
    return False


def functions_needed(plan: Plan, is_own: Callable[[str], bool], dtype: str) -> list[str]:
    """The functions that the formulas of a plan call and that the file must define, in the order of definition."""
    found: list[str] = []

    def need(formula: Expression) -> None:
        for node in formula.nodes():
            if node.kind == "call" and node.value not in found and is_own(node.value):
                if node.value not in functions.PRIMITIVES:
                    need(functions.body(node.value, dtype))
                found.append(node.value)

    for step in plan.steps:
        if step.kind == "map":
            need(step.formula)
        elif step.kind == "function":
            for name in step.code.calls:
                need(call(name, functions.X))
    return found
