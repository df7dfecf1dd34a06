"""A method whose function is in another module, which is imported when the method is used."""

from __future__ import annotations

import importlib
import types
from typing import Any

__all__ = ["FaceMethod"]


class FaceMethod:
    """A descriptor: a method whose function takes the instance as its first argument.

    Parameters
    ----------
    place : str
        The module and the name of the function: "module:function".
    """

    def __init__(self, place: str) -> None:
        self.place = place

    @property
    def function(self) -> Any:
        """The function. Its module is imported at the first access."""
        module, _, name = self.place.partition(":")
        return getattr(importlib.import_module(module), name)

    def __get__(self, instance: object, owner: type) -> Any:
        return self.function if instance is None else types.MethodType(self.function, instance)
