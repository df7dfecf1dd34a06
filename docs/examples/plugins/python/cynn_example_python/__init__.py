"""An activation in plain Python: the slow way in, for a first try."""

import numpy as np

from cynn import hyperparameter
from cynn.activations import Activation


class Symlog(Activation):
    """a = sign(z) log(1 + scale |z|) / scale.

    f′ = 1 / (1 + scale |z|).
    """

    name = "symlog"
    scale: float = hyperparameter(
        default=1.0, above=0, doc="How fast the slope falls."
    )

    def forward(self, z):
        size = np.log1p(self.scale * np.abs(z)) / self.scale
        return np.sign(z) * size

    def backward(self, z, a, grad):
        return grad / (1 + self.scale * np.abs(z))
