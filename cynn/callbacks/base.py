"""The base class of callbacks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from cynn.components.configurable import Configurable
from cynn.components.declarations import attribute
from cynn.schedules.monitoring import Directions

if TYPE_CHECKING:
    from cynn.data.examples import Examples
    from cynn.model import Model

__all__ = ["Callback"]


class Callback(Configurable):
    """Base class of callbacks. `fit` calls its methods during training; a subclass overrides those that it needs.

    An exception in a callback ends the training. The network is then in the state after its last whole step, and
    `network.history` has the figures up to that point.

    Attributes
    ----------
    network : Network
        The network that is trained. `fit` sets it.
    training_rows : function, or None
        Iterates over the training rows of x once more. It yields pairs: some rows, and the weight of each row, or None
        if every row counts once. `fit` sets it. None if x is an iterator of batches, which can be used only once.
    final_weights : function
        Returns the weights that the network would have if training ended after this epoch: an average of weights if
        the optimizer or a callback computes one. Validation uses these weights. `fit` sets it.
    greater_is_better : mapping of str to bool or None
        For the name of each figure: True if a larger value is better, False if a smaller one is, None if that is not
        known. `fit` sets it.
    stop_training : bool
        Setting it to True ends the training after the current epoch or, in `on_step_end`, after the current step.

    Examples
    --------
    >>> import cynn
    >>> class Print(cynn.callbacks.Callback):
    ...     def on_epoch_end(self, epoch, logs):
    ...         print("epoch", epoch)
    ...         self.stop_training = epoch == 2
    >>> net = cynn.Network.mlp([1, 1], seed=0)
    >>> history = net.fit([[1.0]], [1.0], epochs=5, callbacks=[Print()])
    epoch 1
    epoch 2
    """

    kind = "callback"
    # compared by identity: two callbacks with equal parameters may have different state
    __eq__ = object.__eq__
    __hash__ = object.__hash__
    network: Any = attribute(None)  # a Network; its module may not be imported here
    training_rows: Callable[[], Iterable[Any]] | None = attribute(None)
    greater_is_better: Directions = attribute(MappingProxyType({}))
    final_weights: Callable[[], list[Any]] | None = attribute(None)
    stop_training: bool = attribute(False)
    _examples: Examples | None = attribute(None)
    # the gradients of the loss of at most so many training rows; None if these come from an iterator
    _sampled_gradients: Callable[[int], list[Any]] | None = attribute(None)
    _rank: int = attribute(0)  # of several processes that train together

    def on_train_begin(self) -> None:
        """Called before the first epoch."""

    def on_train_end(self) -> None:
        """Called when training ends, also by Ctrl-C or an error."""

    def on_epoch_begin(self, epoch: int) -> None:
        """Called before each epoch.

        Parameters
        ----------
        epoch : int
            The number of the epoch, counted from 1 in this `fit`.
        """

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Called after each epoch.

        Parameters
        ----------
        epoch : int
            The number of the epoch, counted from 1 in this `fit`.
        logs : dict of str to float
            The figures of the epoch by name, as in the history.
        """

    def on_step_end(self, step: int, logs: dict[str, float]) -> None:
        """Called after each step.

        If a callback overrides this method, steps are taken one at a time, with Python code between them.

        Parameters
        ----------
        step : int
            The number of the step, counted from 1 in its epoch.
        logs : dict of str to float
            `"loss"`: the loss of the batch, computed before the step.
        """

    def get_state(self) -> dict[str, Any]:
        """The state to store in a checkpoint: a dict of numbers, strings, None, arrays, lists and dicts of these."""
        return {}

    def _state_schema(self, network: Model) -> Any:
        """A schema of what `get_state` returns: see cynn.components.schema."""
        return {}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restore the state from a checkpoint, which may have been written in the middle of an epoch.

        Called after `on_train_begin`. `on_epoch_begin` is not called for an epoch that is resumed.

        Parameters
        ----------
        state : dict
            What `get_state` returned, perhaps in another process.
        """
