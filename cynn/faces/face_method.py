"""A method that is a function of another module, imported when the method is called."""

from __future__ import annotations

import importlib
import types
from typing import Any

__all__ = ["FaceMethod"]


class FaceMethod:
    """A method of a class whose function takes the instance first, as any method does.

    Parameters
    ----------
    place : str
        Where it is: "module:function".
    """

    def __init__(self, place: str) -> None:
        self.place = place

    @property
    def function(self) -> Any:
        """The function, whose module is imported the first time."""
        module, _, name = self.place.partition(":")
        return getattr(importlib.import_module(module), name)

    def __get__(self, instance: object, owner: type) -> Any:
        return self.function if instance is None else types.MethodType(self.function, instance)
