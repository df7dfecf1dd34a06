"""Nested parameters such as `optimizer__learning_rate`, which searches can set."""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Self

from sklearn.base import BaseEstimator

from cynn import registry
from cynn.callbacks import Callback
from cynn.callbacks.together import checked_callbacks
from cynn.components.configurable import Configurable
from cynn.errors import InvalidParameterError, shown, unknown_name
from cynn.network import Network

__all__ = ["PartParameters"]


class PartParameters(BaseEstimator):
    """An estimator with parameters that are parts of a network, or lists of parts."""

    #: The kind of part, for parameters that may be given as a name or a configuration.
    _kinds: ClassVar[dict[str, str]] = {}

    callbacks: Any = None  # of pickles that are older than this parameter of the estimators for tables

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get the parameters by name.

        Parameters
        ----------
        deep : bool
            Whether to include nested parameters, such as `optimizer__learning_rate`.

        Returns
        -------
        dict of str to object
            The values of the parameters.
        """
        own: dict[str, Any] = super().get_params(deep=False)
        if not deep:
            return own
        within = {name: _parameters(value, self._kinds.get(name)) for name, value in own.items()}
        return own | {f"{name}__{inner}": value for name, found in within.items() for inner, value in found.items()}

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name. Setting a nested parameter creates a new part.

        Parameters
        ----------
        **params : dict
            For example `batch_size=64` or `optimizer__learning_rate=0.01`.

        Returns
        -------
        object
            The fitted estimator.
        """
        own = {name: value for name, value in params.items() if "__" not in name}
        super().set_params(**own)
        names = super().get_params(deep=False)
        for name, changes in _by_head(params).items():
            if name not in names:
                raise unknown_name(f"parameter of {type(self).__name__}", name, names)
            setattr(self, name, _changed(getattr(self, name), changes, self._kinds.get(name)))
        return self

    @contextlib.contextmanager
    def _unchanged_on_error(self) -> Iterator[None]:
        """Restore all attributes if an error comes: labels or columns of new rows are not those of the old network."""
        before = dict(self.__dict__)
        try:
            yield
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    def _copied_callbacks(self) -> list[Callback]:
        """Copies of the callbacks for one training, which changes them."""
        return copy.deepcopy(checked_callbacks(() if self.callbacks is None else self.callbacks))


def _by_head(params: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Group nested parameters by the name before the first `__`."""
    found: dict[str, dict[str, Any]] = {}
    for name, value in params.items():
        head, is_nested, rest = name.partition("__")
        if is_nested:
            found.setdefault(head, {})[rest] = value
    return found


def _part(value: Any, kind: str | None) -> Any:
    """Make a part from a name or a configuration. Anything else is returned unchanged."""
    return registry.of_kind(kind).get(value) if kind and isinstance(value, (str, Mapping)) else value


def _children(value: Any) -> dict[str, Any]:
    """The nested parameters of a part, a list, a network or a function, by name."""
    if isinstance(value, Network):
        return {"layers": list(value.layers)}
    if isinstance(value, (list, tuple)):
        return {str(number): each for number, each in enumerate(value)}
    if isinstance(value, Configurable):
        return {name: getattr(value, name) for name in inspect.signature(type(value)).parameters}
    if inspect.isfunction(value) or isinstance(value, functools.partial):
        given = inspect.signature(value).parameters.values()
        return {each.name: each.default for each in given if each.default is not each.empty}
    return {}


def _parameters(value: Any, kind: str | None) -> dict[str, Any]:
    try:
        part = _part(value, kind)
    except (LookupError, ValueError):  # a name that only this estimator knows, or an unknown one: fit reports it
        return {}
    found: dict[str, Any] = {}
    for name, child in _children(part).items():
        inner = _parameters(child, kind if isinstance(part, (list, tuple)) else None)
        found |= {name: child} | {f"{name}__{key}": each for key, each in inner.items()}
    return found


def _changed(value: Any, changes: dict[str, Any], kind: str | None) -> Any:
    """A copy of a part with some parameters changed."""
    part = _part(value, kind)
    children = _children(part)
    if not children:
        raise InvalidParameterError(
            f"Parameters such as {next(iter(changes))!r} must be set in a part, a list of parts, a network or a "
            f"function with defaults. Got {shown(value)} instead."
        )
    is_list = isinstance(part, (list, tuple))
    new = {name: child for name, child in changes.items() if "__" not in name}
    for head, inner in _by_head(changes).items():
        if head in children:
            new[head] = _changed(children[head], inner, kind if is_list else None)
        else:
            new[head] = inner
    unknown = new.keys() - children.keys()
    if unknown:
        raise unknown_name(f"parameter of {type(part).__name__}", min(unknown), children)
    if isinstance(part, Network):
        config = part.get_config()
        config["layers"] = [config["layers"][0], *(layer.get_config() for layer in new["layers"])]
        return Network.from_config(config)
    if is_list:
        return type(part)((children | new).values())
    if isinstance(part, Configurable):
        return type(part)(**children | new)
    return functools.partial(part, **new)
