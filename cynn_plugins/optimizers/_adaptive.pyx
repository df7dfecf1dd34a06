"""Optimizers with adaptive step sizes, from the squares or the signs of earlier gradients."""

from libc.stdint cimport int64_t

from cynn.abi cimport CYNN_ELEMENTWISE, cynn_optimizer, floating, optimizer_capsule
from cynn.moments cimport moving_average, moving_average_of_square, without_subnormal
from cynn.vector_math cimport absolute, sqrt


cdef inline floating sign_of(floating x) noexcept nogil:
    return 1 if x > 0 else (-1 if x < 0 else 0 * x)  # 0, or a NaN


cdef void rmsprop_step(
    const double *h, double learning_rate, int64_t t, int64_t rows, int64_t cols,
    floating *w, floating *grad, floating *const *slots
) noexcept nogil:
    # h: rho, momentum, centered, epsilon. slots: mean of g², velocity where there is momentum, mean of g
    # if centered
    cdef int64_t i
    cdef floating rate = <floating>learning_rate
    cdef double rho = h[0]
    cdef floating momentum = <floating>h[1]
    cdef floating epsilon = <floating>h[3]
    cdef floating *square = slots[0]
    cdef floating *velocity
    cdef floating *mean
    cdef floating variance
    if h[2] != 0:
        mean = slots[2]
        for i in range(rows * cols):
            square[i] = moving_average_of_square(rho, square[i], grad[i])
            mean[i] = moving_average(rho, mean[i], grad[i])
            variance = square[i] - mean[i] * mean[i]
            grad[i] = grad[i] / (sqrt(0 if variance < 0 else variance) + epsilon)
    else:
        for i in range(rows * cols):
            square[i] = moving_average_of_square(rho, square[i], grad[i])
            grad[i] = grad[i] / (sqrt(square[i]) + epsilon)
    if h[1] != 0:
        velocity = slots[1]
        for i in range(rows * cols):
            velocity[i] = without_subnormal(momentum * velocity[i] + grad[i])
            w[i] -= rate * velocity[i]
    else:
        for i in range(rows * cols):
            w[i] -= rate * grad[i]


cdef void adagrad_step(
    const double *h, double learning_rate, int64_t t, int64_t rows, int64_t cols,
    floating *w, floating *grad, floating *const *slots
) noexcept nogil:
    # h: initial_accumulator, epsilon
    cdef int64_t i
    cdef floating rate = <floating>learning_rate
    cdef floating initial = <floating>h[0]
    cdef floating epsilon = <floating>h[1]
    cdef floating *total = slots[0]
    for i in range(rows * cols):
        total[i] += grad[i] * grad[i]
        w[i] -= rate * grad[i] / (sqrt(initial + total[i]) + epsilon)


cdef void adadelta_step(
    const double *h, double learning_rate, int64_t t, int64_t rows, int64_t cols,
    floating *w, floating *grad, floating *const *slots
) noexcept nogil:
    # h: rho, epsilon
    cdef int64_t i
    cdef floating rate = <floating>learning_rate
    cdef double rho = h[0]
    cdef floating epsilon = <floating>h[1]
    cdef floating *square = slots[0]
    cdef floating *step_square = slots[1]
    cdef floating step
    for i in range(rows * cols):
        square[i] = moving_average_of_square(rho, square[i], grad[i])
        step = sqrt(step_square[i] + epsilon) / sqrt(square[i] + epsilon) * grad[i]
        step_square[i] = moving_average_of_square(rho, step_square[i], step)
        w[i] -= rate * step


