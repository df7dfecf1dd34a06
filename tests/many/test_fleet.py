"""`fit_many`: each network ends with the bits that it gets alone."""

import copy
import threading
import time

import numpy as np
import pytest
from fleets import same_weights, small_network

import cynn
from cynn.many import each

GENERATOR = np.random.default_rng(0)
X = GENERATOR.standard_normal((300, 6)).astype(np.float32)
Y = GENERATOR.integers(0, 3, 300)


def networks(n=7):
    return [small_network(seed) for seed in range(n)]


def alone(options_of):
    """Networks that were trained one after the other, with these options."""
    own = networks(len(options_of))
    for network, options in zip(own, options_of, strict=True):
        options = dict(options)
        network.fit(options.pop("x", X), options.pop("y", Y), progress=False, n_threads=1, **options)
    return own


def without_seconds(history):
    return {name: figures for name, figures in history.history.items() if name != "seconds"}


@pytest.mark.parametrize("n_threads", [1, 2, 3, 16])
def test_same_bits_as_alone(n_threads):
    ours = networks()
    result = cynn.fit_many(ours, X, Y, epochs=3, validation_split=0.2, metrics=["accuracy"], n_threads=n_threads)
    theirs = alone([{"epochs": 3, "validation_split": 0.2, "metrics": ["accuracy"]}] * 7)
    assert same_weights(ours, theirs)
    assert [without_seconds(h) for h in result.histories] == [without_seconds(n.history) for n in theirs]
    assert result.failed == [] and len(result) == 7 and result.networks == ours


def test_a_value_for_each():
    optimizers = [cynn.optimizers.SGD(learning_rate=0.1 * (k + 1)) for k in range(3)]
    rows = [np.arange(k, 300, 3) for k in range(3)]
    ours = networks(3)
    cynn.fit_many(
        ours, X, each([Y, Y[::-1], Y]), optimizer=optimizers, epochs=[1, 2, 3], batch_size=(8, 16, 32),
        rows=each(rows), loss="cross_entropy", class_weight=each([None, "balanced", {0: 2.0}]), n_threads=2,
    )  # fmt: skip
    theirs = alone([
        {"y": y, "optimizer": optimizer, "epochs": k + 1, "batch_size": 8 << k, "rows": rows[k], "class_weight": weight}
        for k, (y, optimizer, weight) in enumerate(
            zip([Y, Y[::-1], Y], copy.deepcopy(optimizers), [None, "balanced", {0: 2.0}], strict=True)
        )
    ])  # fmt: skip
    assert same_weights(ours, theirs)


def test_shared_parts_are_copied_for_each():
    """One plateau, one early stopping: each network has its own."""
    schedule = {"learning_rate": cynn.schedules.ReduceOnPlateau(0.5, monitor="loss", patience=0)}
    options = {"epochs": 6, "optimizer": cynn.optimizers.SGD(**schedule)}
    stopping = cynn.callbacks.EarlyStopping(monitor="loss", min_delta=0.01)
    ours = networks(5)
    cynn.fit_many(ours, X, Y, **options, callbacks=[stopping], n_threads=2)
    theirs = alone([{**copy.deepcopy(options), "callbacks": [copy.deepcopy(stopping)]} for _ in range(5)])
    assert same_weights(ours, theirs)
    assert stopping.best is None


def test_validation_rows():
    rows = [(np.arange(100, 300), np.arange(100)), (np.arange(200), np.arange(200, 300))]
    weight = GENERATOR.random(300)
    ours = networks(2)
    cynn.fit_many(
        ours, X, Y, rows=each([train for train, _ in rows]), validation_rows=each([test for _, test in rows]),
        sample_weight=weight, epochs=2,
    )  # fmt: skip
    for network, (train, test) in zip(ours, rows, strict=True):
        other = small_network(network.seed)
        other.fit(
            X[train], Y[train], sample_weight=weight[train], validation_data=(X[test], Y[test], weight[test]), epochs=2
        )
        assert without_seconds(network.history) == without_seconds(other.history)


def test_a_network_that_fails_stops_alone():
    rates = [0.1, 1e30, 0.1]
    ours = networks(3)
    with pytest.warns(cynn.errors.CynnWarning, match="Got 1 of 3 that an error ended, the first of them number 1: Tr"):
        result = cynn.fit_many(
            ours, X, Y, epochs=3, optimizer=[cynn.optimizers.SGD(learning_rate=rate) for rate in rates], n_threads=2
        )
    assert result.failed == [1]
    assert isinstance(result.errors[1], cynn.errors.TrainingDivergedError)
    sgd = {"optimizer": cynn.optimizers.SGD(learning_rate=0.1), "epochs": 3}
    theirs = alone([copy.deepcopy(sgd) for _ in range(3)])
    assert same_weights(ours[::2], theirs[::2])
    assert [row["error"] is None for row in result.rows()] == [True, False, True]
    assert "failed=[1]" in repr(result)


