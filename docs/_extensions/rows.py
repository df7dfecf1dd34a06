"""Functions of a row that follow sliders: one for each number of the row, and bars for what comes out.

The functions in JavaScript come from the exporter of `to_js`. The directive ``row`` shows a layer whose weights are 1
and 0, so that the sliders are the numbers with which it computes:

    .. row:: glu
"""

import itertools

import numpy as np
from docutils import nodes
from docutils.parsers.rst import Directive
from sliders import slider

import cynn
from cynn.interop.exported_model import exported_model
from cynn.interop.js_file import JsPrinter

START = (1.5, 0.5, -0.5, 2.0)
WIDTH = 3.0  # sliders go from -WIDTH to WIDTH
ROW = ("z₁", "z₂", "z₃", "z₄")
#: The layers of the directive, and what the sliders move.
LAYERS = {
    "glu": (("v₁", "v₂", "g₁", "g₂"), cynn.GLU(2)),
    "layer_norm": (ROW, cynn.LayerNorm()),
    "maxout": (("z₁", "z₂", "z′₁", "z′₂"), cynn.Maxout(2, pieces=2)),
    "rms_norm": (ROW, cynn.RMSNorm()),
}


def network(layer):
    """A network of this layer alone, that takes a row like START."""
    net = cynn.Network([cynn.Input(len(START)), layer], dtype="float64", seed=0)
    if isinstance(layer, cynn.Dense):
        net.layers[0].weights = np.eye(len(START))
    return net


def function(net):
    """`row(x)`: what the network makes of a row."""
    plan = exported_model(net).plan
    text = JsPrinter(plan).function("function row(x)", f"v{plan.outputs[0].value}")
    arrays = [f"const {name} = {array.ravel().tolist()};" for name, array in plan.named_arrays()]
    return "\n".join([*arrays, text])


def of_activation(activation):
    """The lines of HTML of an activation that takes a whole row."""
    return draw(ROW, cynn.Activation(activation))


def draw(labels, layer):
    """The lines of HTML: sliders, what they move, and a bar for each output."""
    net = network(layer)
    low, high = limits(net)
    lines = [f'<div class="cynn-row" data-low="{low:g}" data-high="{high:g}">']
    lines += ['<div class="cynn-sliders pst-js-only">']
    lines += [slider(name, -WIDTH, WIDTH, start) for name, start in zip(labels, START, strict=True)]
    about = ", ".join(f"{name} = {start:g}" for name, start in zip(labels, START, strict=True))
    lines += ["</div>", "<table>", f"<caption>What comes out of {about}</caption>"]
    for number, a in zip("₁₂₃₄", net.predict(START), strict=False):
        begin, end = (100 * (each - low) / (high - low) for each in (min(a, 0), max(a, 0)))
        bar = f'<i style="margin-left: {begin:.1f}%; width: {end - begin:.1f}%"></i>'
        lines.append(f'<tr><th scope="row">a{number}</th><td>{bar}</td><td>{a:.4f}</td></tr>')
    script = f"document.currentScript.parentElement.cynnRow = (() => {{\n{function(net)}\nreturn row;\n}})();"
    return [*lines, "</table>", "<script>", *script.splitlines(), "</script>", "</div>"]


def limits(net):
    """Whole numbers between which the outputs are, wherever the sliders stand; 0 is one of these or between them."""
    extremes = net.predict(list(itertools.product((-WIDTH, 0.0, WIDTH), repeat=len(START))))
    return min(0.0, np.floor(extremes.min())), max(0.0, np.ceil(extremes.max()))


class Row(Directive):
    """``.. row:: maxout``"""

    required_arguments = 1

    def run(self):
        return [nodes.raw("", "\n".join(draw(*LAYERS[self.arguments[0]])), format="html")]


def setup(app):
    app.add_directive("row", Row)
    return {"parallel_read_safe": True}
