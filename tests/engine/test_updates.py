"""What happens around the optimizer's step: regularizers, clipping, accumulation, averages, constraints."""

import helpers
import numpy as np
import pytest

import cynn
from cynn import Dense, Embedding, Input, Network
from cynn.errors import InvalidParameterError, UnknownNameError
from cynn.optimizers import SGD, Adam
from cynn.regularizers import L1, L1L2, L2

X, Y = np.random.default_rng(0).normal(size=(2, 24, 3))


def network(dtype="float64", **options):
    return Network([Input(3), Dense(5, "tanh", **options), Dense(3)], seed=0, dtype=dtype)


def steps(net, optimizer, *, x=X, y=Y, batch_size=8, epochs=1, **options):
    net.fit(x, y, optimizer=optimizer, batch_size=batch_size, epochs=epochs, shuffle=False, progress=False, **options)
    return net


def parameters(net):
    return [array for layer in net.layers for array in (layer.weights, layer.biases)]


def by_hand(change, *, rate=0.1, n_batches=3, batch_size=8, **options):
    """Plain gradient descent, with the gradients changed by a function before each step."""
    net = network(**options)
    for batch in range(n_batches):
        part = slice(batch * batch_size, (batch + 1) * batch_size)
        gradients = [g for pair in net.gradients(X[part], Y[part]) for g in pair]
        for w, g in zip(parameters(net), change(gradients), strict=True):
            w -= rate * g
    return net


def assert_same(first, second, rtol=1e-12):
    for a, b in zip(parameters(first), parameters(second), strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-14)


class TestRegularizers:
    @pytest.mark.parametrize("regularizer", [L1(0.03), L2(0.02), L1L2(l1=0.01, l2=0.05)])
    def test_the_loss_and_its_gradient(self, regularizer):
        net, plain = network(regularizer=regularizer), network()
        W = net.layers[0].weights
        penalty = regularizer.l1 * np.abs(W).sum() + regularizer.l2 * np.square(W).sum()
        loss = plain.evaluate(X, Y)["loss"]
        assert net.evaluate(X, Y)["loss"] == pytest.approx(loss + penalty, rel=1e-12)
        assert net.penalty() == pytest.approx(penalty, rel=1e-12)
        (found, db), (expected, expected_db) = net.gradients(X, Y)[0], plain.gradients(X, Y)[0]
        np.testing.assert_allclose(found, expected + regularizer.l1 * np.sign(W) + 2 * regularizer.l2 * W)
        np.testing.assert_array_equal(db, expected_db)

    @pytest.mark.parametrize("regularizer", ["l1", "l2", L1L2(l1=0.01, l2=0.05)])
    def test_in_training(self, regularizer):
        net = steps(network(regularizer=regularizer), SGD(learning_rate=0.1))
        assert_same(net, by_hand(lambda gradients: gradients, regularizer=regularizer))
        first = network(regularizer=regularizer).evaluate(X, Y)["loss"]
        history = network(regularizer=regularizer).fit(X, Y, batch_size=24, epochs=1, progress=False)
        assert history["loss"][0] == pytest.approx(first, rel=1e-12)

    def test_biases_have_no_part_in_it(self):
        held = {"regularizer": L1L2(l1=0.5, l2=0.5), "constraint": cynn.constraints.MaxNorm(0.1)}
        net, plain = network(**held), network()
        for one in (net, plain):
            one.layers[0].biases = [1, -2, 3, -4, 5]
        np.testing.assert_array_equal(net.gradients(X, Y)[0][1], plain.gradients(X, Y)[0][1])
        steps(net, SGD(learning_rate=1e-9))
        np.testing.assert_allclose(net.layers[0].biases, [1, -2, 3, -4, 5], rtol=1e-6)

    def test_l1_pushes_no_weight_from_zero(self):
        net, plain = network(regularizer=L1(0.5)), network()
        for one in (net, plain):
            one.layers[0].weights[1] = 0
        np.testing.assert_array_equal(net.gradients(X, Y)[0][0][1], plain.gradients(X, Y)[0][0][1])

    def test_for_all_layers(self):
        layers = [Input(3), Dense(5, "tanh"), Dense(3, regularizer=L1(0.0))]
        net = Network(layers, seed=0, dtype="float64", regularizer=L2(0.5))
        assert net.penalty() == pytest.approx(0.5 * np.square(net.layers[0].weights).sum())
        assert Network.from_config(net.get_config()).penalty() == net.penalty()

    def test_an_embedding_is_one_of_them(self):
        """The whole table: also vectors that no row of the batch has taken."""
        table = [Input(3), Embedding(4, 2), Dense(3, regularizer=L1(0.0))]
        net = Network(table, seed=0, dtype="float64", regularizer=L2(0.5))
        x, W = np.zeros((24, 3)), net.layers[0].weights
        assert net.penalty() == pytest.approx(0.5 * np.square(W).sum())
        (found,), *_ = net.gradients(x, Y)
        (expected,), *_ = Network(table, seed=0, dtype="float64").gradients(x, Y)
        np.testing.assert_allclose(found, expected + W, rtol=1e-12)
        assert (expected[1:] == 0).all()
        history = Network.from_config(net.get_config()).fit(x, Y, batch_size=24, epochs=1, progress=False)
        assert history["loss"] == [pytest.approx(net.evaluate(x, Y)["loss"], rel=1e-12)]

    @pytest.mark.parametrize("given", [3, {"l2": 1}, {"name": "l2", "l1": 1}, ["l2"]])
    def test_what_is_none(self, given):
        with pytest.raises(InvalidParameterError, match="regularizer"):
            Dense(3, regularizer=given)

    def test_names(self):
        with pytest.raises(UnknownNameError, match="Did you mean"):
            Dense(3, regularizer="l_2")
        assert Dense(3, regularizer="l1_l2").regularizer == L1L2()
        for make, words in [
            (lambda: L1(-1), "'l1' parameter of L1 "),
            (lambda: L2(-1), "'l2' parameter of L2 "),
            (lambda: L1L2(l1=-1), "'l1' parameter of L1L2 "),
            (lambda: L1L2(l2=-1), "'l2' parameter of L1L2 "),
        ]:
            with pytest.raises(InvalidParameterError, match=words):
                make()