def test_if_all_fail_the_first_error_is_raised():
    with pytest.raises(cynn.errors.UnknownNameError, match="crossentropy"):
        cynn.fit_many(networks(), X, Y, loss="crossentropy")


@pytest.mark.parametrize("n_threads", [1, 2])
def test_interrupt_leaves_all_usable(n_threads):
    """As Ctrl-C does it: KeyboardInterrupt in the main thread."""
    ours = networks(4)

    class Interrupt(cynn.callbacks.Callback):
        def on_epoch_end(self, epoch, logs):
            if epoch == 3 and self.network is ours[0]:
                import signal

                signal.raise_signal(signal.SIGINT)
                time.sleep(0.01)

    with pytest.raises(KeyboardInterrupt):
        cynn.fit_many(ours, X, Y, epochs=10**6, callbacks=each([[Interrupt()], [], [], []]), n_threads=n_threads)
    for thread in threading.enumerate():
        if thread.name.startswith("cynn-fleet"):
            thread.join(5)
            assert not thread.is_alive()
    assert ours[0].history.epochs >= 2
    cynn.fit_many(ours, X, Y, epochs=1)
    assert np.isfinite(ours[0].predict(X)).all()


def test_checkpoints_go_on_to_the_same_bits(tmp_path):
    class End(cynn.callbacks.Callback):
        def __init__(self, at):
            super().__init__()
            self.at = at

        def on_epoch_end(self, epoch, logs):
            if epoch == self.at:
                raise RuntimeError("killed")

    folder = tmp_path / "runs"
    ours = networks(3)
    with pytest.warns(cynn.errors.CynnWarning):
        cynn.fit_many(ours, X, Y, epochs=4, callbacks=each([[End(2)], [End(99)], [End(99)]]), checkpoint=folder)
    assert sorted(path.name for path in folder.iterdir()) == ["network-0001.safetensors", "network-0002.safetensors"]
    ours = networks(3)
    cynn.fit_many(ours, X, Y, epochs=4, callbacks=[End(99)], checkpoint=folder, resume=True)
    assert same_weights(ours, alone([{"epochs": 4}] * 3))
    fitted = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    cynn.fit_many(networks(3), X, Y, epochs=4, callbacks=[End(99)], checkpoint=folder, resume=True)
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == fitted, "nothing was left to train"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"networks": []}, "'networks' parameter of fit_many must be a list of at least one Network. Got"),
        ({"networks": [1]}, "'networks' parameter of fit_many"),
        ({"networks": [small_network(0)] * 2}, "must be different objects"),
        ({"optimizer": ["adam"]}, "'optimizer' parameter of fit_many must have a value for each of the 2"),
        ({"rows": each([[0]])}, "'rows' parameter of fit_many must have a value for each of the 2"),
        ({"resume": True}, "'resume' parameter of fit_many must be False where there is no checkpoint"),
        ({"resume": "a"}, "'resume' parameter of fit_many"),
        ({"callbacks": [cynn.callbacks.Checkpoint("a")]}, "must have no Checkpoint"),
        ({"callbacks": [{"name": "checkpoint", "path": "a"}]}, "must have no Checkpoint"),
        ({"executor": 3}, "'executor' parameter of fit_many must be a concurrent.futures.Executor"),
        ({"n_threads": 0}, "n_threads"),
        ({"validation_rows": [900]}, "'validation_rows' parameter of fit_many must be at least one number of a row"),
        ({"validation_rows": [0], "validation_data": (X, Y)}, "must be left out where there is validation_data"),
    ],
    ids=str,
)
def test_invalid_parameters(change, message):
    given = {"networks": networks(2), "x": X, "y": Y, "epochs": 1} | change
    with pytest.raises(cynn.CynnError, match=message):
        cynn.fit_many(**given)


def test_each_wants_a_list():
    with pytest.raises(cynn.errors.InvalidParameterError, match="'values' parameter of each must be a list"):
        each("abc")


def test_generators_of_batches():
    ours = networks(2)
    batches = [(X[:32], Y[:32]), (X[32:64], Y[32:64])]
    cynn.fit_many(ours, batches, epochs=2)
    assert same_weights(ours, alone([{"x": batches, "y": None, "epochs": 2}] * 2))
