"""The directive ``interactive``: a part of a page that is moved by hand, from the modules of ``docs/interactive``.

Its script stands in the page, so that it works in a page that is opened from a disk as well.
"""

from bundle import FOLDER, script_of
from docutils import nodes
from docutils.parsers.rst import Directive

_PART = """<div class="interactive" id="interactive-{name}" role="group" aria-label="{title}, interactive"></div>
<noscript><p class="note">This part is moved by hand, which needs JavaScript. Without it, the pictures and numbers
of the page show the same.</p></noscript>
<script type="module">
{script}
start(document.getElementById("interactive-{name}"));
</script>"""


class Interactive(Directive):
    """``.. interactive:: neuron`` with a text that says what it computes."""

    required_arguments = 1
    has_content = True

    def run(self):
        (name,) = self.arguments
        for path in FOLDER.glob("*.js"):
            self.state.document.settings.record_dependencies.add(str(path))
        caption = nodes.container(classes=["caption"])
        self.state.nested_parse(self.content, self.content_offset, caption)
        part = _PART.format(name=name, title=name.replace("_", " "), script=script_of(name))
        return [nodes.raw("", part, format="html"), caption]


def setup(app):
    app.add_directive("interactive", Interactive)
    app.add_css_file("interactive.css")
    return {"parallel_read_safe": True}
