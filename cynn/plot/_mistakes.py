"""Plot of rows that a network puts into the wrong class."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from cynn.errors import check_whole_number
from cynn.plot import _style
from cynn.plot._style import Artists

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cynn.network import Network

INCHES = 0.85  # the longer side of a picture
GAP = 0.3  # between pictures
LINE = 0.26  # the height of a line of text under a picture
THINNEST = 0.25  # a picture of one row is this high


def mistakes(
    net: Network,
    x: Any,
    y: Any,
    *,
    shape: tuple[int, int] | None = None,
    labels: Any = None,
    limit: int = 24,
    loss: Any = None,
    ax: Axes | None = None,
) -> Artists:
    """Draw the rows that the network puts into the wrong class as pictures, the most confident mistakes first.

    The predicted and the true class are written under each picture.

    Parameters
    ----------
    net : Network
        The network that predicts the classes.
    x : array of shape (rows, inputs)
        The inputs.
    y : array of shape (rows,) or (rows, outputs)
        Classes, as numbers or one-hot. With one output, -1 and 1 are allowed, too.
    shape : tuple (rows, columns), optional
        The shape of one row of x as a picture. By default a square if the number of inputs is a square, else a line.
    labels : list of str, optional
        A name for each class. By default, its number.
    limit : int
        The largest number of pictures.
    loss : str, Loss or dict, optional
        For a network with one output, the loss that it was trained with. It defines the threshold of class 1.
    ax : matplotlib.axes.Axes, optional
        The axes to draw into. By default, a new figure is made.

    Returns
    -------
    dict of str to list of artists
        `"pictures"` and `"captions"`: one per mistake. `"none"`: a line of text if there are no mistakes.

    Examples
    --------
    >>> import cynn
    >>> _, (x, y) = cynn.datasets.load_mnist()
    >>> net = cynn.Network.mlp(
    ...     [784, 10], output="softmax", input_scale=1 / 255, seed=0
    ... )
    >>> drawn = cynn.plot.mistakes(net, x[:100], y[:100], limit=12)
    >>> len(drawn["pictures"]), drawn["captions"][0].get_text()
    (12, '..., not ...')
    """
    _style.require_matplotlib()
    limit = check_whole_number(limit, "limit", "plot.mistakes", minimum=1)
    _style.require_one_output(net, "plot.mistakes")
    _style.check_labels(labels, max(2, net.outputs), "plot.mistakes")
    rows = _style.rows_of(x, "plot.mistakes")
    true, predicted, sure = _style.true_and_predicted(net, rows, y, loss, "plot.mistakes")
    high, across_pixels = _style.picture_shape(shape, net.input.units, "plot.mistakes")
    width = max(across_pixels / max(high, across_pixels), THINNEST)
    height = max(high / max(high, across_pixels), THINNEST)
    wrong = np.flatnonzero(true != predicted)
    wrong = wrong[np.argsort(-sure[wrong], kind="stable")][:limit]
    says = [_style.label_of(predicted[row], labels) for row in wrong]
    captions = [f"{said}, not {_style.label_of(true[row], labels)}" for said, row in zip(says, wrong, strict=True)]
    room = width + GAP - 0.05
    lines = 1
    if any(LINE * _style.EM * _style.text_width(caption) > room for caption in captions):
        captions = [caption.replace(", not ", ",\nnot ") for caption in captions]
        lines = 2
    widest = max((_style.text_width(line) for text in captions for line in text.split("\n")), default=1.0)

    across = max(1, min(len(wrong), math.ceil(math.sqrt(2.0 * len(wrong)))))
    down = max(1, math.ceil(len(wrong) / across))
    below = (lines + 0.5) * LINE
    ax, unit = _style.canvas(ax, (0.0, max(across * (width + GAP), 2.0)), (-down * (height + below), 0.0), INCHES)
    size = min(_style.text_size(LINE * unit), room * unit / widest)
    artists: Artists = {"pictures": [], "captions": [], "none": []}
    for k, (row, caption) in enumerate(zip(wrong, captions, strict=True)):
        left, top = (k % across) * (width + GAP) + GAP / 2, -(k // across) * (height + below)
        values = rows[row].reshape(high, across_pixels).astype(np.float64)
        artists["pictures"] += _style.picture(ax, values, left, top - height, width, height)
        artists["captions"].append(
            ax.text(
                left + width / 2,
                top - height - 0.04,
                caption,
                ha="center",
                va="top",
                color=_style.INK,
                fontsize=size,
                linespacing=1.0,
            )
        )
    if not len(wrong):
        text = f"no mistakes in {len(rows):,} rows"
        middle = (sum(ax.get_xlim()) / 2, sum(ax.get_ylim()) / 2)
        artists["none"].append(ax.text(*middle, text, ha="center", va="center", color=_style.INK, fontsize=10))
    return artists
