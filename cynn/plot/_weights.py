"""Plot of the incoming weights of each neuron of a layer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from cynn.errors import InvalidParameterError, check_whole_number
from cynn.plot import _style
from cynn.plot._style import Artists

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cynn.network import Network

INCHES = 0.95  # the longer side of a picture
TITLE = 0.24  # the height of the number above a picture
GAP = 0.12  # between pictures
FULL = 0.998  # the part of the weights that lies within the colour scale
THINNEST = 0.25  # a picture of one row is this high


def weights(
    net: Network,
    layer: int = 1,
    shape: tuple[int, int] | None = None,
    *,
    limit: int = 100,
    ax: Axes | None = None,
) -> Artists:
    """Draw the incoming weights of each neuron of a layer as a picture: positive weights blue, negative ones orange.

    All pictures have the same colour scale, symmetric about zero. It covers all but a few of the largest weights; if
    some lie outside, the ends of the colour bar are pointed.

    Parameters
    ----------
    net : Network
        The network to draw.
    layer : int
        The number of the layer. The input is layer 0, so layer 1 is the first with weights.
    shape : tuple (rows, columns), optional
        The shape of the picture of one neuron, such as (28, 28) if the inputs are digits. By default a square if the
        number of inputs is a square, else a single row.
    limit : int
        The largest number of neurons to draw: the first ones of a larger layer.
    ax : matplotlib.axes.Axes, optional
        The axes to draw into. By default, a new figure is made.

    Returns
    -------
    dict of str to list of artists
        `"pictures"` and `"numbers"`: one per neuron. `"bar"`: the axes of the colour bar.

    Examples
    --------
    >>> import cynn
    >>> net = cynn.Network.mlp([784, 16, 16, 10], output="softmax", seed=0)
    >>> drawn = cynn.plot.weights(net, layer=1, shape=(28, 28))
    >>> len(drawn["pictures"]), drawn["pictures"][0].get_array().shape
    (16, (28, 28))
    """
    number = check_whole_number(layer, "layer", "plot.weights", minimum=1, maximum=len(net.layers))
    limit = check_whole_number(limit, "limit", "plot.weights", minimum=1)
    matrix = getattr(net.layers[number - 1], "weights", None)
    if matrix is None or np.ndim(matrix) != 2:
        raise InvalidParameterError(
            f"The 'layer' parameter of plot.weights must be a layer with weights. Got {number}, "
            f"{net.layers[number - 1]!r}, instead."
        )
    matrix = np.asarray(matrix, np.float64)
    rows, columns = _style.picture_shape(shape, len(matrix), "plot.weights")
    width = max(columns / max(rows, columns), THINNEST)
    height = max(rows / max(rows, columns), THINNEST)
    n = min(matrix.shape[1], limit)
    across = min(n, max(1, math.ceil(math.sqrt(1.8 * n * (height + TITLE) / (width + GAP)))))
    down = math.ceil(n / across)
    ax, unit = _style.canvas(
        ax,
        (0.0, across * (width + GAP) - GAP),
        (-down * (height + TITLE), 0.0),
        INCHES,
        beside=0.9,
    )
    sizes = np.abs(matrix[:, :n])
    largest = float(np.quantile(sizes, FULL, method="higher")) or 1.0
    artists: Artists = {"pictures": [], "numbers": [], "bar": []}
    limits = {"xlim": ax.get_xlim(), "ylim": ax.get_ylim()}
    for k in range(n):
        left, top = (k % across) * (width + GAP), -(k // across) * (height + TITLE) - TITLE
        image = ax.imshow(
            matrix[:, k].reshape(rows, columns),
            cmap=_style.signed(),
            vmin=-largest,
            vmax=largest,
            extent=(left, left + width, top - height, top),
            interpolation="nearest",
            aspect="equal",
        )
        artists["pictures"].append(image)
        artists["numbers"].append(
            ax.text(
                left + width / 2,
                top + 0.03,
                str(k),
                ha="center",
                va="bottom",
                color=_style.INK,
                fontsize=_style.text_size(TITLE * unit),
            )
        )
        ax.add_patch(_style.frame(left, top - height, width, height))
    ax.set(**limits)  # imshow has set its own
    what = f"weight, first {n} of {matrix.shape[1]:,} neurons" if n < matrix.shape[1] else "weight"
    bar = ax.figure.colorbar(
        image,
        ax=ax,
        label=what,
        shrink=0.9,
        aspect=30,
        fraction=0.05,
        pad=0.02,
        extend="both" if sizes.max() > largest else "neither",
    )
    bar.outline.set_visible(False)
    artists["bar"].append(bar.ax)
    return artists
