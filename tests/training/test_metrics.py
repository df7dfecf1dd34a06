"""Metrics against their formulas, and what functions of one's own and of scikit-learn are given."""

import functools
import inspect

import helpers
import numpy as np
import pytest

from cynn import Network, metrics, registry
from cynn.errors import InvalidParameterError, ShapeError, UnknownNameError

ROWS = 200


def classes(outputs, seed=0):
    return np.random.default_rng(seed).integers(0, outputs, ROWS)


def net_of(outputs, activation):
    return Network.mlp([4, 6, outputs], output=activation, seed=1)


X = helpers.inputs(ROWS, 4, "float32")
GENERATOR = np.random.default_rng(5)
LABELS = GENERATOR.integers(0, 2, (ROWS, 3))
VALUES = GENERATOR.normal(size=(ROWS, 2))


def figure(net, y, metric, **options):
    (name,) = set(found := net.evaluate(X, y, metrics=[metric], **options)) - {"loss"}
    return found[name]


class TestFormulas:
    def test_accuracy(self):
        net, y = net_of(5, "softmax"), classes(5)
        expected = np.mean(net.predict(X).argmax(axis=1) == y)
        assert figure(net, y, "accuracy") == expected
        assert figure(net, np.eye(5)[y], "accuracy") == expected

    def test_accuracy_of_one_output(self):
        net, y = net_of(1, "sigmoid"), classes(2)
        assert figure(net, y, "accuracy") == np.mean((net.predict(X)[:, 0] > 0.5) == y)

    def test_accuracy_of_several_labels(self):
        net = net_of(3, "sigmoid")
        expected = np.mean((net.predict(X) > 0.5) == LABELS)
        assert figure(net, LABELS, "accuracy") == figure(net, LABELS, "binary_accuracy") == expected

    def test_one_hot_rows_of_a_batch_do_not_make_classes_of_labels(self):
        target = metrics.Targets(LABELS, None, 3)
        alone = np.flatnonzero(LABELS.sum(axis=1) == 1)
        assert target.take(alone).kind == target.kind == "labels"

    def test_the_threshold_is_that_of_the_outputs(self):
        prediction = [[0.1, 0.6], [0.7, 0.8]]
        assert metrics.BinaryAccuracy(0.65)([[0, 0], [1, 1]], prediction) == 1
        assert metrics.BinaryAccuracy()([[0, 0.6], [0.7, 1]], prediction) == 1

    @pytest.mark.parametrize("k", [1, 2, 3, 5])
    def test_top_k(self, k):
        net, y = net_of(5, "softmax"), classes(5)
        best = np.argsort(-net.predict(X), axis=1, kind="stable")[:, :k]
        expected = np.mean((best == y[:, None]).any(axis=1))
        assert figure(net, y, metrics.TopKAccuracy(k)) == expected
        if k == 1:
            assert expected == figure(net, y, "accuracy")

    def test_top_k_where_outputs_are_equal(self):
        same = np.full((4, 4), 0.25)
        assert metrics.TopKAccuracy(2)(np.arange(4), same) == 0.5
        assert metrics.TopKAccuracy(1)(np.arange(4), same) == metrics.Accuracy()(np.arange(4), same)

    def test_of_values(self):
        net = net_of(2, "identity")
        error = net.predict(X) - VALUES
        spread = ((VALUES - VALUES.mean(axis=0)) ** 2).sum(axis=0)
        expected = {
            "mean_squared_error": np.mean(error**2),
            "mse": np.mean(error**2),
            "mean_absolute_error": np.mean(np.abs(error)),
            "root_mean_squared_error": np.sqrt(np.mean(error**2)),
            "rmse": np.sqrt(np.mean(error**2)),
            "r2_score": np.mean(1 - (error**2).sum(axis=0) / spread),
        }
        found = net.evaluate(X, VALUES, metrics=list(expected))
        assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-9)

    def test_r2_of_what_does_not_vary(self):
        assert metrics.R2Score()([1.0, 1.0], [1.0, 1.0]) == 1
        assert metrics.R2Score()([1.0, 1.0], [1.0, 2.0]) == 0

    def test_in_training(self):
        net, y = net_of(5, "softmax"), classes(5)
        assert metrics.resolve("top_k_categorical_accuracy").keys() == {"top_k_categorical_accuracy"}
        wanted = ["accuracy", metrics.TopKAccuracy(2), metrics.R2Score]
        expected = net.evaluate(X, y, metrics=wanted)
        history = net.fit(X, y, metrics=wanted, epochs=1, batch_size=ROWS)
        for name in ("accuracy", "top_k_accuracy", "r2_score"):
            assert history[name] == pytest.approx([expected[name]])


