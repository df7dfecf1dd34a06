"""Regularizers: penalties on weights, which are added to the loss."""

from __future__ import annotations

from typing import Any

from cynn import registry
from cynn.components.configurable import Configurable
from cynn.components.declarations import attribute, number

__all__ = ["L1", "L1L2", "L2", "Regularizer", "get"]


class Regularizer(Configurable):
    """The base class of regularizers, which add l1 Σ|w| + l2 Σw² over the weights of a layer to the loss.

    A custom regularizer is a subclass that defines l1 and l2.

    Sources: Nielsen, "Neural networks and deep learning", 2015, chapter 3; Zou and Hastie, "Regularization
    and variable selection via the elastic net", 2005 (both penalties together).

    Attributes
    ----------
    l1, l2 : float
        The factors of Σ|w| and Σw².

    Examples
    --------
    >>> import cynn
    >>> @cynn.registry.regularizers.register
    ... class Bayesian(cynn.regularizers.Regularizer):
    ...     '''A normal prior on the weights.'''
    ...     name = "bayesian"
    ...     def __init__(self, deviation=1.0):
    ...         self.deviation = deviation
    ...         self.l2 = 0.5 / deviation**2
    >>> cynn.regularizers.get({"name": "bayesian", "deviation": 10}).l2
    0.005
    """

    kind = "regularizer"
    l1: float = attribute(0.0)
    l2: float = attribute(0.0)


class L1(Regularizer):
    """A penalty of l1 Σ|w|, which drives weights to zero.

    Parameters
    ----------
    l1 : float
        The factor of Σ|w|.

    Examples
    --------
    >>> import cynn
    >>> l1 = cynn.regularizers.L1(0.1)
    >>> net = cynn.Network([cynn.Input(1), cynn.Dense(1, regularizer=l1)])
    >>> net.layers[0].weights = [[-2.0]]
    >>> net.evaluate([[1.0]], [-2.0])
    {'loss': 0.2...}
    """

    name = "l1"
    l1: float = number(default=0.01, minimum=0)


class L2(Regularizer):
    """A penalty of l2 Σw², which keeps weights small.

    Parameters
    ----------
    l2 : float
        The factor of Σw².

    Examples
    --------
    >>> import cynn
    >>> cynn.Dense(3, regularizer="l2")
    Dense(3, activation=Identity(), regularizer=L2(l2=0.01))
    """

    name = "l2"
    l2: float = number(default=0.01, minimum=0)


class L1L2(Regularizer):
    """A penalty of l1 Σ|w| + l2 Σw²: the elastic net.

    Parameters
    ----------
    l1, l2 : float
        The factors of Σ|w| and Σw².

    Examples
    --------
    >>> import cynn
    >>> cynn.regularizers.L1L2(l1=0.01, l2=0.1)
    L1L2(l1=0.01, l2=0.1)
    """

    name = "l1_l2"
    l1: float = number(default=0.0, minimum=0)
    l2: float = number(default=0.0, minimum=0)


registry.declare(Regularizer, globals())


def get(given: Any) -> Regularizer | None:
    """Get a regularizer from a regularizer, a name, a configuration, or None.

    Examples
    --------
    >>> from cynn import regularizers
    >>> regularizers.get({"name": "l2", "l2": 0.5})
    L2(l2=0.5)
    """
    return None if given is None else registry.regularizers.get(given)
