"""Plots of networks, of their training and of their mistakes, drawn with matplotlib.

Every function takes `ax`, the matplotlib axes to draw into. Without it, a new figure is made. It returns a dict that
maps words such as ``"neurons"`` to lists of the matplotlib artists that were drawn. The figure is ``ax.figure``, or
``plt.gcf()`` if no axes were given. No display is needed.

Matplotlib comes with an extra: ``pip install "cynn-nn[plot]"``. It is imported when the first plot is drawn. Plots use
the public interface of networks, and change nothing.
"""

from cynn.plot._activations import activations as activations
from cynn.plot._confusion import confusion as confusion
from cynn.plot._function import function as function
from cynn.plot._history import history as history
from cynn.plot._landscape import landscape as landscape
from cynn.plot._mistakes import mistakes as mistakes
from cynn.plot._network import network as network
from cynn.plot._weights import weights as weights

__all__ = [
    "activations",
    "confusion",
    "function",
    "history",
    "landscape",
    "mistakes",
    "network",
    "weights",
]
