"""`cynn new-plugin`: a package with an activation, a loss or an optimizer, ready to be installed."""

from __future__ import annotations

import keyword
import re
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from string import Template

from cynn import registry
from cynn.components import package_names
from cynn.errors import InvalidParameterError, unknown_name

__all__ = ["KINDS", "LANGUAGES", "installation", "new_plugin", "plugin_name"]

KINDS = ["activation", "loss", "optimizer"]
LANGUAGES = ["cython", "c", "numba", "python"]

# The file of the package that holds the formula.
_SOURCES = {"cython": "_kernel.pyx", "c": "_kernel.c", "numba": "_kernel.py", "python": "__init__.py"}
# What must be installed to build it: pip is not to fetch these, nor another CyNN than the one that is there.
_TOOLS = {"cython": "setuptools Cython", "c": "setuptools", "numba": "setuptools", "python": "setuptools"}
# What the generated test and the README use in place of the new one.
_USUAL = {"activation": "tanh", "loss": "mean_squared_error", "optimizer": "adam"}


def plugin_name(project: str) -> str:
    """The name of the plugin, and of the Python package, of a project.

    Examples
    --------
    >>> plugin_name("my-activation")
    'my_activation'
    """
    return project.replace("-", "_")


def installation(path: str | Path, language: str) -> list[str]:
    """The commands that install the package in a folder, built against the CyNN that is installed.

    Examples
    --------
    >>> installation("./my-activation", "c")
    ['pip install --upgrade setuptools', 'pip install --no-build-isolation ./my-activation']
    """
    return [f"pip install --upgrade {_TOOLS[language]}", f"pip install --no-build-isolation {path}"]


def new_plugin(
    project: str, *, kind: str = "activation", language: str = "cython", parent: str | Path = "."
) -> Path:
    """Write a package with a plugin into a new folder, which is returned.

    Parameters
    ----------
    project : str
        The name of the package: lower case words joined by `-`.
    kind : {"activation", "loss", "optimizer"}
    language : {"cython", "c", "numba", "python"}
    parent : path
        Where the new folder goes.

    Raises
    ------
    InvalidParameterError
        The name cannot be one, is taken, or the folder exists.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as parent:
    ...     folder = new_plugin("my-activation", language="python", parent=parent)
    ...     sorted(path.name for path in folder.iterdir())
    ['.gitignore', 'README.md', 'my_activation', 'pyproject.toml', 'tests']
    """
    if kind not in KINDS:
        raise unknown_name("kind of plugin", kind, KINDS)
    if language not in LANGUAGES:
        raise unknown_name("language of plugins", language, LANGUAGES)
    name = _checked_name(project, kind)
    folder = Path(parent, project)
    if folder.exists():
        raise InvalidParameterError(f"The folder must be a new one. Got {str(folder)!r}, which exists.")
    values = _values(project, name, kind, language)
    for path, template in _templates(name, kind, language).items():
        text = Template(files("cynn.plugins").joinpath("templates", template).read_text(encoding="utf-8"))
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text.substitute(values), encoding="utf-8")
    return folder


def _checked_name(project: str, kind: str) -> str:
    name = plugin_name(project)
    if not re.fullmatch(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*", project) or keyword.iskeyword(name):
        raise InvalidParameterError(
            "The name of a package must be lower case words joined by '-', such as my-activation. Got "
            f"{project!r} instead."
        )
    of_kind = registry.OF_KIND[kind]
    if of_kind.has(name):
        raise InvalidParameterError(
            f"The name must be new. Got {name!r}, which {of_kind.provider(name)} has."
        )
    if package_names.is_ours(project) or find_spec(name):
        # installing the new package would overwrite the other
        raise InvalidParameterError(
            f"The name must be new. Got {project!r}, which is the name of a package that is installed."
        )
    return name


def _values(project: str, name: str, kind: str, language: str) -> dict[str, str]:
    used = {other: f'"{name if other == kind else usual}"' for other, usual in _USUAL.items()}
    if kind == "optimizer":
        optimizer = f'cynn.registry.optimizers.get("{name}", learning_rate=0.02)'
    else:
        optimizer = "cynn.optimizers.Adam(0.01)"
    usages = {
        "activation": f'cynn.Network.mlp([784, 16, 10], activation="{name}", output="softmax")',
        "loss": f'net.fit(x, y, loss="{name}")',
        "optimizer": f'net.fit(x, y, optimizer="{name}")',
    }
    return {
        "project": project,
        "package": name,
        "name": name,
        "class_name": "".join(word.capitalize() for word in name.split("_")),
        "kind": kind,
        "article": "an" if kind[0] in "aeiou" else "a",
        "plural": "losses" if kind == "loss" else f"{kind}s",
        "source": _SOURCES[language],
        "installation": "\n    ".join(installation(".", language)),
        "usage": usages[kind],
        "ignored": f"{name}/_kernel.c" if language == "cython" else "*.nbi",
        **used,
        "optimizer": optimizer,
    }


def _templates(name: str, kind: str, language: str) -> dict[str, str]:
    """The files of the package, and the templates that they come from."""
    paths = {
        "README.md": "common/README.md.in",
        ".gitignore": "common/gitignore.in",
        f"tests/test_{name}.py": "common/test.py.in",
        "pyproject.toml": f"{language}/pyproject.toml.in",
        f"{name}/__init__.py": f"{language}/{kind}.py.in",
    }
    if language == "cython":
        paths |= {"setup.py": "cython/setup.py.in", f"{name}/_kernel.pyx": f"cython/{kind}.pyx.in"}
    if language == "c":
        paths |= {"setup.py": "c/setup.py.in", f"{name}/_kernel.c": f"c/{kind}.c.in"}
    if language == "numba":
        paths[f"{name}/_kernel.py"] = f"numba/{kind}_kernel.py.in"
    return paths
