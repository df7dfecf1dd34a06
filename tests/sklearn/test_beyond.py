"""What our MLP has beyond scikit-learn's: parts of CyNN, validation data, weights of classes, partial training."""

import pickle
import re
import sys
import textwrap

import numpy as np
import pytest

pytest.importorskip("sklearn")

from scipy import sparse
from sklearn import neural_network
from sklearn.datasets import load_iris, make_multilabel_classification, make_regression

import cynn
from cynn.errors import DataError, InvalidParameterError, ShapeError, UnknownNameError
from cynn.sklearn import MLPClassifier, MLPRegressor, NetworkClassifier, NetworkRegressor

pytestmark = [
    pytest.mark.interop, pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
]  # fmt: skip

X, Y = load_iris(return_X_y=True)
NAMES = np.array(["c", "a", "b"])[Y]
OPTIONS = {"learning_rate_init": 0.02, "max_iter": 40, "random_state": 0}


def mlp(*args, **options):
    return MLPClassifier(*args, **OPTIONS | options)


@pytest.mark.parametrize("sizes", [(16,), [8, 4], 16])
def test_the_first_parameter_of_the_regressor_is_the_loss_and_the_error_says_so(sizes):
    with pytest.raises(InvalidParameterError, match=r"'loss' parameter of MLPRegressor .*hidden_layer_sizes="):
        MLPRegressor(sizes).fit(X, Y)


