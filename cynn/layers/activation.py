"""An activation as a layer of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from cynn import registry
from cynn.layers.layer import Layer

if TYPE_CHECKING:
    from cynn.layers.builder import Builder

__all__ = ["Activation"]


class Activation(Layer):
    """a = f(z), element by element or row by row.

    Parameters
    ----------
    activation : str, Activation or dict
        f.

    Examples
    --------
    >>> import cynn
    >>> net = cynn.Network([cynn.Input(2), cynn.Activation("relu")])
    >>> net.predict([-1.0, 2.0])
    array([0., 2.], dtype=float32)
    """

    name: ClassVar[str] = "activation"

    def __init__(self, activation: Any) -> None:
        super().__init__()
        self.activation = registry.activations.get(activation)

    def build(self, builder: Builder, values: list[int]) -> int:
        return builder.add_activation(values[0], self.activation)

    def __repr__(self) -> str:
        return f"Activation({self.activation!r})"
