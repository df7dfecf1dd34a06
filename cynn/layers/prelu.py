"""PReLU: a leaky relu with learned slopes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from cynn import kernels
from cynn.components.declarations import number
from cynn.layers.layer import Layer, Parameter

if TYPE_CHECKING:
    from cynn.layers.builder import Builder

__all__ = ["PReLU"]


class PReLU(Layer):
    """A leaky relu with a learned slope for every unit: a = z where z >= 0, else α z.

    Source: He et al., "Delving deep into rectifiers", 2015, equation 1.

    Parameters
    ----------
    initial : float
        The initial α.
    trainable : bool
        Whether training updates α.
    learning_rate_factor : float
        A factor for the optimizer's learning rate for α.

    Attributes
    ----------
    alpha : array of shape (units,)
        α. A live view, only in a network.

    Examples
    --------
    >>> import cynn
    >>> net = cynn.Network([cynn.Input(2), cynn.PReLU()])
    >>> net.predict([-1.0, 2.0])
    array([-0.25,  2.  ], dtype=float32)
    """

    name: ClassVar[str] = "prelu"
    kernel = kernels.parametric_activations.KERNELS["prelu"]
    alpha = Parameter()
    initial: float = number(default=0.25)

    def build(self, builder: Builder, values: list[int]) -> int:
        units = builder.widths[values[0]]
        alpha = builder.parameter("alpha", builder.constant(self.initial, units))
        return builder.add(self.kernel, values, units, parameters=[alpha], trainable=self.trainable)
