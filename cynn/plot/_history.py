"""Plot of a figure over the epochs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cynn.errors import InvalidParameterError, unknown_name
from cynn.plot import _style
from cynn.plot._style import Artists

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cynn.training.history import History

FEW = 30  # with at most this many epochs, each has a marker


def history(history: History, name: str = "loss", *, ax: Axes | None = None) -> Artists:
    """Draw how a figure of the training data, and that of the validation data, changed over the epochs.

    If the history has the learning rate, it is drawn as a dotted line with its own scale at the right.

    Parameters
    ----------
    history : cynn.training.History or dict of str to list of float
        What `fit` returned, or its `history`.
    name : str
        The figure to draw: `"loss"` or a metric.
    ax : matplotlib.axes.Axes, optional
        The axes to draw into. By default, a new figure is made.

    Returns
    -------
    dict of str to list of artists
        `"training"`, `"validation"` and `"learning_rate"`: one line each, or none if the history lacks the figure.

    Examples
    --------
    >>> import cynn
    >>> net = cynn.Network.mlp([1, 8, 1], activation="tanh", seed=0)
    >>> x, y = [[0.0], [1.0]], [0.0, 1.0]
    >>> history = net.fit(x, y, epochs=3, validation_data=(x, y))
    >>> drawn = cynn.plot.history(history)
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
            "The 'history' parameter of plot.history must hold at least one epoch. Got none instead."
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
