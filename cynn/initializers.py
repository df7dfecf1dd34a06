"""Initial weights: random, and scaled so that signals neither die out nor blow up from layer to layer.

`glorot` (Glorot and Bengio, 2010) has variance 2 / (inputs + units), `he` (He et al., 2015) 2 / inputs,
`lecun` (LeCun et al., 1998; Nielsen's book, chapter 3) 1 / inputs; each as `_uniform` or `_normal`.
Biases start at 0.
"""

from __future__ import annotations

import math
from typing import Any

import numpy.typing as npt

from cynn import randomness
from cynn.errors import unknown_name

__all__ = ["NAMES", "check_name", "initial_weights"]

_VARIANCES = {
    "glorot": lambda inputs, units: 2 / (inputs + units),
    "he": lambda inputs, units: 2 / inputs,
    "lecun": lambda inputs, units: 1 / inputs,
}

#: The initializers that there are.
NAMES = [f"{scheme}_{distribution}" for scheme in _VARIANCES for distribution in ("uniform", "normal")]


def check_name(name: Any) -> str | None:
    """The name of an initializer, or None, which leaves the choice to the activation."""
    if name is not None and name not in NAMES:
        raise unknown_name("initializer", name, NAMES)
    return str(name) if name is not None else None


def initial_weights(name: str, inputs: int, units: int, seed: int, layer: int) -> npt.NDArray[Any]:
    """Weights of shape (inputs, units) in float64, a function of the seed and the layer's number.

    Examples
    --------
    >>> from cynn.initializers import initial_weights
    >>> W = initial_weights("glorot_uniform", 784, 16, seed=0, layer=0)
    >>> W.shape, bool(abs(W).max() <= (6 / 800) ** 0.5)
    ((784, 16), True)
    """
    if name not in NAMES:
        raise unknown_name("initializer", name, NAMES)
    scheme, distribution = name.split("_")
    deviation = math.sqrt(_VARIANCES[scheme](inputs, units))
    purpose = randomness.Purpose.INITIAL_WEIGHTS
    if distribution == "normal":
        return deviation * randomness.normal((inputs, units), seed, purpose, layer)
    return math.sqrt(3) * deviation * (2 * randomness.uniform((inputs, units), seed, purpose, layer) - 1)
