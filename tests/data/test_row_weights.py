"""A weight of w means w copies of the row, and a weight of 0 none."""

import functools

import helpers
import numpy as np
import pytest

import cynn
from cynn import BatchNorm, Dense, Input, Network
from cynn.errors import DataError, ShapeError
from cynn.optimizers import SGD, Adam
from cynn.testing import loss_data

DTYPES = {"float32": {"rtol": 2e-3, "atol": 2e-4}, "float64": {"rtol": 1e-9, "atol": 1e-11}}
LOSSES = sorted({cynn.registry.losses.find(name).name for name in cynn.registry.losses.names()})
ROWS = 23
WEIGHT = np.random.default_rng(5).integers(0, 4, size=ROWS).astype(float)
COPIES = np.repeat(np.arange(ROWS), WEIGHT.astype(int))
X = np.random.default_rng(6).normal(size=(ROWS, 3))


def last_activation(loss):
    """Whose outputs the loss takes."""
    low, high = loss.prediction_range
    return "identity" if low == -np.inf else "softplus" if high == np.inf else "sigmoid"


def network(loss="mean_squared_error", dtype="float64", outputs=loss_data.OUTPUTS):
    loss = cynn.registry.losses.get(loss)
    layers = [Input(3), Dense(5, "tanh"), BatchNorm(0.5), Dense(outputs, last_activation(loss))]
    return Network(layers, seed=0, dtype=dtype)


def targets(loss):
    found = list(loss_data.targets(cynn.registry.losses.get(loss), np.random.default_rng(7), ROWS))
    return [(kind, y) for kind, y in found if "percentage" not in loss or y.all()]  # which divides by them


def fitted(net, x, y, **options):
    options = {"optimizer": SGD(0.05), "epochs": 3, "batch_size": 1000, "shuffle": False, "progress": False} | options
    return net.fit(x, y, **options)