class TestParts:
    def test_layers_and_activations(self):
        classifier = mlp(
            (8, cynn.LayerNorm(), {"layer": "maxout", "units": 6}, 4), ["tanh", cynn.activations.LeakyReLU(0.3)],
            dropout=[0.0, 0.25], batch_norm=True, max_iter=400, n_iter_no_change=np.inf,
        ).fit(X, NAMES)  # fmt: skip
        assert [type(layer).__name__ for layer in classifier.network_.layers] == [
            "Dense", "BatchNorm", "Activation", "LayerNorm", "Maxout", "Dense", "BatchNorm", "Activation", "Dropout",
            "Dense",
        ]  # fmt: skip
        assert classifier.network_.layers[7].activation == cynn.activations.LeakyReLU(0.3)
        assert classifier.score(X, NAMES) > 0.8
        again = mlp(**classifier.get_params(deep=False)).fit(X, NAMES)
        assert np.array_equal(again.predict_proba(X), classifier.predict_proba(X))

    @pytest.mark.parametrize("activation", ["gelu", "swish", "softplus", cynn.activations.LeakyReLU])
    @pytest.mark.parametrize("solver", ["lion", "adamw", "rmsprop", cynn.optimizers.Adam(0.02), {"name": "nadam"}])
    def test_any_activation_and_optimizer(self, activation, solver):
        classifier = mlp(16, activation, solver=solver).fit(X / 5, NAMES)
        assert classifier.loss_curve_[-1] < classifier.loss_curve_[0]
        assert isinstance(classifier._optimizer, cynn.optimizers.Optimizer)

    @pytest.mark.parametrize("kind", ["two", "three", "several"])
    @pytest.mark.parametrize("loss", ["log_loss", "hinge", "mean_squared_error", "categorical_focal", "multi_margin"])
    def test_losses_of_classes(self, loss, kind):
        if (loss, kind) == ("hinge", "three"):
            return  # it takes -1 and 1
        x, y = (X[:100], NAMES[:100]) if kind == "two" else (X, NAMES)
        if kind == "several":
            x, y = make_multilabel_classification(150, 5, n_classes=3, random_state=0)
        classifier = mlp(loss=loss, max_iter=150)
        if (loss, kind) in {("multi_margin", "several"), ("categorical_focal", "several")}:
            with pytest.raises(InvalidParameterError, match="looks at each output by itself"):
                classifier.fit(x, y)
            return
        assert classifier.fit(x, y).score(x, y) > (0.5 if kind == "several" else 0.9)
        is_of_margins = loss in ("hinge", "multi_margin")
        assert hasattr(classifier, "predict_proba") != is_of_margins
        assert hasattr(classifier, "decision_function") == is_of_margins
        if is_of_margins:
            score = classifier.decision_function(x)
            decided = (score > 0) if kind != "three" else score.argmax(axis=1)
            expected = decided.astype(int) if kind == "several" else classifier.classes_[decided.astype(int)]
            assert np.array_equal(expected, classifier.predict(x))

    @pytest.mark.parametrize(
        "loss", ["huber", "quantile", "mean_absolute_error", {"name": "quantile", "quantile": 0.9}]
    )
    def test_losses_of_values(self, loss):
        x, y = make_regression(300, 3, noise=30, random_state=0)
        regressor = MLPRegressor(loss, random_state=0, max_iter=300, learning_rate_init=0.01, alpha=1).fit(x, y / 50)
        if isinstance(loss, dict):
            assert (y / 50 <= regressor.predict(x)).mean() > 0.8
        assert regressor.score(x, y / 50) > 0.5
        assert regressor.out_activation_ == "identity"

    def test_a_loss_of_positive_values(self):
        x, y = make_regression(100, 3, random_state=0)
        regressor = MLPRegressor("gamma", random_state=0).fit(x, 1 + np.abs(y))
        assert regressor.out_activation_ == "exp"
        assert regressor.predict(x).min() > 0

    def test_a_plugin_of_ones_own(self):
        class Sign(cynn.optimizers.Optimizer):
            name = "sign"

            def step(self, w, grad, slots, learning_rate, t):
                w -= learning_rate * np.sign(grad)

        classifier = mlp(solver=Sign(0.002)).fit(X, NAMES)
        assert classifier.loss_curve_[-1] < classifier.loss_curve_[0] / 2

    def test_schedules(self):
        decay = cynn.schedules.CosineDecay(0.05, decay_steps=40)
        classifier = mlp(learning_rate=decay, solver="sgd").fit(X, NAMES)
        rates = classifier.history_["learning_rate"]
        assert rates[0] == pytest.approx(0.05)
        assert rates[-1] < 0.001

    def test_metrics_and_callbacks(self):
        stopping = cynn.callbacks.EarlyStopping("accuracy", patience=3)
        classifier = mlp(metrics=["accuracy"], callbacks=[stopping], max_iter=500).fit(X, NAMES)
        assert classifier.n_iter_ < 500
        assert classifier.history_.epochs == classifier.n_iter_ == len(classifier.loss_curve_)
        assert (stopping.best, classifier.callbacks_[0].best) == (None, max(classifier.history_["accuracy"]))

    @pytest.mark.parametrize(
        "callbacks", ["early_stopping", {"name": "early_stopping"}, cynn.callbacks.EarlyStopping(), ["early_stopping"]]
    )
    def test_callbacks_are_given_as_to_a_network(self, callbacks):
        classifier = mlp(callbacks=callbacks).set_params(max_iter=5)
        classifier.fit(X, NAMES, X_val=X, y_val=NAMES)
        assert [type(each) for each in classifier.callbacks_] == [cynn.callbacks.EarlyStopping]
        assert classifier.callbacks_[0].best_epoch > 0

    @pytest.mark.parametrize("wrong", [3, [3], [None], True])
    def test_what_is_no_callback(self, wrong):
        said = rf"must be a list of cynn.callbacks.Callback. Got {re.escape(repr(wrong))} instead"
        with pytest.raises(InvalidParameterError, match=said):
            mlp(callbacks=wrong).fit(X, NAMES)

    def test_parameters_that_reach_into_parts(self):
        classifier = mlp((8, cynn.Dropout(0.5)), "leaky_relu")
        assert classifier.get_params()["solver__beta_1"] == 0.9
        assert classifier.get_params()["hidden_layer_sizes__1__rate"] == 0.5
        classifier.set_params(
            solver__beta_1=0.5, activation__negative_slope=0.5, hidden_layer_sizes__1__rate=0.1, hidden_layer_sizes__0=9
        )
        assert classifier.solver.beta_1 == 0.5
        assert classifier.activation == cynn.activations.LeakyReLU(0.5)
        assert (classifier.hidden_layer_sizes[0], classifier.hidden_layer_sizes[1].rate) == (9, 0.1)
        with pytest.raises(UnknownNameError, match="parameter of Adam named 'beta_3'"):
            classifier.set_params(solver__beta_3=1)
        with pytest.raises(UnknownNameError, match="parameter of MLPClassifier named 'slover'"):
            classifier.set_params(slover__beta_1=1)
        with pytest.raises(InvalidParameterError, match="must be set in a part"):
            classifier.set_params(tol__x=1)


