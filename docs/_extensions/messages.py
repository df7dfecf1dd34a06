"""Every error message of the package, read from its sources, for the page on troubleshooting.

    .. messages:: data.py training.py:_diverged

lists the messages of files, or of single functions of them, or of one kind of error, below `cynn` or, with
`cynn_plugins/` in front, of the catalogue. What is named so somewhere is left out where its file is named.
"""

import ast
import functools
import re
from pathlib import Path
from typing import NamedTuple

from docutils import nodes
from docutils.parsers.rst import Directive

ROOT = Path(__file__).parents[2]
PACKAGES = ("cynn", "cynn_plugins")
# What makes an error, a warning or a line of a report; the second is what `unknown_name` says.
MAKES = re.compile(
    r"(?<!class )(?<!def )\b"
    r"((?!KeyError)\w*(?:Error|Warning)|warn|unknown_name|unknown_parameter|not_allowed|_bad|Failure|Skipped)\("
)
# What functions that make errors say, with their arguments, and of which kind the error is.
MAKERS = {
    "unknown_name": ("UnknownNameError", "There is no {0} named …. Did you mean …? There are: …."),
    "unknown_parameter": (
        "UnknownParameterError", "There is no {3} of {1} named …. Did you mean …? Give … instead. There are: …."
    ),
    "_bad": ("ModelFileError", "The model file … must hold {1}. Got {2} instead."),
    "not_allowed": ("InvalidParameterError", "The … parameter of … must be {2}. Got … instead."),
    "warn": ("CynnWarning", "{0}"),
}
DEFINITION = re.compile(r"^( *)(?:def|cdef|class)\b[^=\n(:]*?(\w+)(?=[(:])", re.M)


class Message(NamedTuple):
    file: str
    function: str
    error: str
    text: str


def sources():
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py*")):
            if path.suffix in (".py", ".pyx") and not re.search(r"/kernels/(avx|baseline)", path.as_posix()):
                yield path, path.relative_to(ROOT).as_posix().removeprefix("cynn/")


def call_at(text, begin):
    """The call whose name begins there, as a tree: it ends at the first bracket with which it is whole."""
    for bracket in re.finditer(r"\)", text[begin : begin + 4000]):
        try:
            return ast.parse(text[begin : begin + bracket.end()], mode="eval").body
        except SyntaxError:
            continue
    return None


def words(node):
    """A message as one reads it, with … for what is not known before."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(words(part) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return words(node.left) + words(node.right)
    return "…"


def message(name, call):
    """The kind of error that a call makes, and what it says; None where it says nothing of its own."""
    error, form = MAKERS.get(name, (name, "{0}"))
    said = form.format(*[words(argument) for argument in call.args], *["…"] * 3)
    said = " ".join(said.split()).replace("……", "…")
    return (error, said) if re.search(r"\w{3}", said) else None


def function_at(text, begin):
    """The function or class around a place, such as `Registry._load`."""
    indent, found = 10**6, []
    for match in reversed(list(DEFINITION.finditer(text, 0, begin))):
        if len(match[1]) < indent:
            indent = len(match[1])
            found.insert(0, match[2])
    return ".".join(found)


@functools.cache
def collect():
    """All messages, in the order of the files."""
    found = []
    for path, file in sources():
        text = path.read_text(encoding="utf-8")
        for match in MAKES.finditer(text):
            call = call_at(text, match.start())
            made = message(match[1], call) if call is not None else None
            if made:
                found.append(Message(file, function_at(text, match.start()), *made))
    return found


def named(place, each):
    file, _, part = place.partition(":")
    return each.file == file and part in ("", each.function, each.function.split(".")[-1], each.error)


def of_places(places, all_places):
    """The messages of some places: a part that is named itself is not one of its file's."""
    parts = [place for place in all_places if ":" in place]
    for each in collect():
        own = {place for place in parts if named(place, each)} or {each.file}
        if own & set(places):
            yield each


def places_of(page):
    """What the directives of a page name, one list for each."""
    found = re.findall(r"^\.\. messages:: (.*(?:\n {3,}\S.*)*)", page, re.M)
    return [each.split() for each in found]


class Messages(Directive):
    required_arguments = 1
    final_argument_whitespace = True

    def run(self):
        environment = self.state.document.settings.env
        page = Path(environment.doc2path(environment.docname)).read_text(encoding="utf-8")
        everywhere = [place for places in places_of(page) for place in places]
        listed = nodes.bullet_list(classes=["messages"])
        for error, text in dict.fromkeys(
            (each.error, each.text) for each in of_places(self.arguments[0].split(), everywhere)
        ):
            paragraph = nodes.paragraph("", "", nodes.literal("", error), nodes.Text(": " + text))
            listed += nodes.list_item("", paragraph)
        environment.note_reread()  # the sources may have changed
        return [listed]


def setup(app):
    app.add_directive("messages", Messages)
    return {"parallel_read_safe": True}