class TestConstraints:
    def test_max_norm(self):
        net = network(constraint=cynn.constraints.MaxNorm(0.5))
        net.layers[0].weights[:, 0] = 0.01
        short = net.layers[0].weights[:, 0].copy()
        steps(net, SGD(learning_rate=1e-9))
        norms = np.linalg.norm(net.layers[0].weights, axis=0)
        assert (norms <= 0.5 + 1e-8).all()
        assert norms.max() > 0.49
        np.testing.assert_allclose(net.layers[0].weights[:, 0], short, rtol=1e-6)

    def test_unit_norm(self):
        net = steps(network(constraint="unit_norm"), SGD(learning_rate=0.1))
        np.testing.assert_allclose(np.linalg.norm(net.layers[0].weights, axis=0), 1)

    def test_unit_norm_of_zeros(self):
        net = network(constraint="unit_norm")
        net.layers[0].weights[:, 1] = 0
        net.layers[1].weights[1] = 0  # so that no gradient moves them
        steps(net, SGD(learning_rate=0.1), batch_size=24)
        assert (net.layers[0].weights[:, 1] == 0).all()

    def test_non_negative(self):
        net = network(constraint="non_negative")
        before = [layer.weights.copy() for layer in net.layers]
        steps(net, SGD(learning_rate=1e-9))
        np.testing.assert_allclose(net.layers[0].weights, np.maximum(before[0], 0), atol=1e-7)
        np.testing.assert_allclose(net.layers[1].weights, before[1], rtol=1e-6)

    @pytest.mark.parametrize("constraint", ["max_norm", "unit_norm", "non_negative"])
    def test_gradients_alone_move_nothing(self, constraint):
        net = network(constraint=constraint)
        net.layers[0].weights = net.layers[0].weights * 10
        before = helpers.digest(net)
        net.gradients(X, Y)
        assert helpers.digest(net) == before

    def test_many_columns(self):
        net = Network([Input(3), Dense(700, constraint="unit_norm"), Dense(3)], seed=0, dtype="float64")
        steps(net, SGD(learning_rate=0.01))
        np.testing.assert_allclose(np.linalg.norm(net.layers[0].weights, axis=0), 1)

    def test_a_norm_that_is_none(self):
        for wrong in (0, -1, np.inf):
            with pytest.raises(InvalidParameterError, match="'max_value' parameter of MaxNorm must be"):
                cynn.constraints.MaxNorm(wrong)

    @pytest.mark.parametrize("n_threads", [1, 3])
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize(("size", "units"), [(3, 5), (700, 3), (4, 700)])
    def test_of_an_embedding_they_hold_for_vectors(self, size, units, dtype, n_threads):
        def trained(constraint):
            table = Embedding(size, units, constraint=constraint, initializer="lecun_normal")
            net = Network([Input(1), table, Dense(2)], seed=0, dtype=dtype)
            before = net.layers[0].weights.copy()
            x = np.arange(size)[:, None]
            steps(net, SGD(learning_rate=1e-4), x=x, y=np.ones((size, 2)), batch_size=size, n_threads=n_threads)
            return before, net.layers[0].weights

        before, W = trained("unit_norm")
        np.testing.assert_allclose(np.linalg.norm(W, axis=1), 1, rtol=1e-5)
        limit = float(np.median(np.linalg.norm(before, axis=1)))
        before, W = trained({"name": "max_norm", "max_value": limit})
        norms, were = np.linalg.norm(W, axis=1), np.linalg.norm(before, axis=1)
        np.testing.assert_allclose(norms, np.minimum(limit, were), rtol=0.01)
        assert (norms <= limit * (1 + 1e-6)).all()
        before, W = trained("non_negative")
        np.testing.assert_allclose(W, np.maximum(0, before), atol=1e-3)
        assert (W >= 0).all()

    @pytest.mark.parametrize("given", [3, {"max_value": 1}, {"name": "unit_norm", "max_value": 1}])
    def test_what_is_none(self, given):
        with pytest.raises(InvalidParameterError, match="constraint"):
            Dense(3, constraint=given)