class TestRows:
    @pytest.mark.parametrize("container", [sparse.csr_array, sparse.csr_matrix, sparse.csc_matrix, sparse.coo_array])
    @pytest.mark.parametrize("options", [{}, {"early_stopping": True}, {"shuffle": False, "batch_size": 40}], ids=str)
    def test_sparse_is_as_dense(self, container, options):
        x = np.where(X > 2, X, 0)
        dense, thin = mlp(**options).fit(x, NAMES), mlp(**options).fit(container(x), NAMES)
        assert np.allclose(dense.loss_curve_, thin.loss_curve_, rtol=1e-10)
        assert np.allclose(dense.predict_proba(x), thin.predict_proba(container(x)), atol=1e-10)
        for each, given in [(thin, container(x[:7])), (dense, x[:7])]:
            each.set_params(early_stopping=False).partial_fit(given, NAMES[:7])
        assert np.allclose(dense.predict_proba(x), thin.predict_proba(x), atol=1e-10)

    def test_sparse_rows_become_dense_by_the_batch(self):
        """A matrix that would take 80 GB."""
        x = sparse.random_array((100_000, 100_000), density=1e-7, format="csr", rng=0)
        y = np.arange(100_000) % 2
        classifier = MLPClassifier(1, max_iter=1, batch_size=50, random_state=0)
        classifier.fit(x[:200], y[:200])
        classifier.partial_fit(x[:3], y[:3])
        assert classifier.predict(x[:2000]).shape == (2000,)

    @pytest.mark.parametrize("dtype", [None, "float32", "float64"])
    @pytest.mark.parametrize("of_x", ["float32", "float64", "uint8"])
    def test_dtypes(self, dtype, of_x):
        classifier = mlp(dtype=dtype, max_iter=3).fit((10 * X).astype(of_x), NAMES)
        expected = dtype or ("float32" if of_x == "float32" else "float64")
        assert classifier.coefs_[0].dtype == classifier.predict_proba(X).dtype == expected

    def test_any_number_of_threads(self):
        found = [mlp(n_threads=n).fit(X, NAMES).predict_proba(X) for n in (1, 2)]
        assert np.array_equal(*found)

    @pytest.mark.parametrize("make", [mlp, lambda **options: NetworkClassifier(random_state=0, epochs=40, **options)])
    def test_weights_are_copies(self, make):
        """Those of classes, too, and with a penalty; and rows of weight 0 are not there, nor are their classes."""
        weight = np.random.default_rng(0).integers(0, 3, len(X))
        weight[NAMES == "b"] = 0
        repeated = np.repeat(np.arange(len(X)), weight)
        options = {"class_weight": "balanced", "batch_size": 10**6}
        with pytest.warns(UserWarning, match="clipped"):
            weighted, copies = make(**options).fit(X, NAMES, weight), make(**options).fit(X[repeated], NAMES[repeated])
        assert list(weighted.classes_) == list(copies.classes_) == ["a", "c"]
        assert np.allclose(weighted.predict_proba(X), copies.predict_proba(X), atol=1e-9)
        assert weighted.loss_ == pytest.approx(copies.loss_, rel=1e-9)

    def test_class_weight(self):
        rare = np.r_[0:50, 50:55]
        plain, named, balanced = (
            mlp(max_iter=15, class_weight=each).fit(X[rare], NAMES[rare]).predict_proba(X[55:100])[:, 0].mean()
            for each in (None, {"a": 10}, "balanced")
        )
        assert named > plain
        assert balanced > plain
        by_rows = mlp(max_iter=15).fit(X[rare], NAMES[rare], np.where(NAMES[rare] == "a", 10, 1))
        assert by_rows.predict_proba(X[55:100])[:, 0].mean() == pytest.approx(named, rel=1e-9)

    @pytest.mark.parametrize("name", ["fit", "partial_fit"])
    def test_a_class_of_weight_0(self, name):
        """Its rows are left out; the label stays."""
        there = NAMES != "a"
        found = []
        for x, y in [(X, NAMES), (X[there], NAMES[there])]:
            weights = {"a": 0.0, "b": 1.0, "c": 1.0}
            classifier = mlp(solver="sgd", class_weight=weights, batch_size=20, max_iter=5)
            if name == "fit":
                classifier.fit(x, y)
            else:
                classifier.partial_fit(x, y, classes=["a", "b", "c"])
            found.append(classifier)
        assert list(found[0].classes_) == ["a", "b", "c"]
        assert found[0].t_ == (500 if name == "fit" else 150)
        if name == "partial_fit":
            assert np.allclose(found[0].predict_proba(X), found[1].predict_proba(X))
        with pytest.raises(DataError, match="class_weight must leave rows that count"):
            found[0].partial_fit(X[~there], NAMES[~there])

    @pytest.mark.parametrize("frames", ["pandas", "polars"])
    def test_frames(self, frames):
        module = pytest.importorskip(frames)
        frame = module.DataFrame(dict(zip("abcd", X.astype("float32").T, strict=True)))
        y = module.Series(NAMES.tolist())
        classifier = mlp().fit(frame, y, sample_weight=module.Series([1.0] * 150), X_val=frame, y_val=y)
        assert classifier.n_features_in_ == 4
        assert list(classifier.feature_names_in_) == list("abcd")
        assert classifier.partial_fit(frame, y).score(frame, y) > 0.9

    def test_one_class(self):
        classifier = mlp().fit(X[:50], NAMES[:50])
        assert set(classifier.predict(X)) == {"c"}
        assert np.array_equal(classifier.predict_proba(X), np.ones((150, 1)))

    @pytest.mark.parametrize(
        "labels", [["no", "yes"], [False, True], [3, 7], [-1.0, 1.0], np.array(["x", 5], object)[[1, 0]]]
    )
    def test_labels_of_any_kind(self, labels):
        y = np.array(labels)[Y[:100]]
        if y.dtype == object:
            y = y.astype(str)
        classifier = mlp().fit(X[:100], y)
        assert classifier.score(X[:100], y) == 1
        assert classifier.predict(X[:1]).dtype == classifier.classes_.dtype == y.dtype


