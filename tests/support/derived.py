"""Networks for the tests of derivatives: each layer, graphs drawn at random, and methods in Python."""

import copy

import numpy as np

import cynn
from cynn import Activation, Add, Concatenate, Dense, Input, Network, Residual

SMOOTH = ["tanh", "sigmoid", "softplus", "swish", "gelu", "softmax", "mish"]


class Scaled(cynn.layers.Layer):
    """s x, in Python."""

    name = "scaled_in_python"
    s = cynn.layers.Parameter()

    def build(self, builder, values):
        units = builder.widths[values[0]]
        builder.parameter("s", builder.values(np.linspace(0.5, 2, units)))
        return builder.add_methods(values, units)

    def forward(self, x, parameters):
        return parameters["s"] * x

    def backward(self, x, parameters, a, grad):
        return grad * parameters["s"], {"s": (grad * x).sum(axis=0)}


class Cubed(cynn.activations.Activation):
    """z³, in Python."""

    name = "cubed_in_python"

    def forward(self, z):
        return z**3

    def backward(self, z, a, grad):
        return grad * 3 * z**2


def prepared(net, seed=0):
    """Random numbers in all arrays, so that no derivative is 0 by chance; variances are positive."""
    generator = np.random.default_rng(seed)
    for name, array in cynn.layers.arrays(net.layers):
        if "variance" in name:
            array[...] = generator.uniform(0.5, 2, array.shape)
        else:
            array += generator.normal(size=array.shape) / 4
    return net


def around(layer, dtype="float64", inputs=6):
    """A network with a layer between two others."""
    layer = copy.deepcopy(layer)
    layers = [Input(inputs, scale=0.5, offset=0.1), Dense(6, "tanh"), layer, Dense(3, "tanh")]
    return prepared(Network(layers, seed=1, dtype=dtype))


def graph(seed, dtype="float64"):
    """A graph of dense layers, activations, sums, concatenations and ways around, perhaps with several outputs."""
    generator = np.random.default_rng(seed)

    def pick(these):
        return these[generator.integers(len(these))]

    kinds = [
        lambda x, other: Dense(int(generator.integers(1, 7)), pick(SMOOTH))(x),
        lambda x, other: Activation(pick(SMOOTH))(x),
        lambda x, other: Concatenate()(x, other),
        lambda x, other: Add()(Dense(4)(x), Dense(4, "tanh")(other)),
        lambda x, other: cynn.LayerNorm()(Dense(5)(x)),
        lambda x, other: cynn.Dropout(0.3)(x),
        lambda x, other: Dense(3, "tanh")(Residual([Dense(4, "sigmoid"), Dense(4)])(Dense(4)(x))),
    ]
    values = [Input(5, scale=2.0)]
    for _ in range(generator.integers(4, 9)):
        values.append(pick(kinds)(pick(values), pick(values)))
    ends = [Dense(2, "tanh")(values[-1])]
    if generator.integers(2):
        ends.append(Dense(3)(pick(values)))
    outputs = ends[0] if len(ends) == 1 else {f"y{k}": end for k, end in enumerate(ends)}
    return prepared(Network(outputs, seed=int(seed), dtype=dtype), seed)


def outputs_of(net, x, training=False):
    """What the network predicts, as a list."""
    return net._outputs.split(net.predict(x), "predictions")


def differences(f, x, step=1e-4):
    """∂f/∂x of a function of rows, by Richardson's extrapolation, with a column of x at a time: (rows, m, inputs)."""
    columns = []
    for column in range(x.shape[1]):
        slopes = []
        for h in (step, step / 2):
            move = np.zeros(x.shape[1])
            move[column] = h
            slopes.append((f(x + move) - f(x - move)) / (2 * h))
        columns.append((4 * slopes[1] - slopes[0]) / 3)
    return np.stack(columns, axis=-1)
