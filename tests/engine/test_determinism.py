"""The same seed, data and machine give the same bits, at any number of threads, run after run."""

import helpers
import numpy as np
import pytest
import reference

import cynn
from cynn import Network
from cynn.optimizers import SGD, Adam, AdamW

THREADS = [1, 2, 3, 4, 16]


def fitted(seed=0, **options):
    x, y = helpers.blobs()
    net = helpers.classifier(seed)
    net.fit(x, y, epochs=3, **options)
    return helpers.digest(net)


def test_one_seed_gives_the_same_bits():
    assert fitted() == fitted()


def test_another_seed_gives_others():
    assert fitted(seed=1) != fitted(seed=0)


def test_the_order_of_the_rows_depends_on_the_seed():
    """With the same initial weights, so that nothing but the order differs."""
    x, y = helpers.blobs()
    digests = set()
    for seed in (0, 1):
        net = helpers.classifier(seed)
        for layer, initial in zip(net.layers, helpers.classifier(0).layers, strict=True):
            layer.weights = initial.weights
        net.fit(x, y, epochs=1)
        digests.add(helpers.digest(net))
    assert len(digests) == 2


def test_the_global_random_state_of_numpy_plays_no_part():
    np.random.seed(1)  # noqa: NPY002  # it is what must not matter
    first = fitted()
    np.random.seed(2)  # noqa: NPY002
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    assert fitted() == first
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002


def test_what_a_row_predicts_has_no_influence_on_training():
    assert fitted(metrics=["accuracy"]) == fitted()
    x, y = helpers.blobs(90, seed=5)
    assert fitted(validation_data=(x, y), metrics=["accuracy"]) == fitted()


def test_data_that_lie_otherwise_give_the_same_bits():
    x, y = helpers.blobs()
    wide = np.zeros((600, 5))
    wide[::2, 1:4:2] = x
    digests = set()
    for same in (x, np.asfortranarray(x), wide[::2, 1:4:2], x[::-1].copy()[::-1], x.tolist()):
        net = helpers.classifier()
        net.fit(same, y, epochs=2)
        digests.add(helpers.digest(net))
    assert len(digests) == 1


def wide_fit(dtype, n_threads, *, output="softmax", hidden="relu", loss="cross_entropy", optimizer=None):
    """Large enough that several threads are used: 300 rows per batch, some ten million multiplications."""
    net = Network.mlp([150, 120, 60, 10], activation=hidden, output=output, seed=2, dtype=dtype)
    x = helpers.inputs(650, 150, dtype)
    t = helpers.targets(650, 10, loss)
    history = net.fit(
        x, t, loss=loss, optimizer=optimizer or SGD(0.01), epochs=1, batch_size=300, n_threads=n_threads,
        metrics=["mse"], validation_data=(x[:200], t[:200]),
    )
    figures = {name: figure for name, figure in history.history.items() if name != "seconds"}
    return helpers.digest(net), figures, net.predict(x, n_threads=n_threads).tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
class TestThreads:
    def check(self, dtype, **options):
        alone = wide_fit(dtype, 1, **options)
        for n_threads in THREADS[1:]:
            assert wide_fit(dtype, n_threads, **options) == alone, n_threads

    @pytest.mark.parametrize("hidden", [*sorted(reference.ACTIVATIONS), "swish"])
    def test_activation(self, dtype, hidden):
        self.check(dtype, hidden=hidden)

    @pytest.mark.parametrize("loss", sorted(reference.LOSSES))
    def test_loss(self, dtype, loss):
        output = {"binary_cross_entropy": "sigmoid", "cross_entropy": "softmax"}.get(loss, "identity")
        self.check(dtype, loss=loss, output=output)

    def test_losses_that_are_not_fused(self, dtype):
        self.check(dtype, loss="cross_entropy", output="sigmoid")

    @pytest.mark.parametrize(
        "optimizer",
        [SGD(0.01, momentum=0.9), SGD(0.01, momentum=0.9, nesterov=True, weight_decay=0.1), Adam(), AdamW()],
        ids=["momentum", "nesterov", "adam", "adamw"],
    )
    def test_optimizer(self, dtype, optimizer):
        self.check(dtype, optimizer=optimizer)

    @pytest.mark.parametrize("rows", [1, 63, 64, 65, 1000])
    def test_predict_and_activations(self, dtype, rows):
        net = Network.mlp([300, 200, 100, 10], seed=0, dtype=dtype)
        x = helpers.inputs(rows, 300, dtype)
        alone = [a.tobytes() for a in net.activations(x, n_threads=1)]
        for n_threads in THREADS:
            assert [a.tobytes() for a in net.activations(x, n_threads=n_threads)] == alone
            assert net.predict(x, n_threads=n_threads).tobytes() == alone[-1]

    def test_gradients(self, dtype):
        net = Network.mlp([300, 200, 10], output="softmax", seed=0, dtype=dtype)
        x, y = helpers.inputs(500, 300, dtype), np.arange(500) % 10
        found = set()
        for n_threads in THREADS:
            cynn.set_num_threads(n_threads)
            found.add(b"".join(part.tobytes() for pair in net.gradients(x, y) for part in pair))
        cynn.set_num_threads(None)
        assert len(found) == 1
