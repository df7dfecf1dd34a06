"""Losses for regression: functions of the distance, ratio or angle between prediction and target."""

from libc.math cimport fabs, log1p, sinh, tanh
from libc.math cimport exp as libm_exp
from libc.stdint cimport int64_t
from libc.string cimport memset

from cynn.abi cimport CYNN_CLASS_INDEX, cynn_loss, floating, loss_capsule
from cynn.sums cimport norm_of
from cynn.loss_rows cimport at_least, curvature_over_outputs, sum_over_outputs, target_at, weight_of

cdef double LOG_2 = 0.69314718055994530942


# Of a loss that is in pieces, each a line.
cdef void flat_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, const floating *dprediction, floating *dgrad
) noexcept nogil:
    memset(dgrad, 0, rows * cols * sizeof(floating))


cdef inline double sign_of(double x) noexcept nogil:
    return 1 if x > 0 else (-1 if x < 0 else 0 * x)  # 0, or a NaN


cdef inline double huber_of(double delta, double difference, double *slope) noexcept nogil:
    if fabs(difference) > delta:
        slope[0] = delta * sign_of(difference)
        return delta * (fabs(difference) - 0.5 * delta)
    slope[0] = difference
    return 0.5 * difference * difference


cdef double huber(const double *h, double prediction, double target, double *slope) noexcept nogil:
    return huber_of(h[0], prediction - target, slope)


cdef double huber_kernel(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, floating *grad
) noexcept nogil:
    return sum_over_outputs(
        huber, 1.0 / cols, h, rows, cols, prediction, target, class_index, sample_weight, grad
    )


cdef double huber_curvature(const double *h, double prediction, double target) noexcept nogil:
    return 1 if fabs(prediction - target) <= h[0] else 0


cdef void huber_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, const floating *dprediction, floating *dgrad
) noexcept nogil:
    curvature_over_outputs(
        huber_curvature, 1.0 / cols, h, rows, cols, prediction, target, class_index, sample_weight, dprediction, dgrad
    )


cdef double smooth_l1(const double *h, double prediction, double target, double *slope) noexcept nogil:
    cdef double value = huber_of(h[0], prediction - target, slope)
    slope[0] /= h[0]
    return value / h[0]


cdef double smooth_l1_kernel(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, floating *grad
) noexcept nogil:
    return sum_over_outputs(
        smooth_l1, 1.0 / cols, h, rows, cols, prediction, target, class_index, sample_weight, grad
    )


cdef double smooth_l1_curvature(const double *h, double prediction, double target) noexcept nogil:
    return 1 / h[0] if fabs(prediction - target) <= h[0] else 0


cdef void smooth_l1_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, const floating *dprediction, floating *dgrad
) noexcept nogil:
    curvature_over_outputs(
        smooth_l1_curvature, 1.0 / cols, h, rows, cols, prediction, target,
        class_index, sample_weight, dprediction, dgrad
    )


cdef double log_cosh(const double *h, double prediction, double target, double *slope) noexcept nogil:
    # log(cosh(d)) as log(1 + sinh(d)²) / 2 near 0, as |d| + log(1 + exp(-2 |d|)) - log(2) elsewhere
    cdef double distance = fabs(prediction - target)
    cdef double sinh_d
    slope[0] = tanh(prediction - target)
    if distance < 1:
        sinh_d = sinh(distance)
        return 0.5 * log1p(sinh_d * sinh_d)
    return distance + log1p(libm_exp(-2 * distance)) - LOG_2


cdef double log_cosh_kernel(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, floating *grad
) noexcept nogil:
    return sum_over_outputs(
        log_cosh, 1.0 / cols, h, rows, cols, prediction, target, class_index, sample_weight, grad
    )


cdef double log_cosh_curvature(const double *h, double prediction, double target) noexcept nogil:
    cdef double slope = tanh(prediction - target)
    return 1 - slope * slope


cdef void log_cosh_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, const floating *dprediction, floating *dgrad
) noexcept nogil:
    curvature_over_outputs(
        log_cosh_curvature, 1.0 / cols, h, rows, cols, prediction, target,
        class_index, sample_weight, dprediction, dgrad
    )


cdef double quantile(const double *h, double prediction, double target, double *slope) noexcept nogil:
    cdef double shortfall = target - prediction
    slope[0] = -h[0] if shortfall > 0 else (1 - h[0] if shortfall < 0 else 0 * shortfall)
    return -slope[0] * shortfall


