"""Our estimators inside what scikit-learn and Optuna are used for."""

import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn")

import joblib
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_iris, make_regression
from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401  # without it the next line fails
from sklearn.inspection import permutation_importance
from sklearn.metrics import accuracy_score, get_scorer
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import cynn
from cynn.sklearn import MLPClassifier, MLPRegressor, NetworkClassifier, NetworkRegressor

pytestmark = [
    pytest.mark.interop, pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
]  # fmt: skip

IRIS = load_iris()
X, NAMES = IRIS.data, IRIS.target_names[IRIS.target]


def mlp(**options):
    return MLPClassifier(
        **{"hidden_layer_sizes": 16, "learning_rate_init": 0.02, "max_iter": 60, "random_state": 0} | options
    )


def network(**options):
    layers = [cynn.Dense(16, "tanh"), cynn.LayerNorm()]
    return NetworkClassifier(
        layers, **{"optimizer": cynn.optimizers.Adam(0.02), "epochs": 60, "random_state": 0} | options
    )


CLASSIFIERS = pytest.mark.parametrize("make", [mlp, network])


@CLASSIFIERS
def test_clone(make):
    classifier = make().fit(X, NAMES)
    copy = clone(classifier)
    assert not hasattr(copy, "network_")
    assert repr(copy) == repr(classifier)
    assert np.array_equal(copy.fit(X, NAMES).predict_proba(X), classifier.predict_proba(X))


@CLASSIFIERS
@pytest.mark.parametrize("how", ["pickle", "joblib"])
def test_it_goes_on_where_it_was(make, how, tmp_path):
    """What the optimizer remembers goes along."""
    classifier = make().fit(X, NAMES)
    if how == "pickle":
        copy = pickle.loads(pickle.dumps(classifier))
    else:
        joblib.dump(classifier, tmp_path / "classifier.joblib")
        copy = joblib.load(tmp_path / "classifier.joblib")
    for each in (classifier, copy):
        each.partial_fit(X[:40], NAMES[:40])
    assert np.array_equal(copy.predict_proba(X), classifier.predict_proba(X))
    assert copy._optimizer is copy.network_._optimizer_state.optimizer


@CLASSIFIERS
def test_pipeline(make):
    pipeline = make_pipeline(StandardScaler(), make())
    assert pipeline.fit(X, NAMES).score(X, NAMES) > 0.95
    assert set(pipeline.predict(X[:2])) <= set(NAMES)
    assert cross_val_score(pipeline, X, NAMES, cv=3).mean() > 0.9


@CLASSIFIERS
def test_column_transformer(make):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=["a", "b", "c", "d"])
    frame["kind"] = np.where(X[:, 0] > 5.5, "long", "short")
    columns = ColumnTransformer([("numbers", StandardScaler(), list("abcd")), ("words", OneHotEncoder(), ["kind"])])
    pipeline = make_pipeline(columns, make()).fit(frame, NAMES)
    assert pipeline.score(frame, NAMES) > 0.95
    assert pipeline[-1].n_features_in_ == 6


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_set_output_and_names_of_columns(kind):
    frames = pytest.importorskip(kind)
    frame = frames.DataFrame(dict(zip("abcd", X.T, strict=True)))
    pipeline = make_pipeline(StandardScaler(), mlp()).set_output(transform=kind)
    pipeline.fit(frame, frames.Series(NAMES.tolist()))
    assert list(pipeline[-1].feature_names_in_) == list("abcd")
    assert pipeline.score(frame, NAMES) > 0.95
    classifier = mlp().fit(frame, NAMES)
    with pytest.raises(ValueError, match="feature names should match"):
        classifier.predict_proba(frame[["b", "a", "c", "d"]])
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        classifier.predict(X)


def test_grid_search_over_layers_and_optimizers():
    grid = {
        "network__0__units": [1, 16], "network__0__activation": ["identity", "gelu"],
        "optimizer__learning_rate": [1e-6, 0.03], "optimizer__global_clipnorm": [1.0],
    }  # fmt: skip
    search = GridSearchCV(network(epochs=30), grid, cv=3, n_jobs=2, error_score="raise").fit(X, NAMES)
    assert search.best_params_["network__0__units"] == 16
    assert search.best_params_["optimizer__learning_rate"] == 0.03
    assert search.best_estimator_.network_.layers[0].units == 16
    assert search.best_estimator_._optimizer.global_clipnorm == 1.0


def test_threads_find_what_processes_find():
    grid = {"alpha": [1e-4, 1.0], "hidden_layer_sizes": [(8,), (16, 8)]}
    found = []
    for backend in ("threading", "loky"):
        with joblib.parallel_config(backend, n_jobs=2):
            found.append(
                GridSearchCV(mlp(max_iter=20, n_threads=1), grid, cv=3).fit(X, NAMES).cv_results_["mean_test_score"]
            )
    assert np.array_equal(*found)


