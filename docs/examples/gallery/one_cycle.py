"""
One cycle of the learning rate
==============================

A learning rate that rises, for a while, to where training could not stay, and then falls to nearly nothing, gets
further in a few epochs than one that stays as it is. And its largest value need not be chosen so well.
"""

# %%
# Three schedules over the same 320 steps.

import matplotlib.pyplot as plt
import numpy as np

import cynn

SCHEDULES = {
    "constant": cynn.schedules.Constant,
    "cosine": cynn.schedules.CosineDecay,
    "one cycle": cynn.schedules.OneCycle,
}
STYLES = {
    "constant": {"color": "#7a7a7a", "linestyle": ":", "marker": "s"},
    "cosine": {"color": "#ef7f2d", "linestyle": "--", "marker": "^"},
    "one cycle": {"color": "#114a9c", "linestyle": "-", "marker": "o"},
}

# %%
# The same network on 10,000 digits, four epochs of batches of 128, with each schedule and with largest rates from
# 0.0125 to 0.4: which share of the test digits does it read then?

(x_train, y_train), (x_test, y_test) = cynn.datasets.load_mnist()
rates = 0.0125 * 2.0 ** np.arange(6)


def accuracy(schedule):
    net = cynn.Network.mlp(
        [784, 64, 32, 10], output="softmax", input_scale=1 / 255, seed=0
    )
    net.fit(
        x_train[:10_000],
        y_train[:10_000],
        optimizer=cynn.optimizers.SGD(schedule, momentum=0.9),
        epochs=4,
        batch_size=128,
    )
    return net.evaluate(x_test, y_test, metrics=["accuracy"])[
        "accuracy"
    ]


found = {
    name: [accuracy(kind(rate)) for rate in rates]
    for name, kind in SCHEDULES.items()
}
for name, accuracies in found.items():
    print(f"{name:10}", *(f"{each:.3f}" for each in accuracies))

# %%
# Source: Smith and Topin, "Super-convergence: very fast training of neural networks using large learning rates", 2018.

figure, (left, right) = plt.subplots(
    1, 2, figsize=(9, 3.6), layout="constrained"
)
for name, kind in SCHEDULES.items():
    style = STYLES[name] | {"linewidth": 2, "label": name}
    left.plot(kind(0.2).rates(0, 320, 320), **style | {"marker": None})
    right.plot(rates, found[name], **style)
left.set(
    title="three ways to 0.2", xlabel="step", ylabel="learning rate"
)
right.set(
    title="after four epochs",
    xlabel="largest learning rate",
    ylabel="test accuracy",
)
right.set(xscale="log", ylim=(0.88, 0.96))
right.set_xticks(rates, [f"{rate:g}" for rate in rates], rotation=30)
right.minorticks_off()
right.legend(loc="lower center")
