"""What is described by a name and parameters: constraints, initializers, regularizers, schedules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar

from cynn.errors import CynnError, InvalidParameterError, unknown_name

__all__ = ["Described", "call", "config_of", "look_up"]


class Described:
    """The base of what is described by its name and its parameters.

    Of the public attributes that `__init__` keeps are made the configuration, the repr, and whether two are equal.
    """

    name: str = ""

    def get_config(self) -> dict[str, Any]:
        """Its name and its parameters, from which `from_config` makes an equal one."""
        return {"name": self.name} | {key: config_of(value) for key, value in self._parameters().items()}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """The inverse of `get_config`.

        Parameters
        ----------
        config : mapping
            As `get_config` returned it; the name may be left out.

        Returns
        -------
        object
            One of this class.
        """
        return cls(**{key: value for key, value in config.items() if key != "name"})

    def _parameters(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if not key.startswith("_")}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Described) or type(self) is not type(other):
            return False
        return self._parameters() == other._parameters()

    def __hash__(self) -> int:
        return hash((type(self), *self._parameters().items()))

    def __repr__(self) -> str:
        return call(self, self._parameters())


def call(made: object, arguments: Mapping[str, Any]) -> str:
    """The call that makes an object, as its repr.

    Examples
    --------
    >>> from cynn.regularizers import L2
    >>> call(L2(), {"l2": 0.5})
    'L2(l2=0.5)'
    """
    return f"{type(made).__name__}({', '.join(f'{name}={value!r}' for name, value in arguments.items())})"


def config_of(value: Any) -> Any:
    """A parameter as it stands in a configuration: by its own where it has one."""
    if hasattr(value, "get_config"):
        return value.get_config()
    if isinstance(value, list):
        return [config_of(one) for one in value]
    if callable(value):  # of all parameters, only a learning rate may be a function
        raise CynnError(
            f"A learning rate must be a number or a schedule to have a configuration. Got {value!r} instead: "
            "a function of the step has none."
        )
    return value


Kind = TypeVar("Kind", bound=Described)


def look_up(given: Any, kind: type[Kind], by_name: Mapping[str, type[Kind]], allowed: str) -> Kind:
    """An instance of a kind, from one, a name or a configuration; `allowed` says so in words."""
    if isinstance(given, kind):
        return given
    config = given if isinstance(given, dict) else {"name": given}
    word, name = kind.__name__.lower(), config.get("name")
    described = f"{'an' if word[0] in 'aeiou' else 'a'} {word}"
    if not isinstance(name, str):
        raise InvalidParameterError(f"{described.capitalize()} must be {allowed}. Got {given!r} instead.")
    if name not in by_name:
        raise unknown_name(word, name, by_name)
    try:
        return by_name[name].from_config(config)
    except InvalidParameterError:
        raise
    except TypeError as error:
        raise InvalidParameterError(f"{given!r} must describe {described}. Got: {error}.") from error
