"""
More digits than there are
==========================

A network that has only seen digits in the middle of their picture is lost when one is not. ``transform`` moves every
picture a little each time that it is trained on, so that no two epochs are the same.
"""

# %%
# A transform is a function of a batch. The generator that it gets makes the same numbers in every run.

import matplotlib.pyplot as plt
import numpy as np

import cynn


def moved(images, right, down):
    """Pictures moved by whole pixels, around the edges."""
    return np.roll(
        images.reshape(-1, 28, 28), (down, right), axis=(1, 2)
    ).reshape(images.shape)


def anywhere(x, y, generator):
    """Each picture of the batch moved by up to four pixels."""
    places = generator.integers(-4, 5, (len(x), 2))
    return np.stack(
        [
            moved(image, *place)
            for image, place in zip(x, places, strict=True)
        ]
    ), y


(x_train, y_train), (x_test, y_test) = cynn.datasets.load_mnist()
figure, panels = plt.subplots(
    2, 8, figsize=(9, 2.4), layout="constrained"
)
for epoch, row in enumerate(panels):
    batch, _ = anywhere(
        x_train[:8], y_train[:8], np.random.default_rng(epoch)
    )
    for axes, image in zip(row, batch, strict=True):
        axes.imshow(image.reshape(28, 28), cmap="Greys")
        axes.set(xticks=[], yticks=[])

# %%
# The same network with it and without it, and how it reads test digits that have been moved to the right.

shifts = np.arange(-6, 7)


def trained(transform):
    net = cynn.Network.mlp(
        [784, 128, 64, 10],
        output="softmax",
        input_scale=1 / 255,
        seed=0,
    )
    net.fit(
        x_train[:10_000],
        y_train[:10_000],
        epochs=8,
        batch_size=64,
        transform=transform,
    )
    return net


def accuracies(net):
    for shift in shifts:
        yield net.evaluate(
            moved(x_test, shift, 0), y_test, metrics=["accuracy"]
        )["accuracy"]


# sphinx_gallery_thumbnail_number = 2
figure, axes = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
axes.plot(
    shifts,
    [*accuracies(trained(anywhere))],
    "o-",
    color="#114a9c",
    label="moved in training",
)
axes.plot(
    shifts,
    [*accuracies(trained(None))],
    "^--",
    color="#ef7f2d",
    label="as they are",
)
axes.set(
    xlabel="pixels to the right",
    ylabel="test accuracy",
    ylim=(0, 1),
    xticks=shifts,
)
axes.legend(loc="lower center")
