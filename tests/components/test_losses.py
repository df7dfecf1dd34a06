"""Every built-in loss: the value of each row and its gradient, from predictions and from z."""

import helpers
import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st

import cynn
from cynn import losses
from cynn.engine.loss_kernel import LossKernel

NAMES = sorted(reference.LOSSES)
FUSED = sorted(reference.FUSED)
DTYPES = ["float32", "float64"]


def get(name):
    return cynn.registry.losses.get(name)


def predictions(rows, outputs, name, dtype):
    """What the loss takes: probabilities for the two entropies."""
    z = helpers.inputs(rows, outputs, "float64", seed=3)
    if name == "cross_entropy":
        z = reference.softmax(z)
    elif name == "binary_cross_entropy":
        z = reference.sigmoid(z)
    return z.astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
@given(st.integers(1, 80), st.integers(1, 20))
def test_each_row(name, dtype, rows, outputs):
    p, t = predictions(rows, outputs, name, dtype), helpers.targets(rows, outputs, name).astype(dtype)
    value, gradient = get(name).value_and_gradient(p, t)
    assert value.dtype == gradient.dtype == dtype
    expected_value, expected_gradient = reference.LOSSES[name](p.astype(np.float64), t.astype(np.float64))
    np.testing.assert_allclose(value, expected_value, rtol=helpers.TOLERANCE[dtype], atol=1e-6)
    assert helpers.relative_error(gradient, expected_gradient) < helpers.TOLERANCE[dtype]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [1, 3, 16, 40, 151])
@pytest.mark.parametrize("outputs", [1, 3, 4, 16])
def test_rows_that_count_alike_and_rows_that_do_not(rows, outputs, dtype):
    """The squared error has a way of its own for rows that count alike; weights that differ by a hair lead past it."""
    x, t = helpers.inputs(rows, 4, dtype), helpers.targets(rows, outputs, "mean_squared_error")
    found = []
    for weight in (None, np.linspace(1, 1 + 1e-6, rows)):
        net = cynn.Network([cynn.Input(4), cynn.Dense(outputs)], seed=0, dtype=dtype)
        history = net.fit(
            x, t, loss="mean_squared_error", optimizer=cynn.optimizers.SGD(0.5), batch_size=rows, epochs=2,
            sample_weight=weight, shuffle=False,
        )  # fmt: skip
        found.append((history["loss"], net.layers[0].weights, net.layers[0].biases))
    for alike, otherwise in zip(*found, strict=True):
        np.testing.assert_allclose(alike, otherwise, rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "activation"), FUSED)
@given(st.integers(1, 80), st.integers(1, 20))
def test_from_z(name, activation, dtype, rows, outputs):
    z, t = helpers.inputs(rows, outputs, dtype), helpers.targets(rows, outputs, name).astype(dtype)
    value, gradient = LossKernel(get(name)).value_and_gradient(z, t, fused=True)
    expected_value, expected_gradient = reference.FUSED[name, activation](z.astype(np.float64), t)
    assert helpers.relative_error(value, expected_value) < helpers.TOLERANCE[dtype]
    assert helpers.relative_error(gradient, expected_gradient) < helpers.TOLERANCE[dtype]


@pytest.mark.parametrize(("name", "activation"), FUSED)
@given(st.integers(1, 30), st.integers(1, 12))
def test_from_z_is_the_activation_and_then_the_loss(name, activation, rows, outputs):
    z, t = helpers.inputs(rows, outputs), helpers.targets(rows, outputs, name)
    f = cynn.registry.activations.get(activation)
    p = f.forward(z)
    value, grad = get(name).value_and_gradient(p, t)
    fused_value, fused_gradient = LossKernel(get(name)).value_and_gradient(z, t, fused=True)
    np.testing.assert_allclose(value, fused_value, rtol=1e-9)
    np.testing.assert_allclose(f.backward(z, p, grad), fused_gradient, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "activation"), FUSED)
@pytest.mark.parametrize("size", [1e4, 1e30])
def test_from_extreme_z(name, activation, dtype, size):
    z = np.array([[size, -size], [-size, size], [size, size], [-size, -size], [0, -size]], dtype)
    for target in ([1.0, 0.0], [0.0, 1.0]):
        t = np.tile(np.array(target, dtype), (len(z), 1))
        value, gradient = LossKernel(get(name)).value_and_gradient(z, t, fused=True)
        expected, expected_gradient = reference.FUSED[name, activation](z.astype(np.float64), t)
        np.testing.assert_allclose(value, expected, rtol=1e-6)
        np.testing.assert_allclose(gradient, expected_gradient, atol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["binary_cross_entropy", "cross_entropy"])
