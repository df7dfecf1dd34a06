"""Solvers in `fit`: what they share with optimizers, and what they refuse."""

import numpy as np
import pytest

import cynn
from cynn.callbacks import Callback, Checkpoint, EarlyStopping
from cynn.errors import InvalidParameterError, PluginError, UnknownNameError

SOLVERS = ["levenberg_marquardt", "lbfgs"]
X = np.random.default_rng(0).normal(size=(50, 2))
Y = np.sin(X[:, 0]) + 0.5 * X[:, 1] ** 2


def network():
    return cynn.Network.mlp([2, 6, 1], activation="tanh", seed=0, dtype="float64")


@pytest.mark.parametrize("solver", SOLVERS)
def test_history_validation_and_metrics(solver):
    net = network()
    history = net.fit(
        X, Y, optimizer=solver, epochs=8, validation_split=0.2, metrics=["mean_absolute_error"], batch_size=None
    )
    assert {"loss", "val_loss", "mean_absolute_error", "val_mean_absolute_error", "seconds"} <= set(history.history)
    assert len(history["loss"]) == 8
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    assert net.epochs_trained == 8


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_loss_is_that_before_the_step(solver):
    net = network()
    before = net.evaluate(X, Y)["loss"]
    assert net.fit(X, Y, optimizer=solver, epochs=1)["loss"][0] == pytest.approx(before, rel=1e-12)


@pytest.mark.parametrize("solver", SOLVERS)
def test_weights_of_rows_are_copies(solver):
    weight = np.arange(50) % 3
    copies = np.repeat(np.arange(50), weight)
    net, other = network(), network()
    net.fit(X, Y, optimizer=solver, epochs=5, sample_weight=weight)
    other.fit(X[copies], Y[copies], optimizer=solver, epochs=5)
    assert np.allclose(net.parameter_vector, other.parameter_vector, atol=1e-6)


