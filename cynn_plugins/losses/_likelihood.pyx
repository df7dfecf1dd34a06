"""Losses that are -log of a likelihood, or a distance between distributions.

What must be positive is kept at SMALLEST or more where it comes as a prediction. Behind the activation
that a loss fuses with, the loss is computed from z, where nothing needs to be kept from anything.
"""

from libc.math cimport exp, log, pow
from libc.stdint cimport int64_t

from cynn.abi cimport CYNN_CLASS_INDEX, cynn_loss, floating, loss_capsule
from cynn.loss_rows cimport (
    at_least,
    cross_entropy_curvature_of_rows,
    curvature_over_outputs,
    log_total_of,
    sum_over_outputs,
    target_at,
    weight_of,
)

cdef double SMALLEST = 1e-7
cdef double HALF_LOG_2_PI = 0.91893853320467274178


cdef double poisson(const double *h, double prediction, double target, double *slope) noexcept nogil:
    cdef double rate = at_least(prediction, SMALLEST)
    slope[0] = 1 - target / rate
    return rate - target * log(rate) + slope[0] * (prediction - rate)


cdef double poisson_kernel(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, floating *grad
) noexcept nogil:
    return sum_over_outputs(
        poisson, 1.0 / cols, h, rows, cols, prediction, target, class_index, sample_weight, grad
    )


cdef double poisson_curvature(const double *h, double prediction, double target) noexcept nogil:
    return 0 if prediction < SMALLEST else target / prediction / prediction


cdef void poisson_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, const floating *dprediction, floating *dgrad
) noexcept nogil:
    curvature_over_outputs(
        poisson_curvature, 1.0 / cols, h, rows, cols, prediction, target, class_index, sample_weight, dprediction, dgrad
    )


cdef double poisson_of_z(const double *h, double prediction, double target, double *slope) noexcept nogil:
    cdef double rate = exp(prediction)
    slope[0] = rate - target
    return rate - target * prediction


cdef double poisson_of_z_kernel(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, floating *grad
) noexcept nogil:
    return sum_over_outputs(
        poisson_of_z, 1.0 / cols, h, rows, cols, prediction, target, class_index, sample_weight, grad
    )


cdef double poisson_of_z_curvature(const double *h, double prediction, double target) noexcept nogil:
    return exp(prediction)


cdef void poisson_of_z_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, const floating *dprediction, floating *dgrad
) noexcept nogil:
    curvature_over_outputs(
        poisson_of_z_curvature, 1.0 / cols, h, rows, cols, prediction, target,
        class_index, sample_weight, dprediction, dgrad
    )


cdef double gamma(const double *h, double prediction, double target, double *slope) noexcept nogil:
    # with the ratio r = target / mean: r - log(r) - 1
    cdef double mean = at_least(prediction, SMALLEST)
    cdef double ratio = target / mean
    slope[0] = (1 - ratio) / mean
    return ratio - log(ratio) - 1 + slope[0] * (prediction - mean)


cdef double gamma_kernel(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, floating *grad
) noexcept nogil:
    return sum_over_outputs(
        gamma, 1.0 / cols, h, rows, cols, prediction, target, class_index, sample_weight, grad
    )


cdef double gamma_curvature(const double *h, double prediction, double target) noexcept nogil:
    return 0 if prediction < SMALLEST else (2 * target / prediction - 1) / prediction / prediction


cdef void gamma_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, const floating *dprediction, floating *dgrad
) noexcept nogil:
    curvature_over_outputs(
        gamma_curvature, 1.0 / cols, h, rows, cols, prediction, target, class_index, sample_weight, dprediction, dgrad
    )


cdef double gamma_of_z(const double *h, double prediction, double target, double *slope) noexcept nogil:
    cdef double ratio = target * exp(-prediction)
    slope[0] = 1 - ratio
    return ratio - log(target) + prediction - 1


cdef double gamma_of_z_kernel(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, floating *grad
) noexcept nogil:
    return sum_over_outputs(
        gamma_of_z, 1.0 / cols, h, rows, cols, prediction, target, class_index, sample_weight, grad
    )


