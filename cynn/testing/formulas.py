"""Checks that the `c_source` of an activation, which exports use, computes the same as its kernel."""

from __future__ import annotations

from typing import Any

import numpy as np

from cynn import layers
from cynn.activations import Activation
from cynn.errors import InvalidParameterError
from cynn.interop.evaluation import Reference
from cynn.interop.from_layers import plan_of
from cynn.network import Network
from cynn.testing.report import Failure, Skipped

__all__ = ["same_as_c_source"]

_TOLERANCE = 1e-9  # different rounding of float64 formulas
_COLUMNS = 5


def same_as_c_source(activation: Activation) -> str:
    """Compare an activation with its `c_source`, in float64.

    Parameters
    ----------
    activation : Activation
        The activation to check.

    Returns
    -------
    str
        The evidence.
    """
    # avoids an identity network, whose output would be the input itself
    described: list[Any] = [layers.Input(_COLUMNS), layers.Concatenate([[]]), layers.Activation(activation)]
    network = Network(described, seed=0, dtype="float64")
    try:
        plan = plan_of(network)
    except InvalidParameterError as error:
        if activation.c_source is None or "Got none for" in str(error):
            raise Skipped("it has no c_source: networks with it do not leave") from None
        raise Failure(str(error)) from None
    random = np.random.default_rng(5)
    z = np.concatenate([random.normal(scale=scale, size=(20, _COLUMNS)) for scale in (1e-3, 1, 5)])
    z[0], z[1] = 0, -3
    expected = network.predict(z)
    got = Reference(plan, "float64")(z)
    errors = np.abs(got - expected) / np.maximum(np.maximum(np.abs(expected), np.abs(z)), 1)
    errors[np.isnan(got) & np.isnan(expected)] = 0  # outside of the domain
    place = np.unravel_index(int(np.nanargmax(np.where(np.isnan(errors), np.inf, errors))), errors.shape)
    if not errors[place] <= _TOLERANCE:
        raise Failure(
            f"c_source must give what the kernel gives. For z = {z[place]:.6g} in the row {z[place[0]]} it gives "
            f"{got[place]:.9g} where {expected[place]:.9g} is expected."
        )
    return f"{z.size} numbers"
