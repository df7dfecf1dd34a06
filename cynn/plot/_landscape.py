"""Plot of the loss on a plane through the weights."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from cynn.errors import DataError, check_number, check_whole_number
from cynn.plot import _style
from cynn.plot._style import Array, Artists

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cynn.network import Network


def landscape(
    net: Network,
    x: Any,
    y: Any,
    *,
    loss: Any = None,
    reach: float = 1.0,
    points: int = 25,
    seed: int = 0,
    ax: Axes | None = None,
) -> Artists:
    """Draw the loss on a plane through the weights, around the present weights.

    The loss at the weights W + α D + β E is drawn over α and β. D and E are random directions. For every neuron, the
    part of a direction that belongs to its incoming weights is scaled to the norm of these weights. Biases stay as they
    are. The network itself is not changed.

    Source: Li, Xu, Taylor, Studer and Goldstein, "Visualizing the loss landscape of neural nets", 2018,
    section 4.

    Parameters
    ----------
    net : Network
        The network to draw.
    x, y : arrays
        As for `evaluate`, which is called points² times: a few hundred rows are enough.
    loss : str, Loss or dict, optional
        By default, the loss that fits the last layer.
    reach : float
        α and β go from -reach to reach.
    points : int
        The number of values of α, and of β.
    seed : int
        The seed of the directions.
    ax : matplotlib.axes.Axes, optional
        The axes to draw into. By default, a new figure is made.

    Returns
    -------
    dict of str to list of artists
        `"contours"`; `"here"`: the marker of the present weights; `"bar"`: the axes of the colour bar.

    Examples
    --------
    >>> import cynn
    >>> net = cynn.Network.mlp([2, 8, 1], activation="tanh", seed=0)
    >>> x, y = [[0.0, 1.0], [1.0, 0.0]], [0.0, 1.0]
    >>> drawn = cynn.plot.landscape(net, x, y, points=5)
    >>> float(drawn["here"][0].get_xdata()[0])
    0.0
    """
    reach = check_number(reach, "reach", "plot.landscape", above=0)
    points = check_whole_number(points, "points", "plot.landscape", minimum=2)
    moved = copy.deepcopy(net)
    generator = np.random.default_rng(check_whole_number(seed, "seed", "plot.landscape"))
    parts = [layer for layer in _walk(moved.layers) if np.ndim(getattr(layer, "weights", 0.0)) == 2]
    start = [np.array(layer.weights, np.float64) for layer in parts]
    first, second = ([_direction(W, generator) for W in start] for _ in range(2))
    steps = np.linspace(-reach, reach, points)
    height = np.empty((points, points))
    for i, beta in enumerate(steps):
        for j, alpha in enumerate(steps):
            for layer, W, D, E in zip(parts, start, first, second, strict=True):
                layer.weights = W + alpha * D + beta * E
            height[i, j] = moved.evaluate(x, y, loss=loss, check_finite=i + j == 0)["loss"]

    if not np.isfinite(height).any():
        raise DataError("The loss must be finite somewhere on the plane. Got none that is.")
    ax = _style.axes(ax, 5.2, 4.2)
    levels, norm = _levels(height[np.isfinite(height)])
    height = np.ma.masked_invalid(height)
    contours = ax.contourf(steps, steps, height, levels=levels, norm=norm, cmap="cividis")
    lines = ax.contour(steps, steps, height, levels=levels, colors="white", linewidths=0.4)
    here = ax.plot([0.0], [0.0], "X", color="white", markeredgecolor=_style.INK, markersize=11)
    ax.set(xlabel="α, along one direction", ylabel="β, along another", aspect="equal")
    bar = ax.figure.colorbar(contours, ax=ax, label="loss", format="%.3g", ticks=levels[::3])
    bar.outline.set_visible(False)
    return {"contours": [contours, lines], "here": list(here), "bar": [bar.ax]}


def _walk(layers: Iterable[Any]) -> Iterator[Any]:
    """The layers, and the layers nested in them."""
    for layer in layers:
        yield layer
        yield from _walk(getattr(layer, "layers", ()))


def _direction(W: Array, generator: np.random.Generator) -> Array:
    """Random numbers, each column scaled to the norm of that column of W."""
    D: Array = generator.normal(size=W.shape)
    D *= np.linalg.norm(W, axis=0) / np.linalg.norm(D, axis=0)
    return D


def _levels(height: Array) -> tuple[Array, Any]:
    """The levels of the contours, evenly spaced in the logarithm if the loss has a wide range."""
    from matplotlib.colors import LogNorm, Normalize

    low, high = float(height.min()), float(height.max())
    if low > 0 and high > 4 * low:
        return np.geomspace(low, high, 16), LogNorm(low, high)
    high = max(high, low + 1e-12)
    return np.linspace(low, high, 16), Normalize(low, high)
