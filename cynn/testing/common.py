"""Checks for all kinds: the class, its configuration and its hyperparameters."""

from __future__ import annotations

import functools
import itertools
import pickle
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from cynn.components.hyperparameters import Component, Hyperparameter
from cynn.errors import CynnError
from cynn.testing.report import Failure, Skipped

__all__ = ["changed", "class_checks", "variants"]

C = TypeVar("C", bound=Component)


def changed(component: C, **values: Any) -> C | None:
    """The same component with other hyperparameters, or None if they are not allowed."""
    given = {name: getattr(component, name) for name in component.hyperparameters}
    try:
        return type(component)(**{**given, **values})
    except CynnError:  # out of bounds, or inconsistent with another
        return None


def variants(component: C) -> Iterator[C]:
    """The component, and for each hyperparameter one with another value."""
    yield component
    for name, declared in component.hyperparameters.items():
        if name == "learning_rate":
            continue
        default = getattr(component, name)
        others = (changed(component, **{name: value}) for value in _others(declared, default) if value != default)
        yield from itertools.islice((other for other in others if other is not None), 1)


def _others(declared: Hyperparameter, default: Any) -> list[Any]:
    """Values to try instead of the default."""
    if isinstance(default, bool):
        return [not default]
    if declared.choices:
        return [each for each in declared.choices if each != default]
    if declared.is_whole:
        return [default + 1, default - 1]
    return [1.5 * default + 0.25, 0.5 * default]


def class_checks(component: Component) -> list[tuple[str, Callable[[], str]]]:
    """Check the name, docstrings, configuration and pickling."""
    checks = {
        "docstring": _docstring,
        "documented hyperparameters": _hyperparameter_docs,
        "get_config round trip": _round_trip,
        "pickling": _pickling,
    }
    return [(name, functools.partial(check, component)) for name, check in checks.items()]


def _docstring(component: Component) -> str:
    cls = type(component)
    doc = (vars(cls).get("__doc__") or "").strip()
    if not doc:
        raise Failure(f"{cls.__name__} must have a docstring that starts with its formula. It has none.")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", cls.name):
        raise Failure(f"name must be lower case words joined by _. Got {cls.name!r} instead.")
    return doc.splitlines()[0]


def _hyperparameter_docs(component: Component) -> str:
    declared = component.hyperparameters
    missing = [name for name, hyperparameter in declared.items() if not hyperparameter.doc.strip()]
    if missing:
        raise Failure(f"each hyperparameter must have a line of doc. {', '.join(missing)} has none.")
    if not declared:
        raise Skipped("it has no hyperparameters")
    for name, hyperparameter in declared.items():
        hyperparameter.check(hyperparameter.default, f"the default of {name}")
    return ", ".join(declared)


def _round_trip(component: Component) -> str:
    cls = type(component)
    for one in variants(component):
        config = one.get_config()
        if str(config.get("name")).rpartition(":")[2] != cls.name:  # the name of a plugin begins with its package
            raise Failure(f"get_config() must hold the name {cls.name!r}. Got {config.get('name')!r} instead.")
        missing = set(component.hyperparameters) - set(config)
        if missing:
            raise Failure(f"get_config() must hold every hyperparameter. It lacks {', '.join(sorted(missing))}.")
        other = cls.from_config(config)
        if other.get_config() != config or other != one:
            raise Failure(f"from_config({config}) must give an equal one. Got {other.get_config()} instead.")
        if other.kernel_values() != one.kernel_values():
            raise Failure(
                f"from_config({config}) must give the kernel {one.kernel_values()}. "
                f"Got {other.kernel_values()} instead."
            )
    return str(component.get_config())


def _pickling(component: Component) -> str:
    cls = type(component)
    module = sys.modules.get(cls.__module__)
    found: Any = module
    for part in cls.__qualname__.split("."):
        found = getattr(found, part, None)
    if found is not cls:
        raise Skipped(f"{cls.__qualname__} is not at the top of its module, so Python cannot pickle it")
    other = pickle.loads(pickle.dumps(component))
    if other != component or other.get_config() != component.get_config():
        raise Failure(f"pickling must give an equal one, {component!r}. Got {other!r} instead.")
    return f"{len(pickle.dumps(component))} bytes"
