"""a = f(z) and ∂C/∂z of every built-in activation, against the reference."""

import helpers
import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

import cynn
from cynn import activations

NAMES = sorted(reference.ACTIVATIONS)
DTYPES = ["float32", "float64"]
EPSILON = {"float32": np.finfo(np.float32).eps, "float64": np.finfo(np.float64).eps}


def get(name):
    return cynn.registry.activations.get(name)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
@given(st.integers(1, 70), st.integers(1, 40), st.sampled_from([0.1, 1.0, 10.0, 80.0]))
def test_forward(name, dtype, rows, columns, size):
    z = (size * helpers.inputs(rows, columns)).astype(dtype)
    a = get(name).forward(z)
    assert a.dtype == dtype
    expected = reference.ACTIVATIONS[name](z.astype(np.float64))
    # softmax and sigmoid of float32 see z with an error of size * epsilon
    np.testing.assert_allclose(a, expected, rtol=(8 + 2 * size) * EPSILON[dtype], atol=1e-37)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
@given(st.integers(1, 70), st.integers(1, 40))
def test_backward(name, dtype, rows, columns):
    z = helpers.inputs(rows, columns, dtype, seed=1)
    grad = helpers.inputs(rows, columns, dtype, seed=2)
    before = grad.copy()
    found = get(name).backward(z, get(name).forward(z), grad)
    assert (grad == before).all()  # the method's own copy is changed
    expected = reference.BACKWARD[name](z.astype(np.float64), grad.astype(np.float64))
    assert helpers.relative_error(found, expected) < helpers.TOLERANCE[dtype]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_extremes_neither_overflow_nor_give_nan(name, dtype):
    for row in ([-1e4, 1e4], [1e4, 1e4], [-1e4, -1e4], [0.0, -1e4], [1e30, -1e30]):
        z = np.array([row], dtype)
        a = get(name).forward(z)
        assert np.isfinite(a).all()
        with np.errstate(over="ignore", under="ignore"):
            np.testing.assert_allclose(a, reference.ACTIVATIONS[name](z.astype(np.float64)), rtol=1e-5)
        assert np.isfinite(get(name).backward(z, a, np.ones_like(z))).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_a_nan_stays_a_nan(name, dtype):
    z = np.full((3, 5), np.nan, dtype)
    assert np.isnan(get(name).forward(z)).all()


@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_accuracy_over_the_whole_range(name, dtype):
    z = np.concatenate([np.linspace(-110, 110, 20_001), [-0.625, 0.625, 0.0, -0.0, 1e-30]]).astype(dtype)
    exact = {"sigmoid": expit, "tanh": np.tanh}[name](z.astype(np.float64))
    found = get(name)(z)
    normal = np.abs(exact) > np.finfo(dtype).tiny
    error = np.abs(found[normal] - exact[normal]) / np.abs(exact[normal])
    assert error.max() < 5 * EPSILON[dtype]
    assert np.abs(found[~normal]).max(initial=0) <= np.finfo(dtype).tiny * 2


@pytest.mark.parametrize("dtype", DTYPES)
@given(st.integers(1, 20), st.integers(1, 300))
def test_softmax_sums_to_one(dtype, rows, columns):
    a = activations.Softmax().forward(helpers.inputs(rows, columns, dtype))
    np.testing.assert_allclose(a.sum(axis=1), 1, rtol=columns * EPSILON[dtype])
    assert (a > 0).all()


def test_negative_slope():
    slope = activations.LeakyReLU(0.3)
    z = np.array([[-2.0, 0.0, 5.0]])
    np.testing.assert_allclose(slope.forward(z), [[-0.6, 0.0, 5.0]])
    np.testing.assert_allclose(slope.backward(z, slope.forward(z), np.ones((1, 3))), [[0.3, 0.3, 1.0]])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(), (4,), (2, 3), (2, 3, 4), (0,), (0, 3), (3, 0)])
def test_call_takes_any_shape(name, shape):
    z = np.linspace(-1, 1, int(np.prod(shape))).reshape(shape)
    a = get(name)(z)
    assert a.shape == shape
    if z.size:
        rows = z.reshape(-1, shape[-1] if shape else 1)
        np.testing.assert_allclose(a.reshape(rows.shape), reference.ACTIVATIONS[name](rows))


@pytest.mark.parametrize("name", NAMES)
def test_call_takes_a_list_and_integers(name):
    np.testing.assert_allclose(get(name)([1, 2, -3]), get(name)(np.array([1.0, 2.0, -3.0])))


def test_what_is_no_matrix_is_refused():
    with pytest.raises(cynn.errors.ShapeError, match="z must be a two-dimensional array"):
        activations.ReLU().forward(np.zeros(3))
    with pytest.raises(cynn.errors.ShapeError, match=r"grad must have the shape and dtype of z"):
        activations.ReLU().backward(np.zeros((2, 3)), np.zeros((2, 3)), np.zeros((3, 2)))
