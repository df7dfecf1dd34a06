"""Dropout that keeps the mean and the variance of activations, for selu."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from cynn.layers.dropout import Dropout

__all__ = ["AlphaDropout"]

# What selu returns far to the left: -scale alpha.
_LEAST = -1.0507009873554805 * 1.6732632423543772


class AlphaDropout(Dropout):
    """Dropout for selu: it keeps mean 0 and variance 1 as they are.

    In training, activations at random become what selu has at its least, and all are then moved and scaled:
    a = A (x m + α' (1 - m)) + B, with α' = -1.7581, A = ((1 - rate) (1 + rate α'²))^-½ and B = -A rate α'.
    Predictions pass through as they are. (Klambauer et al., 2017, "Self-normalizing neural networks",
    section 3.)

    Parameters
    ----------
    rate : float, Schedule or dict
        The share that is left out, below 1; or a schedule of it, as for `Dropout`.

    Examples
    --------
    >>> import cynn
    >>> net = cynn.Network([cynn.Input(2), cynn.Dense(8, "selu"), cynn.AlphaDropout(0.1), cynn.Dense(1)])
    >>> net.parameter_count
    33
    """

    name: ClassVar[str] = "alpha_dropout"

    def _becomes(self, rate: Any) -> list[Any]:
        slope = 1 / np.sqrt((1 - rate) * (1 + rate * _LEAST**2))
        offset = -slope * rate * _LEAST
        return [rate, slope, offset, slope * _LEAST + offset]
