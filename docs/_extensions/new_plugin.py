"""The directive ``new-plugin``: a file of what `cynn new-plugin` writes, as it writes it.

    .. new-plugin:: loss numba _kernel.py

The tests build and run each of these packages, so that what the page shows is what runs.
"""

from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from written_packages import written


class NewPlugin(Directive):
    required_arguments = 3

    def run(self):
        kind, language, file = self.arguments
        node = nodes.literal_block(text=written(kind, language)[file])
        node["language"] = {".pyx": "cython", ".c": "c"}.get(Path(file).suffix, "python")
        return [node]


def setup(app):
    app.add_directive("new-plugin", NewPlugin)
    return {"parallel_read_safe": True}
