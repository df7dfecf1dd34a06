"""Right plugins pass the conformance kit: steep, bounded, piecewise, straight-through, with a domain, row-wise."""

import numpy as np
import pytest
from kit_plugins import CHECKS, activation, loss, optimizer

from cynn import hyperparameter
from cynn.activations import Activation
from cynn.losses import Loss
from cynn.optimizers import Optimizer


def elementwise(name, f, derivative, **attributes):
    def forward(self, z):
        return f(self, z)

    def backward(self, z, a, grad):
        return derivative(self, z, a) * grad

    body = {"__doc__": f"{name}, as its test has it.", "name": name, "forward": forward, "backward": backward}
    return type("Right", (Activation,), {**body, **attributes})


def scale(default=1.0, **bounds):
    return hyperparameter(default=default, doc="A number.", **(bounds or {"above": 0}))


class Normalized(Activation):
    """a = z / sqrt(mean z² + 1e-6), of each row."""

    name = "normalized"

    def forward(self, z):
        return z / np.sqrt((z**2).mean(axis=1, keepdims=True) + 1e-6)

    def backward(self, z, a, grad):
        root = np.sqrt((z**2).mean(axis=1, keepdims=True) + 1e-6)
        return (grad - a * (a * grad).mean(axis=1, keepdims=True)) / root


class Unit(Activation):
    """a = z / sqrt(Σ z² + 1e-6), of each row."""

    name = "unit"

    def forward(self, z):
        return z / np.sqrt((z**2).sum(axis=1, keepdims=True) + 1e-6)

    def backward(self, z, a, grad):
        root = np.sqrt((z**2).sum(axis=1, keepdims=True) + 1e-6)
        return (grad - a * (a * grad).sum(axis=1, keepdims=True)) / root


class Centered(Activation):
    """a = z - mean z, of each row."""

    name = "centered"

    def forward(self, z):
        return z - z.mean(axis=1, keepdims=True)

    def backward(self, z, a, grad):
        return grad - grad.mean(axis=1, keepdims=True)


class SoftmaxOfMine(Activation):
    """a = exp(z) / Σ exp(z), of each row."""

    name = "softmax_of_mine"

    def forward(self, z):
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def backward(self, z, a, grad):
        return a * (grad - (grad * a).sum(axis=1, keepdims=True))


def sigmoid(z):
    return 0.5 * (1 + np.tanh(0.5 * z))


ACTIVATIONS = {
    # steep
    "tanh(1000 z)": elementwise("steep", lambda s, z: np.tanh(1000 * z), lambda s, z, a: 1000 * (1 - a * a)),
    "tanh(k z)": elementwise("steep_k", lambda s, z: np.tanh(s.k * z), lambda s, z, a: s.k * (1 - a * a),
     k=scale(50.0)),
    "z / (1e-3 + |z|)": elementwise("soft_sign", lambda s, z: np.where(np.isinf(z), np.sign(z), z / (1e-3 + np.abs(z))),
                                    lambda s, z, a: 1e-3 / (1e-3 + np.abs(z)) ** 2),
    "sqrt(z² + 1e-6)": elementwise("smooth_absolute", lambda s, z: np.sqrt(z * z + 1e-6),
                                   lambda s, z, a: np.where(np.isinf(z), np.sign(z), z / a)),
    "sin(30 z)": elementwise("swinging", lambda s, z: np.sin(30 * z), lambda s, z, a: 30 * np.cos(30 * z)),
    # bounded
    "x/√(1+(x/c)²)": elementwise("smooth_clip", lambda s, z: z / np.sqrt(1 + (z / s.c) ** 2),
                                 lambda s, z, a: (1 + (z / s.c) ** 2) ** -1.5, c=scale(3.0)),
    "arctan": elementwise("arctan", lambda s, z: np.arctan(z), lambda s, z, a: 1 / (1 + z * z)),
    "exp(-z²)": elementwise("bump", lambda s, z: np.exp(-z * z), lambda s, z, a: -2 * z * a),
    "σ(z)": elementwise("sigmoid_of_mine", lambda s, z: sigmoid(z), lambda s, z, a: a * (1 - a)),
    # piecewise
    "relu": elementwise("relu_of_mine", lambda s, z: np.maximum(z, 0), lambda s, z, a: z > 0),
    "leaky": elementwise("leaky_of_mine", lambda s, z: np.where(z < 0, s.slope * z, z),
                         lambda s, z, a: np.where(z < 0, s.slope, 1), slope=scale(0.1, minimum=0)),
    "clip": elementwise("clip", lambda s, z: np.clip(z, -s.c, s.c), lambda s, z, a: np.abs(z) < s.c, c=scale(2.0)),
    "triangle": elementwise("triangle", lambda s, z: np.maximum(0, 1 - np.abs(z)) + 0 * (z - z),
                            lambda s, z, a: np.where(np.abs(z) < 1, -np.sign(z), 0)),
    "three pieces": elementwise("three_pieces", lambda s, z: np.where(z < -1, -1.0, np.where(z > 2,
     2 + 0.1 * (z - 2), z)),
                                lambda s, z, a: np.where(z < -1, 0.0, np.where(z > 2, 0.1, 1.0)) + 0 * a),
    # straight-through
    "sign": elementwise("binary", lambda s, z: np.sign(z), lambda s, z, a: np.abs(z) <= 1, straight_through=True),
    "round": elementwise("rounded", lambda s, z: np.round(z), lambda s, z, a: np.ones_like(z), straight_through=True),
    "steps": elementwise("steps", lambda s, z: np.floor(z * s.n) / s.n, lambda s, z, a: np.ones_like(z),
                         straight_through=True, n=scale(4.0)),
    # with a domain, declared or seen
    "log z": elementwise("log", lambda s, z: np.log(z), lambda s, z, a: 1 / z),
    "log z, declared": elementwise("log_2", lambda s, z: np.log(z), lambda s, z, a: 1 / z, domain=(0.0, np.inf)),
    "sqrt z": elementwise("root", lambda s, z: np.sqrt(z), lambda s, z, a: 0.5 / a),
    "arcsin z": elementwise("arcsin", lambda s, z: np.arcsin(z), lambda s, z, a: 1 / np.sqrt(1 - z * z),
     domain=(-1.0, 1.0)),
    # row-wise
    "normalized": Normalized,
    "unit": Unit,
    "centered": Centered,
    "softmax": SoftmaxOfMine,
}  # fmt: skip


