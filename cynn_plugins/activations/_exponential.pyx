"""Exponential units: exp(z), and units that are exponential for negative z."""

from libc.stdint cimport int64_t

from cynn cimport vector_math
from cynn.abi cimport CYNN_IN_PLACE, CYNN_NEEDS_A, activation_capsule, cynn_activation, floating
from cynn_plugins.activations.curvature cimport add_curvature

# The fixed point of the paper: mean 0 and variance 1 go in and come out.
cdef double SELU_ALPHA = 1.6732632423543772848
cdef double SELU_SCALE = 1.0507009873554804934


cdef void exponential_forward(
    const double *h, int64_t rows, int64_t cols, const floating *z, floating *a
) noexcept nogil:
    cdef int64_t i
    for i in range(rows * cols):
        a[i] = vector_math.exp(z[i])


cdef void exponential_backward(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, floating *grad
) noexcept nogil:
    cdef int64_t i
    for i in range(rows * cols):
        grad[i] = grad[i] * a[i]


cdef double exponential_second(const double *h, double z, double a) noexcept nogil:
    return a


cdef void exponential_backward_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, const floating *grad,
    const floating *dz, const floating *da, floating *dgrad
) noexcept nogil:
    exponential_backward(h, rows, cols, z, a, dgrad)
    add_curvature(exponential_second, h, rows * cols, z, a, grad, dz, dgrad)


# f′ = alpha exp(z) = a + alpha where z <= 0; the sign of a is the sign of z.

cdef void elu_forward(
    const double *h, int64_t rows, int64_t cols, const floating *z, floating *a
) noexcept nogil:
    cdef int64_t i
    cdef floating alpha = <floating>h[0]
    for i in range(rows * cols):
        a[i] = alpha * vector_math.expm1(z[i]) if z[i] < 0 else z[i]


cdef void elu_backward(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, floating *grad
) noexcept nogil:
    cdef int64_t i
    cdef floating alpha = <floating>h[0]
    for i in range(rows * cols):
        grad[i] = grad[i] if a[i] > 0 else grad[i] * (a[i] + alpha)


cdef double elu_second(const double *h, double z, double a) noexcept nogil:
    return 0 if a > 0 else a + h[0]


cdef void elu_backward_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, const floating *grad,
    const floating *dz, const floating *da, floating *dgrad
) noexcept nogil:
    elu_backward(h, rows, cols, z, a, dgrad)
    add_curvature(elu_second, h, rows * cols, z, a, grad, dz, dgrad)


cdef void selu_forward(
    const double *h, int64_t rows, int64_t cols, const floating *z, floating *a
) noexcept nogil:
    cdef int64_t i
    cdef floating scale = SELU_SCALE
    cdef floating alpha = SELU_ALPHA
    for i in range(rows * cols):
        a[i] = scale * (alpha * vector_math.expm1(z[i]) if z[i] < 0 else z[i])


cdef void selu_backward(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, floating *grad
) noexcept nogil:
    cdef int64_t i
    cdef floating scale = SELU_SCALE
    cdef floating alpha = SELU_ALPHA
    for i in range(rows * cols):
        grad[i] = grad[i] * (scale if a[i] > 0 else a[i] + scale * alpha)


cdef double selu_second(const double *h, double z, double a) noexcept nogil:
    return 0 if a > 0 else a + SELU_SCALE * SELU_ALPHA


cdef void selu_backward_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, const floating *grad,
    const floating *dz, const floating *da, floating *dgrad
) noexcept nogil:
    selu_backward(h, rows, cols, z, a, dgrad)
    add_curvature(selu_second, h, rows * cols, z, a, grad, dz, dgrad)


cdef void celu_forward(
    const double *h, int64_t rows, int64_t cols, const floating *z, floating *a
) noexcept nogil:
    cdef int64_t i
    cdef floating alpha = <floating>h[0]
    for i in range(rows * cols):
        a[i] = alpha * vector_math.expm1(z[i] / alpha) if z[i] < 0 else z[i]


cdef void celu_backward(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, floating *grad
) noexcept nogil:
    cdef int64_t i
    cdef floating alpha = <floating>h[0]
    for i in range(rows * cols):
        grad[i] = grad[i] if a[i] > 0 else grad[i] * (a[i] / alpha + 1)


cdef double celu_second(const double *h, double z, double a) noexcept nogil:
    return 0 if a > 0 else (a / h[0] + 1) / h[0]


cdef void celu_backward_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, const floating *grad,
    const floating *dz, const floating *da, floating *dgrad
) noexcept nogil:
    celu_backward(h, rows, cols, z, a, dgrad)
    add_curvature(celu_second, h, rows * cols, z, a, grad, dz, dgrad)


cdef cynn_activation exponential
exponential.forward_f32 = exponential_forward[float]
exponential.backward_f32 = exponential_backward[float]
exponential.forward_f64 = exponential_forward[double]
exponential.backward_f64 = exponential_backward[double]
exponential.backward_jvp_f32 = exponential_backward_jvp[float]
exponential.backward_jvp_f64 = exponential_backward_jvp[double]

cdef cynn_activation elu
elu.forward_f32 = elu_forward[float]
elu.backward_f32 = elu_backward[float]
elu.forward_f64 = elu_forward[double]
elu.backward_f64 = elu_backward[double]
elu.backward_jvp_f32 = elu_backward_jvp[float]
elu.backward_jvp_f64 = elu_backward_jvp[double]

cdef cynn_activation selu
selu.forward_f32 = selu_forward[float]
selu.backward_f32 = selu_backward[float]
selu.forward_f64 = selu_forward[double]
selu.backward_f64 = selu_backward[double]
selu.backward_jvp_f32 = selu_backward_jvp[float]
selu.backward_jvp_f64 = selu_backward_jvp[double]

cdef cynn_activation celu
celu.forward_f32 = celu_forward[float]
celu.backward_f32 = celu_backward[float]
celu.forward_f64 = celu_forward[double]
celu.backward_f64 = celu_backward[double]
celu.backward_jvp_f32 = celu_backward_jvp[float]
celu.backward_jvp_f64 = celu_backward_jvp[double]

KERNELS = {
    "exponential": activation_capsule(&exponential, CYNN_NEEDS_A | CYNN_IN_PLACE),
    "elu": activation_capsule(&elu, CYNN_NEEDS_A | CYNN_IN_PLACE),
    "selu": activation_capsule(&selu, CYNN_NEEDS_A | CYNN_IN_PLACE),
    "celu": activation_capsule(&celu, CYNN_NEEDS_A | CYNN_IN_PLACE),
}
