"""The columns of neurons that a page shows, and the weights between them, from the plan of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cynn.display.summary import name_of
from cynn.interop.plan import Affine, Plan

if TYPE_CHECKING:
    from cynn.network import Network

__all__ = ["columns_of"]


def columns_of(network: Network, plan: Plan) -> list[dict[str, Any]]:
    """A column for the input and for each layer, without those that only pass on what they get.

    Each has the number of its `value`, its `name`, its number of `units`, and `sources`: from which column, and by
    which array of weights, or None.
    """
    names = {0: "input"}
    for value, layer in zip(plan.layers, network.layers, strict=True):
        names.setdefault(value, f"{name_of(layer)} {len(names)}")
    places = {value: place for place, value in enumerate(names)}
    return [
        {"value": value, "name": name, "units": plan.widths[value], "sources": _sources(plan, value, places)}
        for value, name in names.items()
    ]


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
