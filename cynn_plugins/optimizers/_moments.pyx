"""Optimizers of Adam's family: steps by running means of the gradient and of its square.

h begins with beta_1, beta_2, epsilon; slots with m, the mean of g, and v, the mean of g² or what stands
for it.
"""

from libc.math cimport expm1, log, pow
from libc.math cimport exp as libm_exp
from libc.math cimport sqrt as libm_sqrt
from libc.stdint cimport int64_t

from cynn.abi cimport CYNN_ELEMENTWISE, cynn_optimizer, floating, optimizer_capsule
from cynn.moments cimport bias_correction, moving_average, moving_average_of_square
from cynn.vector_math cimport absolute, sqrt


cdef void adamax_step(
    const double *h, double learning_rate, int64_t t, int64_t rows, int64_t cols,
    floating *w, floating *grad, floating *const *slots
) noexcept nogil:
    cdef int64_t i
    cdef double beta_1 = h[0], beta_2 = h[1]
    cdef floating epsilon = <floating>h[2]
    cdef floating rate = <floating>(learning_rate / bias_correction(beta_1, t))
    cdef floating *m = slots[0]
    cdef floating *largest = slots[1]
    cdef floating size, decayed
    for i in range(rows * cols):
        m[i] = moving_average(beta_1, m[i], grad[i])
        size = absolute(grad[i]) + epsilon
        decayed = <floating>beta_2 * largest[i]
        largest[i] = size if not decayed >= size else decayed
        w[i] -= rate * m[i] / largest[i]


# NAdam's momentum of step t, beta_1 (1 - 0.96^(t decay) / 2), and the product of those of steps 1 to t.

cdef inline double nadam_momentum(double beta_1, double decay, double t) noexcept nogil:
    return beta_1 * (1 - 0.5 * pow(0.96, t * decay))


cdef inline double nadam_product(double beta_1, double decay, int64_t t) noexcept nogil:
    # Without a number to keep between steps: with q = 0.96^decay, log of the product of (1 - q^i / 2) is
    # -sum over k of 2^-k / k (q^k + q^2k + ... + q^tk), a geometric series each, and 2^-60 is nothing.
    cdef int k
    cdef double log_q = decay * log(0.96), sum_of_powers, total = 0, half = 1
    if pow(beta_1, t) < 1e-30:
        return 0
    for k in range(1, 60):
        half *= 0.5
        if log_q == 0:
            sum_of_powers = t
        else:
            sum_of_powers = libm_exp(k * log_q) * expm1(t * k * log_q) / expm1(k * log_q)
        total -= half / k * sum_of_powers
    return pow(beta_1, t) * libm_exp(total)


cdef void nadam_step(
    const double *h, double learning_rate, int64_t t, int64_t rows, int64_t cols,
    floating *w, floating *grad, floating *const *slots
) noexcept nogil:
    # h[3]: momentum_decay
    cdef int64_t i
    cdef double beta_1 = h[0], beta_2 = h[1]
    cdef floating epsilon = <floating>h[2]
    cdef floating correction = <floating>(1 / libm_sqrt(bias_correction(beta_2, t)))
    cdef floating *m = slots[0]
    cdef floating *v = slots[1]
    cdef double product = nadam_product(h[0], h[3], t)
    cdef double now = nadam_momentum(h[0], h[3], t), next_one = nadam_momentum(h[0], h[3], t + 1)
    cdef floating rate_of_m = <floating>(learning_rate * next_one / (1 - product * next_one))
    cdef floating rate_of_g = <floating>(learning_rate * (1 - now) / (1 - product))
    for i in range(rows * cols):
        m[i] = moving_average(beta_1, m[i], grad[i])
        v[i] = moving_average_of_square(beta_2, v[i], grad[i])
        w[i] -= (rate_of_m * m[i] + rate_of_g * grad[i]) / (sqrt(v[i]) * correction + epsilon)


