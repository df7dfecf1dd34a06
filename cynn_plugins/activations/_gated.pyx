"""Self-gated activations: z times a gate between 0 and 1."""

from libc.stdint cimport int64_t

from cynn cimport vector_math
from cynn.abi cimport CYNN_NEEDS_A, CYNN_NEEDS_Z, activation_capsule, cynn_activation, floating
from cynn_plugins.activations.curvature cimport add_curvature


# swish: with s = sigmoid(beta z), f = z s and f′ = s + beta f (1 - s).

cdef void swish_forward(
    const double *h, int64_t rows, int64_t cols, const floating *z, floating *a
) noexcept nogil:
    cdef int64_t i
    cdef floating beta = <floating>h[0]
    for i in range(rows * cols):
        a[i] = z[i] * vector_math.sigmoid(beta * z[i])


cdef void swish_backward(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, floating *grad
) noexcept nogil:
    cdef int64_t i
    cdef floating beta = <floating>h[0]
    cdef floating s
    for i in range(rows * cols):
        s = vector_math.sigmoid(beta * z[i])
        grad[i] = grad[i] * (s + beta * a[i] * (1 - s))


cdef double swish_second(const double *h, double z, double a) noexcept nogil:
    cdef double s = vector_math.sigmoid(h[0] * z)
    return h[0] * s * (1 - s) * (2 + h[0] * z * (1 - 2 * s))


cdef void swish_backward_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, const floating *grad,
    const floating *dz, const floating *da, floating *dgrad
) noexcept nogil:
    swish_backward(h, rows, cols, z, a, dgrad)
    add_curvature(swish_second, h, rows * cols, z, a, grad, dz, dgrad)


# gelu: the distribution and the density of the standard normal.

cdef inline floating normal_cdf(floating z) noexcept nogil:
    cdef floating half = 0.5
    cdef floating root_half = 0.70710678118654752440
    return half * vector_math.erfc(-root_half * z)


cdef inline floating normal_pdf(floating z) noexcept nogil:
    cdef floating half = 0.5
    cdef floating at_0 = 0.39894228040143267794  # 1 / sqrt(2 pi)
    return at_0 * vector_math.exp(-half * z * z)


cdef void gelu_forward(
    const double *h, int64_t rows, int64_t cols, const floating *z, floating *a
) noexcept nogil:
    cdef int64_t i
    for i in range(rows * cols):
        a[i] = z[i] * normal_cdf(z[i])


cdef void gelu_backward(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, floating *grad
) noexcept nogil:
    cdef int64_t i
    for i in range(rows * cols):
        grad[i] = grad[i] * (normal_cdf(z[i]) + z[i] * normal_pdf(z[i]))


cdef double gelu_second(const double *h, double z, double a) noexcept nogil:
    cdef double near = clamped(z)
    return normal_pdf(near) * (2 - near * near)


cdef void gelu_backward_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, const floating *grad,
    const floating *dz, const floating *da, floating *dgrad
) noexcept nogil:
    gelu_backward(h, rows, cols, z, a, dgrad)
    add_curvature(gelu_second, h, rows * cols, z, a, grad, dz, dgrad)


# gelu, approximate: f = z g with the gate g = (1 + tanh(u)) / 2 = sigmoid(2 u), where u is
# sqrt(2 / pi) (z + 0.044715 z³).
# Beyond |z| = 25 g is 0 or 1 and its slope 0, in float64 too: u stays as it is there,
# so that z³ does not overflow.

cdef inline floating clamped(floating z) noexcept nogil:
    return -25 if z < -25 else (25 if z > 25 else z)


cdef inline floating gate_of(floating z) noexcept nogil:
    cdef floating factor = 1.59576912160573071176  # 2 sqrt(2 / pi)
    cdef floating cubic = 0.044715
    return vector_math.sigmoid(factor * z * (1 + cubic * z * z))


cdef inline floating gate_slope(floating z, floating gate) noexcept nogil:
    cdef floating factor = 1.59576912160573071176
    cdef floating cubic = 0.134145  # 3 * 0.044715
    return gate * (1 - gate) * factor * (1 + cubic * z * z)


cdef void gelu_tanh_forward(
    const double *h, int64_t rows, int64_t cols, const floating *z, floating *a
) noexcept nogil:
    cdef int64_t i
    for i in range(rows * cols):
        a[i] = z[i] * gate_of(clamped(z[i]))


cdef void gelu_tanh_backward(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, floating *grad
) noexcept nogil:
    cdef int64_t i
    cdef floating near
    cdef floating gate
    for i in range(rows * cols):
        near = clamped(z[i])
        gate = gate_of(near)
        grad[i] = grad[i] * (gate + near * gate_slope(near, gate))


cdef double gelu_tanh_second(const double *h, double z, double a) noexcept nogil:
    # with the gate g: 2 g' + z g'', where g' = g (1 - g) k and g'' = g (1 - g) ((1 - 2 g) k² + k')
    cdef double factor = 1.59576912160573071176, cubic = 0.044715
    cdef double near = clamped(z)
    cdef double gate = gate_of(near), k = factor * (1 + 3 * cubic * near * near)
    return gate * (1 - gate) * (2 * k + near * ((1 - 2 * gate) * k * k + 6 * factor * cubic * near))