class Charbonnier(Loss):
    """sqrt((prediction - target)² + c²), summed over the outputs."""

    name = "charbonnier"
    c: float = scale(0.01)

    def value_and_gradient(self, prediction, target):
        root = np.sqrt((prediction - target) ** 2 + self.c**2)
        return root.sum(axis=1), (prediction - target) / root


class Pinball(Loss):
    """max(q (t - p), (q - 1) (t - p)), summed over the outputs."""

    name = "pinball"
    q: float = scale(0.3, above=0, below=1)

    def value_and_gradient(self, prediction, target):
        d = target - prediction
        return np.maximum(self.q * d, (self.q - 1) * d).sum(axis=1), np.where(
            d > 0, -self.q, np.where(d < 0, 1 - self.q, 0 * d)
        )

    def reference(self, prediction, target):
        d = target - prediction
        return np.where(d > 0, self.q * d, (self.q - 1) * d).sum(axis=1)


class LogRatio(Loss):
    """p - t log p, for predictions above 0."""

    name = "log_ratio"
    prediction_range = (0.0, np.inf)

    def value_and_gradient(self, prediction, target):
        return (prediction - target * np.log(prediction)).sum(axis=1), 1 - target / prediction


class WarmUp(Optimizer):
    """w := w - η min(1, t / warmup) g."""

    name = "warm_up"
    warmup: float = scale(5.0, minimum=1)

    def step(self, w, grad, slots, learning_rate, t):
        w -= learning_rate * min(1.0, t / self.warmup) * grad


class Decayed(Optimizer):
    """w := (1 - η weight_decay) w - η g."""

    name = "decayed"
    weight_decay: float = scale(0.01, minimum=0)

    def step(self, w, grad, slots, learning_rate, t):
        w *= 1 - learning_rate * self.weight_decay
        w -= learning_rate * grad

    def reference(self, w, grad, slots, learning_rate, t):
        w[...] = w - learning_rate * (grad + self.weight_decay * w)


class Signs(Optimizer):
    """w := w - η sign(g)."""

    name = "signs"

    def step(self, w, grad, slots, learning_rate, t):
        w -= learning_rate * np.sign(grad)


class InverseTime(Optimizer):
    """w := w - η g / (1 + decay (t - 1))."""

    name = "inverse_time"
    decay_rate: float = scale(0.1, minimum=0)

    def step(self, w, grad, slots, learning_rate, t):
        w -= learning_rate / (1 + self.decay_rate * (t - 1)) * grad


BETAS = {"beta_1": {"default": 0.9, "minimum": 0, "below": 1}, "beta_2": {"default": 0.999, "minimum": 0, "below": 1}}
COMPILED = {
    "z |z|": lambda: activation(),
    "relu": lambda: activation("relu", "relu"),
    "leaky": lambda: activation("leaky", "leaky", {"slope": {"default": 0.1, "minimum": 0, "maximum": 1}}),
    "square": lambda: loss(),
    "absolute": lambda: loss("absolute"),
    "plain": lambda: optimizer(linear="linear_right"),
    "momentum": lambda: optimizer("momentum", {"momentum": {"default": 0.9, "minimum": 0, "below": 1}}, n_slots=1),
    "adam": lambda: optimizer("adam", BETAS, n_slots=2),
    "decay": lambda: optimizer("decay", {"weight_decay": {"default": 0.01, "minimum": 0}}),
}
OTHERS = [Charbonnier, Pinball, LogRatio, WarmUp, Decayed, Signs, InverseTime]


def require_passed(component):
    report = CHECKS[component.kind].report_on(component, raise_on_failure=False)
    assert report.passed, str(report)


@pytest.mark.parametrize("right", ACTIVATIONS.values(), ids=ACTIVATIONS)
def test_right_activation_passes(right):
    require_passed(right)


@pytest.mark.parametrize("right", OTHERS)
def test_right_loss_or_optimizer_passes(right):
    require_passed(right)


@pytest.mark.parametrize("make", COMPILED.values(), ids=COMPILED)
def test_right_compiled_plugin_passes(make):
    require_passed(make())
