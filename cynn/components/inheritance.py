"""What a part has of its own, and what it inherits from a class that computes something else."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

__all__ = ["FORWARD", "directional", "own_of"]

#: A class with one of these has outputs of its own.
FORWARD = ("kernel", "build", "merge", "bind", "forward")
# A class with one of these has derivatives of its own, too.
_DERIVATIVES = (*FORWARD, "backward", "value_and_gradient")


def own_of(part: Any, attribute: str, computes: Collection[str] = FORWARD) -> Any:
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
    return own_of(part, method, _DERIVATIVES)
