"""What a module of Fortran has for a plan that knows its columns and labels: the numbers of categories, and labels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from cynn.interop.plan import Plan
from cynn.interop.printer import category_texts, meaning, plain

__all__ = ["about", "constants", "function", "names"]

_PIECE = 90  # bytes of a text in a line

_CATEGORY = """
    pure integer function category(column, text)
        integer, intent(in) :: column
        character(*), intent(in) :: text
        integer :: k
        category = -1
        do k = first_text(column) + 1, first_text(column + 1)
            if (texts(k) == text) category = k - first_text(column) - 1
        end do
    end function category
"""


def names(plan: Plan) -> list[str]:
    """The public names."""
    return ["category"] * bool(category_texts(plan)[0]) + ["labels"] * (plan.labels is not None)


def about(plan: Plan) -> str:
    """Lines of a comment that say what the columns are."""
    lines = []
    for place, column in enumerate(plan.columns or [], start=1):
        what = meaning(column, f"category({place}, text)")
        lines.append(f"! x({place}) is {plain(str(column.name))[:20]}: {what}.\n")
    if plan.labels is not None:
        lines.append("! labels(maxloc(y, 1)) is the label of the largest y.\n")
    return "".join(lines)


def constants(plan: Plan) -> str:
    """The texts of categories and labels."""
    parts = []
    texts, first = category_texts(plan)
    if texts:
        parts.append(f"    integer, save :: first_text({len(first)})\n")
        parts += [f"    data first_text({k}) / {each} /\n" for k, each in enumerate(first, start=1)]
        parts.append(_array("texts", texts))
    if plan.labels is not None:
        parts.append(_array("labels", [str(label) for label in plan.labels]))
    return "".join(parts)


def function(plan: Plan) -> str:
    """The function that finds the place of a category."""
    return _CATEGORY if category_texts(plan)[0] else ""


def _array(name: str, texts: Sequence[str]) -> str:
    length = max(1, *(len(_bytes(text)) for text in texts))
    lines = [f"    character({length}), save :: {name}({len(texts)})\n"]
    for k, text in enumerate(texts, start=1):
        value = _literal(text)
        if not text.isprintable():  # a data statement takes a constant, and no expression
            lines.append(f"    character(*), parameter :: {name}_{k} = {value}\n")
            value = f"{name}_{k}"
        lines.append(f"    data {name}({k}) / {value} /\n")
    return "".join(lines)


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def _literal(text: str) -> str:
    """A text as an expression: in quotes what can be printed, and the bytes of all else by their numbers."""
    parts = []
    for is_printable, run in groupby(text, str.isprintable):
        parts += [_quoted("".join(run))] if is_printable else [f"char({byte})" for byte in _bytes("".join(run))]
    return " // &\n        ".join(parts or ["''"])


def _quoted(text: str) -> str:
    """A text in quotes, continued over several lines where it is long."""
    pieces = [""]
    for each in text:
        shown = "''" if each == "'" else each
        if len((pieces[-1] + shown).encode()) > _PIECE:
            pieces.append("")
        pieces[-1] += shown
    return "'" + "&\n        &".join(pieces) + "'"
