"""The whole suite of scikit-learn's checks of estimators, for those for tables."""

import pytest

pytest.importorskip("sklearn")

from sklearn.utils.estimator_checks import parametrize_with_checks

from cynn.sklearn import TabularClassifier, TabularRegressor

pytestmark = [pytest.mark.interop, pytest.mark.filterwarnings("default")]


#: Which rows are held out follows from the number of rows: they are others where a row has the weight 2 in place of a
#: copy. Where none are held out, test_tabular.py has such a check.
MEANINGLESS = {"check_sample_weight_equivalence_on_dense_data": "of copies other rows are held out"}


@parametrize_with_checks(
    [kind(hidden_layer_sizes=(64, 64), epochs=64) for kind in (TabularClassifier, TabularRegressor)],
    expected_failed_checks=lambda _: MEANINGLESS,
)
def test_check(estimator, check):
    check(estimator)
