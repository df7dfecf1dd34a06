"""
An autoencoder that cleans pictures
===================================

A network whose target is its own input, with few neurons in the middle: what does not fit through there is lost. Give
it pictures full of noise and ask for the clean ones, and it is the noise that is lost.
"""

# %%
# The pictures of the digits are both the rows and the targets.

import matplotlib.pyplot as plt
import numpy as np

import cynn

(images, _), (test_images, test_digits) = cynn.datasets.load_mnist()
x, x_test = (
    images[:20_000] / np.float32(255),
    test_images / np.float32(255),
)


def spoil(x, y, generator):
    """Each batch gets new noise; its targets stay clean."""
    return x + 0.5 * generator.standard_normal(x.shape, np.float32), y


net = cynn.Network.mlp(
    [784, 128, 24, 128, 784],
    activation="relu",
    output="sigmoid",
    seed=0,
)
history = net.fit(
    x,
    x,
    loss="binary_cross_entropy",
    optimizer=cynn.optimizers.Adam(0.002),
    epochs=6,
    batch_size=64,
    transform=spoil,
)

# %%
# Pictures that it has never seen: as they were, spoiled, and as it gives them back.

clean = x_test[:10]
spoiled, _ = spoil(clean, clean, np.random.default_rng(0))
rows = {
    "clean": clean,
    "spoiled": spoiled,
    "cleaned": net.predict(spoiled),
}
figure, panels = plt.subplots(
    3, 10, figsize=(9, 3), layout="constrained"
)
for line, (name, pictures) in zip(panels, rows.items(), strict=True):
    for axes, picture in zip(line, pictures, strict=True):
        axes.imshow(
            picture.reshape(28, 28), cmap="Greys", vmin=0, vmax=1
        )
        axes.set(xticks=[], yticks=[])
    line[0].set_ylabel(name)

# %%
# What goes through the middle is 24 numbers for each picture. A straight line between two of them is a walk from one
# digit to another, along which the second half of the network draws what it would see.

two, eight = (
    net.activations(x_test[test_digits == digit][:1])[2]
    for digit in (2, 8)
)
steps = np.linspace(0, 1, 9, dtype=np.float32)[:, None]
a = two + steps * (eight - two)
for layer in net.layers[2:]:
    a = layer.activation.forward(a @ layer.weights + layer.biases)
figure, panels = plt.subplots(
    1, 9, figsize=(9, 1.1), layout="constrained"
)
for axes, picture in zip(panels, a, strict=True):
    axes.imshow(picture.reshape(28, 28), cmap="Greys", vmin=0, vmax=1)
    axes.set(xticks=[], yticks=[])
