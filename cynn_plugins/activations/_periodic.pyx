"""Periodic activations."""

from libc.math cimport cos
from libc.stdint cimport int64_t

from cynn cimport vector_math
from cynn.abi cimport CYNN_NEEDS_Z, activation_capsule, cynn_activation, floating
from cynn_plugins.activations.curvature cimport add_curvature

cdef enum:
    PIECE = 64  # elements whose slopes are found together


cdef void sine_forward(
    const double *h, int64_t rows, int64_t cols, const floating *z, floating *a
) noexcept nogil:
    vector_math.sines(rows * cols, <floating>h[0], z, a)


cdef void sine_backward(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, floating *grad
) noexcept nogil:
    cdef int64_t piece, first, i, n, size = rows * cols
    cdef floating[PIECE] slopes
    cdef floating w0 = <floating>h[0]
    for piece in range((size + PIECE - 1) // PIECE):
        first = piece * PIECE
        n = min(<int64_t>PIECE, size - first)
        vector_math.cosines(n, w0, z + first, slopes)
        for i in range(n):
            grad[first + i] = grad[first + i] * w0 * slopes[i]


cdef double sine_second(const double *h, double z, double a) noexcept nogil:
    return -h[0] * h[0] * a


cdef void sine_backward_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, const floating *grad,
    const floating *dz, const floating *da, floating *dgrad
) noexcept nogil:
    sine_backward(h, rows, cols, z, a, dgrad)
    add_curvature(sine_second, h, rows * cols, z, a, grad, dz, dgrad)


# f′ = 1 + 2 sin(alpha z) cos(alpha z) = 1 + sin(2 alpha z).

cdef void snake_forward(
    const double *h, int64_t rows, int64_t cols, const floating *z, floating *a
) noexcept nogil:
    cdef int64_t i
    cdef floating alpha = <floating>h[0]
    vector_math.sines(rows * cols, alpha, z, a)
    for i in range(rows * cols):
        a[i] = z[i] + a[i] * a[i] / alpha


cdef void snake_backward(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, floating *grad
) noexcept nogil:
    cdef int64_t piece, first, i, n, size = rows * cols
    cdef floating[PIECE] sines
    cdef floating alpha = <floating>h[0]
    for piece in range((size + PIECE - 1) // PIECE):
        first = piece * PIECE
        n = min(<int64_t>PIECE, size - first)
        vector_math.sines(n, 2 * alpha, z + first, sines)
        for i in range(n):
            grad[first + i] = grad[first + i] * (1 + sines[i])


cdef double snake_second(const double *h, double z, double a) noexcept nogil:
    return 2 * h[0] * cos(2 * h[0] * z)


cdef void snake_backward_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, const floating *grad,
    const floating *dz, const floating *da, floating *dgrad
) noexcept nogil:
    snake_backward(h, rows, cols, z, a, dgrad)
    add_curvature(snake_second, h, rows * cols, z, a, grad, dz, dgrad)


cdef cynn_activation sine
sine.forward_f32 = sine_forward[float]
sine.backward_f32 = sine_backward[float]
sine.forward_f64 = sine_forward[double]
sine.backward_f64 = sine_backward[double]
sine.backward_jvp_f32 = sine_backward_jvp[float]
sine.backward_jvp_f64 = sine_backward_jvp[double]

cdef cynn_activation snake
snake.forward_f32 = snake_forward[float]
snake.backward_f32 = snake_backward[float]
snake.forward_f64 = snake_forward[double]
snake.backward_f64 = snake_backward[double]
snake.backward_jvp_f32 = snake_backward_jvp[float]
snake.backward_jvp_f64 = snake_backward_jvp[double]

KERNELS = {
    "sine": activation_capsule(&sine, CYNN_NEEDS_Z),
    "snake": activation_capsule(&snake, CYNN_NEEDS_Z),
}
