"""The outputs of a network: one, a list or a dict. Converts arguments and results of these forms from and to lists."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeVar

from cynn.errors import InvalidParameterError, did_you_mean, shown

__all__ = ["Outputs"]

T = TypeVar("T")


class Outputs:
    """One output, a list of them, or a dict of named ones; inside the library it is always a list.

    Attributes
    ----------
    names : list of str
        The prefixes of the losses and metrics in the history: `output_0` and so on by default.
    values : list of int
        The numbers of the outputs in the engine.
    units : list of int
    """

    def __init__(self, form: Any, values: list[int], units: list[int]) -> None:
        self._keys = list(form) if isinstance(form, dict) else None
        self.is_one = isinstance(form, int)
        self.names = self._keys or [f"output_{number}" for number in range(len(values))]
        self.values = values
        self.units = units

    def join(self, each: list[T]) -> Any:
        """Convert a list with an item per output to the user's form: the only item, a list or a dict."""
        if self.is_one:
            return each[0]
        return list(each) if self._keys is None else dict(zip(self._keys, each, strict=True))

    def split(self, given: Any, name: str) -> list[Any]:
        """The inverse of `join`: convert an argument in the user's form to a list with an item per output."""
        if self.is_one:
            return [given]
        if self._keys is None:
            fits = isinstance(given, Collection) and not isinstance(given, (str, dict))
        else:
            fits = isinstance(given, dict) and set(given) == set(self._keys)
        if not fits or len(given) != len(self.values):
            form = f"a list of {len(self.values)}" if self._keys is None else f"a dict with the keys {self._keys}"
            got = f"the keys {list(given)}" if isinstance(given, dict) else type(given).__name__
            raise InvalidParameterError(f"{name} must be {form}, one for each output. Got {got} instead.")
        return list(given) if self._keys is None else [given[key] for key in self._keys]

    def split_if(self, given: Any, name: str) -> list[Any]:
        """The same for an option with one value for all outputs, or with values for some of them; others get None."""
        if self.is_one:
            return [given]
        if isinstance(given, dict):
            unknown = [key for key in given if key not in self.names]
            if not unknown:
                return [given.get(output) for output in self.names]
            # otherwise it is one value for all outputs: a configuration, or class weights
            if "name" not in given and isinstance(unknown[0], str):
                raise InvalidParameterError(
                    f"The keys of {name} must be names of outputs, among {self.names}. Got {shown(unknown[0])} instead."
                    f"{did_you_mean(unknown[0], self.names)}"
                )
        elif self._keys is None and isinstance(given, Collection) and not isinstance(given, str):
            return self.split(given, name)
        return [given] * len(self.values)
