"""Initializers: initial weights, scaled so that signals neither vanish nor explode from layer to layer.

`glorot` (Glorot and Bengio, 2010) has the variance 2 / (inputs + units), `he` (He et al., 2015) 2 / inputs, `lecun`
(LeCun et al., 1998; Nielsen's book, chapter 3) 1 / inputs. Each exists as `_uniform` and as `_normal`, which is not
truncated. Biases start at 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from cynn import registry
from cynn.components.configurable import Configurable, made
from cynn.components.declarations import number, switch
from cynn.engine import randomness
from cynn.errors import InvalidParameterError, unknown_name

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

__all__ = [
    "Constant",
    "Initializer",
    "Ones",
    "Orthogonal",
    "Siren",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "check_name",
    "get",
    "initial_weights",
]


class Initializer(Configurable):
    """The base class of initializers. The weights depend only on the shape, the seed and the number of the layer.

    Examples
    --------
    >>> from cynn import initializers
    >>> initializers.get("he_normal")
    VarianceScaling(name='he_normal')
    >>> initializers.get({"name": "constant", "value": 2})
    Constant(value=2.0)

    A custom initializer is a registered subclass with a name:

    >>> import cynn, numpy as np
    >>> @cynn.registry.initializers.register
    ... class Eye(initializers.Initializer):
    ...     name = "eye"
    ...     def weights(self, inputs, units, seed, layer):
    ...         return np.eye(inputs, units)
    >>> layers = [cynn.Input(2), cynn.Dense(3, initializer="eye")]
    >>> net = cynn.Network(layers)
    >>> net.layers[0].weights
    array([[1., 0., 0.],
           [0., 1., 0.]], dtype=float32)
    """

    kind = "initializer"

    def weights(self, inputs: int, units: int, seed: int, layer: int) -> Array:
        """Make the initial weights.

        Parameters
        ----------
        inputs, units : int
            The shape of the weights.
        seed : int
            The seed of the network.
        layer : int
            The number of the layer: layers of the same shape get different weights.

        Returns
        -------
        array of shape (inputs, units)
            The weights, float64.
        """
        raise NotImplementedError


_VARIANCES: dict[str, Callable[[int, int], float]] = {
    "glorot": lambda inputs, units: 2 / (inputs + units),
    "he": lambda inputs, units: 2 / inputs,
    "lecun": lambda inputs, units: 1 / inputs,
}
_SCALED = tuple(f"{scheme}_{distribution}" for scheme in _VARIANCES for distribution in ("uniform", "normal"))


class VarianceScaling(Initializer):
    """Random weights whose variance depends on the shape, such as `glorot_uniform` and `he_normal`.

    Parameters
    ----------
    name : str
        `"glorot"` (variance 2 / (inputs + units)), `"he"` (2 / inputs) or `"lecun"` (1 / inputs), followed by
        `"_uniform"` or `"_normal"`.

    Examples
    --------
    >>> from cynn.initializers import VarianceScaling
    >>> lecun_uniform = VarianceScaling("lecun_uniform")
    >>> W = lecun_uniform.weights(300, 4, seed=0, layer=0)
    >>> bool(abs(W).max() <= 0.1)
    True
    """

    aliases = _SCALED

    def __init__(self, name: str) -> None:
        if not isinstance(name, str) or name not in _SCALED:
            raise unknown_name("initializer", name, _SCALED)
        self.name = name  # type: ignore[misc]  # in this class, the name is a parameter

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Make an initializer from the result of `get_config`.

        Parameters
        ----------
        config : mapping
            The result of `get_config`.

        Returns
        -------
        VarianceScaling
            An equal initializer.
        """
        return made(cls, config)

    def weights(self, inputs: int, units: int, seed: int, layer: int) -> Array:
        scheme, distribution = self.name.split("_")
        deviation = math.sqrt(_VARIANCES[scheme](inputs, units))
        purpose = randomness.Purpose.INITIAL_WEIGHTS
        if distribution == "normal":
            return deviation * randomness.normal((inputs, units), seed, purpose, layer)
        return math.sqrt(3) * deviation * (2 * randomness.uniform((inputs, units), seed, purpose, layer) - 1)


class Orthogonal(Initializer):
    """An orthogonal matrix times `gain`: orthogonal columns or, if there are more columns than rows, orthogonal rows.

    It is the Q of the QR decomposition of a random normal matrix, with signs that make its distribution uniform.

    Parameters
    ----------
    gain : float
        A factor for the matrix.

    Notes
    -----
    Source: Saxe, McClelland and Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear
    neural networks", 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from cynn.initializers import Orthogonal
    >>> W = Orthogonal().weights(5, 3, seed=0, layer=0)
    >>> bool(np.allclose(W.T @ W, np.eye(3)))
    True
    """

    name = "orthogonal"
    gain: float = number(default=1.0)

    def weights(self, inputs: int, units: int, seed: int, layer: int) -> Array:
        shape = (max(inputs, units), min(inputs, units))
        Q, R = np.linalg.qr(randomness.normal(shape, seed, randomness.Purpose.INITIAL_WEIGHTS, layer))
        Q = Q * np.where(np.diag(R) < 0, -1.0, 1.0)
        return self.gain * (Q if inputs >= units else Q.T)


