"""The renderer ``mathml``: formulas as MathML, which browsers show without a script and without a request."""

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

logger = logging.getLogger(__name__)


def _formula(translator, node, as_block):
    try:
        translator.body.append(tex2mathml(node.astext(), as_block=as_block))
    except MathError as error:
        logger.warning("A formula is not valid LaTeX: %s", error, location=node)


def _inline(translator, node):
    _formula(translator, node, as_block=False)
    raise nodes.SkipNode


def _displayed(translator, node):
    translator.body.append('<div class="formula">')
    _formula(translator, node, as_block=True)
    translator.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (_inline, None), (_displayed, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
