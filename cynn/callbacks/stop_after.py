"""The callback that ends a training for now: after so many epochs, to go on later from its checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cynn.callbacks.base import Callback
from cynn.components import schema
from cynn.components.declarations import whole_number

if TYPE_CHECKING:
    from cynn.model import Model

__all__ = ["StopAfter"]


class StopAfter(Callback):
    """Ends a training after so many epochs, however many `fit` was asked for: a schedule sees all of these.

    A training that goes on from the checkpoint then may have more epochs here.

    Parameters
    ----------
    epochs : int
        The number of epochs, counted from the beginning of the training.

    Attributes
    ----------
    epochs_run : int
        The epochs that were trained with this object, those before the checkpoint not counted.

    Examples
    --------
    The learning rate falls over 10 epochs, of which 4 are trained now and the others in another process:

    >>> import cynn, tempfile
    >>> def train(epochs, path):
    ...     net = cynn.Network.mlp([1, 1], seed=0)
    ...     stop = cynn.callbacks.StopAfter(epochs)
    ...     checkpoint = cynn.callbacks.Checkpoint(path)
    ...     optimizer = cynn.optimizers.SGD(cynn.schedules.CosineDecay(0.1))
    ...     history = net.fit(
    ...         [[1.0]], [1.0], epochs=10, optimizer=optimizer,
    ...         callbacks=[stop, checkpoint], resume=True,
    ...     )
    ...     return history.epochs, stop.epochs_run
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = f"{folder}/run.safetensors"
    ...     train(4, path), train(10, path)
    ((4, 4), (10, 6))
    """

    name = "stop_after"
    epochs: int = whole_number(minimum=1)

    def __post_init__(self) -> None:
        self.epochs_run = 0
        self._epoch = 0

    def on_train_begin(self) -> None:
        self._epoch = 0

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        self.epochs_run += 1
        self._epoch = epoch
        self.stop_training = epoch >= self.epochs

    def get_state(self) -> dict[str, Any]:
        return {"epoch": self._epoch}

    def is_reached(self, state: Mapping[str, Any]) -> bool:
        """Whether a training that has stopped with this state has all its epochs.

        Parameters
        ----------
        state : dict
            What `get_state` returned.

        Returns
        -------
        bool
            Whether that was after the last epoch.
        """
        return int(state["epoch"]) >= self.epochs

    def _state_schema(self, network: Model) -> Any:
        return {"epoch": schema.whole_number()}

    def set_state(self, state: Mapping[str, Any]) -> None:
        self._epoch = int(state["epoch"])
        self.stop_training = self.is_reached(state)
