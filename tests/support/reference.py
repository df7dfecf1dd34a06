"""What CyNN computes, written plainly in NumPy from the formulas of the papers, and nothing of CyNN.

Every function works in the dtype of what it is given; tests give it float64.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# ---- activations: a = f(z) and dC/dz from dC/da ----------------------------------------------------


def identity(z: Array) -> Array:
    return z


def sigmoid(z: Array) -> Array:
    """1 / (1 + exp(-z)), on each side by the form that does not overflow."""
    small = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + small), small / (1 + small))


def tanh(z: Array) -> Array:
    return np.tanh(z)


def relu(z: Array) -> Array:
    return np.where(z > 0, z, 0)


def leaky_relu(z: Array, negative_slope: float = 0.01) -> Array:
    return np.where(z > 0, z, negative_slope * z)


def softmax(z: Array) -> Array:
    powers = np.exp(z - z.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def softmax_backward(z: Array, grad: Array) -> Array:
    """By the Jacobian of each row, ∂a_j/∂z_k = a_j (δ_jk - a_k)."""
    a = softmax(z)
    jacobian = a[:, :, None] * (np.eye(z.shape[1]) - a[:, None, :])
    return np.einsum("rj,rjk->rk", grad, jacobian)


def elementwise_backward(derivative: Callable[[Array], Array]) -> Callable[[Array, Array], Array]:
    return lambda z, grad: grad * derivative(z)


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "identity": identity,
    "sigmoid": sigmoid,
    "tanh": tanh,
    "relu": relu,
    "leaky_relu": leaky_relu,
    "softmax": softmax,
}

BACKWARD: dict[str, Callable[[Array, Array], Array]] = {
    "identity": elementwise_backward(np.ones_like),
    "sigmoid": elementwise_backward(lambda z: sigmoid(z) * sigmoid(-z)),
    "tanh": elementwise_backward(lambda z: 1 / np.cosh(z) ** 2),
    "relu": elementwise_backward(lambda z: np.where(z > 0, 1.0, 0.0)),
    "leaky_relu": elementwise_backward(lambda z: np.where(z > 0, 1.0, 0.01)),
    "softmax": softmax_backward,
}

# ---- losses: the loss of each row, and its gradient ------------------------------------------------


def mean_squared_error(p: Array, t: Array) -> tuple[Array, Array]:
    return ((p - t) ** 2).mean(axis=1), 2 * (p - t) / p.shape[1]


def mean_absolute_error(p: Array, t: Array) -> tuple[Array, Array]:
    return np.abs(p - t).mean(axis=1), np.sign(p - t) / p.shape[1]


def binary_cross_entropy(p: Array, t: Array) -> tuple[Array, Array]:
    value = -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean(axis=1)
    return value, (-t / p + (1 - t) / (1 - p)) / p.shape[1]


def cross_entropy(p: Array, t: Array) -> tuple[Array, Array]:
    return -(t * np.log(p)).sum(axis=1), -t / p


def sigmoid_then_binary_cross_entropy(z: Array, t: Array) -> tuple[Array, Array]:
    """log(1 + exp(z)) - t z: -t log σ(z) - (1 - t) log(1 - σ(z)), rearranged."""
    return (np.logaddexp(0, z) - t * z).mean(axis=1), (sigmoid(z) - t) / z.shape[1]


def softmax_then_cross_entropy(z: Array, t: Array) -> tuple[Array, Array]:
    """-Σ_j t_j (z_j - log Σ_k exp z_k)."""
    z = z - z.max(axis=1, keepdims=True)  # changes nothing but the size of the numbers
    log_of_sum = np.log(np.exp(z).sum(axis=1, keepdims=True))
    total = t.sum(axis=1, keepdims=True)
    return -(t * (z - log_of_sum)).sum(axis=1), total * softmax(z) - t


LOSSES: dict[str, Callable[[Array, Array], tuple[Array, Array]]] = {
    "mean_squared_error": mean_squared_error,
    "mean_absolute_error": mean_absolute_error,
    "binary_cross_entropy": binary_cross_entropy,
    "cross_entropy": cross_entropy,
}

FUSED: dict[tuple[str, str], Callable[[Array, Array], tuple[Array, Array]]] = {
    ("binary_cross_entropy", "sigmoid"): sigmoid_then_binary_cross_entropy,
    ("cross_entropy", "softmax"): softmax_then_cross_entropy,
}


def one_hot(classes: Array, outputs: int) -> Array:
    rows = np.zeros((len(classes), outputs))
    rows[np.arange(len(classes)), classes] = 1
    return rows


# ---- a multilayer perceptron ------------------------------------------------------------------------


def forward(x: Array, parameters: Sequence[tuple[Array, Array]], names: Sequence[str]) -> list[Array]:
    """x, then the output of every layer: a = f(x W + b)."""
    outputs = [x]
    for (W, b), name in zip(parameters, names, strict=True):
        outputs.append(ACTIVATIONS[name](outputs[-1] @ W + b))
    return outputs


def mean_loss(
    x: Array,
    t: Array,
    parameters: Sequence[tuple[Array, Array]],
    names: Sequence[str],
    loss: str,
    weight: Array | None = None,
) -> float:
    """The loss of a batch: the mean over its rows, weighted."""
    value, _ = LOSSES[loss](forward(x, parameters, names)[-1], t)
    return float(np.average(value, weights=weight))


def gradients(
    x: Array,
    t: Array,
    parameters: Sequence[tuple[Array, Array]],
    names: Sequence[str],
    loss: str,
    weight: Array | None = None,
) -> list[tuple[Array, Array]]:
    """∂C/∂W and ∂C/∂b of each layer, by the four equations of backpropagation (Nielsen, chapter 2)."""
    weight = np.ones(len(x)) if weight is None else weight
    outputs = forward(x, parameters, names)
    _, grad = LOSSES[loss](outputs[-1], t)
    grad = grad * (weight / weight.sum())[:, None]
    result: list[tuple[Array, Array]] = []
    for layer in reversed(range(len(parameters))):
        W, b = parameters[layer]
        delta = BACKWARD[names[layer]](outputs[layer] @ W + b, grad)
        result.append((outputs[layer].T @ delta, delta.sum(axis=0)))
        grad = delta @ W.T
    return result[::-1]


# ---- optimizers: w after each step, given gradient(w) ------------------------------------------------

Gradient = Callable[[Array], Array]


def sgd(
    w: Array,
    gradient: Gradient,
    steps: int,
    learning_rate: float,
    momentum: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
) -> Array:
    """Sutskever and others, 2013: v := momentum v - rate g. Nesterov's form as in their appendix."""
    velocity = np.zeros_like(w)
    for _ in range(steps):
        g = gradient(w) + weight_decay * w
        velocity = momentum * velocity - learning_rate * g
        w = w + (momentum * velocity - learning_rate * g if nesterov else velocity)
    return w


def adam(
    w: Array,
    gradient: Gradient,
    steps: int,
    learning_rate: float = 0.001,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
) -> Array:
    """Kingma and Ba, 2015, algorithm 1; the decay is Loshchilov and Hutter's, 2019, algorithm 2."""
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t in range(1, steps + 1):
        g = gradient(w)
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        m_hat, v_hat = m / (1 - beta_1**t), v / (1 - beta_2**t)
        w = w - learning_rate * (m_hat / (np.sqrt(v_hat) + epsilon) + weight_decay * w)
    return w


# ---- derivatives by differences ------------------------------------------------------------------------


def central_differences(f: Callable[[], float], x: Array, step: float = 1e-5) -> Array:
    """∂f/∂x of a function that reads x, which is changed in place and put back.

    Richardson's extrapolation of the differences over h and h/2, so that the error is of order h⁴.
    """
    derivative = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        before = x[index]
        slopes = []
        for h in (step, step / 2):
            x[index] = before + h
            above = f()
            x[index] = before - h
            below = f()
            slopes.append((above - below) / (2 * h))
        x[index] = before
        derivative[index] = (4 * slopes[1] - slopes[0]) / 3
    return derivative