class TestValidation:
    def test_given_rows_take_the_place_of_held_out_ones(self):
        train, held = np.arange(150) % 3 > 0, np.arange(150) % 3 == 0
        classifier = mlp(early_stopping=True, max_iter=200, metrics=["accuracy"])
        classifier.fit(X[train], NAMES[train], X_val=X[held], y_val=NAMES[held])
        assert classifier.best_loss_ is None
        assert classifier.validation_scores_ == pytest.approx(classifier.history_["val_accuracy"])
        assert classifier.best_validation_score_ == max(classifier.validation_scores_)
        assert classifier.score(X[held], NAMES[held]) == pytest.approx(classifier.best_validation_score_)
        weight = np.where(NAMES[held] == "b", 1.0, 0.0)
        classifier.fit(X[train], NAMES[train], X_val=X[held], y_val=NAMES[held], sample_weight_val=weight)
        b = NAMES[held] == "b"
        assert classifier.best_validation_score_ == pytest.approx(classifier.score(X[held][b], NAMES[held][b]))

    def test_without_early_stopping_they_are_figures(self):
        regressor = MLPRegressor(max_iter=5, random_state=0).fit(X, Y, X_val=X[:10], y_val=Y[:10])
        assert len(regressor.history_["val_loss"]) == 5
        assert regressor.validation_scores_ is None

    def test_one_of_both(self):
        with pytest.raises(DataError, match="X_val and y_val must be given together"):
            mlp().fit(X, NAMES, X_val=X)


