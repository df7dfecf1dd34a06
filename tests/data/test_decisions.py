"""The loss says what an output means: metrics, class weights and splits go by it."""

import functools

import numpy as np
import pytest

import cynn
from cynn import Dense, Input, Network
from cynn.errors import DataError, InvalidParameterError
from cynn.losses import Loss
from cynn.optimizers import SGD

MARGINS = ["hinge", "squared_hinge", "soft_margin"]
SCORES = np.array([[0.3], [-0.2], [0.1], [-0.4], [0.7], [-0.9]])
SIGNS = np.array([1, -1, 1, -1, 1, 1])


def identity(outputs=1):
    """A network that returns what it is given."""
    net = Network([Input(outputs), Dense(outputs)], seed=0, dtype="float64")
    net.set_weights([np.eye(outputs), np.zeros(outputs)])
    return net


class OfLogits(Loss):
    """Cross-entropy of two classes, for predictions that are no probabilities."""

    name = "of_logits"
    decision_threshold = 0.0

    def value_and_gradient(self, prediction, target):
        p = 1 / (1 + np.exp(-prediction))
        return np.logaddexp(0, np.where(target > 0.5, -prediction, prediction)).sum(axis=1), p - target


class TestAccuracy:
    @pytest.mark.parametrize("loss", [*MARGINS, OfLogits()], ids=str)
    @pytest.mark.parametrize("labels", [(-1, 1), (0, 1)])
    def test_the_sign_decides(self, loss, labels):
        if isinstance(loss, OfLogits) and labels == (-1, 1):
            return
        y = np.where(SIGNS > 0, labels[1], labels[0])
        names = ["accuracy", "binary_accuracy"]
        found = identity().evaluate(SCORES, y, loss=loss, metrics=names)
        assert [found[name] for name in names] == [5 / 6, 5 / 6]

    def test_four_rows(self):
        """Four right signs are four right answers."""
        x, y = [[0.3], [2.0], [-0.3], [-2.0]], [1, 1, -1, -1]
        for loss in MARGINS:
            assert identity().evaluate(x, y, loss=loss, metrics=["accuracy"])["accuracy"] == 1

    def test_in_training_and_in_batches(self):
        net, y = identity(), SIGNS.astype(float)
        options = {"loss": "hinge", "metrics": ["accuracy"], "optimizer": SGD(1e-300), "epochs": 1, "progress": False}
        history = net.fit(SCORES, y, validation_data=(SCORES, y), **options)
        assert (history["accuracy"], history["val_accuracy"]) == ([5 / 6], [5 / 6])
        assert net.fit([(SCORES[:3], y[:3]), (SCORES[3:], y[3:])], **options)["accuracy"] == [5 / 6]

    def test_several_labels(self):
        scores, y = np.array([[0.3, -0.2], [0.1, 0.4]]), np.array([[1, 1], [-1, 1]])
        for rows in (y, (y > 0).astype(int)):
            for loss in MARGINS:
                assert identity(2).evaluate(scores, rows, loss=loss, metrics=["accuracy"])["accuracy"] == 0.5

    def test_probabilities_keep_a_half(self):
        net = Network([Input(1), Dense(1, "sigmoid")], seed=0)
        net.set_weights([np.ones((1, 1)), np.zeros(1)])
        y = (SIGNS > 0).astype(int)
        for loss in ("binary_cross_entropy", "binary_focal", "dice"):
            assert net.evaluate(SCORES, y, loss=loss, metrics=["accuracy"])["accuracy"] == 5 / 6

    def test_values_divide_half_way_between_the_labels(self):
        net = identity()
        assert net.evaluate(SCORES, SIGNS, metrics=["accuracy"])["accuracy"] == 5 / 6
        assert net.evaluate(SCORES + 0.5, SIGNS > 0, metrics=["accuracy"])["accuracy"] == 5 / 6

    def test_a_threshold_of_ones_own(self):
        metric = cynn.metrics.BinaryAccuracy(0.2)
        found = identity().evaluate(SCORES, SIGNS, loss="hinge", metrics=[metric])
        assert found["binary_accuracy"] == ((SCORES[:, 0] > 0.2) == (SIGNS > 0)).mean()

    def test_of_scikit_learn(self):
        metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
        predicted = np.where(SCORES[:, 0] > 0, 1, -1)
        weight = np.array([1, 2, 0, 1, 3, 1])
        for y in (SIGNS, (SIGNS > 0).astype(int)):
            for metric in (metrics.accuracy_score, metrics.f1_score, metrics.precision_score, metrics.recall_score):
                for of_rows in (None, weight):
                    found = identity().evaluate(
                        SCORES, y, loss="hinge", metrics=[metric], sample_weight=of_rows
                    )[metric.__name__]
                    assert found == pytest.approx(metric(SIGNS, predicted, sample_weight=of_rows), rel=1e-12)
            found = identity().evaluate(SCORES, y, loss="hinge", metrics=[metrics.roc_auc_score])
            assert found["roc_auc_score"] == metrics.roc_auc_score(SIGNS, SCORES[:, 0])


