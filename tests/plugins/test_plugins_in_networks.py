"""Activations, losses and optimizers of others, compiled and in Python, in networks that train."""

import pickle
import re

import helpers
import numpy as np
import pytest
import reference

import cynn
from cynn import Dense, Input, Network
from cynn.activations import Activation
from cynn.errors import PluginError
from cynn.losses import Loss
from cynn.optimizers import Optimizer


class PythonTanh(Activation):
    """tanh once more, without a kernel."""

    name = "python_tanh"

    def forward(self, z):
        assert not z.flags.writeable
        return np.tanh(z)

    def backward(self, z, a, grad):
        assert not a.flags.writeable
        return grad * (1 - a * a)


class PythonSquare(Loss):
    """The mean squared error once more."""

    name = "python_square"

    def value_and_gradient(self, prediction, target):
        difference = prediction - target
        return (difference**2).mean(axis=1), 2 * difference / difference.shape[1]


class PythonMomentum(Optimizer):
    """Momentum once more."""

    name = "python_momentum"
    n_slots = 1

    def step(self, w, grad, slots, learning_rate, t):
        slots[0][...] = 0.9 * slots[0] - learning_rate * grad
        w += slots[0]


class Failing:
    """Raises, or returns something, at a given call."""

    def __init__(self, at, error=None, result=None):
        self.calls, self.at, self.error, self.result = 0, at, error, result

    def __call__(self, otherwise):
        self.calls += 1
        if self.calls != self.at:
            return otherwise
        if self.error is not None:
            raise self.error
        return self.result


def close(first, second, tolerance=1e-9):
    return all(
        np.allclose(a, b, rtol=tolerance, atol=tolerance)
        for pair, other in zip(helpers.raw(first), helpers.raw(second), strict=True)
        for a, b in zip(pair, other, strict=True)
    )


def data(rows=200):
    return helpers.inputs(rows, 3), helpers.targets(rows, 2, "mean_squared_error")


