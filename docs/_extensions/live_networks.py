"""The networks that are live in the pages, trained where they are first asked for."""

import functools

import cynn


@functools.cache
def digits():
    """The network of the lecture, trained for a few seconds, with examples."""
    (x, y), test = cynn.datasets.load_mnist()
    net = cynn.Network.mlp([784, 16, 16, 10], activation="sigmoid", output="softmax", input_scale=1 / 255, seed=0)
    optimizer = cynn.optimizers.AdamW(cynn.schedules.CosineDecay(0.005), weight_decay=0.05)
    net.fit(x, y, optimizer=optimizer, epochs=8, progress=False)
    return net, test


NETWORKS = {"digits": digits}
