"""
An activation of your own, from formula to plugin
=================================================

Take any formula with a derivative: here one that bends like tanh but needs no exponential.

.. math::

   f(z) = \\frac{z}{\\sqrt{1 + c z^2}}, \\qquad f'(z) = \\frac{1}{(1 + c z^2)^{3/2}}

(the inverse square root unit, ISRU, of Carlile and others, "Improving deep learning by inverse square root linear
units", 2017).
"""

# %%
# A class with two methods over NumPy arrays is enough. ``backward`` gets ∂C/∂a and returns ∂C/∂z.

import tempfile

import matplotlib.pyplot as plt
import numpy as np

import cynn
from cynn.plugins.scaffold import new_plugin
from cynn.testing import check_activation


class ISRU(cynn.activations.Activation):
    """a = z / sqrt(1 + c z²); f′ = (1 + c z²)^(-3/2)."""

    name = "isru"
    c: float = cynn.hyperparameter(
        default=1.0, above=0, doc="How soon it bends."
    )

    def forward(self, z):
        return z / np.sqrt(1 + self.c * z**2)

    def backward(self, z, a, grad):
        return grad / (1 + self.c * z**2) ** 1.5


figure, (left, right) = plt.subplots(
    1, 2, figsize=(9, 3.2), layout="constrained"
)
cynn.plot.function(ISRU(), ax=left)
cynn.plot.function(ISRU(c=0.1), ax=right)

# %%
# Is the derivative that of the formula? The check compares it with differences, and looks for all else that goes wrong
# in plugins.

print(check_activation(ISRU))

# %%
# It works wherever a name does. Once it is registered, so does its name.

cynn.registry.activations.register(ISRU)
(x_train, y_train), (x_test, y_test) = cynn.datasets.load_mnist()
for activation in ("tanh", "isru", ISRU(c=0.1)):
    net = cynn.Network.mlp(
        [784, 32, 10],
        activation=activation,
        output="softmax",
        input_scale=1 / 255,
        seed=0,
    )
    net.fit(x_train[:10_000], y_train[:10_000], epochs=3)
    print(
        f"{activation!s:32}",
        net.evaluate(x_test, y_test, metrics=["accuracy"]),
    )

# %%
# Python between the steps takes time. The same formula in a package of its own, compiled, is as fast as what is built
# in. ``cynn new-plugin my-activation`` writes such a package, and its example happens to be this very formula, with
# another name for c. Here the command is called from Python, to show the kernel.

with tempfile.TemporaryDirectory() as folder:
    package = new_plugin(
        "my-activation", language="cython", parent=folder
    )
    print(
        (package / "my_activation" / "_kernel.pyx").read_text(
            encoding="utf-8"
        )
    )

# %%
# With your formula in its place, ``pip install --no-build-isolation ./my-activation`` and ``cynn check my_activation``
# are all that is left to do. :doc:`/plugins` says more.
