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
        layers: list[Layer] = []
        values = [0]
        for number, description in enumerate(self.layers):
            try:
                layer, output = description.bound(builder, [values[k] for k in self.sources[number]])
            except ShapeError as error:
                raise ShapeError(f"In layer {number}, {description!r}: {error}") from None
            layers.append(layer)
            values.append(output)
        return layers, values

    @property
    def is_chain(self) -> bool:
        """Whether every layer takes what the one before it returns."""
        return all(source == [number] for number, source in enumerate(self.sources))


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
    described = list(given) if isinstance(given, Iterable) else []
    first, rest = (described[0], described[1:]) if described else (None, [])
    if not isinstance(first, Input) or not rest or not all(isinstance(layer, Layer) for layer in rest):
        raise InvalidParameterError(
            "The 'layers' parameter of Network must be a list of an Input and one or more layers, or what "
            f"calling a layer on others returned. Got {given!r} instead."
        )
    chain = [[number] for number in range(len(rest))]
    return Composition(first, rest, _checked(sources, len(rest)) if sources is not None else chain)


def _checked(sources: Any, n: int) -> list[list[int]]:
    whole = isinstance(sources, list) and len(sources) == n
    if not whole or not all(
        isinstance(source, list) and source and all(type(k) is int and 0 <= k <= number for k in source)
        for number, source in enumerate(sources)
    ):
        raise InvalidParameterError(
            f"The sources of {n} layers must be {n} lists of numbers of earlier values. Got {sources!r} instead."
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
