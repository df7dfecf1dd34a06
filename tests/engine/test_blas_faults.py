"""Arguments that BLAS does not take: counted where they are found, and an exception of whoever ran the kernels."""

import ctypes
import threading
from pathlib import Path

import helpers
import numpy as np
import planted_kernels
import pytest
from c_functions import function

import cynn
from cynn import Dense, Input, Network
from cynn.engine.activation_kernel import ActivationKernel
from cynn.engine.loss_kernel import LossKernel
from cynn.engine.optimizer_kernel import OptimizerKernel
from cynn.errors import CynnError, KernelError
from cynn.kernels import blas
from cynn.testing import abi

X, Y = np.random.default_rng(0).normal(size=(2, 20, 3)).astype(np.float32)
Pointer, Long, Bint = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int


faults = function(blas, "faults", Long)
gemm = function(
    blas, "__pyx_fuse_0gemm", None, Bint, Bint, Long, Long, Long, ctypes.c_float, Pointer, Long, Pointer, Long,
    ctypes.c_float, Pointer, Long,
)  # fmt: skip
gemv = function(
    blas, "__pyx_fuse_0gemv", None, Bint, Long, Long, ctypes.c_float, Pointer, Long, Pointer, ctypes.c_float, Pointer
)

A, B, C = (np.ones(64, np.float32) for _ in range(3))
a, b, c = (array.ctypes.data for array in (A, B, C))
# of C (2 x 3) := A (2 x 4) . B (4 x 3)
GOOD = {
    "transpose_a": 0, "transpose_b": 0, "m": 2, "n": 3, "k": 4, "alpha": 1, "a": a, "lda": 4, "b": b, "ldb": 3,
    "beta": 0, "c": c, "ldc": 3,
}  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        {"a": None}, {"b": None}, {"c": None}, {"m": -1}, {"n": -1}, {"k": -1}, {"lda": 3}, {"lda": 0}, {"ldb": 2},
        {"ldc": 2}, {"m": 2**31}, {"ldc": 2**31}, {"transpose_a": 1, "lda": 1}, {"transpose_b": 1, "ldb": 3},
        {"m": 2**32 + 2}, {"k": 2**31, "lda": 2**31, "ldb": 3},
    ],
    ids=str,
)  # fmt: skip
def test_a_matrix_product(wrong, capfd):
    before = faults()
    C[:] = 7
    gemm(*{**GOOD, **wrong}.values())
    assert faults() == before + 1
    assert (C == 7).all()
    gemm(*GOOD.values())
    assert faults() == before + 1
    assert (C[:6] == 4).all()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("wrong", [{"lda": 2}, {"a": None}, {"x": None}, {"y": None}, {"m": -2}, {"n": 2**31}], ids=str)
def test_a_matrix_times_a_vector(wrong):
    good = {"transpose_a": 0, "m": 2, "n": 3, "alpha": 1, "a": a, "lda": 3, "x": b, "beta": 0, "y": c}
    before = faults()
    gemv(*{**good, **wrong}.values())
    assert faults() == before + 1
    gemv(*good.values())
    assert faults() == before + 1
    assert (C[:2] == 3).all()


def test_one_row_and_one_column_lie_any_distance_apart():
    before = faults()
    gemm(*{**GOOD, "m": 1, "lda": 4}.values())
    gemm(*{**GOOD, "transpose_a": 1, "m": 1, "lda": 1}.values())
    gemm(*{**GOOD, "n": 1, "ldb": 1, "ldc": 1}.values())
    gemm(*{**GOOD, "m": 0, "a": None, "c": None}.values())
    assert faults() == before


