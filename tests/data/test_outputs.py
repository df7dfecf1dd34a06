"""Networks of several outputs: what is given and returned for each, their losses, and the sum that is trained on."""

import copy
import pickle

import helpers
import numpy as np
import pytest

import cynn
from cynn import Activation, Add, BatchNorm, Concatenate, Dense, Dropout, Input, Network
from cynn.callbacks import Callback, EarlyStopping
from cynn.data import inputs
from cynn.data.targets import JointTargets, Targets
from cynn.errors import DataError, InvalidParameterError, PluginError, ShapeError
from cynn.optimizers import SGD, Adam

GENERATOR = np.random.default_rng(0)
N = 41
X = GENERATOR.normal(size=(N, 4))
KIND = GENERATOR.integers(0, 3, N)
FLAG = GENERATOR.integers(0, 2, (N, 2))
SIZE = GENERATOR.normal(size=(N, 2))
Y = {"kind": KIND, "flag": FLAG, "size": SIZE}
WEIGHTS = {"kind": 0.5, "flag": 2.0, "size": 3.0}


def layers(**changed):
    """Outputs of different depth, two of which go on into the third: one as z and a are apart."""
    x = Input(4)
    h = Dense(6, "tanh")(x)
    kind = Dense(3, "softmax")(h)
    flag = Activation("sigmoid")(Dense(2)(x))
    size = Dense(2)(Concatenate()(kind, Dense(3, "tanh")(Concatenate()(h, flag))))
    return {"kind": kind, "flag": flag, "size": size}


def network(dtype="float64", seed=3, **options):
    return Network(layers(), seed=seed, dtype=dtype, **options)


def fit(net, y=Y, x=X, **options):
    options = {"epochs": 3, "batch_size": 16, "optimizer": Adam(0.01), "progress": False, **options}
    return net.fit(x, y, **options)


def numeric(net, **options):
    """Central differences of the loss of `evaluate`, for each parameter in turn."""
    for layer in cynn.layers.walk(net.layers):
        for parameter in layer.parameters.values():
            for index in np.ndindex(parameter.shape):
                middle, h = parameter[index], 1e-6
                parameter[index] = middle + h
                above = net.evaluate(X, **options)["loss"]
                parameter[index] = middle - h
                below = net.evaluate(X, **options)["loss"]
                parameter[index] = middle
                yield (above - below) / (2 * h)


def flat(gradients):
    return np.concatenate([g.ravel() for of_layer in gradients for g in of_layer])


class Absolute(cynn.losses.Loss):
    """|prediction - target|, in Python."""

    name = "absolute"

    def value_and_gradient(self, prediction, target):
        return np.abs(prediction - target).sum(axis=1), np.sign(prediction - target)


