"""At the same settings and the same `random_state`, training takes the course of scikit-learn's MLP."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn import neural_network
from sklearn.datasets import load_digits, make_multilabel_classification, make_regression

import cynn.sklearn

pytestmark = [
    pytest.mark.interop, pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
]  # fmt: skip

SGD = {"solver": "sgd", "learning_rate_init": 0.1}
#: How closely the losses of all epochs agree, as a ratio. The epsilon of Adam stands elsewhere.
OF_SGD, OF_ADAM = 1e-11, 2e-3


def digits(rows=600, dtype="float64"):
    X, y = load_digits(return_X_y=True)
    return (X[:rows] / 16).astype(dtype), y[:rows]


def both(name, X, y, weight=None, **options):
    options = {"max_iter": 15, "random_state": 3, **options}
    pair = getattr(neural_network, name)(**options), getattr(cynn.sklearn, name)(**options)
    for estimator in pair:
        estimator.fit(X, y, **({} if weight is None else {"sample_weight": weight}))
    return pair


def apart(theirs, ours):
    """The largest difference of the losses, as a ratio."""
    return float(np.abs(np.array(ours.loss_curve_) / np.array(theirs.loss_curve_) - 1).max())


def assert_alike(theirs, ours, X, bound):
    assert (ours.n_iter_, ours.t_, ours.n_layers_, ours.n_outputs_) == (
        theirs.n_iter_, theirs.t_, theirs.n_layers_, theirs.n_outputs_
    )  # fmt: skip
    assert ours.out_activation_ == theirs.out_activation_
    assert apart(theirs, ours) < bound
    assert ours.loss_ == ours.loss_curve_[-1]
    assert (theirs.best_loss_ is None) == (ours.best_loss_ is None)
    for mine, other in zip(ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True):
        assert mine.shape == other.shape
        assert mine.dtype == other.dtype


@pytest.mark.parametrize(
    "options",
    [
        SGD,
        SGD | {"activation": "logistic"},
        SGD | {"activation": "tanh", "hidden_layer_sizes": (20, 30, 10)},
        SGD | {"activation": "identity", "momentum": 0},
        SGD | {"nesterovs_momentum": False, "alpha": 3.0},
        SGD | {"learning_rate": "invscaling", "power_t": 0.3},
        SGD | {"learning_rate": "adaptive", "tol": 0.2, "n_iter_no_change": 2, "max_iter": 30},
        SGD | {"shuffle": False, "batch_size": 60},
        SGD | {"early_stopping": True, "validation_fraction": 0.25, "batch_size": 150},
        SGD | {"momentum": 1.0, "learning_rate_init": 0.001},
    ],
    ids=str,
)
def test_with_sgd_to_rounding(options):
    """A whole number of batches: of a shorter last one scikit-learn's alpha is larger."""
    X, y = digits()
    theirs, ours = both("MLPClassifier", X, y, **options)
    assert_alike(theirs, ours, X, 1e-7 if options.get("momentum") == 1.0 else OF_SGD)
    assert np.abs(theirs.predict_proba(X) - ours.predict_proba(X)).max() < 1e-7
    if theirs.validation_scores_ is not None:
        assert ours.validation_scores_ == pytest.approx(theirs.validation_scores_, abs=1e-12)
        assert ours.best_validation_score_ == pytest.approx(theirs.best_validation_score_, abs=1e-12)


@pytest.mark.parametrize("options", [{}, {"activation": "tanh", "alpha": 0.1, "hidden_layer_sizes": (64, 64)}], ids=str)
def test_with_adam(options):
    X, y = digits(1797)
    theirs, ours = both("MLPClassifier", X, y, max_iter=30, **options)
    assert_alike(theirs, ours, X, OF_ADAM)
    assert abs(theirs.score(X, y) - ours.score(X, y)) < 0.005


def test_in_float32():
    X, y = digits(dtype="float32")
    theirs, ours = both("MLPClassifier", X, y, **SGD)
    assert_alike(theirs, ours, X, 1e-4)
    assert ours.predict_proba(X).dtype == np.float32


def test_a_shorter_last_batch():
    """Its penalty is smaller here than there; the losses agree to some millionths."""
    X, y = digits(1797)
    assert apart(*both("MLPClassifier", X, y, **SGD)) < 1e-5


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
@pytest.mark.parametrize(
    ("options", "bound"), [(SGD | {"learning_rate_init": 0.01}, OF_SGD), ({}, 1e-5)], ids=["sgd", "adam"]
)
def test_regression(outputs, loss, options, bound):
    X, y = make_regression(200, 10, n_targets=outputs, random_state=0)
    y = y / 100 if loss == "squared_error" else np.abs(y) / 100
    theirs, ours = both("MLPRegressor", X, y, loss=loss, alpha=0.3, **options)
    assert_alike(theirs, ours, X, bound)
    assert ours.predict(X).shape == y.shape
    assert np.abs(ours.predict(X) - theirs.predict(X)).max() < 1e-3


@pytest.mark.parametrize("kind", ["two classes", "several labels"])
def test_sigmoid_outputs(kind):
    X, y = make_multilabel_classification(200, 10, random_state=0)
    X /= 10
    theirs, ours = both("MLPClassifier", X, y if kind == "several labels" else y[:, 0], alpha=0.5, **SGD)
    assert_alike(theirs, ours, X, OF_SGD)
    assert np.array_equal(theirs.predict(X), ours.predict(X))


@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
def test_weights_of_rows_in_one_batch(name):
    """In smaller batches a weight is a number of copies here, and a share of its batch there."""
    X, y = digits(150)
    weight = np.random.default_rng(0).uniform(0.1, 5, 150)
    theirs, ours = both(name, X, y, weight, alpha=2.0, solver="sgd", learning_rate_init=0.01)
    assert_alike(theirs, ours, X, OF_SGD)


def test_partial_fit():
    """The loss of each call, with what the optimizer remembers, for one row and for several batches."""
    X, y = digits()
    for rows in (slice(0, 1), slice(0, 150), slice(0, 800)):
        pair = [module.MLPClassifier(random_state=3, alpha=1.0, **SGD) for module in (neural_network, cynn.sklearn)]
        for estimator in pair:
            for _ in range(8):
                estimator.partial_fit(X[rows], y[rows], classes=range(10))
        assert apart(*pair) < 1e-11
        assert pair[0].t_ == pair[1].t_


def test_partial_fit_of_several_outputs():
    X, y = make_regression(200, 10, n_targets=3, random_state=0)
    pair = [
        module.MLPRegressor(random_state=3, alpha=1.0, solver="sgd", learning_rate_init=0.01)
        for module in (neural_network, cynn.sklearn)
    ]
    for estimator in pair:
        for _ in range(5):
            estimator.partial_fit(X, y / 100)
    assert apart(*pair) < 1e-11


def test_all_parameters_are_there_with_their_defaults():
    for name in ("MLPClassifier", "MLPRegressor"):
        theirs, ours = (getattr(module, name)().get_params(deep=False) for module in (neural_network, cynn.sklearn))
        assert {key: ours[key] for key in theirs} == theirs


def test_what_is_printed(capsys):
    X, y = digits(200)
    options = {"verbose": True, "early_stopping": True, "n_iter_no_change": 1, "tol": 1.0}
    printed = []
    for module in (neural_network, cynn.sklearn):
        module.MLPClassifier(random_state=0, **SGD | options).fit(X, y)
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    assert "Validation score did not improve more than tol=1.000000 for 1 consecutive epochs. Stopping." in printed[1]
