"""What calls keep from one to the next: each change of what they depend on is noticed, to the bits of a first call."""

import copy
import pickle
import threading
import warnings

import helpers
import numpy as np
import pytest

import cynn
from cynn import Network
from cynn.errors import BusyError, DataError, InvalidParameterError, ShapeError, TrainingDivergedError
from cynn.optimizers import SGD, Adam
from cynn.regularizers import L2
from cynn.schedules import StepDecay

X = helpers.inputs(64, 6, "float32")
Y = np.random.default_rng(1).integers(0, 3, 64)
VALUES = helpers.inputs(64, 3, "float32", seed=5)


def network(dtype="float32", **options):
    return Network([cynn.Input(6), cynn.Dense(9, "tanh"), cynn.Dense(3)], seed=4, dtype=dtype, **options)


def slowly(net):
    """The same network, its optimizer and all, with nothing kept."""
    return pickle.loads(pickle.dumps(net))


def trained(net=None, **options):
    net = net or network()
    options = {"loss": "mse", "optimizer": Adam(0.01), **options}
    for _ in range(3):
        net.train_batch(X, VALUES, **options)
    return net


class _Other:
    """A change of something, which the next call must notice."""

    @staticmethod
    def weights(net):
        net.set_weights([array + 0.5 for array in net.get_weights()])

    @staticmethod
    def one_weight(net):
        net.layers[0].weights[...] = 0.25

    @staticmethod
    def regularizer(net):
        net.regularizer = L2(0.5)

    @staticmethod
    def rate(net):
        net._optimizer_state.optimizer.learning_rate = 0.3

    @staticmethod
    def scheduled_rate(net):
        net._optimizer_state.optimizer.learning_rate = StepDecay(0.3, 1, 0.5)

    @staticmethod
    def epochs(net):
        net.fit(X, VALUES, epochs=1, batch_size=64, loss="mse", progress=False)


CHANGES = [name for name in vars(_Other) if not name.startswith("_")]
CALLS = {
    "train_batch": lambda net, **options: net.train_batch(X, VALUES, loss="mse", **options),
    "gradients": lambda net, **options: net.gradients(X, VALUES, loss="mse"),
    "evaluate": lambda net, **options: net.evaluate(X, VALUES, loss="mse"),
    "predict": lambda net, **options: net.predict(X),
    "activations": lambda net, **options: net.activations(X),
}


def equal(first, second):
    if isinstance(first, (list, tuple)):
        return len(first) == len(second) and all(map(equal, first, second))
    return np.array_equal(first, second) if isinstance(first, np.ndarray) else first == second


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("call", CALLS)
def test_a_change_is_noticed(call, change):
    net = trained()
    for _ in range(2):
        CALLS[call](net)
    getattr(_Other, change)(net)
    other = slowly(net)
    other.regularizer = net.regularizer
    for _ in range(2):
        assert equal(CALLS[call](net), CALLS[call](other))
    assert helpers.digest(net) == helpers.digest(other)


@pytest.mark.parametrize(
    "options",
    [
        {"loss": "mae"},
        {"loss": cynn.registry.losses.get("huber", delta=0.1)},
        {"loss": cynn.registry.losses.get("huber", delta=0.2)},
        {"loss_weights": 0.5},
        {"optimizer": "sgd"},
        {"optimizer": Adam(0.2)},
        {"optimizer": SGD(0.1, momentum=0.5)},
        {"optimizer": SGD(0.1, weight_decay=0.5)},
        {"optimizer": SGD(0.1, clipnorm=0.01)},
        {"n_threads": 1},
        {"sample_weight": np.arange(64.0)},
        {"check_finite": False},
    ],
)
@pytest.mark.parametrize("x", [X, X.astype("f8"), X[::2].repeat(2, 0), np.asfortranarray(X), X[:40], X[:1], X.tolist()])
def test_other_settings_and_other_data(options, x):
    """A call behind others has the bits of a first call, whatever they were."""
    net, y = trained(), VALUES[: len(x)]
    other = slowly(net)
    weight = {"sample_weight": options["sample_weight"][: len(x)]} if "sample_weight" in options else {}
    options = {"loss": "mse", **options, **weight}
    if len(x) == 1 and "sample_weight" in options:
        options["sample_weight"] = [2.0]
    for number in range(3):
        assert net.train_batch(x, y, **options) == slowly_train(other, x, y, options), number
    assert helpers.digest(net) == helpers.digest(other)
    assert net.train_batch(X, VALUES, loss="mse") == other.train_batch(X, VALUES, loss="mse")


