"""What every neuron holds, a strip a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cynn.display.summary import name_of
from cynn.plot import _style
from cynn.plot._style import Artists

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cynn.network import Network

STRIP = 0.72  # of the height that a layer has
CELLS = 100  # with more neurons, the lines between them would be all there is to see


def activations(net: Network, x: Any, *, ax: Axes | None = None) -> Artists:
    """What every neuron holds: a strip a layer, a cell a neuron.

    White is 0 and black is 1, or the largest of the layer where that is over 1; where some of a layer are
    negative, 0 is grey. At the right is from where to where the layer goes.

    Parameters
    ----------
    net : Network
        Whose picture it is.
    x : array of shape (inputs,) or (rows, inputs)
        Of several rows, each is a line in every strip, the first on top.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    dict of str to list of artists
        `"strips"` and `"ranges"`, one per layer, the input first.

    Examples
    --------
    >>> import cynn
    >>> net = cynn.Network.mlp([784, 16, 16, 10], activation="sigmoid", output="softmax", seed=0)
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
    """0.12, 3.4, 120 or 1.2e+05; no negative zero."""
    return f"{round(float(value), 2) + 0.0:.3g}"
