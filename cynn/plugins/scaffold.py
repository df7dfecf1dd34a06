"""`cynn new-plugin`: a package with a plugin, ready to be built, checked and published; or one more in a package."""

from __future__ import annotations

import datetime
import json
import subprocess
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import NamedTuple

from cynn import registry
from cynn.components import package_names
from cynn.errors import InvalidParameterError, unknown_name
from cynn.plugins import plugin_names, project_file
from cynn.version import __version__

__all__ = ["KINDS", "KINDS_WITH_KERNELS", "LANGUAGES", "installation", "languages", "new_plugin"]

KINDS_WITH_KERNELS = ["activation", "loss", "optimizer", "layer"]
KINDS = [*KINDS_WITH_KERNELS, "solver", "schedule", "metric", "callback", "initializer", "regularizer", "constraint"]
LANGUAGES = ["cython", "c", "numba", "python"]

CYNN = f"{package_names.OWN}>={__version__}"


# What differs if the plugin is compiled.
_PURE = {".github/workflows/wheels.yml": "package/wheels_pure.yml"}
_COMPILED = {".github/workflows/wheels.yml": "package/wheels_compiled.yml", "setup.py": "package/setup.py"}
#: The files of a package that one more plugin may change.
_CHANGED = {"README.md", "pyproject.toml", *_COMPILED}


class _Language(NamedTuple):
    source: str  # the file that holds the formula
    build: list[str]  # what is required to build it, and to run it
    dependencies: list[str]


_LANGUAGES = {
    "cython": _Language("_kernel.pyx", ["setuptools>=77", "Cython>=3.1", CYNN], [CYNN]),
    "c": _Language("_kernel.c", ["setuptools>=77", CYNN], [CYNN]),
    "numba": _Language("_kernel.py", ["setuptools>=77"], [CYNN, "numba"]),
    "python": _Language("__init__.py", ["setuptools>=77"], [CYNN, "numpy>=1.26"]),
}
# How a plugin of each kind is used.
_USAGE = {
    "activation": 'cynn.Network.mlp([784, 16, 10], activation="$name", output="softmax")',
    "loss": 'net.fit(x, y, loss="$name")',
    "optimizer": 'net.fit(x, y, optimizer="$name")',
    "solver": 'net.fit(x, y, optimizer="$name", epochs=100)',
    "layer": 'cynn.Network([cynn.Input(3), cynn.Dense(8), cynn.registry.layers.get("$name"), cynn.Dense(1)])',
    "schedule": 'cynn.optimizers.Adam(cynn.registry.schedules.get("$name"))',
    "metric": 'net.fit(x, y, metrics=["$name"])',
    "callback": 'net.fit(x, y, callbacks=["$name"])',
    "initializer": 'cynn.Dense(16, initializer="$name")',
    "regularizer": 'cynn.Dense(16, regularizer="$name")',
    "constraint": 'cynn.Dense(16, constraint="$name")',
}
# The built-in part that the generated test replaces by the new one.
_USUAL = {"activation": "tanh", "loss": "mean_squared_error", "optimizer": "adam"}
# The argument of `fit` by which the generated test passes a part of other kinds.
_IN_FIT = {"metric": ', metrics=["$name"]', "callback": ', callbacks=["$name"]'}


def languages(kind: str) -> list[str]:
    """The languages in which a plugin of a kind may be written, the default first.

    Examples
    --------
    >>> languages("loss"), languages("metric")
    (['cython', 'c', 'numba', 'python'], ['python'])
    """
    return LANGUAGES if kind in KINDS_WITH_KERNELS else ["python"]


def installation(path: str | Path, language: str) -> list[str]:
    """The commands that install the package in a folder, built against the CyNN that is installed.

    Examples
    --------
    >>> installation("./my-activation", "c")
    ['pip install --upgrade setuptools',
     'pip install --no-build-isolation ./my-activation']
    """
    tools = [required.partition(">")[0] for required in _LANGUAGES[language].build if required != CYNN]
    return [f"pip install --upgrade {' '.join(tools)}", f"pip install --no-build-isolation {path}"]


