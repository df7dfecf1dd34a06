"""Curves of activations and losses as SVG, in the colours of the page that they stand on.

The pictures are part of the page, so its style sheet colours them: they follow the reader from the light theme to
the dark one. The same registry gives the same bytes.
"""

import io
import re

import matplotlib
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from cynn.errors import DataError
from cynn.plugins.curves import points, takes_rows
from cynn.testing.kinks import find_kinks

# Stand-ins, which the finished picture has replaced by the variables of the theme.
COLOURS = {
    "#010101": "var(--pst-color-text-muted, #606060)",
    "#020202": "var(--pst-color-border, #c0c0c0)",
    "#030303": "var(--pst-color-primary, #0a7d91)",
    "#040404": "var(--pst-color-secondary, #8045e5)",
}
TEXT, GRID, FIRST, SECOND = COLOURS
SETTINGS = {"svg.fonttype": "none", "svg.hashsalt": "cynn", "font.size": 10, "font.family": "sans-serif"}
POINTS = 801
TURNS = 8  # a curve that turns more often is shown nearer to zero


def of_activation(activation):
    """f and f′, and in words what is drawn."""
    alone = not takes_rows(activation)
    kinks = find_kinks(lambda z: activation.forward(z[:, None])[:, 0]) if alone else []
    width = max([5.0, *(1.3 * abs(kink) for kink in kinks)])
    a, slope = points(activation, z := np.linspace(-width, width, POINTS))
    while np.count_nonzero(np.diff(np.sign(slope))) > TURNS:
        width /= 2
        a, slope = points(activation, z := np.linspace(-width, width, POINTS))
    x, of_a, of_slope = ("z", "a = f(z)", "f′(z)") if alone else ("z₁", "a₁ of the row z = (z₁, 0)", "∂a₁/∂z₁")
    return _draw(z, x, [(of_a, [(a, "")]), (of_slope, [(slope, "")])])


def of_loss(loss):
    """The loss and its slope for two targets, over the prediction of one output."""
    low, high = loss.prediction_range
    low, high = max(low, -3.0), min(high, 3.0)
    edge = (high - low) / 50 if loss.prediction_range != (-np.inf, np.inf) else 0
    p = np.linspace(low + edge, high - edge, POINTS)
    targets = _targets_of_one_output(loss)
    if targets:
        label, rows = "prediction p", p[:, None]
        pairs = [(f"target {target:g}", [target]) for target in targets]
    else:
        second, label = (1 - p, "prediction (p, 1 - p)") if high == 1 else (np.ones_like(p), "prediction (p, 1)")
        rows = np.stack([p, second], axis=1)
        pairs = [("target (1, 0)", [1.0, 0.0]), ("target (0, 1)", [0.0, 1.0])]
    values, slopes = [], []
    for name, target in pairs:
        value, gradient = loss.value_and_gradient(rows, np.tile(np.array(target, np.float64), (len(p), 1)))
        values.append((value, name))
        slopes.append((gradient[:, 0], name))
    return _draw(p, label, [("C", values), ("∂C/∂p", slopes)])


def _targets_of_one_output(loss):
    """Two targets, if the loss of a row is the mean over its outputs; else None."""
    for targets in ((-1.0, 1.0), (0.0, 1.0), (1.0, 2.0)):
        columns, row = np.array([targets]).T, np.array([targets])
        prediction = np.array([[0.3], [0.6]])
        try:
            loss.check_target(columns)
            loss.check_target(row)
        except DataError:
            continue
        alone = loss.value_and_gradient(prediction, columns)[0]
        together = loss.value_and_gradient(prediction.T, row)[0]
        return targets if np.allclose(together, alone.mean()) else None
    return None


def _draw(x, label, panels):
    with_legend = len(panels[0][1]) > 1
    height = 2.6 if with_legend else 2.3  # inches, as the margins
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(7.2, height))
        top = 1 - (0.6 if with_legend else 0.3) / height
        figure.subplots_adjust(left=0.065, right=0.985, bottom=0.5 / height, top=top, wspace=0.26)
        FigureCanvasSVG(figure)
        for axes, (title, curves) in zip(figure.subplots(1, len(panels)), panels, strict=True):
            axes.set_title(title, color=TEXT, fontsize=10, loc="left")
            axes.set_xlabel(label, color=TEXT)
            axes.tick_params(colors=TEXT, length=0)
            axes.spines[:].set_visible(False)
            axes.grid(color=GRID, linewidth=0.6)
            axes.axhline(0, color=GRID, linewidth=1.4)
            axes.set_xlim(x[0], x[-1])
            for (y, name), colour, style in zip(curves, (FIRST, SECOND), ("-", "--"), strict=False):
                axes.plot(x, _broken_at_jumps(y), color=colour, linestyle=style, linewidth=2, label=name)
            bottom, top = axes.get_ylim()
            if top - bottom < 1e-6 + 0.2 * max(abs(top), abs(bottom)):  # a constant is no noise
                axes.set_ylim(min(bottom, 0) - 0.5, max(top, 0) + 0.5)
        if with_legend:
            handles, names = figure.axes[0].get_legend_handles_labels()
            figure.legend(handles, names, loc="upper right", ncols=2, frameon=False, labelcolor=TEXT, borderaxespad=0)
        output = io.StringIO()
        figure.savefig(output, format="svg", transparent=True, metadata={"Date": None})
    return _as_part_of_a_page(output.getvalue())


def _broken_at_jumps(y):
    """The curve, with a gap where it jumps."""
    y = y.copy()
    span = np.nanmax(y) - np.nanmin(y)
    step = np.abs(np.diff(y))
    jumps = np.flatnonzero((step > 0.05 * span) & (step > 20 * np.median(step)))
    y[jumps] = np.nan
    return y


def _as_part_of_a_page(svg):
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r' id="[a-z0-9]+(\.[a-z]+)?_\d+"', "", svg)  # once on a page only
    svg = re.sub(r"(\d) pt\b|(\d)pt\b", r"\1\2", svg, count=2)
    svg = svg.replace("<svg ", '<svg class="cynn-curves" role="img" aria-hidden="true" ', 1)
    for stand_in, variable in COLOURS.items():
        svg = svg.replace(stand_in, variable)
    return "\n".join(line.rstrip() for line in svg.splitlines() if line.strip())
