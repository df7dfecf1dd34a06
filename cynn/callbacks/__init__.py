"""Callbacks: what is called in the course of training.

They see the network, the figures of each epoch and the batches, and may end a training, write files or keep weights.
They may use the model and the files, and all that the public interface has.
"""

from cynn import registry
from cynn.callbacks.averaging import StochasticWeightAveraging
from cynn.callbacks.base import Callback
from cynn.callbacks.checkpoint import Checkpoint
from cynn.callbacks.logs import CSVLogger, TensorBoard
from cynn.callbacks.stopping import EarlyStopping, Timer

__all__ = [
    "CSVLogger",
    "Callback",
    "Checkpoint",
    "EarlyStopping",
    "StochasticWeightAveraging",
    "TensorBoard",
    "Timer",
]

registry.declare(Callback, globals())
