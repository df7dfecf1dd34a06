"""Dropout: in training, some activations are left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from cynn import kernels
from cynn.engine.operations import SavedForBackward
from cynn.engine.randomness import Purpose
from cynn.errors import check_number
from cynn.layers.layer import Layer

if TYPE_CHECKING:
    from cynn.layers.builder import Builder

__all__ = ["Dropout"]


class Dropout(Layer):
    """In training, leaves out activations at random, and makes up for it: a = x m / (1 - rate), m 0 or 1.

    Predictions pass through as they are. Which are left out follows from the network's seed, the epoch and
    the step, so that training is the same every time (Srivastava et al., 2014, "Dropout: a simple way to
    prevent neural networks from overfitting").

    Parameters
    ----------
    rate : float
        The share that is left out, below 1.

    Examples
    --------
    >>> import cynn
    >>> net = cynn.Network([cynn.Input(2), cynn.Dropout(0.5)])
    >>> net.predict([-1.0, 2.0])
    array([-1.,  2.], dtype=float32)
    """

    name: ClassVar[str] = "dropout"

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = check_number(rate, "rate", type(self).__name__, minimum=0, below=1)

    def build(self, builder: Builder, values: list[int]) -> int:
        units = builder.widths[values[0]]
        slope, kept, dropped = self._becomes()
        return builder.add(
            kernels.noise.KERNELS["dropout"],
            values,
            units,
            saved=[SavedForBackward(units)],
            hyperparameters=[self.rate, slope, kept, dropped],
            number=builder.number(Purpose.NOISE),
            in_place=True,
            gradient_in_place=True,
            only_training=True,
        )

    def _becomes(self) -> tuple[float, float, float]:
        """What becomes of an activation x: slope x + kept, or dropped."""
        return 1 / (1 - self.rate), 0.0, 0.0
