"""The functions of cynn/blas.h: products as NumPy computes them, whatever the shape, and arguments that cannot be."""

import ctypes
import re
from ctypes import CFUNCTYPE, c_double, c_float, c_int, c_int64, c_uint16, c_uint32, c_uint64, c_void_p
from pathlib import Path

import numpy as np
import pytest

import cynn
from cynn.errors import KernelError

NUMBERS = {"f32": c_float, "f64": c_double}
DTYPES = {"f32": np.float32, "f64": np.float64}


def _functions():
    fields = [("abi_major", c_uint16), ("abi_minor", c_uint16), ("struct_size", c_uint32), ("flags", c_uint64)]
    for name, arguments in {
        "gemm": lambda T: [c_int, c_int, c_int64, c_int64, c_int64, T, c_void_p, c_int64, c_void_p, c_int64, T,
                           c_void_p, c_int64, c_void_p],
        "affine": lambda T: [c_int64, c_int64, c_int64, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p],
        "gemv": lambda T: [c_int, c_int64, c_int64, T, c_void_p, c_int64, c_void_p, T, c_void_p],
    }.items():  # fmt: skip
        fields += [(f"{name}_{suffix}", CFUNCTYPE(None, *arguments(T))) for suffix, T in NUMBERS.items()]
    fields += [("random_words", c_void_p)]
    fields += [(f"random_{name}_{suffix}", c_void_p) for name in ("uniform", "normal") for suffix in NUMBERS]
    return fields


class Blas(ctypes.Structure):
    _fields_ = _functions()


def given():
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype, get_pointer.argtypes = c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return Blas.from_address(get_pointer(cynn.blas, b"cynn.blas"))


BLAS = given()


def matrix(generator, rows, columns, dtype, gap=0):
    """Of whole numbers, whose products are exact."""
    return generator.integers(-3, 4, (rows, columns + gap)).astype(dtype)[:, : columns or None]


def address(array):
    return array.ctypes.data


def test_the_struct_is_that_of_the_header():
    header = Path(cynn.get_include(), "cynn", "blas.h").read_text(encoding="utf-8")
    body = re.sub(r"/\*.*?\*/", "", header, flags=re.S)
    declared = re.findall(r"\(\*(\w+)\)", body)
    assert declared == [name for name, _ in Blas._fields_[4:]]
    assert BLAS.struct_size == ctypes.sizeof(Blas)
    assert (BLAS.abi_major, BLAS.flags) == (1, 0)
    assert all(getattr(BLAS, name) for name in declared)


