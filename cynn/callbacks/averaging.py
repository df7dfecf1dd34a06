"""Stochastic weight averaging: the mean of the weights of several epochs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cynn import layers
from cynn.callbacks.base import Callback
from cynn.components import schema
from cynn.components.declarations import whole_number
from cynn.errors import InvalidParameterError

if TYPE_CHECKING:
    from cynn.model import Model

__all__ = ["StochasticWeightAveraging"]


class StochasticWeightAveraging(Callback):
    """Averages the weights of several epochs, and gives the network the mean when training ends.

    After every epoch that counts: w_mean := (n w_mean + w) / (n + 1), in float64. A large or cyclic learning rate works
    best, because the weights then differ from epoch to epoch. When training ends, and before every validation, the
    moving averages of every `BatchNorm` are computed again for the mean weights in one pass over the training data,
    as by `Network.update_moving_averages`. The validation figures are those of the mean weights.

    Parameters
    ----------
    start_epoch : int
        The first epoch that counts, from 1.
    every_epochs : int
        From `start_epoch` on, one epoch in `every_epochs` counts. With a cyclic schedule, use the length of a cycle.

    Attributes
    ----------
    n_averaged : int
        How many epochs have counted. While it is 0, the weights stay as they are.

    Notes
    -----
    Source: Izmailov and others, "Averaging weights leads to wider optima and better generalization", 2018,
    algorithm 1 and section 3.2.

    Examples
    --------
    >>> import cynn
    >>> averaging = cynn.callbacks.StochasticWeightAveraging(start_epoch=3)
    >>> net = cynn.Network.mlp([1, 1], seed=0)
    >>> history = net.fit([[1.0]], [1.0], epochs=5, callbacks=[averaging])
    >>> averaging.n_averaged
    3
    """

    name = "stochastic_weight_averaging"
    start_epoch: int = whole_number(minimum=1)
    every_epochs: int = whole_number(default=1, minimum=1, kw_only=True)

    def __post_init__(self) -> None:
        self.n_averaged = 0
        self._mean: list[Any] = []
        self._averaged: list[Any] | None = None

    def on_train_begin(self) -> None:
        from cynn.training.moving_averages import has_moving_averages

        self.__post_init__()
        if self.training_rows is None and has_moving_averages(self.network):
            raise InvalidParameterError(
                "With StochasticWeightAveraging and BatchNorm, fit must be able to go through the batches again. "
                "Got an iterator instead: pass a function that returns one."
            )

    def count(self, epoch: int) -> None:
        """Add the weights of an epoch to the mean, if the epoch counts. Called before its figures are computed.

        Parameters
        ----------
        epoch : int
            The number of the epoch, from 1.
        """
        if epoch < self.start_epoch or (epoch - self.start_epoch) % self.every_epochs:
            return
        weights = self.network.get_weights()
        if not self._mean:
            self._mean = [w.astype("float64") for w in weights]
        for mean, w in zip(self._mean, weights, strict=True):
            mean += (w - mean) / (self.n_averaged + 1)
        self.n_averaged += 1
        self._averaged = None

    def averaged(self) -> list[Any] | None:
        """The mean weights, with moving averages computed for them, or None if no epoch has counted yet."""
        if self.n_averaged and self._averaged is None:
            from cynn.engine import threads
            from cynn.training import moving_averages

            own = self.network.get_weights()
            try:
                self.network.set_weights(self._mean)
                if self.training_rows is not None:
                    moving_averages.update(self.network, self.training_rows, threads.resolve(None))
                self._averaged = self.network.get_weights()
            finally:
                self.network.set_weights(own)
        return self._averaged

    def get_state(self) -> dict[str, Any]:
        return {"n_averaged": self.n_averaged, "mean": [mean.copy() for mean in self._mean]}

    def _state_schema(self, network: Model) -> Any:
        mean = [schema.array(w.shape, np.float64) for _, w in layers.arrays(network.layers)]
        return schema.Then(
            schema.Having({"n_averaged": schema.whole_number()}),
            lambda state: {"n_averaged": schema.ANYTHING, "mean": mean if state["n_averaged"] else []},
        )

    def set_state(self, state: Mapping[str, Any]) -> None:
        self.n_averaged, self._mean = int(state["n_averaged"]), [mean.copy() for mean in state["mean"]]
