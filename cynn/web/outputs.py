"""The outputs of a page: their columns, their labels, and whether they are shares."""

from __future__ import annotations

from typing import Any

from cynn.errors import InvalidParameterError, as_list, shown
from cynn.interop.exported_model import ExportedModel

__all__ = ["outputs_of"]

_SHARES = ("softmax", "sigmoid")  # activations whose outputs are shown in per cent


def outputs_of(exported: ExportedModel, columns: list[dict[str, Any]], labels: Any) -> list[dict[str, Any]]:
    """Each output: its `name`, the number of its `column`, its `labels`, and whether it `isShare`."""
    plan = exported.plan
    places = {column["value"]: place for place, column in enumerate(columns)}
    names = [output.name for output in plan.outputs]
    known, are_shares = _known(exported, names)
    found = []
    for output, given, classes, is_share in zip(plan.outputs, _split(labels, names), known, are_shares, strict=True):
        alone = output.name or ("output" if plan.columns is None else plan.output_name)
        found.append({
            "name": output.name,
            "column": places[output.value],
            "labels": _labels(given, classes, alone, plan.widths[output.value]),
            "isShare": is_share,
        })  # fmt: skip
    return found


def _known(exported: ExportedModel, names: list[str | None]) -> tuple[list[Any], list[bool]]:
    """The classes of each output, or None, and whether it is a share."""
    if exported.plan.columns is not None:
        return [exported.plan.labels], [exported.plan.labels is not None]
    network = exported.networks[-1]
    activations = _split(network.output_activation, names)
    return _split(network.classes, names), [activation.name in _SHARES for activation in activations]


def _split(given: Any, names: list[str | None]) -> list[Any]:
    """What is given for each output."""
    if given is None or names == [None]:
        return [given] * len(names)
    found = [given.get(name) for name in names] if isinstance(given, dict) else as_list(given)
    if found is None or len(found) != len(names) or (isinstance(given, dict) and set(given) - set(names)):
        raise InvalidParameterError(
            f"The 'labels' parameter must be a list or a dict of lists for the outputs {shown(names)}. "
            f"Got {shown(given)} instead."
        )
    return found


def _labels(given: Any, classes: list[Any] | None, alone: str, units: int) -> list[str]:
    """The labels of the units of one output; of two classes, a single unit has the second."""
    labels = None if isinstance(given, (str, bytes, dict)) else as_list(given)
    if given is None:
        labels = classes or ([alone] if units == 1 else list(range(units)))
    if labels is None or (len(labels) != units and (units, len(labels)) != (1, 2)):
        raise InvalidParameterError(
            f"The 'labels' parameter must be a list of {units} for an output of {units}. Got {shown(given)} instead."
        )
    return [str(label) for label in labels[-units:]]