class TestClasses:
    @pytest.mark.parametrize("loss", MARGINS)
    def test_class_weight(self, loss):
        x = np.random.default_rng(0).normal(size=(20, 1))
        signs = np.where(np.arange(20) < 15, -1.0, 1.0)
        given = [{"class_weight": {-1: 2, 1: 6}}, {"class_weight": {0: 2, 1: 6}},
                 {"sample_weight": np.where(signs > 0, 6, 2)}, {"class_weight": "balanced"}]  # fmt: skip
        nets = []
        for options in given:
            nets.append(identity())
            nets[-1].fit(x, signs, loss=loss, optimizer=SGD(0.1), epochs=2, progress=False, **options)
        for net in nets[1:]:
            np.testing.assert_allclose(net.get_weights()[0], nets[0].get_weights()[0], rtol=1e-12)

    def test_what_is_refused(self):
        for class_weight, words in [({-1: 1, 0: 2}, "must name every class once"), ({-2: 1}, "whole number >= -1")]:
            with pytest.raises(InvalidParameterError, match=words):
                identity().fit(SCORES, SIGNS, loss="hinge", class_weight=class_weight)
        with pytest.raises(InvalidParameterError, match="whole number >= 0"):
            identity().fit(SCORES, SIGNS > 0, class_weight={-1: 1})
        with pytest.raises(DataError, match="class_weight must come with classes"):
            identity().fit(SCORES, SIGNS * 0.5, class_weight={0: 1})

    def test_a_split_holds_of_each_the_same_share(self):
        signs = np.where(np.arange(100) % 10 == 0, 1.0, -1.0)
        seen = []
        metric = functools.partial(lambda y_true, y_pred: seen.append(y_true.copy()) or 0.0)
        identity().fit(np.zeros((100, 1)), signs, loss="hinge", validation_split=0.2, epochs=1, progress=False,
                       metrics=[metric])  # fmt: skip
        assert sorted((len(y), int((y > 0).sum())) for y in seen) == [(20, 2), (80, 8)]

    def test_rows_of_one_plus(self):
        """One of several classes: 1 in its column, -1 elsewhere."""
        y, x = np.arange(12) % 3, np.random.default_rng(0).normal(size=(12, 3))
        rows = np.where(np.eye(3)[y] > 0, 1, -1)
        found = identity(3).evaluate(x, rows, loss="hinge", metrics=["accuracy"])
        assert found["accuracy"] == (x.argmax(axis=1) == y).mean()
        identity(3).fit(x, rows, loss="hinge", class_weight={2: 3}, epochs=1, progress=False)


class TestFaces:
    def test_pictures(self):
        pytest.importorskip("matplotlib", reason="matplotlib is not installed")
        for y in (SIGNS, (SIGNS > 0).astype(int)):
            drawn = cynn.plot.confusion(identity(), SCORES, y, loss="hinge")
            assert [count.get_text() for count in drawn["counts"]] == ["2", "1", "3"]
            assert len(cynn.plot.mistakes(identity(), SCORES, y, loss="hinge")["pictures"]) == 1

    def test_command_line(self, tmp_path, capsys, monkeypatch):
        monkeypatch.chdir(tmp_path)
        x = np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32)
        signs = np.where(x[:, 0] > 0.2, 1, -1)
        np.savez("data.npz", x=x, y=signs)
        from cynn import cli

        assert cli.main(["train", "--data", "data.npz", "--hidden", "none", "--quiet", "--learning-rate",
                         "0.1"]) == 0  # fmt: skip
        net = cynn.load("data.safetensors")
        assert (net.outputs, net.output_activation.name) == (1, "identity")
        assert cli.main(["evaluate", "data.safetensors", "--data", "data.npz", "--loss", "hinge"]) == 0
        right = np.mean((net.predict(x)[:, 0] > 0) == (signs > 0))
        assert f"accuracy {100 * right:.2f} %" in capsys.readouterr().out.splitlines()[-1]
        assert right > 0.9
