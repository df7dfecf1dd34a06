"""For `sphinx.ext.viewcode`: the sources of compiled modules, and links from sources that lead somewhere."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEFINITION = re.compile(r"^( *)(?:cpdef|def|cdef class|class)\b([^=\n(:]*\s)?(\w+)(?=[(:])")


def tags(code):
    """(kind, first line, last line) of each class and function, by its name within the module."""
    lines = code.splitlines()
    found, open_ones = {}, []  # those that are open: (indent, name, kind, first line)

    def close(indent, last):
        while open_ones and open_ones[-1][0] >= indent:
            _, name, kind, first = open_ones.pop()
            found.setdefault(name, (kind, first, last))

    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        indent = len(line) - len(line.lstrip())
        if not line.lstrip().startswith((")", "#")):  # the end of a signature that goes over several lines
            close(indent, number - 1)
        if match := DEFINITION.match(line):
            name = ".".join([*[each[1].rpartition(".")[2] for each in open_ones], match[3]])
            open_ones.append((indent, name, "class" if "class" in line[: match.start(3)] else "def", number))
    close(0, len(lines))
    return found


def find(app, module):
    path = ROOT.joinpath(*module.split(".")).with_suffix(".pyx")
    if not path.exists():
        return None
    code = path.read_text(encoding="utf-8")
    return code, tags(code)


def _links(app, page, template, context, doctree):
    """From a source back to the page of its documentation: viewcode guesses the name there, and what is documented as
    a part of another module it does not find."""
    if page.startswith("_modules/"):
        context["body"] = re.sub(r'(class="viewcode-back" href="[^"#]*)#[^"]*"', r'\1"', context["body"])


def setup(app):
    app.setup_extension("sphinx.ext.viewcode")
    app.connect("viewcode-find-source", find)
    app.connect("html-page-context", _links)
    return {"parallel_read_safe": True}
