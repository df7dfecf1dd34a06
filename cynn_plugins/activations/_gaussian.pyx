"""The Gaussian activation."""

from libc.stdint cimport int64_t

from cynn cimport vector_math
from cynn.abi cimport CYNN_NEEDS_A, CYNN_NEEDS_Z, activation_capsule, cynn_activation, floating
from cynn_plugins.activations.curvature cimport add_curvature


cdef void gaussian_forward(
    const double *h, int64_t rows, int64_t cols, const floating *z, floating *a
) noexcept nogil:
    cdef int64_t i
    for i in range(rows * cols):
        a[i] = vector_math.exp(-z[i] * z[i])


cdef void gaussian_backward(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, floating *grad
) noexcept nogil:
    cdef int64_t i
    for i in range(rows * cols):
        grad[i] = -2 * z[i] * a[i] * grad[i]


cdef double gaussian_second(const double *h, double z, double a) noexcept nogil:
    return 2 * (2 * z * z - 1) * a if vector_math.absolute(z) < 1e9 else 0 * a


cdef void gaussian_backward_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, const floating *grad,
    const floating *dz, const floating *da, floating *dgrad
) noexcept nogil:
    gaussian_backward(h, rows, cols, z, a, dgrad)
    add_curvature(gaussian_second, h, rows * cols, z, a, grad, dz, dgrad)


cdef cynn_activation gaussian
gaussian.forward_f32 = gaussian_forward[float]
gaussian.backward_f32 = gaussian_backward[float]
gaussian.forward_f64 = gaussian_forward[double]
gaussian.backward_f64 = gaussian_backward[double]
gaussian.backward_jvp_f32 = gaussian_backward_jvp[float]
gaussian.backward_jvp_f64 = gaussian_backward_jvp[double]

KERNELS = {"gaussian": activation_capsule(&gaussian, CYNN_NEEDS_A | CYNN_NEEDS_Z)}
