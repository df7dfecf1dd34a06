"""`each` marks a list that has one value per network, for parameters of `fit_many`."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from cynn.errors import InvalidParameterError, as_list, shown

__all__ = ["Each", "each", "options_of"]

# Parameters of `fit` that are never lists: a list has one value per network.
_NEVER_LISTS = {"batch_size", "check_finite", "epochs", "optimizer", "shuffle", "transform", "validation_split"}
# Parameters that training may change: each network gets a copy.
_COPIED = {"callbacks", "optimizer"}


class Each:
    """One value per network: the result of `each`.

    Parameters
    ----------
    values : list
        The values, in the order of the networks.
    """

    def __init__(self, values: Iterable[Any]) -> None:
        self.values = list(values)

    def __repr__(self) -> str:
        return f"each({self.values!r})"


def each(values: Iterable[Any]) -> Each:
    """Mark a list as having one value per network.

    Parameters
    ----------
    values : list
        The values, in the order of the networks.

    Returns
    -------
    Each
        A value for any parameter of `fit_many`.

    Raises
    ------
    InvalidParameterError
        `values` is not a list.

    Examples
    --------
    >>> import cynn
    >>> nets = [cynn.Network.mlp([1, 1], seed=seed) for seed in range(2)]
    >>> x, y = [[0.0], [1.0]], [0.0, 1.0]
    >>> rows = cynn.many.each([[0], [1]])
    >>> result = cynn.fit_many(nets, x, y, epochs=1, rows=rows)
    >>> len(result)
    2
    """
    found = None if isinstance(values, (str, bytes, dict)) else as_list(values)
    if found is None:
        raise InvalidParameterError(f"The 'values' parameter of each must be a list. Got {shown(values)} instead.")
    return Each(found)


def options_of(given: dict[str, Any], n: int) -> list[dict[str, Any]]:
    """The options of each of n networks. Objects that training may change are copied for each network."""
    found: list[dict[str, Any]] = [{} for _ in range(n)]
    for name, value in given.items():
        is_list = isinstance(value, (list, tuple)) and name in _NEVER_LISTS
        if isinstance(value, Each) or is_list:
            values = value.values if isinstance(value, Each) else list(value)
            if len(values) != n:
                raise InvalidParameterError(
                    f"The {name!r} parameter of fit_many must have a value for each of the {n} networks. "
                    f"Got {len(values)} instead."
                )
        elif name in _COPIED:
            values = [copy.deepcopy(value) for _ in range(n)]
        else:
            values = [value] * n
        for options, one in zip(found, values, strict=True):
            options[name] = one
    return found
