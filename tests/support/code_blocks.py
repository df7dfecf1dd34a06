"""The blocks of code in the documentation: where they stand, in which language, and their text."""

import re
import textwrap
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
#: The number of characters of code that fit the column of a page.
COLUMN = 72
#: By the build, or included by a page.
MADE = ("reference/generated", "_build", "examples", "gallery/", "catalogue/", "_templates")

_DIRECTIVE = re.compile(r"^( *)\.\. (code-block|plot|doctest|literalinclude):: ?(.*)\n((?:\1 +:.*\n)*)", re.MULTILINE)
_LITERAL = re.compile(r"^( *+)(?!\.\. ).*::\n\n", re.MULTILINE)
_FENCE = re.compile(r"^(?:<!-- ([\w: ]+) -->\n)?```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    page: str
    line: int
    kind: str  # python, sh, toml, ...; plot, doctest, literalinclude; literal after a "::"
    argument: str
    options: str
    code: str

    def __str__(self):
        return f"{self.page}, line {self.line}: {self.kind}"


def pages():
    """The pages of the documentation that somebody has written, and what stands beside them."""
    found = [path for path in sorted(DOCS.rglob("*.rst")) if not path.relative_to(DOCS).as_posix().startswith(MADE)]
    return [*found, ROOT / "README.md", ROOT / "CONTRIBUTING.md"]


def name_of(path):
    return path.relative_to(DOCS if path.is_relative_to(DOCS) else ROOT).as_posix()


def indented(text, begin, indent):
    """The lines from there that are further in than `indent`, and those between them that are empty."""
    found = re.compile(rf"(?:[ \t]*\n|{indent} +.*\n?)*").match(text, begin)
    return textwrap.dedent(found[0]).strip("\n") + "\n", found.end()


def blocks(path):
    """All blocks of a page, in their order."""
    text, page = path.read_text(encoding="utf-8"), name_of(path)
    if path.suffix == ".md":
        for found in _FENCE.finditer(text):
            line = text[: found.start(2)].count("\n") + 1
            yield Block(page, line, found[2] or "literal", found[1] or "", "", found[3])
        return
    taken, result = [], []
    for found in _DIRECTIVE.finditer(text):
        code, end = indented(text, found.end(), found[1])
        kind = found[3] if found[2] == "code-block" else found[2]
        line = text[: found.start()].count("\n") + 1
        result.append(Block(page, line, kind, found[3], found[4], code))
        taken.append((found.start(), end))
    for found in _LITERAL.finditer(text):
        if not any(begin <= found.start() < end for begin, end in taken):
            code, end = indented(text, found.end(), found[1])
            result.append(Block(page, text[: found.end()].count("\n") + 1, "literal", "", "", code))
            taken.append((found.start(), end))
    for found in re.finditer(r"^( *)>>> (?:.*\n(?! *$))*.*\n?", text, re.MULTILINE):
        if not any(begin <= found.start() < end for begin, end in taken):
            line = text[: found.start()].count("\n") + 1
            result.append(Block(page, line, "doctest", "", "", textwrap.dedent(found[0])))
    yield from sorted(result, key=lambda block: block.line)
