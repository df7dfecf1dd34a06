"""The kernel of swish: f = z s with s = sigmoid(beta z), f′ = s + beta f (1 - s)."""

from libc.math cimport exp
from libc.stdint cimport int64_t

from cynn.abi cimport CYNN_NEEDS_A, CYNN_NEEDS_Z, activation_capsule, cynn_activation, floating


cdef inline floating sigmoid(floating z) noexcept nogil:
    return 1 / (1 + <floating>exp(-z))


cdef void forward(const double *h, int64_t rows, int64_t cols, const floating *z, floating *a) noexcept nogil:
    cdef int64_t i
    cdef floating beta = <floating>h[0]
    for i in range(rows * cols):
        a[i] = z[i] * sigmoid(beta * z[i])


cdef void backward(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, floating *grad
) noexcept nogil:
    cdef int64_t i
    cdef floating beta = <floating>h[0]
    cdef floating s
    for i in range(rows * cols):
        s = sigmoid(beta * z[i])
        grad[i] = grad[i] * (s + beta * a[i] * (1 - s))


cdef cynn_activation kernel
kernel.forward_f32 = forward[float]
kernel.backward_f32 = backward[float]
kernel.forward_f64 = forward[double]
kernel.backward_f64 = backward[double]

KERNEL = activation_capsule(&kernel, CYNN_NEEDS_Z | CYNN_NEEDS_A)