class TestNames:
    def test_what_is_none(self):
        with pytest.raises(UnknownNameError, match="Did you mean 'accuracy'"):
            metrics.resolve("acuracy")
        with pytest.raises(InvalidParameterError, match="A metric must be a name or a callable"):
            metrics.resolve([5])
        with pytest.raises(InvalidParameterError, match=r"must have different names. Got 'accuracy' twice"):
            metrics.resolve(["accuracy", metrics.Accuracy()])
        with pytest.raises(InvalidParameterError, match="'k' parameter of TopKAccuracy must be"):
            metrics.TopKAccuracy(0)
        with pytest.raises(ShapeError, match="y_true must have as many rows as y_pred, 2"):
            metrics.Accuracy()([0], [[1.0, 0.0], [0.0, 1.0]])

    def test_a_function_of_ones_own_gets_what_was_given(self):
        def look(y_true, y_pred):
            seen.append((y_true.shape, y_pred.shape))
            return 1

        seen = []
        figure(net_of(5, "softmax"), classes(5), look)
        figure(net_of(2, "identity"), VALUES, functools.partial(look))
        assert seen == [((ROWS,), (ROWS, 5)), ((ROWS, 2), (ROWS, 2))]


class TestScikitLearn:
    @pytest.fixture
    def sk(self):
        return pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")

    @pytest.mark.parametrize(
        "name, options",
        [
            ("accuracy_score", {}),
            ("balanced_accuracy_score", {}),
            ("f1_score", {"average": "macro"}),
            ("precision_score", {"average": "weighted", "zero_division": 0}),
            ("recall_score", {"average": "micro"}),
            ("cohen_kappa_score", {}),
            ("matthews_corrcoef", {}),
            ("zero_one_loss", {}),
            ("adjusted_rand_score", {}),
        ],
    )
    @pytest.mark.parametrize("one_hot", [False, True])
    def test_classes(self, sk, name, options, one_hot):
        net, y = net_of(5, "softmax"), classes(5)
        metric = functools.partial(getattr(sk, name), **options) if options else getattr(sk, name)
        expected = metric(y, net.predict(X).argmax(axis=1))
        assert figure(net, np.eye(5)[y] if one_hot else y, metric) == pytest.approx(expected)

    @pytest.mark.parametrize("name", ["accuracy_score", "f1_score", "jaccard_score", "brier_score_loss",
                                      "roc_auc_score", "average_precision_score", "log_loss"])  # fmt: skip
    @pytest.mark.parametrize("outputs", [1, 2])
    def test_two_classes(self, sk, name, outputs):
        net, y = net_of(outputs, "sigmoid" if outputs == 1 else "softmax"), classes(2)
        scores = net.predict(X)[:, -1]
        of_scores = name in ("brier_score_loss", "roc_auc_score", "average_precision_score", "log_loss")
        expected = getattr(sk, name)(y, scores if of_scores else (scores > 0.5).astype(int))
        assert figure(net, y, getattr(sk, name)) == pytest.approx(expected)

    @pytest.mark.parametrize(
        "name, options",
        [
            ("log_loss", {}),
            ("top_k_accuracy_score", {"k": 2}),
            ("roc_auc_score", {"multi_class": "ovr"}),
            ("d2_log_loss_score", {}),
        ],
    )
    def test_probabilities(self, sk, name, options):
        net, y = net_of(5, "softmax"), classes(5)
        metric = functools.partial(getattr(sk, name), **options)
        expected = metric(y, net.predict(X))
        assert figure(net, y, metric) == pytest.approx(expected, rel=1e-6)

    def test_a_class_that_no_row_has(self, sk):
        net, y = net_of(5, "softmax"), classes(4)
        expected = sk.log_loss(y, net.predict(X), labels=range(5))
        assert figure(net, y, sk.log_loss) == pytest.approx(expected)

    def test_labels_of_ones_own_hold(self):
        def log_loss(y_true, y_pred, *, labels=None):
            return labels[0]

        log_loss.__module__ = "sklearn.metrics._classification"
        net, y = net_of(5, "softmax"), classes(5)
        assert figure(net, y, log_loss) == 0
        assert figure(net, y, functools.partial(log_loss, labels=[7])) == 7

    @pytest.mark.parametrize("name", ["f1_score", "hamming_loss", "accuracy_score", "roc_auc_score",
                                      "label_ranking_loss", "coverage_error"])  # fmt: skip
    def test_several_labels(self, sk, name):
        net = net_of(3, "sigmoid")
        options = {"average": "macro"} if name in ("f1_score", "roc_auc_score") else {}
        metric = functools.partial(getattr(sk, name), **options)
        prediction = net.predict(X)
        of_scores = name in ("roc_auc_score", "label_ranking_loss", "coverage_error")
        expected = metric(LABELS, prediction if of_scores else (prediction > 0.5).astype(int))
        assert figure(net, LABELS, metric) == pytest.approx(expected)

    @pytest.mark.parametrize("name", ["mean_squared_error", "mean_absolute_error", "r2_score",
                                      "median_absolute_error", "explained_variance_score"])  # fmt: skip
    def test_values(self, sk, name):
        net = net_of(2, "identity")
        expected = getattr(sk, name)(VALUES, net.predict(X))
        assert figure(net, VALUES, getattr(sk, name)) == pytest.approx(expected)
        one = net_of(1, "identity")
        expected = getattr(sk, name)(VALUES[:, 0], one.predict(X)[:, 0])
        assert figure(one, VALUES[:, 0], getattr(sk, name)) == pytest.approx(expected)

    def test_values_of_a_ranking(self, sk):
        net, y = net_of(3, "identity"), GENERATOR.random((ROWS, 3))
        assert figure(net, y, sk.ndcg_score) == pytest.approx(sk.ndcg_score(y, net.predict(X)))

    def test_values_that_happen_to_be_0_and_1(self, sk):
        net, y = net_of(1, "identity"), classes(2)
        expected = sk.mean_squared_error(y, net.predict(X)[:, 0])
        assert figure(net, y, sk.mean_squared_error) == pytest.approx(expected)

    @pytest.mark.parametrize("name", ["mean_squared_error", "mean_absolute_error", "r2_score"])
    def test_ours_agree_with_theirs(self, sk, name):
        net = net_of(2, "identity")
        assert figure(net, VALUES, name) == pytest.approx(figure(net, VALUES, getattr(sk, name)))

    def test_in_training_under_their_own_names(self, sk):
        net, y = net_of(5, "softmax"), classes(5)
        history = net.fit(
            X, y, epochs=2, metrics=[sk.log_loss, functools.partial(sk.f1_score, average="macro")],
            validation_split=0.25,
        )  # fmt: skip
        assert {"log_loss", "f1_score", "val_log_loss", "val_f1_score"} <= set(history.history)
        assert history["val_log_loss"] == pytest.approx(history["val_loss"], rel=1e-5)