def assert_same(net, other, dtype="float64"):
    for own, of_other in zip(net.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(own, of_other, **DTYPES[dtype])


def figures(history):
    return {name: values for name, values in history.history.items() if name != "seconds"}


def assert_same_figures(found, expected, dtype="float64"):
    assert found.keys() == expected.keys()
    for name in found:
        np.testing.assert_allclose(found[name], expected[name], **DTYPES[dtype])


class TestCopies:
    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize("loss", LOSSES)
    def test_every_loss(self, loss, dtype):
        """Training on one batch, with the moving averages; the loss, metrics and gradients."""
        for _, y in targets(loss):
            net, other = network(loss, dtype), network(loss, dtype)
            options = {"loss": loss, "metrics": ["mse", "mae"]}
            found = fitted(net, X, y, sample_weight=WEIGHT, validation_data=(X, y, WEIGHT), **options)
            copies = X[COPIES], y[COPIES]
            expected = fitted(other, *copies, validation_data=copies, **options)
            assert_same(net, other, dtype)
            assert_same_figures(figures(found), figures(expected), dtype)
            assert_same_figures(
                net.evaluate(X, y, sample_weight=WEIGHT, **options), net.evaluate(*copies, **options), dtype
            )
            of_weights = net.gradients(X, y, loss=loss, sample_weight=WEIGHT)
            of_copies = net.gradients(*copies, loss=loss)
            for pair, of_other in zip(of_weights, of_copies, strict=True):
                for own, gradient in zip(pair, of_other, strict=True):
                    np.testing.assert_allclose(own, gradient, **DTYPES[dtype])

    @pytest.mark.parametrize("scale", [1e-300, 0.1, 1.0, 1e300])
    def test_only_ratios_matter(self, scale):
        y = targets("mean_squared_error")[0][1]
        net, other = network(), network()
        fitted(net, X, y, sample_weight=WEIGHT * scale, batch_size=5)
        fitted(other, X, y, sample_weight=WEIGHT, batch_size=5)
        assert_same(net, other)
        assert np.isfinite(net.history["loss"]).all()

    @pytest.mark.parametrize("class_weight", ["balanced", {0: 3, 2: 0.5}, {1: 0}])
    @pytest.mark.parametrize("name", ["cross_entropy", "multi_margin"])
    def test_class_weights_count_copies(self, name, class_weight):
        y = np.random.default_rng(1).choice(4, size=ROWS, p=[0.6, 0.2, 0.1, 0.1])
        net, other = network(name, outputs=4), network(name, outputs=4)
        options = {"loss": name, "metrics": ["accuracy"], "class_weight": class_weight}
        found = fitted(net, X, y, sample_weight=WEIGHT, **options)
        expected = fitted(other, X[COPIES], y[COPIES], **options)
        assert_same(net, other)
        assert_same_figures(figures(found), figures(expected))

    def test_small_batches_agree_in_sum(self):
        """With steps too small to matter, those on single rows move the weights as one on all does, row by row."""
        y, moved = targets("mean_squared_error")[0][1], []
        for batch_size in (1, ROWS):
            net = Network.mlp([3, 4, 6], activation="tanh", seed=0, dtype="float64")
            before = net.get_weights()
            fitted(net, X, y, sample_weight=WEIGHT, batch_size=batch_size, epochs=1, optimizer=SGD(1e-7))
            moved.append([w - old for w, old in zip(net.get_weights(), before, strict=True)])
        for of_rows, of_all in zip(*moved, strict=True):
            np.testing.assert_allclose(of_rows / (WEIGHT > 0).sum(), of_all, rtol=1e-4, atol=1e-14)

    @pytest.mark.parametrize("batch_size", [1, 2])
    def test_two_rows(self, batch_size):
        """The mean of 0 and 1 with weights 1 and 9."""
        net = Network([Input(1), Dense(1)], seed=0, dtype="float64")
        x, y = [[0.0], [0.0]], [0.0, 1.0]
        net.fit(x, y, sample_weight=[1, 9], batch_size=batch_size, epochs=3000, optimizer=SGD(0.005), progress=False)
        assert net.predict([[0.0]])[0, 0] == pytest.approx(0.9, abs=5e-3)

    @pytest.mark.parametrize("batch_size", [1, 4, 16, 32, 128])
    def test_balanced_in_batches_of_any_size(self, batch_size):
        """Two in a hundred rows are positive: without another input, the probability is a half."""
        y = (np.arange(500) % 50 == 0).astype(float)
        net = Network([Input(1), Dense(1, "sigmoid")], seed=0)
        for rate in (0.02, 0.002):
            net.fit(np.zeros((500, 1)), y, class_weight="balanced", batch_size=batch_size, progress=False,
                    epochs=5 + batch_size, optimizer=SGD(rate))  # fmt: skip
        assert net.predict([[0.0]])[0, 0] == pytest.approx(0.5, abs=0.04)


class TestZero:
    """A row of weight 0 is not there: what comes out is the same to the bit as without it."""

    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"shuffle": True},
            {"shuffle": "blocks"},
            {"validation_split": 0.3},
            {"class_weight": "balanced"},
            {"class_weight": {1: 0, 2: 4}, "validation_split": 0.3, "batch_size": 3},
            {"transform": lambda x, y, generator: (x + generator.normal(size=x.shape), y)},
            {"optimizer": Adam(0.01, gradient_accumulation_steps=2)},
        ],
        ids=str,
    )
    def test_to_the_bit(self, options, dtype):
        y = np.arange(ROWS) % 3
        broken = X.copy()
        broken[WEIGHT == 0] = np.nan
        labels = np.where(WEIGHT == 0, -7, y)
        net, other = (network("cross_entropy", dtype, outputs=3) for _ in range(2))
        options = {"loss": "cross_entropy", "metrics": ["accuracy"], "batch_size": 4} | options
        there = WEIGHT > 0
        fitted(net, broken, labels, sample_weight=WEIGHT, validation_data=None, **options)
        fitted(other, X[there], y[there], sample_weight=WEIGHT[there], **options)
        assert helpers.digest(net) == helpers.digest(other)
        assert figures(net.history) == figures(other.history)
        given = {"loss": "cross_entropy", "metrics": ["accuracy", "top_k_accuracy"]}
        assert net.evaluate(broken, labels, sample_weight=WEIGHT, **given) == net.evaluate(
            X[there], y[there], sample_weight=WEIGHT[there], **given
        )
        of_all = net.gradients(broken, labels, sample_weight=WEIGHT, loss="cross_entropy")
        of_some = net.gradients(X[there], y[there], sample_weight=WEIGHT[there], loss="cross_entropy")
        for pair, same in zip(of_all, of_some, strict=True):
            for own, gradient in zip(pair, same, strict=True):
                np.testing.assert_array_equal(own, gradient)

    def test_a_row_that_counts_and_is_not_finite_is_named(self):
        y, broken = targets("mean_squared_error")[0][1], X.copy()
        broken[WEIGHT == 0] = np.nan
        row = int(np.flatnonzero(WEIGHT)[9])
        broken[row, 1] = np.inf
        net = network()
        before = helpers.digest(net)
        for call in (net.fit, net.evaluate, net.gradients):
            with pytest.raises(DataError, match=f"x must be finite. Got inf in row {row}, column 1"):
                call(broken, y, sample_weight=WEIGHT)
        assert helpers.digest(net) == before

    def test_batches_and_single_steps(self):
        y, there = targets("mean_squared_error")[0][1], WEIGHT > 0
        net, other = network(), network()
        for _ in range(2):
            found = net.train_batch(X, y, sample_weight=WEIGHT, optimizer=SGD(0.1))
            assert found == other.train_batch(X[there], y[there], sample_weight=WEIGHT[there], optimizer=SGD(0.1))
        history = fitted(net, [(X, y, WEIGHT)] * 2, None, metrics=["mse"])
        fitted(other, [(X[there], y[there], WEIGHT[there])] * 2, None, metrics=["mse"])
        assert helpers.digest(net) == helpers.digest(other)
        assert figures(history) == figures(other.history)

    def test_statistics_of_batch_norm(self):
        net = Network([Input(1), BatchNorm(0.0)], seed=0, dtype="float64")
        x = [[1.0], [2.0], [3.0], [4.0], [1000.0]]
        net.fit(x, x, sample_weight=[1, 1, 1, 1, 0], epochs=1, progress=False)
        assert (net.layers[0].moving_mean[0], net.layers[0].moving_variance[0]) == (2.5, 1.25)
        net.update_moving_averages([[np.nan], [1.0], [5.0]], sample_weight=[0, 3, 1])
        assert (net.layers[0].moving_mean[0], net.layers[0].moving_variance[0]) == (2.0, 3.0)

    def test_averages_of_weights_know_it(self):
        """The moving averages that belong to them are those of the rows that are there."""
        y, nets = targets("mean_squared_error")[0][1], [network(), network()]
        given = [(X, y, WEIGHT), (X[COPIES], y[COPIES], None)]
        for net, (x, of_rows, weight) in zip(nets, given, strict=True):
            averaging = cynn.callbacks.StochasticWeightAveraging(2)
            fitted(net, x, of_rows, sample_weight=weight, callbacks=[averaging])
        assert_same(*nets)

    def test_metrics(self):
        net = Network([Input(1), Dense(1)], seed=0)
        net.set_weights([np.ones((1, 1)), np.zeros(1)])
        found = net.evaluate([[1.0], [2.0], [3.0]], [1.0, 2.0, 11.0], sample_weight=[1, 1, 0], metrics=["mse"])
        assert found == {"loss": 0.0, "mse": 0.0}


