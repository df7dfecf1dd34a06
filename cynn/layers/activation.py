"""A layer that applies an activation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from cynn import activations
from cynn.components.declarations import part
from cynn.layers.layer import _WithoutParameters

if TYPE_CHECKING:
    from cynn.layers.builder import Builder

__all__ = ["Activation"]


class Activation(_WithoutParameters):
    """Applies an activation to its input: a = f(z).

    Parameters
    ----------
    activation : str, Activation or dict
        The function f.

    Examples
    --------
    >>> import cynn
    >>> net = cynn.Network([cynn.Input(2), cynn.Activation("relu")])
    >>> net.predict([-1.0, 2.0])
    array([0., 2.], dtype=float32)
    """

    name: ClassVar[str] = "activation"
    _unnamed: ClassVar[str] = "activation"
    activation: Any = part(activations.Activation)

    def build(self, builder: Builder, values: list[int]) -> int:
        return builder.add_activation(values[0], self.activation)
