"""Dropout: sets random activations to 0 in training."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from cynn import kernels
from cynn.components.declarations import checked_by
from cynn.engine.operations import SavedForBackward
from cynn.layers.layer import _WithoutParameters
from cynn.schedules.base import number_of

if TYPE_CHECKING:
    from cynn.layers.builder import Builder

__all__ = ["Dropout"]


class Dropout(_WithoutParameters):
    """Sets random activations to 0 in training: a = x m / (1 - rate), where m is 0 or 1.

    In predictions, the layer does nothing. m depends only on the network's seed, the epoch and the step, so training is
    reproducible.

    Source: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", 2014.

    Parameters
    ----------
    rate : float, Schedule or dict
        The fraction of activations to drop, below 1, or a schedule of `cynn.schedules` that depends only on the step.
        Steps are counted from 0, as for the learning rate.

    Examples
    --------
    >>> import cynn
    >>> net = cynn.Network([cynn.Input(2), cynn.Dropout(0.5)])
    >>> net.predict([-1.0, 2.0])
    array([-1.,  2.], dtype=float32)
    """

    name: ClassVar[str] = "dropout"
    kernel = kernels.noise.KERNELS["dropout"]
    rate: Any = checked_by(partial(number_of, minimum=0, below=1))

    def build(self, builder: Builder, values: list[int]) -> int:
        units = builder.widths[values[0]]
        return builder.add(
            self.kernel,
            values,
            units,
            saved=[SavedForBackward(units)],
            **builder.scheduled(self.rate, "rate", type(self).__name__, self._becomes, below=1),
            draws=True,
        )

    def _becomes(self, rate: Any) -> list[Any]:
        """The hyperparameters of the kernel: slope, kept, dropped. x becomes slope x + kept, or dropped."""
        return [rate, 1 / (1 - rate), np.zeros_like(rate), np.zeros_like(rate)]