REFUSED = {
    "features": ({}, {"X_val": X[:, :2], "y_val": ["no. 1"] * len(X)}),
    "must leave rows that count": ({"class_weight": {f"no. {k}": 0 for k in range(3)}}, {}),
    "callbacks": ({"callbacks": [3]}, {}),
}


@pytest.mark.parametrize("said", REFUSED)
@pytest.mark.parametrize(
    "make",
    [mlp, lambda: NetworkClassifier([cynn.Dense(8, "relu")], epochs=3, random_state=0)],
    ids=["mlp", "network"],
)
def test_a_fit_that_cannot_begin_changes_nothing(make, said):
    """Labels of the rows that were refused are not those of the network."""
    found = make().fit(X, NAMES)
    before = found.predict(X)
    parameters, validation = REFUSED[said]
    with pytest.raises(ValueError, match=said):
        found.set_params(**parameters).fit(X, [f"no. {k}" for k in Y], **validation)
    assert list(found.classes_) == ["a", "b", "c"]
    np.testing.assert_array_equal(found.predict(X), before)


class TestPartialFit:
    def test_early_stopping(self):
        classifier = mlp(early_stopping=True, n_iter_no_change=3)
        scores, weights = [], []
        for _ in range(200):
            classifier.partial_fit(X, NAMES, classes=["a", "b", "c"], X_val=X[::2], y_val=NAMES[::2])
            scores.append(classifier.score(X[::2], NAMES[::2]))
            weights.append(classifier.coefs_[0].copy())
        assert len(classifier.validation_scores_) < 200
        assert scores[-1] == max(scores) == classifier.best_validation_score_
        assert np.array_equal(weights[-1], weights[len(classifier.validation_scores_)])
        again = classifier.fit(X, NAMES)
        again.partial_fit(X, NAMES, X_val=X, y_val=NAMES)
        assert not np.array_equal(again.coefs_[0], weights[-1])

    def test_what_fails_begins_nothing(self):
        for options, arguments in [({"early_stopping": True}, {}), ({}, {"X_val": X[:, :2], "y_val": NAMES})]:
            classifier = mlp(**options)
            with pytest.raises(ValueError):
                classifier.partial_fit(X, NAMES, classes=["a", "b", "c"], **arguments)
            assert not hasattr(classifier, "network_")
        with pytest.raises(ValueError):
            classifier.fit(X, NAMES, X_val=X[:, :2], y_val=NAMES)
        assert not hasattr(classifier, "network_")

    def test_divergence(self):
        with pytest.raises(ValueError, match="Solver produced non-finite parameter weights"):
            regressor = MLPRegressor(activation="identity", solver="sgd", learning_rate_init=1.0, random_state=0)
            for _ in range(100):
                regressor.partial_fit(X, Y)

    def test_it_needs_rows_that_judge(self):
        with pytest.raises(ValueError, match="does not support early_stopping=True without rows that judge"):
            mlp(early_stopping=True).partial_fit(X, NAMES, classes=["a", "b", "c"])

    @pytest.mark.parametrize("make", [MLPClassifier, NetworkClassifier])
    def test_several_labels_with_early_stopping(self, make):
        x, y = make_multilabel_classification(60, 5, n_classes=3, random_state=0)
        classifier = make(random_state=0, early_stopping=True)
        for _ in range(5):
            classifier.partial_fit(x, y, X_val=x, y_val=y)
        assert classifier.predict(x).shape == y.shape
        assert len(classifier.validation_scores_) == 5

    def test_another_number_of_outputs(self):
        for y, words in [(Y, "one value per row"), (np.c_[Y, Y], "2 columns")]:
            regressor = MLPRegressor(max_iter=1).fit(X, y)
            with pytest.raises(DataError, match=words):
                regressor.partial_fit(X, np.c_[Y, Y, Y])

    def test_sparse_labels(self):
        x, y = make_multilabel_classification(60, 5, n_classes=3, random_state=0)
        thin, dense = mlp(early_stopping=True).fit(x, sparse.csr_array(y)), mlp(early_stopping=True).fit(x, y)
        assert np.array_equal(thin.predict_proba(x), dense.predict_proba(x))

    def test_what_the_optimizer_remembers_is_kept(self):
        """Between calls, from `fit` on, and in a warm start: as one long training."""
        options = {"shuffle": False, "tol": 0.0, "n_iter_no_change": np.inf, "batch_size": 75}
        long = MLPClassifier(**OPTIONS | options | {"max_iter": 6}).fit(X, NAMES)
        warm = MLPClassifier(**OPTIONS | options | {"max_iter": 2}, warm_start=True)
        warm.fit(X, NAMES).fit(X, NAMES).partial_fit(X, NAMES).partial_fit(X, NAMES)
        assert np.allclose(long.coefs_[0], warm.coefs_[0], rtol=1e-12, atol=1e-14)
        assert long.loss_curve_ == pytest.approx(warm.loss_curve_, rel=1e-12)
        assert warm._optimizer is warm.network_._optimizer_state.optimizer

    def test_a_warm_start_with_another_solver(self):
        classifier = mlp(warm_start=True).fit(X, NAMES)
        first = classifier._optimizer
        classifier.set_params(learning_rate_init=0.5).fit(X, NAMES)
        assert classifier._optimizer is first
        assert first.learning_rate == 0.5
        classifier.set_params(beta_1=0.5).fit(X, NAMES)
        assert classifier._optimizer.beta_1 == 0.5
        with pytest.raises(ValueError, match="warm_start can only be used where"):
            classifier.fit(X[:100], NAMES[:100])

    @pytest.mark.parametrize("labels", [["a"], ["z"], [3]])
    def test_labels_one_by_one(self, labels):
        classifier = mlp().partial_fit(X, NAMES, classes=["a", "b", "c"])
        before = classifier.coefs_[0].copy()
        if labels == ["a"]:
            classifier.partial_fit(X[:1], labels)
            assert not np.array_equal(before, classifier.coefs_[0])
            return
        with pytest.raises(ValueError, match="must have labels that are in"):
            classifier.partial_fit(X[:1], labels)
        assert np.array_equal(before, classifier.coefs_[0])

    def test_bad_rows_change_nothing(self):
        classifier = mlp().fit(X, NAMES)
        before = pickle.dumps(classifier.network_.get_weights())
        bad = X[:1].copy()
        bad[0, 1] = np.nan
        for x, y in [(bad, NAMES[:1]), (X[:1, :3], NAMES[:1]), (X[:2], NAMES[:1]), (X[0], NAMES[:1])]:
            with pytest.raises(ValueError):
                classifier.partial_fit(x, y)
        with pytest.raises(ValueError, match="NaN"):
            classifier.predict_proba(bad)
        assert pickle.dumps(classifier.network_.get_weights()) == before


