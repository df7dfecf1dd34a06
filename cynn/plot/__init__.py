"""Pictures of networks, of their training and of what they get wrong, drawn with matplotlib.

Every function takes `ax`, the matplotlib axes to draw into (without it, a new figure is made), and
returns what it drew: a dict that maps a word, such as ``"neurons"``, to a list of matplotlib artists. The
figure is ``ax.figure``, or ``plt.gcf()`` where none was given. No display is needed.

Matplotlib comes with the extra: ``pip install "cynn-nn[plot]"``. It is imported when the first picture is
drawn. Pictures use what the public interface of networks shows, and change nothing.
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
