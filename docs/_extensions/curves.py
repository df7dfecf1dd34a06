"""Curves of activations and losses as SVG, in the colours of the page that they stand on.

The pictures are part of the page, so its style sheet colours them: they follow the reader from the light theme to
the dark one. The same registry gives the same bytes.
"""

import io
import re
from collections.abc import Callable
from typing import NamedTuple

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


def of_activation(activation, limits=None):
    """f and f′ in a panel each. `limits` of their vertical axes are those of the curves, if not given."""
    z, a, slope = curve_of(activation)
    alone = not takes_rows(activation)
    x, of_a, of_slope = ("z", "a = f(z)", "f′(z)") if alone else ("z₁", "a₁ of the row z = (z₁, 0)", "∂a₁/∂z₁")
    return _draw(z, x, [(of_a, [(a, "")]), (of_slope, [(slope, "")])], limits)


def curve_of(activation):
    """z, f(z) and f′(z), over a range in which all that is special about the activation happens."""
    kinks = [] if takes_rows(activation) else find_kinks(lambda z: activation.forward(z[:, None])[:, 0])
    width = max([5.0, *(1.3 * abs(kink) for kink in kinks)])
    a, slope = points(activation, z := np.linspace(-width, width, POINTS))
    while np.count_nonzero(np.diff(np.sign(slope))) > TURNS:
        width /= 2
        a, slope = points(activation, z := np.linspace(-width, width, POINTS))
    return z, a, slope


def of_loss(loss, limits=None):
    """The loss and its slope, in a panel each."""
    p, label, values, slopes = curves_of_loss(loss)
    return _draw(p, label, [("C", values), ("∂C/∂p", slopes)], limits)


class LossAxis(NamedTuple):
    """What is drawn of a loss: over the prediction p of an output, for two targets t.

    `second` is the prediction of a second output, as a function of p; the target is then (t, 1 - t).
    """

    p: np.ndarray
    label: str
    second: Callable | None
    targets: tuple[float, float]

    def target(self, t):
        return [t] if self.second is None else [t, 1 - t]

    def name(self, t):
        numbers = ", ".join(f"{each:g}" for each in self.target(t))
        return f"target {numbers}" if self.second is None else f"target ({numbers})"


def axis_of_loss(loss):
    low, high = loss.prediction_range
    low, high = max(low, -3.0), min(high, 3.0)
    edge = (high - low) / 50 if loss.prediction_range != (-np.inf, np.inf) else 0
    p = np.linspace(low + edge, high - edge, POINTS)
    targets = _targets_of_one_output(loss)
    if targets:
        return LossAxis(p, "prediction p", None, targets)
    if high == 1:
        return LossAxis(p, "prediction (p, 1 - p)", lambda p: 1 - p, (1.0, 0.0))
    return LossAxis(p, "prediction (p, 1)", lambda p: 1.0, (1.0, 0.0))


def curves_of_loss(loss):
    """p, what it is in words, and the loss and its slope for two targets, over the prediction of one output."""
    axis = axis_of_loss(loss)
    found = [(points_of_loss(loss, axis, t), axis.name(t)) for t in axis.targets]
    values, slopes = ([(pair[k], name) for pair, name in found] for k in range(2))
    return axis.p, axis.label, values, slopes


def points_of_loss(loss, axis, t):
    """The loss and its slope in p, for one target."""
    columns = [axis.p] if axis.second is None else [axis.p, np.broadcast_to(axis.second(axis.p), axis.p.shape)]
    target = np.tile(np.array(axis.target(t), np.float64), (len(axis.p), 1))
    value, gradient = loss.value_and_gradient(np.stack(columns, axis=1), target)
    return value, gradient[:, 0]