class TestClipping:
    def test_by_value(self):
        net = steps(network(), SGD(learning_rate=0.1, clipvalue=0.01))
        assert_same(net, by_hand(lambda gradients: [np.clip(g, -0.01, 0.01) for g in gradients]))

    def test_by_norm(self):
        def clip(gradients):
            return [g * min(1, 0.05 / np.linalg.norm(g)) for g in gradients]

        assert_same(steps(network(), SGD(learning_rate=0.1, clipnorm=0.05)), by_hand(clip))

    def test_by_global_norm(self):
        def clip(gradients):
            norm = np.sqrt(sum(np.square(g).sum() for g in gradients))
            assert norm > 0.2
            return [g * 0.2 / norm for g in gradients]

        assert_same(steps(network(), SGD(learning_rate=0.1, global_clipnorm=0.2)), by_hand(clip))

    def test_by_norm_and_then_by_global_norm(self):
        def clip(gradients):
            clipped = [g * min(1, 0.05 / np.linalg.norm(g)) for g in gradients]
            norm = np.sqrt(sum(np.square(g).sum() for g in clipped))
            assert norm > 0.06
            return [g * 0.06 / norm for g in clipped]

        assert_same(steps(network(), SGD(learning_rate=0.1, clipnorm=0.05, global_clipnorm=0.06)), by_hand(clip))

    @pytest.mark.parametrize("options", [{"clipvalue": 0.01}, {"clipnorm": 0.05}, {"global_clipnorm": 0.1}])
    def test_of_the_mean_of_several_batches(self, options):
        net = steps(network(), SGD(learning_rate=0.1, gradient_accumulation_steps=3, **options))
        assert_same(net, steps(network(), SGD(learning_rate=0.1, **options), batch_size=24))

    def test_limits_that_are_not_reached(self):
        plain = steps(network(), SGD(learning_rate=0.1))
        for name in ("clipvalue", "clipnorm", "global_clipnorm"):
            assert_same(steps(network(), SGD(learning_rate=0.1, **{name: 1e6})), plain)

    def test_an_infinite_norm_changes_nothing(self):
        """The loss is finite, a gradient is not."""
        net = Network([Input(3), Dense(5), Dense(3)], seed=0)
        net.layers[0].weights = net.layers[0].weights * 1e-30
        net.layers[1].weights = net.layers[1].weights * 1e18
        before = helpers.digest(net)
        with pytest.raises(cynn.errors.TrainingDivergedError):
            steps(net, SGD(global_clipnorm=1.0), x=X * 1e30, loss="mean_absolute_error")
        assert helpers.digest(net) == before


