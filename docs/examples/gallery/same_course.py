"""
From scikit-learn by one import
===============================

Two classes of one name with the same parameters, one from scikit-learn and one from CyNN. With one
``random_state`` they have the same initial weights and the same batches, so that the losses are the same to rounding.
"""

# %%

import time
import warnings

import matplotlib.pyplot as plt
import sklearn.neural_network
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

import cynn.sklearn

# Sixty epochs are enough, converged or not.
warnings.simplefilter("ignore", ConvergenceWarning)

x, y = load_digits(return_X_y=True)
x_train, x_test, y_train, y_test = train_test_split(
    (x / 16).astype("float32"), y, random_state=0
)
settings = {
    "hidden_layer_sizes": (64, 64),
    "max_iter": 60,
    "n_iter_no_change": 60,
    "tol": 0,
    "random_state": 0,
}

# %%
# The methods and attributes have the same names, too.

curves = {}
for name, module in {
    "scikit-learn": sklearn.neural_network,
    "CyNN": cynn.sklearn,
}.items():
    classifier = module.MLPClassifier(**settings)
    begin = time.perf_counter()
    classifier.fit(x_train, y_train)
    seconds = time.perf_counter() - begin
    curves[name] = classifier.loss_curve_
    print(
        f"{name:12}  "
        f"accuracy {classifier.score(x_test, y_test):.3f}  "
        f"{seconds:.2f} s"
    )

# %%

figure, ax = plt.subplots(figsize=(5.5, 3.8), layout="constrained")
for (name, curve), line in zip(
    curves.items(), ("-", "--"), strict=True
):
    ax.plot(range(1, len(curve) + 1), curve, line, label=name)
ax.set(yscale="log", xlabel="epoch", ylabel="training loss")
ax.legend()
plt.show()
