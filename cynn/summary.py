"""The table that `Network.summary` returns."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cynn.network import Network

__all__ = ["table"]

_HEADINGS = ("layer", "activation", "inputs", "units", "parameters")
_WORDS = 2  # the first columns hold words, which stand at the left; the others numbers


def table(network: Network) -> str:
    """One line a layer: its kind, activation, inputs, units and parameters; the total below."""
    rows = [_HEADINGS, ("input", "", "", f"{network.input.units}", "0")]
    rows += [
        (
            layer.name,
            layer.activation.name if hasattr(layer, "activation") else "",
            f"{layer.inputs}",
            f"{layer.units}",
            f"{layer.parameter_count:,}",
        )
        for layer in network.layers
    ]
    rows.append(("total", "", "", "", f"{network.parameter_count:,}"))
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if column < _WORDS else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    rule = "-" * max(map(len, lines))
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])
