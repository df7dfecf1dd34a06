"""
A table with categories
=======================

Months and shops have no size: December is not twelve times January. An embedding gives each of them a vector, and
learns the vectors like all other weights. What it learns about the months can be seen: a year is a circle.
"""

# %%
# What 30 shops sell in a day depends on the month, on the shop, and on how warm it is: what a warm day brings in one
# half of the year, it costs in the other.

import matplotlib.pyplot as plt
import numpy as np

import cynn

generator = np.random.default_rng(0)
n = 20_000
month = generator.integers(0, 12, n)
shop = generator.integers(0, 30, n)
warmth = generator.normal(size=n)
season = 2 * np.pi * month / 12
size = generator.normal(3, 0.6, 30)
sales = size[shop] + np.cos(season) - 0.8 * np.sin(season) * warmth
sales += 0.1 * generator.normal(size=n)
table = np.column_stack([month, shop, warmth])

# %%
# An embedding takes its column away and puts the vector at the end of the row. The shops come first here, so that the
# month is column 0 as before.

net = cynn.Network(
    [
        cynn.Input(3),
        cynn.Embedding(30, 2, columns=1),
        cynn.Embedding(12, 2, columns=0),
        cynn.Dense(32, "relu"),
        cynn.Dense(32, "relu"),
        cynn.Dense(1),
    ],
    seed=0,
)
history = net.fit(
    table,
    sales,
    optimizer=cynn.optimizers.Adam(cynn.schedules.CosineDecay(0.01)),
    epochs=15,
    validation_split=0.2,
    metrics=["r2_score"],
)
print(net.summary())
print(
    "share of the variance that it explains: "
    f"{history['val_r2_score'][-1]:.3f}"
)

# %%
# On the left the vectors of the twelve months. Nobody told the network that January follows December. On the right what
# it says a shop sells on an average day of April, beside the size that the shop was given.

NAMES = [
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
]
vectors = net.layers[1].weights
ring = np.vstack([vectors, vectors[:1]])
day = np.column_stack([np.full(30, 3), np.arange(30), np.zeros(30)])

figure, (left, right) = plt.subplots(
    1, 2, figsize=(9, 4.2), layout="constrained"
)
left.plot(*ring.T, color="#7a7a7a", linewidth=1)
for name, vector in zip(NAMES, vectors, strict=True):
    left.text(
        *vector,
        name,
        ha="center",
        va="center",
        bbox={"boxstyle": "round", "facecolor": "white"},
    )
left.set(title="the months", aspect="equal")
left.margins(0.15)
right.plot(size, net.predict(day)[:, 0], "o", color="#114a9c")
right.set(title="the shops", xlabel="size", ylabel="predicted sales")
