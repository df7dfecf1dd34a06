"""
Two spirals, and the border between them
========================================

Two classes that are wound around each other: no straight line tells them apart. The picture shows how the border bends
while the network learns.
"""

# %%
# Each spiral turns once and a half around the origin.

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.animation import FuncAnimation
from matplotlib.colors import LinearSegmentedColormap

import cynn

generator = np.random.default_rng(0)
turn = np.sqrt(generator.random(600)) * 3 * np.pi
y = np.arange(600) % 2
angle = turn + np.pi * y
x = (turn * np.array([np.cos(angle), np.sin(angle)])).T / 3
x += generator.normal(scale=0.1, size=x.shape)

# %%
# A callback asks the network for its opinion on every point of the plane, after the epochs that are to be seen.

grid = np.linspace(-3.6, 3.6, 121)
plane = np.array(np.meshgrid(grid, grid)).reshape(2, -1).T
shown = {1, 2, 5, *range(10, 161, 10), 200}


class Watch(cynn.callbacks.Callback):
    def on_train_begin(self):
        self.seen = []

    def on_epoch_end(self, epoch, logs):
        if epoch in shown:
            opinion = self.network.predict(plane).reshape(
                len(grid), len(grid)
            )
            self.seen.append((epoch, logs["accuracy"], opinion))


watch = Watch()
net = cynn.Network.mlp(
    [2, 32, 32, 1], activation="tanh", output="sigmoid", seed=0
)
history = net.fit(
    x,
    y,
    loss="binary_cross_entropy",
    optimizer=cynn.optimizers.Adam(0.005),
    epochs=200,
    metrics=["accuracy"],
    callbacks=[watch],
)
print(
    f"after {history.epochs} epochs: "
    f"accuracy {history['accuracy'][-1]:.3f}"
)

# %%
# Blue is one class, orange the other, and white is where the network cannot tell.

ORANGE, BLUE = "#ef7f2d", "#114a9c"
shades = LinearSegmentedColormap.from_list(
    "shades", [ORANGE, "white", BLUE], N=9
)
window = (-3.6, 3.6, -3.6, 3.6)
end = watch.seen[-1][2]

figure, axes = plt.subplots(figsize=(5.2, 5.4), layout="constrained")
axes.set(xticks=[], yticks=[])
picture = axes.imshow(
    end, extent=window, origin="lower", cmap=shades, alpha=0.6
)
picture.set_clim(0, 1)
axes.scatter(
    *x[y == 0].T,
    s=14,
    marker="o",
    color=ORANGE,
    edgecolor="black",
    lw=0.5,
)
axes.scatter(
    *x[y == 1].T,
    s=16,
    marker="s",
    color=BLUE,
    edgecolor="white",
    lw=0.5,
)


def draw(frame):
    epoch, accuracy, opinion = watch.seen[frame]
    picture.set_data(opinion)
    axes.set_title(f"epoch {epoch}: {accuracy:.0%} right")


draw(-1)
animation = FuncAnimation(
    figure, draw, frames=len(watch.seen), interval=300
)