cdef void rprop_step(
    const double *h, double learning_rate, int64_t t, int64_t rows, int64_t cols,
    floating *w, floating *grad, floating *const *slots
) noexcept nogil:
    # h: decrease, increase, smallest_step, largest_step. slots: the last gradient, the size of the step
    cdef int64_t i
    cdef floating first_step = <floating>learning_rate
    cdef floating decrease = <floating>h[0]
    cdef floating increase = <floating>h[1]
    cdef floating smallest = <floating>h[2]
    cdef floating largest = <floating>h[3]
    cdef floating *last = slots[0]
    cdef floating *step = slots[1]
    cdef floating agreement
    if t == 1:
        for i in range(rows * cols):
            step[i] = first_step
    for i in range(rows * cols):
        agreement = sign_of(grad[i]) * sign_of(last[i])
        step[i] = step[i] * (increase if agreement > 0 else (decrease if agreement < 0 else 1))
        step[i] = smallest if step[i] < smallest else (largest if step[i] > largest else step[i])
        last[i] = 0 if agreement < 0 else grad[i]
        w[i] -= sign_of(last[i]) * step[i]


cdef void ftrl_step(
    const double *h, double learning_rate, int64_t t, int64_t rows, int64_t cols,
    floating *w, floating *grad, floating *const *slots
) noexcept nogil:
    # h: beta, l1, l2, initial_accumulator. slots: n = sum of g², and z, where
    # w = (sign(z) l1 - z) / rate_of(n) unless |z| <= l1, with rate_of(n) = (beta + sqrt(n)) / alpha + l2
    cdef int64_t i
    cdef floating alpha = <floating>learning_rate
    cdef floating beta = <floating>h[0]
    cdef floating l1 = <floating>h[1]
    cdef floating l2 = <floating>h[2]
    cdef floating initial = <floating>h[3]
    cdef floating *n = slots[0]
    cdef floating *z = slots[1]
    cdef floating before, after, square, rate
    if t == 1:  # the z that stands for the w at hand; none for w = 0, where the paper begins
        for i in range(rows * cols):
            z[i] = -w[i] * ((beta + sqrt(initial)) / alpha + l2) - l1 * sign_of(w[i])
    for i in range(rows * cols):
        square = grad[i] * grad[i]
        before = sqrt(initial + n[i])
        n[i] += square
        after = sqrt(initial + n[i])
        # (after - before) / alpha, without cancellation
        z[i] += grad[i] - (square / (before + after) / alpha * w[i] if square > 0 else 0)
        rate = (beta + after) / alpha + l2
        if rate != 0:  # zero only if there has been no gradient at all
            w[i] = 0 if absolute(z[i]) <= l1 else (l1 * sign_of(z[i]) - z[i]) / rate


cdef cynn_optimizer rmsprop
rmsprop.step_f32 = rmsprop_step[float]
rmsprop.step_f64 = rmsprop_step[double]

cdef cynn_optimizer rmsprop_momentum
rmsprop_momentum.step_f32 = rmsprop_step[float]
rmsprop_momentum.step_f64 = rmsprop_step[double]

cdef cynn_optimizer rmsprop_centered
rmsprop_centered.step_f32 = rmsprop_step[float]
rmsprop_centered.step_f64 = rmsprop_step[double]

cdef cynn_optimizer adagrad
adagrad.step_f32 = adagrad_step[float]
adagrad.step_f64 = adagrad_step[double]

cdef cynn_optimizer adadelta
adadelta.step_f32 = adadelta_step[float]
adadelta.step_f64 = adadelta_step[double]

cdef cynn_optimizer rprop
rprop.step_f32 = rprop_step[float]
rprop.step_f64 = rprop_step[double]

cdef cynn_optimizer ftrl
ftrl.step_f32 = ftrl_step[float]
ftrl.step_f64 = ftrl_step[double]

KERNELS = {
    "rmsprop": optimizer_capsule(&rmsprop, CYNN_ELEMENTWISE, 1),
    "rmsprop_momentum": optimizer_capsule(&rmsprop_momentum, CYNN_ELEMENTWISE, 2),
    "rmsprop_centered": optimizer_capsule(&rmsprop_centered, CYNN_ELEMENTWISE, 3),
    "adagrad": optimizer_capsule(&adagrad, CYNN_ELEMENTWISE, 1),
    "adadelta": optimizer_capsule(&adadelta, CYNN_ELEMENTWISE, 2),
    "rprop": optimizer_capsule(&rprop, CYNN_ELEMENTWISE, 2),
    "ftrl": optimizer_capsule(&ftrl, CYNN_ELEMENTWISE, 2),
}
