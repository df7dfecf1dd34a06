"""Plot of a network: columns of neurons, with lines between them for the weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cynn.display.summary import name_of
from cynn.errors import ShapeError, check_whole_number
from cynn.plot import _style
from cynn.plot._style import Array, Artists

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cynn.network import Network

RADIUS = 0.36  # of a neuron; the neurons of a column are at a distance of 1
DOTS = 1.6  # the height of the dots in a column
INCHES = 0.27  # the size of a unit in a new figure
HEADER = 2.3  # the height of the brace and number above a column
NAME = 0.8  # the height of the name of a column
FOOTER = 1.4  # the height of the room for that name
PICTURE = 7.0  # the side of the picture of x
FULL = 0.95  # the quantile of the weights from which on lines have the full width
EDGE = 1.1  # points, the width of the widest line if a unit measures INCHES


@dataclass
class Column:
    """One layer as it is drawn: which neurons, where, and their activations."""

    name: str
    units: int
    shown: Array  # indices of the neurons that are drawn, in ascending order
    x: float
    a: Array | None

    @property
    def y(self) -> Array:
        """The y coordinates of the neurons that are drawn, centred at 0, the first on top."""
        n = len(self.shown)
        y = (n - 1) / 2 - np.arange(n)
        if self.is_cut:
            y = y + np.where(np.arange(n) < self.half, DOTS / 2, -DOTS / 2)
        return y

    @property
    def is_cut(self) -> bool:
        return len(self.shown) < self.units

    @property
    def half(self) -> int:
        """The number of neurons above the dots."""
        return (len(self.shown) + 1) // 2

    @property
    def top(self) -> float:
        return float(self.y[0]) + RADIUS


def network(
    net: Network,
    x: Any = None,
    *,
    labels: Any = None,
    shape: tuple[int, int] | None = None,
    limit: int = 16,
    ax: Axes | None = None,
) -> Artists:
    """Draw a network as columns of neurons, with lines between them for the weights.

    A line is blue if its weight is positive, and orange if it is negative. Its width grows with the weight, up to the
    largest 5 % of the weights of the layer, which have the full width. With `x`, each neuron is shaded by its
    activation: white is 0 and black is 1, or the largest activation of the layer if that is over 1; if a layer has
    negative activations, 0 is grey. The outputs are then written beside their neurons, and the largest one has a frame
    if the network ends in an activation.

    Parameters
    ----------
    net : Network
        The network to draw.
    x : array of shape (inputs,), optional
        One row.
    labels : list of str, optional
        A name for each output. By default, its number.
    shape : tuple (rows, columns), optional
        If given, x is drawn at the left as a picture of this shape.
    limit : int
        If a layer has more neurons, only this many are drawn, with dots between them, and the number of all beside a
        brace. These are the neurons with the largest sum of absolute weights to the next layer, multiplied by their
        activation if there is an `x`. In the last layer these are the largest outputs or, without `x`, the first and
        the last ones.
    ax : matplotlib.axes.Axes, optional
        The axes to draw into. By default, a new figure is made.

    Returns
    -------
    dict of str to list of artists
        `"neurons"` (one collection per layer), `"edges"` (one collection per layer with weights),
        `"names"`, `"labels"`, `"winner"`, `"braces"`, `"numbers"`, `"dots"` and `"picture"`.

    Examples
    --------
    >>> import cynn
    >>> net = cynn.Network.mlp([784, 16, 16, 10], output="softmax", seed=0)
    >>> drawn = cynn.plot.network(net)
    >>> [len(column.get_paths()) for column in drawn["neurons"]]
    [16, 16, 16, 10]
    >>> [number.get_text() for number in drawn["numbers"]]
    ['784']
    """
    _style.require_matplotlib()
    limit = check_whole_number(limit, "limit", "plot.network", minimum=2)
    _style.require_one_output(net, "plot.network")
    _style.check_labels(labels, net.outputs, "plot.network")
    columns = _columns(net, x, limit)
    outputs = _output_texts(net, columns[-1], labels)
    picture = _picture(x, shape, net.input.units)
    brace = 1.6 + _style.EM * _style.text_width(_number(columns[0])) if columns[0].is_cut else 0.0
    room = RADIUS + max(brace, 0.9) + 0.2
    left = -room - (PICTURE + 0.2 if picture is not None else 0.0)
    right = columns[-1].x + max(_output_width(outputs) + 0.3, 1.2)
    top = max(column.top + (HEADER if column.is_cut and i else 0.3) for i, column in enumerate(columns))
    bottom = -max(column.top for column in columns) - FOOTER
    if picture is not None:
        top, bottom = max(top, PICTURE / 2 + 0.2), min(bottom, -PICTURE / 2 - 0.2)
    ax, unit = _style.canvas(ax, (left, right), (bottom, top), INCHES)

    artists: Artists = {
        key: [] for key in ("neurons", "edges", "names", "labels", "winner", "braces", "numbers", "dots", "picture")
    }
    for layer, sources, column in zip(net.layers, _sources(net), columns[1:], strict=True):
        artists["edges"] += _edges(ax, layer, [columns[k] for k in sources], column, unit)
    for column in columns:
        _draw_column(ax, column, bottom, unit, artists)
    for i, column in enumerate(columns):
        if column.is_cut:
            _draw_brace(ax, column, unit, artists, upright=i == 0)
    _draw_outputs(ax, net, columns[-1], outputs, unit, artists)
    if picture is not None:
        artists["picture"] += _style.picture(ax, picture, -room - PICTURE, -PICTURE / 2, PICTURE, PICTURE)
    return artists


# ------------------------------------------------------------------------------------ what is to be drawn


def _columns(net: Network, x: Any, limit: int) -> list[Column]:
    held: list[Array | None] = [None] * (len(net.layers) + 1)
    if x is not None:
        rows = _style.rows_of(x, "plot.network")
        if len(rows) != 1:
            raise ShapeError(f"The 'x' parameter of plot.network must be one row. Got {len(rows)} instead.")
        held = list(net.activations(rows[0]))
    sizes = [net.input.units, *(layer.units or 0 for layer in net.layers)]
    names = ["input", *(name_of(layer) for layer in net.layers)]
    gap = max(5.0 if max(sizes) > 8 else 3.6, *(NAME * _style.EM * _style.text_width(name) + 0.6 for name in names))
    columns: list[Column] = []
    for i in reversed(range(len(sizes))):  # a layer without weights shows the same neurons as the next one
        after = _style.layer_weights(net.layers[i], sizes[i]) if i < len(net.layers) else None
        if after is None and columns and columns[0].units == sizes[i]:
            shown = columns[0].shown
        else:
            shown = _shown(sizes[i], limit, after, held[i])
        columns.insert(0, Column(names[i], sizes[i], shown, gap * i, held[i]))
    return columns


def _sources(net: Network) -> list[list[int]]:
    """The input columns of each layer: the column before it, unless the configuration names others."""
    config = net.get_config() if hasattr(net, "get_config") else {}
    chain = [[number] for number in range(len(net.layers))]
    sources: list[list[int]] = config.get("sources", chain)
    return sources


def _shown(units: int, limit: int, after: Array | None, a: Array | None) -> Array:
    """The indices of the neurons to draw: the most important ones in order, or the first and the last."""
    if units <= limit:
        return np.arange(units)
    if after is None and a is None:
        half = (limit + 1) // 2
        return np.concatenate([np.arange(half), np.arange(units - limit + half, units)])
    matters = np.ones(units) if after is None else np.abs(after).sum(axis=1)
    if a is not None:
        matters = matters * (np.abs(a) if after is not None else a)
    return np.sort(np.argsort(-matters, kind="stable")[:limit])


def _output_texts(net: Network, column: Column, labels: Any) -> list[str]:
    """The number or label of each output that is drawn, and its value."""
    names = [_style.label_of(k, labels) for k in column.shown]
    if labels is None and net.outputs == 1:
        names = ["" if column.a is not None else "output"]
    if column.a is None:
        return names
    held = [f"{column.a[k]:.2f}" if abs(column.a[k]) < 100 else f"{column.a[k]:.3g}" for k in column.shown]
    return [f"{name}  {value}".strip() for name, value in zip(names, held, strict=True)]


def _number(column: Column) -> str:
    return f"{column.units:,}" if column.units > 9999 else str(column.units)


def _output_width(texts: list[str]) -> float:
    """The distance from the centre of a neuron to the end of the widest text, in units."""
    return RADIUS + 0.35 + _style.EM * max(_style.text_width(text, bold=True) for text in texts)


def _picture(x: Any, shape: tuple[int, int] | None, inputs: int) -> Array | None:
    if shape is None or x is None:
        return None
    picture = np.asarray(x, np.float64).reshape(_style.picture_shape(shape, inputs, "plot.network"))
    return picture


# -------------------------------------------------------------------------------------------- the drawing


def _edges(ax: Axes, layer: Any, sources: list[Column], column: Column, unit: float) -> list[Any]:
    """One line per weight. If a layer has no weights, lines from each neuron to the one that takes its value."""
    from matplotlib.collections import LineCollection
    from matplotlib.colors import to_rgba_array

    width = EDGE * unit / (72 * INCHES)
    before = sources[0]
    weights = _style.layer_weights(layer, before.units) if len(sources) == 1 else None
    if weights is None:
        lines = _handed_on(sources, column)
        if not lines:
            return []
        drawn = LineCollection(lines, colors=_style.FAINT, linewidths=width / 2, zorder=1)
    else:
        w = weights[np.ix_(before.shown, column.shown)]
        i, j = (index.ravel() for index in np.indices(w.shape))
        order = np.argsort(np.abs(w).ravel(), kind="stable")  # the largest lie on top
        i, j = i[order], j[order]
        full = float(np.quantile(np.abs(w), FULL)) or 1.0
        size = np.minimum(1.0, np.abs(w[i, j]) / full)
        colors = np.where(w[i, j] > 0, _style.POSITIVE, _style.NEGATIVE)
        drawn = LineCollection(
            _lines(before, column, i, j),
            colors=to_rgba_array(colors),
            linewidths=width * (0.1 + 1.7 * size),
            alpha=0.25 + 0.75 * size,
            zorder=1,
        )
    ax.add_collection(drawn, autolim=False)
    return [drawn]


def _handed_on(sources: list[Column], column: Column) -> list[Array]:
    """Lines from the neurons to the same neurons of a layer that sums or concatenates its sources."""
    lines = []
    place = 0
    together = sum(source.units for source in sources) == column.units
    for source in sources:
        if together or source.units == column.units:
            i, j = np.nonzero(source.shown[:, np.newaxis] + place == column.shown)
            lines += _lines(source, column, i, j)
        place += source.units if together else 0
    return lines


def _lines(before: Column, column: Column, i: Array, j: Array) -> list[Array]:
    """Lines from the neurons i to the neurons j, each of shape (2 ends, 2 coordinates)."""
    ends = [(np.full(len(i), before.x), before.y[i]), (np.full(len(j), column.x), column.y[j])]
    return list(np.array(ends).transpose(2, 0, 1))


def _draw_column(ax: Axes, column: Column, bottom: float, unit: float, artists: Artists) -> None:
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Circle

    circles = PatchCollection(
        [Circle((column.x, y), RADIUS) for y in column.y],
        edgecolors=_style.INK,
        linewidths=0.045 * unit,
        zorder=2,
    )
    if column.a is None:
        circles.set_facecolor("white")
    else:
        circles.set(cmap="Greys", norm=_style.shade(column.a), array=np.asarray(column.a)[column.shown])
    ax.add_collection(circles, autolim=False)
    artists["neurons"].append(circles)
    if column.is_cut:
        gap = column.y[column.half - 1] + column.y[column.half]
        heights = gap / 2 + np.array([-0.45, 0.0, 0.45])
        artists["dots"] += ax.plot([column.x] * 3, heights, ".", color=_style.INK, markersize=0.2 * unit, zorder=3)
    artists["names"].append(
        ax.text(
            column.x,
            bottom + 0.2,
            column.name,
            ha="center",
            va="bottom",
            color=_style.INK,
            fontsize=_style.text_size(NAME * unit),
        )
    )


def _draw_brace(ax: Axes, column: Column, unit: float, artists: Artists, *, upright: bool) -> None:
    """A brace left of the first column, or above another one, with the number of all neurons."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    along = column.top if upright else 1.3
    # One half of the brace, from its tip at (0, 1) to (along, 0). The other half is its mirror image.
    arm = min(0.6, along / 3)
    half = [(0, 1), (0, 0.5), (arm / 2, 0.5), (arm, 0.5), (along - arm, 0.5), (along, 0.5), (along, 0)]
    codes = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, Path.CURVE3, Path.CURVE3]
    for sign in (1, -1):
        if upright:
            points = [(column.x - RADIUS - 0.35 - out, sign * t) for t, out in half]
        else:
            points = [(column.x + sign * t, column.top + 0.2 + 0.7 * out) for t, out in half]
        brace = PathPatch(Path(points, codes), fill=False, color=_style.INK, linewidth=0.05 * unit, zorder=3)
        artists["braces"].append(ax.add_patch(brace))
    place = (column.x - RADIUS - 1.5, 0.0) if upright else (column.x, column.top + 1.0)
    artists["numbers"].append(
        ax.text(
            *place,
            _number(column),
            ha="right" if upright else "center",
            va="center" if upright else "bottom",
            color=_style.INK,
            fontsize=_style.text_size(unit),
        )
    )


