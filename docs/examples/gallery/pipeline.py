"""
A network in a pipeline
=======================

Scaling and network are one estimator, so that cross-validation learns the scales from the training rows alone. The
predictions for held-out rows give the ROC curve. Shuffling a column of held-out rows shows how much depends on it.
"""

# %%
# 569 tumours with 30 measured numbers each, of very different sizes; 1 is benign.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from sklearn.inspection import permutation_importance
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.model_selection import cross_val_predict, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cynn.sklearn import MLPClassifier

# Sixty epochs are enough, converged or not.
warnings.simplefilter("ignore", ConvergenceWarning)

data = load_breast_cancer()
network = MLPClassifier(
    (32, 32),
    dropout=0.2,
    learning_rate_init=0.003,
    max_iter=60,
    n_iter_no_change=60,
    random_state=0,
)
pipeline = make_pipeline(StandardScaler(), network)

# %%
# Every row is predicted by a pipeline that has not seen it.

benign = cross_val_predict(
    pipeline, data.data, data.target, cv=5, method="predict_proba"
)[:, 1]
accuracy, area = (
    np.mean((benign > 0.5) == data.target),
    roc_auc_score(data.target, benign),
)
print(f"accuracy {accuracy:.3f}, area under the ROC curve {area:.4f}")
false_positives, true_positives, _ = roc_curve(data.target, benign)

# %%
# How much the log loss grows when a column of the test rows is shuffled, for the ten columns with the largest effect.

x_train, x_test, y_train, y_test = train_test_split(
    data.data, data.target, random_state=0
)
pipeline.fit(x_train, y_train)
growth = permutation_importance(
    pipeline,
    x_test,
    y_test,
    scoring="neg_log_loss",
    n_repeats=10,
    random_state=0,
).importances_mean
most = np.argsort(growth)[-10:]

figure, (left, right) = plt.subplots(
    1, 2, figsize=(9, 3.8), layout="constrained"
)
left.plot(false_positives, true_positives, color="#114a9c")
left.set(
    title="ROC curve",
    xlabel="false positives",
    ylabel="true positives",
    aspect="equal",
)
right.barh(data.feature_names[most], growth[most], color="#114a9c")
right.set(title="columns", xlabel="growth of the log loss if shuffled")
plt.show()
