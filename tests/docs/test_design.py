"""The page on design tells of what is there."""

import re
from pathlib import Path

import cynn

PACKAGE = Path(cynn.__file__).parent
PAGE = (Path(__file__).parents[2] / "docs" / "design.rst").read_text(encoding="utf-8")
# Modules that belong to no wing.
WITHOUT = {
    "__init__", "__main__", "configuration", "errors", "file_access", "hyperparameters", "installation", "old_names",
    "version",
}  # fmt: skip


def test_the_table_has_every_wing():
    table = PAGE[PAGE.index("wing                    what is in it") : PAGE.index("What happens in fit and predict")]
    told = set(re.findall(r"``(\w+)(?:/|\.py)``", table))
    there = {path.stem for path in PACKAGE.glob("*.py")} | {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert told == there - WITHOUT


def test_the_files_that_it_names_are_there():
    named = set(re.findall(r"``([\w/]+\.(?:py|pyx|h|pxd))``", PAGE))
    assert len(named) > 8
    places = [PACKAGE, PACKAGE / "kernels", PACKAGE / "include"]
    assert [file for file in named if not any((place / file).exists() for place in places)] == []
