"""Constraints: limits on the weights of a layer, applied after every step."""

from __future__ import annotations

from typing import Any, ClassVar

from cynn import registry
from cynn.components.configurable import Configurable
from cynn.components.declarations import attribute, number

__all__ = ["Constraint", "MaxNorm", "NonNegative", "UnitNorm", "get"]


class Constraint(Configurable):
    """The base class of constraints. A custom constraint is a subclass of `MaxNorm`, `UnitNorm` or `NonNegative`.

    Attributes
    ----------
    rule : {"max_norm", "unit_norm", "non_negative"}
        The kind of constraint.
    max_value : float
        The norm.

    Examples
    --------
    >>> import cynn
    >>> @cynn.registry.constraints.register
    ... class Short(cynn.constraints.MaxNorm):
    ...     name = "short"
    ...     def __init__(self):
    ...         super().__init__(max_value=0.5)
    >>> cynn.Dense(3, constraint="short")
    Dense(3, activation=Identity(), constraint=Short())
    """

    kind = "constraint"
    rule: ClassVar[str] = ""
    max_value: float = attribute(1.0)


class MaxNorm(Constraint):
    """The incoming weights of each unit have a norm of at most `max_value`: longer vectors are scaled down.

    In an `Embedding`, this holds for every vector.

    Source: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", 2014,
    section 5.1.

    Parameters
    ----------
    max_value : float
        The largest norm.

    Examples
    --------
    >>> import cynn
    >>> max_norm = cynn.constraints.MaxNorm(1.0)
    >>> layers = [cynn.Input(2), cynn.Dense(1, constraint=max_norm)]
    >>> net = cynn.Network(layers)
    >>> net.layers[0].weights = [[3.0], [4.0]]
    >>> history = net.fit([[0.0, 0.0]], [0.0], optimizer="sgd", epochs=1)
    >>> net.layers[0].weights
    array([[0.6],
           [0.8]], dtype=float32)
    """

    name = rule = "max_norm"
    max_value: float = number(default=2.0, above=0)


class UnitNorm(Constraint):
    """The incoming weights of each unit have the norm 1.

    In an `Embedding`, this holds for every vector.

    Examples
    --------
    >>> import cynn
    >>> cynn.Dense(3, constraint="unit_norm")
    Dense(3, activation=Identity(), constraint=UnitNorm())
    """

    name = rule = "unit_norm"


class NonNegative(Constraint):
    """No weight is less than 0.

    Examples
    --------
    >>> import cynn
    >>> cynn.Dense(3, constraint=cynn.constraints.NonNegative())
    Dense(3, activation=Identity(), constraint=NonNegative())
    """

    name = rule = "non_negative"


registry.declare(Constraint, globals())


def get(given: Any) -> Constraint | None:
    """Get a constraint from a constraint, a name, a configuration, or None.

    Examples
    --------
    >>> from cynn import constraints
    >>> constraints.get("max_norm")
    MaxNorm(max_value=2.0)
    """
    return None if given is None else registry.constraints.get(given)
