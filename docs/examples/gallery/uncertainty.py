"""
A number, and how sure it is
============================

A network with two outputs predicts not only a value but how far off it expects to be. Several such networks, which
begin differently, show where they know nothing: there they disagree.
"""

# %%
# The noise grows from left to right, and in the middle there are no data at all.

import matplotlib.pyplot as plt
import numpy as np

import cynn

generator = np.random.default_rng(0)
x = np.concatenate(
    [generator.uniform(-3, -0.3, 400), generator.uniform(1.2, 3, 400)]
)
noise = 0.05 + 0.1 * (x + 3) / 2
t = np.sin(2 * x) + 0.3 * x + noise * generator.normal(size=x.shape)

# %%
# The loss ``gaussian_nll`` takes the first output for the mean and the second for the logarithm of the variance. It
# wants targets with as many columns, and does not read the second.


def trained(seed):
    net = cynn.Network.mlp([1, 64, 64, 2], activation="relu", seed=seed)
    net.fit(
        x[:, None],
        np.column_stack([t, t]),
        loss="gaussian_nll",
        optimizer=cynn.optimizers.Adam(
            cynn.schedules.CosineDecay(0.01)
        ),
        epochs=150,
    )
    return net


everywhere = np.linspace(-4, 4, 401)
predicted = np.array(
    [trained(seed).predict(everywhere[:, None]) for seed in range(6)]
)
mean, variance = predicted[..., 0], np.exp(predicted[..., 1])

# %%
# On the left the first network alone: the band of two standard deviations widens with the noise, but where there are no
# data it is a guess. On the right all six: their noise, and how much they disagree, make up the band
# (Lakshminarayanan, Pritzel and Blundell, "Simple and scalable predictive uncertainty estimation using deep ensembles",
# 2017).

BLUE, ORANGE = "#114a9c", "#ef7f2d"


def draw(axes, title, mean, variance):
    width = 2 * np.sqrt(variance)
    axes.fill_between(
        everywhere,
        mean - width,
        mean + width,
        color=BLUE,
        alpha=0.25,
        linewidth=0,
    )
    axes.plot(x, t, ".", color=ORANGE, markersize=3)
    axes.plot(everywhere, mean, color=BLUE, linewidth=2)
    axes.set(title=title, xlabel="x", xlim=(-4, 4), ylim=(-4, 4))


# sphinx_gallery_thumbnail_number = 1
figure, (left, right) = plt.subplots(
    1, 2, figsize=(9, 3.8), sharey=True, layout="constrained"
)
draw(left, "one network", mean[0], variance[0])
draw(
    right,
    "six networks",
    mean.mean(axis=0),
    variance.mean(axis=0) + mean.var(axis=0),
)
left.set_ylabel("t")
