"""Label smoothing: cross-entropy against targets of which a part is spread over all classes."""

import helpers
import numpy as np
import pytest

import cynn
from cynn import Network
from cynn.errors import InvalidParameterError
from cynn.losses import CrossEntropy

ROWS, OUTPUTS = 40, 5


def data(dtype, as_classes):
    x = helpers.inputs(ROWS, 6, dtype)
    y = np.arange(ROWS) % OUTPUTS
    return x, y if as_classes else np.eye(OUTPUTS)[y]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("as_classes", [True, False])
@pytest.mark.parametrize("output", ["softmax", "sigmoid"])  # fused with the loss, and not
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7])
class TestInANetwork:
    def make(self, dtype, as_classes, output, smoothing):
        net = helpers.network([6, 4, OUTPUTS], ["tanh", output], dtype)
        x, y = data(dtype, as_classes)
        smoothed = (1 - smoothing) * np.eye(OUTPUTS)[np.arange(ROWS) % OUTPUTS] + smoothing / OUTPUTS
        return net, x, y, smoothed, CrossEntropy(label_smoothing=smoothing)

    def test_the_loss_is_that_of_smoothed_targets(self, dtype, as_classes, output, smoothing):
        net, x, y, smoothed, loss = self.make(dtype, as_classes, output, smoothing)
        expected = -np.mean((smoothed * np.log(net.predict(x).astype(float))).sum(axis=1))
        tolerance = 10 * helpers.TOLERANCE[dtype]
        assert net.evaluate(x, y, loss=loss)["loss"] == pytest.approx(expected, rel=tolerance)
        assert net.evaluate(x, smoothed, loss="cross_entropy")["loss"] == pytest.approx(expected, rel=tolerance)

    def test_the_gradients_are_those_of_smoothed_targets(self, dtype, as_classes, output, smoothing):
        net, x, y, smoothed, loss = self.make(dtype, as_classes, output, smoothing)
        weight = np.random.default_rng(0).uniform(size=ROWS)
        found = net.gradients(x, y, loss=loss, sample_weight=weight)
        expected = net.gradients(x, smoothed, loss="cross_entropy", sample_weight=weight)
        for pair, other in zip(found, expected, strict=True):
            for a, b in zip(pair, other, strict=True):
                assert helpers.relative_error(a, b) < helpers.TOLERANCE[dtype]


@pytest.mark.parametrize("as_classes", [True, False])
@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_central_differences(as_classes, output):
    net = helpers.network([6, 4, OUTPUTS], ["tanh", output])
    x, y = data("float64", as_classes)
    loss, W = CrossEntropy(label_smoothing=0.3), net.layers[1].weights
    dW = net.gradients(x, y, loss=loss)[1][0]
    for place in [(0, 0), (3, 4), (2, 1)]:
        before, values = W[place], []
        for step in (1e-5, -1e-5):
            W[place] = before + step
            values.append(net.evaluate(x, y, loss=loss)["loss"])
        W[place] = before
        assert (values[0] - values[1]) / 2e-5 == pytest.approx(dW[place], rel=1e-6, abs=1e-9)


def test_value_and_gradient_of_the_class():
    prediction = np.random.default_rng(0).dirichlet(np.ones(4), size=6)
    target = np.eye(4)[[0, 1, 2, 3, 0, 1]]
    found = CrossEntropy(label_smoothing=0.2).value_and_gradient(prediction, target)
    expected = CrossEntropy().value_and_gradient(prediction, 0.8 * target + 0.05)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_the_same_bits_at_any_number_of_threads():
    digests = set()
    for n_threads in (1, 2, 3):
        net = Network.mlp([150, 120, 10], output="softmax", seed=0)
        x = helpers.inputs(900, 150, "float32")
        net.fit(x, np.arange(900) % 10, loss=CrossEntropy(0.1), batch_size=300, epochs=1, n_threads=n_threads)
        digests.add(helpers.digest(net))
    assert len(digests) == 1


def test_large_z_does_not_overflow():
    net = Network([cynn.Input(1), cynn.Dense(3, "softmax")], seed=0)
    net.layers[0].weights = [[1e4, 0.0, -1e4]]
    loss = net.evaluate([[1.0]], [0], loss=CrossEntropy(label_smoothing=0.3))["loss"]
    assert loss == pytest.approx(0.1 * 1e4 + 0.1 * 2e4)


def test_as_a_parameter():
    loss = cynn.registry.losses.get("cross_entropy", label_smoothing=0.1)
    assert loss == cynn.registry.losses.get(loss.get_config()) != CrossEntropy()
    for wrong in (-0.1, 1, "some"):
        with pytest.raises(InvalidParameterError, match="'label_smoothing' parameter of CrossEntropy must be"):
            CrossEntropy(label_smoothing=wrong)
