"""
Early stopping and resume
=========================

A network that is large for its data learns them by heart if it is let. ``EarlyStopping`` looks at rows that the network
does not learn from, ends the training when these no longer profit, and brings the best weights back. ``Checkpoint``
lets a training that was interrupted go on, to the same bits.
"""

# %%
# 1,000 digits are few for 100,000 weights.

import tempfile

import cynn

(x_train, y_train), (x_test, y_test) = cynn.datasets.load_mnist()
x, y = x_train[:1000], y_train[:1000]


def fit(epochs, **options):
    net = cynn.Network.mlp(
        [784, 128, 10], output="softmax", input_scale=1 / 255, seed=0
    )
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
print(
    f"stopped after epoch {stopped.epochs}; "
    f"the best was epoch {stopping.best_epoch}"
)
print(net.evaluate(x_test, y_test, metrics=["accuracy"]))

# %%
# Both runs began with the same seed, so they are the same, bit for bit, up to where one of them was stopped. In the
# other, the loss of the rows that it learns goes to nothing, while that of those it does not learn rises again.

assert history["loss"][: stopped.epochs] == stopped["loss"]
axes = cynn.plot.history(history)["training"][0].axes
axes.axvline(stopping.best_epoch, color="black", linewidth=1)
axes.axvline(stopped.epochs, color="black", linewidth=1, linestyle=":")
low, high = axes.get_ylim()
for epoch, text in [
    (stopping.best_epoch, "best"),
    (stopped.epochs, "stopped"),
]:
    axes.text(epoch + 0.6, low + 0.93 * (high - low), text)

# %%
# With a checkpoint, a training that was broken off goes on where it stood. Here it ends after 5 epochs, and is to go
# on to 60: ``resume=True`` reads what the ``Checkpoint`` among the callbacks wrote last. ``EarlyStopping`` is new,
# but finds its patience and its best weights in there, and stops where the run in one piece did, with the same
# weights.

with tempfile.TemporaryDirectory() as folder:
    for epochs in (5, 60):
        callbacks = [
            cynn.callbacks.EarlyStopping(
                "val_loss", patience=10, restore_best_weights=True
            ),
            cynn.callbacks.Checkpoint(f"{folder}/run.safetensors"),
        ]
        resumed_net, resumed = fit(
            epochs, callbacks=callbacks, resume=True
        )
        print(f"{resumed.epochs} epochs of {epochs}")

assert resumed["val_loss"] == stopped["val_loss"]
assert (resumed_net.predict(x_test) == net.predict(x_test)).all()
