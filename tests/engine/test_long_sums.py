"""Sums of many terms in float32, and of numbers whose squares overflow: as exact as what goes in and comes out."""

import helpers
import numpy as np
import pytest

import cynn
from cynn import BatchNorm, Dense, Input, LayerNorm, Network, PReLU, RMSNorm
from cynn.constraints import MaxNorm
from cynn.engine.activation_kernel import ActivationKernel
from cynn.engine.loss_kernel import LossKernel
from cynn.engine.optimizer_kernel import OptimizerKernel
from cynn.errors import TrainingDivergedError
from cynn.optimizers import SGD

EPSILON = {"float32": np.finfo(np.float32).eps, "float64": np.finfo(np.float64).eps}


def two_of_a_thousand(dtype=np.float32):
    z = np.zeros((1, 1000), dtype)
    z[0, :2] = 5
    return z


def one_of_ten_thousand(dtype=np.float32):
    z = np.zeros((1, 10_000), dtype)
    z[0, 0] = 3
    return z


def activation(name):
    return ActivationKernel(cynn.registry.activations.get(name))


def softmax(z):
    powers = np.exp(z - z.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


BACKWARD = {
    "softmax": lambda z, a, g: a * (g - (g * a).sum(axis=1, keepdims=True)),
    "softmin": lambda z, a, g: a * ((g * a).sum(axis=1, keepdims=True) - g),
    "log_softmax": lambda z, a, g: g - np.exp(a) * g.sum(axis=1, keepdims=True),
}
FORWARD = {
    "softmax": softmax,
    "softmin": lambda z: softmax(-z),
    "log_softmax": lambda z: np.log(softmax(z)),
}


@pytest.mark.parametrize("name", FORWARD)
@pytest.mark.parametrize("make", [two_of_a_thousand, one_of_ten_thousand])
class TestRows:
    def test_forward(self, make, name):
        z = make()
        a = activation(name).forward(z)
        np.testing.assert_allclose(a, FORWARD[name](z.astype(np.float64)), rtol=5e-7)
        if name != "log_softmax":
            assert a.astype(np.float64).sum() == pytest.approx(1, abs=2e-7)

    def test_backward(self, make, name):
        z = make()
        exact = FORWARD[name](z.astype(np.float64))
        grad = np.random.default_rng(0).uniform(0.5, 1, z.shape).astype(np.float32)
        found = activation(name).backward(z, exact.astype(np.float32), grad)
        expected = BACKWARD[name](z, exact, grad.astype(np.float64))
        assert helpers.relative_error(found, expected) < 1e-6


def test_backward_of_sparsemax():
    grad = np.random.default_rng(0).uniform(0.5, 1, (1, 10_000)).astype(np.float32)
    z = np.zeros_like(grad)
    a = activation("sparsemax").forward(z)
    found = activation("sparsemax").backward(z, a, grad)
    assert np.abs(found - (grad - grad.astype(np.float64).mean())).max() < 1e-7


@pytest.mark.parametrize(("make", "expected"), [(two_of_a_thousand, 2.166132), (one_of_ten_thousand, None)])
def test_cross_entropy(make, expected):
    z = make()
    target = np.zeros_like(z)
    target[0, 0] = 1
    exact = np.log(np.exp(z.astype(np.float64)).sum()) - z[0, 0]
    assert expected is None or exact == pytest.approx(expected, abs=5e-7)
    kernel = LossKernel(cynn.registry.losses.get("cross_entropy"))
    (value,), gradient = kernel.value_and_gradient(z, target, fused=True)
    assert value == pytest.approx(exact, rel=1e-7)
    np.testing.assert_allclose(gradient, softmax(z.astype(np.float64)) - target, rtol=5e-7)
    # the value alone comes to the same bits
    net = Network([Input(1), Dense(z.shape[1], "softmax")], seed=0)
    net.layers[0].weights[...] = z
    options = {"loss": "cross_entropy", "optimizer": SGD(1e-30), "epochs": 1, "batch_size": 1, "progress": False}
    history = net.fit([[1.0]], [0], **options)
    assert net.evaluate([[1.0]], [0], loss="cross_entropy")["loss"] == history["loss"][0] == pytest.approx(exact)


@pytest.mark.parametrize("units", [31, 32, 33, 47, 48, 255, 256, 257, 1000])
@pytest.mark.parametrize("name", FORWARD)
def test_rows_of_any_length(name, units):
    z = np.random.default_rng(0).normal(size=(3, units)).astype(np.float32)
    np.testing.assert_allclose(activation(name).forward(z), FORWARD[name](z.astype(np.float64)), rtol=5e-6, atol=1e-7)


def normalized(x, centered, epsilon=1e-3):
    x = x.astype(np.longdouble)
    x = x - x.mean(axis=1, keepdims=True) if centered else x
    return x / np.sqrt((x**2).mean(axis=1, keepdims=True) + epsilon)


@pytest.mark.parametrize("layer", [LayerNorm, RMSNorm])
class TestNormalizedRows:
    @pytest.mark.parametrize("units", [10_000, 100_000])
    def test_long_ones(self, layer, units):
        x = np.random.default_rng(0).uniform(1, 2, (2, units)).astype(np.float32)
        net = Network([Input(units), layer(epsilon=1e-3)])
        expected = normalized(x, layer is LayerNorm)
        assert helpers.relative_error(net.predict(x), expected) < 2e-6

    @pytest.mark.parametrize(
        ("dtype", "size"),
        [
            ("float32", 1e19), ("float32", 1e30), ("float32", 1e38), ("float32", 3.4e38), ("float64", 1e150),
            ("float64", 1e170), ("float64", 1.7e308),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("units", [3, 100])
    def test_large_ones(self, layer, units, dtype, size):
        x = (np.random.default_rng(0).uniform(-1, 1, (4, units)) * size).astype(dtype)
        x[1] = np.abs(x[1])
        net = Network([Input(units), layer(epsilon=1e-3)], dtype=dtype)
        expected = normalized(x, layer is LayerNorm)
        assert helpers.relative_error(net.predict(x), expected) < 20 * EPSILON[dtype]
        # and in training, where the gradient of what normalizes is divided by their size
        net = Network([Input(units), layer(epsilon=1e-3), Dense(1)], dtype=dtype, seed=0)
        gradients = net.gradients(x, np.ones((4, 1)))
        weights = net.layers[1].weights.astype(np.float64)
        delta = 2 * (expected @ weights - 1) / 4 @ weights.T
        np.testing.assert_allclose(gradients[0][0], (delta * expected).sum(axis=0), rtol=1e-4, atol=1e-5)

    def test_a_row_that_is_not_finite_stays_so(self, layer):
        kernel_sees = Network([Input(3), Dense(3), layer()], seed=0)
        kernel_sees.layers[0].weights[...] = 3e38
        assert np.isnan(kernel_sees.predict([[1.0, 1.0, 1.0]])).all()


def test_a_variance_that_float32_cannot_hold_is_an_error():
    net = Network([Input(2), BatchNorm(), Dense(1)], seed=0)
    x = np.array([[1e38, 1], [-1e38, 2], [1e37, 3]])
    before = helpers.digest(net)
    with pytest.raises(TrainingDivergedError):
        net.fit(x, np.zeros(3), epochs=1, progress=False)
    assert helpers.digest(net) == before


@pytest.mark.parametrize("layer", [Dense(7), Dense(600), LayerNorm(), PReLU()], ids=["Dense", "wide", "norm", "PReLU"])
def test_gradients_that_are_summed_up_over_many_rows(layer):
    """Of a bias, of a scale, of a slope: each the sum of 100,000 numbers of one sign."""
    rows = 20_000 if isinstance(layer, Dense) and layer.units > 100 else 100_000
    x = np.random.default_rng(0).uniform(-2, -1, (rows, 3)).astype(np.float32)
    y = np.full((rows, 1), -3.0, np.float32)
    found, expected = (
        Network([Input(3), Dense(5), layer, Dense(1)], seed=0, dtype=dtype).gradients(x, y)
        for dtype in ("float32", "float64")
    )
    for pair, wanted in zip(found[1:], expected[1:], strict=True):
        for one, other in zip(pair[-1:], wanted[-1:], strict=True):
            np.testing.assert_allclose(one, other, rtol=3e-6, atol=1e-6)


SIZES = {"float32": [1e-30, 1e30, 1e38], "float64": [1e-300, 1e-170, 1e-150, 1e150, 1e170, 1e300]}
CASES = [(dtype, size) for dtype, sizes in SIZES.items() for size in sizes]


def gradient_of(size, dtype):
    """A network whose gradient is about that size, and finite, as is its loss."""
    net = Network([Input(2), Dense(3, use_bias=False)], dtype=dtype, seed=0)
    x = np.array([[size, size / 2], [-size / 4, size]], dtype)
    net.layers[0].weights[...] = 0
    return net, x, np.array([[1, -2, 3], [4, 5, -6]], dtype)


@pytest.mark.parametrize("option", ["clipnorm", "global_clipnorm"])
@pytest.mark.parametrize(("dtype", "size"), CASES)
def test_norms_to_clip_by(dtype, size, option):
    net, x, y = gradient_of(size, dtype)
    grad = x.T.astype(np.longdouble) @ (-np.sign(y)) / 6
    limit = float(np.sqrt((grad**2).sum()) / 10)
    net.fit(
        x, y, loss="mean_absolute_error", optimizer=SGD(1 / size, **{option: limit}), batch_size=2, epochs=1,
        progress=False,
    )  # fmt: skip
    np.testing.assert_allclose(net.layers[0].weights, np.float64(-grad / size / 10), rtol=100 * EPSILON[dtype])


@pytest.mark.parametrize(("dtype", "size"), CASES)
def test_norms_that_weights_are_brought_to(dtype, size):
    W = np.array([[0.3, 0.1], [0.4, 0.2]], dtype) * dtype_of(dtype)(size)
    for constraint, value in [("unit_norm", 1.0), (MaxNorm(size / 10), size / 10)]:
        net = Network([Input(2), Dense(2, constraint=constraint)], dtype=dtype, seed=0)
        net.layers[0].weights = W
        net.fit(np.zeros((1, 2)), np.zeros((1, 2)), optimizer=SGD(1e-3), epochs=1, progress=False)
        norms = np.sqrt((W.astype(np.longdouble) ** 2).sum(axis=0))
        np.testing.assert_allclose(
            net.layers[0].weights / dtype_of(dtype)(value), np.float64(W / norms), rtol=20 * EPSILON[dtype]
        )


def dtype_of(name):
    return np.dtype(name).type


def stepped(name, w, grad, **options):
    kernel = OptimizerKernel(cynn.registry.optimizers.get(name, **options))
    w = w.copy()
    kernel.step(w, grad.copy(), [np.zeros_like(w) for _ in range(kernel.n_slots)], 0.5, 1)
    return w


@pytest.mark.parametrize("size", [1e-170, 1e170, 1e300])
def test_steps_by_the_norm_of_the_weights(size):
    """LAMB's and Adafactor's steps are as long as the weights, however long these are."""
    w, grad = np.random.default_rng(0).normal(size=(2, 3, 4))
    plain, scaled = (stepped("lamb", w * s, grad, weight_decay=0.0) / s for s in (1, size))
    np.testing.assert_allclose(scaled, plain, rtol=1e-9)
    if size > 1:
        plain, scaled = (stepped("adafactor", w * s, grad) / s for s in (1, size))
        np.testing.assert_allclose(scaled, plain, rtol=1e-9)


@pytest.mark.parametrize(
    ("dtype", "size"), [("float32", 1e30), ("float32", 3e38), ("float64", 1e170), ("float64", 1e300)]
)
def test_muon(dtype, size):
    """The direction does not depend on the gradient's length."""
    w, grad = np.zeros((3, 4), dtype), np.random.default_rng(0).uniform(-1, 1, size=(3, 4)).astype(dtype)
    plain, scaled = (stepped("muon", w, grad * dtype_of(dtype)(s), weight_decay=0.0) for s in (1e6, size))
    np.testing.assert_allclose(scaled, plain, rtol=1e-4)


@pytest.mark.parametrize("size", [1e-150, 1e150, 1e170, 1e300])
def test_cosine_similarity(size):
    prediction, target = np.random.default_rng(0).normal(size=(2, 1, 5))
    kernel = LossKernel(cynn.registry.losses.get("cosine_similarity", epsilon=1e-200))
    (plain,), gradient = kernel.value_and_gradient(prediction, target)
    (scaled,), of_scaled = kernel.value_and_gradient(prediction * size, target * size)
    assert scaled == pytest.approx(plain, rel=1e-12)
    np.testing.assert_allclose(of_scaled * size, gradient, rtol=1e-9)


def test_logits_far_apart():
    """The loss is a number that float64 holds, though float32 does not hold their difference."""
    z = np.array([[3e38, -3e38, 0]], np.float32)
    kernel = LossKernel(cynn.registry.losses.get("cross_entropy"))
    for target, expected in [([[1, 0, 0]], 0), ([[0, 0, 1]], 3e38)]:
        target = np.array(target, np.float32)
        (value,), gradient = kernel.value_and_gradient(z, target, fused=True)
        assert value == pytest.approx(expected)
        np.testing.assert_allclose(gradient, [[1, 0, 0]] - target)
