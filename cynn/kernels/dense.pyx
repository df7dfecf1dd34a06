"""The affine map of a dense layer, z = x W + b, forward and backward."""

from cpython.pycapsule cimport PyCapsule_New
from libc.stdint cimport int64_t
from libc.string cimport memcpy

from cynn.abi cimport floating
from cynn.kernels.blas cimport gemm, gemv
from cynn.kernels.tables cimport DenseKernels


cdef void forward(
    int64_t rows, int64_t inputs, int64_t units, const floating *x, const floating *W, const floating *b,
    floating *z
) noexcept nogil:
    cdef int64_t row
    if b != NULL:
        for row in range(rows):
            memcpy(z + row * units, b, units * sizeof(floating))
    if rows == 1:
        gemv[floating](True, inputs, units, 1, W, units, x, 0 if b == NULL else 1, z)
    else:
        gemm[floating](
            False, False, rows, units, inputs, 1, x, inputs, W, units, 0 if b == NULL else 1, z, units
        )


cdef void backward(
    int64_t rows, int64_t inputs, int64_t units, const floating *delta, const floating *W, floating *dx
) noexcept nogil:
    gemm[floating](False, True, rows, inputs, units, 1, delta, units, W, units, 0, dx, inputs)


cdef void weight_gradient(
    int64_t rows, int64_t inputs, int64_t units, int64_t begin, int64_t end, const floating *x,
    const floating *delta, floating *dW
) noexcept nogil:
    gemm[floating](True, False, end - begin, units, rows, 1, x + begin, inputs, delta, units, 0, dW, units)


cdef void bias_gradient(int64_t rows, int64_t units, const floating *delta, floating *db) noexcept nogil:
    cdef int64_t row, j
    for j in range(units):
        db[j] = 0
    for row in range(rows):
        for j in range(units):
            db[j] += delta[row * units + j]


cdef DenseKernels table
table.forward_f32 = forward[float]
table.forward_f64 = forward[double]
table.backward_f32 = backward[float]
table.backward_f64 = backward[double]
table.weight_gradient_f32 = weight_gradient[float]
table.weight_gradient_f64 = weight_gradient[double]
table.bias_gradient_f32 = bias_gradient[float]
table.bias_gradient_f64 = bias_gradient[double]

TABLE = PyCapsule_New(&table, "cynn.kernels.dense", NULL)
