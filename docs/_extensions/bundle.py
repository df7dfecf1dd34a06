"""Modules of JavaScript, put together into one script: those of ``docs/interactive``, and of ``cynn/web/static``."""

import re
from pathlib import Path

import cynn.web

_FOLDERS = (Path(__file__).parents[1] / "interactive", Path(cynn.web.__file__).with_name("static"))
_IMPORT = re.compile(r'^import [^;]* from "\./(\w+)\.js";\n', re.MULTILINE)


def modules_of(name):
    """The files of a module and of all that it imports, what is imported first."""
    found = []

    def add(name):
        (path,) = [folder / f"{name}.js" for folder in _FOLDERS if (folder / f"{name}.js").exists()]
        for needed in _IMPORT.findall(path.read_text(encoding="utf-8")):
            add(needed)
        if path not in found:
            found.append(path)

    add(name)
    return found


def script_of(name):
    """One script of a module and of what it imports, without imports, exports and their comments."""
    text = "".join(_IMPORT.sub("", path.read_text(encoding="utf-8")) for path in modules_of(name))
    text = re.sub(r"/\*\*.*?\*/ ?", "", text, flags=re.DOTALL)
    text = re.sub(r"^export ", "", text, flags=re.MULTILINE)
    return re.sub(r"\s*\n\s*", "\n", text).strip()