def slowly_train(net, x, y, options):
    net._forget_kept()
    return net.train_batch(x, y, **options)


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8, np.float64])
@pytest.mark.parametrize("shape", [(64,), (64, 1)])
def test_classes_of_any_dtype(dtype, shape):
    net, other = (Network.mlp([6, 9, 3], output="softmax", seed=4) for _ in range(2))
    for _ in range(3):
        assert net.train_batch(X, Y.astype(dtype).reshape(shape)) == other.train_batch(X.tolist(), Y.tolist())
    assert helpers.digest(net) == helpers.digest(other)


@pytest.mark.parametrize(
    ("x", "y", "error"),
    [
        (X[:, 1:], Y, ShapeError),
        (X, Y[1:], ShapeError),
        (X, Y + 1, DataError),
        (X, Y - 1, DataError),
        (X * np.nan, Y, DataError),
        (X[:0], Y[:0], DataError),
        (X, VALUES * np.inf, DataError),
        (X[0], Y[0], ShapeError),
        (X, None, InvalidParameterError),
    ],
)
def test_what_is_wrong_is_told_in_every_call(x, y, error):
    net = Network.mlp([6, 9, 3], output="softmax", seed=4)
    loop = net.loop(64, optimizer="sgd")
    for step in (net.train_batch, loop.step, loop.gradients, net.gradients):
        step(X, Y)
        before = helpers.digest(net)
        for _ in range(2):
            with pytest.raises(cynn.CynnError) as caught:
                step(x, y)
            assert isinstance(caught.value, (error, cynn.CynnError))
        assert helpers.digest(net) == before
        step(X, Y)


def test_targets_that_the_loss_refuses():
    net = Network([cynn.Input(6), cynn.Dense(1, "sigmoid")], seed=0)
    y = (Y > 0).astype("f4")
    net.train_batch(X, y)
    for _ in range(2):
        with pytest.raises(DataError):
            net.train_batch(X, y + 1)
    net.train_batch(X, y)


def test_labels_that_are_given_later():
    net = Network.mlp([6, 9, 3], output="softmax", seed=4)
    net.train_batch(X, Y)
    net.classes = ["a", "b", "c"]
    other = slowly(net)
    labels = np.array(["a", "b", "c"])[Y]
    assert net.train_batch(X, labels) == other.train_batch(X, Y)


def test_a_batch_that_is_changed_in_place_is_read_again():
    net, other, x = trained(), trained(), X.copy()
    net.train_batch(x, VALUES, loss="mse")
    x *= 2
    other.train_batch(X, VALUES, loss="mse")
    assert net.train_batch(x, VALUES, loss="mse") == other.train_batch(X * 2, VALUES, loss="mse")


def test_dropout_goes_on_from_step_to_step():
    layers = [cynn.Input(6), cynn.Dense(9, "tanh"), cynn.Dropout(0.5), cynn.Dense(3)]
    net, other = Network(layers, seed=4), Network(layers, seed=4)
    losses = [net.train_batch(X, VALUES, loss="mse", optimizer=SGD(1e-9)) for _ in range(3)]
    assert len(set(losses)) == 3
    assert losses == [slowly_train(other, X, VALUES, {"loss": "mse", "optimizer": SGD(1e-9)}) for _ in range(3)]


