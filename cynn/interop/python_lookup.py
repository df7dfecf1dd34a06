"""What a file of Python has for a plan that knows its columns and labels: tables as they are, and the label."""

from __future__ import annotations

from cynn.interop.plan import Plan

__all__ = ["about", "functions", "imports"]

_AS_NUMBERS = '''

def as_numbers(table):
    """Numbers for a table: a DataFrame, or a dict of columns. An array of numbers stays as it is.

    A category is its place among the categories, and -1 if it is missing or none of them. A missing number is NaN.
    """
    if not hasattr(table, "keys"):
        return table
    found = [
        [number(value) for value in table[name]] if categories is None else places(table[name], categories)
        for name, categories in columns
    ]
    return np.array(found, np.float64).T


def is_missing(value):
    return value is None or type(value).__name__ in ("NAType", "NaTType") or value != value


def number(value):
    """A number as it is, and a date as the seconds since 1970."""
    if is_missing(value) or (isinstance(value, str) and not value):
        return np.nan
    if isinstance(value, np.datetime64):
        value = value - np.datetime64(0, "s")
    if isinstance(value, np.timedelta64):
        return value / np.timedelta64(1, "s")
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, datetime.date):
        if not isinstance(value, datetime.datetime):
            value = datetime.datetime(value.year, value.month, value.day)
        return value.timestamp() if value.tzinfo else (value - datetime.datetime(1970, 1, 1)).total_seconds()
    return float(value)


def places(values, categories):
    """The places of categories, by their texts."""
    place = {category: k for k, category in enumerate(categories)}
    is_switch = categories == ["False", "True"]
    return [-1 if is_missing(value) else place.get(text(value, is_switch), -1) for value in values]


def text(value, is_switch):
    """A whole number has no fraction; of booleans, 1 is True."""
    if isinstance(value, str):
        return value
    if is_switch:
        return str(value != 0)
    return str(int(value)) if isinstance(value, (float, np.floating)) and value == int(value) else str(value)
'''
_LABEL = '''

def label(y):
    """The labels of the largest outputs."""
    return np.array(labels)[y.argmax(axis=1)]
'''


def about(plan: Plan) -> str:
    """What `predict` takes and returns."""
    found = f"The outputs for x: an array of shape (rows, {plan.inputs})."
    if plan.columns is not None:
        found = "The outputs for x: a DataFrame or a dict of columns, or an array of what `as_numbers` returns."
    return found if plan.labels is None else f"{found} One for each of `labels`."


def imports(plan: Plan, others: list[str]) -> str:
    """The lines in front of that of NumPy."""
    lines = [*(["import datetime"] if plan.columns is not None else []), *others]
    return "\n".join(lines) + "\n\n" if lines else ""


def functions(plan: Plan) -> str:
    """The constants and the functions."""
    parts = []
    if plan.columns is not None:
        lines = "".join(f"    ({column.name!r}, {column.categories!r}),\n" for column in plan.columns)
        parts.append(f"\n\ncolumns = [\n{lines}]\n{_AS_NUMBERS}")
    if plan.labels is not None:
        parts.append(f"\n\nlabels = {plan.labels!r}\n{_LABEL}")
    return "".join(parts)
