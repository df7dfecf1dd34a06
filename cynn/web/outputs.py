"""The outputs of a page: their columns, their labels, and whether they are shares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cynn.errors import InvalidParameterError, as_list, shown
from cynn.interop.plan import Plan

if TYPE_CHECKING:
    from cynn.network import Network

__all__ = ["outputs_of"]

_SHARES = ("softmax", "sigmoid")  # activations whose outputs are shown in per cent


def outputs_of(network: Network, plan: Plan, columns: list[dict[str, Any]], labels: Any) -> list[dict[str, Any]]:
    """Each output: its `name`, the number of its `column`, its `labels`, and whether it `isShare`."""
    places = {column["value"]: place for place, column in enumerate(columns)}
    names = [output.name for output in plan.outputs]
    activations, classes, given = (_split(each, names) for each in (network.output_activation, network.classes, labels))
    found = []
    for number, output in enumerate(plan.outputs):
        units = plan.widths[output.value]
        found.append({
            "name": output.name,
            "column": places[output.value],
            "labels": _labels(given[number], classes[number], output.name, units),
            "isShare": activations[number].name in _SHARES,
        })  # fmt: skip
    return found


def _split(given: Any, names: list[str | None]) -> list[Any]:
    """What is given for each output."""
    if given is None or names == [None]:
        return [given] * len(names)
    found = [given.get(name) for name in names] if isinstance(given, dict) else as_list(given)
    if found is None or len(found) != len(names) or (isinstance(given, dict) and set(given) - set(names)):
        raise InvalidParameterError(
            f"The 'labels' parameter of to_html must be a list or a dict of lists for the outputs {shown(names)}. "
            f"Got {shown(given)} instead."
        )
    return found


def _labels(given: Any, classes: list[str] | None, name: str | None, units: int) -> list[str]:
    """The labels of the units of one output; of two classes, a single unit has the second."""
    labels = None if isinstance(given, (str, bytes, dict)) else as_list(given)
    if given is None:
        labels = classes or ([name or "output"] if units == 1 else list(range(units)))
    if labels is None or (len(labels) != units and (units, len(labels)) != (1, 2)):
        raise InvalidParameterError(
            f"The 'labels' parameter of to_html must be a list of {units} for an output of {units}. "
            f"Got {shown(given)} instead."
        )
    return [str(label) for label in labels[-units:]]
