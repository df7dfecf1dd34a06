"""What a callback is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from cynn.components.configurable import Configurable
from cynn.components.declarations import attribute
from cynn.schedules.monitoring import Directions

if TYPE_CHECKING:
    from cynn.model import Model

__all__ = ["Callback"]


class Callback(Configurable):
    """What is called in the course of training. A subclass overrides what it wants.

    One that raises ends the training: the network is whole then, and `network.history` has the figures up
    to there.

    Attributes
    ----------
    network : Network
        The one that is trained; `fit` sets it.
    training_rows : function, or None
        Goes once more through the rows of x that are trained on: pairs of some rows, and of how often each is there, or
        None where that is once. `fit` sets it. None where x is an iterator of batches, which is at its end.
    final_weights : function
        Gives what `get_weights` would if training ended after this epoch, whose validation is of these: an average,
        where the optimizer or a callback makes one. `fit` sets it.
    greater_is_better : mapping of str to bool or None
        Of each figure of this training by its name, whether it is to rise; None where nothing says it. `fit` sets it.
    stop_training : bool
        Set to True, it ends the training after the epoch or, in `on_step_end`, after the step.

    Examples
    --------
    >>> import cynn
    >>> class Print(cynn.callbacks.Callback):
    ...     def on_epoch_end(self, epoch, logs):
    ...         print("epoch", epoch)
    ...         self.stop_training = epoch == 2
    >>> history = cynn.Network.mlp([1, 1], seed=0).fit([[1.0]], [1.0], epochs=5, callbacks=[Print()])
    epoch 1
    epoch 2
    """

    kind = "callback"
    # two that are made alike come to know different things
    __eq__ = object.__eq__
    __hash__ = object.__hash__
    network: Any = attribute(None)  # a Network, which stands above this wing
    training_rows: Callable[[], Iterable[Any]] | None = attribute(None)
    greater_is_better: Directions = attribute(MappingProxyType({}))
    final_weights: Callable[[], list[Any]] | None = attribute(None)
    stop_training: bool = attribute(False)

    def on_train_begin(self) -> None:
        """Before the first epoch."""

    def on_train_end(self) -> None:
        """After the last epoch, however the training ended: also after Ctrl-C or an error."""

    def on_epoch_begin(self, epoch: int) -> None:
        """Before an epoch, counted from 1 in this `fit`.

        Parameters
        ----------
        epoch : int
            Its number.
        """

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """After an epoch, counted from 1 in this `fit`, with its figures.

        Parameters
        ----------
        epoch : int
            Its number.
        logs : dict of str to float
            The figures by name, as the history has them.
        """

    def on_step_end(self, step: int, logs: dict[str, float]) -> None:
        """After a step, counted from 1 in its epoch, with its loss as `logs["loss"]`.

        Where it is overridden the steps are taken one at a time, with Python between them.

        Parameters
        ----------
        step : int
            Its number.
        logs : dict of str to float
            `"loss"`, that of the batch before the step.
        """

    def get_state(self) -> dict[str, Any]:
        """What a checkpoint is to hold: numbers, strings, None, arrays, and lists and dicts of these by name."""
        return {}

    def _state_schema(self, network: Model) -> Any:
        """What `get_state` returns, in the words of cynn.components.schema."""
        return {}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `get_state` returned, in the middle of an epoch or between two.

        It is called after `on_train_begin`; `on_epoch_begin` is not called for an epoch that goes on.

        Parameters
        ----------
        state : dict
            As `get_state` returned it, perhaps in another process.
        """