def sparkline(x, y, every=16):
    """A curve as small as a word, through some of its points."""
    low, high = np.nanmin(y), np.nanmax(y)
    across = 1 + 62 * (x[::every] - x[0]) / (x[-1] - x[0])
    up = 30 - 28 * (y[::every] - low) / max(high - low, 0.2 * max(abs(high), abs(low)), 1e-6)
    line = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(across, up, strict=True))
    return f'<svg class="sparkline" viewBox="0 0 64 32" aria-hidden="true"><polyline points="{line}"/></svg>'


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


def _draw(x, label, panels, limits=None):
    """A picture for each panel, side by side where there is room."""
    limits = [None] * len(panels) if limits is None else limits
    drawn = [_panel(x, label, *panel, limit) for panel, limit in zip(panels, limits, strict=True)]
    return '<div class="cynn-curves">\n' + "\n".join(drawn) + "\n</div>"


def _panel(x, label, title, curves, limits):
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(3.6, 2.4))
        FigureCanvasSVG(figure)
        axes = figure.add_axes((0.13, 0.2, 0.84, 0.67))
        axes.set_title(title, color=TEXT, fontsize=10, loc="left")
        axes.set_xlabel(label, color=TEXT)
        axes.tick_params(colors=TEXT, length=0)
        axes.spines[:].set_visible(False)
        axes.grid(color=GRID, linewidth=0.6)
        axes.axhline(0, color=GRID, linewidth=1.4)
        axes.set_xlim(x[0], x[-1])
        for (y, name), colour, style in zip(curves, (FIRST, SECOND), ("-", "--"), strict=False):
            axes.plot(x, _broken_at_jumps(y), color=colour, linestyle=style, linewidth=2, label=name, gid="curve")
        bottom, top = axes.get_ylim() if limits is None else limits
        if top - bottom < 1e-6 + 0.2 * max(abs(top), abs(bottom)):  # a constant is no noise
            bottom, top = min(bottom, 0) - 0.5, max(top, 0) + 0.5
        axes.set_ylim(bottom, top)
        if len(curves) > 1:
            place = {"loc": "lower right", "bbox_to_anchor": (1.02, 0.96), "borderaxespad": 0}
            axes.legend(ncols=2, frameon=False, labelcolor=TEXT, fontsize=8, columnspacing=1, **place)
        output = io.StringIO()
        figure.savefig(output, format="svg", transparent=True, metadata={"Date": None})
    svg = _as_part_of_a_page(output.getvalue())
    corners = axes.transData.transform([(x[0], bottom), (x[-1], top)]) * (72 / figure.dpi)
    # The lower left and the upper right corner in points, and what is there.
    window = [*corners[0], *corners[1], x[0], bottom, x[-1], top]
    data = f"data-height=\"{72 * 2.4:g}\" data-window=\"{' '.join(f'{each:.6g}' for each in window)}\""
    return svg.replace("<svg ", f"<svg {data} ", 1)


def _broken_at_jumps(y):
    """The curve, with a gap where it jumps; a steep curve has a step beside it that is nearly as large."""
    y = y.copy()
    span = np.nanmax(y) - np.nanmin(y)
    step = np.abs(np.diff(y))
    beside = np.minimum(np.append(np.inf, step[:-1]), np.append(step[1:], np.inf))
    jumps = np.flatnonzero((step > 0.05 * span) & (step > 20 * np.median(step)) & (step > 4 * beside))
    y[jumps] = np.nan
    return y


def _as_part_of_a_page(svg):
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r' id="[a-z0-9]+(\.[a-z]+)?_\d+"', "", svg)  # once on a page only
    svg = svg.replace('id="curve"', 'class="curve"')
    svg = re.sub(r"(\d) pt\b|(\d)pt\b", r"\1\2", svg, count=2)
    svg = svg.replace("<svg ", '<svg class="cynn-panel" role="img" aria-hidden="true" ', 1)
    for stand_in, variable in COLOURS.items():
        svg = svg.replace(stand_in, variable)
    return "\n".join(line.rstrip() for line in svg.splitlines() if line.strip())
