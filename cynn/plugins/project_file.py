"""The pyproject.toml of a package with plugins: read, and given one more plugin."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cynn.components import package_names
from cynn.errors import InvalidParameterError
from cynn.plugins.plugin_names import as_module

__all__ = ["read", "with_entry_point", "with_requirements"]

_HEADER = r'^\[project\.entry-points\."{}"\][^\n]*\n'


def read(folder: Path) -> tuple[str, str]:
    """The name of the project in a folder that can take plugins, and the text of the file."""
    try:
        text = Path(folder, "pyproject.toml").read_text(encoding="utf-8")
        project = tomllib.loads(text).get("project")
        name = project.get("name") if isinstance(project, dict) else None
        if not isinstance(name, str) or not package_names.is_valid(name):
            wrong = "it has no [project] with a name"
        elif Path(folder, as_module(name)).is_dir():
            return name, text
        else:
            wrong = f"there is no folder {as_module(name)}"
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        wrong = f"{type(error).__name__}: {error}"
    raise InvalidParameterError(
        f"--into must name a folder that is new, or a package with a pyproject.toml. Got {str(folder)!r}: {wrong}."
    )


def with_entry_point(text: str, group: str, name: str, value: str) -> str:
    """The file with one more entry point.

    Examples
    --------
    >>> print(with_entry_point("", "cynn.losses", "mine", "package:Mine"))
    [project.entry-points."cynn.losses"]
    mine = "package:Mine"
    <BLANKLINE>
    """
    wanted = tomllib.loads(text)
    offered = wanted.setdefault("project", {}).setdefault("entry-points", {}).setdefault(group, {})
    if name in offered:
        raise InvalidParameterError(
            f"The name must be new. Got {name!r}, which is in the entry points of the group {group} already."
        )
    offered[name] = value
    line = f"{name} = {json.dumps(value)}\n"
    header = re.search(_HEADER.format(re.escape(group)), text, re.MULTILINE)
    if header:
        changed = text[: header.end()] + line + text[header.end() :]
    else:
        table = f'[project.entry-points."{group}"]\n{line}'
        tools = re.search(r"^\[tool\.", text, re.MULTILINE)
        at = tools.start() if tools else len(text)
        changed = text[:at] + table + ("\n" if tools else "") + text[at:]
    return _checked(changed, wanted, f'{name} = "{value}" in [project.entry-points."{group}"]')


def with_requirements(text: str, build: Sequence[str], dependencies: Sequence[str]) -> str:
    """The file with the requirements of one more plugin, to build and to run it, added where they are missing.

    Examples
    --------
    >>> before = (
    ...     '[build-system]\\nrequires = ["setuptools"]\\n'
    ...     "[project]\\ndependencies = []\\n"
    ... )
    >>> build = ["setuptools>=77", "Cython>=3.1"]
    >>> print(with_requirements(before, build, []))
    [build-system]
    requires = ["Cython>=3.1", "setuptools"]
    [project]
    dependencies = []
    <BLANKLINE>
    """
    for table, key, requirements in (("build-system", "requires", build), ("project", "dependencies", dependencies)):
        wanted = tomllib.loads(text)
        listed = wanted.setdefault(table, {}).setdefault(key, [])
        missing = [each for each in requirements if _package(each) not in map(_package, listed)]
        if not missing:
            continue
        more = ", ".join(map(json.dumps, missing)) + (", " if listed else "")
        listed[:0] = missing
        header = re.search(rf"^\[{re.escape(table)}\][^\n]*\n", text, re.MULTILINE)
        start = re.compile(rf"^{key} *= *\[", re.MULTILINE).search(text, header.end() if header else 0)
        if start:  # at the start: at the end there may be a comma or a comment
            text = text[: start.end()] + more + text[start.end() :]
        text = _checked(text, wanted, f"{', '.join(missing)} in {key} of [{table}]")
    return text


def _checked(text: str, wanted: dict[str, Any], what: str) -> str:
    """The text, if it is parsed as `wanted`; the file may have been written in a form that the edit does not fit."""
    try:
        if tomllib.loads(text) == wanted:
            return text
    except tomllib.TOMLDecodeError:
        pass
    raise InvalidParameterError(
        f"The pyproject.toml must be written as new-plugin does to be changed. Got another form: write {what} by hand."
    )


def _package(requirement: str) -> str:
    return package_names.canonical(re.split(r"[^\w.-]", requirement.strip())[0])
