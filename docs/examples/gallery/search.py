"""
A search over layers and learning rates
=======================================

How many units, and how long a step? A grid search of scikit-learn tries all pairs by cross-validation, in threads of
one process, since networks train without the GIL. The picture shows where the good ones are: a learning rate that is
right counts for more than a layer that is wide.
"""

# %%
# The digits of scikit-learn have 8 by 8 pixels from 0 to 16; a thousand are enough here.

import joblib
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

import cynn
from cynn.sklearn import NetworkClassifier

x, y = load_digits(return_X_y=True)
x, y = (x[:1000] / 16).astype("float32"), y[:1000]

# %%
# A list of layers is a network: the input and the outputs are added. Names with two underscores reach into its parts.

classifier = NetworkClassifier(
    [cynn.Dense(8, "tanh")],
    epochs=20,
    batch_size=32,
    n_threads=1,
    random_state=0,
)
grid = {
    "network__0__units": [2, 4, 8, 16, 32, 64],
    "optimizer__learning_rate": [0.0003, 0.001, 0.003, 0.01, 0.03, 0.1],
}
with joblib.parallel_config("threading", n_jobs=2):
    search = GridSearchCV(classifier, grid, cv=3).fit(x, y)
print(search.best_params_, f"accuracy {search.best_score_:.3f}")

# %%
# Parameters are in alphabetical order, so that units come row by row.

scores = search.cv_results_["mean_test_score"].reshape(6, 6)
figure, ax = plt.subplots(figsize=(5.5, 4.2), layout="constrained")
image = ax.imshow(
    scores, cmap="Blues", vmin=0.1, vmax=1, origin="lower"
)
ax.set_xticks(range(6), grid["optimizer__learning_rate"])
ax.set_yticks(range(6), grid["network__0__units"])
ax.set(xlabel="learning rate", ylabel="units of the hidden layer")
for (row, column), score in np.ndenumerate(scores):
    color = "white" if score > 0.6 else "black"
    ax.text(
        column,
        row,
        f"{score:.2f}",
        ha="center",
        va="center",
        color=color,
    )
figure.colorbar(image, label="accuracy in cross-validation")
plt.show()