def test_probabilities_of_zero_and_one(name, dtype):
    p = np.array([[0.0, 1.0], [1.0, 0.0]], dtype)
    t = np.array([[1.0, 0.0], [1.0, 0.0]], dtype)
    value, gradient = get(name).value_and_gradient(p, t)
    assert np.isfinite(value).all()
    assert np.isfinite(gradient).all()
    assert value[0] > 10  # -log 1e-7 is 16
    assert value[1] < 1e-6


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("name", NAMES)
@given(st.integers(1, 80), st.integers(2, 12), st.booleans())
def test_total(name, fused, dtype, rows, outputs, weighted):
    """The path without a gradient: what `evaluate` runs."""
    kernel = LossKernel(get(name))
    if fused and kernel.fuses_with is None:
        return
    p = helpers.inputs(rows, outputs, dtype) if fused else predictions(rows, outputs, name, dtype)
    t = helpers.targets(rows, outputs, name).astype(dtype)
    weight = np.random.default_rng(5).uniform(size=rows) if weighted else None
    value, _ = kernel.value_and_gradient(p, t, fused=fused)
    expected = value.astype(np.float64) @ (np.ones(rows) if weight is None else weight)
    np.testing.assert_allclose(
        kernel.total(p, t, None, weight, fused), expected, rtol=helpers.TOLERANCE[dtype], atol=1e-5
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_a_class_stands_for_a_one_hot_row(name, fused, dtype):
    kernel = LossKernel(get(name))
    if fused and kernel.fuses_with is None:
        return
    classes = np.random.default_rng(0).integers(5, size=40)
    p = helpers.inputs(40, 5, dtype) if fused else predictions(40, 5, name, dtype)
    t = reference.one_hot(classes, 5).astype(dtype)
    by_class = kernel.total(p, None, classes, None, fused)
    by_row = kernel.total(p, t, None, None, fused)
    np.testing.assert_allclose(by_class, by_row, rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("output", ["identity", "sigmoid", "softmax"])
def test_classes_and_one_hot_rows_have_the_same_gradients(name, output):
    if (name, output) in [("binary_cross_entropy", "identity"), ("cross_entropy", "identity")]:
        return  # needs probabilities
    net = helpers.network([4, 6, 5], ["tanh", output])
    x, classes = helpers.inputs(20, 4), np.random.default_rng(0).integers(5, size=20)
    by_class = net.gradients(x, classes, loss=name)
    by_row = net.gradients(x, reference.one_hot(classes, 5), loss=name)
    for pair, other in zip(by_class, by_row, strict=True):
        for a, b in zip(pair, other, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["classes", "rows", "weighted", "smoothed"])
@pytest.mark.parametrize(
    ("rows", "outputs"), [(1, 10), (31, 10), (32, 10), (33, 10), (150, 2), (70, 100), (5, 2048), (5, 3000)]
)
def test_cross_entropy_of_many_rows(rows, outputs, kind, dtype):
    """A softmax goes over some rows at once; here row i of dW is the gradient of row i alone."""
    net = cynn.Network([cynn.Input(rows), cynn.Dense(outputs, activation="softmax")], seed=1, dtype=dtype)
    z = helpers.inputs(rows, outputs, dtype, seed=2)
    net.layers[0].weights, net.layers[0].biases = z, np.zeros(outputs)
    classes = np.random.default_rng(3).integers(outputs, size=rows)
    weight = np.random.default_rng(4).uniform(0.5, 2, size=rows) if kind == "weighted" else np.ones(rows)
    loss = cynn.losses.CrossEntropy(label_smoothing=0.1 if kind == "smoothed" else 0)
    t = reference.one_hot(classes, outputs)
    smoothed = 0.9 * t + 0.1 / outputs if kind == "smoothed" else t
    value, gradient = reference.FUSED["cross_entropy", "softmax"](z.astype(np.float64), smoothed)
    history = net.fit(
        np.eye(rows, dtype=dtype), t if kind == "rows" else classes, loss=loss, optimizer=cynn.optimizers.SGD(1.0),
        batch_size=rows, epochs=1, shuffle=False, sample_weight=weight,
    )  # fmt: skip
    scale = weight / (weight.sum() if kind == "weighted" else rows)
    np.testing.assert_allclose(history["loss"][0], value @ scale, rtol=10 * helpers.TOLERANCE[dtype])
    step = z - net.layers[0].weights
    np.testing.assert_allclose(step, gradient * scale[:, None], rtol=0, atol=1e-6 if dtype == "float32" else 1e-14)


def test_the_gradient_of_an_absolute_difference_of_zero_is_zero():
    p, t = np.array([[1.0, 2.0]]), np.array([[1.0, 3.0]])
    _, gradient = losses.MeanAbsoluteError().value_and_gradient(p, t)
    assert gradient.tolist() == [[0.0, -0.5]]


def test_soft_targets_of_any_total():
    z, t = helpers.inputs(7, 4), np.abs(helpers.inputs(7, 4, seed=9))
    value, gradient = LossKernel(losses.CrossEntropy()).value_and_gradient(z, t, fused=True)
    expected_value, expected_gradient = reference.softmax_then_cross_entropy(z, t)
    np.testing.assert_allclose(value, expected_value)
    np.testing.assert_allclose(gradient, expected_gradient, atol=1e-12)


def test_what_does_not_fit_is_refused():
    with pytest.raises(cynn.errors.ShapeError, match="target must have the shape and dtype of prediction"):
        losses.MeanSquaredError().value_and_gradient(np.zeros((2, 3)), np.zeros((3, 2)))
    kernel = LossKernel(losses.MeanSquaredError())
    with pytest.raises(cynn.errors.InvalidParameterError, match="fused must be False"):
        kernel.value_and_gradient(np.zeros((2, 3)), np.zeros((2, 3)), fused=True)
