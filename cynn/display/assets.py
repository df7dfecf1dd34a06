"""The files of which pages are made, in `cynn/web/static`, and modules of JavaScript joined to one script."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["as_json", "joined", "modules", "read"]

_STATIC = Path(__file__).parents[1] / "web" / "static"
_QUOTED = re.compile(r"""("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`)""", re.S)
_IMPORT = re.compile(r'^import [^;]* from "\./(\w+)\.js";\n', re.M)


def read(name: str) -> str:
    """The text of a file, such as "page.css"."""
    return (_STATIC / name).read_text(encoding="utf-8")


def modules(name: str, read: Callable[[str], str] = read) -> list[str]:
    """The texts of a module of JavaScript and of all that it imports, without imports and exports.

    What is imported comes first. `read` returns the text of a file, such as "main.js".
    """
    texts: dict[str, str] = {}

    def add(name: str) -> None:
        text = read(f"{name}.js")
        for needed in _IMPORT.findall(text):
            if needed not in texts:
                add(needed)
        texts[name] = re.sub(r"^export ", "", _IMPORT.sub("", text), flags=re.M)

    add(name)
    return list(texts.values())


def joined(name: str) -> str:
    """A module of JavaScript and all that it imports as one short script."""
    return "\n".join(map(_short, modules(name)))


def _short(text: str) -> str:
    """A module without comments, and without spaces that code does not need. Texts in quotes stay as they are."""
    text = re.sub(r"/\*\*.*?\*/ ?|^ *//[^\n]*\n|(?<=[;,{]) // [^\n]*", "", text, flags=re.S | re.M)
    parts = _QUOTED.split(text)  # code, quoted, code, ...
    parts[::2] = map(_without_spaces, parts[::2])
    return "".join(parts).strip()


def _without_spaces(code: str) -> str:
    code = re.sub(r" ?(=>|[=!]==|[-+*/]?=|&&|\|\||\?\?|[<>]=) ?|(?<=\{) | (?=\})", r"\1", code)
    code = re.sub(r"(?<=[\w)\]]) ([-+*/<>]) (?=[\w(])", r"\1", code)
    return re.sub(r"\s*\n\s*", "\n", code)


def as_json(value: Any) -> str:
    """A value for a script of an HTML file, in which no text can end the script."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