class TestAsGiven:
    """Where all rows are not known beforehand, weights are not divided by their mean."""

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_the_network_must_hold_them(self, dtype):
        net = network(dtype=dtype)
        before = helpers.digest(net)
        x, y, weight = X[:3], np.zeros((3, 6)), [1.0, 1e39, 1e38]
        batches = [(x, y, weight)]
        for call in (
            lambda: net.train_batch(x, y, sample_weight=weight, optimizer=SGD(1e-30)),
            lambda: net.fit(batches, epochs=1, optimizer=SGD(1e-30), progress=False),
        ):
            if dtype == "float64":
                call()
                continue
            with pytest.raises(DataError, match=r"sample_weight.* must be finite in float32\. Got 1e\+39 in row 1"):
                call()
            assert helpers.digest(net) == before
        for use in (net.evaluate, net.gradients):  # which divide them
            use(x, y, sample_weight=weight)


class TestSeveralOutputs:
    """Each output has weights of its own."""

    def network(self):
        x = Input(3)
        h = BatchNorm(0.5)(Dense(4, "tanh")(x))
        return Network({"kind": Dense(3, "softmax")(h), "size": Dense(1)(h)}, seed=0, dtype="float64")

    def data(self, rows=slice(None)):
        return {"kind": (np.arange(ROWS) % 3)[rows], "size": X[:, :1][rows]}

    def test_the_same_for_all_are_copies(self):
        net, other = self.network(), self.network()
        options = {"metrics": {"kind": "accuracy", "size": "mse"}, "loss_weights": {"size": 2.0}}
        found = fitted(net, X, self.data(), sample_weight=WEIGHT, **options)
        expected = fitted(other, X[COPIES], self.data(COPIES), **options)
        assert_same(net, other)
        assert_same_figures(figures(found), figures(expected))

    def test_a_row_that_counts_in_one_alone(self):
        """It is no part of the loss and of the metrics of the other, where its target is not read."""
        of_kind = np.where(np.arange(ROWS) < 5, 0.0, 1.0)
        y, counted = self.data(), of_kind > 0
        y["kind"] = np.where(counted, y["kind"], 99)
        net = self.network()
        given = {"sample_weight": {"kind": of_kind}, "metrics": {"kind": "accuracy", "size": "mse"}}
        found = net.evaluate(X, y, **given)
        expected = net.evaluate(X[counted], self.data(counted), metrics=given["metrics"])
        assert found["kind_loss"] == pytest.approx(expected["kind_loss"], rel=1e-12)
        assert found["kind_accuracy"] == pytest.approx(expected["kind_accuracy"], rel=1e-12)
        whole = net.evaluate(X, self.data(), metrics=given["metrics"])
        assert (found["size_loss"], found["size_mse"]) == (whole["size_loss"], whole["size_mse"])
        history = fitted(net, X, y, epochs=1, optimizer=SGD(1e-300), **given)
        of_rows = fitted(self.network(), X, self.data(), epochs=1, optimizer=SGD(1e-300), metrics=given["metrics"])
        assert history["size_mse"] == of_rows["size_mse"]
        weights, biases = net.get_weights()[:2]
        mean = np.tanh(X @ weights + biases).mean(axis=0)  # of all rows: each is there
        np.testing.assert_allclose(net.layers[1].moving_mean, 0.5 * mean, rtol=1e-9)

    def test_a_row_that_counts_in_none_is_not_there(self):
        of_kind, of_size = np.array([1, 2, 0] * 8)[:ROWS], np.array([0, 1, 0] * 8)[:ROWS]
        there = (of_kind > 0) | (of_size > 0)
        broken = np.where(there[:, None], X, np.nan)
        nets = [self.network(), self.network()]
        for net, x, rows in ((nets[0], broken, slice(None)), (nets[1], X[there], there)):
            weight = {"kind": of_kind[rows], "size": of_size[rows]}
            fitted(net, x, self.data(rows), sample_weight=weight, batch_size=4)
        assert helpers.digest(nets[0]) == helpers.digest(nets[1])


