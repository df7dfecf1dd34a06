"""Plot of the activations of all layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cynn.display.summary import name_of
from cynn.plot import _style
from cynn.plot._style import Artists

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cynn.network import Network

STRIP = 0.72  # the height of a strip, as a part of that of a layer
CELLS = 100  # with more neurons, no lines are drawn between them


def activations(net: Network, x: Any, *, ax: Axes | None = None) -> Artists:
    """Draw the activation of every neuron: one strip per layer, one cell per neuron.

    White is 0 and black is 1, or the largest activation of the layer if that is over 1. If a layer has negative
    activations, 0 is grey. The range of each layer is written at the right.

    Parameters
    ----------
    net : Network
        The network to draw.
    x : array of shape (inputs,) or (rows, inputs)
        With several rows, every strip has one line per row, the first on top.
    ax : matplotlib.axes.Axes, optional
        The axes to draw into. By default, a new figure is made.

    Returns
    -------
    dict of str to list of artists
        `"strips"` and `"ranges"`, one per layer, the input first.

    Examples
    --------
    >>> import cynn
    >>> net = cynn.Network.mlp([784, 16, 16, 10], output="softmax", seed=0)
    >>> drawn = cynn.plot.activations(net, [0.5] * 784)
    >>> [strip.get_array().shape for strip in drawn["strips"]]
    [(1, 784), (1, 16), (1, 16), (1, 10)]
    """
    held = net.activations(_style.rows_of(x, "plot.activations"))
    ax = _style.axes(ax, 7.0, 0.5 * len(held) + 0.3)
    artists: Artists = {"strips": [], "ranges": []}
    for i, a in enumerate(held):
        rows, units = a.shape
        few = units <= CELLS and rows <= CELLS // 10
        strip = ax.pcolormesh(
            np.linspace(0, 1, units + 1),
            i + STRIP * (np.linspace(0, 1, rows + 1) - 0.5),
            a,
            cmap="Greys",
            norm=_style.shade(a),
            edgecolors=_style.FAINT if few else "none",
            linewidth=0.5 if few else 0.0,
            rasterized=not few,
        )
        artists["strips"].append(strip)
        text = f"{_short(a.min())} to {_short(a.max())}"
        size = _style.text_size(ax.get_window_extent().height / len(held) * 72 / ax.figure.dpi)
        artists["ranges"].append(ax.text(1.02, i, text, va="center", color=_style.INK, fontsize=size))
    names = ["input", *(name_of(layer) for layer in net.layers)]
    ax.set_yticks(
        range(len(held)), [f"{name}  {a.shape[1]:,}" for name, a in zip(names, held, strict=True)], fontsize=size
    )
    ax.set(xlim=(0, 1), ylim=(len(held) - 0.5, -0.5), xticks=[])
    ax.tick_params(length=0, colors=_style.INK)
    ax.spines[:].set_visible(False)
    for i in range(len(held)):
        ax.add_patch(_style.frame(0, i - STRIP / 2, 1, STRIP))
    return artists


def _short(value: float) -> str:
    """A number with up to three digits, such as 0.12, 3.4 or 1.2e+05, without negative zero."""
    return f"{round(float(value), 2) + 0.0:.3g}"
