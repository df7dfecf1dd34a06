"""
A class that is rare
====================

Where one row in fifty is of the class that matters, a network does well by never naming it. ``class_weight`` says that
its rows count for more.
"""

# %%
# Most points lie around the middle; a few, which are to be found, at one side of it.

import matplotlib.pyplot as plt
import numpy as np

import cynn


def points(n, seed):
    generator = np.random.default_rng(seed)
    y = (generator.random(n) < 0.02).astype(int)
    x = generator.normal(size=(n, 2)) * np.where(y, 0.5, 1.0)[:, None]
    return x + y[:, None] * [1.9, 1.5], y


x, y = points(4000, seed=0)
x_test, y_test = points(20_000, seed=1)
print(f"{y.sum()} of {len(y)} rows are of the rare class")

# %%
# ``"balanced"`` gives both classes the same weight in all: rows / (classes * rows of the class).


def trained(class_weight):
    net = cynn.Network.mlp(
        [2, 16, 16, 1], activation="tanh", output="sigmoid", seed=0
    )
    net.fit(
        x,
        y,
        loss="binary_cross_entropy",
        optimizer=cynn.optimizers.Adam(0.003),
        epochs=40,
        class_weight=class_weight,
    )
    return net


nets = {"as they are": trained(None), "balanced": trained("balanced")}
for name, net in nets.items():
    named = net.predict(x_test)[:, 0] > 0.5
    print(
        f"{name:12} accuracy {np.mean(named == y_test):.3f}, "
        f"finds {named[y_test == 1].mean():.0%} of the rare ones, "
        f"and {y_test[named].mean():.0%} of what it names are"
    )

# %%
# The line is where the network changes its mind. Without weights it gives up a third of the rare points; with them it
# finds nearly all, and is wrong about more of the others. Which is better is not for the network to say.

BLUE, ORANGE = "#114a9c", "#ef7f2d"
grid = np.linspace(-4, 4, 161)
plane = np.array(np.meshgrid(grid, grid)).reshape(2, -1).T
figure, panels = plt.subplots(
    1, 2, figsize=(9, 4.4), sharey=True, layout="constrained"
)
for axes, (name, net) in zip(panels, nets.items(), strict=True):
    opinion = net.predict(plane).reshape(len(grid), len(grid))
    axes.contourf(
        grid, grid, opinion, levels=[0.5, 1], colors=[ORANGE], alpha=0.2
    )
    axes.contour(
        grid,
        grid,
        opinion,
        levels=[0.5],
        colors=["black"],
        linewidths=1.5,
    )
    axes.scatter(
        *x[y == 0].T, s=3, color=BLUE, alpha=0.4, label="common"
    )
    axes.scatter(
        *x[y == 1].T,
        s=22,
        color=ORANGE,
        marker="^",
        edgecolor="black",
        lw=0.5,
        label="rare",
    )
    axes.set(title=name, aspect="equal", xlim=(-4, 4), ylim=(-4, 4))
panels[0].legend(loc="lower left", framealpha=1, markerscale=1.5)
