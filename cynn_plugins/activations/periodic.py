"""Periodic activations."""

from typing import Any

from cynn.activations import Activation
from cynn.hyperparameters import hyperparameter
from cynn_plugins.activations._periodic import KERNELS

__all__ = ["Sine", "Snake"]


class Sine(Activation):
    """a = sin(w0 z), f′ = w0 cos(w0 z): for networks that represent images, sounds and fields.

    Source: Sitzmann, Martel, Bergman, Lindell and Wetzstein, "Implicit neural representations with
    periodic activation functions", 2020, equation 3 and section 3.2 (w0 = 30). The initial weights are those of the
    paper, by `cynn.initializers.Siren`: for n inputs, uniform in ±1/n in the first layer and in ±sqrt(6/n) / w0 in
    other layers.

    Examples
    --------
    >>> import cynn
    >>> cynn.registry.activations.get("sine", w0=1)([0.0, 1.0]).round(4)
    array([0.    , 0.8415])
    """

    name = "sine"
    c_source = "sin(w0 * z)"
    kernel = KERNELS["sine"]
    w0: float = hyperparameter(default=30.0, above=0, doc="The angular frequency.")

    def initializer_of(self, *, is_first: bool) -> dict[str, Any]:
        return {"name": "siren", "w0": self.w0, "is_first": is_first}


class Snake(Activation):
    """a = z + sin²(alpha z) / alpha, f′ = 1 + sin(2 alpha z): a linear trend plus a periodic part.

    Source: Ziyin, Hartwig and Ueda, "Neural networks fail to learn periodic functions and how to fix
    it", 2020, equation 3. The initial weights are those of the paper, uniform in ±sqrt(3/n) for n inputs:
    `lecun_uniform`.

    Examples
    --------
    >>> import cynn
    >>> cynn.registry.activations.get("snake")([-1.0, 0.0, 1.0]).round(4)
    array([-0.2919,  0.    ,  1.7081])
    """

    name = "snake"
    initializer = "lecun_uniform"
    c_source = "z + sin(alpha * z) * sin(alpha * z) / alpha"
    kernel = KERNELS["snake"]
    alpha: float = hyperparameter(default=1.0, above=0, doc="The angular frequency of the periodic part.")
