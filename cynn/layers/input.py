"""What a network takes."""

from __future__ import annotations

from typing import ClassVar

from cynn.components.configurable import Configurable
from cynn.engine.operations import MAX_DIMENSION
from cynn.errors import check_number, check_whole_number
from cynn.layers.layer import Layer

__all__ = ["Input"]


class Input(Configurable):
    """What a network takes: rows of numbers, and how they are scaled.

    Parameters
    ----------
    units : int
        Numbers in a row.
    scale, offset : float
        x = scale * value + offset, applied batch by batch as rows are gathered, so that a large
        array of uint8 need never be converted. Computed in double before it is narrowed, or as exactly: a time of
        1.7e9 seconds less an offset as large keeps its seconds in a float32 network.

    Examples
    --------
    >>> import cynn
    >>> cynn.Input(784, scale=1 / 255)
    Input(784, scale=0.00392156862745098)
    """

    kind = Layer.kind
    config_key: ClassVar[str] = Layer.config_key
    name: ClassVar[str] = "input"
    # of two inputs that are alike, a network that is no chain has one
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __init__(self, units: int, *, scale: float = 1.0, offset: float = 0.0) -> None:
        self.units = check_whole_number(units, "units", "Input", minimum=1, maximum=MAX_DIMENSION)
        self.scale = check_number(scale, "scale", "Input")
        self.offset = check_number(offset, "offset", "Input")

    def __repr__(self) -> str:
        extra = "".join(
            f", {name}={value!r}"
            for name, value, default in [("scale", self.scale, 1.0), ("offset", self.offset, 0.0)]
            if value != default
        )
        return f"Input({self.units}{extra})"
