"""
Stop in time
============

A network that is large for its data learns them by heart if it is let. ``EarlyStopping`` looks at rows that the network
does not learn from, ends the training when these no longer profit, and brings the best weights back.
"""

# %%
# 1,000 digits are few for 100,000 weights.

import cynn

(x_train, y_train), (x_test, y_test) = cynn.datasets.load_mnist()
x, y = x_train[:1000], y_train[:1000]


def fit(epochs, **options):
    net = cynn.Network.mlp([784, 128, 10], output="softmax", input_scale=1 / 255, seed=0)
    return net, net.fit(
        x,
        y,
        optimizer=cynn.optimizers.Adam(0.002),
        epochs=epochs,
        validation_split=0.3,
        metrics=["accuracy"],
        **options,
    )


# %%
# First without it, to see what there is to be stopped.

_, history = fit(60)

# %%
# Then with it. Ten epochs without a new best, and it is over.

stopping = cynn.callbacks.EarlyStopping(
    "val_loss", patience=10, restore_best_weights=True
)
net, stopped = fit(60, callbacks=[stopping])
print(f"stopped after epoch {stopped.epochs}; the best was epoch {stopping.best_epoch}")
print(net.evaluate(x_test, y_test, metrics=["accuracy"]))

# %%
# Both runs began with the same seed, so they are the same, bit for bit, up to where one of them was stopped. In the
# other, the loss of the rows that it learns goes to nothing, while that of those it does not learn rises again.

assert history["loss"][: stopped.epochs] == stopped["loss"]
axes = cynn.plot.history(history)["training"][0].axes
axes.axvline(stopping.best_epoch, color="black", linewidth=1)
axes.axvline(stopped.epochs, color="black", linewidth=1, linestyle=":")
low, high = axes.get_ylim()
for epoch, text in [(stopping.best_epoch, "best"), (stopped.epochs, "stopped")]:
    axes.text(epoch + 0.6, low + 0.93 * (high - low), text)