class TestAccumulation:
    """A step is on the ratio over all its rows, however its batches are cut."""

    def test_three_rows_in_batches_of_two(self):
        net = Network([Input(1), Dense(1)], seed=0, dtype="float64")
        net.set_weights([np.zeros((1, 1)), np.zeros(1)])
        x, y = [[0.0]] * 3, [0.0, 0.0, 0.9]
        optimizer = SGD(0.1, gradient_accumulation_steps=2)
        net.fit(x, y, batch_size=2, epochs=1, shuffle=False, optimizer=optimizer, progress=False)
        assert net.layers[0].biases[0] == pytest.approx(0.06, rel=1e-12)

    @pytest.mark.parametrize("weight", [None, WEIGHT])
    @pytest.mark.parametrize("make", [SGD, Adam])
    @pytest.mark.parametrize(("batch_size", "batches"), [(4, 10), (3, 8), (7, 2), (1, 5), (5, 3)])
    def test_as_batches_of_that_many_rows(self, batch_size, batches, make, weight):
        """What is left at the end of an epoch is a step of its own, on the rows that there are."""
        y = targets("mean_squared_error")[0][1]
        nets = [Network.mlp([3, 4, 6], activation="tanh", seed=0, dtype="float64") for _ in range(2)]
        nets = [Network.from_config(net.get_config() | {"regularizer": {"name": "l1_l2", "l1": 0.01, "l2": 0.1}})
                for net in nets]  # fmt: skip
        options = {"sample_weight": weight, "shuffle": True}
        several = make(0.01, gradient_accumulation_steps=batches)
        found = fitted(nets[0], X, y, batch_size=batch_size, optimizer=several, **options)
        expected = fitted(nets[1], X, y, batch_size=batch_size * batches, optimizer=make(0.01), **options)
        assert_same(*nets)
        assert found["loss"] == pytest.approx(expected["loss"], rel=1e-9)


