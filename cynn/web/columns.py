"""The columns of neurons that a page shows, and the weights between them, from the plan of a model."""

from __future__ import annotations

from collections import Counter
from typing import Any

from cynn.display.summary import name_of
from cynn.interop.exported_model import ExportedModel
from cynn.interop.plan import Affine, Map, Plan, Reduce

__all__ = ["columns_of"]


def columns_of(exported: ExportedModel) -> list[dict[str, Any]]:
    """A column for the input and for each layer.

    A layer and those behind it that have no weights between neurons, such as normalization and activation, have one
    column. Of a table, there is also one for what preprocessing makes of it. Each has the number of its `value`, its
    `name`, its number of `units`, the `names` of these if they have any, and `sources`: from which column, and by which
    array of weights, or None.
    """
    plan = exported.plan
    fixed = {0: "input"} if exported.encoded == 0 else {0: "table", exported.encoded: "encoded"}
    layers: dict[int, Any] = {}
    for value, layer in zip(plan.layers, exported.networks[-1].layers, strict=True):
        layers.setdefault(value, layer)
    outputs = [output.value for output in plan.outputs]
    runs = _runs(plan, list(dict.fromkeys([*fixed, *layers, *outputs])), {*fixed, *outputs})
    names = {}
    for run in runs:
        value = run[-1]
        if value in fixed:
            names[value] = fixed[value]
        elif value in outputs and exported.encoded:
            names[value] = plan.output_name
        else:
            names[value] = f"{_name_of_run([layers[each] for each in run])} {len(names) - len(fixed) + 1}"
    places = {value: place for place, value in enumerate(names)}
    found: list[dict[str, Any]] = [
        {
            "value": value,
            "name": name,
            "units": plan.widths[value],
            "names": exported.encoded_names if value == exported.encoded else None,
            "sources": _sources(plan, value, places),
        }
        for value, name in names.items()
    ]
    if len(exported.networks) > 1:  # the others are not drawn, which lead from the inputs to the output
        found[-1]["sources"] = [each for each in found[-1]["sources"] if each["from"] != places[exported.encoded]]
    return found


def _name_of_run(layers: list[Any]) -> str:
    """The first activation, or the kind of the first layer."""
    names = [name_of(layer) for layer in layers]
    activations = [name for name, layer in zip(names, layers, strict=True) if name != getattr(layer, "name", None)]
    return [*activations, *names][0]


def _runs(plan: Plan, values: list[int], ends: set[int]) -> list[list[int]]:
    """Values in runs, in which each is made of the one before it alone, without weights; some end a run."""
    places = {value: place for place, value in enumerate(values)}
    readers = Counter(values[source["from"]] for value in values for source in _sources(plan, value, places))
    runs: dict[int, list[int]] = {}
    for value in values:
        before = _made_of(plan, value, places)
        alone = before is not None and readers[before] == 1 and plan.widths[before] == plan.widths[value]
        run = runs.pop(before) if before is not None and alone and before not in ends else []
        runs[value] = [*run, value]
    return list(runs.values())


def _made_of(plan: Plan, value: int, known: dict[int, int]) -> int | None:
    """The only known value that a value is made of; None if there are several, or weights in between."""
    found, todo = set(), [value]
    while todo:
        number = todo.pop()
        if number == 0 or not isinstance(plan.steps[number - 1], (Map, Reduce)):
            return None
        for source in plan.reads(plan.steps[number - 1]):
            if source in known:
                found.add(source)
            else:
                todo.append(source)
    return found.pop() if len(found) == 1 else None


def _sources(plan: Plan, value: int, places: dict[int, int]) -> list[dict[str, Any]]:
    """The columns that a value depends on, without those behind them."""
    found: dict[tuple[int, str | None], None] = {}
    todo: list[tuple[int, str | None]] = [(value, None)] if value else []
    seen: set[int] = set()
    while todo:
        number, weights = todo.pop()
        if number in places and number != value:
            found[places[number], weights] = None
            continue
        step = plan.steps[number - 1] if number else None
        if step is None or number in seen:
            continue
        seen.add(number)
        own = isinstance(step, Affine) and step.units == plan.widths[value] and step.source in places
        todo += [(source, f"w{number}" if own else None) for source in sorted(plan.reads(step))]
    return [{"from": place, "weights": weights} for place, weights in sorted(found, key=str)]
