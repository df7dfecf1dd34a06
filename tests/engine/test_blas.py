"""C := alpha op(A).op(B) + beta C, against NumPy's product in float64."""

import numpy as np
import pytest
from helpers import TOLERANCE, relative_error
from hypothesis import given
from hypothesis import strategies as st

from cynn.kernels import blas

sizes = st.integers(1, 40)


def matrices(m, n, k, transpose_a, transpose_b, dtype):
    generator = np.random.default_rng(m * 10_000 + n * 100 + k)
    a = generator.normal(size=(k, m) if transpose_a else (m, k)).astype(dtype)
    b = generator.normal(size=(n, k) if transpose_b else (k, n)).astype(dtype)
    return a, b, generator.normal(size=(m, n)).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@given(sizes, sizes, sizes, st.booleans(), st.booleans())
def test_product(dtype, m, n, k, transpose_a, transpose_b):
    a, b, c = matrices(m, n, k, transpose_a, transpose_b, dtype)
    expected = (a.T if transpose_a else a).astype(np.float64) @ (b.T if transpose_b else b)
    c[...] = np.nan  # beta = 0 must not read C
    blas.matmul(a, b, c, transpose_a=transpose_a, transpose_b=transpose_b)
    assert relative_error(c, expected) < TOLERANCE[dtype]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@given(sizes, sizes, sizes, st.floats(-3, 3), st.floats(-3, 3))
def test_scaled_and_added(dtype, m, n, k, alpha, beta):
    a, b, c = matrices(m, n, k, False, False, dtype)
    expected = alpha * (a.astype(np.float64) @ b) + beta * c.astype(np.float64)
    scale = np.abs(a.astype(np.float64)) @ np.abs(b)
    blas.matmul(a, b, c, alpha=alpha, beta=beta)
    assert (np.abs(c - expected) <= TOLERANCE[dtype] * (1 + scale.max()) * (1 + abs(alpha) + abs(beta))).all()


@pytest.mark.parametrize(
    "shapes", [((2, 3), (2, 4), (2, 4)), ((2, 3), (3, 4), (4, 2)), ((2, 3), (3, 4), (2, 3))]
)
def test_shapes_that_do_not_fit(shapes):
    a, b, c = (np.zeros(shape) for shape in shapes)
    with pytest.raises(ValueError, match="shapes do not fit"):
        blas.matmul(a, b, c)


def test_nothing_to_do():
    blas.matmul(np.zeros((0, 3)), np.zeros((3, 4)), np.zeros((0, 4)))
    with pytest.raises(ValueError, match="inner dimension"):
        blas.matmul(np.zeros((2, 0)), np.zeros((0, 4)), np.zeros((2, 4)))


def test_mixed_dtypes_are_refused():
    with pytest.raises((TypeError, ValueError)):
        blas.matmul(np.zeros((2, 2)), np.zeros((2, 2), np.float32), np.zeros((2, 2)))


def test_description():
    library, core = blas.description()
    assert library
    assert core