class TestOneRow:
    """Of one row there is no variance."""

    def test_it_is_normalized_by_the_moving_averages_and_moves_nothing(self):
        net = Network([Input(2), BatchNorm(0.5, epsilon=0.1)], seed=0, dtype="float64")
        layer = net.layers[0]
        layer.moving_mean, layer.moving_variance = [1.0, 2.0], [4.0, 9.0]
        expected, x, y = net.predict([[3.0, 5.0]]), [[3.0, 5.0]], [[1.0, -1.0]]
        with pytest.warns(cynn.errors.CynnWarning, match="at least two rows for BatchNorm"):
            (of_gamma, of_beta), = net.gradients(x, y)
        normal = (np.array([3.0, 5.0]) - [1.0, 2.0]) / np.sqrt([4.1, 9.1])
        np.testing.assert_allclose(of_beta, (expected - y)[0], rtol=1e-12)
        np.testing.assert_allclose(of_gamma, (expected - y)[0] * normal, rtol=1e-12)
        with pytest.warns(cynn.errors.CynnWarning):
            assert net.train_batch(x, y, optimizer=SGD(0.1)) == pytest.approx(((expected - y) ** 2).mean(), rel=1e-12)
        assert (layer.moving_mean.tolist(), layer.moving_variance.tolist()) == ([1.0, 2.0], [4.0, 9.0])

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_the_gradient_behind_it_is_that_of_its_loss(self, dtype):
        net = network(dtype=dtype)
        layer = net.layers[1]
        layer.moving_mean, layer.moving_variance = np.linspace(-0.3, 0.3, 5), np.linspace(0.5, 2, 5)
        frozen = Network([Input(3), Dense(5, "tanh"), BatchNorm(trainable=False), Dense(6)], seed=0, dtype=dtype)
        frozen.set_weights(net.get_weights())
        y = targets("mean_squared_error")[0][1]
        with pytest.warns(cynn.errors.CynnWarning):
            found = net.gradients(X[:1], y[:1])
        for k in (0, 2):
            for own, expected in zip(found[k], frozen.gradients(X[:1], y[:1])[k], strict=True):
                np.testing.assert_allclose(own, expected, **DTYPES[dtype])

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_a_last_batch_of_one(self, dtype):
        """33 rows in batches of 32: the averages are those of the 32."""
        x = np.random.default_rng(0).normal(size=(33, 4)).astype(dtype)
        net, other = (Network([Input(4), BatchNorm(0.5)], seed=0, dtype=dtype) for _ in range(2))
        with pytest.warns(cynn.errors.CynnWarning) as seen:
            fitted(net, x, x, batch_size=32, epochs=5)
        assert len(seen) == 1
        fitted(other, x[:32], x[:32], batch_size=32, epochs=5)
        for name in ("moving_mean", "moving_variance"):
            np.testing.assert_array_equal(getattr(net.layers[0], name), getattr(other.layers[0], name))

    def test_rows_that_are_there_are_counted(self):
        net = network()
        y = targets("mean_squared_error")[0][1]
        before = net.layers[1].moving_mean.copy()
        with pytest.warns(cynn.errors.CynnWarning):
            fitted(net, X[:3], y[:3], sample_weight=[0, 2, 0])
        np.testing.assert_array_equal(net.layers[1].moving_mean, before)

    def test_one_warning_a_fit(self):
        y, net = targets("mean_squared_error")[0][1], network()
        with pytest.warns(cynn.errors.CynnWarning) as seen:
            fitted(net, ((X[k : k + 1], y[k : k + 1]) for k in range(ROWS)), None, epochs=1)
        assert len(seen) == 1
        fitted(Network.mlp([3, 6], seed=0), X, y, batch_size=1)  # without BatchNorm: none

    def test_moving_averages_of_one_row(self):
        with pytest.raises(ShapeError, match=r"at least two rows, of which there is a variance\. Got 1"):
            network().update_moving_averages(X[:2], sample_weight=[0, 2])

    def test_r2_of_one_row(self):
        with pytest.warns(cynn.errors.CynnWarning, match="r2_score must have at least two rows"):
            assert np.isnan(cynn.metrics.R2Score()([1.0], [1.0]))