def _draw_outputs(ax: Axes, net: Network, column: Column, texts: list[str], unit: float, artists: Artists) -> None:
    from matplotlib.patches import FancyBboxPatch

    winner = _winner(net, column)
    for y, k, text in zip(column.y, column.shown, texts, strict=True):
        artists["labels"].append(
            ax.text(
                column.x + RADIUS + 0.35,
                y,
                text,
                ha="left",
                va="center",
                color=_style.INK,
                fontsize=_style.text_size(unit),
                fontweight="bold" if k == winner else "normal",
            )
        )
        if k == winner:
            width = RADIUS + _output_width([text]) + 0.1
            frame = FancyBboxPatch(
                (column.x - RADIUS - 0.02, y - RADIUS - 0.02),
                width,
                2 * RADIUS + 0.04,
                boxstyle="round,pad=0.08,rounding_size=0.4",
                fill=False,
                edgecolor=_style.INK,
                linewidth=0.09 * unit,
                zorder=3,
            )
            artists["winner"].append(ax.add_patch(frame))


def _winner(net: Network, column: Column) -> int | None:
    """The index of the largest output if there are several, and the last layer has an activation; else None."""
    activation = getattr(net.layers[-1], "activation", None)
    if column.a is None or net.outputs == 1 or activation is None or activation.name == "identity":
        return None
    return int(np.argmax(column.a))
