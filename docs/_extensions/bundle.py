"""Modules of JavaScript, put together into one script: those of ``docs/interactive``, and of ``cynn/web/static``."""

from pathlib import Path

from cynn.display import assets

FOLDER = Path(__file__).parents[1] / "interactive"


def script_of(name):
    """One script of a module and of what it imports."""
    return "\n".join(assets.modules(name, _read))


def _read(file):
    path = FOLDER / file
    return path.read_text(encoding="utf-8") if path.exists() else assets.read(file)