cdef double quantile_kernel(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, floating *grad
) noexcept nogil:
    return sum_over_outputs(
        quantile, 1.0 / cols, h, rows, cols, prediction, target, class_index, sample_weight, grad
    )


cdef double mean_absolute_percentage_error(
    const double *h, double prediction, double target, double *slope
) noexcept nogil:
    # h: epsilon
    cdef double factor = 100 / at_least(fabs(target), h[0])
    slope[0] = factor * sign_of(prediction - target)
    return factor * fabs(prediction - target)


cdef double mean_absolute_percentage_error_kernel(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, floating *grad
) noexcept nogil:
    return sum_over_outputs(
        mean_absolute_percentage_error, 1.0 / cols, h, rows, cols, prediction, target, class_index,
        sample_weight, grad
    )


cdef double mean_squared_logarithmic_error(
    const double *h, double prediction, double target, double *slope
) noexcept nogil:
    cdef double positive = at_least(prediction, 0)
    cdef double difference = log1p(positive) - log1p(target)
    slope[0] = 2 * difference / (1 + positive)
    return difference * difference + slope[0] * (prediction - positive)


cdef double mean_squared_logarithmic_error_kernel(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, floating *grad
) noexcept nogil:
    return sum_over_outputs(
        mean_squared_logarithmic_error, 1.0 / cols, h, rows, cols, prediction, target, class_index,
        sample_weight, grad
    )


cdef double mean_squared_logarithmic_error_curvature(const double *h, double prediction, double target) noexcept nogil:
    if prediction < 0:
        return 0
    return 2 * (1 - log1p(prediction) + log1p(target)) / (1 + prediction) / (1 + prediction)


cdef void mean_squared_logarithmic_error_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, const floating *dprediction, floating *dgrad
) noexcept nogil:
    curvature_over_outputs(
        mean_squared_logarithmic_error_curvature, 1.0 / cols, h, rows, cols, prediction, target,
        class_index, sample_weight, dprediction, dgrad
    )


cdef double cosine_similarity_kernel(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, floating *grad
) noexcept nogil:
    # h: epsilon. C = 1 - cos with cos = p.t / (|p| |t|); dC/dp = (cos p / |p| - t / |t|) / |p|.
    # Below epsilon a norm counts as epsilon, a constant.
    cdef int64_t row, j
    cdef double total = 0, weight, norm_p, norm_t, cosine, along_p, p, t
    cdef double epsilon = h[0]
    for row in range(rows):
        weight = weight_of(sample_weight, row)
        norm_p = at_least(norm_of(cols, prediction + row * cols), epsilon)
        norm_t = at_least(1 if target == NULL else norm_of(cols, target + row * cols), epsilon)
        cosine = 0
        for j in range(cols):
            p = prediction[row * cols + j]
            t = target_at(target, class_index, row, cols, j)
            cosine += p / norm_p * (t / norm_t)
        along_p = cosine / norm_p if norm_p > epsilon else 0
        total += weight * (1 - cosine)
        if grad != NULL:
            for j in range(cols):
                p = prediction[row * cols + j]
                t = target_at(target, class_index, row, cols, j)
                grad[row * cols + j] = <floating>(weight * (along_p * p - t / norm_t) / norm_p)
    return total


cdef void cosine_similarity_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, const floating *dprediction, floating *dgrad
) noexcept nogil:
    # The derivative of (cos p / |p| - t / |t|) / |p|. With u = p / |p| and v = t / |t|: du = (dp - u (u.dp)) / |p|,
    # and dcos = v.du. Where |p| counts as epsilon, the gradient is constant.
    cdef int64_t row, j
    cdef double weight, norm_p, norm_t, cosine, u_dp, v_dp, dcosine, u, v
    cdef double epsilon = h[0]
    for row in range(rows):
        weight = weight_of(sample_weight, row)
        norm_p = at_least(norm_of(cols, prediction + row * cols), epsilon)
        norm_t = at_least(1 if target == NULL else norm_of(cols, target + row * cols), epsilon)
        if norm_p <= epsilon:
            weight = 0
        cosine, u_dp, v_dp = 0, 0, 0
        for j in range(cols):
            u = prediction[row * cols + j] / norm_p
            v = target_at(target, class_index, row, cols, j) / norm_t
            cosine += u * v
            u_dp += u * dprediction[row * cols + j]
            v_dp += v * dprediction[row * cols + j]
        dcosine = (v_dp - cosine * u_dp) / norm_p
        for j in range(cols):
            u = prediction[row * cols + j] / norm_p
            v = target_at(target, class_index, row, cols, j) / norm_t
            dgrad[row * cols + j] = <floating>(weight / norm_p * (
                dcosine * u + (cosine * (dprediction[row * cols + j] - 2 * u * u_dp) + v * u_dp) / norm_p
            ))