class TestTheyTrain:
    @pytest.mark.parametrize("activation", ["swish", "gaussian", PythonTanh()], ids=str)
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_ours(self, activation, dtype):
        x, y = helpers.blobs()
        net = Network.mlp([2, 16, 3], activation=activation, output="softmax", seed=0, dtype=dtype)
        net.fit(x, y, optimizer=cynn.optimizers.Adam(0.05), epochs=15)
        assert net.evaluate(x, y, metrics=["accuracy"])["accuracy"] > 0.95

    @pytest.mark.parametrize("activation", ["swish", "gaussian", PythonTanh()], ids=str)
    def test_their_gradients(self, activation):
        net = helpers.network([3, 5, 2], [activation, activation])
        x, t = helpers.inputs(7, 3), helpers.targets(7, 2, "mean_squared_error")
        for layer, (dW, _) in zip(net.layers, net.gradients(x, t), strict=True):
            expected = reference.central_differences(lambda: net.evaluate(x, t)["loss"], layer.weights, 1e-4)
            assert helpers.relative_error(dW, expected) < 1e-6

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("rows", [1, 10, 64, 65, 200])
    def test_python_does_what_the_kernels_do(self, rows, dtype):
        x, t = data(rows)
        tolerance = 1e-4 if dtype == "float32" else 1e-9
        compiled = helpers.network([3, 20, 2], ["tanh", "identity"], dtype)
        plain = helpers.network([3, 20, 2], [PythonTanh(), "identity"], dtype)
        momentum = cynn.optimizers.SGD(0.1, momentum=0.9)
        options = {"epochs": 3, "batch_size": 32, "validation_data": (x, t)}
        first = compiled.fit(x, t, loss="mean_squared_error", optimizer=momentum, **options)
        second = plain.fit(x, t, loss=PythonSquare(), optimizer=PythonMomentum(learning_rate=0.1), **options)
        assert close(compiled, plain, tolerance)
        assert first["loss"] == pytest.approx(second["loss"], rel=tolerance)
        assert first["val_loss"] == pytest.approx(second["val_loss"], rel=tolerance)
        np.testing.assert_allclose(compiled.predict(x), plain.predict(x), rtol=tolerance, atol=tolerance)
        assert plain.predict(x).dtype == dtype

    def test_classes_reach_a_python_loss_as_one_hot_rows(self):
        x, y = helpers.blobs(90)
        nets = [Network.mlp([2, 8, 3], seed=0, dtype="float64") for _ in range(2)]
        nets[0].fit(x, y, loss=PythonSquare(), optimizer="sgd", epochs=2)
        nets[1].fit(x, y, loss="mean_squared_error", optimizer="sgd", epochs=2)
        assert close(*nets)
        weight = np.arange(90.0)
        figures = [net.evaluate(x, y, loss=loss, sample_weight=weight)["loss"]
                   for net, loss in zip(nets, (PythonSquare(), "mse"), strict=True)]
        assert figures[0] == pytest.approx(figures[1])

    def test_an_activation_with_the_name_of_one_that_a_loss_fuses_with(self):
        """It is no softmax: the loss must see what it makes of z."""

        class Shifted(PythonTanh):
            name = "softmax"

            def forward(self, z):
                return np.full_like(z, 0.25)

        net = Network([Input(2), Dense(4, Shifted())], seed=0, dtype="float64")
        x, y = np.ones((5, 2)), np.zeros(5, int)
        assert net.evaluate(x, y, loss="cross_entropy")["loss"] == pytest.approx(np.log(4))
        history = net.fit(x, y, loss="cross_entropy", epochs=1, validation_data=(x, y))
        assert history["loss"] == pytest.approx(history["val_loss"])

    def test_hyperparameters_reach_compiled_and_python_ones(self):
        class Scaled(PythonTanh):
            name = "scaled"
            factor: float = cynn.hyperparameter(default=1.0, above=0)
            on: bool = cynn.hyperparameter(default=True)

            def forward(self, z):
                return self.factor * z if self.on else z

        swish = cynn.registry.activations.get("swish", beta=0)
        net = Network([Input(1), Dense(1, Scaled(3)), Dense(1, swish)])
        net.layers[0].weights = net.layers[1].weights = [[1.0]]
        assert net.predict([2.0]) == pytest.approx(3)  # z = 6, and swish halves it where beta is 0
        assert repr(Scaled(2, on=False)) == "Scaled(factor=2.0, on=False)"

    def test_slots_go_on_and_are_pickled(self):
        x, t = data()
        once, twice = (helpers.network([3, 2], ["identity"]) for _ in range(2))
        once.fit(x, t, optimizer=PythonMomentum(0.01), epochs=4)
        twice.fit(x, t, optimizer=PythonMomentum(0.01), epochs=2)
        twice = pickle.loads(pickle.dumps(twice))
        twice.fit(x, t, epochs=2)
        assert helpers.digest(once) == helpers.digest(twice)


class FailingActivation(PythonTanh):
    name = "failing"

    def __init__(self, method, failing):
        super().__init__()
        self.method, self.failing = method, failing

    def forward(self, z):
        return self.failing(np.tanh(z)) if self.method == "forward" else np.tanh(z)

    def backward(self, z, a, grad):
        result = grad * (1 - a * a)
        return self.failing(result) if self.method == "backward" else result


class FailingLoss(PythonSquare):
    name = "failing"

    def __init__(self, failing):
        super().__init__()
        self.failing = failing

    def value_and_gradient(self, prediction, target):
        prediction[...] += 0  # its own copy
        return self.failing(super().value_and_gradient(prediction, target))


class FailingOptimizer(PythonMomentum):
    name = "failing"

    def __init__(self, failing):
        super().__init__(learning_rate=0.01)
        self.failing = failing

    def step(self, w, grad, slots, learning_rate, t):
        super().step(w, grad, slots, learning_rate, t)
        self.failing(None)


def fit_with(kind, failing, method="forward"):
    """A network, and a fit of it in which that component fails: batches of 20 of 200 rows."""
    x, t = data()
    activation = FailingActivation(method, failing) if kind == "activation" else PythonTanh()
    net = helpers.network([3, 4, 2], [activation, "identity"])
    options = {"loss": FailingLoss(failing) if kind == "loss" else PythonSquare()}
    options["optimizer"] = FailingOptimizer(failing) if kind == "optimizer" else PythonMomentum(0.01)
    return net, lambda rows=200, **more: net.fit(
        x[:rows], t[:rows], **{**options, "epochs": 1, "batch_size": 20, "shuffle": False, **more}
    )


# which component, and its first call in step 4: the optimizer is called for W and b of each layer
KINDS = [("activation", "forward", 4), ("activation", "backward", 4), ("loss", "", 4), ("optimizer", "", 15)]


