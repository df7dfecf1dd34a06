"""Optimizers whose steps depend on a whole parameter: on its norm, its rows and columns, or the matrix."""

from libc.math cimport pow, sqrt
from libc.stdint cimport int64_t
from libc.string cimport memcpy

from cynn cimport vector_math
from cynn.abi cimport cynn_optimizer, floating, optimizer_capsule
from cynn.blas cimport gemm
from cynn.moments cimport bias_correction, moving_average, moving_average_of_square
from cynn.sums cimport norm_of


# Adam's direction, m / (sqrt(v) + epsilon) without bias, in place of the gradient.
cdef inline void to_adam_direction(
    double beta_1, double beta_2, double small, int64_t t, int64_t size, floating *grad, floating *m, floating *v
) noexcept nogil:
    cdef int64_t i
    cdef floating epsilon = <floating>small
    cdef floating correction_1 = <floating>(1 / bias_correction(beta_1, t))
    cdef floating correction_2 = <floating>(1 / sqrt(bias_correction(beta_2, t)))
    for i in range(size):
        m[i] = moving_average(beta_1, m[i], grad[i])
        v[i] = moving_average_of_square(beta_2, v[i], grad[i])
        grad[i] = correction_1 * m[i] / (vector_math.sqrt(v[i]) * correction_2 + epsilon)


cdef void lamb_step(
    const double *h, double learning_rate, int64_t t, int64_t rows, int64_t cols,
    floating *w, floating *grad, floating *const *slots
) noexcept nogil:
    # h: beta_1, beta_2, epsilon, weight_decay
    cdef int64_t i
    cdef int64_t size = rows * cols
    cdef floating weight_decay = <floating>h[3]
    cdef floating rate
    cdef double norm_of_w, norm_of_step
    to_adam_direction(h[0], h[1], h[2], t, size, grad, slots[0], slots[1])
    for i in range(size):
        grad[i] += weight_decay * w[i]
    norm_of_w = norm_of(size, w)
    norm_of_step = norm_of(size, grad)
    rate = <floating>(learning_rate * (norm_of_w / norm_of_step if norm_of_w > 0 and norm_of_step > 0 else 1))
    for i in range(size):
        w[i] -= rate * grad[i]


# The mean square of a matrix, as its rows and columns tell it: that of element (i, j) is taken to be
# of_rows[i] of_columns[j] / sum(of_rows). Both fit in one slot, since rows + cols <= rows * cols from 2 x
# 2 on.

cdef inline void divide_by_factored_root(
    double beta, double epsilon, int64_t rows, int64_t cols, floating *grad, floating *of_rows,
    floating *of_columns
) noexcept nogil:
    cdef int64_t i, j
    cdef double square, total, total_of_rows = 0
    cdef floating rest = <floating>(1 - beta)
    cdef floating small = <floating>epsilon
    cdef floating of_row
    for j in range(cols):
        of_columns[j] = <floating>beta * of_columns[j]
    for i in range(rows):
        total = 0
        for j in range(cols):
            square = <double>grad[i * cols + j] * grad[i * cols + j] + epsilon
            total += square
        for j in range(cols):
            of_columns[j] += rest * (grad[i * cols + j] * grad[i * cols + j] + small)
        of_rows[i] = <floating>(beta * of_rows[i] + (1 - beta) * total)
        total_of_rows += of_rows[i]
    for i in range(rows):
        of_row = <floating>sqrt(total_of_rows / of_rows[i])
        for j in range(cols):
            grad[i * cols + j] *= of_row / vector_math.sqrt(of_columns[j])


cdef void adafactor_step(
    const double *h, double learning_rate, int64_t t, int64_t rows, int64_t cols,
    floating *w, floating *grad, floating *const *slots
) noexcept nogil:
    # h: decay_power, epsilon_1, epsilon_2, clip
    cdef int64_t i
    cdef int64_t size = rows * cols
    cdef double beta = 1 - pow(t, -h[0])
    cdef double root_of_size = sqrt(<double>max(size, 1))
    cdef double largest = learning_rate if learning_rate * sqrt(<double>t) < 1 else 1 / sqrt(<double>t)
    cdef double scale = norm_of(size, w) / root_of_size
    cdef double size_of_step
    cdef floating epsilon = <floating>h[1]
    cdef floating rate
    cdef floating *v = slots[0]
    if rows > 1 and cols > 1:
        divide_by_factored_root(beta, h[1], rows, cols, grad, v, v + rows)
    else:
        for i in range(size):
            v[i] = moving_average(beta, v[i], grad[i] * grad[i] + epsilon)
            grad[i] = grad[i] / vector_math.sqrt(v[i])
    size_of_step = norm_of(size, grad) / root_of_size / h[3]
    scale = largest * (scale if scale > h[2] else h[2])
    rate = <floating>(scale / size_of_step if size_of_step > 1 else scale)
    for i in range(size):
        w[i] -= rate * grad[i]