class StopAt(Callback):
    """Raises at the end of an epoch."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_end(self, epoch, logs):
        if epoch == self.epoch:
            raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("solver", "batch_size"), [("levenberg_marquardt", None), ("levenberg_marquardt", 20), ("lbfgs", None)]
)
@pytest.mark.parametrize("every_steps", [1, 4, 5])
def test_a_resumed_training_has_the_same_bits(tmp_path, solver, batch_size, every_steps):
    """From the end of an epoch, and from the middle of one."""

    def fitted(net, path, stops_at, resume=None):
        callbacks = [Checkpoint(path, every_steps=every_steps), StopAt(stops_at)]
        return net.fit(X, Y, optimizer=solver, epochs=9, batch_size=batch_size, callbacks=callbacks, resume=resume,
                       metrics=["mean_absolute_error"])

    whole, stopped, resumed = network(), network(), network()
    history = fitted(whole, tmp_path / "whole", None)
    with pytest.raises(KeyboardInterrupt):
        fitted(stopped, tmp_path / "stopped", 6)
    found = fitted(resumed, tmp_path / "stopped", None, resume=True)
    assert (resumed.parameter_vector == whole.parameter_vector).all()
    for name in history.history.keys() - {"seconds"}:
        assert found[name] == history[name]


@pytest.mark.parametrize("solver", SOLVERS)
def test_frozen_layers_stay(solver):
    net = cynn.Network(
        [cynn.Input(2), cynn.Dense(6, "tanh", trainable=False), cynn.Dense(1)], seed=0, dtype="float64"
    )
    before = net.layers[0].weights.copy()
    assert net.fit(X, Y, optimizer=solver, epochs=5)["loss"][-1] < 1.0
    assert (net.layers[0].weights == before).all()


@pytest.mark.parametrize("solver", SOLVERS)
def test_constraints_hold_after_every_step(solver):
    net = cynn.Network(
        [cynn.Input(2), cynn.Dense(6, "tanh", constraint=cynn.constraints.MaxNorm(0.5)), cynn.Dense(1)], seed=0,
        dtype="float64",
    )  # fmt: skip
    net.fit(X, Y, optimizer=solver, epochs=5)
    assert (np.linalg.norm(net.layers[0].weights, axis=0) <= 0.5 + 1e-12).all()


@pytest.mark.parametrize("solver", SOLVERS)
def test_early_stopping_restores_weights(solver):
    net = network()
    history = net.fit(X, Y, optimizer=solver, epochs=60, validation_data=(X[:10], Y[:10] + 1),
                      callbacks=[EarlyStopping(patience=3, restore_best_weights=True)])
    assert net.evaluate(X[:10], Y[:10] + 1)["loss"] == pytest.approx(min(history["val_loss"]))


def test_the_last_solver_goes_on():
    net, other = network(), network()
    net.fit(X, Y, optimizer="lbfgs", epochs=3)
    net.fit(X, Y, epochs=3)
    other.fit(X, Y, optimizer="lbfgs", epochs=6)
    assert (net.parameter_vector == other.parameter_vector).all()
    net.fit(X, Y, optimizer="adam", epochs=1)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_pickle_goes_on(solver):
    import pickle

    net = network()
    net.fit(X, Y, optimizer=solver, epochs=3)
    other = pickle.loads(pickle.dumps(net))
    net.fit(X, Y, epochs=3)
    other.fit(X, Y, epochs=3)
    assert (net.parameter_vector == other.parameter_vector).all()


class Interrupting(cynn.solvers.Solver):
    """Looks somewhere else, and is interrupted there."""

    name = "interrupting"

    def step(self, problem, theta, memory):
        problem.value(theta + 1)
        raise KeyboardInterrupt


def test_an_interrupt_within_a_step_leaves_the_weights_from_before_it():
    net = network()
    before = net.parameter_vector
    with pytest.raises(KeyboardInterrupt):
        net.fit(X, Y, optimizer=Interrupting())
    assert (net.parameter_vector == before).all()


class Wrong(cynn.solvers.Solver):
    """Returns what it is told to."""

    name = "wrong"

    def __init__(self, returned):
        self.returned = returned

    def start(self, n_parameters):
        return {"a": np.zeros(2)}

    def step(self, problem, theta, memory):
        return self.returned(theta, memory)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda theta, memory: (theta[:-1], memory), "must return a vector of 25 numbers"),
        (lambda theta, memory: (theta, {}), r"must return a memory .*\['a'\]"),
        (lambda theta, memory: (theta, {"a": np.zeros(3)}), "must return a memory"),
        (lambda theta, memory: theta / 0, "must run without an error"),
        (lambda theta, memory: None, "must run without an error"),
    ],
)
def test_a_solver_that_is_wrong(returned, message):
    net = network()
    before = net.parameter_vector
    with pytest.raises(PluginError, match=message), np.errstate(all="ignore"):
        net.fit(X, Y, optimizer=Wrong(returned))
    assert (net.parameter_vector == before).all()


def test_weights_that_are_not_finite_are_an_error():
    with pytest.raises(cynn.errors.TrainingDivergedError, match="Other initial weights or scaled inputs often help"):
        network().fit(X, Y, optimizer=Wrong(lambda theta, memory: (theta * np.nan, memory)))


def test_a_loss_that_is_not_finite_is_an_error():
    net = network()
    net.layers[1].biases = [1e200]
    with pytest.raises(cynn.errors.TrainingDivergedError, match="The loss must stay finite"):
        net.fit(X, Y, optimizer="lm")


NOISE = [cynn.Dropout(0.5), cynn.AlphaDropout(0.5), cynn.GaussianNoise(0.1)]


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("layer", [*NOISE, cynn.BatchNorm()], ids=lambda layer: layer.name)
def test_noise_and_statistics_are_refused(solver, layer):
    net = cynn.Network([cynn.Input(2), cynn.Dense(4), layer, cynn.Dense(1)], seed=0)
    with pytest.raises(InvalidParameterError, match="function of the weights alone"):
        net.fit(X, Y, optimizer=solver)
    assert net._optimizer_state is None


@pytest.mark.parametrize("solver", SOLVERS)
def test_what_is_refused(solver):
    net = network()
    net.regularizer = cynn.regularizers.L1(0.1)
    with pytest.raises(InvalidParameterError, match=r"must be L2 .* jumps at 0"):
        net.fit(X, Y, optimizer=solver)
    net = network()
    with pytest.raises(InvalidParameterError, match="must be given arrays x and y"):
        net.fit([(X, Y)], optimizer=solver)
    with pytest.raises(InvalidParameterError, match=r"'transform'.*must see the same"):
        net.fit(X, Y, optimizer=solver, transform=lambda x, y, generator: (x, y))
    with pytest.raises(InvalidParameterError, match="of train_batch and diagnose must be an optimizer"):
        net.train_batch(X, Y, optimizer=solver)
    net.fit(X, Y, optimizer=solver, epochs=1)
    with pytest.raises(InvalidParameterError, match="of train_batch and diagnose must be an optimizer"):
        net.train_batch(X, Y)
    assert net.diagnose(X, Y)


def test_unknown_names_are_compared_with_those_of_both_kinds():
    with pytest.raises(UnknownNameError, match=r"no optimizer named 'lbfg'.*'lbfgs'"):
        network().fit(X, Y, optimizer="lbfg")
    with pytest.raises(UnknownNameError, match="'adam'"):
        network().fit(X, Y, optimizer="adm")


def test_a_name_is_in_one_of_the_two_kinds():
    class Adam(cynn.solvers.Solver):
        name = "adam"

    class Newton(cynn.optimizers.Optimizer):
        name = "lm"

    with pytest.raises(PluginError, match="'adam' is taken"):
        cynn.registry.solvers.register(Adam)
    with pytest.raises(PluginError, match="'lm' is taken"):
        cynn.registry.optimizers.register(Newton)


def test_nan_in_x_is_an_error_beforehand():
    x = X.copy()
    x[3, 1] = np.nan
    with pytest.raises(cynn.errors.DataError, match="row 3"):
        network().fit(x, Y, optimizer="lm")


def test_classes_have_weights():
    y = (X[:, 0] > 1).astype(int)
    net = cynn.Network.mlp([2, 4, 2], output="softmax", seed=0, dtype="float64")
    net.fit(X, y, optimizer="lbfgs", epochs=20, class_weight="balanced")
    assert (net.predict(X).argmax(axis=1) == y).mean() > 0.9
