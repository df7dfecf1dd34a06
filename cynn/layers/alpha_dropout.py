"""Alpha dropout, which keeps the mean and variance of activations, for selu."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from cynn.layers.dropout import Dropout

__all__ = ["AlphaDropout"]

# The limit of selu(z) for z -> -infinity: -scale alpha.
_ALPHA_PRIME = -1.0507009873554805 * 1.6732632423543772


class AlphaDropout(Dropout):
    """Dropout for selu, which preserves mean 0 and variance 1.

    In training, random activations are set to the lower limit of selu, and all are then scaled and shifted:
    a = A (x m + α' (1 - m)) + B, with α' = -1.7581, A = ((1 - rate) (1 + rate α'²))^-½ and B = -A rate α'.
    m is 0 for dropped activations and 1 for the others. In predictions, the layer does nothing.

    Source: Klambauer et al., "Self-normalizing neural networks", 2017, section 3.

    Parameters
    ----------
    rate : float, Schedule or dict
        The fraction of activations to drop, below 1, or a schedule, as for `Dropout`.

    Examples
    --------
    >>> import cynn
    >>> net = cynn.Network([
    ...     cynn.Input(2),
    ...     cynn.Dense(8, "selu"),
    ...     cynn.AlphaDropout(0.1),
    ...     cynn.Dense(1),
    ... ])
    >>> net.parameter_count
    33
    """

    name: ClassVar[str] = "alpha_dropout"

    def _becomes(self, rate: Any) -> list[Any]:
        slope = 1 / np.sqrt((1 - rate) * (1 + rate * _ALPHA_PRIME**2))
        offset = -slope * rate * _ALPHA_PRIME
        return [rate, slope, offset, slope * _ALPHA_PRIME + offset]
