"""Loads a class from a file, to check it without installing it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

from cynn import registry
from cynn.components.configurable import Configurable
from cynn.errors import InvalidParameterError, PluginError, unknown_name

__all__ = ["class_at", "is_place"]


def is_place(name: str) -> bool:
    """Whether a name has the form `file.py` or `file.py:Class`."""
    return name.endswith(".py") or ".py:" in name


def class_at(place: str) -> Any:
    """The class that `file.py:Class` names, or the only class in `file.py` that can be checked."""
    head, _, name = place.rpartition(".py:") if ".py:" in place else (place[:-3], "", "")
    path = Path(head + ".py")
    if not path.is_file():
        raise InvalidParameterError(f"A file with a class must exist. Got {str(path)!r} instead.")
    module = _module(path)
    kinds = {*registry.OF_KIND, "layer"}
    found = {
        key: value
        for key, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, Configurable)
        and value._registry.kind in kinds
        and value.__module__ == module.__name__
    }
    if name:
        if name not in found:
            raise unknown_name(f"class of {path}", name, sorted(found) or ["(none that can be checked)"])
        return found[name]
    if len(found) != 1:
        raise InvalidParameterError(
            f"The class must be named where a file has several, as {path}:{next(iter(found), 'Class')}. "
            f"Got {', '.join(found) or 'none that can be checked'}."
        )
    return next(iter(found.values()))


def _module(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise InvalidParameterError(f"A file with a class must be Python. Got {str(path)!r} instead.")
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(path.stem)
    sys.modules[path.stem] = module  # so that its classes can be pickled
    sys.path.insert(0, str(path.parent.resolve()))  # for modules next to the file
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[path.stem]
        if before is not None:
            sys.modules[path.stem] = before
        raise PluginError(f"{path} could not be imported: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(path.parent.resolve()))
    return module