class TestAttributes:
    def test_weights_are_live(self):
        classifier = mlp().fit(X, NAMES)
        before = classifier.predict_proba(X)
        classifier.coefs_[0][...] = 0
        assert not np.allclose(before, classifier.predict_proba(X))
        classifier.coefs_ = [np.ones_like(each) for each in classifier.coefs_]
        classifier.intercepts_ = [np.zeros_like(each) for each in classifier.intercepts_]
        assert np.allclose(classifier.predict_proba(X), 1 / 3)
        assert not hasattr(MLPClassifier(), "coefs_")

    def test_the_network_can_be_saved(self, tmp_path):
        classifier = mlp().fit(X, NAMES)
        classifier.network_.save(tmp_path / "iris.safetensors")
        loaded = cynn.load(tmp_path / "iris.safetensors")
        assert np.array_equal(loaded.predict(X), classifier.predict_proba(X))

    def test_lbfgs(self):
        """As good as scikit-learn's from the same weights, and what it has beside that."""
        options, y = {"activation": "tanh", "solver": "lbfgs", "random_state": 0, "max_iter": 400}, X[:, 0] * X[:, 1]
        theirs = neural_network.MLPRegressor(hidden_layer_sizes=8, **options).fit(X, y)
        ours = MLPRegressor(hidden_layer_sizes=8, **options).fit(X, y)
        assert ours.loss_ < 1.2 * theirs.loss_
        assert len(ours.loss_curve_) == ours.n_iter_
        assert not hasattr(ours, "partial_fit")
        before = ours.loss_
        ours.set_params(warm_start=True, tol=1e-7)
        assert ours.fit(X, y).loss_ <= before * (1 + 1e-9)
        with pytest.raises(InvalidParameterError, match="function of the weights alone"):
            MLPClassifier(solver="lbfgs", dropout=0.5).fit(X, NAMES)
        stopping = MLPClassifier(solver="lbfgs", early_stopping=True, random_state=0).fit(X, NAMES)
        assert len(stopping.validation_scores_) == stopping.n_iter_

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"alpha": -1}, "'alpha' parameter of MLPClassifier must be a finite number >= 0"),
            ({"learning_rate": "fast"}, "'learning_rate' parameter of MLPClassifier must be 'constant', 'invscaling'"),
            ({"batch_size": 0}, "'batch_size' parameter of MLPClassifier must be 'auto' or a whole number >= 1"),
            ({"max_iter": 2.5}, "'max_iter' parameter of MLPClassifier must be a whole number >= 1"),
            ({"hidden_layer_sizes": (3, 0)}, r"hidden_layer_sizes must be > 0, got \(3, 0\)"),
            (
                {"activation": ["relu", "tanh"]},
                "'activation' parameter of MLPClassifier must be one for all hidden layers",
            ),
            ({"dropout": 1.5}, "rate"),
            ({"class_weight": "even"}, "'class_weight' parameter must be None, 'balanced' or a dict"),
            ({"n_iter_no_change": 0}, "'n_iter_no_change' parameter of MLPClassifier must be a whole number >= 1"),
            ({"early_stopping": "yes"}, "'early_stopping' parameter of MLPClassifier must be True or False"),
            ({"dtype": "float16"}, "'dtype' parameter of Network must be"),
            ({"activation": "rleu"}, "Did you mean"),
            ({"solver": "adma"}, "Did you mean"),
            ({"loss": "log_los"}, "There is no loss named"),
        ],
    )
    def test_parameters_that_are_wrong(self, options, words):
        with pytest.raises(cynn.CynnError, match=words):
            mlp(**options).fit(X, NAMES)

    @pytest.mark.parametrize(
        ("weight", "words"),
        [
            (np.full(150, -1.0), "sample_weight must be finite and >= 0"),
            (np.zeros(150), "sample_weight must not be zero everywhere"),
            (np.ones(149), r"sample_weight must have the shape \(150,\)"),
            (np.full(150, np.nan), "sample_weight must be finite and >= 0"),
        ],
    )
    def test_weights_that_are_wrong(self, weight, words):
        with pytest.raises(ValueError, match=words):
            mlp().fit(X, NAMES, weight)


