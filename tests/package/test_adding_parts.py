"""What a new part touches beside its own file, as CONTRIBUTING.md says: each place that lacks it is named here."""

import importlib
import pkgutil
import re
import tomllib
from pathlib import Path

import catalogue_layers
import catalogue_optimizers
import catalogue_reference
import every_part
import public_names
import pytest

import cynn
import cynn_plugins

ROOT = Path(__file__).parents[2]
LAYERS_PAGE = (ROOT / "docs" / "layers.rst").read_text(encoding="utf-8")
GROUPS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]

for package in (cynn.layers, cynn.callbacks, cynn.schedules, cynn.solvers, cynn_plugins):
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(found.name)

BASES = {
    "activation": cynn.activations.Activation,
    "loss": cynn.losses.Loss,
    "optimizer": cynn.optimizers.Optimizer,
    "layer": cynn.layers.Layer,
    "schedule": cynn.schedules.Schedule,
    "initializer": cynn.initializers.Initializer,
    "regularizer": cynn.regularizers.Regularizer,
    "constraint": cynn.constraints.Constraint,
    "metric": cynn.metrics.Metric,
    "callback": cynn.callbacks.Callback,
    "solver": cynn.solvers.Solver,
}
#: A row of numbers to hold a part of the catalogue to.
REFERENCES = {
    "activation": (
        "ACTIVATIONS or ROWWISE_ACTIVATIONS in tests/support/catalogue_reference.py",
        {key.split()[0] for key in catalogue_reference.ACTIVATIONS} | set(catalogue_reference.ROWWISE_ACTIVATIONS),
    ),
    "loss": (
        "LOSSES in tests/support/catalogue_reference.py",
        {key.split()[0] for key in catalogue_reference.LOSSES},
    ),
    "optimizer": ("tests/support/catalogue_optimizers.py", vars(catalogue_optimizers)),
    "layer": ("tests/support/catalogue_layers.py", {make().name for make in catalogue_layers.LAYERS.values()}),
}


def plural(kind):
    return cynn.registry.of_kind(kind).group.removeprefix("cynn.")


def parts(kind):
    """Every class of a kind in the sources that is no base of others: what is written, not what is listed."""
    found, classes = [], [BASES[kind]]
    while classes:
        for cls in classes.pop().__subclasses__():
            classes.append(cls)
            if cls.__module__.split(".")[0] in ("cynn", "cynn_plugins") and not cls.__name__.startswith("_"):
                found.append(cls)
    return found


def missing(kind, cls):
    """The places that a class must be named in and is not."""
    places, names = [], {getattr(cls, "name", cls.__name__), *getattr(cls, "aliases", ())}
    if cls.__module__.split(".")[0] == "cynn":
        for owner in [importlib.import_module(f"cynn.{plural(kind)}"), *([cynn] if kind == "layer" else [])]:
            if getattr(owner, cls.__name__, None) is not cls or cls.__name__ not in owner.__all__:
                places.append(f"the import and __all__ of {owner.__name__}")
        if kind == "layer" and not re.search(rf"^(?=``).*``{cls.__name__}``", LAYERS_PAGE, re.MULTILINE):
            places.append("the table of docs/layers.rst")
        shown = {name.removeprefix(f"{plural(kind)}.") for name in public_names.listed()
                 if name.startswith(f"{plural(kind)}.") or kind == "layer"}  # fmt: skip
        if cls.__name__ not in shown:
            places.append("docs/reference/index.rst")
    else:
        entries = GROUPS[f"cynn.{plural(kind)}"]
        unknown = sorted(name for name in names if entries.get(name) != f"{cls.__module__}:{cls.__name__}")
        places += [f"{name} in the entry points of pyproject.toml" for name in unknown]
        family = importlib.import_module(f"cynn_plugins.{plural(kind)}")
        if f"`{cls.name}`" not in family.__doc__:
            places.append(f"the table of cynn_plugins/{plural(kind)}/__init__.py")
        where, rows = REFERENCES[kind]
        if not names & set(rows):
            places.append(where)
    if not {text.partition("(")[0] for text in every_part.PARTS[kind]} & {cls.__name__, *names}:
        places.append("tests/support/every_part.py")
    return places


@pytest.mark.parametrize("kind", BASES)
def test_every_part_is_where_it_must_be(kind):
    assert len(parts(kind)) >= 2
    for cls in parts(kind):
        assert missing(kind, cls) == [], f"{cls.__name__} of {cls.__module__}: see CONTRIBUTING.md"


@pytest.mark.parametrize(
    ("kind", "module", "places"),
    [
        ("layer", "cynn.layers.shift",
         ["the import and __all__ of cynn.layers", "the import and __all__ of cynn", "the table of docs/layers.rst",
          "docs/reference/index.rst", "tests/support/every_part.py"]),
        ("callback", "cynn.callbacks.shift",
         ["the import and __all__ of cynn.callbacks", "docs/reference/index.rst", "tests/support/every_part.py"]),
        ("schedule", "cynn.schedules.shift",
         ["the import and __all__ of cynn.schedules", "docs/reference/index.rst", "tests/support/every_part.py"]),
        ("solver", "cynn.solvers.shift",
         ["the import and __all__ of cynn.solvers", "docs/reference/index.rst", "tests/support/every_part.py"]),
        ("activation", "cynn_plugins.activations.shift",
         ["move in the entry points of pyproject.toml",
          "shift in the entry points of pyproject.toml", "the table of cynn_plugins/activations/__init__.py",
          "ACTIVATIONS or ROWWISE_ACTIVATIONS in tests/support/catalogue_reference.py", "tests/support/every_part.py"]),
        ("loss", "cynn_plugins.losses.shift",
         ["move in the entry points of pyproject.toml",
          "shift in the entry points of pyproject.toml", "the table of cynn_plugins/losses/__init__.py",
          "LOSSES in tests/support/catalogue_reference.py", "tests/support/every_part.py"]),
        ("optimizer", "cynn_plugins.optimizers.shift",
         ["move in the entry points of pyproject.toml",
          "shift in the entry points of pyproject.toml", "the table of cynn_plugins/optimizers/__init__.py",
          "tests/support/catalogue_optimizers.py",
          "tests/support/every_part.py"]),
        ("metric", "cynn.metrics",
         ["the import and __all__ of cynn.metrics", "docs/reference/index.rst", "tests/support/every_part.py"]),
    ],
)  # fmt: skip
def test_a_part_that_is_only_written_is_missed_everywhere(kind, module, places):
    class Shift:
        name = "shift"
        aliases = ("move",)

    Shift.__module__ = module
    assert missing(kind, Shift) == places
    told = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for place in places:
        for file in re.findall(r"[\w/]+\.(?:rst|py|toml)", place):
            assert file in told, file


def test_a_class_is_found_wherever_it_is_written():
    class Shift(cynn.layers.Layer):
        name = "shift"

    assert Shift not in parts("layer")  # it is of no package of ours
    Shift.__module__ = "cynn.layers.shift"
    try:
        assert Shift in parts("layer")
    finally:
        Shift.__module__ = __name__


def test_the_files_that_contributing_names_are_there():
    told = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    files = re.findall(r"`((?:tests|docs|cynn|cynn_plugins|benchmarks|\.ci)/[\w./-]*)`", told)
    assert len(files) > 20
    assert [file for file in files if not (ROOT / file).exists()] == []
