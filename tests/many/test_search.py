"""`search`: successive halving, in which no epoch is trained twice."""

import numpy as np
import pytest
from fleets import same_weights

import cynn
from cynn.many import log_uniform, uniform, whole_numbers

GENERATOR = np.random.default_rng(0)
X = GENERATOR.standard_normal((200, 6)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64)
SPACE = {"units": [4, 8], "rate": log_uniform(1e-3, 1e-1)}
OPTIONS = {"candidates": 9, "epochs": 9, "validation_split": 0.25, "metrics": ["accuracy"]}


def build(units, rate):
    schedule = cynn.schedules.CosineDecay(rate)
    return cynn.Network.mlp([6, units, 2], output="softmax", seed=0), {"optimizer": cynn.optimizers.Adam(schedule)}


def searched(**options):
    return cynn.search(build, SPACE, X, Y, **OPTIONS | options)


def test_survivors_have_the_bits_of_an_unbroken_training():
    found = searched()
    assert sorted(found.epochs) == [1] * 6 + [3, 3, 9]
    assert found.epochs_run == sum(found.epochs)
    network, own = build(**found.best_parameters)
    network.fit(X, Y, epochs=9, validation_split=0.25, metrics=["accuracy"], **own)
    assert same_weights([network], [found.best_network])
    assert network.history["val_loss"] == found.best_network.history["val_loss"]
    assert found.figures[found.best] == network.history["val_loss"][-1]
    rows = found.rows()
    assert rows[0]["candidate"] == found.best and [row["epochs"] for row in rows] == [9, 3, 3] + [1] * 6
    assert "candidates=9, val_loss=" in repr(found)


def test_the_better_ones_go_on():
    for monitor, sign in (("val_loss", 1), ("val_accuracy", -1)):
        found = searched(monitor=monitor)
        first = [sign * network.history[monitor][0] for network in found.networks]
        going_on = [number for number, epochs in enumerate(found.epochs) if epochs > 1]
        assert max(first[k] for k in going_on) <= min(first[k] for k in range(9) if k not in going_on)


def test_the_seed_draws_the_candidates():
    assert searched(epochs=1).parameters == searched(epochs=1, n_threads=2).parameters
    assert searched(epochs=1).parameters != searched(epochs=1, seed=1).parameters
    for given in searched(epochs=1).parameters:
        assert given["units"] in (4, 8) and 1e-3 <= given["rate"] <= 1e-1


def test_a_killed_search_goes_on(tmp_path):
    class Killed(cynn.callbacks.Callback):
        """Raises in the epochs after the first rung, once."""

        is_on = True

        def on_epoch_end(self, epoch, logs):
            if epoch == 3 and Killed.is_on:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        searched(checkpoint=tmp_path, callbacks=[Killed()], n_threads=1)
    Killed.is_on = False
    found = searched(checkpoint=tmp_path, resume=True, callbacks=[Killed()])
    assert found.epochs_run < sum(found.epochs)
    whole = searched(callbacks=[Killed()])
    assert found.figures == whole.figures and same_weights(found.networks, whole.networks)
    assert found.epochs_run + 9 * 1 <= sum(found.epochs) + 2  # the first rung, and what was done of the second


def test_candidates_that_diverge_come_last():
    def built(rate):
        return cynn.Network.mlp([6, 2], seed=0), {"optimizer": cynn.optimizers.SGD(rate)}

    found = cynn.search(
        built, {"rate": [0.1, 1e30]}, X, Y, candidates=6, epochs=3, monitor="loss", loss="mean_squared_error", seed=3
    )
    assert found.best_parameters == {"rate": 0.1}
    rows = found.rows()
    assert [row["error"] is None for row in rows] == sorted((row["error"] is None for row in rows), reverse=True)
    assert any(error is not None for error in found.errors)
    with pytest.raises(cynn.errors.TrainingDivergedError):
        cynn.search(built, {"rate": [1e30]}, X, Y, candidates=2, epochs=1, monitor="loss", loss="mean_squared_error")


def test_brackets_and_reduction():
    found = searched(candidates=8, brackets=2, reduction=2, epochs=4)
    assert sorted(found.epochs) == [1] * 4 + [2] * 2 + [4] * 2


def test_ranges():
    generator = np.random.default_rng(0)
    drawn = [whole_numbers(2, 4).draw(generator) for _ in range(50)]
    assert set(drawn) == {2, 3, 4} and type(drawn[0]) is int
    assert all(0.5 <= uniform(0.5, 0.9).draw(generator) <= 0.9 for _ in range(50))
    logs = np.log10([log_uniform(1e-4, 1).draw(generator) for _ in range(400)])
    assert abs(np.histogram(logs, 4, (-4, 0))[0] - 100).max() < 30


def test_a_distribution_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    found = cynn.search(build, {"units": [4], "rate": stats.loguniform(1e-3, 1e-1)}, X, Y, **OPTIONS | {"epochs": 1})
    assert len({given["rate"] for given in found.parameters}) == 9


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"space": 1}, "'space' parameter of search must be a dict"),
        ({"space": {"units": []}}, "'units' of the space must be a list"),
        ({"space": {"units": "abc"}}, "'units' of the space must be a list"),
        ({"monitor": "val_auc"}, "'monitor' parameter of search must be a figure of the history: accuracy, "),
        ({"min_epochs": 10}, "min_epochs"),
        ({"reduction": 1}, "reduction"),
        ({"brackets": 10}, "brackets"),
        ({"resume": 2}, "resume"),
        ({"build": lambda **_: 1}, "'build' parameter of search must return a Network"),
        ({"candidates": 0}, "candidates"),
    ],
    ids=str,
)
def test_invalid_parameters(change, message):
    given = {"build": build, "space": SPACE, "x": X, "y": Y, **OPTIONS, **change}
    with pytest.raises(cynn.CynnError, match=message):
        cynn.search(given.pop("build"), given.pop("space"), given.pop("x"), given.pop("y"), **given)


def test_ranges_must_be_in_order():
    for make in (uniform, log_uniform, whole_numbers):
        with pytest.raises(cynn.CynnError, match="from its lower to its higher end"):
            make(3, 2)