class TruncatedNormal(Initializer):
    """Normal random numbers. Those more than two standard deviations from the mean are drawn again.

    Parameters
    ----------
    mean, stddev : float
        The parameters of the normal distribution before truncation.

    Examples
    --------
    >>> from cynn.initializers import TruncatedNormal
    >>> W = TruncatedNormal(stddev=0.1).weights(100, 10, seed=0, layer=0)
    >>> bool(abs(W).max() <= 0.2)
    True
    """

    name = "truncated_normal"
    mean: float = number(default=0.0)
    stddev: float = number(default=0.05, minimum=0)

    def weights(self, inputs: int, units: int, seed: int, layer: int) -> Array:
        purpose, shape = randomness.Purpose.INITIAL_WEIGHTS, (inputs, units)
        z = randomness.normal(shape, seed, purpose, layer)
        attempt = 0
        while (far := np.abs(z) > 2).any():
            attempt += 1
            z[far] = randomness.normal(shape, seed, purpose, layer, attempt)[far]
        return self.mean + self.stddev * z


class Siren(Initializer):
    """Uniform weights for the activation `sine`: within ±1/inputs in the first layer, ±sqrt(6/inputs) / w0 in others.

    Then w0 z has the same distribution in every layer. This is the default initializer of layers with the activation
    `sine`. The paper also uses it for the last layer, which has no sine.

    Source: Sitzmann, Martel, Bergman, Lindell and Wetzstein, "Implicit neural representations with periodic
    activation functions", 2020, section 3.2 and supplement 1.5.

    Parameters
    ----------
    w0 : float
        The w0 of the sine.
    is_first : bool
        Whether the weights are those of the first layer.

    Examples
    --------
    >>> from cynn.initializers import Siren
    >>> W = Siren(w0=30).weights(6, 100, seed=0, layer=1)
    >>> bool(1 / 31 < abs(W).max() <= 1 / 30)
    True
    """

    name = "siren"
    w0: float = number(default=30.0, above=0)
    is_first: bool = switch(default=False)

    def weights(self, inputs: int, units: int, seed: int, layer: int) -> Array:
        limit = 1 / inputs if self.is_first else math.sqrt(6 / inputs) / self.w0
        uniform = randomness.uniform((inputs, units), seed, randomness.Purpose.INITIAL_WEIGHTS, layer)
        return limit * (2 * uniform - 1)


class Constant(Initializer):
    """The same number for all weights.

    Parameters
    ----------
    value : float
        The value of every weight.

    Examples
    --------
    >>> from cynn.initializers import Constant
    >>> Constant(0.5).weights(1, 3, seed=0, layer=0)
    array([[0.5, 0.5, 0.5]])
    """

    name = "constant"
    value: float = number(default=0.0)

    def weights(self, inputs: int, units: int, seed: int, layer: int) -> Array:
        return np.full((inputs, units), self.value)


class Zeros(Initializer):
    """Zero for all weights. Only for last layers: the units of a hidden layer would stay equal.

    Examples
    --------
    >>> from cynn.initializers import Zeros
    >>> Zeros().weights(1, 3, seed=0, layer=0)
    array([[0., 0., 0.]])
    """

    name = "zeros"

    def weights(self, inputs: int, units: int, seed: int, layer: int) -> Array:
        return np.zeros((inputs, units))


class Ones(Initializer):
    """One for all weights. As with `Zeros`, the units of a hidden layer would stay equal.

    Examples
    --------
    >>> from cynn.initializers import Ones
    >>> Ones().weights(1, 3, seed=0, layer=0)
    array([[1., 1., 1.]])
    """

    name = "ones"

    def weights(self, inputs: int, units: int, seed: int, layer: int) -> Array:
        return np.ones((inputs, units))


registry.declare(Initializer, globals())

#: The built-in initializers.
NAMES = list(registry.initializers.builtins)


def get(spec: Any) -> Initializer:
    """Get an initializer from a name, an instance or a configuration."""
    found: Initializer = registry.initializers.get(spec)
    return found


def check_name(spec: Any) -> Any:
    """Convert an initializer to what a layer stores: a built-in name, a configuration, a custom object, or None."""
    if spec is None or (isinstance(spec, str) and spec in NAMES):
        return spec
    found = get(spec)
    return found.get_config() if type(found) in registry.initializers.builtins.values() else found


def initial_weights(spec: Any, inputs: int, units: int, seed: int, layer: int) -> npt.NDArray[Any]:
    """Make initial weights of shape (inputs, units) in float64, which depend on the seed and the layer's number.

    Examples
    --------
    >>> from cynn.initializers import initial_weights
    >>> W = initial_weights("glorot_uniform", 784, 16, seed=0, layer=0)
    >>> W.shape, bool(abs(W).max() <= (6 / 800) ** 0.5)
    ((784, 16), True)
    """
    initializer = get(spec)
    found = initializer.weights(inputs, units, seed, layer)
    if not isinstance(found, np.ndarray) or found.shape != (inputs, units) or found.dtype.kind not in "biuf":
        from cynn.components.schema import in_words  # otherwise only needed for checkpoints

        raise InvalidParameterError(
            f"The weights of an initializer must be an array of numbers of shape {(inputs, units)}. Got "
            f"{in_words(found)} of {initializer!r} instead."
        )
    return found
