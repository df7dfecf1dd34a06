"""Functions of C that find the number of a category, and the label of an output."""

from __future__ import annotations

from collections.abc import Sequence

from cynn.interop.plan import Plan
from cynn.interop.printer import category_texts, column_names, meaning, plain

__all__ = ["about", "declarations", "definitions", "literal"]


def literal(text: str) -> str:
    """A string literal; every byte that is no usual character is an octal escape, which ends after three digits."""
    usual = set(range(32, 127)) - set(b'"\\?')
    shown = [chr(byte) if byte in usual else f"\\{byte:03o}" for byte in text.encode(errors="surrogatepass")]
    return f'"{"".join(shown)}"'


def about(plan: Plan, name: str) -> list[str]:
    """Lines that say what the columns of the input and of the output are."""
    lines = []
    for place, (column, own) in enumerate(zip(plan.columns or [], column_names(plan), strict=True)):
        what = meaning(column, f"{name}_category({name.upper()}_COLUMN_{own}, text)")
        lines.append(f"x[{place}] is {plain(str(column.name))}: {what}.")
    if plan.labels is not None:
        lines += [f"y[{k}] is for {plain(str(label))}." for k, label in enumerate(plan.labels)]
        lines.append(f"{name}_label({name}_class(y)) is the label of the largest.")
    return lines


def declarations(plan: Plan, name: str, real: str) -> str:
    """The functions, and numbers for the names of columns."""
    names = column_names(plan)
    lines = [f"#define {name.upper()}_COLUMN_{own} {place}" for place, own in enumerate(names)]
    if category_texts(plan)[0]:
        lines.append(f"int {name}_category(int column, const char *text);")
    if plan.labels is not None:
        lines += [f"int {name}_class(const {real} *y);", f"const char *{name}_label(int number);"]
    return "".join(f"{line}\n" for line in lines)


def definitions(plan: Plan, name: str, real: str) -> str:
    """The functions."""
    parts = []
    texts, first = category_texts(plan)
    if texts:
        parts.append(f"""
{_array(f"{name}_texts", texts)}
static const int {name}_first[{len(first)}] = {{ {", ".join(map(str, first))} }};

int {name}_category(int column, const char *text)
{{
    for (int k = {name}_first[column]; k < {name}_first[column + 1]; ++k)
        if (strcmp({name}_texts[k], text) == 0)
            return k - {name}_first[column];
    return -1;
}}
""")
    if plan.labels is not None:
        n = len(plan.labels)
        parts.append(f"""
{_array(f"{name}_labels", [str(label) for label in plan.labels])}
const char *{name}_label(int number)
{{
    return number >= 0 && number < {n} ? {name}_labels[number] : "";
}}

int {name}_class(const {real} *y)
{{
    int best = 0;
    for (int j = 1; j < {n}; ++j) best = y[j] > y[best] ? j : best;
    return best;
}}
""")
    return "".join(parts)


def _array(name: str, texts: Sequence[str]) -> str:
    lines = ",\n    ".join(map(literal, texts))
    return f"static const char *const {name}[{len(texts)}] = {{\n    {lines}\n}};\n"