# The nearest orthogonal matrix, nearly: all singular values come between 0.7 and 1.2. x, other and square are
# rows x cols; returns whichever of x and other holds the result. With A = X Xᵀ (or Xᵀ X, the smaller):
# X := a X + (b A + c A²) X.
cdef inline floating *orthogonalized(
    int iterations, int64_t rows, int64_t cols, floating *x, floating *other, floating *square
) noexcept nogil:
    cdef int64_t i, size = rows * cols
    cdef int64_t n = min(rows, cols)
    cdef int _iteration
    cdef bint wide = rows <= cols
    cdef floating a = 3.4445
    cdef floating b = -4.7750
    cdef floating c = 2.0315
    cdef floating one = 1
    cdef floating zero = 0
    cdef double scale = 1 / (norm_of(size, x) + 1e-7)  # in float32 it may be too small a number
    cdef floating *result
    for i in range(size):
        x[i] = <floating>(x[i] * scale)
    for _iteration in range(iterations):
        gemm(not wide, wide, n, n, cols if wide else rows, one, x, cols, x, cols, zero, other, n)
        memcpy(square, other, n * n * sizeof(floating))
        gemm(False, False, n, n, n, c, other, n, other, n, b, square, n)
        memcpy(other, x, size * sizeof(floating))
        if wide:
            gemm(False, False, rows, cols, n, one, square, n, x, cols, a, other, cols)
        else:
            gemm(False, False, rows, cols, n, one, x, cols, square, n, a, other, cols)
        result = other
        other = x
        x = result
    return x


cdef void muon_step(
    const double *h, double learning_rate, int64_t t, int64_t rows, int64_t cols,
    floating *w, floating *grad, floating *const *slots
) noexcept nogil:
    # h: momentum, nesterov, iterations, weight_decay, bias_rate. slots: velocity (of a bias Adam's m),
    # and for a matrix two to compute in (of a bias Adam's v)
    cdef int64_t i
    cdef int64_t size = rows * cols
    cdef double momentum = h[0]
    cdef floating decay = <floating>(1 - learning_rate * h[3])
    cdef floating rate
    cdef floating *velocity = slots[0]
    cdef floating *direction = grad
    if rows == 1:
        rate = <floating>(learning_rate * h[4])
        decay = <floating>(1 - learning_rate * h[4] * h[3])
        to_adam_direction(0.9, 0.95, 1e-10, t, size, grad, slots[0], slots[1])
    else:
        # cols / rows: the outputs over the inputs of the layer
        rate = <floating>(learning_rate * sqrt(max(1.0, <double>cols / max(rows, 1))))
        for i in range(size):
            velocity[i] = moving_average(momentum, velocity[i], grad[i])
            grad[i] = moving_average(momentum, velocity[i], grad[i]) if h[1] else velocity[i]
        direction = orthogonalized(<int>h[2], rows, cols, grad, slots[1], slots[2])
    for i in range(size):
        w[i] = decay * w[i] - rate * direction[i]


cdef cynn_optimizer lamb
lamb.step_f32 = lamb_step[float]
lamb.step_f64 = lamb_step[double]

cdef cynn_optimizer adafactor
adafactor.step_f32 = adafactor_step[float]
adafactor.step_f64 = adafactor_step[double]

cdef cynn_optimizer muon
muon.step_f32 = muon_step[float]
muon.step_f64 = muon_step[double]

KERNELS = {
    "lamb": optimizer_capsule(&lamb, 0, 2),
    "adafactor": optimizer_capsule(&adafactor, 0, 1),
    "muon": optimizer_capsule(&muon, 0, 3),
}
