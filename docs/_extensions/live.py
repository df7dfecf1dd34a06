"""The directive ``live``: a page of ``to_html`` in a frame of this site, for a network that is trained for it.

The frame takes on the theme of the page around it, and grows with what is in it.
"""

import html
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import Directive, directives
from live_networks import NETWORKS

FOLDER = "_static/live"
_FRAME = """<iframe class="live" src="{top}{folder}/{name}.html" title="{title}" loading="lazy"></iframe>
<script>
(() => {{
  const frame = document.currentScript.previousElementSibling;
  const dress = () => frame.contentWindow.postMessage({{ theme: document.documentElement.dataset.theme }}, "*");
  new MutationObserver(dress).observe(document.documentElement, {{ attributeFilter: ["data-theme"] }});
  addEventListener("message", ({{ source, data }}) => {{
    if (source !== frame.contentWindow || !data.height) return;
    frame.style.height = `${{data.height}}px`;
    dress();
  }});
}})();
</script>"""
_PICTURE = """
<noscript><img src="{top}_static/{picture}" alt="{title}"></noscript>"""


class Live(Directive):
    """``.. live:: digits`` with a title for those who do not see the frame.

    The option ``picture`` names a file of ``_static`` that is shown where there are no scripts.
    """

    required_arguments = 1
    has_content = True
    option_spec: ClassVar = {"picture": directives.path}

    def run(self):
        name = self.arguments[0]
        assert name in NETWORKS
        top = "../" * self.state.document.settings.env.docname.count("/")
        text = (_FRAME + (_PICTURE if "picture" in self.options else "")).format(
            top=top, folder=FOLDER, name=name, title=html.escape(" ".join(self.content)), **self.options
        )
        return [nodes.raw("", text, format="html")]


def _write(app, error):
    """Train the networks, and write their pages, and the networks themselves beside these."""
    if error is not None or app.builder.format != "html":
        return
    folder = Path(app.outdir, FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in NETWORKS.items():
        net, examples = make()
        net.to_html(folder / f"{name}.html", examples=examples)
        net.save(folder / f"{name}.safetensors")


def setup(app):
    app.add_directive("live", Live)
    app.connect("build-finished", _write)
    return {"parallel_read_safe": True}
