"""What a part has of its own, and what it inherits from a class that computes something else."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

__all__ = ["directional", "own_of"]

# With which an activation, a loss or a layer computes something of its own.
_COMPUTES = ("kernel", "build", "forward", "backward", "value_and_gradient")


def own_of(part: Any, attribute: str, computes: Collection[str]) -> Any:
    """An attribute; None if a class further down the hierarchy than that which has it computes something else.

    Parameters
    ----------
    part : object
    attribute : str
    computes : collection of str
        The methods with which a class does so.
    """
    for cls in type(part).__mro__:
        if attribute in vars(cls):
            return getattr(part, attribute)
        if any(name in vars(cls) for name in computes):
            return None
    return None


def directional(part: Any, method: str) -> Any:
    """The method of a part in Python for directional derivatives, or None.

    Parameters
    ----------
    part : Activation, Loss or Layer
    method : {"jvp", "backward_jvp"}
    """
    return own_of(part, method, _COMPUTES)