@pytest.mark.parametrize(("make", "resource"), [(mlp, "max_iter"), (network, "epochs"), (mlp, "n_samples")])
def test_halving_grid_search(make, resource):
    grid = {"n_threads": [1], "class_weight": [None, "balanced"], "batch_size": [10, 20]}
    search = HalvingGridSearchCV(
        make(), grid, resource=resource, cv=3,
        **({} if resource == "n_samples" else {"max_resources": 40, "min_resources": 10}),
        random_state=0, error_score="raise",
    )  # fmt: skip
    assert search.fit(X, NAMES).score(X, NAMES) > 0.9


@CLASSIFIERS
def test_calibration(make):
    calibrated = CalibratedClassifierCV(make(), cv=3).fit(X, NAMES)
    assert calibrated.score(X, NAMES) > 0.9
    weighted = CalibratedClassifierCV(make(), cv=3).fit(X, NAMES, sample_weight=np.linspace(0.1, 1, len(X)))
    assert np.allclose(weighted.predict_proba(X).sum(axis=1), 1)


def test_calibration_of_margins():
    binary = CalibratedClassifierCV(mlp(loss="hinge"), cv=3).fit(X[:100], NAMES[:100])
    assert binary.score(X[:100], NAMES[:100]) == 1


@CLASSIFIERS
def test_permutation_importance(make):
    found = permutation_importance(make().fit(X, NAMES), X, NAMES, n_repeats=3, random_state=0).importances_mean
    assert found[2:].max() > found[:2].max()


@CLASSIFIERS
def test_cross_val_predict(make):
    for method in ("predict", "predict_proba", "predict_log_proba"):
        found = cross_val_predict(make(), X, NAMES, cv=3, method=method)
        labels = found if method == "predict" else np.unique(NAMES)[found.argmax(axis=1)]
        assert accuracy_score(NAMES, labels) > 0.9


def test_in_ensembles():
    voting = VotingClassifier([("a", mlp()), ("b", network())], voting="soft").fit(X, NAMES)
    bagging = BaggingClassifier(mlp(), n_estimators=3, random_state=0).fit(X, NAMES)
    boosting = AdaBoostClassifier(mlp(), n_estimators=3, random_state=0).fit(X, NAMES)
    stacking = StackingClassifier([("a", mlp()), ("b", network())], cv=3).fit(X, NAMES)
    for ensemble in (voting, bagging, boosting, stacking):
        assert ensemble.score(X, NAMES) > 0.9
    several = np.column_stack([NAMES, np.where(X[:, 0] > 5.5, "long", "short")])
    assert (MultiOutputClassifier(mlp()).fit(X, several).predict(X) == several).mean() > 0.9


@pytest.mark.parametrize("make", [MLPRegressor, NetworkRegressor])
def test_transformed_targets(make):
    rows, y = make_regression(200, 5, random_state=0)
    options = {"max_iter": 300} if make is MLPRegressor else {"epochs": 300, "optimizer": cynn.optimizers.Adam(0.01)}
    regressor = TransformedTargetRegressor(make(random_state=0, **options), transformer=StandardScaler())
    assert regressor.fit(rows, 1e6 + y).score(rows, 1e6 + y) > 0.9


@CLASSIFIERS
def test_metadata_routing(make):
    """Weights go through a pipeline to fit and to score, and only where they were asked for."""
    weight = np.where(NAMES == "setosa", 0.0, 1.0)
    with config_context(enable_metadata_routing=True):
        classifier = make().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=True), classifier)
        pipeline.fit(X, NAMES, sample_weight=weight)
        assert list(pipeline[-1].classes_) == ["versicolor", "virginica"]
        scorer = get_scorer("accuracy").set_score_request(sample_weight=True)
        found = cross_validate(
            pipeline, X, NAMES, params={"sample_weight": weight}, scoring=scorer, cv=3, error_score="raise"
        )
        assert found["test_score"].min() > 0.8
        held_out = make().set_fit_request(X_val=True, y_val=True)
        pipeline = make_pipeline(StandardScaler(), held_out)
        pipeline.fit(X, NAMES, X_val=X, y_val=NAMES)
        assert "val_loss" in pipeline[-1].history_.history


@pytest.mark.filterwarnings("ignore:OptunaSearchCV is experimental", "ignore:.*optuna.terminator:FutureWarning")
def test_optuna():
    optuna = pytest.importorskip("optuna")
    integration = pytest.importorskip("optuna_integration")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    distributions = {
        "network__0__units": optuna.distributions.IntDistribution(1, 32),
        "optimizer__learning_rate": optuna.distributions.FloatDistribution(1e-3, 1e-1, log=True),
    }
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0), direction="maximize")
    search = integration.OptunaSearchCV(
        network(epochs=20), distributions, cv=3, n_trials=4, study=study, error_score="raise"
    )
    search.fit(X, NAMES)
    assert search.best_score_ > 0.8
    assert search.best_estimator_.network_.layers[0].units == search.best_params_["network__0__units"]