class TestAnyNetwork:
    def test_a_list_of_layers(self):
        """What is missing is added: the input, and the outputs."""
        whole = [cynn.Input(4, scale=0.1), cynn.Dense(8, "relu"), cynn.Dense(3, "softmax")]
        for layers in ([cynn.Dense(8, "relu")], whole[1:], whole, ["batch_norm", {"layer": "dense", "units": 8}]):
            classifier = NetworkClassifier(layers, epochs=2, random_state=0).fit(X, NAMES)
            assert classifier.predict_proba(X).shape == (150, 3)
            assert [layer.units for layer in classifier.network_.layers[-2:]] == [8, 3]
        assert NetworkClassifier(whole).fit(X, NAMES).network_.input.scale == 0.1

    def test_a_function(self):
        def make(n_features, n_outputs, units=8, activation="tanh"):
            x = cynn.Input(n_features)
            h = cynn.Dense(units, activation)(x)
            return cynn.Network(cynn.Dense(n_outputs, "softmax")(cynn.Concatenate()(h, x)), dtype="float64")

        classifier = NetworkClassifier(make, epochs=3)
        assert classifier.get_params()["network__units"] == 8
        classifier.set_params(network__units=5, network__activation="relu").fit(X, NAMES)
        assert classifier.network_.layers[0].units == 5
        assert classifier.get_params()["network__units"] == 5
        classifier.set_params(network__units=6).fit(X, NAMES)
        assert (classifier.network_.layers[0].units, classifier.network_.layers[0].activation.name) == (6, "relu")

    def test_a_network_is_copied(self):
        given = cynn.Network.mlp([4, 8, 3], output="softmax", seed=0)
        before = given.get_weights()
        classifier = NetworkClassifier(given, epochs=1, optimizer=cynn.optimizers.SGD(1e-12)).fit(X, NAMES)
        assert all(np.array_equal(*pair) for pair in zip(before, given.get_weights(), strict=True))
        assert np.allclose(classifier.network_.layers[0].weights, before[0], atol=1e-6)
        classifier.set_params(network__layers__0__units=12).fit(X, NAMES)
        assert classifier.network_.layers[0].units == 12

    def test_two_classes_by_softmax(self):
        layers = [cynn.Dense(8, "tanh"), cynn.Dense(2, "softmax")]
        classifier = NetworkClassifier(layers, optimizer=cynn.optimizers.Adam(0.01), random_state=0).fit(
            X[:100], NAMES[:100]
        )
        assert [layer.units for layer in classifier.network_.layers] == [8, 2]
        assert classifier.score(X[:100], NAMES[:100]) == 1
        assert classifier.predict_proba(X[:100]).shape == (100, 2)

    def test_regularizers_stay(self):
        net = cynn.Network([cynn.Input(4), cynn.Dense(1)], seed=0, regularizer=cynn.regularizers.L2(0.5))
        assert NetworkRegressor(net, epochs=1).fit(X, Y).network_.regularizer == cynn.regularizers.L2(0.5)

    @pytest.mark.parametrize(
        ("network", "error", "words"),
        [
            (cynn.Network.mlp([3, 3], output="softmax"), ShapeError, "must have 4 inputs"),
            (cynn.Network.mlp([4, 2], output="softmax"), ShapeError, "must have 3 outputs"),
            ([cynn.Dense(5, "softmax")], ShapeError, "must have 3 outputs"),
            (
                lambda n_features, n_outputs: 3,
                InvalidParameterError,
                "must be a list of layers, a Network, or a function",
            ),
            (cynn.Network.mlp([4, 3]), InvalidParameterError, "must end with probabilities, as with 'softmax'"),
            ("dense", InvalidParameterError, "must be a list of layers, a Network, or a function"),
        ],
    )
    def test_one_that_does_not_fit(self, network, error, words):
        with pytest.raises(error, match=words):
            NetworkClassifier(network).fit(X, NAMES)

    def test_regression_of_several_outputs(self):
        x, y = make_regression(200, 5, n_targets=3, random_state=0)
        regressor = NetworkRegressor(epochs=200, optimizer=cynn.optimizers.Adam(0.02), random_state=0).fit(x, y / 100)
        assert regressor.score(x, y / 100) > 0.95
        assert regressor.predict(x).shape == (200, 3)


def test_without_scikit_learn():
    """The error names the extra; the rest of the package does without."""
    code = """
        import sys
        sys.modules["sklearn"] = None
        import cynn
        try:
            import cynn.sklearn
        except cynn.errors.MissingDependencyError as error:
            print(error)
    """
    import subprocess

    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ('cynn.sklearn needs scikit-learn. Install it with: pip install "cynn-nn[sklearn]"')