cdef double gamma_of_z_curvature(const double *h, double prediction, double target) noexcept nogil:
    return target * exp(-prediction)


cdef void gamma_of_z_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, const floating *dprediction, floating *dgrad
) noexcept nogil:
    curvature_over_outputs(
        gamma_of_z_curvature, 1.0 / cols, h, rows, cols, prediction, target,
        class_index, sample_weight, dprediction, dgrad
    )


# h: power. Half the deviance, from the logarithm of the mean m and its powers:
# t^(2 - power) / ((1 - power) (2 - power)) - t m^(1 - power) / (1 - power) + m^(2 - power) / (2 - power).
# The slope in log(m) is m^(2 - power) - t m^(1 - power).

cdef inline double tweedie_of_log(
    const double *h, double log_mean, double target, double *slope
) noexcept nogil:
    cdef double first = 1 - h[0], second = 2 - h[0]
    cdef double power_2 = exp(second * log_mean)
    cdef double scaled = 0 if target == 0 else target * exp(first * log_mean)  # 0 even times infinity
    slope[0] = power_2 - scaled
    return pow(target, second) / (first * second) - scaled / first + power_2 / second


cdef double tweedie(const double *h, double prediction, double target, double *slope) noexcept nogil:
    cdef double mean = at_least(prediction, SMALLEST)
    cdef double value = tweedie_of_log(h, log(mean), target, slope)
    slope[0] /= mean
    return value + slope[0] * (prediction - mean)


cdef double tweedie_kernel(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, floating *grad
) noexcept nogil:
    return sum_over_outputs(
        tweedie, 1.0 / cols, h, rows, cols, prediction, target, class_index, sample_weight, grad
    )


# of tweedie_of_log: (2 - power) m^(2 - power) - (1 - power) t m^(1 - power)
cdef double tweedie_of_log_curvature(const double *h, double log_mean, double target) noexcept nogil:
    cdef double first = 1 - h[0], second = 2 - h[0]
    cdef double scaled = 0 if target == 0 else target * exp(first * log_mean)
    return second * exp(second * log_mean) - first * scaled


cdef double tweedie_curvature(const double *h, double prediction, double target) noexcept nogil:
    cdef double slope = 0
    if prediction < SMALLEST:
        return 0
    tweedie_of_log(h, log(prediction), target, &slope)
    return (tweedie_of_log_curvature(h, log(prediction), target) - slope) / prediction / prediction


cdef void tweedie_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, const floating *dprediction, floating *dgrad
) noexcept nogil:
    curvature_over_outputs(
        tweedie_curvature, 1.0 / cols, h, rows, cols, prediction, target, class_index, sample_weight, dprediction, dgrad
    )


cdef double tweedie_of_z_kernel(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, floating *grad
) noexcept nogil:
    return sum_over_outputs(
        tweedie_of_log, 1.0 / cols, h, rows, cols, prediction, target, class_index, sample_weight, grad
    )


cdef void tweedie_of_z_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, const floating *dprediction, floating *dgrad
) noexcept nogil:
    curvature_over_outputs(
        tweedie_of_log_curvature, 1.0 / cols, h, rows, cols, prediction, target,
        class_index, sample_weight, dprediction, dgrad
    )


cdef double kl_divergence(const double *h, double prediction, double target, double *slope) noexcept nogil:
    # 0 log 0 = 0
    cdef double p = at_least(prediction, SMALLEST)
    slope[0] = -target / p
    if target == 0:
        return 0 * prediction
    return target * log(target / p) + slope[0] * (prediction - p)


cdef double kl_divergence_kernel(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, floating *grad
) noexcept nogil:
    return sum_over_outputs(
        kl_divergence, 1, h, rows, cols, prediction, target, class_index, sample_weight, grad
    )


cdef double kl_divergence_curvature(const double *h, double prediction, double target) noexcept nogil:
    return 0 if prediction < SMALLEST else target / prediction / prediction


