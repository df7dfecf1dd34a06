"""The base class of every part: its name and parameters, and the configuration, repr and equality based on them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, Self, TypeVar, dataclass_transform

import numpy as np

from cynn.components.declarations import (
    Declaration,
    attribute,
    checked_by,
    choice,
    number,
    part,
    switch,
    whole_number,
)
from cynn.errors import (
    CynnError,
    InvalidParameterError,
    did_you_mean,
    shown,
    unknown_parameter,
)

__all__ = [
    "MAX_NESTED", "Configurable", "call", "check_config", "checks_arguments", "config_of", "is_nested_deeper", "made",
    "parts_within",
]  # fmt: skip

#: How deep lists and dicts may be nested in a configuration.
MAX_NESTED = 200
# The limit for schedules is lower: one around another keeps a copy of it, so each level doubles the size.
_MAX_NESTED_PARTS = 8

_ANY = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
_BY_NAME = inspect.Parameter.KEYWORD_ONLY

T = TypeVar("T")
P = ParamSpec("P")
R = TypeVar("R")


class _Signature:
    """The signature of a class, for `inspect`. For an instance, `inspect` uses the signature of its `__call__`."""

    def __get__(self, instance: object, owner: type[Configurable]) -> inspect.Signature:
        if instance is not None:
            raise AttributeError("__signature__")
        return owner._signature()


@dataclass_transform(field_specifiers=(attribute, checked_by, choice, number, part, switch, whole_number))
class Configurable:
    """The base of every kind of part: activations, losses, optimizers, layers, schedules and so on.

    A class declares its parameters in its body, with the functions of `cynn.components.declarations`. Or it has its own
    `__init__`, which keeps each parameter as an attribute of the same name. The configuration, the repr and equality
    are based on the parameters.
    """

    #: The kind, such as `"activation"`; its plural is the name of the registry.
    kind: str = attribute("")
    name: ClassVar[str] = ""
    #: Other names by which the class is found.
    aliases: ClassVar[tuple[str, ...]] = ()
    #: The key of the name in a configuration.
    config_key: ClassVar[str] = "name"
    #: How deep lists and dicts may be nested in a configuration.
    max_nested: ClassVar[int] = _MAX_NESTED_PARTS
    #: The registry of the kind, set by the module that declares it.
    _registry: ClassVar[Any]
    #: The declared parameters, starting with those of the base classes.
    declared: ClassVar[dict[str, Declaration]] = {}
    _kept_signature: ClassVar[inspect.Signature]
    #: The word for a parameter in messages.
    parameter_word: ClassVar[str] = "parameter"

    # The name of the parameter that the repr shows without its name.
    _unnamed: ClassVar[str] = ""

    if not TYPE_CHECKING:
        __signature__ = _Signature()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        own, annotations = vars(cls), inspect.get_annotations(cls)
        for name, declaration in own.items():
            if isinstance(declaration, Declaration):
                declaration.annotation = annotations.get(name, declaration.annotation)
        declared = cls.declared | {name: value for name, value in own.items() if isinstance(value, Declaration)}
        cls.declared = {name: value for name, value in declared.items() if own.get(name, value) is value}

    def __init__(self, *args: Any, **values: Any) -> None:
        given = self._given(args, values)
        for name, declaration in self.declared.items():
            vars(self)[name] = self._checked(declaration, given[name])
        self.__post_init__()

    def __post_init__(self) -> None:
        """Called after the parameters are set, to check several of them together or to set other attributes."""

    def _given(self, args: tuple[Any, ...], values: dict[str, Any]) -> dict[str, Any]:
        """The arguments of `__init__` by name, with defaults for those not given."""
        positional = [name for name, declaration in self.declared.items() if not declaration.kw_only]
        defaults = {name: declaration.default for name, declaration in self.declared.items()}
        return _by_name(type(self).__name__, positional, defaults, args, values, self.parameter_word)

    def _checked(self, declaration: Declaration, value: Any) -> Any:
        """Check a value; return the value to keep."""
        return declaration.check(value, type(self).__name__)

    def get_config(self) -> dict[str, Any]:
        """The name and the parameters as a dict, from which `from_config` makes an equal object."""
        name = self._registry.name_of(self)
        return {self.config_key: name} | {key: config_of(value) for key, value in self._parameters().items()}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Make an object from the result of `get_config`.

        Parameters
        ----------
        config : mapping
            The result of `get_config`. The name may be left out.

        Returns
        -------
        object
            An instance of this class.
        """
        kind = cls._registry.kind
        described = f"{kind} {cls.name!r}" if cls.name else cls.__name__
        check_config(config, described, optional=config)
        if is_nested_deeper(config, cls.max_nested):
            raise InvalidParameterError(
                f"The configuration of {_with_article(kind)} must be nested no more than {cls.max_nested} deep. "
                f"Got {cls.name!r} with more."
            )
        return cls._made({key: value for key, value in config.items() if key != cls.config_key}, described)

    @classmethod
    def _made(cls, parameters: dict[str, Any], described: str) -> Self:
        return made(cls, parameters, described)

    def _parameters(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._signature().parameters if hasattr(self, name)}

    @classmethod
    def _signature(cls) -> inspect.Signature:
        if "_kept_signature" not in vars(cls):
            cls._kept_signature = cls._new_signature()
        return cls._kept_signature

    @classmethod
    def _declared_signature(cls) -> inspect.Signature:
        """Positional parameters, starting with the base classes; then keyword-only ones, starting with this class."""
        by_name = {name: each for name, each in cls.declared.items() if each.kw_only}
        own_first = dict.fromkeys(name for base in cls.__mro__ for name in vars(base) if name in by_name)
        ordered = [each for each in cls.declared.values() if not each.kw_only] + [by_name[name] for name in own_first]
        return inspect.Signature([each.in_signature() for each in ordered])

    @classmethod
    def _new_signature(cls) -> inspect.Signature:
        """The declared parameters, or those of its own `__init__`, where `**options` means those of the base class."""
        owner = next(each for each in cls.__mro__ if "__init__" in vars(each))
        if owner is Configurable:
            return cls._declared_signature()
        own = list(inspect.signature(vars(owner)["__init__"]).parameters.values())[1:]
        if {each.kind for each in own} & _ANY == {inspect.Parameter.VAR_KEYWORD}:
            base = inspect.signature(owner.__mro__[1])
            options = [each for each in base.parameters.values() if each.kind is each.KEYWORD_ONLY]
            names = {each.name for each in own}
            own[-1:] = [each for each in options if each.name not in names] or own[-1:]
        return inspect.Signature(own)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Configurable) or type(self) is not type(other):
            return False
        return self._parameters() == other._parameters()

    def __hash__(self) -> int:
        return hash((type(self), *self._parameters().items()))

    def __repr__(self) -> str:
        return call(self, self._shown(), self._unnamed)

    def _shown(self) -> dict[str, Any]:
        """The parameters in the repr: a keyword-only one is left out if it has its default."""
        usual = {each.name: each.default for each in self._signature().parameters.values() if each.kind is _BY_NAME}
        return {
            name: value
            for name, value in self._parameters().items()
            if name not in usual or repr(value) != repr(usual[name])  # == of arrays is not a bool
        }


