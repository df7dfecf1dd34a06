"""Layers that merge branches: Add, Concatenate and Residual."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, ClassVar

from cynn import kernels, registry
from cynn.components.declarations import checked_by
from cynn.errors import InvalidParameterError, ShapeError, as_list, not_allowed, shown
from cynn.layers.composition import as_layers, build_layers, chain
from cynn.layers.layer import Layer, _WithoutParameters

if TYPE_CHECKING:
    from cynn.layers.builder import Builder

__all__ = ["Add", "Concatenate", "Residual"]

# The maximal depth of nested layers, for which the interpreter's stack is large enough.
_MAX_NESTED = 50


def _layers(value: Any, name: str, owner: str) -> list[Layer]:
    """Make a list of layers from layers and configurations of layers."""
    described = as_list(value)
    layers = described and as_layers([registry.layers.get(one) if isinstance(one, dict) else one for one in described])
    if layers is None:
        raise InvalidParameterError(f"The layers of {owner} must be lists of layers. Got {shown(value)} instead.")
    return layers


def _branches(value: Any, name: str, owner: str) -> list[list[Layer]]:
    given = as_list(value)
    if not given:
        raise not_allowed(name, owner, "one or more lists of layers", value)
    return [_layers(branch, name, owner) for branch in given]


class _Merge(_WithoutParameters):
    """Merges several values into one.

    Without branches, the layer is called on the values to merge. With branches, each of them gets the input of the
    layer, and an empty branch passes it on.

    Parameters
    ----------
    branches : list of lists of layers, optional
        The branches to merge.
    """

    n_inputs: ClassVar[int | None] = None
    branches: Any = checked_by(_branches, default=None)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.depth = _depth(self.layers, type(self))

    @property
    def layers(self) -> list[Layer]:
        """The layers of all branches, one branch after another."""
        return list(itertools.chain(*(self.branches or [])))

    def build(self, builder: Builder, values: list[int]) -> int:
        if self.branches is not None:
            if len(values) != 1:
                raise ShapeError(f"A layer with branches must have one input. Got {len(values)} instead.")
            built = [_build(branch, builder, values[0]) for branch in self.branches]
            self.branches = [layers for layers, _ in built]
            values = [value for _, value in built]
        return self.merge(builder, values)

    def merge(self, builder: Builder, values: list[int]) -> int:
        """Add the operation that merges the values."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'' if self.branches is None else repr(self.branches)})"


class Add(_Merge):
    """The sum of branches, which must all have the same number of columns.

    Parameters
    ----------
    branches : list of lists of layers, optional
        Each branch gets the input of this layer. Without branches, the layer is called on the values to add.

    Examples
    --------
    >>> import cynn
    >>> relu = cynn.Activation("relu")
    >>> net = cynn.Network([cynn.Input(2), cynn.Add([[], [relu]])])
    >>> net.predict([-1.0, 2.0])
    array([-1.,  4.], dtype=float32)
    """

    name: ClassVar[str] = "add"

    def merge(self, builder: Builder, values: list[int]) -> int:
        widths = [builder.widths[value] for value in values]
        if len(set(widths)) != 1:
            raise ShapeError(f"What is added must have equal numbers of columns. Got {widths} instead.")
        return builder.add(kernels.merge.KERNELS["add"], values, widths[0])


class Concatenate(_Merge):
    """The concatenation of the columns of branches.

    Parameters
    ----------
    branches : list of lists of layers, optional
        Each branch gets the input of this layer. Without branches, the layer is called on the values to concatenate.

    Examples
    --------
    >>> import cynn
    >>> relu = cynn.Activation("relu")
    >>> net = cynn.Network([cynn.Input(2), cynn.Concatenate([[], [relu]])])
    >>> net.predict([-1.0, 2.0])
    array([-1.,  2.,  0.,  2.], dtype=float32)
    """

    name: ClassVar[str] = "concatenate"
    kernel = kernels.merge.KERNELS["concatenate"]

    def merge(self, builder: Builder, values: list[int]) -> int:
        units = sum(builder.widths[value] for value in values)
        return builder.add(self.kernel, values, units)


class Residual(_WithoutParameters):
    """Layers with a skip connection: a = x + f(x).

    Source: He, Zhang, Ren and Sun, "Deep residual learning for image recognition", 2016, equation 1.

    Parameters
    ----------
    layers : list of layers
        The layers of f, whose output must have as many columns as their input.

    Examples
    --------
    >>> import cynn
    >>> relu = cynn.Activation("relu")
    >>> net = cynn.Network([cynn.Input(2), cynn.Residual([relu])])
    >>> net.predict([-1.0, 2.0])
    array([-1.,  4.], dtype=float32)
    """

    name: ClassVar[str] = "residual"
    _unnamed: ClassVar[str] = "layers"
    layers: Any = checked_by(_layers)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.depth = _depth(self.layers, type(self))

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Older pickles have the layers under another name."""
        if "_layers" in state:
            state["layers"] = state.pop("_layers")
        vars(self).update(state)

    def build(self, builder: Builder, values: list[int]) -> int:
        (value,) = values
        self.layers, inner = _build(self.layers, builder, value)
        if builder.widths[inner] != builder.widths[value]:
            raise ShapeError(
                f"The layers within must return as many columns as they take, {builder.widths[value]}. "
                f"Got {builder.widths[inner]} instead."
            )
        return builder.add(kernels.merge.KERNELS["add"], [value, inner], builder.widths[value])

def _depth(layers: list[Layer], owner: type[Layer]) -> int:
    """The depth of a layer with these nested layers."""
    depth = 1 + max((layer.depth for layer in layers), default=0)
    if depth > _MAX_NESTED:
        raise InvalidParameterError(
            f"The layers of {owner.__name__} must be nested no more than {_MAX_NESTED} deep. Got {depth} instead: "
            "a list of layers that are called on each other is as good."
        )
    return depth


def _build(described: list[Layer], builder: Builder, value: int) -> tuple[list[Layer], int]:
    layers, values = build_layers(described, chain(len(described)), builder, value, "in layer {} of it")
    return layers, values[-1]
