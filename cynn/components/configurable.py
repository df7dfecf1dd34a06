"""What is described by a name and parameters: constraints, initializers, regularizers, schedules."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any, Self, TypeVar

from cynn.errors import CynnError, InvalidParameterError, did_you_mean, shown, unknown_name

__all__ = ["MAX_NESTED", "Described", "call", "check_config", "config_of", "is_nested_deeper", "look_up", "made"]

#: Lists and dicts within each other, in a configuration.
MAX_NESTED = 200
# A schedule around another has a copy of that, so that its size doubles with each.
_MAX_NESTED_DESCRIPTIONS = 8

T = TypeVar("T")


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
        kind = next(base for base in cls.__mro__ if Described in base.__bases__)
        of = f"{kind.__name__.lower()} {cls.name!r}"
        check_config(config, of, optional=config)
        return made(cls, {key: value for key, value in config.items() if key != "name"}, of)

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


def check_config(config: Any, of: str, needed: Iterable[str] = (), optional: Iterable[str] = ()) -> None:
    """Raise an InvalidParameterError unless a configuration is a dict with all that it needs and nothing unknown."""
    described = f"{'an' if of[0] in 'AEIOUaeiou' else 'a'} {of}"
    if not isinstance(config, Mapping) or not all(isinstance(key, str) for key in config):
        raise InvalidParameterError(f"A configuration must describe {described} by names. Got: {config!r}.")
    needed = list(needed)
    allowed = [*needed, *optional]
    for key in config:
        if key not in allowed:
            raise InvalidParameterError(
                f"A configuration must describe {described} by {', '.join(allowed) or 'its name'}. Got: {key!r}, too."
                f"{did_you_mean(key, allowed)}"
            )
    for key in needed:
        if key not in config:
            raise InvalidParameterError(f"A configuration must describe {described} with {key!r}. Got: {config!r}.")


def made(cls: type[T], arguments: Any, of: str | None = None) -> T:
    """An instance, from a configuration with the arguments of its `__init__`; a message says of what it is."""
    parameters = inspect.signature(cls).parameters.values()
    by_name = [each for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)]
    needed = [each.name for each in by_name if each.default is each.empty]
    optional = [each.name for each in by_name if each.default is not each.empty]
    takes_any = any(each.kind is each.VAR_KEYWORD for each in parameters)
    check_config(arguments, of or cls.__name__, needed, [*optional, *(arguments if takes_any else ())])
    return cls(**arguments)


def is_nested_deeper(tree: Any, limit: int) -> bool:
    """Whether there are more than so many lists and dicts within each other."""
    level = [tree]
    for _ in range(limit + 1):
        level = list({id(part): part for part in level if isinstance(part, (dict, list, tuple))}.values())
        if not level:
            return False
        level = [part for each in level for part in (each.values() if isinstance(each, dict) else each)]
    return True


Kind = TypeVar("Kind", bound=Described)


def look_up(given: Any, kind: type[Kind], by_name: Mapping[str, type[Kind]], allowed: str) -> Kind:
    """An instance of a kind, from one, a name or a configuration; `allowed` says so in words."""
    if isinstance(given, kind):
        return given
    config = given if isinstance(given, dict) else {"name": given}
    word, name = kind.__name__.lower(), config.get("name")
    described = f"{'an' if word[0] in 'aeiou' else 'a'} {word}"
    if not isinstance(name, str):
        raise InvalidParameterError(f"{described.capitalize()} must be {allowed}. Got {shown(given)} instead.")
    if name not in by_name:
        raise unknown_name(word, name, by_name)
    if is_nested_deeper(config, _MAX_NESTED_DESCRIPTIONS):
        raise InvalidParameterError(
            f"The configuration of {described} must be nested no more than {_MAX_NESTED_DESCRIPTIONS} deep. "
            f"Got {name!r} with more."
        )
    return by_name[name].from_config(config)