class TestGradients:
    @pytest.mark.parametrize("loss", [None, "mean_squared_error", {"size": Absolute()}, {"kind": Absolute()}])
    @pytest.mark.parametrize("loss_weights", [None, WEIGHTS])
    def test_central_differences(self, loss, loss_weights):
        net = network()
        options = {"y": Y, "loss": loss, "loss_weights": loss_weights}
        found = flat(net.gradients(X, **options))
        np.testing.assert_allclose(found, list(numeric(net, **options)), rtol=2e-6, atol=1e-8)

    def test_one_value_that_is_two_outputs(self):
        h = Dense(2, "sigmoid")(Input(4))
        net = Network([h, Activation("identity")(h), Activation("tanh")(h)], seed=0, dtype="float64")
        options = {"y": [FLAG, SIZE, SIZE + 1], "loss": ["binary_cross_entropy", "mse", "mse"]}
        found = flat(net.gradients(X, **options))
        np.testing.assert_allclose(found, list(numeric(net, **options)), rtol=2e-6, atol=1e-8)
        first, second, third = net.predict(X)
        np.testing.assert_array_equal(first, second)
        np.testing.assert_allclose(third, np.tanh(first), rtol=1e-12)

    def test_an_output_that_a_layer_would_write_over(self):
        """What noise takes, it may write over, but not what a loss takes: also where no other layer does."""
        h = Dense(2, "tanh")(Input(4))
        net = Network([h, Dense(2)(Dropout(0.9)(h))], seed=0, dtype="float64")
        history = net.fit(X, [SIZE, SIZE], epochs=1, batch_size=N, optimizer=SGD(1e-30), metrics="mse", progress=False)
        fresh = Network.from_config(net.get_config())
        expected = np.square(fresh.predict(X)[0] - SIZE).mean()
        assert history["output_0_loss"] == [pytest.approx(expected, rel=1e-12)]
        assert history["output_0_mse"] == [pytest.approx(expected, rel=1e-12)]

    def test_an_activation_on_another_that_writes_in_place(self):
        h = Dense(2)(Input(4))
        net = Network([h, Activation("relu")(h), Activation("sigmoid")(h)], seed=0, dtype="float64")
        options = {"y": [SIZE, SIZE + 1, FLAG]}
        found = flat(net.gradients(X, **options))
        np.testing.assert_allclose(found, list(numeric(net, **options)), rtol=2e-6, atol=1e-8)

    def test_the_sum_over_the_losses(self):
        net = network()
        total = 0
        for name in Y:
            weights = dict.fromkeys(Y, 1e-300) | {name: WEIGHTS[name]}
            total = total + flat(net.gradients(X, Y, loss_weights=weights))
        np.testing.assert_allclose(flat(net.gradients(X, Y, loss_weights=WEIGHTS)), total, rtol=1e-10, atol=1e-14)

    def test_a_branch_that_is_not_trained(self):
        h = Dense(3, "tanh", trainable=False)(Input(4))
        net = Network([Dense(2, trainable=False)(h), Dense(2)(h)], seed=0, dtype="float64")
        first, second, third = net.gradients(X, [SIZE, SIZE])
        assert first == second == (None, None)
        alone = Network([Input(4), Dense(3, "tanh", trainable=False), Dense(2)], seed=0, dtype="float64")
        weights = net.get_weights()
        alone.set_weights(weights[:2] + weights[4:])
        for found, expected in zip(third, alone.gradients(X, SIZE)[1], strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-12)

    def test_far_from_zero(self):
        """Computed from z, a softmax that is sure and wrong has a finite loss and a gradient."""
        net = Network({"a": Dense(3, "softmax")(h := Dense(2)(Input(1))), "b": Dense(1, "sigmoid")(h)}, seed=0)
        net.layers[0].weights, net.layers[1].weights = [[1.0, 0.0]], [[1000.0, 0, 0], [0, 0, 0]]
        net.layers[2].weights = [[1000.0], [0.0]]
        y = {"a": [1], "b": [0.0]}
        figures = net.evaluate([[1.0]], y)
        assert figures["a_loss"] == figures["b_loss"] == 1000
        gradients = dict(zip("hab", net.gradients([[1.0]], y), strict=True))
        np.testing.assert_array_equal(gradients["a"][1], [1, -1, 0])
        np.testing.assert_array_equal(gradients["b"][1], [1])


class TestOneOutputAmongOthers:
    @pytest.mark.parametrize("form", ["list", "dict"])
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_the_bits_of_a_plain_network(self, form, dtype):
        def node():
            return Dense(3, "softmax")(Dropout(0.2)(BatchNorm()(Dense(8, "relu")(Input(4)))))

        plain = Network(node(), seed=1, dtype=dtype)
        one = Network([node()] if form == "list" else {"kind": node()}, seed=1, dtype=dtype)
        y = [KIND] if form == "list" else {"kind": KIND}
        expected, found = fit(plain, KIND, metrics=["accuracy"]), fit(one, y, metrics=["accuracy"])
        assert helpers.digest(one) == helpers.digest(plain)
        name = "output_0" if form == "list" else "kind"
        assert found["loss"] == expected["loss"]
        assert found[f"{name}_accuracy"] == expected["accuracy"]
        predicted = one.predict(X)
        np.testing.assert_array_equal(predicted[0 if form == "list" else "kind"], plain.predict(X))

    def test_two_networks_side_by_side(self):
        """With nothing in common but the input, each half is trained as if it were alone."""
        x = Input(4)
        both = Network([Dense(3, "softmax")(Dense(5, "tanh")(x)), Dense(2)(Dense(7, "relu")(x))], seed=0,
                       dtype="float64")  # fmt: skip
        halves = [
            Network([Input(4), Dense(5, "tanh"), Dense(3, "softmax")], dtype="float64"),
            Network([Input(4), Dense(7, "relu"), Dense(2)], dtype="float64"),
        ]
        arrays = both.get_weights()
        for half, first in zip(halves, (0, 4), strict=True):
            half.set_weights(arrays[first : first + 4])
            half.seed = 0  # the same order of the rows
        fit(both, [KIND, SIZE])
        for half, y, first in zip(halves, (KIND, SIZE), (0, 4), strict=True):
            fit(half, y)
            for own, other in zip(half.get_weights(), both.get_weights()[first : first + 4], strict=True):
                np.testing.assert_allclose(own, other, rtol=1e-10)


