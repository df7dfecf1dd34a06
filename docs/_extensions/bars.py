"""The directive ``bars``: numbers with their bars, as a table, so that they are read without seeing them, too."""

import html

from docutils import nodes
from docutils.parsers.rst import Directive

_ROW = '<tr><th scope="row">{name}</th><td><i style="width: {share:.1f}%"></i></td><td>{number}</td></tr>'


class Bars(Directive):
    """``.. bars:: what is measured`` with a line ``name: number`` for each bar."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True

    def run(self):
        rows = [line.rsplit(": ", 1) for line in self.content]
        sizes = [float(number.replace(",", "")) for _, number in rows]
        lines = [
            _ROW.format(name=html.escape(name), share=100 * size / max(sizes), number=number)
            for (name, number), size in zip(rows, sizes, strict=True)
        ]
        title = f"<caption>{html.escape(self.arguments[0])}</caption>"
        text = "\n".join(['<table class="cynn-bars">', title, *lines, "</table>"])
        return [nodes.raw("", text, format="html")]


def setup(app):
    app.add_directive("bars", Bars)
    app.add_css_file("bars.css")
    return {"parallel_read_safe": True}
