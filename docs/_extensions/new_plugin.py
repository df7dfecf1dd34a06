"""The directive ``new-plugin``: a file of what `cynn new-plugin` writes, as it writes it.

    .. new-plugin:: loss numba _kernel.py

The tests build and run each of these packages, so that what the page shows is what runs.
"""

import functools
import re
import tempfile
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive

from cynn.plugins import scaffold

_SHOWN = re.compile(r"^\.\. new-plugin:: (\w+) (\w+) (\S+)$", re.MULTILINE)


@functools.cache
def written(kind, language):
    """The texts of the files of a package, by their paths in the folder of the plugin or of the package."""
    with tempfile.TemporaryDirectory() as parent:
        folder = scaffold.new_plugin(f"my-{kind}", kind=kind, language=language, parent=parent)
        texts = {}
        for base in (folder, folder / f"my_{kind}"):
            for path in base.rglob("*"):
                if path.is_file():
                    texts[path.relative_to(base).as_posix()] = path.read_text(encoding="utf-8")
        return texts


def shown(page):
    """Kind, language and file of each directive of a page."""
    return _SHOWN.findall(page)


class NewPlugin(Directive):
    required_arguments = 3

    def run(self):
        kind, language, file = self.arguments
        node = nodes.literal_block(text=written(kind, language)[file])
        node["language"] = {".pyx": "cython", ".c": "c", ".toml": "toml"}.get(Path(file).suffix, "python")
        return [node]


def setup(app):
    app.add_directive("new-plugin", NewPlugin)
    return {"parallel_read_safe": True}
