"""Estimators for scikit-learn: for pipelines, searches and cross-validation.

They accept what scikit-learn's estimators accept: arrays, DataFrames, sparse matrices, labels of any type and sample
weights. Each is built on the public methods of `cynn.Network`. Only this package of CyNN imports scikit-learn.
`pip install "cynn-nn[sklearn]"` installs it.
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
