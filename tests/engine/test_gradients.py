"""Every gradient against central differences in float64, to 1e-6 relative."""

import helpers
import numpy as np
import pytest
import reference

import cynn
from cynn.engine.loss_kernel import LossKernel

SMALL = 1e-6
ACTIVATIONS = sorted(reference.ACTIVATIONS)
LOSSES = sorted(reference.LOSSES)

# (sizes, activations, loss): every activation and every loss, one to five layers, narrow to wide
NETWORKS = [
    ([3, 2], ["identity"], "mean_squared_error"),
    ([1, 1], ["sigmoid"], "binary_cross_entropy"),
    ([5, 4, 3], ["sigmoid", "softmax"], "cross_entropy"),
    ([4, 3, 2], ["tanh", "sigmoid"], "mean_squared_error"),
    ([6, 40, 4], ["relu", "softmax"], "cross_entropy"),
    ([3, 17, 33, 2], ["leaky_relu", "tanh", "sigmoid"], "binary_cross_entropy"),
    ([2, 3, 3, 3, 2, 1], ["tanh", "softmax", "sigmoid", "leaky_relu", "identity"], "mean_absolute_error"),
    ([3, 4, 3], ["softmax", "softmax"], "mean_squared_error"),
    ([3, 5, 4], ["tanh", "sigmoid"], "cross_entropy"),
    ([3, 5, 4], ["tanh", "softmax"], "binary_cross_entropy"),
]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation(name):
    """∂(Σ c a)/∂z for random c."""
    f = cynn.registry.activations.get(name)
    z, c = helpers.inputs(4, 6), helpers.inputs(4, 6, seed=7)
    z[np.abs(z) < 1e-3] += 0.01  # away from the bend of relu
    found = f.backward(z, f.forward(z), c)
    expected = reference.central_differences(lambda: float((c * f.forward(z)).sum()), z)
    assert helpers.relative_error(found, expected) < SMALL


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("name", LOSSES)
def test_loss(name, fused):
    kernel = LossKernel(cynn.registry.losses.get(name))
    if fused and kernel.fuses_with is None:
        return
    z, t = helpers.inputs(4, 5), helpers.targets(4, 5, name)
    p = z if fused else np.clip(reference.sigmoid(z), 0.05, 0.95)
    _, found = kernel.value_and_gradient(p, t, fused=fused)
    expected = reference.central_differences(
        lambda: float(kernel.value_and_gradient(p, t, fused=fused)[0].sum()), p, step=1e-4
    )
    assert helpers.relative_error(found, expected) < SMALL


@pytest.mark.parametrize("rows", [1, 3, 257])
@pytest.mark.parametrize(("sizes", "names", "loss"), NETWORKS)
def test_network(sizes, names, loss, rows):
    net = helpers.network(sizes, names, seed=4)
    x, t = helpers.inputs(rows, sizes[0]), helpers.targets(rows, sizes[-1], loss)
    weight = np.random.default_rng(8).uniform(0.5, 2, size=rows)

    def mean_loss():
        return net.evaluate(x, t, loss=loss, sample_weight=weight, check_finite=False)["loss"]

    found = net.gradients(x, t, loss=loss, sample_weight=weight)
    for layer, (dW, db) in zip(net.layers, found, strict=True):
        # a sample of the weights, so that wide layers take no minutes
        W = layer.weights
        picked = np.random.default_rng(0).permutation(W.size)[:12]
        for name, parameter, gradient in [("W", W, dW), ("b", layer.biases, db)]:
            flat, flat_gradient = parameter.reshape(-1), gradient.reshape(-1)
            indices = picked if name == "W" else range(min(8, parameter.size))
            for i in indices:
                part = flat[i : i + 1]
                expected = reference.central_differences(mean_loss, part, step=1e-4)
                # relative to the gradient of its parameter: an element may be 0
                scale = max(np.abs(gradient).max(), 1e-3)
                assert abs(flat_gradient[i] - expected[0]) < SMALL * scale, (name, i)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rows", [1, 3, 64, 65, 257])
@pytest.mark.parametrize(("sizes", "names", "loss"), NETWORKS)
def test_network_against_the_reference(sizes, names, loss, rows, dtype):
    """Backpropagation as the textbook has it, which is exact where differences are not."""
    net = helpers.network(sizes, names, dtype, seed=5)
    x, t = helpers.inputs(rows, sizes[0], dtype), helpers.targets(rows, sizes[-1], loss)
    t = t.astype(dtype).astype(np.float64)
    weight = np.random.default_rng(8).uniform(0.5, 2, size=rows)
    found = net.gradients(x, t, loss=loss, sample_weight=weight)
    expected = reference.gradients(x.astype(np.float64), t, helpers.parameters(net), names, loss, weight)
    tolerance = 20 * helpers.TOLERANCE[dtype]
    for pair, other in zip(found, expected, strict=True):
        for a, b in zip(pair, other, strict=True):
            assert a.dtype == dtype
            assert np.abs(a - b).max() < tolerance * max(np.abs(b).max(), 1e-2)
    found_loss = net.evaluate(x, t, loss=loss, sample_weight=weight)["loss"]
    expected_loss = reference.mean_loss(
        x.astype(np.float64), t, helpers.parameters(net), names, loss, weight
    )
    assert found_loss == pytest.approx(expected_loss, rel=20 * helpers.TOLERANCE[dtype], abs=1e-6)


def test_gradients_leave_the_network_as_it_is():
    net = helpers.network([3, 4, 2], ["tanh", "identity"])
    before = helpers.raw(net)
    dW, _ = net.gradients(np.ones((5, 3)), np.ones((5, 2)))[0]
    dW[...] = 99
    assert helpers.same_bits(before, helpers.raw(net))
    assert net.history is None


def test_a_step_of_fit_follows_the_gradients():
    net = helpers.network([3, 4, 2], ["tanh", "identity"])
    x, t = helpers.inputs(9, 3), helpers.targets(9, 2, "mean_squared_error")
    before, gradients = helpers.raw(net), net.gradients(x, t)
    net.fit(x, t, optimizer=cynn.optimizers.SGD(0.5), epochs=1, batch_size=9)
    for (W, b), (dW, db), (W_after, b_after) in zip(before, gradients, helpers.raw(net), strict=True):
        np.testing.assert_allclose(W_after, W - 0.5 * dW, rtol=1e-12)
        np.testing.assert_allclose(b_after, b - 0.5 * db, rtol=1e-12)