# Functions of sklearn.metrics that return no number, or compare something other than targets and predictions.
NO_NUMBER = {
    "class_likelihood_ratios", "classification_report", "confusion_matrix", "confusion_matrix_at_thresholds",
    "det_curve", "homogeneity_completeness_v_measure", "metric_at_thresholds", "multilabel_confusion_matrix",
    "pair_confusion_matrix", "precision_recall_curve", "precision_recall_fscore_support", "roc_curve",
}  # fmt: skip
NEEDS = {"fbeta_score": {"beta": 2.0}}
OF_LABELS = {
    "coverage_error", "dcg_score", "label_ranking_average_precision_score", "label_ranking_loss", "ndcg_score"
}  # fmt: skip


def test_every_figure_of_scikit_learn_works_as_it_is():
    sk = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    tried = set()
    for name in sk.__all__:
        function = getattr(sk, name)
        if not inspect.isfunction(function) or name in NO_NUMBER:
            continue
        first, second, *_ = [*inspect.signature(function).parameters, "", ""]
        if first not in ("y_true", "labels_true"):
            continue
        if function.__module__.endswith("_regression"):
            net, y = net_of(1, "sigmoid"), VALUES[:, 0] ** 2 + 0.1  # positive, as some of them need it
            given = net.predict(X)[:, 0]
        elif name in OF_LABELS:
            net, y = net_of(3, "sigmoid"), LABELS
            given = net.predict(X)
        elif name == "top_k_accuracy_score":
            net, y = net_of(5, "softmax"), classes(5)
            given = net.predict(X)
        else:
            net, y = net_of(1, "sigmoid"), classes(2)
            given = net.predict(X)[:, 0]
            if second in ("y_pred", "labels_pred"):
                given = (given > 0.5).astype(int)
        metric = functools.partial(function, **NEEDS[name]) if name in NEEDS else function
        found = figure(net, y, metric, loss="mse")
        assert found == pytest.approx(metric(y, given), rel=1e-5), name
        tried.add(name)
    assert len(tried) > 40


class TestDirection:
    def test_of_our_own(self):
        for cls in set(registry.metrics.builtins.values()):
            assert metrics.greater_is_better(cls) is metrics.greater_is_better(cls.name) is cls.greater_is_better
            assert isinstance(cls.greater_is_better, bool), cls
        assert not metrics.greater_is_better("rmse")

    def test_of_a_function(self):
        def share(y_true, y_pred):
            return 0.0

        assert metrics.greater_is_better(share) is None
        share.greater_is_better = True
        assert metrics.greater_is_better(share) is True
        assert metrics.greater_is_better(functools.partial(functools.partial(share))) is True
        share.greater_is_better = "up"
        with pytest.raises(InvalidParameterError, match="'greater_is_better' parameter of share must be True or False"):
            metrics.greater_is_better(share)

    def test_scikit_learn_says_the_same(self):
        sk = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
        seen = set()
        for name in sk.get_scorer_names():
            scorer = sk.get_scorer(name)
            function = getattr(scorer, "_score_func", None)
            if function is None or not function.__module__.startswith("sklearn.metrics"):
                continue
            if function.__name__ in ("positive_likelihood_ratio", "negative_likelihood_ratio"):
                continue  # private helpers of scorers
            seen.add(function.__name__)
            assert metrics.greater_is_better(function) is (scorer._sign > 0), name
        assert {"matthews_corrcoef", "jaccard_score", "log_loss", "max_error"} <= seen
        for function, rises in [
            (functools.partial(sk.fbeta_score, beta=2), True), (sk.hamming_loss, False), (sk.cohen_kappa_score, True),
            (sk.coverage_error, False), (sk.mean_pinball_loss, False), (sk.confusion_matrix, None),
        ]:
            assert metrics.greater_is_better(function) is rises, function
