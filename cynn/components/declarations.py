"""Functions that declare the parameters of a part in the body of its class.

The signature of the class, the checks of its arguments, its configuration and its repr follow from the declarations.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import Parameter
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from cynn.errors import check_number, check_switch, check_whole_number, not_allowed

if TYPE_CHECKING:
    from cynn.components.configurable import Configurable

__all__ = [
    "Declaration", "as_given", "attribute", "check_choice", "checked_by", "choice", "number", "part", "switch",
    "whole_number",
]  # fmt: skip

T = TypeVar("T")

#: Called as check(value, name of the parameter, name of the class): returns the value to keep, or raises an error.
Check = Callable[[Any, str, str], Any]

_REQUIRED: Any = Parameter.empty


class Declaration:
    """A parameter of a part: a descriptor that checks every value that the constructor or an assignment sets.

    None is allowed if it is the default.

    Parameters
    ----------
    check : callable
        Called as `check(value, name, owner)`; returns the value to keep.
    default : object
        The default value; without it, the parameter is required.
    kw_only : bool
        Whether it is a keyword-only parameter. The repr leaves it out if it has its default.
    """

    #: The annotation in the body of the class, possibly as text.
    annotation: Any = Parameter.empty

    def __init__(self, check: Check, default: Any = _REQUIRED, *, kw_only: bool = False) -> None:
        self._check = check
        self.default = default
        self.kw_only = kw_only
        self.name = ""
        self.__doc__ = None  # the docstring of the class describes the parameter

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Configurable | None, owner: type) -> Any:
        if instance is None:
            return self
        if self.name not in instance.__dict__:  # a pickle of an older version may lack it
            if self.default is _REQUIRED:
                raise AttributeError(self.name)
            instance.__dict__[self.name] = instance._checked(self, self.default)
        return instance.__dict__[self.name]

    def __set__(self, instance: Configurable, value: Any) -> None:
        instance.__dict__[self.name] = instance._checked(self, value)

    def check(self, value: Any, owner: str) -> Any:
        """Check a value; return the value to keep."""
        if value is None and self.default is None:
            return None
        return self._check(value, self.name, owner)

    def in_signature(self) -> Parameter:
        """The parameter for `inspect.Signature`."""
        kind = Parameter.KEYWORD_ONLY if self.kw_only else Parameter.POSITIONAL_OR_KEYWORD
        return Parameter(self.name, kind, default=self.default, annotation=self.annotation)


def number(
    *,
    default: Any = _REQUIRED,
    minimum: float = float("-inf"),
    maximum: float = float("inf"),
    above: float | None = None,
    below: float | None = None,
    kw_only: bool = False,
) -> Any:
    """Declare a finite number; `above` and `below` exclude the bound itself."""
    check = partial(check_number, minimum=minimum, maximum=maximum, above=above, below=below)
    return Declaration(check, default, kw_only=kw_only)


def whole_number(
    *, default: Any = _REQUIRED, minimum: int = 0, maximum: int = 2**63 - 1, kw_only: bool = False
) -> Any:
    """Declare a whole number."""
    return Declaration(partial(check_whole_number, minimum=minimum, maximum=maximum), default, kw_only=kw_only)


def switch(*, default: Any = _REQUIRED, kw_only: bool = False) -> Any:
    """Declare True or False."""
    return Declaration(check_switch, default, kw_only=kw_only)


def choice(*choices: str, default: Any = _REQUIRED, kw_only: bool = False) -> Any:
    """Declare one of several texts."""
    return Declaration(partial(check_choice, choices=choices), default, kw_only=kw_only)


def part(base: type[Configurable], *, default: Any = _REQUIRED, kw_only: bool = False) -> Any:
    """Declare a part of the kind of `base`: given as a name, a configuration, a class or an instance.

    None means the default, if there is one.
    """

    def check(value: Any, name: str, owner: str) -> Any:
        return base._registry.get(default if value is None and default is not _REQUIRED else value)

    return Declaration(check, default, kw_only=kw_only)


def checked_by(check: Check, *, default: Any = _REQUIRED, kw_only: bool = False) -> Any:
    """Declare a parameter with its own check: `check(value, name, owner)` returns the value to keep."""
    return Declaration(check, default, kw_only=kw_only)


def as_given(value: Any, name: str, owner: str) -> Any:
    """A check that accepts every value, for `checked_by`."""
    return value


def attribute(value: T, *, init: Literal[False] = False) -> T:
    """Declare that an attribute is not a parameter, even if a base class declares one. Type checkers see this, too."""
    return value


def check_choice(value: Any, name: str, owner: str, *, choices: tuple[str, ...]) -> str:
    """Return `value`; raise an InvalidParameterError unless it is one of `choices`."""
    if not isinstance(value, str) or value not in choices:
        *others, last = map(repr, choices)
        raise not_allowed(name, owner, f"{', '.join(others)} or {last}" if others else last, value)
    return value
