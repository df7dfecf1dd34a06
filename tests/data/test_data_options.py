"""Which rows train and which validate, and how much each counts."""

import helpers
import numpy as np
import pytest

import cynn
from cynn import Network
from cynn.data import inputs, row_weights
from cynn.data.targets import Targets
from cynn.errors import CynnError, DataError, InvalidParameterError
from cynn.optimizers import SGD


def classes(counts, seed=0):
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))


def of_classes(y, outputs=None):
    return Targets(None, y, outputs or int(y.max()) + 1)


class TestSplit:
    @pytest.mark.parametrize("fraction", [0.1, 0.2, 0.25, 1 / 3, 0.5, 0.9])
    @pytest.mark.parametrize("counts", [[100, 100], [300, 20, 7], [1000, 3, 3, 3], [50] * 10])
    def test_of_every_class_the_same_share(self, fraction, counts):
        y = classes(counts)
        train, held_out = inputs.split(of_classes(y), len(y), fraction, seed=0)
        assert sorted([*train, *held_out]) == list(range(len(y)))
        assert (np.diff(train) > 0).all()
        assert (np.diff(held_out) > 0).all()
        assert len(held_out) == pytest.approx(fraction * len(y), abs=0.5)
        for label, count in enumerate(counts):
            assert abs((y[held_out] == label).sum() - fraction * count) < 1.0 + 1e-9

    def test_the_seed_says_which(self):
        target = of_classes(classes([50, 50]))
        first, same, other = (inputs.split(target, 100, 0.2, seed)[1].tolist() for seed in (0, 0, 1))
        assert first == same != other

    def test_what_a_seed_means_does_not_change(self):
        assert inputs.split(Targets(np.arange(12.0)[:, None], None, 1), 12, 0.25, 0)[1].tolist() == [3, 8, 10]

    @pytest.mark.parametrize("values", [np.eye(2)[classes([90, 10])], classes([90, 10])[:, None].astype(float)])
    def test_one_hot_rows_and_a_column_are_classes(self, values):
        _, held_out = inputs.split(Targets(values, None, values.shape[1]), 100, 0.2, 0)
        assert values[held_out][:, -1].sum() == 2

    def test_values_are_split_at_random(self):
        values = np.random.default_rng(0).normal(size=(100, 1))
        train, held_out = inputs.split(Targets(values, None, 1), 100, 0.2, 0)
        assert (len(train), len(held_out)) == (80, 20)
        assert held_out.tolist() != list(range(80, 100))

    def test_in_fit(self):
        """It is training on these rows, with those for validation."""
        x, y = helpers.blobs(100)
        net, other = helpers.classifier(), helpers.classifier()
        weight = np.linspace(1, 2, 100)
        options = {"epochs": 3, "shuffle": False, "metrics": ["accuracy"]}
        net.fit(x, y, validation_split=0.3, sample_weight=weight, **options)
        train, held_out = inputs.split(of_classes(y), 100, 0.3, net.seed)
        other.fit(
            x[train], y[train], sample_weight=weight[train],
            validation_data=(x[held_out], y[held_out], weight[held_out]), **options,
        )  # fmt: skip
        assert helpers.digest(net) == helpers.digest(other)
        for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
            assert net.history[name] == other.history[name]

    @pytest.mark.parametrize("shuffle", [True, "blocks"])
    def test_no_held_out_row_is_trained_on(self, shuffle):
        seen = []

        class Watching(cynn.losses.Loss):
            name = "watching"

            def value_and_gradient(self, prediction, target):
                seen.extend(target[:, 0].tolist())
                return np.zeros(len(target)), np.zeros_like(prediction)

        class Clear(cynn.callbacks.Callback):
            def on_epoch_begin(self, epoch):
                seen.clear()

            def on_step_end(self, step, logs):
                self.seen = list(seen)

        net, watch = Network.mlp([1, 1], seed=0), Clear()
        net.fit(np.zeros((50, 1)), np.arange(50.0), loss=Watching(), epochs=2, shuffle=shuffle,
                validation_split=0.2, callbacks=[watch])  # fmt: skip
        target = Targets(np.arange(50.0)[:, None], None, 1)
        train = inputs.split(target, 50, 0.2, 0)[0].tolist()
        assert sorted(watch.seen) == train != watch.seen

    def test_what_is_refused(self):
        x, y = helpers.blobs(30)
        for wrong in (-0.1, 1, "some"):
            with pytest.raises(InvalidParameterError, match="'validation_split' parameter of fit must be"):
                helpers.classifier().fit(x, y, validation_split=wrong)
        with pytest.raises(DataError, match="'validation_split' parameter of fit must leave rows on both sides"):
            helpers.classifier().fit(x, y, validation_split=0.001)
        with pytest.raises(InvalidParameterError, match="must be 0 where there is validation_data"):
            helpers.classifier().fit(x, y, validation_split=0.1, validation_data=(x, y))
        held_out = inputs.split(of_classes(y), 30, 0.2, 0)[1][1]
        x[held_out] = np.nan
        with pytest.raises(DataError, match=f"x of the validation split must be finite. Got nan in row {held_out},"):
            helpers.classifier().fit(x, y, validation_split=0.2)