class TestFigures:
    @pytest.mark.parametrize("loss_weights", [None, WEIGHTS, {"size": 4.0}])
    def test_the_loss_is_the_sum(self, loss_weights):
        net = network(regularizer="l2")
        history = fit(net, loss_weights=loss_weights, epochs=1, batch_size=N, validation_data=(X, Y))
        weights = dict.fromkeys(Y, 1.0) | (loss_weights or {})
        fresh = network(regularizer="l2")
        before = fresh.evaluate(X, Y, loss_weights=loss_weights)
        after = net.evaluate(X, Y, loss_weights=loss_weights)
        for figures, of, prefix in ((before, fresh, ""), (after, net, "val_")):
            total = sum(weights[name] * figures[f"{name}_loss"] for name in Y) + of.penalty()
            assert figures["loss"] == pytest.approx(total, rel=1e-12)
            for name in ("loss", *(f"{name}_loss" for name in Y)):
                assert history[prefix + name][0] == pytest.approx(figures[name], rel=1e-10)

    def test_each_loss_is_that_of_its_output(self):
        net = network()
        figures, predictions = net.evaluate(X, Y), net.predict(X)
        p = predictions["kind"][np.arange(N), KIND]
        assert figures["kind_loss"] == pytest.approx(-np.log(p).mean(), rel=1e-12)
        assert figures["size_loss"] == pytest.approx(np.square(predictions["size"] - SIZE).mean(), rel=1e-12)

    def test_metrics(self):
        net = network()
        predictions = net.predict(X)
        right = np.mean(predictions["kind"].argmax(axis=1) == KIND)

        def spread(y_true, y_pred):
            assert y_true.shape == y_pred.shape == (N, 2)
            return y_pred.std()

        figures = net.evaluate(X, Y, metrics={"kind": ["accuracy"], "size": spread})
        assert figures["kind_accuracy"] == right
        assert figures["size_spread"] == pytest.approx(predictions["size"].std())
        assert "flag_accuracy" not in figures
        for metrics in ("mse", ["mse"]):
            assert {f"{name}_mse" for name in Y} <= set(net.evaluate(X, Y, metrics=metrics))

    def test_metrics_of_an_epoch(self):
        net = network()
        history = fit(net, optimizer=SGD(1e-30), metrics={"kind": "accuracy", "flag": "accuracy"}, epochs=1)
        figures = net.evaluate(X, Y, metrics={"kind": "accuracy", "flag": "accuracy"})
        for name in ("kind_accuracy", "flag_accuracy"):
            assert history[name] == [pytest.approx(figures[name])]

    def test_metrics_of_a_list(self):
        net = Network(list(layers().values()), seed=0)
        figures = net.evaluate(X, list(Y.values()), metrics=[["accuracy"], None, ["mse"]])
        assert set(figures) == {"loss", *(f"output_{k}_loss" for k in range(3)), "output_0_accuracy", "output_2_mse"}

    def test_early_stopping(self):
        stopping = EarlyStopping("val_kind_accuracy", patience=1)
        fit(network(), callbacks=[stopping], metrics={"kind": "accuracy"}, validation_data=(X, Y), epochs=50)
        assert stopping.best > 0