def new_plugin(
    name: str,
    *,
    kind: str = "activation",
    language: str | None = None,
    into: str | Path | None = None,
    parent: str | Path = ".",
) -> Path:
    """Write a plugin into a new package or into an existing one. Returns the folder of the package.

    Parameters
    ----------
    name : str
        Lower case words joined by `-`: that of the plugin, and of the package where it is a new one for it alone.
    kind : str
        One of `KINDS`.
    language : {"cython", "c", "numba", "python"}, optional
        Left out, Cython; of kinds without kernels, Python.
    into : path, optional
        The folder of a package with plugins, which gets one more. Where there is none, it is made.
    parent : path
        The folder in which the new folder is made.

    Raises
    ------
    InvalidParameterError
        The name cannot be one, is taken, or the folder exists or holds no package.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as parent:
    ...     folder = new_plugin(
    ...         "my-activation", language="python", parent=parent
    ...     )
    ...     sorted(path.name for path in folder.iterdir())
    ['.github', '.gitignore', 'LICENSE', 'MANIFEST.in', 'README.md',
     'my_activation', 'pyproject.toml', 'tests']
    """
    if kind not in KINDS:
        raise unknown_name("kind of plugin", kind, KINDS)
    language = language or languages(kind)[0]
    if language not in languages(kind):
        raise unknown_name(f"language of a new {kind}", language, languages(kind))
    plugin_names.check_plugin(name, kind)
    folder = Path(parent, name if into is None else into)
    project = folder.resolve().name
    if folder.exists() and into is None:
        raise InvalidParameterError(f"The folder must be new. Got {str(folder)!r}, which exists.")
    settings = None
    if folder.exists():
        project, settings = project_file.read(folder)
    else:
        plugin_names.check_package(project)
    values = _values(project, name, kind, language, alone=into is None)
    around = _of_new_package(values, language) if settings is None else _changed(folder, settings, values, language)
    written = _of_plugin(values, kind, language) | around
    for path in written:
        if (folder / path).exists() and path not in _CHANGED:
            raise InvalidParameterError(f"The plugin must be a new one. Got {name!r}, whose {path} exists in {folder}.")
    for path, text in written.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder


def _values(project: str, name: str, kind: str, language: str, *, alone: bool) -> dict[str, str]:
    """The values of the placeholders of the templates, which begin with $."""
    package, own = plugin_names.as_module(project), plugin_names.as_module(name)
    author = _author()
    named = {
        "project": project,
        "package": package,
        "name": own,
        "module": package if alone else f"{package}.{own}",
        "place": package if alone else f"{package}/{own}",
        "class_name": plugin_names.as_class(name),
        "kind": kind,
        "plural": registry.of_kind(kind).group.removeprefix("cynn."),
        "description": f"The {kind} {own} for CyNN" if alone else "Plugins for CyNN",
        "author": json.dumps(author, ensure_ascii=False),
        "author_name": author,
        "year": str(datetime.date.today().year),
        "requires": _list(_LANGUAGES[language].build),
        "dependencies": _list(_LANGUAGES[language].dependencies),
        "installation": "\n    ".join(installation(".", language)),
        "plugins": _line(own, kind),
    }
    return named | _used_in_tests(own, kind)


def _used_in_tests(name: str, kind: str) -> dict[str, str]:
    used = {other: f'"{name if other == kind else usual}"' for other, usual in _USUAL.items()}
    optimizer = "cynn.optimizers.Adam(0.01)"
    if kind == "optimizer":
        optimizer = f'cynn.registry.optimizers.get("{name}", learning_rate=0.02)'
    rate = f'cynn.registry.schedules.get("{name}")' if kind == "schedule" else "0.02"
    solver = f'cynn.registry.solvers.get("{name}")'
    is_of_layer = kind not in (*KINDS_WITH_KERNELS, *_IN_FIT, "schedule", "solver")
    return {
        **used,
        "optimizer": optimizer,
        "trained_by": solver if kind == "solver" else f"cynn.optimizers.Adam({rate})",
        "of_fit": Template(_IN_FIT.get(kind, "")).substitute(name=name),
        "of_layer": f', {kind}="{name}"' if is_of_layer else "",
    }


def _line(name: str, kind: str) -> str:
    """The line of the README for a plugin."""
    return f"- the {kind} `{name}`: `{Template(_USAGE[kind]).substitute(name=name)}`"


