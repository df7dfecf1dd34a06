"""The directive ``answer``: text that is folded up until a reader asks for it."""

from docutils import nodes
from docutils.parsers.rst import Directive


class Answer(Directive):
    """``.. answer::`` below a question."""

    has_content = True

    def run(self):
        inside = nodes.container()
        self.state.nested_parse(self.content, self.content_offset, inside)
        start = nodes.raw("", '<details class="answer"><summary>Answer</summary>', format="html")
        return [start, inside, nodes.raw("", "</details>", format="html")]


def setup(app):
    app.add_directive("answer", Answer)
    return {"parallel_read_safe": True}