class TestForms:
    def test_predictions(self):
        net = network()
        found = net.predict(X)
        assert {name: a.shape for name, a in found.items()} == {"kind": (N, 3), "flag": (N, 2), "size": (N, 2)}
        one = net.predict(X[0])
        for name, a in found.items():
            np.testing.assert_allclose(one[name], a[0], rtol=1e-12)
        assert net.outputs == {"kind": 3, "flag": 2, "size": 2}
        assert {name: f.name for name, f in net.output_activation.items()} == {
            "kind": "softmax", "flag": "sigmoid", "size": "identity",
        }  # fmt: skip

    def test_out(self):
        net = network()
        out = {name: np.empty_like(a) for name, a in net.predict(X).items()}
        for a in net.predict(X, out=out).values():
            assert any(a is given for given in out.values())
        for name, a in net.predict(X).items():
            np.testing.assert_array_equal(out[name], a)
        with pytest.raises(InvalidParameterError, match="out must be a dict with the keys"):
            net.predict(X, out=out["kind"])
        with pytest.raises(ShapeError, match="out must be an array of shape"):
            net.predict(X, out=out | {"flag": out["kind"]})

    def test_dropout_at_an_output(self):
        """What does nothing in a prediction makes no value there."""
        x = Input(4)
        h = Dense(4, "tanh")(x)
        net = Network([Dropout(0.5)(h), Dense(2)(h)], seed=0)
        first, _ = net.predict(X)
        np.testing.assert_array_equal(first, net.activations(X)[1])
        fit(net, [X, SIZE])

    def test_files_and_copies(self, tmp_path):
        for net in (network(), Network(list(layers().values()), seed=3), Network([layers()["kind"]], seed=0)):
            y = net._outputs.join([Y[name] for name in Y][: len(net._outputs.values)])
            fit(net, y)
            net.save(tmp_path / "net.safetensors")
            loaded = cynn.load(tmp_path / "net.safetensors")
            for again in (loaded, copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
                assert again.get_config() == net.get_config()
                found, expected = again.predict(X), net.predict(X)
                assert type(found) is type(expected)
                for a, b in zip(again._outputs.split(found, ""), net._outputs.split(expected, ""), strict=True):
                    np.testing.assert_array_equal(a, b)

    def test_a_configuration_with_an_order_of_its_own(self):
        config = network().get_config()
        assert Network.from_config(config).get_config() == config
        assert list(config["outputs"]) == ["kind", "flag", "size"]

    def test_it_can_be_shown(self):
        net = network()
        assert "softmax" in net.summary()
        assert "<svg" in net._repr_html_()
        assert "Network" in repr(net)
        assert len(net.diagnose(X, Y)) == len(net.layers)


class TestData:
    def test_batches(self):
        parts = [slice(0, 16), slice(16, 32), slice(32, N)]
        batches = [(X[part], {name: y[part] for name, y in Y.items()}) for part in parts]
        net, plain = network(), network()
        found = fit(net, None, batches, metrics={"kind": "accuracy"})
        expected = fit(plain, shuffle=False, metrics={"kind": "accuracy"})
        assert helpers.digest(net) == helpers.digest(plain)
        for name in ("loss", "kind_loss", "flag_loss", "kind_accuracy"):
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-12)

    def test_batches_that_need_more_room(self):
        batches = [(X[part], {name: y[part] for name, y in Y.items()}) for part in (slice(0, 5), slice(5, N))]
        history = fit(network(), None, batches, optimizer=SGD(1e-30), epochs=1)
        assert history["kind_loss"] == [pytest.approx(network().evaluate(X, Y)["kind_loss"])]

    def test_train_batch(self):
        net, plain = network(), network()
        for part in (slice(0, 16), slice(16, 32), slice(32, N)):
            net.train_batch(X[part], {name: y[part] for name, y in Y.items()}, optimizer=Adam(0.01),
                            loss_weights=WEIGHTS)  # fmt: skip
        fit(plain, shuffle=False, epochs=1, loss_weights=WEIGHTS)
        assert helpers.digest(net) == helpers.digest(plain)

    def test_transform(self):
        def plus_one(x, y, generator):
            assert set(y) == set(Y)
            return x + 1, y | {"size": y["size"] + 1}

        net, plain = network(), network()
        fit(net, transform=plus_one)
        fit(plain, Y | {"size": SIZE + 1}, X + 1)
        assert helpers.digest(net) == helpers.digest(plain)

    def test_validation_split(self):
        history = fit(network(), validation_split=0.25)
        assert {"val_loss", "val_kind_loss", "val_flag_loss", "val_size_loss"} <= set(history.history)

    def test_sample_weight(self):
        weight = np.arange(N) % 3
        twice = np.repeat(np.arange(N), weight)
        found = network().evaluate(X, Y, sample_weight=weight)
        expected = network().evaluate(X[twice], {name: y[twice] for name, y in Y.items()})
        assert found == {name: pytest.approx(figure, rel=1e-12) for name, figure in expected.items()}
        of_weight = flat(network().gradients(X, Y, sample_weight=weight))
        of_rows = flat(network().gradients(X[twice], {name: y[twice] for name, y in Y.items()}))
        np.testing.assert_allclose(of_weight, of_rows, rtol=1e-9, atol=1e-13)

    @pytest.mark.parametrize("seed", range(3))
    def test_a_split_of_the_same_share_everywhere(self, seed):
        """Of every combination of classes, and of each class of the first output that has some."""
        generator, share = np.random.default_rng(seed), 0.2
        kind, color = generator.choice(3, 1000, p=[0.8, 0.15, 0.05]), generator.integers(0, 12, 1000)
        size = Targets(generator.normal(size=(1000, 2)), None, 2)
        target = JointTargets([size, Targets(None, kind, 3), size, Targets(None, color, 12)], list)
        train, held_out = inputs.split(target, 1000, share, seed)
        assert sorted([*train, *held_out]) == list(range(1000))
        for k in range(3):
            assert abs((kind[held_out] == k).sum() - share * (kind == k).sum()) < 1 + 1e-9
            for of_color in range(12):
                both = (kind == k) & (color == of_color)
                assert abs(both[held_out].sum() - share * both.sum()) < 1 + 1e-9

    @pytest.mark.parametrize("n_threads", [2, 3, 16])
    def test_the_same_bits_at_any_number_of_threads(self, n_threads):
        big = {name: np.tile(y, (500, 1) if y.ndim == 2 else 500) for name, y in Y.items()}
        digests, losses = set(), []
        for n in (1, n_threads):
            net = network("float32")
            history = fit(net, big, np.tile(X, (500, 1)), batch_size=10_000, n_threads=n, epochs=2)
            digests.add(helpers.digest(net))
            losses.append((history["loss"], history["flag_loss"]))
        assert len(digests) == 1
        assert losses[0] == losses[1]

    def test_steps_with_callbacks(self):
        seen = []

        class Watch(Callback):
            def on_step_end(self, step, logs):
                seen.append(logs["loss"])

        history = fit(network(), callbacks=[Watch()], epochs=1)
        assert history["loss"][0] == pytest.approx(np.average(seen, weights=[16, 16, 9]))

    def test_wide_layers_by_columns(self):
        """Tiles meet before and after, and the losses come between."""
        x = Input(600)
        h = Dense(600, "relu")(x)
        big = GENERATOR.normal(size=(128, 600)).astype(np.float32)
        net = Network([Dense(600)(h), Dense(3, "softmax")(BatchNorm()(h))], seed=0)
        digests = set()
        for n_threads in (1, 2):
            net = Network.from_config(net.get_config())
            fit(net, [big, np.arange(128) % 3], big, batch_size=128, n_threads=n_threads)
            digests.add(helpers.digest(net))
        assert len(digests) == 1