def test_other_trainings_in_between():
    """The optimizer of the last call goes on, whoever called."""
    net, other = trained(), trained()
    for each in (net, other):
        each.fit(X, VALUES, loss="mse", optimizer="sgd", epochs=1, progress=False)
    assert net.train_batch(X, VALUES, loss="mse") == slowly_train(other, X, VALUES, {"loss": "mse"})
    assert helpers.digest(net) == helpers.digest(other)


def test_a_copy_and_a_pickle_have_nothing_kept():
    net = trained()
    net.gradients(X, VALUES)
    for made in (copy.deepcopy(net), pickle.loads(pickle.dumps(net)), copy.copy(net)):
        assert made._plans.take("train_batch") is None
        assert made._plans.take("gradients") is None
        assert made.train_batch(X, VALUES, loss="mse") == slowly(net).train_batch(X, VALUES, loss="mse")
    assert net._plans.take("gradients") is not None


def test_large_rows_are_not_copied():
    net = Network([cynn.Input(400), cynn.Dense(2)], seed=0)
    x, y = helpers.inputs(1000, 400, "float32"), helpers.inputs(1000, 2, "float32")
    found = net.gradients(x, y)
    assert net._plans.take("gradients") is None
    halves = [net.gradients(x[place], y[place])[0][0] for place in (slice(0, 500), slice(500, None))]
    np.testing.assert_allclose(found[0][0], sum(halves) / 2, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("call", ["gradients", "evaluate", "activations", "predict"])
def test_on_eight_threads(call):
    """Each has buffers of its own."""
    net, found, counts = network(), {}, (1, 2, 7, 33, 63, 64, 64, 1)
    given = [(X[:n],) if call in ("activations", "predict") else (X[:n], VALUES[:n]) for n in counts]
    expected = [getattr(network(), call)(*one) for one in given]

    def look(k):
        found[k] = [getattr(net, call)(*given[k]) for _ in range(50)]

    threads = [threading.Thread(target=look, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(equal(one, expected[k]) for k in range(8) for one in found[k])


def test_calls_beside_a_training():
    """What reads may run beside what trains, and takes none of its steps."""
    net, other, stop = trained(), trained(), threading.Event()
    problems = []

    def look():
        try:
            while not stop.is_set():
                for call in ("gradients", "evaluate", "activations", "predict"):
                    CALLS[call](net)
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    losses = [net.train_batch(X, VALUES, loss="mse") for _ in range(100)]
    stop.set()
    for thread in threads:
        thread.join()
    assert problems == []
    assert losses == [other.train_batch(X, VALUES, loss="mse") for _ in range(100)]
    assert helpers.digest(net) == helpers.digest(other)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"loss": "mae"},
        {"loss": cynn.registry.losses.get("huber", delta=0.1)},
        {"loss": cynn.registry.losses.get("huber", delta=0.2)},
        {"loss": {"name": "huber", "delta": 0.3}},
        {"loss_weights": 0.5},
        {"metrics": ["mean_absolute_error", "root_mean_squared_error"]},
        {"metrics": [lambda y_true, y_pred: float(y_true.sum() - y_pred.sum())]},
        {"n_threads": 1},
        {"sample_weight": True},
        {"check_finite": False},
    ],
)
@pytest.mark.parametrize(
    "x", [X, X.astype("f8"), X[::2].repeat(2, 0), np.asfortranarray(X), X[:1], X.tolist(), np.tile(X, (4, 1))]
)
def test_evaluations_that_follow_each_other(options, x):
    net, y = trained(), np.resize(VALUES, (len(x), 3))
    if "sample_weight" in options:
        options = {"sample_weight": np.arange(1.0, 1 + len(x))}
    net.evaluate(X, VALUES)
    for given in (y, y.astype("f8"), y.tolist(), np.asfortranarray(y), y):
        expected = slowly(net).evaluate(x, given, **options)
        for _ in range(2):
            assert net.evaluate(x, given, **options) == expected
    assert net.evaluate(X, VALUES) == slowly(net).evaluate(X, VALUES)