class TestMetrics:
    """Every metric of weights is that of copies."""

    @pytest.mark.parametrize(
        "metric",
        ["accuracy", cynn.metrics.TopKAccuracy(2), "binary_accuracy", "mse", "rmse", "mae", "r2_score"],
        ids=str,
    )
    @pytest.mark.parametrize("kind", ["classes", "labels", "values"])
    def test_built_in(self, metric, kind):
        random = np.random.default_rng(2)
        prediction = random.uniform(size=(ROWS, 4))
        y = {"classes": np.eye(4)[random.integers(0, 4, ROWS)], "labels": random.integers(0, 2, (ROWS, 4)),
             "values": random.normal(size=(ROWS, 4))}[kind]  # fmt: skip
        net = Network([Input(4), Dense(4)], seed=0, dtype="float64")
        net.set_weights([np.eye(4), np.zeros(4)])
        found = net.evaluate(prediction, y, metrics=[metric], sample_weight=WEIGHT)
        expected = net.evaluate(prediction[COPIES], y[COPIES], metrics=[metric])
        assert found == {name: pytest.approx(figure, rel=1e-12) for name, figure in expected.items()}

    @pytest.mark.parametrize("name", ["MeanSquaredError", "Accuracy", "R2Score", "MeanAbsoluteError"])
    def test_called_by_hand(self, name):
        y, prediction = np.arange(5.0) % 2, np.linspace(0.2, 0.8, 5)
        metric, weight = getattr(cynn.metrics, name)(), [0, 2, 1, 1, 3]
        expected = metric(np.repeat(y, weight), np.repeat(prediction, weight))
        assert metric(y, prediction, sample_weight=weight) == pytest.approx(expected, rel=1e-12)

    def test_of_scikit_learn(self):
        metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
        random = np.random.default_rng(2)
        prediction, y = random.dirichlet(np.ones(3), ROWS), random.integers(0, 3, ROWS)
        net = Network([Input(3), Dense(3)], seed=0, dtype="float64")
        net.set_weights([np.eye(3), np.zeros(3)])
        for metric in (metrics.balanced_accuracy_score, metrics.log_loss, metrics.matthews_corrcoef,
                       functools.partial(metrics.f1_score, average="macro")):  # fmt: skip
            (name, found), = list(net.evaluate(prediction, y, metrics=[metric], sample_weight=WEIGHT).items())[1:]
            (_, expected), = list(net.evaluate(prediction[COPIES], y[COPIES], metrics=[metric]).items())[1:]
            assert found == pytest.approx(expected, rel=1e-12), name

    def test_functions_of_ones_own(self):
        net, seen = Network.mlp([3, 1], seed=0), []

        def weighed(y_true, y_pred, sample_weight=None):
            seen.append(sample_weight)
            return 0.0

        def plain(y_true, y_pred):
            return float(len(y_true))

        y = X[:, :1]
        assert net.evaluate(X, y, metrics=[weighed, plain], sample_weight=WEIGHT)["plain"] == (WEIGHT > 0).sum()
        np.testing.assert_allclose(seen[0], WEIGHT[WEIGHT > 0] / WEIGHT[WEIGHT > 0].mean())
        net.evaluate(X, y, metrics=[weighed, plain])
        assert seen[1] is None

    @pytest.mark.parametrize("transform", [None, lambda x, y, generator: (x, y)])
    def test_in_training(self, transform):
        """By the weights of classes too."""
        y = np.arange(ROWS) % 3
        net = network("cross_entropy", outputs=3)
        options = {"loss": "cross_entropy", "metrics": ["accuracy"], "epochs": 1, "optimizer": SGD(1e-300)}
        found = fitted(net, X, y, sample_weight=WEIGHT, class_weight={1: 4}, transform=transform, **options)
        times = np.repeat(np.arange(ROWS), (WEIGHT * np.array([1, 4, 1])[y]).astype(int))
        expected = fitted(network("cross_entropy", outputs=3), X[times], y[times], **options)
        assert_same_figures(figures(found), figures(expected))