class TestAccumulation:
    @pytest.mark.parametrize(
        "make",
        [
            lambda **o: SGD(learning_rate=0.1, **o),
            lambda **o: Adam(0.01, **o),
            lambda **o: SGD(lambda step: 0.1 / (step + 1), **o),
        ],
    )
    def test_as_a_larger_batch(self, make):
        several = steps(network(), make(gradient_accumulation_steps=3), batch_size=4, epochs=2)
        assert_same(several, steps(network(), make(), batch_size=12, epochs=2))

    def test_what_is_left_at_the_end_of_an_epoch(self):
        net = steps(network(), SGD(learning_rate=0.1, gradient_accumulation_steps=2), batch_size=8)
        expected = steps(network(), SGD(learning_rate=0.1), x=X[:16], y=Y[:16], batch_size=16)
        steps(expected, SGD(learning_rate=0.1), x=X[16:], y=Y[16:], batch_size=8)
        assert_same(net, expected)

    def test_steps_are_counted(self):
        net = network()
        steps(net, Adam(gradient_accumulation_steps=2), epochs=3)
        assert net._optimizer_state.t == 2 * 3

    def test_batch_norm_averages_over_every_batch(self):
        net = Network([Input(3), cynn.BatchNorm(0.9), Dense(3)], seed=0, dtype="float64")
        steps(net, SGD(learning_rate=0.1, gradient_accumulation_steps=3))
        mean = 0.0
        for batch in np.split(X, 3):
            mean = 0.9 * mean + 0.1 * batch.mean(axis=0)
        np.testing.assert_allclose(net.layers[0].moving_mean, mean, rtol=1e-12)

    def test_batches_one_by_one(self):
        with pytest.raises(InvalidParameterError, match="must be 1 where batches come one by one"):
            network().train_batch(X, Y, optimizer=SGD(gradient_accumulation_steps=2))


class Plain(cynn.optimizers.Optimizer):
    """w := w - rate * grad"""

    name = "plain"

    def step(self, w, grad, slots, learning_rate, t):
        w -= learning_rate * grad


class TestAverages:
    def test_of_the_steps(self):
        net, mean = network(), None
        for _ in range(2):
            for batch in range(3):
                part = slice(8 * batch, 8 * batch + 8)
                mean = mean or [w.copy() for w in parameters(net)]
                steps(net, SGD(learning_rate=0.1), x=X[part], y=Y[part])
                mean = [0.9 * m + 0.1 * w for m, w in zip(mean, parameters(net), strict=True)]
        averaged = steps(network(), SGD(learning_rate=0.1, use_ema=True, ema_momentum=0.9), epochs=2)
        for found, expected in zip(parameters(averaged), mean, strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)

    def test_momentum_0_keeps_the_last_weights(self):
        for optimizer in (SGD, Adam, Plain):
            last = steps(network(), optimizer(learning_rate=0.1))
            averaged = steps(network(), optimizer(learning_rate=0.1, use_ema=True, ema_momentum=0.0))
            for found, expected in zip(parameters(averaged), parameters(last), strict=True):
                np.testing.assert_allclose(found, expected, rtol=1e-12)

    def test_a_second_fit_begins_at_the_weights_as_they_are(self):
        optimizer = SGD(1e-9, use_ema=True, ema_momentum=0.9)
        net = steps(network(), optimizer)
        net.set_weights([np.full_like(w, 5.0) for w in net.get_weights()])
        for w in parameters(steps(net, optimizer)):
            np.testing.assert_allclose(w, 5.0, rtol=1e-6)

    def test_with_an_optimizer_of_whole_parameters_or_in_python(self):
        options = {"learning_rate": 0.1, "use_ema": True, "clipvalue": 0.1, "gradient_accumulation_steps": 2}
        assert_same(steps(network(), Plain(**options), epochs=2), steps(network(), SGD(**options), epochs=2))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "options",
    [
        {"clipvalue": 0.01},
        {"clipnorm": 0.1},
        {"global_clipnorm": 0.1},
        {"gradient_accumulation_steps": 2},
        {"use_ema": True},
        {"global_clipnorm": 0.1, "gradient_accumulation_steps": 3, "use_ema": True},
    ],
)
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "lamb"])
def test_the_same_bits_at_any_number_of_threads(optimizer, options, dtype):
    digests = set()
    x, y = np.random.default_rng(0).normal(size=(2, 600, 100))
    for n_threads in (1, 2, 3, 4, 16):
        layers = [Input(100), Dense(300, "relu", regularizer="l2", constraint="max_norm"), Dense(100)]
        net = Network(layers, seed=0, dtype=dtype)
        chosen = cynn.registry.optimizers.get(optimizer, **options)
        steps(net, chosen, x=x, y=y, batch_size=200, n_threads=n_threads, epochs=2)
        digests.add(helpers.digest(net))
    assert len(digests) == 1


def test_options_in_words():
    optimizer = SGD(0.1, clipnorm=2)
    assert repr(optimizer).endswith("clipnorm=2.0)")
    assert cynn.registry.optimizers.get(optimizer.get_config()) == optimizer != SGD(0.1)
    with pytest.raises(InvalidParameterError, match="'clipnorm' parameter of SGD"):
        SGD(clipnorm=-1)
    with pytest.raises(UnknownNameError, match="clipnorm"):
        SGD(clip_norm=1)
