"""Plot of a confusion matrix."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from cynn.plot import _style
from cynn.plot._style import Artists

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cynn.network import Network

SMALLEST = 5.0  # points; counts that would be smaller are not written
TICK = 11.0  # points between the names of classes at least


def confusion(
    net: Network, x: Any, y: Any, *, labels: Any = None, loss: Any = None, ax: Axes | None = None
) -> Artists:
    """Draw the confusion matrix: how many rows of each true class are predicted as each class.

    The shade of a cell grows with the square root of its share of the rows of its true class, so that rare mistakes
    are visible, too. A cell without a number has no rows.

    Parameters
    ----------
    net : Network
        The network that predicts the classes.
    x : array of shape (rows, inputs)
        The inputs.
    y : array of shape (rows,) or (rows, outputs)
        Classes, as numbers or one-hot. With one output, -1 and 1 are allowed, too.
    labels : list of str, optional
        A name for each class. By default, its number.
    loss : str, Loss or dict, optional
        For a network with one output, the loss that it was trained with. It defines the threshold of class 1.
    ax : matplotlib.axes.Axes, optional
        The axes to draw into. By default, a new figure is made.

    Returns
    -------
    dict of str to list of artists
        `"cells"`: one image. `"counts"`: the numbers in it.

    Examples
    --------
    >>> import cynn
    >>> layers = [cynn.Input(1), cynn.Dense(2, activation="softmax")]
    >>> net = cynn.Network(layers, seed=0)
    >>> net.layers[0].weights = [[-1.0, 1.0]]
    >>> x, y = [[-2.0], [-1.0], [1.0], [3.0]], [0, 0, 1, 0]
    >>> drawn = cynn.plot.confusion(net, x, y)
    >>> [count.get_text() for count in drawn["counts"]]
    ['2', '1', '1']
    """
    _style.require_one_output(net, "plot.confusion")
    classes = max(2, net.outputs)
    _style.check_labels(labels, classes, "plot.confusion")
    true, predicted, _ = _style.true_and_predicted(net, x, y, loss, "plot.confusion")
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (true, predicted), 1)
    share = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))

    names = [_style.label_of(k, labels) for k in range(classes)]
    side = min(8.0, max(3.0, 0.45 * classes)) + 0.8
    ax = _style.axes(ax, side, side)
    cells = ax.imshow(np.sqrt(share), cmap=_style.strength(), vmin=0, vmax=1)
    artists: Artists = {"cells": [cells], "counts": []}
    box = ax.get_window_extent()
    cell = min(box.width, box.height) / classes * 72 / ax.figure.dpi  # points
    size = min(_style.LARGEST_TEXT, 0.85 * cell / _style.text_width(str(counts.max())), 0.7 * cell)
    for i, j in np.argwhere(counts) if size >= SMALLEST else ():
        color = "white" if share[i, j] > 0.3 else _style.INK
        artists["counts"].append(ax.text(j, i, str(counts[i, j]), ha="center", va="center", color=color, fontsize=size))
    every = math.ceil(TICK / cell)
    turned = 90 if _style.text_width(max(names, key=len)) * 10 > 0.9 * cell * every else 0
    ax.set_xticks(range(0, classes, every), names[::every], rotation=turned)
    ax.set_yticks(range(0, classes, every), names[::every])
    ax.set(xlabel="predicted", ylabel="true")
    ax.tick_params(length=0, labelsize=min(_style.LARGEST_TEXT, 0.8 * cell * every))
    return artists