def test_an_evaluation_with_classes_behind_one_with_values():
    net = Network.mlp([6, 9, 3], output="softmax", seed=4)
    rows = np.eye(3, dtype="f4")[Y]
    for y in (Y, rows, Y.astype("u1"), Y, Y[:, None]):
        expected = slowly(net).evaluate(X, y, metrics=["accuracy"])
        for _ in range(2):
            assert net.evaluate(X, y, metrics=["accuracy"]) == expected


@pytest.mark.parametrize(
    ("x", "y"),
    [(X[:, 1:], VALUES), (X, VALUES[1:]), (X * np.nan, VALUES), (X, VALUES * np.inf), (X[0], VALUES[0]), (X, "a")],
)
def test_what_is_wrong_is_told_by_evaluate(x, y):
    net = network()
    for _ in range(2):
        before = net.evaluate(X, VALUES)
        with pytest.raises(cynn.CynnError):
            net.evaluate(x, y)
        assert net.evaluate(X, VALUES) == before


class Elsewhere(np.ndarray):
    """An array that is not of NumPy's own type, and so is converted first."""


def test_values_that_an_operation_passes_on():
    """Dropout does nothing in a prediction: its output is its input, also where it is the first layer."""
    layers = [cynn.Input(6), cynn.Dropout(0.5), cynn.Dense(9, "tanh"), cynn.Dropout(0.5), cynn.Dense(3)]
    net = Network(layers, seed=4)
    for x in (X, X[0], X.astype("f8"), (X * 9).astype("u1")):
        few = net.activations(x)
        assert equal(few, net.activations(x.view(Elsewhere)))
        assert equal(few[1], few[0])
        assert not np.shares_memory(few[1], few[0])


def test_several_outputs_of_few_rows():
    h = cynn.Dense(5, "tanh")(cynn.Input(6))
    net = Network({"a": cynn.Dense(3, "softmax")(h), "b": cynn.Dense(1)(h)}, seed=2)
    few, same = net.predict(X[:3]), net.predict(X[:3].view(Elsewhere))
    assert few.keys() == same.keys()
    assert all(equal(few[name], same[name]) for name in few)
    with pytest.raises(DataError):
        net.predict(X[:3] * np.nan)