cdef void gelu_tanh_backward_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, const floating *grad,
    const floating *dz, const floating *da, floating *dgrad
) noexcept nogil:
    gelu_tanh_backward(h, rows, cols, z, a, dgrad)
    add_curvature(gelu_tanh_second, h, rows * cols, z, a, grad, dz, dgrad)


# mish: tanh(softplus(z)) = ((1 + exp(z))² - 1) / ((1 + exp(z))² + 1), which with e = exp(-|z|) is
# p / q with p = 1 + 2 e, q = p + 2 e² where z > 0 and p = e (e + 2), q = p + 2 elsewhere.
# Its slope is 4 e (1 + e) / q², times e where z > 0. A division costs as much as the rest, so there is one, r = 1 / q.

cdef void mish_forward(
    const double *h, int64_t rows, int64_t cols, const floating *z, floating *a
) noexcept nogil:
    cdef int64_t i
    cdef floating e, p, q
    for i in range(rows * cols):
        e = vector_math.exp(-vector_math.absolute(z[i]))
        p = 1 + 2 * e if z[i] > 0 else e * (e + 2)
        q = p + (2 * e * e if z[i] > 0 else 2)
        a[i] = z[i] * (p / q)


cdef void mish_backward(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, floating *grad
) noexcept nogil:
    cdef int64_t i
    cdef floating e, p, r, slope
    for i in range(rows * cols):
        e = vector_math.exp(-vector_math.absolute(z[i]))
        p = 1 + 2 * e if z[i] > 0 else e * (e + 2)
        r = 1 / (p + (2 * e * e if z[i] > 0 else 2))
        slope = 4 * e * (1 + e) * (e if z[i] > 0 else 1) * r
        grad[i] = grad[i] * r * (p + z[i] * slope)


cdef double mish_second(const double *h, double z, double a) noexcept nogil:
    # with t = tanh(softplus(z)) and s = sigmoid(z): t' = (1 - t²) s, t'' = t' (1 - s - 2 t s)
    cdef double e = vector_math.exp(-vector_math.absolute(z)), p, q, slope, s = vector_math.sigmoid(z)
    p = 1 + 2 * e if z > 0 else e * (e + 2)
    q = p + (2 * e * e if z > 0 else 2)
    slope = 4 * e * (1 + e) * (e if z > 0 else 1) / (q * q)
    return slope * (2 + z * (1 - s - 2 * (p / q) * s))


cdef void mish_backward_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, const floating *grad,
    const floating *dz, const floating *da, floating *dgrad
) noexcept nogil:
    mish_backward(h, rows, cols, z, a, dgrad)
    add_curvature(mish_second, h, rows * cols, z, a, grad, dz, dgrad)


cdef cynn_activation swish
swish.forward_f32 = swish_forward[float]
swish.backward_f32 = swish_backward[float]
swish.forward_f64 = swish_forward[double]
swish.backward_f64 = swish_backward[double]
swish.backward_jvp_f32 = swish_backward_jvp[float]
swish.backward_jvp_f64 = swish_backward_jvp[double]

cdef cynn_activation gelu
gelu.forward_f32 = gelu_forward[float]
gelu.backward_f32 = gelu_backward[float]
gelu.forward_f64 = gelu_forward[double]
gelu.backward_f64 = gelu_backward[double]
gelu.backward_jvp_f32 = gelu_backward_jvp[float]
gelu.backward_jvp_f64 = gelu_backward_jvp[double]

cdef cynn_activation gelu_tanh
gelu_tanh.forward_f32 = gelu_tanh_forward[float]
gelu_tanh.backward_f32 = gelu_tanh_backward[float]
gelu_tanh.forward_f64 = gelu_tanh_forward[double]
gelu_tanh.backward_f64 = gelu_tanh_backward[double]
gelu_tanh.backward_jvp_f32 = gelu_tanh_backward_jvp[float]
gelu_tanh.backward_jvp_f64 = gelu_tanh_backward_jvp[double]

cdef cynn_activation mish
mish.forward_f32 = mish_forward[float]
mish.backward_f32 = mish_backward[float]
mish.forward_f64 = mish_forward[double]
mish.backward_f64 = mish_backward[double]
mish.backward_jvp_f32 = mish_backward_jvp[float]
mish.backward_jvp_f64 = mish_backward_jvp[double]

KERNELS = {
    "swish": activation_capsule(&swish, CYNN_NEEDS_A | CYNN_NEEDS_Z),
    "gelu": activation_capsule(&gelu, CYNN_NEEDS_Z),
    "gelu_tanh": activation_capsule(&gelu_tanh, CYNN_NEEDS_Z),
    "mish": activation_capsule(&mish, CYNN_NEEDS_Z),
}
