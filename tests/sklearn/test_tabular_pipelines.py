"""The estimators for tables inside what scikit-learn and Optuna are used for."""

import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("pandas")

import joblib
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_iris
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401  # without it the next line fails
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, cross_val_predict, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from cynn.sklearn import TabularClassifier, TabularRegressor

pytestmark = pytest.mark.interop

IRIS = load_iris(as_frame=True)
NAMES = IRIS.target_names[IRIS.target]
X = IRIS.data.assign(size=np.where(IRIS.data.iloc[:, 0] > 5.5, "long", "short"))


def classifier(**options):
    return TabularClassifier(**{"hidden_layer_sizes": (32, 32), "epochs": 40, "random_state": 0} | options)


def regressor(**options):
    return TabularRegressor(**{"hidden_layer_sizes": (32, 32), "epochs": 40, "random_state": 0} | options)


def test_clone_pickle_and_joblib(tmp_path):
    fitted = classifier(n_members=2).fit(X, NAMES)
    copy = clone(fitted)
    assert not hasattr(copy, "ensemble_")
    assert repr(copy) == repr(fitted)
    joblib.dump(fitted, tmp_path / "classifier.joblib")
    for same in (copy.fit(X, NAMES), pickle.loads(pickle.dumps(fitted)), joblib.load(tmp_path / "classifier.joblib")):
        np.testing.assert_array_equal(same.predict_proba(X), fitted.predict_proba(X))


def test_pipeline_and_column_transformer():
    columns = ColumnTransformer([("numbers", StandardScaler(), list(X.columns[:4]))], remainder="passthrough")
    pipeline = make_pipeline(columns.set_output(transform="pandas"), classifier())
    assert pipeline.fit(X, NAMES).score(X, NAMES) > 0.95
    assert pipeline[-1].columns_.kinds[-1] == "category"
    of_arrays = make_pipeline(FunctionTransformer(lambda frame: frame.to_numpy()), classifier()).fit(X, NAMES)
    assert of_arrays.score(X, NAMES) > 0.95


def test_searches():
    grid = {"learning_rate": [1e-7, 0.04], "preset": ["fast", "default"]}
    with joblib.parallel_config("threading", n_jobs=2):
        search = GridSearchCV(classifier(n_threads=1), grid, cv=2, error_score="raise").fit(X, NAMES)
    assert search.best_params_["learning_rate"] == 0.04
    halving = HalvingGridSearchCV(
        classifier(), grid, resource="epochs", min_resources=10, max_resources=30, cv=2, random_state=0
    )
    assert halving.fit(X, NAMES).score(X, NAMES) > 0.9


@pytest.mark.filterwarnings("ignore:OptunaSearchCV is experimental", "ignore:.*optuna.terminator:FutureWarning")
def test_optuna():
    optuna = pytest.importorskip("optuna")
    integration = pytest.importorskip("optuna_integration")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = {"learning_rate": optuna.distributions.FloatDistribution(0.01, 0.1, log=True)}
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(0))
    search = integration.OptunaSearchCV(classifier(epochs=20), space, cv=2, n_trials=4, study=study, random_state=0)
    assert search.fit(X, NAMES).score(X, NAMES) > 0.9


def test_calibration_importance_and_cross_validation():
    calibrated = CalibratedClassifierCV(classifier(), cv=3).fit(X, NAMES)
    assert calibrated.score(X, NAMES) > 0.9
    fitted = classifier().fit(X, NAMES)
    theirs = permutation_importance(fitted, X, NAMES, n_repeats=10, random_state=0).importances_mean
    ours = fitted.feature_importances(X, NAMES, n_repeats=10, random_state=0)
    np.testing.assert_allclose(ours, theirs, atol=0.1)
    for method in ("predict", "predict_proba", "predict_log_proba"):
        found = cross_val_predict(classifier(), X, NAMES, cv=3, method=method)
        labels = found if method == "predict" else np.unique(NAMES)[found.argmax(axis=1)]
        assert np.mean(labels == NAMES) > 0.9


def test_in_ensembles():
    voting = VotingClassifier([("a", classifier()), ("b", classifier(preset="fast"))], voting="soft").fit(X, NAMES)
    bagging = BaggingClassifier(classifier(), n_estimators=3, random_state=0)
    stacking = StackingClassifier([("a", classifier()), ("b", classifier(preset="fast"))], cv=2).fit(X, NAMES)
    for ensemble in (voting, stacking):
        assert ensemble.score(X, NAMES) > 0.9
    numbers = X.drop(columns="size")
    assert bagging.fit(numbers, NAMES).score(numbers, NAMES) > 0.9


def test_metadata_routing_and_transformed_targets():
    weight = np.where(NAMES == "setosa", 0.0, 1.0)
    with config_context(enable_metadata_routing=True):
        routed = classifier().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        found = cross_validate(
            make_pipeline(FunctionTransformer(), routed), X, NAMES, params={"sample_weight": weight}, cv=3,
            return_estimator=True, error_score="raise",
        )  # fmt: skip
    assert all(set(each.predict(X)) == {"versicolor", "virginica"} for each in found["estimator"])
    y = np.exp(IRIS.data.iloc[:, 2])
    transformed = TransformedTargetRegressor(regressor(epochs=80), func=np.log, inverse_func=np.exp).fit(X, y)
    assert transformed.score(X, y) > 0.9


def test_series_and_frames_of_polars():
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame({name: X[name].to_list() for name in X.columns})
    fitted = regressor().fit(frame.drop("petal width (cm)"), frame["petal width (cm)"])
    assert fitted.target_name_ == "petal width (cm)"
    assert fitted.score(frame.drop("petal width (cm)"), frame["petal width (cm)"]) > 0.9
