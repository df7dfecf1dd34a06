"""Fifty steps down a quadratic bowl, against the update rules of the papers."""

import helpers
import numpy as np
import pytest
import reference

import cynn
from cynn.engine.optimizer_kernel import OptimizerKernel
from cynn.optimizers import SGD, Adam, AdamW

STEPS = 50
SHAPE = (7, 5)
TOLERANCE = {"float32": 2e-4, "float64": 1e-12}

CASES = {
    "sgd": (SGD(0.05), reference.sgd),
    "sgd with decay": (SGD(0.05, weight_decay=0.2), reference.sgd),
    "momentum": (SGD(0.02, momentum=0.9), reference.sgd),
    "momentum with decay": (SGD(0.02, momentum=0.8, weight_decay=0.1), reference.sgd),
    "nesterov": (SGD(0.02, momentum=0.9, nesterov=True), reference.sgd),
    "nesterov with decay": (SGD(0.02, momentum=0.9, nesterov=True, weight_decay=0.1), reference.sgd),
    "adam": (Adam(0.05), reference.adam),
    "adam, other betas": (Adam(0.05, beta_1=0.5, beta_2=0.9, epsilon=1e-3), reference.adam),
    "adam, beta_1 of 0": (Adam(0.05, beta_1=0), reference.adam),
    "adamw": (AdamW(0.05, weight_decay=0.1), reference.adam),
    "adamw without decay": (AdamW(0.05, weight_decay=0), reference.adam),
}


def bowl():
    """C = ½ Σ curvature (w - bottom)², and where to start."""
    generator = np.random.default_rng(0)
    curvature, bottom = generator.uniform(0.5, 5, size=SHAPE), generator.normal(size=SHAPE)
    return lambda w: curvature * (w - bottom), generator.normal(size=SHAPE)


def zero_slots(optimizer, shape, dtype):
    return [np.zeros(shape, dtype) for _ in range(OptimizerKernel(optimizer).n_slots)]


def reference_of(name):
    optimizer, rule = CASES[name]
    gradient, start = bowl()
    values = {key: value for key, value in optimizer.get_config().items() if key != "name"}
    return rule(start, gradient, STEPS, **values)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CASES)
def test_fifty_steps(name, dtype):
    optimizer, _ = CASES[name]
    gradient, start = bowl()
    w = start.astype(dtype)
    slots = zero_slots(optimizer, SHAPE, dtype)
    for t in range(1, STEPS + 1):
        optimizer.step(w, gradient(w).astype(dtype), slots, optimizer.learning_rate, t)
    assert w.dtype == dtype
    assert helpers.relative_error(w, reference_of(name)) < TOLERANCE[dtype]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CASES)
def test_fifty_steps_of_fit(name, dtype):
    """The same in a network: a linear layer whose loss is a quadratic bowl in W and b."""
    optimizer, rule = CASES[name]
    net = helpers.network([3, 2], ["identity"], dtype)
    x, y = helpers.inputs(20, 3, dtype), helpers.targets(20, 2, "mean_squared_error")
    before = helpers.parameters(net)[0]
    start = np.concatenate([before[0], before[1][None, :]])

    def gradient(w):
        dW, db = reference.gradients(
            x.astype(np.float64), y, [(w[:-1], w[-1])], ["identity"], "mean_squared_error"
        )[0]
        return np.concatenate([dW, db[None, :]])

    values = {key: value for key, value in optimizer.get_config().items() if key != "name"}
    expected = rule(start, gradient, STEPS, **values)
    net.fit(x, y, loss="mean_squared_error", optimizer=optimizer, epochs=STEPS, batch_size=20)
    (W, b), = helpers.parameters(net)
    assert helpers.relative_error(W, expected[:-1]) < 10 * TOLERANCE[dtype]
    assert helpers.relative_error(b, expected[-1]) < 10 * TOLERANCE[dtype]


def test_the_first_step_of_adam_is_the_learning_rate():
    w = np.array([[1.0, -2.0]])
    Adam(0.01).step(w, np.array([[3.0, -0.001]]), [np.zeros((1, 2)), np.zeros((1, 2))], 0.01, 1)
    np.testing.assert_allclose(w, [[0.99, -1.99]], atol=1e-6)


def test_a_zero_gradient_moves_nothing():
    for optimizer in (SGD(0.1), SGD(0.1, momentum=0.9), Adam(), AdamW(weight_decay=0)):
        w = np.array([[1.0, -2.0]])
        optimizer.step(w, np.zeros((1, 2)), zero_slots(optimizer, (1, 2), "float64"), 0.1, 1)
        assert w.tolist() == [[1.0, -2.0]]


def test_what_does_not_fit_is_refused():
    with pytest.raises(cynn.errors.ShapeError, match=r"slots must be 2 arrays\. Got 0 instead"):
        Adam().step(np.zeros((1, 2)), np.zeros((1, 2)), [], 0.1, 1)
    with pytest.raises(cynn.errors.ShapeError, match="grad must have the shape and dtype of w"):
        SGD().step(np.zeros((1, 2)), np.zeros((2, 1)), [], 0.1, 1)
    with pytest.raises(cynn.errors.ShapeError, match="w must be a writeable, C-contiguous matrix"):
        SGD().step(np.zeros((3, 2)).T, np.zeros((2, 3)), [], 0.1, 1)
    unaligned = np.zeros(33, np.uint8)[1:].view(np.float64).reshape(2, 2)
    with pytest.raises(cynn.errors.ShapeError, match="w must be a writeable, C-contiguous matrix of aligned numbers"):
        SGD().step(unaligned, np.zeros((2, 2)), [], 0.1, 1)
    for dtype in (">f8", ">f4", "int64"):
        with pytest.raises(ValueError, match=f"float32 or float64. Got {dtype} instead"):
            SGD().step(np.zeros((2, 2), dtype), np.zeros((2, 2), dtype), [], 0.1, 1)


def test_the_equation_of_the_textbook():
    """Nielsen, chapter 1: w → w - η ∂C/∂w, worked out on paper."""
    net = cynn.Network([cynn.Input(1), cynn.Dense(1)], seed=0, dtype="float64")
    net.layers[0].weights, net.layers[0].biases = [[2.0]], [1.0]
    # C = (2 x + 1 - 4)² at x = 3 is 9: ∂C/∂w = 2 · 3 · 3 = 18, ∂C/∂b = 6
    net.fit([[3.0]], [[4.0]], loss="mean_squared_error", optimizer=SGD(0.1), epochs=1)
    np.testing.assert_allclose(net.layers[0].weights, [[0.2]])
    np.testing.assert_allclose(net.layers[0].biases, [0.4])
