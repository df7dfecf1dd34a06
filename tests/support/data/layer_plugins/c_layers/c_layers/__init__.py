"""Layers with kernels in C: Dense once more, a quotient of two inputs, a gate with any activation, and noise."""

import cynn
from cynn.layers import Layer, Parameter, SavedForBackward

from . import _kernel

__all__ = ["CDense", "Gate", "Ratio", "UniformNoise"]


class CDense(cynn.Dense):
    """a = f(x W + b), over the published products."""

    name = "c_dense"
    kernel = _kernel.DENSE


class Ratio(Layer):
    """a = s x / (1 + y²), of two inputs, with the mean of a over batches as a state."""

    name = "ratio"
    kernel = _kernel.RATIO
    n_inputs = 2
    scale = Parameter()
    mean = Parameter(is_trained=False)

    def build(self, builder, values):
        units = builder.widths[values[0]]
        scale = builder.parameter("scale", builder.ones(units))
        mean = builder.state("mean", builder.zeros(units))
        saved = [SavedForBackward(units)]
        return builder.add(self.kernel, values, units, parameters=[scale], states=[mean], saved=saved)


class Gate(Layer):
    """a = x f(x)."""

    name = "tanh_gate"
    kernel = _kernel.GATE

    def __init__(self, activation="tanh"):
        super().__init__()
        self.activation = cynn.registry.activations.get(activation)

    def build(self, builder, values):
        units = builder.widths[values[0]]
        saved = [SavedForBackward(units)]
        return builder.add(self.kernel, values, units, activation=self.activation, saved=saved)


class UniformNoise(Layer):
    """a = x + limit u in training, with u uniform in [0, 1) or normal."""

    name = "uniform_noise"
    kernel = _kernel.NOISE

    def __init__(self, limit=0.5, is_normal=False):
        super().__init__()
        self.limit = limit
        self.is_normal = is_normal

    def build(self, builder, values):
        units = builder.widths[values[0]]
        return builder.add(self.kernel, values, units, hyperparameters=[self.limit, self.is_normal], draws=True)