@pytest.mark.skipif("OpenBLAS" not in blas.description()[0], reason="another CBLAS has no such handler")
def test_what_openblas_itself_finds(capfd):
    library = ctypes.CDLL(str(next(Path(blas.__file__).with_name("openblas").glob("libcynn_openblas*"))))
    before = faults()
    library.scipy_cblas_sgemm(
        101, 111, 111, 2, 3, 4, ctypes.c_float(1), Pointer(a), 1, Pointer(b), 3, ctypes.c_float(0), Pointer(c), 3
    )
    assert faults() == before + 1
    assert capfd.readouterr() == ("", "")


def multiply_wrongly(*_):
    gemm(*{**GOOD, "lda": 1}.values())
    return 0


def wrong_kernel(kind, name, **more):
    """A component whose compiled function multiplies matrices that cannot be."""
    function_type = dict(abi.STRUCTS[kind]._fields_)[name]
    return planted_kernels.plant(kind, **{name: function_type(multiply_wrongly)}, **more)


MESSAGE = "must have valid sizes and addresses. Got gemm of m 2, n 3, k 4"


def test_in_an_optimizer():
    planted = planted_kernels.plant("optimizer", flags=0)
    kernel = wrong_kernel("optimizer", "step_f32", flags=0)
    net = Network([Input(3), Dense(3)], seed=0)
    net.fit(X, Y, optimizer=planted, epochs=1, progress=False)
    with pytest.raises(KernelError, match=MESSAGE) as caught:
        net.fit(X, Y, optimizer=kernel, epochs=1, progress=False)
    assert isinstance(caught.value, CynnError)
    with pytest.raises(KernelError, match=MESSAGE):
        w = np.zeros((1, 1), np.float32)
        OptimizerKernel(kernel).step(w, w.copy(), [w.copy(), w.copy()], 0.1, 1)


def test_in_an_activation():
    layer = Dense(3, wrong_kernel("activation", "forward_f32"))
    net = Network([Input(3), layer, Dense(3)], seed=0)
    many = np.zeros((1000, 3), np.float32)
    for call in (
        lambda: net.predict(X), lambda: net.predict(X[0]), lambda: net.predict(many), lambda: net.activations(X),
        lambda: net.evaluate(X, Y), lambda: net.gradients(X, Y), lambda: net.fit(X, Y, epochs=1, progress=False),
        lambda: ActivationKernel(layer.activation).forward(X),
    ):  # fmt: skip
        with pytest.raises(KernelError, match=MESSAGE):
            call()
    backward = Dense(3, wrong_kernel("activation", "backward_f32"))
    net = Network([Input(3), backward, Dense(3)], seed=0)
    net.predict(X)
    with pytest.raises(KernelError, match=MESSAGE):
        net.gradients(X, Y)
    with pytest.raises(KernelError, match=MESSAGE):
        ActivationKernel(backward.activation).backward(X, X, X)


def test_in_a_loss():
    loss = wrong_kernel("loss", "value_and_gradient_f32")
    net = Network([Input(3), Dense(3)], seed=0)
    with pytest.raises(KernelError, match=MESSAGE):
        net.evaluate(X, Y, loss=loss)
    with pytest.raises(KernelError, match=MESSAGE):
        net.gradients(X, Y, loss=loss)
    with pytest.raises(KernelError, match=MESSAGE):
        LossKernel(loss).value_and_gradient(X, Y)


def test_the_network_goes_on_afterwards():
    net = Network([Input(3), Dense(3)], seed=0)
    multiply_wrongly()
    before = helpers.digest(net)
    with pytest.raises(KernelError):
        net.evaluate(X, Y, loss=wrong_kernel("loss", "value_and_gradient_f32"))
    assert helpers.digest(net) == before
    net.fit(X, Y, epochs=1, progress=False)
    net.predict(X)


def test_many_threads_at_once():
    before = faults()
    threads = [threading.Thread(target=lambda: [multiply_wrongly() for _ in range(100)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults() == before + 800


def test_a_plain_product_is_unharmed():
    multiply_wrongly()
    out = np.empty((1, 1))
    blas.matmul(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]), out)
    assert out[0, 0] == 11
    assert cynn.errors.KernelError is KernelError
