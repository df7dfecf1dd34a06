"""What a module of JavaScript has for a plan that knows its columns and labels: rows as objects, and the label."""

from __future__ import annotations

import json
from typing import Any

from cynn.interop.plan import Plan

__all__ = ["about", "functions", "literal"]

_AS_NUMBERS = """// The numbers of a row: of an object, by the names of its columns. A category is its
// place among the categories, and -1 if it is missing or none of them; a missing number
// is NaN; a date is the seconds since 1970.
export function asNumbers(row) {
  if (typeof row.length === "number") return row;
  return columns.map(({ name, categories }) => {
    if (!(name in row)) throw new TypeError(`A row must have the column ${name}.`);
    let value = row[name];
    if (categories === null) {
      if (value === null || value === undefined || value === "") return NaN;
      return value instanceof Date ? value.getTime() / 1000 : Number(value);
    }
    if (typeof value === "number" && categories.join() === "False,True") value = value !== 0;
    return categories.indexOf(value === true ? "True" : value === false ? "False" : String(value));
  });
}
"""
_LABEL = """// The label of the largest output.
export function label(y) {
  return labels[y.indexOf(Math.max(...y))];
}
"""


def literal(value: Any) -> str:
    """A text, a list or an object as a literal, in ASCII and without what could end the script of a page."""
    return json.dumps(value).replace("<", "\\u003c")


def about(plan: Plan) -> list[str]:
    """Lines for the comment at the top."""
    lines = [] if plan.columns is None else ["Or it takes an object with a value for each of the columns."]
    return lines if plan.labels is None else [*lines, "label(predict(x)) is the label that it predicts."]


def functions(plan: Plan) -> str:
    """The constants and the functions."""
    parts = []
    if plan.columns is not None:
        each = [{"name": str(column.name), "categories": column.categories} for column in plan.columns]
        lines = "".join(f"  {literal(column)},\n" for column in each)
        parts += [f"export const columns = [\n{lines}];\n", _AS_NUMBERS]
    if plan.labels is not None:
        parts += [f"export const labels = {literal(plan.labels)};\n", _LABEL]
    return "\n".join(parts)
