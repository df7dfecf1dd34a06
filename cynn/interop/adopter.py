"""Builds a network from the model of another library: first the layers, one by one, then their arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cynn import layers, registry
from cynn.errors import InvalidParameterError
from cynn.interop.plan import Array
from cynn.network import Network

__all__ = ["Adopter"]


class Adopter:
    """Collects layers, with the inputs and the arrays of each.

    Values are numbered: 0 is the input, k the output of layer k - 1.

    Parameters
    ----------
    units : int
        The number of columns of the input.
    what : str
        What is imported, for messages.

    Attributes
    ----------
    widths : list of int
        The number of columns of each value.
    missing : list of str
        The parts without a counterpart, with their places.
    """

    def __init__(self, units: int, what: str) -> None:
        self.what = what
        self.input = layers.Input(units)
        self.layers: list[layers.Layer] = []
        self.sources: list[list[int]] = []
        self.arrays: list[dict[str, Array]] = []
        self.widths = [units]
        #: The column of the input that each column of a value is a copy of, or None.
        self.origins: list[list[int | None]] = [list(range(units))]
        self.missing: list[str] = []
        #: The output values of the network's layers, in the order of the layers.
        self.kept: list[int] = []

    def add(self, layer: layers.Layer, sources: Sequence[int], units: int, **arrays: Array | None) -> int:
        """Add a layer, with its arrays by name. Returns the number of its output."""
        self.layers.append(layer)
        self.sources.append(list(sources))
        self.arrays.append({name: array for name, array in arrays.items() if array is not None})
        self.widths.append(units)
        self.origins.append([None] * units)
        return len(self.layers)

    def dense(self, source: int, W: Array, b: Array | None, **options: Any) -> int:
        """z = x W + b."""
        units = W.shape[1]
        return self.add(layers.Dense(units, use_bias=b is not None, **options), [source], units, weights=W, biases=b)

    def activation(self, source: int, activation: Any) -> int:
        """a = f(z). Where nothing else reads the output of a dense layer, it becomes the activation of that layer."""
        return self.add(layers.Activation(registry.activations.get(activation)), [source], self.widths[source])

    def affine_columns(self, source: int, mean: Array, slope: Array, offset: Array | None = None) -> int:
        """(x - mean) slope + offset, with numbers for each column: a batch normalization that is not trained."""
        layer = layers.BatchNorm(epsilon=0, use_bias=offset is not None, trainable=False)
        ones = np.ones(len(mean))
        return self.add(
            layer, [source], len(mean), gamma=slope, beta=offset, moving_mean=mean, moving_variance=ones
        )  # fmt: skip

    def select(self, source: int, first: int, count: int) -> int:
        """Some columns of a value: a dense layer of zeros and ones that is not trained."""
        width = self.widths[source]
        if (first, count) == (0, width):
            return source
        W = np.zeros((width, count), np.float32)
        W[first + np.arange(count), np.arange(count)] = 1
        value = self.dense(source, W, None, trainable=False)
        self.origins[value] = self.origins[source][first : first + count]
        return value

    def embedding(self, column: int, table: Array) -> int:
        """An embedding: the row of a table for the category in a column of the input."""
        n, size = table.shape
        width = self.widths[0] - 1 + size
        value = self.add(layers.Embedding(n, size, columns=column), [0], width, weights=table)
        return self.select(value, width - size, size)

    def concatenate(self, sources: Sequence[int | None]) -> int | None:
        """Concatenate values; None if one of them is not known."""
        known = [source for source in sources if source is not None]
        if len(known) != len(sources):
            return None
        if len(known) == 1:
            return known[0]
        value = self.add(layers.Concatenate(), known, sum(self.widths[source] for source in known))
        self.origins[value] = [column for source in known for column in self.origins[source]]
        return value

    def lack(self, name: str, place: str, source: int) -> int:
        """Note a part without a counterpart. Its output is its input, so that the search goes on."""
        self.missing.append(f"{name} ({place})")
        return source

    def network(self, outputs: int | list[int] | Mapping[str, int], dtype: str, seed: int = 0) -> Network:
        """The network, with its arrays, without layers that lead to no output."""
        if self.missing:
            raise InvalidParameterError(
                f"Every part of {self.what} that is adopted must have a counterpart among the layers of CyNN. "
                f"Got none for {'; '.join(self.missing)}."
            )
        wanted: Any = list(outputs.values()) if isinstance(outputs, Mapping) else outputs
        wanted = [wanted] if isinstance(wanted, int) else wanted
        if 0 in wanted:
            raise InvalidParameterError(f"{self.what} must do something with its input. Got a model that returns it.")
        used = set(wanted)
        for number in range(len(self.layers), 0, -1):
            if number in used:
                used |= set(self.sources[number - 1])
        kept = [number for number in range(1, len(self.layers) + 1) if number in used]
        within = self._activations_within(kept, wanted)
        kept = self.kept = [number for number in kept if number not in within]
        place = {0: 0} | {number: k for k, number in enumerate(kept, start=1)}
        place |= {number: place[source] for number, source in within.items()}
        described: list[Any] = [self.layers[number - 1] for number in kept]
        sources = [[place[source] for source in self.sources[number - 1]] for number in kept]
        found: Any = None
        if isinstance(outputs, Mapping):
            found = {name: place[number] for name, number in outputs.items()}
        elif isinstance(outputs, list):
            found = [place[number] for number in outputs]
        net = Network([self.input, *described], seed=seed, dtype=dtype, sources=sources, outputs=found)
        for layer, number in zip(net.layers, kept, strict=True):
            for name, array in self.arrays[number - 1].items():
                setattr(layer, name, array)
        return net

    def _activations_within(self, kept: list[int], wanted: list[int]) -> dict[int, int]:
        """Move activations into the dense layers that only they read. Returns their values with those of the layers."""
        readers = Counter([*wanted, *(source for number in kept for source in self.sources[number - 1])])
        within = {}
        for number in kept:
            layer, source = self.layers[number - 1], self.sources[number - 1][0]
            before = self.layers[source - 1] if source else None
            if (
                type(layer) is layers.Activation
                and type(before) is layers.Dense
                and readers[source] == 1
                and before.activation.name == "identity"
            ):
                before.activation = layer.activation
                within[number] = source
        return within