class TestClassWeight:
    def test_balanced_is_its_formula(self):
        y = classes([60, 30, 10])
        weight = row_weights.of_classes("balanced", of_classes(y), None, None, "class_weight")
        assert weight.tolist() == [{0: 100 / 180, 1: 100 / 90, 2: 100 / 30}[label] for label in y]
        assert weight.mean() == pytest.approx(1)

    def test_balanced_is_that_of_scikit_learn(self):
        utils = pytest.importorskip("sklearn.utils", reason="scikit-learn is not installed")
        y = classes([60, 30, 0, 10])
        weight = row_weights.of_classes("balanced", of_classes(y, 6), None, None, "class_weight")
        assert weight == pytest.approx(utils.compute_sample_weight("balanced", y))

    def test_balanced_counts_the_rows_that_are_trained_on(self):
        y = np.array([0] * 8 + [1] * 2)
        weight = row_weights.of_classes("balanced", of_classes(y), None, np.array([0, 1, 8, 9]), "class_weight")
        assert weight.tolist() == [1.0] * 10

    @pytest.mark.parametrize("one_hot", [False, True])
    def test_in_fit_it_is_a_sample_weight(self, one_hot):
        x, y = helpers.blobs(90)
        y = np.minimum(y, 1)
        given = np.eye(3)[y] if one_hot else y
        for class_weight, weight in [({0: 2.0, 1: 0.5}, [2.0, 0.5]), ({1: 3}, [1, 3]), ("balanced", [1.5, 0.75])]:
            net, other = helpers.classifier(), helpers.classifier()
            net.fit(x, given, class_weight=class_weight, epochs=2)
            other.fit(x, given, sample_weight=np.array(weight)[y], epochs=2)
            assert helpers.digest(net) == helpers.digest(other)

    def test_it_multiplies_sample_weight(self):
        x, y = helpers.blobs(90)
        weight = np.linspace(0, 1, 90)
        net, other = helpers.classifier(), helpers.classifier()
        net.fit(x, y, class_weight={2: 4}, sample_weight=weight, epochs=2)
        other.fit(x, y, sample_weight=weight * np.array([1, 1, 4])[y], epochs=2)
        assert helpers.digest(net) == helpers.digest(other)

    def test_two_is_twice_and_zero_is_absent(self):
        x, y = helpers.blobs(60)
        repeated = np.concatenate([np.flatnonzero(y == 0), np.repeat(np.flatnonzero(y == 1), 2)])
        net, other = helpers.classifier(dtype="float64"), helpers.classifier(dtype="float64")
        net.fit(x, y, class_weight={1: 2, 2: 0}, optimizer=SGD(0.1), epochs=3, batch_size=60)
        other.fit(x[repeated], y[repeated], optimizer=SGD(0.1), epochs=3, batch_size=60)
        for pair, of_other in zip(helpers.raw(net), helpers.raw(other), strict=True):
            for a, b in zip(pair, of_other, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)

    def test_one_output(self):
        net, other = (Network.mlp([2, 1], output="sigmoid", seed=0) for _ in range(2))
        x, y = helpers.blobs(90)
        y = (y == 0).astype(float)
        net.fit(x, y, class_weight={1: 2}, epochs=2)
        other.fit(x, y, sample_weight=1 + y, epochs=2)
        assert helpers.digest(net) == helpers.digest(other)
        with pytest.raises(InvalidParameterError, match=r"must be a whole number >= 0 and <= 1\. Got 2"):
            net.fit(x, y, class_weight={2: 1})

    def test_validation_does_not_know_it(self):
        x, y = helpers.blobs(90)
        net = helpers.classifier()
        history = net.fit(x, y, class_weight={0: 100}, validation_data=(x, y), epochs=1)
        assert history["val_loss"] == [net.evaluate(x, y)["loss"]]

    @pytest.mark.parametrize(
        "class_weight, words",
        [
            ("fair", "must be 'balanced' or a dict"),
            ([1, 2, 3], "must be 'balanced' or a dict"),
            ({3: 1}, r"must be a whole number >= 0 and <= 2. Got 3"),
            ({"0": 1}, "must be a whole number"),
            ({0: -1}, r"of fit \(of class 0\) must be a finite number >= 0. Got -1"),
        ],
    )
    def test_what_is_refused(self, class_weight, words):
        x, y = helpers.blobs(30)
        with pytest.raises(InvalidParameterError, match=words):
            helpers.classifier().fit(x, y, class_weight=class_weight)

    def test_values_have_no_classes(self):
        net = Network.mlp([2, 1], seed=0)
        with pytest.raises(DataError, match="class_weight must come with classes"):
            net.fit(np.ones((3, 2)), [0.5, 1, 2], class_weight={0: 1})


