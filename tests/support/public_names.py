"""What is public: the names that docs/reference lists, and all that is in them."""

import importlib
import inspect
import re
from pathlib import Path

from cynn import registry

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "index.rst"


def listed():
    """The names in the lists of the reference, without `cynn.` in front."""
    return re.findall(r"^   ([\w.]+)$", REFERENCE.read_text(encoding="utf-8"), re.MULTILINE)


def find(name):
    """The object of a dotted name."""
    module, _, rest = name.partition(".")
    thing = importlib.import_module(module)
    for part in filter(None, rest.split(".")):
        try:
            thing = getattr(thing, part)
        except AttributeError:
            thing = importlib.import_module(f"{thing.__name__}.{part}")
    return thing


def is_ours(thing):
    return str(getattr(thing, "__module__", "")).split(".")[0] in ("cynn", "cynn_plugins")


def name_of(thing):
    return f"{thing.__module__}.{thing.__qualname__}"


def members(cls):
    """Every public method, property and declared attribute of a class, by the class that defines it."""
    for name in dir(cls):
        owner = next(one for one in cls.__mro__ if name in vars(one) or one is object)
        part = inspect.getattr_static(cls, name)
        is_documented = callable(part) or hasattr(part, "__get__")
        is_documented &= not name.endswith("_request")  # scikit-learn makes these, as of every estimator
        if not name.startswith("_") and is_ours(owner) and is_documented and not inspect.isclass(part):
            yield f"{name_of(owner)}.{name}", owner, name


def public_objects():
    """{name: (object, owner, name within it)} of all that the reference and the gallery show."""
    found = {}

    def add(thing, name):
        found[name] = (thing, None, None)
        if inspect.isclass(thing):
            for full, owner, attribute in members(thing):
                found[full] = (getattr(owner, attribute), owner, attribute)

    for name in listed():
        thing = find(f"cynn.{name}")
        if not inspect.ismodule(thing):
            add(thing, name_of(thing))
            continue
        found[f"cynn.{name}"] = (thing, None, None)
        for attribute, part in vars(thing).items():
            if not attribute.startswith("_") and getattr(part, "__module__", None) == thing.__name__:
                add(part, f"cynn.{name}.{attribute}")
    for of_kind in registry.OF_KIND.values():
        for name in of_kind.names():
            if of_kind.provider(name) == "cynn-nn":
                add(of_kind.find(name), name_of(of_kind.find(name)))
    return found
