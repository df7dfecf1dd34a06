"""Converts a list of layers, or a graph of layer calls, to layers in topological order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cynn.errors import InvalidParameterError, ShapeError, as_list, shown
from cynn.layers.input import Input
from cynn.layers.layer import Layer, Node

if TYPE_CHECKING:
    from cynn.layers.builder import Builder

__all__ = ["Composition", "compose"]


class Composition:
    """An input, layers in topological order, and the sources of each layer.

    Attributes
    ----------
    input : Input
    layers : list of Layer
        The layers, which are not part of a network.
    sources : list of list of int
        The inputs of each layer: 0 is the input of the network, k the output of layer k - 1.
    outputs : int, list of int or dict of str to int
        The numbers of the values that are outputs of the network. By default, the last one.
    """

    def __init__(self, input_: Input, layers: list[Layer], sources: list[list[int]], outputs: Any = None) -> None:
        self.input = input_
        self.layers = layers
        self.sources = sources
        self.outputs: int | list[int] | dict[str, int] = len(layers) if outputs is None else outputs

    @property
    def output_numbers(self) -> list[int]:
        """`outputs` as a list."""
        return _listed(self.outputs)

    def build(self, builder: Builder) -> tuple[list[Layer], list[int]]:
        """Make copies of the layers with their own arrays; return them and the numbers of their values."""
        return build_layers(self.layers, self.sources, builder, 0, "In layer {}")

    @property
    def is_chain(self) -> bool:
        """Whether the only source of every layer is the layer before it."""
        return self.sources == chain(len(self.layers))


def chain(n: int) -> list[list[int]]:
    """The sources of a chain of layers."""
    return [[number] for number in range(n)]


def as_layers(given: Any) -> list[Layer] | None:
    """`given` as a list of layers; None if it is something else."""
    layers = as_list(given)
    return layers if layers is not None and all(isinstance(layer, Layer) for layer in layers) else None


def build_layers(
    described: list[Layer], sources: list[list[int]], builder: Builder, value: int, place: str
) -> tuple[list[Layer], list[int]]:
    """Make copies of layers with their own arrays.

    Parameters
    ----------
    described : list of Layer
    sources : list of list of int
        The inputs of each layer: 0 is `value`, k the output of layer k - 1.
    builder : Builder
    value : int
    place : str
        The name of a layer in errors, with {} for its number.

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
            layer, output = description.bind(builder, [values[k] for k in sources[number]])
        except ShapeError as error:
            raise ShapeError(f"{place.format(number)}, {description!r}: {error}") from None
        layers.append(layer)
        values.append(output)
    return layers, values


def _listed(outputs: Any) -> list[Any]:
    return list(outputs.values()) if isinstance(outputs, dict) else outputs if isinstance(outputs, list) else [outputs]


def compose(given: Any, sources: Any = None, outputs: Any = None) -> Composition:
    """Make a composition from the argument of `Network`.

    Parameters
    ----------
    given : list of Input and Layers, or Node, or list or dict of Nodes
    sources : list of list of int, optional
        For a list of layers that is not a chain, as in a configuration.
    outputs : list or dict of int, optional
        For a list of layers with several outputs, as in a configuration.
    """
    if isinstance(given, tuple):
        given = list(given)
    nodes = _listed(given)
    if nodes and all(isinstance(node, Node) for node in nodes):
        return _of_nodes(nodes, given)
    first, *rest = as_list(given) or [None]
    layers = as_layers(rest)
    if not isinstance(first, Input) or not layers:
        raise InvalidParameterError(
            "The 'layers' parameter of Network must be a list of an Input and one or more layers, or what "
            f"calling a layer on others returned, or a list or a dict of such. Got {shown(given)} instead."
        )
    if sources is None and outputs is None:
        return Composition(first, layers, chain(len(layers)))
    outputs = _checked_outputs(outputs, len(layers))
    sources = _checked(chain(len(layers)) if sources is None else sources, layers, outputs)
    return Composition(first, layers, sources, outputs)


def _checked_outputs(outputs: Any, n: int) -> Any:
    if outputs is None:
        return n
    each = _listed(outputs)
    if not isinstance(outputs, (list, dict)) or not each or any(type(k) is not int or not 1 <= k <= n for k in each):
        raise InvalidParameterError(
            f"The outputs of {n} layers must be a list or a dict of numbers from 1 to {n}. "
            f"Got {shown(outputs)} instead."
        )
    return outputs


def _checked(sources: Any, layers: list[Layer], outputs: Any) -> list[list[int]]:
    n = len(layers)
    whole = isinstance(sources, list) and len(sources) == n
    if not whole or not all(
        isinstance(source, list) and source and all(type(k) is int and 0 <= k <= number for k in source)
        for number, source in enumerate(sources)
    ):
        raise InvalidParameterError(
            f"The sources of {n} layers must be {n} lists of numbers of earlier values. Got {shown(sources)} instead."
        )
    taken = {value for source in sources for value in source} | set(_listed(outputs))
    for number, layer in enumerate(layers):
        if number + 1 not in taken:
            raise InvalidParameterError(
                "What a layer returns must be an output of the network, or named in the sources of others. "
                f"Got layer {number}, {layer!r}, for which it is neither."
            )
    return [list(source) for source in sources]


def _of_nodes(outputs: list[Node], form: Any) -> Composition:
    """Make a composition of all nodes on which the outputs depend."""
    order: list[Node] = []
    inputs: list[Input] = []
    done: set[int] = set()
    waiting: list[tuple[Any, bool]] = [(output, False) for output in reversed(outputs)]
    while waiting:
        node, inputs_are_done = waiting.pop()
        if inputs_are_done:
            order.append(node)
        elif isinstance(node, Input):
            if all(node is not known for known in inputs):
                inputs.append(node)
        elif not isinstance(node, Node):
            raise InvalidParameterError(
                f"A layer must be called on an Input or on what calling a layer returned. Got {shown(node)} instead."
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
    layers, sources = [node.layer for node in order], [[number[id(s)] for s in node.inputs] for node in order]
    if isinstance(form, dict):
        return Composition(inputs[0], layers, sources, {name: number[id(node)] for name, node in form.items()})
    found = [number[id(node)] for node in outputs]
    return Composition(inputs[0], layers, sources, found if isinstance(form, list) else found[0])