@pytest.mark.parametrize(("kind", "method", "call"), KINDS)
class TestTheyFail:
    def test_an_error_in_the_middle_of_an_epoch(self, kind, method, call):
        failing = Failing(call, ZeroDivisionError("by zero"))
        net, fit = fit_with(kind, failing, method)
        words = (
            rf"^the {kind} 'failing' of test_plugins_in_networks unpackaged must run without an error\. "
            "It raised ZeroDivisionError: by zero$"
        )
        with pytest.raises(PluginError, match=words) as caught:
            fit()
        assert caught.value.__cause__ is failing.error
        assert net.history.epochs == 0

        whole, fit_whole = fit_with(kind, Failing(0), method)
        fit_whole(60)  # the three steps before the error
        assert helpers.same_bits(helpers.raw(net), helpers.raw(whole))
        fit(100)  # and both go on alike: the optimizer's memory is that of three steps
        fit_whole(100)
        assert helpers.same_bits(helpers.raw(net), helpers.raw(whole))
        assert net._optimizer_state.t == whole._optimizer_state.t == 8

    def test_ctrl_c_in_it_stays_ctrl_c(self, kind, method, call):
        net, fit = fit_with(kind, Failing(call, KeyboardInterrupt()), method)
        with pytest.raises(KeyboardInterrupt):
            fit()
        assert np.isfinite(net.predict(np.ones((1, 3)))).all()


@pytest.mark.parametrize(
    ("kind", "method", "result", "words"),
    [
        ("activation", "forward", np.zeros((20, 5)), "must return an array of shape (20, 4). Got (20, 5)"),
        ("activation", "forward", None, "forward must return an array of shape (20, 4). Got ()"),
        ("activation", "backward", np.zeros(4), "backward must return an array of shape (20, 4). Got (4,)"),
        ("loss", "", (np.zeros(5), np.zeros((20, 2))), "of shapes (20,) and (20, 2). Got (5,) and (20, 2)"),
        ("loss", "", (np.zeros(20), np.zeros(20)), "of shapes (20,) and (20, 2). Got (20,) and (20,)"),
        ("loss", "", (0.0, np.zeros((20, 2))), "of shapes (20,) and (20, 2). Got () and (20, 2)"),
        ("loss", "", 5, "must run without an error. It raised TypeError"),
        ("activation", "forward", np.full((20, 4), "a"), "must run without an error. It raised ValueError"),
    ],
)
def test_a_wrong_shape_is_said(kind, method, result, words):
    net, fit = fit_with(kind, Failing(2, result=result), method)
    with pytest.raises(PluginError, match=re.escape(words)):
        fit()
    whole, fit_whole = fit_with(kind, Failing(0), method)
    fit_whole(20)
    assert helpers.same_bits(helpers.raw(net), helpers.raw(whole))


def test_errors_in_predictions():
    x, t = data()
    net = helpers.network([3, 4, 2], [FailingActivation("forward", Failing(2, OSError("x"))), "identity"])
    assert net.predict(x[:10]).shape == (10, 2)
    with pytest.raises(PluginError, match=r"the activation 'failing' .* It raised OSError: x"):
        net.predict(x[:10])
    assert np.isfinite(net.predict(x)).all()  # and it can be used again
    for result, words in [(5, "TypeError"), ((0.0, np.zeros((200, 2))), "arrays of shapes")]:
        with pytest.raises(PluginError, match=rf"the loss 'failing' .*{words}"):
            net.evaluate(x, t, loss=FailingLoss(Failing(1, result=result)))


@pytest.mark.parametrize(
    ("base", "members", "method"),
    [
        (Activation, {"forward": PythonTanh.forward}, "backward"),
        (Activation, {"backward": PythonTanh.backward}, "forward"),
        (Loss, {}, "value_and_gradient"),
        (Optimizer, {}, "step"),
    ],
)
def test_a_method_that_is_missing_is_said_at_once(base, members, method):
    component = type("Half", (base,), {"name": "half", **members})()
    x, t = data()
    with pytest.raises(PluginError, match=rf"must have a compiled kernel or define {method}\(\)"):
        net = Network([Input(3), Dense(2, component if base is Activation else "identity")], seed=0)
        net.fit(x, t, **{base.kind: component})
