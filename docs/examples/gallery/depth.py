"""
How deep a network can be
=========================

A gradient on its way back through thirty layers is multiplied thirty times. With sigmoid there is soon nothing left of
it; with a way around each layer, it arrives.
"""

# %%
# Three networks of thirty hidden layers: two plain ones, and one whose layers only add to what comes in.

import matplotlib.pyplot as plt
import numpy as np

import cynn

(x_train, y_train), _ = cynn.datasets.load_mnist()
x, y = x_train[:4000], y_train[:4000]


def deep(layer):
    layers = [layer() for _ in range(30)]
    head, tail = cynn.Dense(32), cynn.Dense(10, "softmax")
    return cynn.Network(
        [cynn.Input(784, scale=1 / 255), head, *layers, tail], seed=0
    )


nets = {
    "sigmoid": deep(lambda: cynn.Dense(32, "sigmoid")),
    "relu": deep(lambda: cynn.Dense(32, "relu")),
    "relu, with a way around": deep(
        lambda: cynn.Residual(
            [cynn.LayerNorm(), cynn.Dense(32, "relu")]
        )
    ),
}
STYLES = {
    "sigmoid": {"color": "#7a7a7a", "linestyle": ":"},
    "relu": {"color": "#ef7f2d", "linestyle": "--"},
    "relu, with a way around": {"color": "#114a9c", "linestyle": "-"},
}

# %%
# How large the gradient is at each layer before the first step, and how the loss falls.

figure, (left, right) = plt.subplots(
    1, 2, figsize=(9, 3.8), layout="constrained"
)
for name, net in nets.items():
    gradients = net.gradients(x[:256], y[:256], loss="cross_entropy")
    norms = [
        np.linalg.norm(pair[0])
        for pair in gradients
        if pair[0].shape == (32, 32)
    ]
    left.semilogy(range(1, 31), norms, linewidth=2, **STYLES[name])
    history = net.fit(
        x, y, epochs=10, optimizer=cynn.optimizers.Adam(0.001)
    )
    right.plot(
        range(1, 11),
        history["loss"],
        linewidth=2,
        label=name,
        **STYLES[name],
    )
left.set(
    title="before training",
    xlabel="hidden layer",
    ylabel="norm of the gradient",
)
right.set(title="training", xlabel="epoch", ylabel="loss")
right.legend(loc="upper right")
