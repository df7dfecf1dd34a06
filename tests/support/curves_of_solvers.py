"""Ten named problems of curve fitting with small networks, for a comparison of least-squares methods."""

import numpy as np

import cynn


def _line(n, low=-1.0, high=1.0):
    return np.linspace(low, high, n)[:, None]


def _grid(n):
    axis = np.linspace(0, 1, n)
    return np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)


def _friedman():
    x = np.random.default_rng(1).uniform(size=(200, 5))
    return x, 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]


def _franke(x):
    u, v = 9 * x[:, 0], 9 * x[:, 1]
    return (
        0.75 * np.exp(-((u - 2) ** 2 + (v - 2) ** 2) / 4) + 0.75 * np.exp(-((u + 1) ** 2) / 49 - (v + 1) / 10)
        + 0.5 * np.exp(-((u - 7) ** 2 + (v - 3) ** 2) / 4) - 0.2 * np.exp(-((u - 4) ** 2) - (v - 7) ** 2)
    )  # fmt: skip


def _noise(n, size):
    return size * np.random.default_rng(n).normal(size=n)


def problems():
    """Name, inputs, targets, and hidden units of each."""
    x, grid, rosenbrock = _line(100), _grid(12), _grid(12) * 4 - 2
    friedman = _friedman()
    xor = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    t = _line(60, 0, 10)
    dose = _line(40, 0, 5)
    return [
        ("sinc", x, np.sinc(3 * x[:, 0]) + _noise(100, 0.02), [3]),
        ("gauss", x, np.exp(-8 * x[:, 0] ** 2) + _noise(100, 0.02), [2]),
        ("damped sine", x, np.exp(-x[:, 0]) * np.sin(6 * x[:, 0]) + _noise(100, 0.02), [3]),
        ("step", x, np.sign(x[:, 0]) + _noise(100, 0.05), [1]),
        ("xor", np.tile(xor, (10, 1)), np.tile([0.0, 1.0, 1.0, 0.0], 10) + _noise(40, 0.05), [2]),
        ("friedman 1", friedman[0], friedman[1] + _noise(200, 1.0), [2]),
        ("franke", grid, _franke(grid) + _noise(144, 0.02), [3]),
        (
            "rosenbrock", rosenbrock,
            np.log1p(100 * (rosenbrock[:, 1] - rosenbrock[:, 0] ** 2) ** 2 + (1 - rosenbrock[:, 0]) ** 2), [2],
        ),
        ("logistic growth", t / 5 - 1, 10 / (1 + 20 * np.exp(-t[:, 0])) + _noise(60, 0.1), [1]),
        ("hill curve", dose / 2.5 - 1, dose[:, 0] ** 3 / (1 + dose[:, 0] ** 3) + _noise(40, 0.01), [2]),
    ]  # fmt: skip


def network(x, hidden, seed=1):
    """A network of tanh units for a problem."""
    return cynn.Network.mlp([x.shape[1], *hidden, 1], activation="tanh", seed=seed, dtype="float64")
