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
    "smooth_clip": Elementwise(lambda z: z / mp.sqrt(1 + (z / mp.mpf(3)) ** 2)),
    "smooth_clip 0.5": Elementwise(lambda z: z / mp.sqrt(1 + (2 * z) ** 2), {"c": 0.5}),
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


@dataclass(frozen=True)
class RowLoss:
    """The loss of one row, p and t lists of mpmath numbers, and where its arguments live."""

    f: Callable
    hyperparameters: dict = field(default_factory=dict)
    prediction: str = "number"
    target: str = "number"
    fuses_with: str | None = None
    largest_z: tuple = (-1e4, 1e4)  # beyond, the loss itself is infinite


def mean_of(f):
    return lambda p, t: mp.fsum(f(p_j, t_j) for p_j, t_j in zip(p, t, strict=True)) / len(p)


def sum_of(f):
    return lambda p, t: mp.fsum(f(p_j, t_j) for p_j, t_j in zip(p, t, strict=True))


def huber(delta):
    return lambda p, t: (p - t) ** 2 / 2 if abs(p - t) <= delta else delta * (abs(p - t) - delta / 2)


def half_deviance(power):
    """The integral of (t - u) / V(u) from the mean to t, with the variance V(u) = u^power."""

    def f(p, t):
        if t == 0:
            return p ** (2 - power) / (2 - power)
        with mp.workdps(30):
            return mp.quad(lambda u: (t - u) / u**power, [p, t])

    return f


def _gaussian(full):
    def f(p, t):
        n = len(p) // 2
        constant = 0 if full else mp.log(2 * mp.pi) / 2
        densities = [mp.npdf(t[j], p[j], mp.exp(p[n + j] / 2)) for j in range(n)]
        return mp.fsum(-mp.log(density) - constant for density in densities) / n

    return f


def _side(t):
    return 1 if t > 0 else -1


def _focal(alpha, gamma):
    def f(p, t):
        of_1 = -alpha * (1 - p) ** gamma * mp.log(p) if t else 0
        of_0 = -(1 - alpha) * p**gamma * mp.log(1 - p) if t != 1 else 0
        return t * of_1 + (1 - t) * of_0

    return f


def _pairs(margin, power):
    def f(p, t):
        n = range(len(p))
        terms = [max(0, margin - (p[i] - p[j])) ** power for i in n if t[i] > 0 for j in n if not t[j] > 0]
        return mp.fsum(terms) / len(p)

    return f


def _categorical_hinge(p, t):
    others = [p_j for p_j, t_j in zip(p, t, strict=True) if not t_j]
    return max(0, 1 + max(others) - p[t.index(1)])


def _cosine(epsilon):
    def norm(row):
        return max(mp.norm(mp.matrix(row)), epsilon)

    return lambda p, t: 1 - mp.fdot(p, t) / (norm(p) * norm(t))


def _dice(smooth):
    return lambda p, t: 1 - (2 * mp.fdot(p, t) + smooth) / (mp.fsum(p) + mp.fsum(t) + smooth)


def _kl(p, t):
    return mp.fsum(t_j * mp.log(t_j / p_j) for p_j, t_j in zip(p, t, strict=True) if t_j)


