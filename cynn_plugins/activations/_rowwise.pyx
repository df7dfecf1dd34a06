"""Activations that are computed over a whole row."""

from libc.math cimport log
from libc.stdint cimport int64_t
from libc.string cimport memcpy

from cynn cimport vector_math
from cynn.abi cimport CYNN_IN_PLACE, CYNN_NEEDS_A, CYNN_ROWWISE, activation_capsule, cynn_activation, floating
from cynn.sums cimport (
    largest_of,
    softmax_gradient_jvp_of_rows,
    softmax_gradient_of_rows,
    softmax_of_rows,
    sum_of,
    sum_of_exp,
)


cdef void softmin_forward(
    const double *h, int64_t rows, int64_t cols, const floating *z, floating *a
) noexcept nogil:
    softmax_of_rows(-1, rows, cols, z, a)


cdef void softmin_backward(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, floating *grad
) noexcept nogil:
    softmax_gradient_of_rows(-1, rows, cols, a, grad)


cdef void softmin_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, const floating *dz, floating *da
) noexcept nogil:
    memcpy(da, dz, rows * cols * sizeof(floating))
    softmin_backward(h, rows, cols, z, a, da)  # the derivative is symmetric


cdef void softmin_backward_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, const floating *grad,
    const floating *dz, const floating *da, floating *dgrad
) noexcept nogil:
    softmax_gradient_jvp_of_rows(-1, rows, cols, a, grad, da, dgrad)


cdef void log_softmax_forward(
    const double *h, int64_t rows, int64_t cols, const floating *z, floating *a
) noexcept nogil:
    cdef int64_t _row, j
    cdef floating largest, log_total
    for _row in range(rows):
        largest = largest_of(cols, z)
        log_total = <floating>log(sum_of_exp(cols, z, largest))
        for j in range(cols):
            a[j] = (z[j] - largest) - log_total
        z += cols
        a += cols


cdef void log_softmax_backward(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, floating *grad
) noexcept nogil:
    # dC/dz = dC/da - exp(a) * sum(dC/da)
    cdef int64_t _row, j
    cdef floating total
    for _row in range(rows):
        total = <floating>sum_of(cols, grad)
        for j in range(cols):
            grad[j] = grad[j] - vector_math.exp(a[j]) * total
        a += cols
        grad += cols


cdef void log_softmax_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, const floating *dz, floating *da
) noexcept nogil:
    # da = dz - sum(exp(a) dz)
    cdef int64_t _row, j
    cdef double mean
    for _row in range(rows):
        mean = 0
        for j in range(cols):
            mean += vector_math.exp(a[j]) * dz[j]
        for j in range(cols):
            da[j] = <floating>(dz[j] - mean)
        a += cols
        dz += cols
        da += cols


cdef void log_softmax_backward_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, const floating *grad,
    const floating *dz, const floating *da, floating *dgrad
) noexcept nogil:
    # that of dC/da - exp(a) * sum(dC/da)
    cdef int64_t _row, j
    cdef double total, tangent
    for _row in range(rows):
        total = sum_of(cols, grad)
        tangent = sum_of(cols, <const floating *>dgrad)
        for j in range(cols):
            dgrad[j] = <floating>(dgrad[j] - vector_math.exp(a[j]) * (da[j] * total + tangent))
        a += cols
        grad += cols
        da += cols
        dgrad += cols


# a = max(z - tau, 0), with tau such that a sums to 1: tau = (sum of the support - 1) / its size.
# In place of sorting (algorithm 1 of the paper), the support shrinks from all that lie within 1 of
# the largest until nothing more falls out (Michelot, 1986): no memory, and the same support.

cdef void sparsemax_forward(
    const double *h, int64_t rows, int64_t cols, const floating *z, floating *a
) noexcept nogil:
    cdef int64_t _row, j, size, size_before
    cdef floating largest, rest
    cdef double tau, total
    for _row in range(rows):
        largest = largest_of(cols, z)
        tau = -1  # of z - largest
        size = 0
        while True:
            size_before = size
            size = 0
            total = 0
            for j in range(cols):
                if not z[j] - largest <= tau:  # a NaN belongs to the support, and spreads by tau
                    size += 1
                    total += z[j] - largest
            tau = (total - 1) / size
            if size == size_before:
                break
        for j in range(cols):
            rest = <floating>((z[j] - largest) - tau)
            a[j] = 0 if rest <= 0 else rest
        z += cols
        a += cols


cdef void sparsemax_backward(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, floating *grad
) noexcept nogil:
    # dC/dz = dC/da - its mean over the support, 0 outside
    cdef int64_t _row, j, size
    cdef double total
    cdef floating mean
    for _row in range(rows):
        total = 0
        size = 0
        for j in range(cols):
            if a[j] > 0:
                total += grad[j]
                size += 1
        mean = <floating>(total / max(size, 1))  # no support: a row with a NaN
        for j in range(cols):
            grad[j] = grad[j] - mean if a[j] > 0 else 0
        a += cols
        grad += cols


cdef void sparsemax_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, const floating *dz, floating *da
) noexcept nogil:
    memcpy(da, dz, rows * cols * sizeof(floating))
    sparsemax_backward(h, rows, cols, z, a, da)  # the derivative is symmetric


cdef void sparsemax_backward_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, const floating *grad,
    const floating *dz, const floating *da, floating *dgrad
) noexcept nogil:
    sparsemax_backward(h, rows, cols, z, a, dgrad)  # the support stays


cdef cynn_activation softmin
softmin.forward_f32 = softmin_forward[float]
softmin.backward_f32 = softmin_backward[float]
softmin.forward_f64 = softmin_forward[double]
softmin.backward_f64 = softmin_backward[double]
softmin.jvp_f32 = softmin_jvp[float]
softmin.jvp_f64 = softmin_jvp[double]
softmin.backward_jvp_f32 = softmin_backward_jvp[float]
softmin.backward_jvp_f64 = softmin_backward_jvp[double]

cdef cynn_activation log_softmax
log_softmax.forward_f32 = log_softmax_forward[float]
log_softmax.backward_f32 = log_softmax_backward[float]
log_softmax.forward_f64 = log_softmax_forward[double]
log_softmax.backward_f64 = log_softmax_backward[double]
log_softmax.jvp_f32 = log_softmax_jvp[float]
log_softmax.jvp_f64 = log_softmax_jvp[double]
log_softmax.backward_jvp_f32 = log_softmax_backward_jvp[float]
log_softmax.backward_jvp_f64 = log_softmax_backward_jvp[double]

cdef cynn_activation sparsemax
sparsemax.forward_f32 = sparsemax_forward[float]
sparsemax.backward_f32 = sparsemax_backward[float]
sparsemax.forward_f64 = sparsemax_forward[double]
sparsemax.backward_f64 = sparsemax_backward[double]
sparsemax.jvp_f32 = sparsemax_jvp[float]
sparsemax.jvp_f64 = sparsemax_jvp[double]
sparsemax.backward_jvp_f32 = sparsemax_backward_jvp[float]
sparsemax.backward_jvp_f64 = sparsemax_backward_jvp[double]

KERNELS = {
    "softmin": activation_capsule(&softmin, CYNN_NEEDS_A | CYNN_ROWWISE | CYNN_IN_PLACE),
    "log_softmax": activation_capsule(&log_softmax, CYNN_NEEDS_A | CYNN_ROWWISE | CYNN_IN_PLACE),
    "sparsemax": activation_capsule(&sparsemax, CYNN_NEEDS_A | CYNN_ROWWISE | CYNN_IN_PLACE),
}
