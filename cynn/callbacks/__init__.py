"""Callbacks: what is called in the course of training."""

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