LOSSES = {
    "huber": RowLoss(mean_of(huber(1))),
    "huber 0.3": RowLoss(mean_of(huber(mp.mpf(0.3))), {"delta": 0.3}),
    "smooth_l1": RowLoss(
        mean_of(lambda p, t: (p - t) ** 2 / 2 if abs(p - t) < 1 else abs(p - t) - mp.mpf(0.5))
    ),
    "smooth_l1 0.5": RowLoss(
        mean_of(lambda p, t: (p - t) ** 2 if abs(p - t) < 0.5 else abs(p - t) - mp.mpf(0.25)), {"beta": 0.5}
    ),
    "log_cosh": RowLoss(mean_of(lambda p, t: mp.log(mp.cosh(p - t)))),
    "quantile": RowLoss(mean_of(lambda p, t: abs(p - t) / 2)),
    "quantile 0.9": RowLoss(
        mean_of(lambda p, t: max(mp.mpf(0.9) * (t - p), (mp.mpf(0.9) - 1) * (t - p))), {"quantile": 0.9}
    ),
    "mean_absolute_percentage_error": RowLoss(mean_of(lambda p, t: 100 * abs((p - t) / t))),
    "mean_absolute_percentage_error 2": RowLoss(
        mean_of(lambda p, t: 100 * abs(p - t) / max(abs(t), 2)), {"epsilon": 2}
    ),
    "mape": RowLoss(mean_of(lambda p, t: 100 * abs((p - t) / t))),
    "mean_squared_logarithmic_error": RowLoss(
        mean_of(lambda p, t: mp.log((1 + p) / (1 + t)) ** 2), prediction="positive", target="positive"
    ),
    "msle": RowLoss(
        mean_of(lambda p, t: mp.log((1 + p) / (1 + t)) ** 2), prediction="positive", target="positive"
    ),
    "cosine_similarity": RowLoss(_cosine(0)),
    "cosine_similarity 4": RowLoss(_cosine(4), {"epsilon": 4}),
    "poisson": RowLoss(
        mean_of(lambda p, t: -mp.log(p**t * mp.exp(-p))), prediction="positive", target="count",
        fuses_with="exponential", largest_z=(-1e4, 80),
    ),
    "gamma": RowLoss(
        mean_of(half_deviance(2)), prediction="positive", target="positive",
        fuses_with="exponential", largest_z=(-80, 1e4),
    ),
    "tweedie": RowLoss(
        mean_of(half_deviance(mp.mpf(1.5))), prediction="positive", target="claim",
        fuses_with="exponential", largest_z=(-80, 80),
    ),
    "tweedie 1.2": RowLoss(
        mean_of(half_deviance(mp.mpf(1.2))), {"power": 1.2}, prediction="positive", target="claim",
        fuses_with="exponential", largest_z=(-80, 80),
    ),
    "gaussian_nll": RowLoss(_gaussian(full=False), largest_z=(-30, 1e4)),
    "gaussian_nll full": RowLoss(_gaussian(full=True), {"full": True}, largest_z=(-30, 1e4)),
    "kl_divergence": RowLoss(_kl, prediction="probability", target="distribution", fuses_with="softmax"),
    "hinge": RowLoss(mean_of(lambda p, t: max(0, 1 - _side(t) * p)), target="side"),
    "squared_hinge": RowLoss(mean_of(lambda p, t: max(0, 1 - _side(t) * p) ** 2), target="side"),
    "soft_margin": RowLoss(mean_of(lambda p, t: mp.log1p(mp.exp(-_side(t) * p))), target="side"),
    "categorical_hinge": RowLoss(_categorical_hinge, target="one_hot"),
    "multi_margin": RowLoss(_pairs(1, 1), target="one_hot"),
    "multi_margin 0.5": RowLoss(_pairs(mp.mpf(0.5), 2), {"margin": 0.5, "squared": True}, target="one_hot"),
    "multilabel_margin": RowLoss(_pairs(1, 1), target="label"),
    "binary_focal": RowLoss(
        mean_of(_focal(mp.mpf(0.25), 2)), prediction="probability", target="label", fuses_with="sigmoid"
    ),
    "focal": RowLoss(
        mean_of(_focal(mp.mpf(0.7), mp.mpf(0.5))), {"alpha": 0.7, "gamma": 0.5}, prediction="probability",
        target="probability", fuses_with="sigmoid",
    ),
    "categorical_focal": RowLoss(
        sum_of(lambda p, t: -mp.mpf(0.25) * t * (1 - p) ** 2 * mp.log(p)), prediction="probability",
        target="distribution", fuses_with="softmax",
    ),
    "categorical_focal 0": RowLoss(
        sum_of(lambda p, t: -t * mp.log(p)), {"alpha": 1, "gamma": 0}, prediction="probability",
        target="one_hot", fuses_with="softmax",
    ),
    "dice": RowLoss(_dice(1), prediction="probability", target="label"),
    "dice 0.1": RowLoss(_dice(mp.mpf(0.1)), {"smooth": 0.1}, prediction="probability", target="probability"),
}

ROW_OF = {
    "exponential": lambda z: [mp.exp(z_j) for z_j in z],
    "sigmoid": lambda z: [sigmoid(z_j) for z_j in z],
    "softmax": lambda z: [mp.exp(z_j) / mp.fsum(mp.exp(z_k) for z_k in z) for z_j in z],
}


def draw(kind, rng, shape):
    """Random predictions or targets of a kind."""
    if kind == "one_hot":
        return np.eye(shape[1])[rng.integers(shape[1], size=shape[0])]
    if kind == "distribution":
        return rng.dirichlet(np.ones(shape[1]), size=shape[0]).astype(np.float32)
    if kind == "claim":
        return rng.gamma(2, size=shape) * (rng.random(shape) < 0.7)
    return {
        "number": lambda: 2 * rng.normal(size=shape),
        "positive": lambda: rng.gamma(2, size=shape) + 0.1,
        "count": lambda: rng.poisson(2, size=shape).astype(float),
        "probability": lambda: rng.uniform(0.02, 0.98, size=shape),
        "side": lambda: rng.choice([-1.0, 0.0, 1.0], size=shape),
        "label": lambda: rng.choice([0.0, 1.0], size=shape),
    }[kind]()
