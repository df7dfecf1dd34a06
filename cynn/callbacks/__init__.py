"""Callbacks: objects whose methods `fit` calls during training.

A callback sees the network, the figures of each epoch and the batches. It may end the training, write files or keep
weights. It may use the model, the modules that write files, and everything in the public interface.
"""

from cynn import registry
from cynn.callbacks.averaging import StochasticWeightAveraging
from cynn.callbacks.base import Callback
from cynn.callbacks.checkpoint import Checkpoint
from cynn.callbacks.live import Live
from cynn.callbacks.logs import CSVLogger, TensorBoard
from cynn.callbacks.stop_after import StopAfter
from cynn.callbacks.stopping import EarlyStopping, Timer

__all__ = [
    "CSVLogger",
    "Callback",
    "Checkpoint",
    "EarlyStopping",
    "Live",
    "StochasticWeightAveraging",
    "StopAfter",
    "TensorBoard",
    "Timer",
]

registry.declare(Callback, globals())
