"""How training went: a figure over the epochs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cynn.errors import InvalidParameterError, unknown_name
from cynn.plot import _style
from cynn.plot._style import Artists

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cynn.training.history import History

FEW = 30  # epochs, of which each has a mark


def history(history: History, name: str = "loss", *, ax: Axes | None = None) -> Artists:
    """How training went: a figure of the training data against that of the validation data.

    Where the learning rate is among the figures, it has a dotted line and a scale at the right.

    Parameters
    ----------
    history : cynn.training.History or dict of str to list of float
        What `fit` returned, or its `history`.
    name : str
        Which figure: `"loss"` or a metric.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    dict of str to list of artists
        `"training"`, `"validation"` and `"learning_rate"`: a line each, or none where there is no such
        figure.

    Examples
    --------
    >>> import cynn
    >>> net = cynn.Network.mlp([1, 8, 1], activation="tanh", seed=0)
    >>> x, y = [[0.0], [1.0]], [0.0, 1.0]
    >>> drawn = cynn.plot.history(net.fit(x, y, epochs=3, validation_data=(x, y)))
    >>> len(drawn["validation"][0].get_ydata())
    3
    """
    figures = getattr(history, "history", history)
    if not isinstance(figures, Mapping):
        raise InvalidParameterError(
            f"The 'history' parameter of plot.history must be what fit returned. Got {history!r} instead."
        )
    if not any(figures.values()):
        raise InvalidParameterError(
            "The 'history' parameter of plot.history must hold an epoch at least. Got none instead."
        )
    if name not in figures:
        raise unknown_name("figure of this history", name, [key for key in figures if key[:4] != "val_"])
    ax = _style.axes(ax, 6.0, 3.6)
    from matplotlib.ticker import MaxNLocator

    artists: Artists = {"training": [], "validation": [], "learning_rate": []}

    def line(into: Axes, key: str, style: str, color: str, label: str) -> list[Any]:
        y = figures[key]
        few = 4 if len(y) <= FEW else 0
        return into.plot(range(1, len(y) + 1), y, style, color=color, markersize=few, label=label)

    artists["training"] = line(ax, name, "o-", _style.POSITIVE, "training")
    if f"val_{name}" in figures:
        artists["validation"] = line(ax, f"val_{name}", "s--", _style.NEGATIVE, "validation")
    if "learning_rate" in figures:
        right = ax.twinx()
        artists["learning_rate"] = line(right, "learning_rate", ":", _style.FAINT, "learning rate")
        right.set(ylabel="learning rate")
        right.set_ylim(bottom=0)
    ax.set(xlabel="epoch", ylabel=name.replace("_", " "))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    _style.legend(ax, [line for lines in artists.values() for line in lines])
    return artists