def _by_name(
    owner: str,
    positional: Sequence[str],
    defaults: Mapping[str, Any],
    args: Sequence[Any],
    values: Mapping[str, Any],
    word: str = "parameter",
) -> dict[str, Any]:
    """The arguments of a call by name, with defaults for those not given. Raises an error for a wrong call."""
    if len(args) > len(positional):
        raise InvalidParameterError(
            f"{owner} takes {len(positional)} {word}s ({', '.join(positional) or 'none'}). "
            f"Got {len(args)} values instead."
        )
    given = dict(zip(positional, args, strict=False))
    for name in values:
        if name not in defaults:
            raise unknown_parameter(name, owner, defaults, word)
        if name in given:
            raise InvalidParameterError(f"The {name!r} parameter of {owner} must be given once. Got it twice instead.")
    found = {**defaults, **given, **values}
    for name, value in found.items():
        if value is inspect.Parameter.empty:
            raise InvalidParameterError(f"The {name!r} parameter of {owner} must be given. Got nothing instead.")
    return found


def checks_arguments(owner: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a method: a call with arguments that it does not take raises an error of CyNN, not a TypeError alone.

    The error for an unknown parameter lists similar ones, or says where it belongs. It adds a tenth of a microsecond to
    a call, so methods for single rows do without it.

    Parameters
    ----------
    owner : str
        The name of the method in messages.
    """

    def decorate(method: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(method)
        def call_checked(*args: P.args, **values: P.kwargs) -> R:
            try:
                return method(*args, **values)
            except TypeError as error:
                if error.__traceback__ is None or error.__traceback__.tb_next is not None:
                    raise  # the error comes from within the method
                wrong_call = error
            own = list(inspect.signature(method).parameters.values())[1:]
            positional = [each.name for each in own if each.kind is each.POSITIONAL_OR_KEYWORD]
            _by_name(owner, positional, {each.name: each.default for each in own}, args[1:], values)
            raise wrong_call

        return call_checked

    return decorate


def parts_within(value: Any) -> Iterator[Configurable]:
    """All parts in a value: itself, elements of lists, and parameters of parts."""
    if isinstance(value, Configurable):
        yield value
        value = list(value._parameters().values())
    if isinstance(value, (list, tuple)):
        for each in value:
            yield from parts_within(each)


def _with_article(described: str) -> str:
    return f"{'an' if described[:1] in 'AEIOUaeiou' else 'a'} {described}"


def call(made: object, arguments: Mapping[str, Any], unnamed: str = "") -> str:
    """The repr of an object, as a call of its class. The argument `unnamed` is shown without its name.

    Examples
    --------
    >>> from cynn.regularizers import L2
    >>> call(L2(), {"l2": 0.5})
    'L2(l2=0.5)'
    """
    told = (repr(value) if name == unnamed else f"{name}={value!r}" for name, value in arguments.items())
    return f"{type(made).__name__}({', '.join(told)})"


def config_of(value: Any) -> Any:
    """Convert a parameter to its form in a configuration. A part becomes its own configuration."""
    if isinstance(value, Configurable):
        return value.get_config()
    if isinstance(value, (list, tuple)):
        return [config_of(one) for one in value]
    if isinstance(value, dict):
        return {key: config_of(one) for key, one in value.items()}
    if isinstance(value, np.generic):
        value = value.item()
    if callable(value):  # only learning rates may be functions
        raise CynnError(
            f"A learning rate must be a number or a schedule to have a configuration. Got {value!r} instead: "
            "a function of the step has none."
        )
    if not isinstance(value, (bool, int, float, str, type(None))):
        raise InvalidParameterError(
            "A parameter must be a number, a switch, text, None, a part, or a list or a dict of these to be in a "
            f"configuration. Got {shown(value)} instead."
        )
    return value


def check_config(config: Any, of: str, needed: Iterable[str] = (), optional: Iterable[str] = ()) -> None:
    """Raise an InvalidParameterError unless a configuration is a dict with all needed keys and no unknown one."""
    described = _with_article(of)
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
    """Make an instance from a configuration with the arguments of its `__init__`; `of` describes it in messages."""
    parameters = inspect.signature(cls).parameters.values()
    by_name = [each for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)]
    needed = [each.name for each in by_name if each.default is each.empty]
    optional = [each.name for each in by_name if each.default is not each.empty]
    takes_any = any(each.kind is each.VAR_KEYWORD for each in parameters)
    check_config(arguments, of or cls.__name__, needed, [*optional, *(arguments if takes_any else ())])
    return cls(**arguments)


def is_nested_deeper(tree: Any, limit: int) -> bool:
    """Whether lists and dicts are nested deeper than `limit`."""
    level = [tree]
    for _ in range(limit + 1):
        level = list({id(part): part for part in level if isinstance(part, (dict, list, tuple))}.values())
        if not level:
            return False
        level = [part for each in level for part in (each.values() if isinstance(each, dict) else each)]
    return True

