"""What activations, losses and optimizers have in common: a name, and declared hyperparameters."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar, Self, dataclass_transform

from cynn.components.configurable import Configurable
from cynn.errors import (
    InvalidParameterError,
    ReadOnlyError,
    bounds_in_words,
    check_held,
    check_number,
    check_switch,
    not_allowed,
    shown,
    unknown_name,
)

__all__ = ["Component", "Hyperparameter", "hyperparameter", "option"]


class Hyperparameter:
    """A number or a switch of a component, declared once in the body of its class.

    A kernel receives the values as doubles, in the order of declaration. It is given a copy of them once,
    so they are read only, but for those that the class names as `assignable`.
    """

    def __init__(
        self,
        default: float | bool,
        bounds: dict[str, float],
        doc: str,
        *,
        is_option: bool = False,
        is_whole: bool = False,
    ) -> None:
        self.default = default
        self.bounds = bounds
        self.doc = self.__doc__ = doc
        self.is_option = is_option
        self.is_whole = is_whole
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Component | None, owner: type) -> Any:
        if instance is None:
            return self
        return (instance._options if self.is_option else instance._values)[self.name]

    def __set__(self, instance: Component, value: Any) -> None:
        owner = type(instance).__name__
        if self.name not in instance.assignable:
            raise ReadOnlyError(
                f"The {self.name!r} parameter of {owner} must be given when the instance is made, as in "
                f"{owner}({self.name}={shown(value)}). Got an assignment instead."
            )
        instance._values[self.name] = instance._checked(self, value)

    @property
    def allowed(self) -> str:
        """Its bounds in words."""
        if isinstance(self.default, bool):
            return "True or False"
        return " and ".join(bounds_in_words(**self.bounds)) or "any"

    def check(self, value: Any, owner: str) -> float | bool:
        """`value` as a bool or a finite float within the bounds."""
        if isinstance(self.default, bool):
            return check_switch(value, self.name, owner)
        number = check_number(value, self.name, owner, **self.bounds)
        if self.is_whole and not number.is_integer():
            raise not_allowed(self.name, owner, f"a whole number {self.allowed}", value)
        return number


def option(
    default: float | bool, *, minimum: float = 0.0, below: float | None = None, is_whole: bool = False, doc: str = ""
) -> Any:
    """Declare a setting that all components of a kind have, given by name and passed to no kernel."""
    bounds = {"minimum": minimum} if below is None else {"minimum": minimum, "below": below}
    return Hyperparameter(default, {} if isinstance(default, bool) else bounds, doc, is_option=True, is_whole=is_whole)


def hyperparameter(
    default: float | bool,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    below: float | None = None,
    doc: str = "",
) -> Any:
    """Declare a hyperparameter in the body of an activation, a loss or an optimizer.

    Parameters
    ----------
    default : float or bool
        Its value where none is given.
    minimum, maximum : float, optional
        The bounds, allowed themselves.
    above, below : float, optional
        Bounds that are not allowed themselves.
    doc : str
        One line on what it does.

    Returns
    -------
    Hyperparameter
        A descriptor, read in an instance as the value.

    Examples
    --------
    >>> import cynn
    >>> class Scaled(cynn.activations.Activation):
    ...     '''a = factor * z'''
    ...     name = "scaled"
    ...     factor: float = cynn.hyperparameter(default=1.0, above=0, doc="The slope.")
    ...     def forward(self, z):
    ...         return self.factor * z
    ...     def backward(self, z, a, grad):
    ...         return self.factor * grad
    >>> Scaled(factor=2)
    Scaled(factor=2.0)
    """
    bounds = {"minimum": minimum, "maximum": maximum, "above": above, "below": below}
    return Hyperparameter(default, {key: bound for key, bound in bounds.items() if bound is not None}, doc)


@dataclass_transform(field_specifiers=(hyperparameter,))
class Component(Configurable):
    """The base of `Activation`, `Loss` and `Optimizer`.

    A subclass sets `name`, declares its hyperparameters, and has either a compiled `kernel` (a
    capsule of the plugin ABI) or methods over NumPy arrays.
    """

    kind: ClassVar[str] = "component"
    hyperparameters: ClassVar[dict[str, Hyperparameter]] = {}
    #: Settings of all components of the kind, given by name, that no kernel sees.
    options: ClassVar[dict[str, Hyperparameter]] = {}
    #: The hyperparameters that may change later: a kernel gets them with every call.
    assignable: ClassVar[frozenset[str]] = frozenset()
    #: What a class without a kernel defines, over NumPy arrays.
    methods: ClassVar[tuple[str, ...]] = ()
    kernel: Any = None

    _values: dict[str, Any]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        declared = {name: value for name, value in vars(cls).items() if isinstance(value, Hyperparameter)}
        for declaration in declared.values():
            declaration.check(declaration.default, f"{cls.__name__} (its default)")
        cls.hyperparameters = cls.hyperparameters | {n: d for n, d in declared.items() if not d.is_option}
        cls.options = cls.options | {n: d for n, d in declared.items() if d.is_option}
        parameters = [
            inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=declared.default)
            for name, declared in cls.hyperparameters.items()
        ]
        parameters += [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=declared.default)
            for name, declared in cls.options.items()
        ]
        cls.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # read by inspect alone

    def __init__(self, *args: Any, **values: Any) -> None:
        names = list(self.hyperparameters)
        if len(args) > len(names):
            raise InvalidParameterError(
                f"{type(self).__name__} takes {len(names)} hyperparameters ({', '.join(names) or 'none'}). "
                f"Got {len(args)} values instead."
            )
        given = dict(zip(names, args, strict=False))
        for name in values:
            if name not in self.hyperparameters and name not in self.options:
                known = [*names, *self.options]
                raise unknown_name(f"hyperparameter of {type(self).__name__}", name, known or ["(none)"])
            if name in given:
                owner = type(self).__name__
                raise InvalidParameterError(
                    f"The {name!r} parameter of {owner} must be given once. Got it twice instead."
                )
        given.update(values)
        self._values = {
            name: self._checked(declared, given.get(name, declared.default))
            for name, declared in self.hyperparameters.items()
        }
        self._options = {
            name: self._checked(declared, given.get(name, declared.default))
            for name, declared in self.options.items()
        }

    def _parameters(self) -> dict[str, Any]:
        """The hyperparameters, and the options that are not as they are by default."""
        changed = {n: v for n, v in self._options.items() if v != self.options[n].default}
        return {**self._values, **changed}

    def _checked(self, declared: Hyperparameter, value: Any) -> Any:
        """The value to keep for a hyperparameter."""
        return declared.check(value, type(self).__name__)

    @classmethod
    def is_compiled(cls) -> bool:
        """Whether the engine calls the kernel, or methods that a class nearer than the kernel's defines."""
        for owner in cls.__mro__:
            if "kernel" in vars(owner):
                return vars(owner)["kernel"] is not None
            if any(method in vars(owner) for method in cls.methods):
                return False
        return False

    @classmethod
    def _made(cls, parameters: dict[str, Any], described: str) -> Self:
        return cls(**parameters)  # which says itself what it does not know

    def kernel_values(self) -> list[float]:
        """The hyperparameters as a kernel receives them: without those that it gets with every call."""
        return [float(value) for name, value in self._values.items() if name not in self.assignable]

    def check_held(self, dtype: str) -> None:
        """Raise an InvalidParameterError where a hyperparameter becomes infinite, or 0, in the dtype of a network.

        Parameters
        ----------
        dtype : {"float32", "float64"}
            That of the network.
        """
        for name, value in self._values.items():
            if isinstance(value, float):
                check_held(value, name, type(self).__name__, dtype)