cdef void kl_divergence_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, const floating *dprediction, floating *dgrad
) noexcept nogil:
    curvature_over_outputs(
        kl_divergence_curvature, 1, h, rows, cols, prediction, target, class_index, sample_weight, dprediction, dgrad
    )


cdef double kl_divergence_of_z(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, floating *grad
) noexcept nogil:
    # C = sum(t log(t)) - sum(t log(p)), log(p) = z - log(sum(exp(z))); dC/dz = sum(t) p - t
    cdef int64_t row, j
    cdef double total = 0, weight, row_total, log_total, sum_of_t, log_p, t
    cdef double largest = 0
    for row in range(rows):
        weight = weight_of(sample_weight, row)
        log_total = log_total_of(cols, prediction + row * cols, &largest)
        sum_of_t = 0
        for j in range(cols):
            sum_of_t += target_at(target, class_index, row, cols, j)
        row_total = 0
        for j in range(cols):
            t = target_at(target, class_index, row, cols, j)
            log_p = prediction[row * cols + j] - largest - log_total
            row_total += t * (log(t) - log_p) if t != 0 else 0
            if grad != NULL:
                grad[row * cols + j] = <floating>(weight * (sum_of_t * exp(log_p) - t))
        total += weight * row_total
    return total


cdef void kl_divergence_of_z_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, const floating *dprediction, floating *dgrad
) noexcept nogil:
    cross_entropy_curvature_of_rows(
        0, rows, cols, prediction, target, class_index, sample_weight, dprediction, dgrad
    )


# One output of gaussian_nll: C = (log(v) + d² / v) / 2 with d = mean - target, by s = log(v).

cdef inline double gaussian(double d, double s, double *slope, double *slope_of_s) noexcept nogil:
    cdef double precision = exp(-s)
    cdef double scaled = 0 if d == 0 else d * precision  # 0 even where the precision is infinite
    slope[0] = scaled
    slope_of_s[0] = 0.5 * (1 - d * scaled)
    return 0.5 * (s + d * scaled)


cdef double gaussian_nll_kernel(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, floating *grad
) noexcept nogil:
    # h: full. The first half of a row are means, the second the logarithms of their variances.
    cdef int64_t row, j, n = cols // 2
    cdef double total = 0, row_total, factor, d
    cdef double slope = 0, slope_of_s = 0
    for row in range(rows):
        factor = weight_of(sample_weight, row) / max(n, 1)
        row_total = n * HALF_LOG_2_PI if h[0] else 0
        for j in range(n):
            d = prediction[row * cols + j] - target_at(target, class_index, row, cols, j)
            row_total += gaussian(d, prediction[row * cols + n + j], &slope, &slope_of_s)
            if grad != NULL:
                grad[row * cols + j] = <floating>(factor * slope)
                grad[row * cols + n + j] = <floating>(factor * slope_of_s)
        if grad != NULL and cols % 2:
            grad[row * cols + cols - 1] = 0
        total += factor * row_total
    return total


cdef void gaussian_nll_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, const floating *dprediction, floating *dgrad
) noexcept nogil:
    cdef int64_t row, j, n = cols // 2
    cdef double factor, d, precision, scaled, dmean, ds
    for row in range(rows):
        factor = weight_of(sample_weight, row) / max(n, 1)
        for j in range(n):
            d = prediction[row * cols + j] - target_at(target, class_index, row, cols, j)
            precision = exp(-prediction[row * cols + n + j])
            dmean, ds = dprediction[row * cols + j], dprediction[row * cols + n + j]
            scaled = 0 if d == 0 else d * precision
            dgrad[row * cols + j] = <floating>(factor * (precision * dmean - scaled * ds))
            dgrad[row * cols + n + j] = <floating>(factor * scaled * (0.5 * d * ds - dmean))
        if cols % 2:
            dgrad[row * cols + cols - 1] = 0


