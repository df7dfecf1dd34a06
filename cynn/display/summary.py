"""The table that `Network.summary` returns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cynn.model import Model

__all__ = ["HEADINGS", "WORDS", "columns", "name_of", "rows", "table"]

HEADINGS = ("layer", "activation", "inputs", "units", "parameters")
_MAX_NAMES = 10  # of columns or classes
WORDS = 2  # the first columns hold words


def rows(network: Model) -> list[tuple[str, ...]]:
    """One row per layer with its kind, activation, inputs, units and parameters. The last row has the total."""
    cells: list[tuple[str, ...]] = [("input", "", "", f"{network.input.units}", "0")]
    cells += [
        (
            layer.name,
            layer.activation.name if hasattr(layer, "activation") else "",
            f"{layer.inputs}",
            f"{layer.units}",
            f"{layer.parameter_count:,}",
        )
        for layer in network.layers
    ]
    cells.append(("total", "", "", "", f"{network.parameter_count:,}"))
    return cells


def name_of(layer: Any) -> str:
    """The name of a layer in a drawing: its activation or, if it has none except identity, its kind.

    Examples
    --------
    >>> import cynn
    >>> name_of(cynn.Dense(16, activation="relu")), name_of(cynn.Dense(1))
    ('relu', 'dense')
    """
    name = getattr(getattr(layer, "activation", None), "name", "identity")
    return str(getattr(layer, "name", "layer") if name == "identity" else name)


def columns(rows: Sequence[Sequence[str]], words: int) -> list[str]:
    """The lines of a table. The first `words` columns are aligned to the left, the others to the right.

    Examples
    --------
    >>> columns([("layer", "units"), ("dense", "3")], words=1)
    ['layer  units', 'dense      3']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if number < words else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def table(network: Model) -> str:
    """The summary as text, with lines between the headings, the layers and the total, and the names that are known."""
    lines = columns([HEADINGS, *rows(network)], WORDS)
    rule = "-" * max(map(len, lines))
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1], *_names(network)])


def _names(network: Model) -> list[str]:
    known = {"features": network.feature_names}
    of_outputs = zip(network._outputs.names, network._classes, strict=True)
    known |= {"classes" if network._outputs.is_one else f"classes of {output}": own for output, own in of_outputs}
    return [f"{what}: {_shortened(names)}" for what, names in known.items() if names is not None]


def _shortened(names: list[str]) -> str:
    more = len(names) - _MAX_NAMES
    return ", ".join(names if more <= 0 else [*names[:_MAX_NAMES], f"and {more} more"])
