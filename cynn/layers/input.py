"""The input of a network."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from cynn.components.configurable import Configurable
from cynn.components.declarations import checked_by, whole_number
from cynn.engine.operations import MAX_DIMENSION
from cynn.errors import InvalidParameterError, ShapeError, as_list, check_number, not_allowed
from cynn.layers.layer import Layer

__all__ = ["Input"]

# What `scale` may be in place of numbers.
_RULES = ("robust", "standard")
# How many numbers the repr shows of a scale for each column.
_SHOWN = 8


def _number_or_one_per_column(value: Any, name: str, owner: str) -> float | tuple[float, ...]:
    """Check a finite number, or a list of them."""
    each = None if isinstance(value, (str, bytes, dict)) else as_list(value)
    if each is None:
        allowed = "a finite number, or one for each column"
        try:
            return check_number(value, name, owner)
        except InvalidParameterError:
            raise not_allowed(name, owner, allowed, value) from None
    return tuple(check_number(one, f"{name}[{k}]", owner) for k, one in enumerate(each))


def _scale(value: Any, name: str, owner: str) -> float | str | tuple[float, ...]:
    """Likewise, or a rule."""
    if isinstance(value, str) and value in _RULES:
        return value
    if isinstance(value, str):
        raise not_allowed(name, owner, "a finite number, one for each column, 'robust' or 'standard'", value)
    return _number_or_one_per_column(value, name, owner)


class _Shortened(list[float]):
    """Numbers whose repr shows the first of them."""

    def __repr__(self) -> str:
        more = "" if len(self) <= _SHOWN else ", ..."
        return f"[{', '.join(map(repr, self[:_SHOWN]))}{more}]"


class Input(Configurable):
    """The input of a network: the number of columns of x, and their scaling.

    Parameters
    ----------
    units : int
        The number of values per row.
    scale, offset : float, or list of float, one for each column
        The network computes with scale * value + offset. Each batch is scaled by itself, so a large array of uint8 is
        never converted as a whole. The result is computed as accurately as in double and then rounded to the network's
        dtype: times of about 1.7e9 seconds keep their seconds in a float32 network if the offset is -1.7e9. Zeros that
        sparse rows leave out are scaled, too.

        With scale="robust" or "standard", the first `fit` on arrays computes both for each column, from its training
        rows and their `sample_weight`, of which 2 means two copies; or `Network.scale_inputs` does. "standard": the
        column becomes (x - mean) / standard deviation, or x - mean if it is constant. "robust": (x - median) /
        (q75 - q25) with its quartiles, which hardly depend on outliers; if they are equal,
        2 (x - median) / (max - min), or 0 for a constant column. Columns with categories stay as they are. The network
        keeps the numbers, and `net.input` has them from then on.

        Source of the robust scale: Holzmüller, Grinsztajn and Steinwart, "Better by default: strong pre-tuned MLPs and
        boosted trees on tabular data", 2024.

    Raises
    ------
    InvalidParameterError
        A number is not finite, or there is an offset beside "robust" or "standard".
    ShapeError
        There are more or fewer numbers than columns.

    Examples
    --------
    >>> import cynn
    >>> cynn.Input(784, scale=1 / 255)
    Input(784, scale=0.00392156862745098)

    Age in years and income in dollars, both in about -1 to 1:

    >>> inputs = cynn.Input(2, scale=[1 / 50, 1e-5], offset=[-1, -0.5])
    >>> net = cynn.Network([inputs, cynn.Dense(1)], seed=0)
    >>> net.activations([[25.0, 90000.0]])[0]
    array([[-0.5,  0.4]], dtype=float32)

    From the data:

    >>> x = [[1.0], [2.0], [3.0], [4.0], [500.0]]
    >>> y = [1.0, 2.0, 3.0, 4.0, 5.0]
    >>> layers = [cynn.Input(1, scale="robust"), cynn.Dense(1)]
    >>> net = cynn.Network(layers, seed=0)
    >>> history = net.fit(x, y, epochs=1)
    >>> net.input
    Input(1, scale=[0.5], offset=[-1.5])
    """

    kind = Layer.kind
    config_key: ClassVar[str] = Layer.config_key
    name: ClassVar[str] = "input"
    _unnamed: ClassVar[str] = "units"
    # compared by identity: a graph must begin at one input, not at an equal one
    __eq__ = object.__eq__
    __hash__ = object.__hash__
    units: int = whole_number(minimum=1, maximum=MAX_DIMENSION)
    scale: Any = checked_by(_scale, default=1.0, kw_only=True)
    offset: Any = checked_by(_number_or_one_per_column, default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        for name in ("scale", "offset"):
            value = getattr(self, name)
            if isinstance(value, tuple) and len(value) != self.units:
                raise ShapeError(
                    f"The {name!r} parameter of Input must have one number for each of {self.units} columns. "
                    f"Got {len(value)} instead."
                )

        if self.rule is not None and self.offset != 0:
            raise InvalidParameterError(
                f"The 'offset' parameter of Input must be left out with scale={self.rule!r}, which computes it, too. "
                f"Got {self.offset!r} instead."
            )

    @property
    def rule(self) -> str | None:
        """How scale and offset will be computed; None if they are known."""
        return self.scale if isinstance(self.scale, str) else None

    @property
    def scaling(self) -> tuple[Any, Any]:
        """Scale and offset for those who compute with them: two numbers, or two arrays with one for each column."""
        self.require_scale()
        both = []
        for value in (self.scale, self.offset):
            is_one = not isinstance(value, tuple) or len(set(value)) == 1
            both.append((value[0] if isinstance(value, tuple) else value) if is_one else value)
        if not any(isinstance(value, tuple) for value in both):
            return both[0], both[1]
        scale, offset = (np.broadcast_to(np.float64(value), self.units).copy() for value in both)
        for array in (scale, offset):
            array.setflags(write=False)
        return scale, offset

    def require_scale(self) -> None:
        """Raise an InvalidParameterError if scale and offset are not known yet."""
        if self.rule is not None:
            raise InvalidParameterError(
                "The scale of the input must be known before a network runs. Got a network that has not seen the rows "
                f"for scale={self.rule!r} instead: net.scale_inputs(x), or a fit on arrays x and y, computes it."
            )

    def _shown(self) -> dict[str, Any]:
        shown = super()._shown()
        return {name: _Shortened(value) if isinstance(value, tuple) else value for name, value in shown.items()}

    @classmethod
    def is_compiled(cls) -> bool:
        """Whether it runs without Python: see `Layer.is_compiled`.

        Returns
        -------
        bool
            True.
        """
        return True
