"""A training that is watched in a browser as it runs: the callback `Live`, and the local page that it tells.

What enters: the figures of each epoch, and what a look at the network and some validation rows gives. Pages are served
to this machine alone, from a thread that ends with the training. It may use what the callbacks use.
"""

from cynn.callbacks.live.callback import Live

__all__ = ["Live"]
