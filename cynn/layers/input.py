"""What a network takes."""

from __future__ import annotations

from typing import ClassVar

from cynn.components.configurable import Configurable
from cynn.components.declarations import number, whole_number
from cynn.engine.operations import MAX_DIMENSION
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
    _unnamed: ClassVar[str] = "units"
    # of two inputs that are alike, a network that is no chain has one
    __eq__ = object.__eq__
    __hash__ = object.__hash__
    units: int = whole_number(minimum=1, maximum=MAX_DIMENSION)
    scale: float = number(default=1.0, kw_only=True)
    offset: float = number(default=0.0, kw_only=True)
