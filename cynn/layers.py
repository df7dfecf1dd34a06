"""Layers: what a network is composed of. A description first; in a network, it has weights."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from cynn import registry
from cynn.errors import (
    CynnError,
    InvalidParameterError,
    ShapeError,
    check_number,
    check_whole_number,
    unknown_name,
)
from cynn.initializers import NAMES as INITIALIZERS
from cynn.initializers import initial_weights

__all__ = ["Dense", "Input", "check_chain", "from_config"]

LARGEST_DIMENSION = 2**31 - 1  # BLAS counts in 32 bits


class Input:
    """What a network takes: rows of numbers, and how they are scaled.

    Parameters
    ----------
    units : int
        Numbers in a row.
    scale, offset : float
        x = scale * value + offset, applied batch by batch as rows are gathered, so that a large
        array of uint8 need never be converted.

    Examples
    --------
    >>> import cynn
    >>> cynn.Input(784, scale=1 / 255)
    Input(784, scale=0.00392156862745098)
    """

    name: ClassVar[str] = "input"

    def __init__(self, units: int, *, scale: float = 1.0, offset: float = 0.0) -> None:
        self.units = check_whole_number(units, "units", "Input", minimum=1, maximum=LARGEST_DIMENSION)
        self.scale = check_number(scale, "scale", "Input")
        self.offset = check_number(offset, "offset", "Input")

    def get_config(self) -> dict[str, Any]:
        """From which `from_config` makes an equal one."""
        return {"layer": "input", "units": self.units, "scale": self.scale, "offset": self.offset}

    def __repr__(self) -> str:
        extra = "".join(
            f", {name}={value!r}"
            for name, value, default in [("scale", self.scale, 1.0), ("offset", self.offset, 0.0)]
            if value != default
        )
        return f"Input({self.units}{extra})"


class Dense:
    """A layer in which every unit sees every input: a = f(x W + b).

    Parameters
    ----------
    units : int
        The neurons of the layer.
    activation : str, Activation or dict
        f; `"identity"` by default.
    initializer : str, optional
        How the weights start: `glorot_uniform`, `he_uniform`, `lecun_uniform`, or `_normal` of each.
        By default the activation's own choice: he for the relu family, glorot for others.

    Attributes
    ----------
    weights : array of shape (inputs, units)
        W, so that z = x @ weights + biases: the transpose of the lecture's W. A live view: what is
        written to it, the network uses. Only in a network.
    biases : array of shape (units,)
        b, likewise.

    Examples
    --------
    >>> import cynn
    >>> net = cynn.Network([cynn.Input(2), cynn.Dense(1)], seed=0)
    >>> net.layers[0].weights = [[1.0], [2.0]]
    >>> net.predict([3.0, 4.0])
    array([11.], dtype=float32)
    """

    name: ClassVar[str] = "dense"

    def __init__(self, units: int, activation: Any = "identity", *, initializer: str | None = None) -> None:
        self.units = check_whole_number(units, "units", "Dense", minimum=1, maximum=LARGEST_DIMENSION)
        self.activation = registry.activations.get("identity" if activation is None else activation)
        if initializer is not None and initializer not in INITIALIZERS:
            raise unknown_name("initializer", initializer, INITIALIZERS)
        self.initializer = initializer
        self.inputs: int | None = None
        self._weights: npt.NDArray[Any] | None = None
        self._biases: npt.NDArray[Any] | None = None

    def bound(self, inputs: int, dtype: str, seed: int, number: int) -> Self:
        """A copy of this description with weights of its own, for one network."""
        from cynn.engine import aligned_zeros

        layer = copy.copy(self)
        layer.inputs = inputs
        layer._weights = aligned_zeros((inputs, self.units), dtype)
        layer._biases = aligned_zeros((self.units,), dtype)
        name = self.initializer or self.activation.initializer
        layer._weights[...] = initial_weights(name, inputs, self.units, seed, number)
        return layer

    @property
    def parameter_count(self) -> int:
        """(inputs + 1) * units."""
        return self.weights.size + self.biases.size

    @property
    def weights(self) -> npt.NDArray[Any]:
        return self._parameter(self._weights)

    @weights.setter
    def weights(self, value: npt.ArrayLike) -> None:
        self._assign("weights", self.weights, value)

    @property
    def biases(self) -> npt.NDArray[Any]:
        return self._parameter(self._biases)

    @biases.setter
    def biases(self, value: npt.ArrayLike) -> None:
        self._assign("biases", self.biases, value)

    def _parameter(self, array: npt.NDArray[Any] | None) -> npt.NDArray[Any]:
        if array is None:
            raise CynnError(
                "A layer must be in a network to have weights. Got a description alone: "
                "cynn.Network([...]).layers holds the layers with their weights."
            )
        return array

    def _assign(self, name: str, array: npt.NDArray[Any], value: npt.ArrayLike) -> None:
        try:
            given = np.asarray(value, dtype=array.dtype)
        except (TypeError, ValueError) as error:
            raise InvalidParameterError(
                f"The {name} of a layer must be numbers. Got {value!r} instead."
            ) from error
        if given.shape != array.shape:
            raise ShapeError(
                f"The {name} of this layer must have the shape {array.shape}. Got {given.shape} instead."
            )
        array[...] = given

    def get_config(self) -> dict[str, Any]:
        """From which `from_config` makes an equal description."""
        return {
            "layer": "dense",
            "units": self.units,
            "activation": self.activation.get_config(),
            "initializer": self.initializer,
        }

    def __repr__(self) -> str:
        extra = f", initializer={self.initializer!r}" if self.initializer else ""
        return f"Dense({self.units}, activation={self.activation!r}{extra})"


def from_config(config: dict[str, Any]) -> Input | Dense:
    """The layer that `get_config` described."""
    arguments = dict(config)
    kind = arguments.pop("layer", None)
    if kind == "input":
        return Input(arguments.pop("units"), **arguments)
    if kind == "dense":
        return Dense(arguments.pop("units"), **arguments)
    raise unknown_name("layer", kind, ["input", "dense"])


def check_chain(given: Any) -> tuple[Input, list[Dense]]:
    """The input and the dense layers of a network, from a list of both."""
    described = list(given) if isinstance(given, Iterable) else []
    first, rest = (described[0], described[1:]) if described else (None, [])
    all_dense = all(isinstance(layer, Dense) for layer in rest)
    if not isinstance(first, Input) or not rest or not all_dense:
        raise InvalidParameterError(
            "The 'layers' parameter of Network must be a list of an Input and one or more Dense layers. "
            f"Got {given!r} instead."
        )
    return first, rest