def test_a_row_alone_is_warned_of():
    net = Network([cynn.Input(6), cynn.BatchNorm(), cynn.Dense(3)], seed=0)
    with pytest.warns(cynn.errors.CynnWarning, match="at least two rows"):
        net.train_batch(X[:1], VALUES[:1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net.train_batch(X, VALUES)


class TestLoop:
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("optimizer", [SGD(0.1), SGD(0.1, momentum=0.5), Adam(0.01), Adam(StepDecay(0.1, 2, 0.5))])
    def test_the_bits_of_train_batch(self, dtype, optimizer):
        net, other = network(dtype), network(dtype)
        loop = net.loop(32, loss="mae", optimizer=copy.deepcopy(optimizer))
        for begin in (0, 32, 0, 32, 16):
            batch = X[begin : begin + 32], VALUES[begin : begin + 32]
            assert loop.step(*batch) == other.train_batch(*batch, loss="mae", optimizer=optimizer)
        assert helpers.digest(net) == helpers.digest(other)
        assert loop.steps == 5

    @pytest.mark.parametrize("optimizer", [Adam(0.01), Adam(0.01, clipnorm=0.01), Adam(0.1, global_clipnorm=0.02)])
    @pytest.mark.parametrize("regularizer", [None, L2(0.1)])
    def test_in_halves(self, optimizer, regularizer):
        net, other = network(regularizer=regularizer), network(regularizer=regularizer)
        loop, whole = net.loop(64, optimizer=copy.deepcopy(optimizer)), other.loop(64, optimizer=optimizer)
        for _ in range(4):
            loop.apply(loop.gradients(X, VALUES))
            whole.step(X, VALUES)
        assert loop.steps == whole.steps == 4
        assert helpers.digest(net) == helpers.digest(other)

    def test_gradients_are_those_of_the_network(self):
        net = network()
        assert equal(net.loop(64).gradients(X, VALUES), net.gradients(X, VALUES))

    def test_gradients_from_elsewhere(self):
        net = network()
        before = net.get_weights()
        loop = net.loop(1, optimizer=SGD(0.5))
        loop.apply([(np.ones((6, 9)), np.zeros(9)), (np.zeros((9, 3)), np.ones(3))])
        for array, old, change in zip(net.get_weights(), before, (0.5, 0, 0, 0.5), strict=True):
            np.testing.assert_array_equal(array, old - np.float32(change))

    def test_an_optimizer_in_python_and_constraints(self):
        class Descent(cynn.optimizers.Optimizer):
            """w moves against the gradient."""

            name = "descent_of_a_loop"

            def step(self, w, grad, slots, learning_rate, t):
                w -= learning_rate * grad

        layers = [cynn.Input(6), cynn.Dense(3, constraint="non_negative")]
        nets = [Network(layers, seed=4) for _ in range(3)]
        optimizers = Descent(0.1), Descent(0.1), SGD(0.1)
        loops = [net.loop(64, optimizer=made) for net, made in zip(nets, optimizers, strict=True)]
        for _ in range(3):
            loops[0].step(X, VALUES)
            loops[1].apply(loops[1].gradients(X, VALUES))
            loops[2].step(X, VALUES)
        for net in nets[1:]:
            for array, other in zip(net.get_weights(), nets[0].get_weights(), strict=True):
                np.testing.assert_allclose(array, other, rtol=1e-5, atol=1e-7)
        assert all((net.layers[0].weights >= 0).all() for net in nets)

    @pytest.mark.parametrize(
        ("gradients", "error"),
        [
            ([], ShapeError),
            (None, ShapeError),
            ([(np.zeros((6, 9)), np.zeros(9)), (np.zeros((9, 3)), None)], ShapeError),
            ([(np.zeros((9, 6)), np.zeros(9)), (np.zeros((9, 3)), np.zeros(3))], ShapeError),
            ([(np.full((6, 9), np.nan), np.zeros(9)), (np.zeros((9, 3)), np.zeros(3))], DataError),
        ],
    )
    def test_gradients_that_do_not_fit(self, gradients, error):
        net = network()
        loop, before = net.loop(1), helpers.digest(net)
        with pytest.raises(error, match="gradients must"):
            loop.apply(gradients)
        assert helpers.digest(net) == before
        assert loop.steps == 0

    def test_one_row(self):
        net, other = (Network.mlp([6, 9, 3], output="softmax", seed=4) for _ in range(2))
        loop = net.loop(1, optimizer=SGD(0.1))
        for x, y in zip(X, Y, strict=True):
            assert loop.learn_one(x, y) == other.train_batch(x[None], [y], optimizer=SGD(0.1))
        assert loop.learn_one(X[0].tolist(), int(Y[0])) == other.train_batch(X[:1], Y[:1])
        assert helpers.digest(net) == helpers.digest(other)

    def test_a_stream_is_resumed_in_the_middle(self):
        """With the optimizer, its steps and the random numbers of dropout: a pickle has them."""
        layers = [cynn.Input(6), cynn.Dense(9, "tanh"), cynn.Dropout(0.3), cynn.Dense(3)]
        whole, net = Network(layers, seed=4), Network(layers, seed=4)
        expected = [whole.loop(1, optimizer=Adam(0.01)).learn_one(*one) for one in zip(X, VALUES, strict=True)]
        loop = net.loop(1, optimizer=Adam(0.01))
        found = [loop.learn_one(*one) for one in zip(X[:30], VALUES[:30], strict=True)]
        again = pickle.loads(pickle.dumps(net))
        loop = again.loop(1)
        found += [loop.learn_one(*one) for one in zip(X[30:], VALUES[30:], strict=True)]
        assert found == expected
        assert helpers.digest(again) == helpers.digest(whole)

    @pytest.mark.parametrize("change", CHANGES[:-1])
    def test_a_change_is_noticed(self, change):
        net = network()
        loop = net.loop(64, loss="mse", optimizer=Adam(0.01))
        for _ in range(2):
            loop.step(X, VALUES)
            loop.gradients(X, VALUES)
        getattr(_Other, change)(net)
        other = slowly(net)
        other.regularizer = net.regularizer
        assert equal(loop.gradients(X, VALUES), other.loop(64, loss="mse").gradients(X, VALUES))
        for _ in range(2):
            assert loop.step(X, VALUES) == other.train_batch(X, VALUES, loss="mse")
        assert helpers.digest(net) == helpers.digest(other)

    def test_two_loops_with_optimizers_of_their_own(self):
        net = network()
        first, second = net.loop(64, optimizer=SGD(0.1)), net.loop(64, optimizer=Adam(0.1))
        first.step(X, VALUES), second.step(X, VALUES), first.step(X, VALUES)
        assert (first.steps, second.steps) == (2, 1)
        assert net._optimizer_state.optimizer is first.optimizer

    def test_the_rate_may_be_assigned(self):
        net = network()
        loop, before = net.loop(64, optimizer=SGD(1e-30)), net.layers[0].weights.copy()
        loop.step(X, VALUES)
        assert equal(net.layers[0].weights, before)
        loop.optimizer.learning_rate = 0.1
        loop.step(X, VALUES)
        assert not equal(net.layers[0].weights, before)

    def test_batches_that_are_too_large(self):
        loop = network().loop(10)
        for step in (loop.step, loop.gradients):
            with pytest.raises(ShapeError, match=r"at most 10 rows, the batch_size of the loop. Got 11 instead"):
                step(X[:11], VALUES[:11])

    @pytest.mark.parametrize(
        "options",
        [
            {"batch_size": 0},
            {"batch_size": 1.5},
            {"batch_size": 2, "loss": "none"},
            {"batch_size": 2, "optimizer": "none"},
            {"batch_size": 2, "n_threads": 0},
            {"batch_size": 2, "check_finite": 1},
        ],
    )
    def test_settings_that_are_not_allowed(self, options):
        net = trained()
        state = net._optimizer_state
        with pytest.raises(cynn.CynnError):
            net.loop(**{"loss": "mse", **options})
        assert net._optimizer_state is state

    def test_divergence(self):
        net = network()
        loop = net.loop(64, optimizer=SGD(1e38))
        with pytest.raises(TrainingDivergedError):
            for _ in range(3):
                loop.step(X, VALUES)

    def test_one_trains(self):
        """A step on another thread is taken or refused, and none is lost."""
        net, taken, other = network(), [], []
        loop = net.loop(64, loss="mse", optimizer=SGD(1e-3))

        def steps():
            for _ in range(200):
                try:
                    loop.step(X, VALUES)
                    taken.append(1)
                except BusyError as error:
                    other.append(error)

        threads = [threading.Thread(target=steps) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        same = network().loop(64, loss="mse", optimizer=SGD(1e-3))
        for _ in taken:
            same.step(X, VALUES)
        assert loop.steps == len(taken) == 600 - len(other)
        assert helpers.digest(net) == helpers.digest(same.network)

    def test_several_outputs(self):
        h = cynn.Dense(5, "tanh")(cynn.Input(6))
        outputs = {"a": cynn.Dense(3)(h), "b": cynn.Dense(1)(h)}
        nets = [Network(outputs, seed=2) for _ in range(2)]
        y, loop = {"a": VALUES, "b": VALUES[:, :1]}, nets[0].loop(64, optimizer="sgd")
        for _ in range(2):
            assert loop.step(X, y) == nets[1].train_batch(X, y, optimizer="sgd")
        loop.apply(loop.gradients(X, y))
        assert loop.steps == 3