class TestSampleWeight:
    @pytest.mark.parametrize(
        ("weight", "words"),
        [
            ([1, 2], r"must have the shape \(3,\). Got \(2,\)"),
            ([[1], [2], [3]], r"must have the shape \(3,\). Got \(3, 1\)"),
            ([1, -1, 1], "must be finite and >= 0. Got -1.0 in row 1"),
            ([1, 1, np.nan], "must be finite and >= 0. Got nan in row 2"),
            ([np.inf, 1, 1], "must be finite and >= 0. Got inf in row 0"),
            ([0, 0, 0], "must not be zero everywhere"),
        ],
    )
    def test_what_is_refused(self, weight, words):
        x, y = helpers.blobs(3)
        net = helpers.classifier()
        for call in (net.fit, net.evaluate):
            with pytest.raises(CynnError, match=f"sample_weight {words}"):
                call(x, y, sample_weight=weight)

    def test_a_batch_of_nothing_is_no_batch(self):
        x, y = helpers.blobs(3)
        net = helpers.classifier()
        before = helpers.digest(net)
        with pytest.raises(DataError, match=r"sample_weight must not be zero everywhere\. Got only zeros"):
            net.train_batch(x, y, sample_weight=np.zeros(3), optimizer=SGD(0.1))
        with pytest.raises(DataError, match=r"sample_weight of batch 1 must not be zero everywhere"):
            net.fit([(x, y, np.zeros(3))], epochs=1)
        with pytest.raises(DataError, match=r"class_weight of batch 1 must not be zero everywhere"):
            net.fit([(x, y)], class_weight={0: 0, 1: 0, 2: 0}, epochs=1)
        with pytest.raises(DataError, match=r"class_weight must not be zero everywhere"):
            net.fit(x, y, class_weight={0: 0, 1: 0, 2: 0}, epochs=1)
        assert helpers.digest(net) == before


class TestWeights:
    def test_they_go_from_one_network_to_another(self):
        net, other = helpers.classifier(0), helpers.classifier(1)
        weights = net.get_weights()
        other.set_weights(weights)
        assert helpers.digest(net) == helpers.digest(other)
        weights[0][...] = 0
        assert helpers.digest(net) == helpers.digest(other)  # they are copies
        with pytest.raises(cynn.errors.ShapeError, match="must be 4 arrays"):
            net.set_weights(weights[:3])
        with pytest.raises(cynn.errors.ShapeError, match=r"must have the shape \(2, 8\)"):
            net.set_weights(weights[::-1])


def test_several_labels_and_several_outputs_train():
    x = helpers.inputs(200, 4)
    labels = (x[:, :3] > 0).astype(int)
    net = Network.mlp([4, 16, 3], output="sigmoid", seed=0)
    history = net.fit(x, labels, optimizer=cynn.optimizers.Adam(0.05), epochs=20, metrics=["accuracy"])
    assert history["accuracy"][-1] > 0.9
    values = np.stack([x.sum(axis=1), x[:, 0] - x[:, 1]], axis=1)
    net = Network.mlp([4, 16, 2], seed=0)
    history = net.fit(x, values, optimizer=cynn.optimizers.Adam(0.05), epochs=40, metrics=["r2_score"])
    assert history["r2_score"][-1] > 0.9
