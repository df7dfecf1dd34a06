"""The whole suite of scikit-learn's checks of estimators: nothing is expected to fail."""

import pytest

pytest.importorskip("sklearn")

from sklearn.utils.estimator_checks import parametrize_with_checks

from cynn.sklearn import MLPClassifier, MLPRegressor, NetworkClassifier, NetworkRegressor

pytestmark = [pytest.mark.interop, pytest.mark.filterwarnings("default")]


@parametrize_with_checks([MLPClassifier(), MLPRegressor(), NetworkClassifier(), NetworkRegressor()])
def test_check(estimator, check):
    check(estimator)
