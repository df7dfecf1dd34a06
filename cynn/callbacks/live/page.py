"""The page of a training, as text."""

from __future__ import annotations

import html
from string import Template
from typing import TYPE_CHECKING

from cynn.display import assets
from cynn.display.widths import widths_of

if TYPE_CHECKING:
    from cynn.model import Model

__all__ = ["page_of"]


def page_of(network: Model) -> str:
    """The page that shows the training of a network."""
    units = [network.input.units, *(layer.units for layer in network.layers)]
    widths = widths_of(units, [[], *network._composition.sources])
    return Template(assets.read("live.html")).substitute(
        about=html.escape(f"{widths}, {network.parameter_count:,} weights and biases"),
        style=assets.read("page.css") + assets.read("live.css"),
        script=assets.joined("live"),
    )
