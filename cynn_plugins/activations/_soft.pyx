"""Smooth versions of ReLU, sign, clip and shrinkage."""

from libc.stdint cimport int64_t

from cynn cimport vector_math
from cynn.abi cimport CYNN_IN_PLACE, CYNN_NEEDS_A, CYNN_NEEDS_Z, activation_capsule, cynn_activation, floating
from cynn_plugins.activations.curvature cimport add_curvature


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


cdef double softplus_second(const double *h, double z, double a) noexcept nogil:
    return -h[0] * vector_math.exp(-h[0] * a) * vector_math.expm1(-h[0] * a)


cdef void softplus_backward_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, const floating *grad,
    const floating *dz, const floating *da, floating *dgrad
) noexcept nogil:
    softplus_backward(h, rows, cols, z, a, dgrad)
    add_curvature(softplus_second, h, rows * cols, z, a, grad, dz, dgrad)


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


cdef double log_sigmoid_second(const double *h, double z, double a) noexcept nogil:
    return vector_math.exp(a) * vector_math.expm1(a)


cdef void log_sigmoid_backward_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, const floating *grad,
    const floating *dz, const floating *da, floating *dgrad
) noexcept nogil:
    log_sigmoid_backward(h, rows, cols, z, a, dgrad)
    add_curvature(log_sigmoid_second, h, rows * cols, z, a, grad, dz, dgrad)


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


cdef double squareplus_second(const double *h, double z, double a) noexcept nogil:
    cdef double root = vector_math.sqrt(z * z + h[0])
    return 0.5 * h[0] / root / root / root


cdef void squareplus_backward_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, const floating *grad,
    const floating *dz, const floating *da, floating *dgrad
) noexcept nogil:
    squareplus_backward(h, rows, cols, z, a, dgrad)
    add_curvature(squareplus_second, h, rows * cols, z, a, grad, dz, dgrad)


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


cdef double softsign_second(const double *h, double z, double a) noexcept nogil:
    cdef double root = 1 / (1 + vector_math.absolute(z))
    return (-2 if z > 0 else 2) * root * root * root


cdef void softsign_backward_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, const floating *grad,
    const floating *dz, const floating *da, floating *dgrad
) noexcept nogil:
    softsign_backward(h, rows, cols, z, a, dgrad)
    add_curvature(softsign_second, h, rows * cols, z, a, grad, dz, dgrad)


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


cdef double smooth_clip_second(const double *h, double z, double a) noexcept nogil:
    cdef double u = z / h[0], root = vector_math.sqrt(1 + u * u)
    return -3 / h[0] * (u / root) / root / root / root / root


cdef void smooth_clip_backward_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, const floating *grad,
    const floating *dz, const floating *da, floating *dgrad
) noexcept nogil:
    smooth_clip_backward(h, rows, cols, z, a, dgrad)
    add_curvature(smooth_clip_second, h, rows * cols, z, a, grad, dz, dgrad)


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


cdef double tanhshrink_second(const double *h, double z, double a) noexcept nogil:
    cdef double tanh_z = vector_math.tanh(z)
    return 2 * tanh_z * (1 - tanh_z * tanh_z)


cdef void tanhshrink_backward_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, const floating *grad,
    const floating *dz, const floating *da, floating *dgrad
) noexcept nogil:
    tanhshrink_backward(h, rows, cols, z, a, dgrad)
    add_curvature(tanhshrink_second, h, rows * cols, z, a, grad, dz, dgrad)


cdef cynn_activation softplus
softplus.forward_f32 = softplus_forward[float]
softplus.backward_f32 = softplus_backward[float]
softplus.forward_f64 = softplus_forward[double]
softplus.backward_f64 = softplus_backward[double]
softplus.backward_jvp_f32 = softplus_backward_jvp[float]
softplus.backward_jvp_f64 = softplus_backward_jvp[double]

cdef cynn_activation log_sigmoid
log_sigmoid.forward_f32 = log_sigmoid_forward[float]
log_sigmoid.backward_f32 = log_sigmoid_backward[float]
log_sigmoid.forward_f64 = log_sigmoid_forward[double]
log_sigmoid.backward_f64 = log_sigmoid_backward[double]
log_sigmoid.backward_jvp_f32 = log_sigmoid_backward_jvp[float]
log_sigmoid.backward_jvp_f64 = log_sigmoid_backward_jvp[double]

cdef cynn_activation squareplus
squareplus.forward_f32 = squareplus_forward[float]
squareplus.backward_f32 = squareplus_backward[float]
squareplus.forward_f64 = squareplus_forward[double]
squareplus.backward_f64 = squareplus_backward[double]
squareplus.backward_jvp_f32 = squareplus_backward_jvp[float]
squareplus.backward_jvp_f64 = squareplus_backward_jvp[double]

cdef cynn_activation softsign
softsign.forward_f32 = softsign_forward[float]
softsign.backward_f32 = softsign_backward[float]
softsign.forward_f64 = softsign_forward[double]
softsign.backward_f64 = softsign_backward[double]
softsign.backward_jvp_f32 = softsign_backward_jvp[float]
softsign.backward_jvp_f64 = softsign_backward_jvp[double]

cdef cynn_activation smooth_clip
smooth_clip.forward_f32 = smooth_clip_forward[float]
smooth_clip.backward_f32 = smooth_clip_backward[float]
smooth_clip.forward_f64 = smooth_clip_forward[double]
smooth_clip.backward_f64 = smooth_clip_backward[double]
smooth_clip.backward_jvp_f32 = smooth_clip_backward_jvp[float]
smooth_clip.backward_jvp_f64 = smooth_clip_backward_jvp[double]

cdef cynn_activation tanhshrink
tanhshrink.forward_f32 = tanhshrink_forward[float]
tanhshrink.backward_f32 = tanhshrink_backward[float]
tanhshrink.forward_f64 = tanhshrink_forward[double]
tanhshrink.backward_f64 = tanhshrink_backward[double]
tanhshrink.backward_jvp_f32 = tanhshrink_backward_jvp[float]
tanhshrink.backward_jvp_f64 = tanhshrink_backward_jvp[double]

KERNELS = {
    "softplus": activation_capsule(&softplus, CYNN_NEEDS_A | CYNN_IN_PLACE),
    "log_sigmoid": activation_capsule(&log_sigmoid, CYNN_NEEDS_A | CYNN_IN_PLACE),
    "squareplus": activation_capsule(&squareplus, CYNN_NEEDS_A | CYNN_NEEDS_Z),
    "smooth_clip": activation_capsule(&smooth_clip, CYNN_NEEDS_Z),
    "softsign": activation_capsule(&softsign, CYNN_NEEDS_Z),
    "tanhshrink": activation_capsule(&tanhshrink, CYNN_NEEDS_Z),
}
