"""Smooth versions of ReLU, sign, clip and shrinkage."""

from libc.stdint cimport int64_t

from cynn cimport vector_math
from cynn.abi cimport CYNN_IN_PLACE, CYNN_NEEDS_A, CYNN_NEEDS_Z, activation_capsule, cynn_activation, floating


# f′ = sigmoid(beta z) = 1 - exp(-beta a).

cdef void softplus_forward(
    const double *h, int64_t rows, int64_t cols, const floating *z, floating *a
) noexcept nogil:
    cdef int64_t i
    cdef floating beta = <floating>h[0]
    for i in range(rows * cols):
        a[i] = vector_math.softplus(beta * z[i]) / beta


cdef void softplus_backward(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, floating *grad
) noexcept nogil:
    cdef int64_t i
    cdef floating beta = <floating>h[0]
    for i in range(rows * cols):
        grad[i] = -grad[i] * vector_math.expm1(-beta * a[i])


# f′ = sigmoid(-z) = 1 - exp(a).

cdef void log_sigmoid_forward(
    const double *h, int64_t rows, int64_t cols, const floating *z, floating *a
) noexcept nogil:
    cdef int64_t i
    for i in range(rows * cols):
        a[i] = -vector_math.softplus(-z[i])


cdef void log_sigmoid_backward(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, floating *grad
) noexcept nogil:
    cdef int64_t i
    for i in range(rows * cols):
        grad[i] = -grad[i] * vector_math.expm1(a[i])


# f = (z + root) / 2 with root = sqrt(z² + b); where z < 0 as b / 2 / (root - z), so that nothing cancels.
# f′ = f / root.

cdef void squareplus_forward(
    const double *h, int64_t rows, int64_t cols, const floating *z, floating *a
) noexcept nogil:
    cdef int64_t i
    cdef floating root
    cdef floating half = 0.5
    cdef floating b = <floating>h[0]
    for i in range(rows * cols):
        root = vector_math.sqrt(z[i] * z[i] + b)
        a[i] = half * (z[i] + root) if z[i] > 0 else half * b / (root - z[i])


cdef void squareplus_backward(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, floating *grad
) noexcept nogil:
    cdef int64_t i
    cdef floating b = <floating>h[0]
    for i in range(rows * cols):
        grad[i] = grad[i] * a[i] / vector_math.sqrt(z[i] * z[i] + b)


# f′ = 1 / (1 + |z|)².

cdef void softsign_forward(
    const double *h, int64_t rows, int64_t cols, const floating *z, floating *a
) noexcept nogil:
    cdef int64_t i
    for i in range(rows * cols):
        a[i] = z[i] / (1 + vector_math.absolute(z[i]))


cdef void softsign_backward(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, floating *grad
) noexcept nogil:
    cdef int64_t i
    cdef floating root
    for i in range(rows * cols):
        root = 1 / (1 + vector_math.absolute(z[i]))
        grad[i] = grad[i] * root * root


# f′ = (1 + (z / c)²)^(-3/2). The root of 1 + u² for large u is |u|, where u² would overflow: a is the sign times c.

cdef void smooth_clip_forward(
    const double *h, int64_t rows, int64_t cols, const floating *z, floating *a
) noexcept nogil:
    cdef int64_t i
    cdef floating bound = <floating>h[0], u
    for i in range(rows * cols):
        u = z[i] / bound
        if vector_math.absolute(u) < 1e9:
            a[i] = z[i] / vector_math.sqrt(1 + u * u)
        else:
            a[i] = bound if u > 0 else (-bound if u < 0 else u)


cdef void smooth_clip_backward(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, floating *grad
) noexcept nogil:
    cdef int64_t i
    cdef floating bound = <floating>h[0], u, root
    for i in range(rows * cols):
        u = z[i] / bound
        root = vector_math.sqrt(1 + u * u)
        grad[i] = grad[i] / root / root / root


# f′ = tanh(z)².

cdef void tanhshrink_forward(
    const double *h, int64_t rows, int64_t cols, const floating *z, floating *a
) noexcept nogil:
    cdef int64_t i
    for i in range(rows * cols):
        a[i] = z[i] - vector_math.tanh(z[i])


cdef void tanhshrink_backward(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, floating *grad
) noexcept nogil:
    cdef int64_t i
    cdef floating tanh_z
    for i in range(rows * cols):
        tanh_z = vector_math.tanh(z[i])
        grad[i] = grad[i] * tanh_z * tanh_z


cdef cynn_activation softplus
softplus.forward_f32 = softplus_forward[float]
softplus.backward_f32 = softplus_backward[float]
softplus.forward_f64 = softplus_forward[double]
softplus.backward_f64 = softplus_backward[double]

cdef cynn_activation log_sigmoid
log_sigmoid.forward_f32 = log_sigmoid_forward[float]
log_sigmoid.backward_f32 = log_sigmoid_backward[float]
log_sigmoid.forward_f64 = log_sigmoid_forward[double]
log_sigmoid.backward_f64 = log_sigmoid_backward[double]

cdef cynn_activation squareplus
squareplus.forward_f32 = squareplus_forward[float]
squareplus.backward_f32 = squareplus_backward[float]
squareplus.forward_f64 = squareplus_forward[double]
squareplus.backward_f64 = squareplus_backward[double]

cdef cynn_activation softsign
softsign.forward_f32 = softsign_forward[float]
softsign.backward_f32 = softsign_backward[float]
softsign.forward_f64 = softsign_forward[double]
softsign.backward_f64 = softsign_backward[double]

cdef cynn_activation smooth_clip
smooth_clip.forward_f32 = smooth_clip_forward[float]
smooth_clip.backward_f32 = smooth_clip_backward[float]
smooth_clip.forward_f64 = smooth_clip_forward[double]
smooth_clip.backward_f64 = smooth_clip_backward[double]

cdef cynn_activation tanhshrink
tanhshrink.forward_f32 = tanhshrink_forward[float]
tanhshrink.backward_f32 = tanhshrink_backward[float]
tanhshrink.forward_f64 = tanhshrink_forward[double]
tanhshrink.backward_f64 = tanhshrink_backward[double]

KERNELS = {
    "softplus": activation_capsule(&softplus, CYNN_NEEDS_A | CYNN_IN_PLACE),
    "log_sigmoid": activation_capsule(&log_sigmoid, CYNN_NEEDS_A | CYNN_IN_PLACE),
    "squareplus": activation_capsule(&squareplus, CYNN_NEEDS_A | CYNN_NEEDS_Z),
    "smooth_clip": activation_capsule(&smooth_clip, CYNN_NEEDS_Z),
    "softsign": activation_capsule(&softsign, CYNN_NEEDS_Z),
    "tanhshrink": activation_capsule(&tanhshrink, CYNN_NEEDS_Z),
}
