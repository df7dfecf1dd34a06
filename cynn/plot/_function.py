"""Plot of an activation function and its derivative."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cynn import registry
from cynn.plot import _style
from cynn.plot._style import Artists
from cynn.plugins.curves import points, takes_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def function(activation: Any, *, z: tuple[float, float] = (-5.0, 5.0), ax: Axes | None = None) -> Artists:
    """Draw an activation function f(z) and its derivative f′(z).

    For a function of a whole row, such as softmax, this is the first element of the row (z, 0).

    Parameters
    ----------
    activation : str, Activation or dict
        The activation to draw.
    z : tuple of float
        The interval of z.
    ax : matplotlib.axes.Axes, optional
        The axes to draw into. By default, a new figure is made.

    Returns
    -------
    dict of str to list of artists
        `"f"` and `"derivative"`: one line each.

    Examples
    --------
    >>> import cynn
    >>> drawn = cynn.plot.function("sigmoid")
    >>> drawn["derivative"][0].get_ydata().max().round(2)
    np.float64(0.25)
    """
    f = registry.activations.get(activation)
    x = np.linspace(*z, 401)
    a, derivative = points(f, x)
    ax = _style.axes(ax, 5.0, 3.4)
    ax.axhline(0, color=_style.FAINT, linewidth=0.8)
    ax.axvline(0, color=_style.FAINT, linewidth=0.8)
    of = "(z, 0)" if takes_rows(f) else "(z)"
    lines = ax.plot(x, a, color=_style.POSITIVE, linewidth=2, label=f"{f.name}{of}")
    slopes = ax.plot(x, derivative, "--", color=_style.NEGATIVE, linewidth=2, label=f"derivative of {f.name}")
    ax.set(xlabel="z", xlim=z)
    _style.legend(ax, [*lines, *slopes])
    return {"f": list(lines), "derivative": list(slopes)}