cdef void radam_step(
    const double *h, double learning_rate, int64_t t, int64_t rows, int64_t cols,
    floating *w, floating *grad, floating *const *slots
) noexcept nogil:
    cdef int64_t i
    cdef double beta_1 = h[0], beta_2 = h[1]
    cdef floating epsilon = <floating>h[2]
    cdef floating rate = <floating>(learning_rate / bias_correction(beta_1, t))
    cdef floating *m = slots[0]
    cdef floating *v = slots[1]
    cdef double weight = bias_correction(beta_2, t)
    cdef double longest = 2 / (1 - h[1]) - 1
    cdef double length = longest - 2 * t * (1 - weight) / weight  # of the average that v is
    cdef floating rectified
    for i in range(rows * cols):
        m[i] = moving_average(beta_1, m[i], grad[i])
        v[i] = moving_average_of_square(beta_2, v[i], grad[i])
    if length > 5:
        rectified = rate * <floating>libm_sqrt(
            weight * (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
        )
        for i in range(rows * cols):
            w[i] -= rectified * m[i] / (sqrt(v[i]) + epsilon)
    else:
        for i in range(rows * cols):
            w[i] -= rate * m[i]


cdef void amsgrad_step(
    const double *h, double learning_rate, int64_t t, int64_t rows, int64_t cols,
    floating *w, floating *grad, floating *const *slots
) noexcept nogil:
    cdef int64_t i
    cdef double beta_1 = h[0], beta_2 = h[1]
    cdef floating epsilon = <floating>h[2]
    cdef floating rate = <floating>(learning_rate / bias_correction(beta_1, t))
    cdef floating correction = <floating>(1 / libm_sqrt(bias_correction(beta_2, t)))
    cdef floating *m = slots[0]
    cdef floating *v = slots[1]
    cdef floating *largest = slots[2]
    for i in range(rows * cols):
        m[i] = moving_average(beta_1, m[i], grad[i])
        v[i] = moving_average_of_square(beta_2, v[i], grad[i])
        largest[i] = largest[i] if largest[i] >= v[i] else v[i]
        w[i] -= rate * m[i] / (sqrt(largest[i]) * correction + epsilon)


cdef void adabelief_step(
    const double *h, double learning_rate, int64_t t, int64_t rows, int64_t cols,
    floating *w, floating *grad, floating *const *slots
) noexcept nogil:
    cdef int64_t i
    cdef double beta_1 = h[0], beta_2 = h[1]
    cdef floating epsilon = <floating>h[2]
    cdef floating rate = <floating>(learning_rate / bias_correction(beta_1, t))
    cdef floating correction = <floating>(1 / libm_sqrt(bias_correction(beta_2, t)))
    cdef floating *m = slots[0]
    cdef floating *v = slots[1]
    cdef floating surprise
    for i in range(rows * cols):
        m[i] = moving_average(beta_1, m[i], grad[i])
        surprise = grad[i] - m[i]
        v[i] = moving_average_of_square(beta_2, v[i], surprise) + epsilon
        w[i] -= rate * m[i] / (sqrt(v[i]) * correction + epsilon)


cdef void adan_step(
    const double *h, double learning_rate, int64_t t, int64_t rows, int64_t cols,
    floating *w, floating *grad, floating *const *slots
) noexcept nogil:
    # h: beta_1, beta_2, beta_3, epsilon, weight_decay. slots: the means of g, of its change and of the
    # square of where g is going, and the last g
    cdef int64_t i
    cdef double beta_1 = h[0], beta_2 = h[1], beta_3 = h[2]
    cdef floating epsilon = <floating>h[3]
    cdef floating shrink = <floating>(1 / (1 + learning_rate * h[4]))
    cdef floating rate_of_m = <floating>(learning_rate / bias_correction(beta_1, t))
    cdef floating rate_of_change = <floating>(learning_rate * h[1] / bias_correction(beta_2, t))
    cdef floating correction = <floating>(1 / libm_sqrt(bias_correction(beta_3, t)))
    cdef floating *m = slots[0]
    cdef floating *change = slots[1]
    cdef floating *square = slots[2]
    cdef floating *last = slots[3]
    cdef floating difference, ahead
    for i in range(rows * cols):
        difference = grad[i] - last[i] if t > 1 else 0
        ahead = grad[i] + <floating>beta_2 * difference
        m[i] = moving_average(beta_1, m[i], grad[i])
        change[i] = moving_average(beta_2, change[i], difference)
        square[i] = moving_average_of_square(beta_3, square[i], ahead)
        last[i] = grad[i]
        w[i] = shrink * (
            w[i] - (rate_of_m * m[i] + rate_of_change * change[i]) / (sqrt(square[i]) * correction + epsilon)
        )


cdef void lion_step(
    const double *h, double learning_rate, int64_t t, int64_t rows, int64_t cols,
    floating *w, floating *grad, floating *const *slots
) noexcept nogil:
    # h: beta_1, beta_2, weight_decay
    cdef int64_t i
    cdef double beta_1 = h[0], beta_2 = h[1]
    cdef floating rate = <floating>learning_rate
    cdef floating decay = <floating>(1 - learning_rate * h[2])
    cdef floating *m = slots[0]
    cdef floating direction
    for i in range(rows * cols):
        direction = moving_average(beta_1, m[i], grad[i])
        direction = 1 if direction > 0 else (-1 if direction < 0 else 0 * direction)  # 0, or a NaN
        w[i] = decay * w[i] - rate * direction
        m[i] = moving_average(beta_2, m[i], grad[i])


# Schedule-free: w is y, between z, where plain steps lead, and x, the mean of the z: y = (1 - beta_1) z +
# beta_1 x. With x' = (1 - c) x + c z' the new y follows from the old y and z alone: y' = (1 - c) (y - (1
# - beta_1) z) + (1 - beta_1 + beta_1 c) z'.

cdef inline double share_of_mean(double warmup, int64_t t) noexcept nogil:
    # c: the weight of step t in the mean, over that of all steps; a weight is the square of the step's rate
    cdef double in_warmup = t if t < warmup else warmup
    cdef double total
    if t <= warmup:
        return 6.0 * t / ((t + 1.0) * (2.0 * t + 1))
    total = t - in_warmup
    if warmup > 0:
        total += (in_warmup + 1) * (2 * in_warmup + 1) / (6 * in_warmup)
    return 1 / total


cdef void schedule_free_adamw_step(
    const double *h, double learning_rate, int64_t t, int64_t rows, int64_t cols,
    floating *w, floating *grad, floating *const *slots
) noexcept nogil:
    # h[3]: weight_decay, h[4]: warmup_steps. slots: z, v
    cdef int64_t i
    cdef double warmed = learning_rate * (t / h[4] if t < h[4] else 1)
    cdef double c = share_of_mean(h[4], t)
    cdef floating rate = <floating>warmed
    cdef floating rest_1 = <floating>(1 - h[0])
    cdef floating keep = <floating>(1 - c)
    cdef floating of_new_z = <floating>(1 - h[0] + h[0] * c)
    cdef double beta_2 = h[1]
    cdef floating epsilon = <floating>h[2]
    cdef floating weight_decay = <floating>h[3]
    cdef floating correction = <floating>(1 / libm_sqrt(bias_correction(beta_2, t)))
    cdef floating *z = slots[0]
    cdef floating *v = slots[1]
    cdef floating of_x
    if t == 1:
        for i in range(rows * cols):
            z[i] = w[i]
    for i in range(rows * cols):
        v[i] = moving_average_of_square(beta_2, v[i], grad[i])
        of_x = w[i] - rest_1 * z[i]
        z[i] -= rate * (grad[i] / (sqrt(v[i]) * correction + epsilon) + weight_decay * w[i])
        w[i] = keep * of_x + of_new_z * z[i]


cdef cynn_optimizer adamax
adamax.step_f32 = adamax_step[float]
adamax.step_f64 = adamax_step[double]

cdef cynn_optimizer nadam
nadam.step_f32 = nadam_step[float]
nadam.step_f64 = nadam_step[double]

cdef cynn_optimizer radam
radam.step_f32 = radam_step[float]
radam.step_f64 = radam_step[double]

cdef cynn_optimizer amsgrad
amsgrad.step_f32 = amsgrad_step[float]
amsgrad.step_f64 = amsgrad_step[double]

cdef cynn_optimizer adabelief
adabelief.step_f32 = adabelief_step[float]
adabelief.step_f64 = adabelief_step[double]

cdef cynn_optimizer adan
adan.step_f32 = adan_step[float]
adan.step_f64 = adan_step[double]

cdef cynn_optimizer lion
lion.step_f32 = lion_step[float]
lion.step_f64 = lion_step[double]

cdef cynn_optimizer schedule_free_adamw
schedule_free_adamw.step_f32 = schedule_free_adamw_step[float]
schedule_free_adamw.step_f64 = schedule_free_adamw_step[double]

KERNELS = {
    "adamax": optimizer_capsule(&adamax, CYNN_ELEMENTWISE, 2),
    "nadam": optimizer_capsule(&nadam, CYNN_ELEMENTWISE, 2),
    "radam": optimizer_capsule(&radam, CYNN_ELEMENTWISE, 2),
    "amsgrad": optimizer_capsule(&amsgrad, CYNN_ELEMENTWISE, 3),
    "adabelief": optimizer_capsule(&adabelief, CYNN_ELEMENTWISE, 2),
    "adan": optimizer_capsule(&adan, CYNN_ELEMENTWISE, 4),
    "lion": optimizer_capsule(&lion, CYNN_ELEMENTWISE, 1),
    "schedule_free_adamw": optimizer_capsule(&schedule_free_adamw, CYNN_ELEMENTWISE, 2),
}