@pytest.mark.parametrize("suffix", NUMBERS)
@pytest.mark.parametrize(("transpose_a", "transpose_b"), [(0, 0), (1, 0), (0, 1), (1, 1)])
@pytest.mark.parametrize(("alpha", "beta"), [(1, 0), (1, 1), (-2, 0), (2, -1)])
def test_gemm(suffix, transpose_a, transpose_b, alpha, beta):
    generator, dtype = np.random.default_rng(0), DTYPES[suffix]
    function = getattr(BLAS, f"gemm_{suffix}")
    sizes = [1, 3, 16, 33, 70]
    shapes = [(m, n, k) for m in sizes for n in sizes for k in sizes]
    few_rows, sides = (3, 4, 6, 16, 24, 31, 48, 49, 64, 65), ((97, 96), (67, 130), (257, 256))
    of_few_rows = [(m, n, k) for m in few_rows for n, k in sides] + [(63, 70, 1030), (64, 70, 1030)]
    large = [(600, 24, 40), (40, 600, 30), (30, 520, 1), (3, 20, 1100), (1, 700, 400), (300, 1, 300)]
    for m, n, k in shapes + of_few_rows + large:
        gap = (m + n + k) % 3
        A = matrix(generator, *((k, m) if transpose_a else (m, k)), dtype, gap)
        B = matrix(generator, *((n, k) if transpose_b else (k, n)), dtype, gap)
        C = matrix(generator, m, n, dtype, gap)
        whole = C.base if C.base is not None else C
        expected = whole.copy()
        product = (A.T if transpose_a else A).astype(np.float64) @ (B.T if transpose_b else B)
        expected[:, :n] = alpha * product + (beta * C if beta else 0)
        if not beta:
            C[...] = np.nan
        lengths = [each.strides[0] // dtype().itemsize for each in (A, B, C)]
        function(transpose_a, transpose_b, m, n, k, alpha, address(A), lengths[0], address(B), lengths[1], beta,
                 address(C), lengths[2], None)  # fmt: skip
        np.testing.assert_array_equal(whole, expected, err_msg=f"{m} {n} {k}")


@pytest.mark.parametrize("suffix", NUMBERS)
@pytest.mark.parametrize("with_bias", [False, True])
def test_affine(suffix, with_bias):
    generator, dtype = np.random.default_rng(0), DTYPES[suffix]
    shapes = [(1, 1, 1), (1, 7, 3), (1, 784, 16), (5, 3, 1), (33, 300, 128), (9, 60, 600), (2, 900, 700)]
    for rows, inputs, units in shapes:
        x, W = matrix(generator, rows, inputs, dtype), matrix(generator, inputs, units, dtype)
        b, z = matrix(generator, 1, units, dtype), np.full((rows, units), np.nan, dtype)
        getattr(BLAS, f"affine_{suffix}")(
            rows, inputs, units, address(x), address(W), address(b) if with_bias else None, address(z), None
        )
        np.testing.assert_array_equal(z, x.astype(np.float64) @ W + (b if with_bias else 0))


@pytest.mark.parametrize("suffix", NUMBERS)
@pytest.mark.parametrize("transpose", [0, 1])
def test_gemv(suffix, transpose):
    generator, dtype = np.random.default_rng(0), DTYPES[suffix]
    A = matrix(generator, 6, 4, dtype)
    x, y = matrix(generator, 1, 6 if transpose else 4, dtype)[0], matrix(generator, 1, 4 if transpose else 6, dtype)[0]
    expected = 2 * (A.T if transpose else A) @ x - y
    getattr(BLAS, f"gemv_{suffix}")(transpose, 6, 4, 2, address(A), 4, address(x), -1, address(y))
    np.testing.assert_array_equal(y, expected)


class TestArgumentsThatCannotBe:
    """Nothing is computed, and whoever runs kernels next on this thread is told."""

    def fails(self, call):
        before = np.ones((2, 2), np.float32)
        C = before.copy()

        class Faulty(cynn.activations.Activation):
            name = "faulty"
            kernel = cynn.activations.Activation.from_addresses(
                forward_f32=_FORWARD(lambda h, rows, cols, z, a: call(address(C))),
                backward_f32=_BACKWARD(lambda h, rows, cols, z, a, grad: None),
            )

        with pytest.raises(KernelError, match="must have valid sizes and addresses"):
            cynn.Network([cynn.Input(2), cynn.Activation(Faulty())]).predict(np.ones((1, 2), np.float32))
        np.testing.assert_array_equal(C, before)

    @pytest.mark.parametrize(("m", "lda"), [(-1, 2), (2, 1), (2, 2**31)])
    def test_gemm(self, m, lda):
        A = np.ones((2, 2), np.float32)
        self.fails(lambda C: BLAS.gemm_f32(0, 0, m, 2, 2, 1, address(A), lda, address(A), 2, 0, C, 2, None))

    def test_affine(self):
        A = np.ones((2, 2), np.float32)
        self.fails(lambda C: BLAS.affine_f32(2, 2, 2, address(A), None, None, C, None))

    def test_nothing_to_do(self):
        A = np.ones((2, 2), np.float32)
        BLAS.gemm_f32(0, 0, 0, 2, 2, 1, None, 2, address(A), 2, 0, None, 2, None)
        BLAS.gemm_f32(0, 0, 2, 2, 0, 1, address(A), 2, None, 2, 0, address(A), 2, None)
        np.testing.assert_array_equal(A, 0)


_FORWARD = CFUNCTYPE(None, c_void_p, c_int64, c_int64, c_void_p, c_void_p)
_BACKWARD = CFUNCTYPE(None, c_void_p, c_int64, c_int64, c_void_p, c_void_p, c_void_p)
