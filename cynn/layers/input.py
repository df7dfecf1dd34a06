"""The input of a network."""

from __future__ import annotations

from typing import ClassVar

from cynn.components.configurable import Configurable
from cynn.components.declarations import number, whole_number
from cynn.engine.operations import MAX_DIMENSION
from cynn.layers.layer import Layer

__all__ = ["Input"]


class Input(Configurable):
    """The input of a network: the number of columns of x, and their scaling.

    Parameters
    ----------
    units : int
        The number of values per row.
    scale, offset : float
        The network computes with scale * value + offset. Each batch is scaled by itself, so a large array of uint8 is
        never converted as a whole. The result is computed as accurately as in double and then rounded to the network's
        dtype: times of about 1.7e9 seconds keep their seconds in a float32 network if the offset is -1.7e9.

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
    # compared by identity: a graph must begin at one input, not at an equal one
    __eq__ = object.__eq__
    __hash__ = object.__hash__
    units: int = whole_number(minimum=1, maximum=MAX_DIMENSION)
    scale: float = number(default=1.0, kw_only=True)
    offset: float = number(default=0.0, kw_only=True)

    @classmethod
    def is_compiled(cls) -> bool:
        """Whether it runs without Python: see `Layer.is_compiled`.

        Returns
        -------
        bool
            True.
        """
        return True