cdef cynn_loss huber_struct
huber_struct.value_and_gradient_f32 = huber_kernel[float]
huber_struct.value_and_gradient_f64 = huber_kernel[double]
huber_struct.backward_jvp_f32 = huber_jvp[float]
huber_struct.backward_jvp_f64 = huber_jvp[double]

cdef cynn_loss smooth_l1_struct
smooth_l1_struct.value_and_gradient_f32 = smooth_l1_kernel[float]
smooth_l1_struct.value_and_gradient_f64 = smooth_l1_kernel[double]
smooth_l1_struct.backward_jvp_f32 = smooth_l1_jvp[float]
smooth_l1_struct.backward_jvp_f64 = smooth_l1_jvp[double]

cdef cynn_loss log_cosh_struct
log_cosh_struct.value_and_gradient_f32 = log_cosh_kernel[float]
log_cosh_struct.value_and_gradient_f64 = log_cosh_kernel[double]
log_cosh_struct.backward_jvp_f32 = log_cosh_jvp[float]
log_cosh_struct.backward_jvp_f64 = log_cosh_jvp[double]

cdef cynn_loss quantile_struct
quantile_struct.value_and_gradient_f32 = quantile_kernel[float]
quantile_struct.value_and_gradient_f64 = quantile_kernel[double]
quantile_struct.backward_jvp_f32 = flat_jvp[float]
quantile_struct.backward_jvp_f64 = flat_jvp[double]

cdef cynn_loss mean_absolute_percentage_error_struct
mean_absolute_percentage_error_struct.value_and_gradient_f32 = mean_absolute_percentage_error_kernel[float]
mean_absolute_percentage_error_struct.value_and_gradient_f64 = mean_absolute_percentage_error_kernel[double]
mean_absolute_percentage_error_struct.backward_jvp_f32 = flat_jvp[float]
mean_absolute_percentage_error_struct.backward_jvp_f64 = flat_jvp[double]

cdef cynn_loss mean_squared_logarithmic_error_struct
mean_squared_logarithmic_error_struct.value_and_gradient_f32 = mean_squared_logarithmic_error_kernel[float]
mean_squared_logarithmic_error_struct.value_and_gradient_f64 = mean_squared_logarithmic_error_kernel[double]
mean_squared_logarithmic_error_struct.backward_jvp_f32 = mean_squared_logarithmic_error_jvp[float]
mean_squared_logarithmic_error_struct.backward_jvp_f64 = mean_squared_logarithmic_error_jvp[double]

cdef cynn_loss cosine_similarity_struct
cosine_similarity_struct.value_and_gradient_f32 = cosine_similarity_kernel[float]
cosine_similarity_struct.value_and_gradient_f64 = cosine_similarity_kernel[double]
cosine_similarity_struct.backward_jvp_f32 = cosine_similarity_jvp[float]
cosine_similarity_struct.backward_jvp_f64 = cosine_similarity_jvp[double]

KERNELS = {
    "huber": loss_capsule(&huber_struct, CYNN_CLASS_INDEX),
    "smooth_l1": loss_capsule(&smooth_l1_struct, CYNN_CLASS_INDEX),
    "log_cosh": loss_capsule(&log_cosh_struct, CYNN_CLASS_INDEX),
    "quantile": loss_capsule(&quantile_struct, CYNN_CLASS_INDEX),
    "mean_absolute_percentage_error": loss_capsule(&mean_absolute_percentage_error_struct, CYNN_CLASS_INDEX),
    "mean_squared_logarithmic_error": loss_capsule(&mean_squared_logarithmic_error_struct, CYNN_CLASS_INDEX),
    "cosine_similarity": loss_capsule(&cosine_similarity_struct, CYNN_CLASS_INDEX),
}
