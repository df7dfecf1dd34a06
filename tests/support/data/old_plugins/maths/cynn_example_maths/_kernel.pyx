"""The kernels. The rules for them are in cynn/abi.h."""

from libc.stdint cimport int64_t

from cynn cimport vector_math
from cynn.abi cimport (
    CYNN_NEEDS_Z,
    activation_capsule,
    cynn_activation,
    cynn_optimizer,
    floating,
    optimizer_capsule,
)
from cynn.blas cimport gemm


cdef void sum_of_all_forward(
    const double *h, int64_t rows, int64_t cols, const floating *z, floating *a
) noexcept nogil:
    cdef int64_t i
    cdef floating square
    for i in range(rows * cols):
        square = z[i] * z[i]
        a[i] = (
            vector_math.sigmoid(z[i]) + vector_math.tanh(z[i]) + vector_math.erf(z[i]) - vector_math.erfc(z[i])
            + vector_math.softplus(z[i]) + vector_math.log(1 + square) + vector_math.log1p(square)
            + vector_math.exp(-square) + vector_math.expm1(-square) + vector_math.sqrt(1 + square)
            + vector_math.absolute(z[i])
        )


cdef void sum_of_all_backward(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, floating *grad
) noexcept nogil:
    cdef int64_t i
    cdef floating square, s, t, bump
    for i in range(rows * cols):
        square = z[i] * z[i]
        s, t, bump = vector_math.sigmoid(z[i]), vector_math.tanh(z[i]), vector_math.exp(-square)
        grad[i] *= (
            s * (1 - s) + 1 - t * t + <floating>2.2567583341910253 * bump + s + 4 * z[i] / (1 + square)
            - 4 * z[i] * bump + z[i] / vector_math.sqrt(1 + square) + (z[i] > 0) - (z[i] < 0)
        )


cdef cynn_activation sum_of_all
sum_of_all.forward_f32 = sum_of_all_forward[float]
sum_of_all.backward_f32 = sum_of_all_backward[float]
sum_of_all.forward_f64 = sum_of_all_forward[double]
sum_of_all.backward_f64 = sum_of_all_backward[double]

SUM_OF_ALL = activation_capsule(&sum_of_all, CYNN_NEEDS_Z)  # backward reads z


cdef void blas_descent_step(
    const double *h, double learning_rate, int64_t t, int64_t rows, int64_t cols,
    floating *w, floating *grad, floating *const *slots
) noexcept nogil:
    cdef int64_t row
    cdef floating one = 1
    for row in range(rows):
        gemm(
            False, False, 1, cols, 1, <floating>-learning_rate, &one, 1, grad + row * cols, cols,
            <floating>1, w + row * cols, cols
        )


cdef cynn_optimizer blas_descent
blas_descent.step_f32 = blas_descent_step[float]
blas_descent.step_f64 = blas_descent_step[double]

BLAS_DESCENT = optimizer_capsule(&blas_descent, 0, 0)
