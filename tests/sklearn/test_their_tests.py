"""scikit-learn's own tests of its MLP, as its wheel has them, of our estimators in the place of its own."""

import importlib.util
import inspect
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn import neural_network

import cynn.sklearn

pytestmark = [pytest.mark.interop, pytest.mark.filterwarnings("default")]

#: They make it up of private attributes.
PRIVATE = {"test_fit": "it sets _coef_grads, _coef_velocity and their like, and coefs_ of what was never fitted"}
#: They name the solver "lbfgs", which does not exist here yet.
LBFGS = {
    "test_gradient",  # of private methods besides
    "test_lbfgs_classification",
    "test_lbfgs_regression",
    "test_lbfgs_classification_maxfun",
    "test_lbfgs_regression_maxfun",
    "test_multilabel_classification",
    "test_multioutput_regression",
    "test_predict_proba_multilabel",
    "test_sparse_matrices",
    "test_warm_start",
    "test_mlp_vs_poisson_glm_equivalent",
}


def _theirs():
    """The module, in which the names of its two classes mean ours."""
    path = Path(neural_network.__file__).parent / "tests" / "test_mlp.py"
    spec = importlib.util.spec_from_file_location("their_test_mlp", path)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MLPClassifier", "MLPRegressor"):
            patch.setattr(neural_network, name, getattr(cynn.sklearn, name))
        spec.loader.exec_module(module)
    return module


def _without_lbfgs(test):
    """Where a test goes through the solvers, all but that one."""
    for mark in getattr(test, "pytestmark", []):
        if mark.name == "parametrize" and "lbfgs" in mark.args[1]:
            mark.args[1].remove("lbfgs")
    return test


theirs = _theirs()
tests = {name: test for name, test in vars(theirs).items() if name.startswith("test_")}
globals().update({name: _without_lbfgs(tests[name]) for name in sorted(tests.keys() - LBFGS - PRIVATE.keys())})


@pytest.fixture
def global_random_seed():
    return 0


def test_what_is_left_out_is_there():
    """And names what it is left out for."""
    assert LBFGS | PRIVATE.keys() <= tests.keys()
    assert all("lbfgs" in inspect.getsource(tests[name]) for name in LBFGS)
    assert len(tests) - len(LBFGS | PRIVATE.keys()) >= 30


@pytest.mark.parametrize("case", range(2))
def test_multilabel_without_lbfgs(case):
    """The parts of `test_multilabel_classification` and `test_predict_proba_multilabel` that need no lbfgs."""
    X, y = theirs.make_multilabel_classification(n_samples=50, random_state=0, return_indicator=True)
    options = [{"solver": "sgd", "learning_rate_init": 0.2}, {"solver": "adam", "learning_rate_init": 0.01}][case]
    mlp = cynn.sklearn.MLPClassifier(50, "logistic", alpha=1e-5, random_state=0, **options)
    for _ in range(300):
        mlp.partial_fit(X, y, classes=[0, 1, 2, 3, 4])
    assert mlp.score(X, y) > 0.9
    probability = mlp.predict_proba(X)
    assert probability.shape == y.shape
    assert np.array_equal(probability > 0.5, mlp.predict(X))
    assert np.abs(probability.sum(axis=1) - 1).max() > 0.1
    theirs.MLPClassifier(early_stopping=True).fit(X, y).predict(X)
