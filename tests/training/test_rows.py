"""`fit(rows=...)`: trains on some rows of x, without a copy of them."""

import numpy as np
import pytest

import cynn

GENERATOR = np.random.default_rng(0)
X = GENERATOR.standard_normal((200, 5)).astype(np.float32)
Y = GENERATOR.integers(0, 3, 200)
WEIGHT = GENERATOR.random(200)
ROWS = {
    "fold": np.arange(0, 200, 2),
    "bootstrap sample": GENERATOR.integers(0, 200, 150),
    "order of its own": GENERATOR.permutation(200)[:77],
    "mask": GENERATOR.random(200) < 0.5,
}


def trained(x, y, **options):
    net = cynn.Network.mlp([5, 8, 3], output="softmax", seed=1)
    history = net.fit(x, y, epochs=3, progress=False, **options)
    return [array.tobytes() for array in net.get_weights()], {**history.history, "seconds": None}


@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS.keys())
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"class_weight": "balanced"},
        {"validation_split": 0.2},
        {"transform": lambda x, y, generator: (x * 2, y)},
        {"shuffle": False, "metrics": ["accuracy"]},
        {"shuffle": "blocks", "n_threads": 2},
    ],
    ids=lambda options: "-".join(options) or "plain",
)
def test_same_bits_as_a_copy_of_these_rows(rows, options):
    ours = trained(X, Y, rows=rows, sample_weight=WEIGHT, **options)
    assert ours == trained(X[rows], Y[rows], sample_weight=WEIGHT[rows], **options)


def test_rows_of_weight_0_are_left_out():
    weight = np.where(np.arange(200) < 100, 1.0, 0.0)
    rows = np.arange(50, 150)
    assert trained(X, Y, rows=rows, sample_weight=weight) == trained(X[50:100], Y[50:100])


def test_rows_that_change_during_fit_change_nothing():
    rows = np.arange(100)

    class Spoil(cynn.callbacks.Callback):
        def on_epoch_begin(self, epoch):
            rows[:] = 10**9

    assert trained(X, Y, rows=rows, callbacks=[Spoil()]) == trained(X[:100], Y[:100], callbacks=[Spoil()])


@pytest.mark.parametrize(
    "rows", [[], [200], [-1], [0.5], "a", [[1]], np.zeros(200, bool), np.ones(199, bool), [10**30]], ids=str
)
def test_invalid_rows(rows):
    with pytest.raises(cynn.CynnError, match=r"'rows' parameter of fit must be .* from 0 to 199. Got"):
        trained(X, Y, rows=rows)


def test_not_with_batches():
    with pytest.raises(cynn.errors.InvalidParameterError, match="'rows' parameter of fit must be left out where x"):
        trained([(X, Y)], None, rows=[0])
