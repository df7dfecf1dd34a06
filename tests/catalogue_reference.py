"""The catalogue's formulas a second time: in mpmath at 50 digits, and as in the papers' boxes.

Nothing here looks at how cynn_plugins computes; each entry is the textbook form, however slow or
unstable in floating point.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import mpmath as mp
import numpy as np

mp.mp.dps = 50


@dataclass(frozen=True)
class Elementwise:
    """An activation f of one number, where its slope jumps, and what the slope is taken to be there."""

    f: Callable
    hyperparameters: dict = field(default_factory=dict)
    slope_at_kink: dict = field(default_factory=dict)
    frequency: float = 0  # a rounding error of z grows by this
    cancels: float = 0  # f is a difference of numbers as large as z


def sigmoid(x):
    return 1 / (1 + mp.exp(-x))


def elu(alpha):
    return lambda z: z if z > 0 else alpha * mp.expm1(z)


SELU_SCALE = mp.mpf("1.0507009873554804934193349852946")
SELU_ALPHA = mp.mpf("1.6732632423543772848170429916717")


def clip(z, low, high):
    return min(max(z, low), high)


def _gelu_tanh(z):
    with mp.workdps(700):  # 1 + tanh cancels down to 1e-600
        return z / 2 * (1 + mp.tanh(mp.sqrt(2 / mp.pi) * (z + mp.mpf(0.044715) * z**3)))


ACTIVATIONS = {
    "exponential": Elementwise(mp.exp),
    "elu": Elementwise(elu(1)),
    "elu 0.3": Elementwise(elu(mp.mpf(0.3)), {"alpha": 0.3}, {0.0: 0.3}),
    "selu": Elementwise(
        lambda z: SELU_SCALE * elu(SELU_ALPHA)(z), slope_at_kink={0.0: float(SELU_SCALE * SELU_ALPHA)}
    ),
    "celu": Elementwise(elu(1)),
    "celu 2.5": Elementwise(lambda z: z if z > 0 else 2.5 * mp.expm1(z / mp.mpf(2.5)), {"alpha": 2.5}),
    "swish": Elementwise(lambda z: z * sigmoid(z)),
    "silu": Elementwise(lambda z: z * sigmoid(z)),
    "swish 1.5": Elementwise(lambda z: z * sigmoid(mp.mpf(1.5) * z), {"beta": 1.5}),
    "gelu": Elementwise(lambda z: z * mp.ncdf(z)),
    "gelu tanh": Elementwise(_gelu_tanh, {"approximate": True}),
    "mish": Elementwise(lambda z: z * mp.tanh(mp.log1p(mp.exp(z)))),
    "gaussian": Elementwise(lambda z: mp.exp(-(z**2))),
    "sine": Elementwise(lambda z: mp.sin(30 * z), frequency=30),
    "sine 1": Elementwise(mp.sin, {"w0": 1}, frequency=1),
    "snake": Elementwise(lambda z: z + mp.sin(z) ** 2, frequency=2),
    "snake 0.5": Elementwise(lambda z: z + 2 * mp.sin(z / 2) ** 2, {"alpha": 0.5}, frequency=2),
    "relu6": Elementwise(lambda z: clip(z, 0, 6), slope_at_kink={0.0: 0, 6.0: 0}),
    "hardtanh": Elementwise(lambda z: clip(z, -1, 1), slope_at_kink={-1.0: 0, 1.0: 0}),
    "hardtanh -0.5 2": Elementwise(
        lambda z: clip(z, mp.mpf(-0.5), 2), {"minimum": -0.5, "maximum": 2}, {-0.5: 0, 2.0: 0}
    ),
    "hard_sigmoid": Elementwise(lambda z: clip(z / 6 + mp.mpf(1) / 2, 0, 1), slope_at_kink={-3.0: 0, 3.0: 0}),
    "hard_swish": Elementwise(lambda z: z * clip(z + 3, 0, 6) / 6, slope_at_kink={-3.0: 0, 3.0: 1}),
    "squared_relu": Elementwise(lambda z: max(z, 0) ** 2, slope_at_kink={0.0: 0}),
    "sparse_plus": Elementwise(
        lambda z: 0 if z < -1 else (z if z > 1 else (z + 1) ** 2 / 4), slope_at_kink={-1.0: 0, 1.0: 1}
    ),
    "softshrink": Elementwise(
        lambda z: mp.sign(z) * max(abs(z) - mp.mpf(0.5), 0), slope_at_kink={-0.5: 0, 0.5: 0}
    ),
    "softshrink 1.25": Elementwise(
        lambda z: mp.sign(z) * max(abs(z) - mp.mpf(1.25), 0), {"threshold": 1.25}, {-1.25: 0, 1.25: 0}
    ),
    "hardshrink": Elementwise(lambda z: z if abs(z) > 0.5 else 0, slope_at_kink={-0.5: 0, 0.5: 0}),
    "hardshrink 0": Elementwise(lambda z: z, {"threshold": 0}, {0.0: 0}),
    "threshold": Elementwise(lambda z: z if z > 1 else 0, slope_at_kink={1.0: 0}),
    "threshold -0.5 7": Elementwise(
        lambda z: z if z > -0.5 else 7, {"threshold": -0.5, "value": 7}, {-0.5: 0}
    ),
    "softplus": Elementwise(lambda z: mp.log1p(mp.exp(z))),
    "softplus 3": Elementwise(lambda z: mp.log1p(mp.exp(3 * z)) / 3, {"beta": 3}),
    "log_sigmoid": Elementwise(lambda z: -mp.log1p(mp.exp(-z))),
    "squareplus": Elementwise(lambda z: (z + mp.sqrt(z**2 + 4)) / 2),
    "squareplus 0.1": Elementwise(lambda z: (z + mp.sqrt(z**2 + mp.mpf(0.1))) / 2, {"b": 0.1}),
    "softsign": Elementwise(lambda z: z / (1 + abs(z))),
    "tanhshrink": Elementwise(lambda z: z - mp.tanh(z), cancels=1),
}

ROWWISE_ACTIVATIONS = ("log_softmax", "softmin", "sparsemax")


def nearest_in_simplex(z):
    """The row of probabilities nearest to z: of the solutions for every support, the nearest."""
    best, nearest = None, np.inf
    for support in range(1, 2 ** len(z)):
        inside = np.array([bool(support >> j & 1) for j in range(len(z))])
        a = np.where(inside, z - (z[inside].sum() - 1) / inside.sum(), 0)
        distance = ((a - z) ** 2).sum()
        if (a >= 0).all() and distance < nearest:
            best, nearest = a, distance
    return best
