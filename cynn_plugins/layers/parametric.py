"""A parametric activation: each unit learns how nonlinear it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from cynn import registry
from cynn.errors import InvalidParameterError
from cynn.hyperparameters import checked_by, number
from cynn.layers import Layer, Parameter, SavedForBackward
from cynn_plugins.layers._parametric import KERNELS

if TYPE_CHECKING:
    from cynn.layers import Builder

__all__ = ["ParametricActivation"]


def _compiled_elementwise(value: Any, name: str, owner: str) -> Any:
    """A compiled elementwise activation, which the operation calls."""
    found = registry.activations.get(value)
    if found.is_rowwise or not found.is_compiled():
        raise InvalidParameterError(
            f"The {name!r} parameter of {owner} must be compiled, and of single elements. Got {found!r} instead."
        )
    return found


class ParametricActivation(Layer):
    """An activation interpolated with the identity by a learned α per unit: a = x + α (f(x) - x).

    With α = 1 it is f, with α = 0 the unit is linear.

    Source: Holzmüller, Grinsztajn and Steinwart, "Better by default: strong pre-tuned MLPs and boosted trees on
    tabular data", 2024, section 3, with a tenth of the learning rate.

    Parameters
    ----------
    activation : str, Activation or dict
        f. It must be compiled and elementwise.
    initial : float
        The initial value of α.
    trainable : bool
        Whether α is trained.
    learning_rate_factor : float
        A factor of the optimizer's learning rate for α.

    Attributes
    ----------
    alpha : array of shape (units,)
        α, as a live view. Only available in a network.

    Examples
    --------
    >>> import cynn
    >>> bend = cynn.registry.layers.get(
    ...     "parametric_activation",
    ...     activation="relu",
    ...     learning_rate_factor=0.1,
    ... )
    >>> net = cynn.Network([cynn.Input(2), bend], seed=0)
    >>> net.layers[0].alpha = [1.0, 0.25]
    >>> net.predict([-1.0, -1.0])
    array([ 0.  , -0.75], dtype=float32)
    """

    name: ClassVar[str] = "parametric_activation"
    c_source = "z + alpha * (activation(z) - z)"
    alpha = Parameter()
    activation: Any = checked_by(_compiled_elementwise)
    initial: float = number(default=1.0)

    def build(self, builder: Builder, values: list[int]) -> int:
        units = builder.widths[values[0]]
        alpha = builder.parameter("alpha", builder.constant(self.initial, units))
        return builder.add(
            KERNELS["mixed"],
            values,
            units,
            parameters=[alpha],
            trainable=self.trainable,
            saved=[SavedForBackward(units)],
            activation=self.activation,
            multiplications=10 * units,
        )