def weights(seed):
    generator = np.random.default_rng(seed)
    return np.where(generator.random(N) < 0.2, 0, generator.random(N) + 0.5)


def weighted(kind, flag=None, size=None):
    """One for each output; None where its rows count the same."""
    return {name: of_one for name, of_one in [("kind", kind), ("flag", flag), ("size", size)] if of_one is not None}


class TestWeightsOfRows:
    """Each loss is the mean over the rows as they count for its output."""

    @pytest.mark.parametrize("loss_weights", [None, WEIGHTS])
    @pytest.mark.parametrize("loss", [None, {"size": Absolute()}])
    def test_central_differences(self, loss, loss_weights):
        net = network()
        options = {"y": Y, "loss": loss, "loss_weights": loss_weights,
                   "sample_weight": weighted(weights(0), size=weights(1))}  # fmt: skip
        found = flat(net.gradients(X, **options))
        np.testing.assert_allclose(found, list(numeric(net, **options)), rtol=2e-6, atol=1e-8)

    def test_each_loss(self):
        found = network().evaluate(X, Y, sample_weight=weighted(weights(0), size=weights(1)))
        for name, weight in (("kind", weights(0)), ("flag", None), ("size", weights(1))):
            alone = network().evaluate(X, Y, sample_weight=weight)[f"{name}_loss"]
            assert found[f"{name}_loss"] == pytest.approx(alone, rel=1e-14)
        assert found["loss"] == pytest.approx(sum(found[f"{name}_loss"] for name in Y), rel=1e-14)

    @pytest.mark.parametrize("of_classes", [False, True])
    def test_two_networks_side_by_side(self, of_classes):
        """With nothing in common but the input, each half is trained as if it were alone, also by its own weights."""
        x, color = Input(4), np.eye(3)[GENERATOR.integers(0, 3, N)]
        both = Network([Dense(3, "softmax")(Dense(5, "tanh")(x)), Dense(3, "softmax")(Dense(7, "relu")(x))], seed=0,
                       dtype="float64")  # fmt: skip
        halves = [Network([Input(4), Dense(units, name), Dense(3, "softmax")], dtype="float64")
                  for units, name in ((5, "tanh"), (7, "relu"))]  # fmt: skip
        arrays = both.get_weights()
        name = "class_weight" if of_classes else "sample_weight"
        given = ["balanced", {1: 5, 2: 0.5}] if of_classes else [1 + weights(0), 1 + weights(1)]
        history = fit(both, [KIND, color], **{name: given})
        for k, (half, y) in enumerate(zip(halves, (KIND, color), strict=True)):
            half.set_weights(arrays[4 * k : 4 * k + 4])
            half.seed = 0  # the same order of the rows
            alone = fit(half, y, **{name: given[k]})
            np.testing.assert_allclose(history[f"output_{k}_loss"], alone["loss"], rtol=1e-10)
            for own, other in zip(half.get_weights(), both.get_weights()[4 * k : 4 * k + 4], strict=True):
                np.testing.assert_allclose(own, other, rtol=1e-10)

    def test_the_loss_of_an_epoch_is_the_sum(self):
        """Each batch's is its weighted sum over its rows, with weights whose mean over all rows is 1."""
        net = network(regularizer="l2")
        seen = []

        class Watch(Callback):
            def on_step_end(self, step, logs):
                seen.append(logs["loss"])

        history = fit(net, optimizer=SGD(1e-30), epochs=1, loss_weights=WEIGHTS, shuffle=False, callbacks=[Watch()],
                      sample_weight=weighted(np.arange(N), size=N - np.arange(N)))  # fmt: skip
        expected = sum(WEIGHTS[name] * history[f"{name}_loss"][0] for name in Y) + net.penalty()
        assert history["loss"] == [pytest.approx(expected, rel=1e-12)]
        scale = {"kind": 2 / (N - 1), "flag": 1, "size": 2 / (N + 1)}
        for step, part in enumerate((slice(0, 16), slice(16, 32), slice(32, N))):
            of_batch = {"kind": np.arange(N)[part], "flag": np.ones(N)[part], "size": (N - np.arange(N))[part]}
            y = {name: of_one[part] for name, of_one in Y.items()}
            figures = net.evaluate(X[part], y, loss_weights=WEIGHTS, sample_weight=of_batch)
            means = {name: WEIGHTS[name] * scale[name] * of_batch[name].mean() for name in Y}
            expected = sum(means[name] * figures[f"{name}_loss"] for name in Y) + net.penalty()
            assert seen[step] == pytest.approx(expected, rel=1e-9)

    def test_short_epochs_have_the_same_figures(self):
        one = Network([Dense(1)(Input(4))], seed=0, regularizer="l2")
        history = one.fit(X, [SIZE[:, 0]], sample_weight=weights(0), optimizer=SGD(0.01), epochs=30, progress=False)
        plain = Network([Input(4), Dense(1)], seed=0, regularizer="l2")
        hurried = plain.fit(X, SIZE[:, 0], sample_weight=weights(0), optimizer=SGD(0.01), epochs=30, progress=False)
        assert hurried["loss"] == history["loss"]

    def test_class_weight_is_a_weight_of_rows(self):
        net, other, unlike = network(), network(), network()
        fit(net, class_weight={"kind": {0: 2.0, 2: 0.5}})
        fit(other, sample_weight={"kind": np.array([2, 1, 0.5])[KIND]})
        fit(unlike, sample_weight=np.array([2, 1, 0.5])[KIND])
        assert helpers.digest(net) == helpers.digest(other) != helpers.digest(unlike)

    def test_both_multiply(self):
        net, other = network(), network()
        fit(net, class_weight={"kind": {0: 2}}, sample_weight=weights(0))
        twice = weights(0) * np.array([2, 1, 1])[KIND]
        fit(other, sample_weight={"kind": twice, "flag": weights(0), "size": weights(0)})
        assert helpers.digest(net) == helpers.digest(other)

    def test_one_for_all(self):
        x = Input(4)
        both = [Network([Dense(3, "softmax")(x), Dense(3, "softmax")(Dense(2)(x))], seed=0) for _ in range(4)]
        y = [KIND, (KIND + 1) % 3]
        fit(both[0], y, class_weight={0: 2})
        fit(both[1], y, class_weight=[{0: 2}, {0: 2}])
        fit(both[2], y, sample_weight=[list(1 + (of_one == 0)) for of_one in y])
        fit(both[3], y, class_weight={"output_0": {0: 2}, "output_1": {0: 2}})
        assert len({helpers.digest(net) for net in both}) == 1
        fit(both[0], y, sample_weight=list(weights(0)))
        fit(both[1], y, sample_weight=[weights(0), weights(0)])
        assert helpers.digest(both[0]) == helpers.digest(both[1])
        fit(both[0], y, sample_weight=[None, weights(0)])
        fit(both[1], y, sample_weight=[np.ones(N), weights(0)])
        assert helpers.digest(both[0]) == helpers.digest(both[1])

    def test_batches_and_transforms_and_single_steps(self):
        """Batches and steps take the weights as they are given: here with a mean of 1."""
        of_rows, nets = weighted(weights(0), size=weights(1)), [network() for _ in range(4)]
        three = np.array([1, 3, 1])[KIND]
        of_rows["kind"] /= (of_rows["kind"] * three).mean()
        of_rows["size"] /= of_rows["size"].mean()
        parts = [slice(0, 16), slice(16, 32), slice(32, N)]
        batches = [
            (X[part], {name: y[part] for name, y in Y.items()}, {name: w[part] for name, w in of_rows.items()})
            for part in parts
        ]
        fit(nets[0], None, batches, epochs=1, class_weight={"kind": {1: 3}})
        fit(nets[1], sample_weight=of_rows, class_weight={"kind": {1: 3}}, shuffle=False, epochs=1)
        fit(nets[2], sample_weight=of_rows, class_weight={"kind": {1: 3}}, shuffle=False, epochs=1,
            transform=lambda x, y, generator: (x, y))  # fmt: skip
        for x, y, weight in batches:
            times = weight | {"kind": weight["kind"] * np.array([1, 3, 1])[y["kind"]]}
            nets[3].train_batch(x, y, sample_weight=times, optimizer=Adam(0.01))
        assert helpers.digest(nets[0]) == helpers.digest(nets[3])
        assert helpers.digest(nets[1]) == helpers.digest(nets[2])
        for own, other in zip(nets[0].get_weights(), nets[1].get_weights(), strict=True):
            np.testing.assert_allclose(own, other, rtol=1e-10)

    def test_validation(self):
        of_rows = weighted(weights(0), size=weights(1))
        net = network()
        history = fit(net, validation_data=(X, Y, of_rows), epochs=1)
        figures = net.evaluate(X, Y, sample_weight=of_rows)
        assert {name: history[f"val_{name}"][0] for name in figures} == figures
        net, other = network(), network()
        history = fit(net, validation_split=0.25, sample_weight=of_rows, class_weight={"kind": "balanced"})
        objective = net.objective(None)
        target = objective.targets(Y, N, "y", objective.sample_weights(of_rows, N), check_finite=True)
        train, held_out = inputs.split(target, N, 0.25, net.seed)
        held = {name: y[held_out] for name, y in Y.items()}
        expected = net.evaluate(X[held_out], held, sample_weight={name: w[held_out] for name, w in of_rows.items()})
        assert history["val_loss"][-1] == pytest.approx(expected["loss"], rel=1e-12)
        fit(other, {name: y[train] for name, y in Y.items()}, X[train], class_weight={"kind": "balanced"},
            sample_weight={name: w[train] for name, w in of_rows.items()}, shuffle=False, epochs=1)  # fmt: skip
        again = network()
        fit(again, validation_split=0.25, sample_weight=of_rows, class_weight={"kind": "balanced"}, shuffle=False,
            epochs=1)  # fmt: skip
        assert helpers.digest(again) == helpers.digest(other)

    def test_what_is_refused(self):
        for given, words in [
            ({"kind": np.ones(N - 1)}, r"sample_weight of kind must have the shape \(41,\)"),
            ({"size": -weights(0)}, "sample_weight of size must be finite and >= 0"),
            ({"flag": np.zeros(N)}, "sample_weight of flag must not be zero everywhere"),
        ]:
            with pytest.raises((DataError, ShapeError), match=words):
                fit(network(), sample_weight=given)
        for given, words in [
            ({"kind": "fair"}, "'class_weight of kind' parameter of fit must be 'balanced' or a dict"),
            ({"kind": {3: 1}}, r"'class_weight of kind' parameter of fit \(its keys\) must be a whole number"),
            ({"kind": {0: -1}}, r"'class_weight of kind' parameter of fit \(of class 0\) must be a finite number"),
            ({"size": "balanced"}, "class_weight of size must come with classes"),
        ]:
            with pytest.raises((DataError, InvalidParameterError), match=words):
                fit(network(), class_weight=given)
        with pytest.raises(InvalidParameterError, match=r"must be a dict where x gives batches\. Got 'balanced'"):
            fit(network(), None, [(X, Y)], class_weight={"kind": "balanced"})


