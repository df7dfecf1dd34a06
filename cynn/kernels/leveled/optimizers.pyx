"""The built-in optimizers, each an ABI struct in a capsule, by name in `KERNELS`."""

from libc.stdint cimport int64_t

from cynn.abi cimport CYNN_ELEMENTWISE, cynn_optimizer, floating, optimizer_capsule
from cynn.moments cimport bias_correction, moving_average, moving_average_of_square, without_subnormal
from cynn.vector_math cimport sqrt


cdef void sgd_step(
    const double *h, double learning_rate, int64_t t, int64_t rows, int64_t cols,
    floating *w, floating *grad, floating *const *slots
) noexcept nogil:
    cdef int64_t i
    cdef double alpha, beta
    sgd_linear_step(h, learning_rate, t, &alpha, &beta)
    for i in range(rows * cols):
        w[i] = <floating>beta * w[i] + <floating>alpha * grad[i]


cdef void sgd_linear_step(
    const double *h, double learning_rate, int64_t t, double *alpha, double *beta
) noexcept nogil:
    # h: momentum (0 here), nesterov, weight_decay
    alpha[0] = -learning_rate
    beta[0] = 1 - learning_rate * h[2]


cdef void momentum_step(
    const double *h, double learning_rate, int64_t t, int64_t rows, int64_t cols,
    floating *w, floating *grad, floating *const *slots
) noexcept nogil:
    cdef int64_t i
    cdef floating rate = <floating>learning_rate
    cdef floating momentum = <floating>h[0]
    cdef floating decay = <floating>h[2]
    cdef floating *velocity = slots[0]
    cdef floating gradient
    if h[1] != 0:
        for i in range(rows * cols):
            gradient = grad[i] + decay * w[i]
            velocity[i] = without_subnormal(momentum * velocity[i] - rate * gradient)
            w[i] += momentum * velocity[i] - rate * gradient
    else:
        for i in range(rows * cols):
            gradient = grad[i] + decay * w[i]
            velocity[i] = without_subnormal(momentum * velocity[i] - rate * gradient)
            w[i] += velocity[i]


cdef inline void adam_update(
    const double *h, double learning_rate, double weight_decay, int64_t t, int64_t size,
    floating *w, const floating *grad, floating *m, floating *v
) noexcept nogil:
    # h: beta_1, beta_2, epsilon
    cdef int64_t i
    cdef double beta_1 = h[0], beta_2 = h[1]
    cdef floating epsilon = <floating>h[2]
    cdef floating rate = <floating>(learning_rate / bias_correction(beta_1, t))
    cdef floating correction = <floating>(1 / sqrt(bias_correction(beta_2, t)))
    cdef floating decay = <floating>(1 - learning_rate * weight_decay)
    for i in range(size):
        m[i] = moving_average(beta_1, m[i], grad[i])
        v[i] = moving_average_of_square(beta_2, v[i], grad[i])
        w[i] = decay * w[i] - rate * m[i] / (sqrt(v[i]) * correction + epsilon)


cdef void adam_step(
    const double *h, double learning_rate, int64_t t, int64_t rows, int64_t cols,
    floating *w, floating *grad, floating *const *slots
) noexcept nogil:
    adam_update(h, learning_rate, 0, t, rows * cols, w, grad, slots[0], slots[1])


cdef void adamw_step(
    const double *h, double learning_rate, int64_t t, int64_t rows, int64_t cols,
    floating *w, floating *grad, floating *const *slots
) noexcept nogil:
    adam_update(h, learning_rate, h[3], t, rows * cols, w, grad, slots[0], slots[1])


cdef cynn_optimizer sgd
sgd.step_f32 = sgd_step[float]
sgd.step_f64 = sgd_step[double]
sgd.linear_step = sgd_linear_step

cdef cynn_optimizer momentum
momentum.step_f32 = momentum_step[float]
momentum.step_f64 = momentum_step[double]

cdef cynn_optimizer adam
adam.step_f32 = adam_step[float]
adam.step_f64 = adam_step[double]

cdef cynn_optimizer adamw
adamw.step_f32 = adamw_step[float]
adamw.step_f64 = adamw_step[double]

KERNELS = {
    "sgd": optimizer_capsule(&sgd, CYNN_ELEMENTWISE, 0),
    "momentum": optimizer_capsule(&momentum, CYNN_ELEMENTWISE, 1),
    "adam": optimizer_capsule(&adam, CYNN_ELEMENTWISE, 2),
    "adamw": optimizer_capsule(&adamw, CYNN_ELEMENTWISE, 2),
}
