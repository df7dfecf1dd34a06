"""Evaluates a part that only code of its own describes: by its kernel."""

from __future__ import annotations

import numpy as np

from cynn import layers
from cynn.activations import Activation
from cynn.errors import InvalidParameterError
from cynn.interop.plan import Array, Function
from cynn.network import Network

__all__ = ["by_kernel"]


def by_kernel(step: Function, x: Array) -> Array:
    """What a kernel makes of rows, in float64 if they are not float32 and it has that dtype.

    Parameters
    ----------
    step : Function
        The step.
    x : array of shape (rows, width)
        What goes in.
    """
    if x.dtype == np.float32:
        return _predicted(step, x, "float32")
    try:
        return _predicted(step, x, "float64")
    except InvalidParameterError:  # it is compiled for float32 alone
        return _predicted(step, x, "float32")


def _predicted(step: Function, x: Array, dtype: str) -> Array:
    part = step.part
    layer = layers.Activation(part) if isinstance(part, Activation) else part
    same = layers.Concatenate([[]])  # in front of the identity, which would be no layer at all
    network = Network([layers.Input(step.width), same, layer], seed=0, dtype=dtype)
    if layer is part:
        for (_, array), (_, kept) in zip(network.layers[-1].arrays(), part.arrays(), strict=True):
            array[...] = kept
    found: Array = network.predict(np.ascontiguousarray(x, dtype), check_finite=False)
    return found
