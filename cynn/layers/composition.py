"""From what a user composes, a list of layers or calls of one layer on others, to layers in their order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from cynn.errors import InvalidParameterError, ShapeError
from cynn.layers.input import Input
from cynn.layers.layer import Layer, Node

if TYPE_CHECKING:
    from cynn.layers.builder import Builder

__all__ = ["Composition", "compose"]


class Composition:
    """An input, layers so that each comes behind those that it takes, and which these are.

    Attributes
    ----------
    input : Input
    layers : list of Layer
        Descriptions.
    sources : list of list of int
        What each layer takes: 0 is the input, k the output of layer k - 1.
    """

    def __init__(self, input_: Input, layers: list[Layer], sources: list[list[int]]) -> None:
        self.input = input_
        self.layers = layers
        self.sources = sources

    def build(self, builder: Builder) -> tuple[list[Layer], list[int]]:
        """Layers with arrays of their own, and the values that are the input and the output of each."""
        return build_layers(self.layers, self.sources, builder, 0, "In layer {}")

    @property
    def is_chain(self) -> bool:
        """Whether every layer takes what the one before it returns."""
        return self.sources == chain(len(self.layers))


def chain(n: int) -> list[list[int]]:
    """The sources of layers one behind the other."""
    return [[number] for number in range(n)]


def as_layers(given: Any) -> list[Layer] | None:
    """A list of what was given, None where that is not layers."""
    if not isinstance(given, Iterable):
        return None
    layers = list(given)
    return layers if all(isinstance(layer, Layer) for layer in layers) else None


def build_layers(
    described: list[Layer], sources: list[list[int]], builder: Builder, value: int, place: str
) -> tuple[list[Layer], list[int]]:
    """Layers with arrays of their own.

    Parameters
    ----------
    described : list of Layer
    sources : list of list of int
        What each takes: 0 is `value`, k the output of layer k - 1.
    builder : Builder
    value : int
    place : str
        How an error names a layer, with {} for its number.

    Returns
    -------
    layers : list of Layer
    values : list of int
        `value`, and the output of every layer.
    """
    layers: list[Layer] = []
    values = [value]
    for number, description in enumerate(described):
        try:
            layer, output = description.bound(builder, [values[k] for k in sources[number]])
        except ShapeError as error:
            raise ShapeError(f"{place.format(number)}, {description!r}: {error}") from None
        layers.append(layer)
        values.append(output)
    return layers, values


def compose(given: Any, sources: Any = None) -> Composition:
    """The composition that a user has given.

    Parameters
    ----------
    given : list of Input and Layers, or Node
    sources : list of list of int, optional
        For a list of layers that is no chain, as in a configuration.
    """
    if isinstance(given, Node):
        return _of_nodes(given)
    first, *rest = (list(given) if isinstance(given, Iterable) else []) or [None]
    layers = as_layers(rest)
    if not isinstance(first, Input) or not layers:
        raise InvalidParameterError(
            "The 'layers' parameter of Network must be a list of an Input and one or more layers, or what "
            f"calling a layer on others returned. Got {given!r} instead."
        )
    return Composition(first, layers, chain(len(layers)) if sources is None else _checked(sources, layers))


def _checked(sources: Any, layers: list[Layer]) -> list[list[int]]:
    n = len(layers)
    whole = isinstance(sources, list) and len(sources) == n
    if not whole or not all(
        isinstance(source, list) and source and all(type(k) is int and 0 <= k <= number for k in source)
        for number, source in enumerate(sources)
    ):
        raise InvalidParameterError(
            f"The sources of {n} layers must be {n} lists of numbers of earlier values. Got {sources!r} instead."
        )
    taken = {value for source in sources for value in source}
    for number, layer in enumerate(layers[:-1]):
        if number + 1 not in taken:
            raise InvalidParameterError(
                "The sources of layers must name the output of each but the last. "
                f"Got none that names that of layer {number}, {layer!r}, instead."
            )
    return [list(source) for source in sources]


def _of_nodes(output: Node) -> Composition:
    """Every node that the output depends on, each behind those that it takes."""
    order: list[Node] = []
    inputs: list[Input] = []
    done: set[int] = set()
    waiting: list[tuple[Any, bool]] = [(output, False)]
    while waiting:
        node, inputs_are_done = waiting.pop()
        if inputs_are_done:
            order.append(node)
        elif isinstance(node, Input):
            if all(node is not known for known in inputs):
                inputs.append(node)
        elif not isinstance(node, Node):
            raise InvalidParameterError(
                f"A layer must be called on an Input or on what calling a layer returned. Got {node!r} instead."
            )
        elif id(node) not in done:
            done.add(id(node))
            waiting.append((node, True))
            waiting += [(source, False) for source in reversed(node.inputs)]
    if len(inputs) != 1:
        raise InvalidParameterError(
            f"A network must begin at one Input, which all of its layers share. Got {len(inputs)} instead."
        )
    number = {id(inputs[0]): 0} | {id(node): k for k, node in enumerate(order, start=1)}
    return Composition(
        inputs[0], [node.layer for node in order], [[number[id(s)] for s in node.inputs] for node in order]
    )
