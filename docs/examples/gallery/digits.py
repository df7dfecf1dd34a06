"""
Handwritten digits
==================

The network of the lecture "But what is a neural network?": 784 pixels in, two hidden layers of 16 neurons, and an
output for each digit. It has 13,002 weights and biases, and learns them from 55,000 images in a few seconds.
"""

# %%
# The digits of MNIST come with CyNN: a row of 784 bytes for each image, and the digit that it shows.

import matplotlib.pyplot as plt

import cynn

(x_train, y_train), (x_test, y_test) = cynn.datasets.load_mnist()
net = cynn.Network.mlp(
    [784, 16, 16, 10],
    activation="sigmoid",
    output="softmax",
    input_scale=1 / 255,
    seed=0,
)
print(net.summary())

# %%
# The last 5,000 images tell how well it does on what it has not learned from.

history = net.fit(
    x_train[:-5000],
    y_train[:-5000],
    optimizer=cynn.optimizers.AdamW(
        learning_rate=0.005, weight_decay=0.05
    ),
    epochs=8,
    validation_data=(x_train[-5000:], y_train[-5000:]),
    metrics=["accuracy"],
)
figure, (left, right) = plt.subplots(
    1, 2, figsize=(9, 3.4), layout="constrained"
)
cynn.plot.history(history, ax=left)
cynn.plot.history(history, "accuracy", ax=right)

# %%
# What it makes of one image. The more active a neuron is, the darker it is.

# sphinx_gallery_thumbnail_number = 2
cynn.plot.network(net, x_test[0], shape=(28, 28))

# %%
# Of 10,000 images that were kept apart to the end, it reads about 95 in 100. Among the others, these are the ones that
# it is surest of.

print(net.evaluate(x_test, y_test, metrics=["accuracy"]))
cynn.plot.mistakes(net, x_test, y_test, limit=14)
