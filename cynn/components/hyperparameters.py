"""The base class of activations, losses and optimizers, and their hyperparameters."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any, ClassVar, Self, dataclass_transform

from cynn.components.configurable import Configurable
from cynn.components.declarations import Declaration, attribute, check_choice
from cynn.errors import (
    InvalidParameterError,
    ReadOnlyError,
    as_list,
    bounds_in_words,
    check_held,
    check_number,
    check_switch,
    not_allowed,
    shown,
)

__all__ = ["Component", "Hyperparameter", "hyperparameter", "option"]

# Doubles represent all whole numbers up to this one.
_MAX_WHOLE = 2**53


class Hyperparameter(Declaration):
    """A number, a whole number, a switch or a choice of a component, declared once in the body of its class.

    A kernel receives the values as doubles, in the order of declaration. They are copied only once, so they are
    read-only, except for those that the class lists in `assignable`.
    """

    def __init__(
        self,
        default: float | bool | str,
        bounds: dict[str, float],
        doc: str,
        *,
        choices: tuple[str, ...] = (),
        kw_only: bool = False,
    ) -> None:
        super().__init__(self._check_value, default, kw_only=kw_only)
        self.bounds = bounds
        self.choices = choices
        self.doc = self.__doc__ = doc

    def __set__(self, instance: Configurable, value: Any) -> None:
        owner = type(instance).__name__
        if self.name not in type(instance).assignable:  # type: ignore[attr-defined]  # a component has hyperparameters
            raise ReadOnlyError(
                f"The {self.name!r} parameter of {owner} must be given when the instance is made, as in "
                f"{owner}({self.name}={shown(value)}). Got an assignment instead."
            )
        super().__set__(instance, value)

    @property
    def is_whole(self) -> bool:
        """Whether the class annotates it as `int`."""
        return self.annotation in (int, "int")

    @property
    def allowed(self) -> str:
        """The bounds or the choices, in words."""
        if isinstance(self.default, bool):
            return "True or False"
        if self.choices:
            return ", ".join(map(repr, self.choices))
        words = " and ".join(bounds_in_words(**self.bounds))
        return f"a whole number {words}".strip() if self.is_whole else words or "any"

    def _check_value(self, value: Any, name: str, owner: str) -> float | bool | str:
        if isinstance(self.default, bool):
            return check_switch(value, name, owner)
        if isinstance(self.default, str):
            return check_choice(value, name, owner, choices=self.choices)
        if not self.is_whole:
            return check_number(value, name, owner, **self.bounds)
        try:  # a float without a fraction is allowed, as in configurations of older versions
            number = check_number(value, name, owner, **self.bounds)
        except InvalidParameterError:
            number = 0.5
        if not number.is_integer() or abs(number) > _MAX_WHOLE:
            raise not_allowed(name, owner, self.allowed, value)
        return int(number)

    def as_double(self, value: Any) -> float:
        """The number for a kernel: a choice as its index, a switch as 0 or 1."""
        return float(self.choices.index(value) if self.choices else value)


def option(default: float | bool, *, minimum: float = 0.0, below: float | None = None, doc: str = "") -> Any:
    """Declare a keyword-only setting that all components of a kind have and that kernels do not get."""
    bounds = {"minimum": minimum} if below is None else {"minimum": minimum, "below": below}
    return Hyperparameter(default, {} if isinstance(default, bool) else bounds, doc, kw_only=True)


def hyperparameter(
    default: float | bool | str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    below: float | None = None,
    choices: Iterable[str] = (),
    doc: str = "",
) -> Any:
    """Declare a hyperparameter in the body of an activation, a loss or an optimizer.

    It is a number, or a whole number if the class annotates it as `int`, or a switch if the default is True or False,
    or one of several texts.

    Parameters
    ----------
    default : float, int, bool or str
        The default value.
    minimum, maximum : float, optional
        Inclusive bounds.
    above, below : float, optional
        Exclusive bounds.
    choices : list of str, optional
        The allowed texts. A kernel receives the index of the chosen one.
    doc : str
        One line that says what it does.

    Returns
    -------
    Hyperparameter
        A descriptor. In an instance, the attribute is the value.

    Raises
    ------
    InvalidParameterError
        The choices are not texts, or the default is a text that is not one of them.

    Examples
    --------
    >>> import cynn
    >>> class Scaled(cynn.activations.Activation):
    ...     '''a = factor * z'''
    ...     name = "scaled"
    ...     factor: float = cynn.hyperparameter(
    ...         default=1.0, above=0, doc="The slope."
    ...     )
    ...     def forward(self, z):
    ...         return self.factor * z
    ...     def backward(self, z, a, grad):
    ...         return self.factor * grad
    >>> Scaled(factor=2)
    Scaled(factor=2.0)

    A whole number and a choice:

    >>> import numpy as np
    >>> class Power(cynn.activations.Activation):
    ...     '''a = zⁿ, or its absolute value'''
    ...     name = "power"
    ...     n: int = cynn.hyperparameter(
    ...         default=2, minimum=1, doc="The exponent."
    ...     )
    ...     kind: str = cynn.hyperparameter(
    ...         default="plain", choices=["plain", "absolute"],
    ...         doc="Which of the two.",
    ...     )
    ...     def forward(self, z):
    ...         a = z**self.n
    ...         return abs(a) if self.kind == "absolute" else a
    ...     def backward(self, z, a, grad):
    ...         slope = self.n * z ** (self.n - 1)
    ...         if self.kind == "absolute":
    ...             slope *= np.sign(z**self.n)
    ...         return grad * slope
    >>> Power(3, "absolute")([-2.0])
    array([8.])
    >>> Power(3, "absolute").kernel_values()
    [3.0, 1.0]
    """
    texts = tuple(as_list(choices) or ())
    are_texts = all(isinstance(each, str) for each in texts) and len(set(texts)) > 1 and default in texts
    if not are_texts and (isinstance(default, str) or choices != ()):
        raise InvalidParameterError(
            "The 'choices' parameter of hyperparameter must be two or more texts, the default among them. "
            f"Got {shown(choices)} and the default {shown(default)} instead."
        )
    bounds = {"minimum": minimum, "maximum": maximum, "above": above, "below": below}
    given = {key: bound for key, bound in bounds.items() if bound is not None}
    return Hyperparameter(default, given, doc, choices=texts)


@dataclass_transform(field_specifiers=(attribute, hyperparameter, option))
class Component(Configurable):
    """The base of `Activation`, `Loss` and `Optimizer`.

    A subclass sets `name`, declares its hyperparameters, and has either a compiled `kernel` (a
    capsule of the plugin ABI) or methods over NumPy arrays.
    """

    kind = "component"
    parameter_word: ClassVar[str] = "hyperparameter"
    #: The declared parameters that a kernel gets, by name.
    hyperparameters: ClassVar[dict[str, Hyperparameter]] = {}
    #: The settings of all components of the kind, by name. Kernels do not get them.
    options: ClassVar[dict[str, Hyperparameter]] = {}
    #: The names of hyperparameters that may be assigned: a kernel gets them with every call.
    assignable: ClassVar[frozenset[str]] = frozenset()
    #: The methods over NumPy arrays that a class without a kernel defines.
    methods: ClassVar[tuple[str, ...]] = ()
    kernel: ClassVar[Any] = None
    #: A method that computes the same with NumPy, with which the conformance kit compares the kernel; or None. For an
    #: activation, `reference(z)` returns a. For a loss, `reference(prediction, target)` returns the loss of each row.
    #: For an optimizer, `reference(w, grad, slots, learning_rate, t)` updates w and the slots in place. The arrays are
    #: float64.
    reference: ClassVar[Any] = None

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        declared = {name: each for name, each in cls.declared.items() if isinstance(each, Hyperparameter)}
        for name in vars(cls).keys() & declared.keys():
            declared[name].check(declared[name].default, f"{cls.__name__} (its default)")
        cls.hyperparameters = {name: each for name, each in declared.items() if not each.kw_only}
        cls.options = {name: each for name, each in declared.items() if each.kw_only}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Pickles of older versions have the values in two dicts."""
        values = state.pop("_values", {}) | state.pop("_options", {})
        vars(self).update(state, **{name: self._checked(self.declared[name], values[name]) for name in values})

    def _parameters(self) -> dict[str, Any]:
        """All hyperparameters, and the settings that do not have their defaults."""
        values = {name: getattr(self, name) for name in self._signature().parameters}
        return {
            name: value
            for name, value in values.items()
            if name in self.hyperparameters or value != self.declared[name].default
        }

    @classmethod
    def _new_signature(cls) -> inspect.Signature:
        return cls._declared_signature()  # not that of `__init__`: a kernel gets the declared ones

    @classmethod
    def is_compiled(cls) -> bool:
        """Whether the engine calls a kernel. The most derived class that defines a kernel or methods decides."""
        for owner in cls.__mro__:
            if "kernel" in vars(owner):
                return vars(owner)["kernel"] is not None
            if any(method in vars(owner) for method in cls.methods):
                return False
        return False

    @classmethod
    def _made(cls, parameters: dict[str, Any], described: str) -> Self:
        return cls(**parameters)  # __init__ raises the error for unknown names

    def kernel_values(self) -> list[float]:
        """The hyperparameters as a kernel receives them, without those that are `assignable`."""
        return [
            declaration.as_double(getattr(self, name))
            for name, declaration in self.hyperparameters.items()
            if name not in self.assignable
        ]

    def check_held(self, dtype: str) -> None:
        """Raise an InvalidParameterError if a hyperparameter overflows, or underflows to 0, in the dtype of a network.

        Parameters
        ----------
        dtype : {"float32", "float64"}
            The dtype of the network.
        """
        for name in self.hyperparameters:
            value = getattr(self, name)
            if isinstance(value, float):
                check_held(value, name, type(self).__name__, dtype)