def _list(requirements: Iterable[str]) -> str:
    return f"[{', '.join(map(json.dumps, requirements))}]"


def _author() -> str:
    """The name of git's user, without characters that cannot be printed."""
    try:
        name = subprocess.run(["git", "config", "user.name"], capture_output=True, text=True, encoding="utf-8").stdout
    except (OSError, UnicodeDecodeError):
        name = ""
    return "".join(filter(str.isprintable, name)).strip() or "Your Name"


def _of_plugin(values: Mapping[str, str], kind: str, language: str) -> dict[str, str]:
    """The files of one plugin, by their paths in the package."""
    place, is_compiled = values["place"], language in ("cython", "c")
    test = "test_layer" if kind == "layer" else "test_kernel" if kind in KINDS_WITH_KERNELS else "test_part"
    templates = {
        f"{place}/__init__.py": f"{'compiled' if is_compiled else language}/{kind}.py",
        f"tests/test_{values['name']}.py": f"parts/{test}.py",
    }
    if is_compiled:
        suffix = Path(_LANGUAGES[language].source).suffix
        templates[f"{place}/_kernel{suffix}"] = f"{language}/{kind}{suffix}"
        templates[f"{place}/_kernel.pyi"] = "compiled/kernel.pyi"
    if language == "numba":
        templates[f"{place}/_kernel.py"] = f"numba/{kind}_kernel.py"
        templates[f"{place}/_kernel.pyi"] = "numba/kernel.pyi"
    return {path: _rendered(template, values) for path, template in templates.items()}


def _of_new_package(values: Mapping[str, str], language: str) -> dict[str, str]:
    """The files of a new package apart from those of its plugins."""
    templates = {name: f"package/{name}" for name in ("README.md", "LICENSE", "MANIFEST.in", "pyproject.toml")}
    templates |= {".gitignore": "package/gitignore", f"{values['package']}/py.typed": "package/py.typed"}
    templates |= _COMPILED if language in ("cython", "c") else _PURE
    if values["module"] != values["package"]:
        templates[f"{values['package']}/__init__.py"] = "package/init.py"
    texts = {path: _rendered(template, values) for path, template in templates.items()}
    texts["pyproject.toml"] = project_file.with_entry_point(texts["pyproject.toml"], *_entry_point(values))
    return texts


def _changed(folder: Path, settings: str, values: Mapping[str, str], language: str) -> dict[str, str]:
    """Those of these files that change in an existing package, given its pyproject.toml."""
    needed, readme = _LANGUAGES[language], folder / "README.md"
    text = project_file.with_entry_point(settings, *_entry_point(values))
    changed = {"pyproject.toml": project_file.with_requirements(text, needed.build, needed.dependencies)}
    if readme.exists():
        lines = readme.read_text(encoding="utf-8").split("\n")
        changed["README.md"] = "\n".join(_with_plugin(lines, values["plugins"], language))
    if language in ("cython", "c"):
        for path, template in _COMPILED.items():
            before = _rendered(_PURE[path], values) if path in _PURE else None
            there = (folder / path).read_text(encoding="utf-8") if (folder / path).exists() else None
            if there == before:  # an edited file is left as it is
                changed[path] = _rendered(template, values)
    return changed


def _entry_point(values: Mapping[str, str]) -> tuple[str, str, str]:
    return f"cynn.{values['plural']}", values["name"], f"{values['module']}:{values['class_name']}"


def _with_plugin(readme: list[str], line: str, language: str) -> list[str]:
    """The lines of a README with one more plugin in its list, if it has one, and with what builds that plugin."""
    tools, more = (f"    {installation('.', each)[0]}" for each in ("python", language))
    lines = [more if each == tools else each for each in readme]
    listed = [number for number, each in enumerate(lines) if each.startswith("- the ") and ": `" in each]
    return [*lines[: listed[-1] + 1], line, *lines[listed[-1] + 1 :]] if listed else lines


def _rendered(template: str, values: Mapping[str, str]) -> str:
    text = files("cynn.plugins").joinpath("templates", f"{template}.in").read_text(encoding="utf-8")
    return Template(text).substitute(values)