class TestWhatCannotBe:
    @pytest.mark.parametrize("name", ["loss", "loss_weights", "metrics", "sample_weight", "class_weight"])
    @pytest.mark.parametrize("form", ["dict", "list"])
    def test_a_name_that_no_output_has(self, name, form):
        net, y, known = network(), Y, ["kind", "flag", "size"]
        if form == "list":
            net, y, known = Network(list(layers().values())), list(Y.values()), [f"output_{k}" for k in range(3)]
        value = {"loss": "mse", "loss_weights": 2.0, "metrics": "mse", "sample_weight": np.ones(N),
                 "class_weight": {0: 2.0}}[name]  # fmt: skip
        near = {"dict": "knd", "list": "output_9"}[form]
        for wrong, hint in ((near, rf" Did you mean .*'{known[0]}'"), ("xyz", "$")):
            words = rf"The keys of {name} must be names of outputs, among {known}. Got '{wrong}' instead.{hint}"
            words = words.replace("[", r"\[").replace("]", r"\]")
            with pytest.raises(InvalidParameterError, match=words):
                fit(net, y, **{name: {wrong: value, known[1]: value}})
            if name != "class_weight":
                with pytest.raises(InvalidParameterError, match=words):
                    net.evaluate(X, y, **{name: {known[1]: value, wrong: value}})

    def test_a_configuration_is_no_dict_by_name(self):
        net = network()
        given = net.evaluate(X, Y, loss={"kind": {"name": "mean_squared_error"}, "size": "mean_absolute_error"})
        assert given["flag_loss"] == network().evaluate(X, Y)["flag_loss"]
        for_all = {"name": "mean_squared_error"}
        assert net.evaluate(X, Y, loss=for_all) == net.evaluate(X, Y, loss="mean_squared_error")

    @pytest.mark.parametrize("y", [KIND, {"kind": KIND}, [KIND, FLAG, SIZE], Y | {"other": SIZE}, None])
    def test_targets(self, y):
        with pytest.raises(InvalidParameterError, match=r"y must be a dict with the keys \['kind', 'flag', 'size'\]"):
            network().evaluate(X, y)

    def test_targets_of_one_output(self):
        with pytest.raises(DataError, match="y of kind must be classes"):
            fit(network(), Y | {"kind": KIND + 1})
        with pytest.raises(ShapeError, match="validation y of flag must have as many rows as x"):
            fit(network(), validation_data=(X, Y | {"flag": FLAG[1:]}))

    def test_a_list_of_another_length(self):
        net = Network(list(layers().values()), seed=0)
        with pytest.raises(InvalidParameterError, match="y must be a list of 3, one for each output"):
            net.evaluate(X, [KIND, FLAG])
        with pytest.raises(InvalidParameterError, match="loss must be a list of 3"):
            net.evaluate(X, [KIND, FLAG, SIZE], loss=["mse"])

    @pytest.mark.parametrize("weights", [{"kind": 0}, {"kind": -1}, {0: 1}, "2", 0])
    def test_loss_weights(self, weights):
        with pytest.raises(InvalidParameterError, match="'loss_weights' parameter of fit must be a finite number > 0"):
            fit(network(), loss_weights=weights)

    def test_class_weight(self):
        with pytest.raises(DataError, match="class_weight of flag must come with classes"):
            fit(network(), class_weight="balanced")

    def test_an_input_as_an_output(self):
        x = Input(4)
        with pytest.raises(InvalidParameterError, match="Every output of a network must be what a layer has made"):
            Network([Dense(2)(x), Activation("identity")(x)])
        with pytest.raises(InvalidParameterError, match="a list of an Input and one or more layers"):
            Network([Dense(2)(x), x])

    @pytest.mark.parametrize("outputs", [3, [], {}, [0], [3], ["1"], [True], {"a": 0}])
    def test_outputs_by_number(self, outputs):
        with pytest.raises(InvalidParameterError, match="numbers from 1 to 2"):
            Network([Input(3), Dense(2), Dense(2)], outputs=outputs)

    def test_two_inputs(self):
        with pytest.raises(InvalidParameterError, match="begin at one Input"):
            Network([Dense(2)(Input(3)), Dense(2)(Input(3))])

    def test_a_python_loss_that_raises(self):
        class Broken(cynn.losses.Loss):
            name = "broken"

            def value_and_gradient(self, prediction, target):
                raise RuntimeError("no")

        net = network()
        before = helpers.digest(net)
        with pytest.raises(PluginError, match="broken"):
            fit(net, loss={"flag": Broken()})
        assert helpers.digest(net) == before

    def test_add_of_outputs(self):
        h = Dense(2)(Input(3))
        net = Network([h, Add()(h, Dense(2)(h))], outputs=None)
        assert [a.shape for a in net.predict(np.zeros((5, 3)))] == [(5, 2), (5, 2)]