cdef cynn_loss poisson_struct
poisson_struct.value_and_gradient_f32 = poisson_kernel[float]
poisson_struct.value_and_gradient_f64 = poisson_kernel[double]
poisson_struct.backward_jvp_f32 = poisson_jvp[float]
poisson_struct.backward_jvp_f64 = poisson_jvp[double]
poisson_struct.fuses_with = b"exponential"
poisson_struct.fused_value_and_gradient_f32 = poisson_of_z_kernel[float]
poisson_struct.fused_value_and_gradient_f64 = poisson_of_z_kernel[double]
poisson_struct.fused_backward_jvp_f32 = poisson_of_z_jvp[float]
poisson_struct.fused_backward_jvp_f64 = poisson_of_z_jvp[double]

cdef cynn_loss gamma_struct
gamma_struct.value_and_gradient_f32 = gamma_kernel[float]
gamma_struct.value_and_gradient_f64 = gamma_kernel[double]
gamma_struct.backward_jvp_f32 = gamma_jvp[float]
gamma_struct.backward_jvp_f64 = gamma_jvp[double]
gamma_struct.fuses_with = b"exponential"
gamma_struct.fused_value_and_gradient_f32 = gamma_of_z_kernel[float]
gamma_struct.fused_value_and_gradient_f64 = gamma_of_z_kernel[double]
gamma_struct.fused_backward_jvp_f32 = gamma_of_z_jvp[float]
gamma_struct.fused_backward_jvp_f64 = gamma_of_z_jvp[double]

cdef cynn_loss tweedie_struct
tweedie_struct.value_and_gradient_f32 = tweedie_kernel[float]
tweedie_struct.value_and_gradient_f64 = tweedie_kernel[double]
tweedie_struct.backward_jvp_f32 = tweedie_jvp[float]
tweedie_struct.backward_jvp_f64 = tweedie_jvp[double]
tweedie_struct.fuses_with = b"exponential"
tweedie_struct.fused_value_and_gradient_f32 = tweedie_of_z_kernel[float]
tweedie_struct.fused_value_and_gradient_f64 = tweedie_of_z_kernel[double]
tweedie_struct.fused_backward_jvp_f32 = tweedie_of_z_jvp[float]
tweedie_struct.fused_backward_jvp_f64 = tweedie_of_z_jvp[double]

cdef cynn_loss kl_divergence_struct
kl_divergence_struct.value_and_gradient_f32 = kl_divergence_kernel[float]
kl_divergence_struct.value_and_gradient_f64 = kl_divergence_kernel[double]
kl_divergence_struct.backward_jvp_f32 = kl_divergence_jvp[float]
kl_divergence_struct.backward_jvp_f64 = kl_divergence_jvp[double]
kl_divergence_struct.fuses_with = b"softmax"
kl_divergence_struct.fused_value_and_gradient_f32 = kl_divergence_of_z[float]
kl_divergence_struct.fused_value_and_gradient_f64 = kl_divergence_of_z[double]
kl_divergence_struct.fused_backward_jvp_f32 = kl_divergence_of_z_jvp[float]
kl_divergence_struct.fused_backward_jvp_f64 = kl_divergence_of_z_jvp[double]

cdef cynn_loss gaussian_nll_struct
gaussian_nll_struct.value_and_gradient_f32 = gaussian_nll_kernel[float]
gaussian_nll_struct.value_and_gradient_f64 = gaussian_nll_kernel[double]
gaussian_nll_struct.backward_jvp_f32 = gaussian_nll_jvp[float]
gaussian_nll_struct.backward_jvp_f64 = gaussian_nll_jvp[double]

KERNELS = {
    "poisson": loss_capsule(&poisson_struct, CYNN_CLASS_INDEX),
    "gamma": loss_capsule(&gamma_struct, 0),
    "tweedie": loss_capsule(&tweedie_struct, CYNN_CLASS_INDEX),
    "kl_divergence": loss_capsule(&kl_divergence_struct, CYNN_CLASS_INDEX),
    "gaussian_nll": loss_capsule(&gaussian_nll_struct, 0),
}
