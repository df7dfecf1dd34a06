"""Networks as scikit-learn's estimators: for pipelines, searches and cross-validation.

Enters what scikit-learn's estimators take: arrays, DataFrames, sparse matrices, labels of any kind, weights of rows.
What does the work is a `cynn.Network`, by its public methods alone; scikit-learn is imported with this module, and by
nothing else in the package. `pip install "cynn-nn[sklearn]"` installs it.
"""

from __future__ import annotations

from cynn.errors import MissingDependencyError

try:
    import sklearn  # noqa: F401  # to see whether it is there
except ImportError as error:
    raise MissingDependencyError(
        'cynn.sklearn needs scikit-learn. Install it with: pip install "cynn-nn[sklearn]"'
    ) from error

from cynn.sklearn.mlp import MLPClassifier, MLPRegressor
from cynn.sklearn.network_estimators import NetworkClassifier, NetworkRegressor
from cynn.sklearn.tabular import TabularClassifier, TabularRegressor, load

__all__ = [
    "MLPClassifier",
    "MLPRegressor",
    "NetworkClassifier",
    "NetworkRegressor",
    "TabularClassifier",
    "TabularRegressor",
    "load",
]
