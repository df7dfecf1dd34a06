"""Losses of classes: margins, focal losses, overlap.

A label is positive where it is above 0: both 0 and -1 are the other side.
"""

from libc.math cimport exp, expm1, isnan, log, log1p, pow
from libc.stdint cimport int64_t
from libc.string cimport memset

from cynn cimport vector_math
from cynn.abi cimport CYNN_CLASS_INDEX, cynn_loss, floating, loss_capsule
from cynn.loss_rows cimport (
    at_least,
    curvature_over_outputs,
    log_total_of,
    sum_over_outputs,
    target_at,
    weight_of,
)

# Probabilities are kept this far from 0 and 1 where they are not computed from z; beyond, a loss goes on
# as its tangent.
cdef double SMALLEST_PROBABILITY = 1e-7


# Of a loss that is in pieces, each a line.
cdef void flat_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, const floating *dprediction, floating *dgrad
) noexcept nogil:
    memset(dgrad, 0, rows * cols * sizeof(floating))


cdef inline double side_of(double target) noexcept nogil:
    return 1 if target > 0 else -1


cdef inline double shortfall_of(double margin) noexcept nogil:
    return 0 if margin <= 0 else margin  # a NaN stays


cdef double hinge(const double *h, double prediction, double target, double *slope) noexcept nogil:
    cdef double side = side_of(target)
    cdef double shortfall = shortfall_of(1 - side * prediction)
    slope[0] = 0 if shortfall == 0 else -side
    return shortfall


cdef double hinge_kernel(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, floating *grad
) noexcept nogil:
    return sum_over_outputs(
        hinge, 1.0 / cols, h, rows, cols, prediction, target, class_index, sample_weight, grad
    )


cdef double squared_hinge(const double *h, double prediction, double target, double *slope) noexcept nogil:
    cdef double side = side_of(target)
    cdef double shortfall = shortfall_of(1 - side * prediction)
    slope[0] = -2 * side * shortfall
    return shortfall * shortfall


cdef double squared_hinge_kernel(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, floating *grad
) noexcept nogil:
    return sum_over_outputs(
        squared_hinge, 1.0 / cols, h, rows, cols, prediction, target, class_index, sample_weight, grad
    )


cdef double squared_hinge_curvature(const double *h, double prediction, double target) noexcept nogil:
    return 2 if side_of(target) * prediction < 1 else 0


cdef void squared_hinge_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, const floating *dprediction, floating *dgrad
) noexcept nogil:
    curvature_over_outputs(
        squared_hinge_curvature, 1.0 / cols, h, rows, cols, prediction, target,
        class_index, sample_weight, dprediction, dgrad
    )


cdef double soft_margin(const double *h, double prediction, double target, double *slope) noexcept nogil:
    cdef double side = side_of(target)
    slope[0] = -side * vector_math.sigmoid(-side * prediction)
    return vector_math.softplus(-side * prediction)


cdef double soft_margin_kernel(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, floating *grad
) noexcept nogil:
    return sum_over_outputs(
        soft_margin, 1.0 / cols, h, rows, cols, prediction, target, class_index, sample_weight, grad
    )


cdef double soft_margin_curvature(const double *h, double prediction, double target) noexcept nogil:
    return vector_math.sigmoid(prediction) * vector_math.sigmoid(-prediction)


cdef void soft_margin_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, const floating *dprediction, floating *dgrad
) noexcept nogil:
    curvature_over_outputs(
        soft_margin_curvature, 1.0 / cols, h, rows, cols, prediction, target,
        class_index, sample_weight, dprediction, dgrad
    )


# The focal loss -(1 - p)^gamma log(p) of the true class, and p times its slope in p.

cdef inline double focal(double gamma, double p, double rest, double log_p, double *p_slope) noexcept nogil:
    cdef double damping
    if rest == 0:  # p is 1; rest^(gamma - 1) may be infinite, log(p) is 0
        p_slope[0] = -1 if gamma == 0 else 0
        return 0
    damping = pow(rest, gamma)
    p_slope[0] = damping * (gamma * p * log_p / rest - 1)
    return -damping * log_p


cdef double binary_focal(const double *h, double prediction, double target, double *slope) noexcept nogil:
    # h: alpha, gamma
    cdef double p = at_least(prediction, SMALLEST_PROBABILITY)
    cdef double slope_1 = 0, slope_0 = 0, value
    p = 1 - at_least(1 - p, SMALLEST_PROBABILITY)
    value = target * h[0] * focal(h[1], p, 1 - p, log(p), &slope_1)
    value += (1 - target) * (1 - h[0]) * focal(h[1], 1 - p, p, log1p(-p), &slope_0)
    slope[0] = target * h[0] * slope_1 / p - (1 - target) * (1 - h[0]) * slope_0 / (1 - p)
    return value + slope[0] * (prediction - p)


cdef double binary_focal_kernel(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, floating *grad
) noexcept nogil:
    return sum_over_outputs(
        binary_focal, 1.0 / cols, h, rows, cols, prediction, target, class_index, sample_weight, grad
    )


# p² times the second derivative of the focal loss in p.

cdef inline double focal_curvature(double gamma, double p, double rest, double log_p) noexcept nogil:
    cdef double odds
    if rest == 0:
        return 1 if gamma == 0 else 0
    odds = p / rest
    return pow(rest, gamma) * (gamma * odds * (2 - (gamma - 1) * odds * log_p) + 1)


cdef double binary_focal_curvature(const double *h, double prediction, double target) noexcept nogil:
    cdef double p = prediction, of_1, of_0
    if not SMALLEST_PROBABILITY <= p <= 1 - SMALLEST_PROBABILITY:
        return 0 * p
    of_1 = focal_curvature(h[1], p, 1 - p, log(p)) / p / p
    of_0 = focal_curvature(h[1], 1 - p, p, log1p(-p)) / (1 - p) / (1 - p)
    return target * h[0] * of_1 + (1 - target) * (1 - h[0]) * of_0


cdef void binary_focal_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, const floating *dprediction, floating *dgrad
) noexcept nogil:
    curvature_over_outputs(
        binary_focal_curvature, 1.0 / cols, h, rows, cols, prediction, target,
        class_index, sample_weight, dprediction, dgrad
    )


cdef double binary_focal_of_z(
    const double *h, double prediction, double target, double *slope
) noexcept nogil:
    # dp/dz = p (1 - p)
    cdef double p = vector_math.sigmoid(prediction), rest = vector_math.sigmoid(-prediction)
    cdef double slope_1 = 0, slope_0 = 0, value
    value = target * h[0] * focal(h[1], p, rest, -vector_math.softplus(-prediction), &slope_1)
    value += (1 - target) * (1 - h[0]) * focal(h[1], rest, p, -vector_math.softplus(prediction), &slope_0)
    slope[0] = target * h[0] * slope_1 * rest - (1 - target) * (1 - h[0]) * slope_0 * p
    return value


cdef double binary_focal_of_z_kernel(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, floating *grad
) noexcept nogil:
    return sum_over_outputs(
        binary_focal_of_z, 1.0 / cols, h, rows, cols, prediction, target, class_index, sample_weight, grad
    )


# Of one of the two in z, where dp/dz = p (1 - p): with f' and f'' those in p, rest ((rest - p) p f' + rest p² f'').

cdef inline double focal_curvature_of_z(double gamma, double p, double rest, double log_p) noexcept nogil:
    cdef double p_slope = 0
    focal(gamma, p, rest, log_p, &p_slope)
    return rest * ((rest - p) * p_slope + rest * focal_curvature(gamma, p, rest, log_p))


cdef double binary_focal_of_z_curvature(const double *h, double prediction, double target) noexcept nogil:
    cdef double p = vector_math.sigmoid(prediction), rest = vector_math.sigmoid(-prediction), of_1, of_0
    of_1 = focal_curvature_of_z(h[1], p, rest, -vector_math.softplus(-prediction))
    of_0 = focal_curvature_of_z(h[1], rest, p, -vector_math.softplus(prediction))
    return target * h[0] * of_1 + (1 - target) * (1 - h[0]) * of_0


cdef void binary_focal_of_z_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, const floating *dprediction, floating *dgrad
) noexcept nogil:
    curvature_over_outputs(
        binary_focal_of_z_curvature, 1.0 / cols, h, rows, cols, prediction, target,
        class_index, sample_weight, dprediction, dgrad
    )


cdef double categorical_focal(
    const double *h, double prediction, double target, double *slope
) noexcept nogil:
    # h: alpha, gamma
    cdef double p = at_least(prediction, SMALLEST_PROBABILITY)
    cdef double value, p_slope = 0
    p = 1 if p > 1 else p
    value = target * h[0] * focal(h[1], p, 1 - p, log(p), &p_slope)
    slope[0] = target * h[0] * p_slope / p
    return value + slope[0] * (prediction - p)


cdef double categorical_focal_kernel(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, floating *grad
) noexcept nogil:
    return sum_over_outputs(
        categorical_focal, 1, h, rows, cols, prediction, target, class_index, sample_weight, grad
    )


cdef double categorical_focal_curvature(const double *h, double prediction, double target) noexcept nogil:
    if not SMALLEST_PROBABILITY <= prediction <= 1:
        return 0 * prediction
    return target * h[0] * focal_curvature(h[1], prediction, 1 - prediction, log(prediction)) / prediction / prediction


cdef void categorical_focal_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, const floating *dprediction, floating *dgrad
) noexcept nogil:
    curvature_over_outputs(
        categorical_focal_curvature, 1, h, rows, cols, prediction, target,
        class_index, sample_weight, dprediction, dgrad
    )


cdef double categorical_focal_of_z(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, floating *grad
) noexcept nogil:
    # with s_j = t_j p_j dfocal/dp_j: dC/dz_j = s_j - p_j sum(s)
    cdef int64_t row, j
    cdef double total = 0, weight, row_total, log_total, log_p, t, sum_of_s
    cdef double largest = 0, p_slope = 0
    for row in range(rows):
        weight = h[0] * weight_of(sample_weight, row)
        log_total = log_total_of(cols, prediction, &largest)
        row_total = 0
        sum_of_s = 0
        for j in range(cols):
            t = target_at(target, class_index, row, cols, j)
            log_p = prediction[j] - largest - log_total
            row_total += t * focal(h[1], exp(log_p), -expm1(log_p), log_p, &p_slope)
            sum_of_s += t * p_slope
            if grad != NULL:
                grad[j] = <floating>(weight * t * p_slope)
        if grad != NULL:
            for j in range(cols):
                grad[j] -= <floating>(weight * sum_of_s * exp(prediction[j] - largest - log_total))
            grad += cols
        prediction += cols
        total += weight * row_total
    return total


cdef void categorical_focal_of_z_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, const floating *dprediction, floating *dgrad
) noexcept nogil:
    # Of s_j - p_j sum(s): with m = dz - sum(p dz), dp = p m and ds = (s + t p² focal'') m.
    cdef int64_t row, j
    cdef double weight, log_total, log_p, p, t, mean, sum_of_s, sum_of_ds, ds
    cdef double largest = 0, p_slope = 0
    for row in range(rows):
        weight = h[0] * weight_of(sample_weight, row)
        log_total = log_total_of(cols, prediction, &largest)
        mean, sum_of_s, sum_of_ds = 0, 0, 0
        for j in range(cols):
            mean += exp(prediction[j] - largest - log_total) * dprediction[j]
        for j in range(cols):
            t = target_at(target, class_index, row, cols, j)
            log_p = prediction[j] - largest - log_total
            p = exp(log_p)
            focal(h[1], p, -expm1(log_p), log_p, &p_slope)
            ds = t * (p_slope + focal_curvature(h[1], p, -expm1(log_p), log_p)) * (dprediction[j] - mean)
            sum_of_s += t * p_slope
            sum_of_ds += ds
            dgrad[j] = <floating>(weight * ds)
        for j in range(cols):
            p = exp(prediction[j] - largest - log_total)
            dgrad[j] -= <floating>(weight * p * ((dprediction[j] - mean) * sum_of_s + sum_of_ds))
        prediction += cols
        dprediction += cols
        dgrad += cols


cdef double categorical_hinge_kernel(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, floating *grad
) noexcept nogil:
    # max(0, 1 + the best of the others - the true class)
    cdef int64_t row, j, best
    cdef double total = 0, weight, shortfall, t, true_class
    for row in range(rows):
        weight = weight_of(sample_weight, row)
        best = -1
        true_class = 0
        for j in range(cols):
            t = target_at(target, class_index, row, cols, j)
            if grad != NULL:
                grad[j] = 0
            if t > 0:
                true_class += t * prediction[j]
            elif best < 0 or prediction[j] > prediction[best] or isnan(prediction[j]):
                best = j
        if best >= 0:
            shortfall = shortfall_of(1 + prediction[best] - true_class)
            total += weight * shortfall
            if grad != NULL and shortfall != 0:
                for j in range(cols):
                    t = target_at(target, class_index, row, cols, j)
                    if t > 0:
                        grad[j] = <floating>(-weight * t)
                grad[best] = <floating>weight
        prediction += cols
        if grad != NULL:
            grad += cols
    return total


# One pair of classes: the shortfall of the one that should be larger by a margin, or its square.

cdef inline double pair_loss(double margin, bint squared, double ahead, double *slope) noexcept nogil:
    cdef double shortfall = shortfall_of(margin - ahead)
    slope[0] = 0 if shortfall == 0 else (-2 * shortfall if squared else -1)
    return shortfall * shortfall if squared else shortfall


# The sum over pairs of a positive and another class, over the number of classes.
cdef inline double margin_of_pairs(
    double margin, bint squared, int64_t rows, int64_t cols, const floating *prediction,
    const floating *target, const int64_t *class_index, const floating *sample_weight, floating *grad
) noexcept nogil:
    cdef int64_t row, j, k
    cdef double total = 0, factor, row_total, slope_of_j
    cdef double slope = 0
    for row in range(rows):
        factor = weight_of(sample_weight, row) / cols
        row_total = 0
        if grad != NULL:
            for j in range(cols):
                grad[j] = 0
        for j in range(cols):
            if not target_at(target, class_index, row, cols, j) > 0:
                continue
            slope_of_j = 0
            for k in range(cols):
                if target_at(target, class_index, row, cols, k) > 0:
                    continue
                row_total += pair_loss(margin, squared, prediction[j] - prediction[k], &slope)
                slope_of_j += slope
                if grad != NULL:
                    grad[k] -= <floating>(factor * slope)
            if grad != NULL:
                grad[j] = <floating>(factor * slope_of_j)
        prediction += cols
        if grad != NULL:
            grad += cols
        total += factor * row_total
    return total


cdef double multi_margin_kernel(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, floating *grad
) noexcept nogil:
    # h: margin, squared
    return margin_of_pairs(
        h[0], h[1] != 0, rows, cols, prediction, target, class_index, sample_weight, grad
    )


cdef void multi_margin_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, const floating *dprediction, floating *dgrad
) noexcept nogil:
    cdef int64_t row, j, k
    cdef double factor, slope = 0, tangent, tangent_of_j
    memset(dgrad, 0, rows * cols * sizeof(floating))
    if h[1] == 0:  # in pieces, each a line
        return
    for row in range(rows):
        factor = 2 * weight_of(sample_weight, row) / cols
        for j in range(cols):
            if not target_at(target, class_index, row, cols, j) > 0:
                continue
            tangent_of_j = 0
            for k in range(cols):
                if target_at(target, class_index, row, cols, k) > 0:
                    continue
                pair_loss(h[0], True, prediction[j] - prediction[k], &slope)
                if slope != 0:
                    tangent = dprediction[j] - dprediction[k]
                    tangent_of_j += tangent
                    dgrad[k] -= <floating>(factor * tangent)
            dgrad[j] = <floating>(factor * tangent_of_j)
        prediction += cols
        dprediction += cols
        dgrad += cols


cdef double multilabel_margin_kernel(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, floating *grad
) noexcept nogil:
    return margin_of_pairs(
        1, False, rows, cols, prediction, target, class_index, sample_weight, grad
    )


cdef double dice_kernel(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, floating *grad
) noexcept nogil:
    # h: smooth. C = 1 - a / b with a = 2 sum(p t) + smooth and b = sum(p) + sum(t) + smooth;
    # dC/dp = (a / b - 2 t) / b
    cdef int64_t row, j
    cdef double total = 0, weight, a, b, t
    for row in range(rows):
        weight = weight_of(sample_weight, row)
        a = h[0]
        b = h[0]
        for j in range(cols):
            t = target_at(target, class_index, row, cols, j)
            a += 2 * prediction[row * cols + j] * t
            b += prediction[row * cols + j] + t
        total += weight * (1 - a / b)
        if grad != NULL:
            for j in range(cols):
                t = target_at(target, class_index, row, cols, j)
                grad[row * cols + j] = <floating>(weight * (a / b - 2 * t) / b)
    return total


cdef void dice_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, const floating *dprediction, floating *dgrad
) noexcept nogil:
    # The derivative of (a / b - 2 t) / b.
    cdef int64_t row, j
    cdef double weight, a, b, da, db, t, dratio
    for row in range(rows):
        weight = weight_of(sample_weight, row)
        a, b, da, db = h[0], h[0], 0, 0
        for j in range(cols):
            t = target_at(target, class_index, row, cols, j)
            a += 2 * prediction[row * cols + j] * t
            b += prediction[row * cols + j] + t
            da += 2 * dprediction[row * cols + j] * t
            db += dprediction[row * cols + j]
        dratio = (da - a / b * db) / b
        for j in range(cols):
            t = target_at(target, class_index, row, cols, j)
            dgrad[row * cols + j] = <floating>(weight * (dratio - (a / b - 2 * t) * db / b) / b)


cdef cynn_loss hinge_struct
hinge_struct.value_and_gradient_f32 = hinge_kernel[float]
hinge_struct.value_and_gradient_f64 = hinge_kernel[double]
hinge_struct.backward_jvp_f32 = flat_jvp[float]
hinge_struct.backward_jvp_f64 = flat_jvp[double]

cdef cynn_loss squared_hinge_struct
squared_hinge_struct.value_and_gradient_f32 = squared_hinge_kernel[float]
squared_hinge_struct.value_and_gradient_f64 = squared_hinge_kernel[double]
squared_hinge_struct.backward_jvp_f32 = squared_hinge_jvp[float]
squared_hinge_struct.backward_jvp_f64 = squared_hinge_jvp[double]

cdef cynn_loss soft_margin_struct
soft_margin_struct.value_and_gradient_f32 = soft_margin_kernel[float]
soft_margin_struct.value_and_gradient_f64 = soft_margin_kernel[double]
soft_margin_struct.backward_jvp_f32 = soft_margin_jvp[float]
soft_margin_struct.backward_jvp_f64 = soft_margin_jvp[double]

cdef cynn_loss binary_focal_struct
binary_focal_struct.value_and_gradient_f32 = binary_focal_kernel[float]
binary_focal_struct.value_and_gradient_f64 = binary_focal_kernel[double]
binary_focal_struct.backward_jvp_f32 = binary_focal_jvp[float]
binary_focal_struct.backward_jvp_f64 = binary_focal_jvp[double]
binary_focal_struct.fuses_with = b"sigmoid"
binary_focal_struct.fused_value_and_gradient_f32 = binary_focal_of_z_kernel[float]
binary_focal_struct.fused_value_and_gradient_f64 = binary_focal_of_z_kernel[double]
binary_focal_struct.fused_backward_jvp_f32 = binary_focal_of_z_jvp[float]
binary_focal_struct.fused_backward_jvp_f64 = binary_focal_of_z_jvp[double]

cdef cynn_loss categorical_focal_struct
categorical_focal_struct.value_and_gradient_f32 = categorical_focal_kernel[float]
categorical_focal_struct.value_and_gradient_f64 = categorical_focal_kernel[double]
categorical_focal_struct.backward_jvp_f32 = categorical_focal_jvp[float]
categorical_focal_struct.backward_jvp_f64 = categorical_focal_jvp[double]
categorical_focal_struct.fuses_with = b"softmax"
categorical_focal_struct.fused_value_and_gradient_f32 = categorical_focal_of_z[float]
categorical_focal_struct.fused_value_and_gradient_f64 = categorical_focal_of_z[double]
categorical_focal_struct.fused_backward_jvp_f32 = categorical_focal_of_z_jvp[float]
categorical_focal_struct.fused_backward_jvp_f64 = categorical_focal_of_z_jvp[double]

cdef cynn_loss categorical_hinge_struct
categorical_hinge_struct.value_and_gradient_f32 = categorical_hinge_kernel[float]
categorical_hinge_struct.value_and_gradient_f64 = categorical_hinge_kernel[double]
categorical_hinge_struct.backward_jvp_f32 = flat_jvp[float]
categorical_hinge_struct.backward_jvp_f64 = flat_jvp[double]

cdef cynn_loss multi_margin_struct
multi_margin_struct.value_and_gradient_f32 = multi_margin_kernel[float]
multi_margin_struct.value_and_gradient_f64 = multi_margin_kernel[double]
multi_margin_struct.backward_jvp_f32 = multi_margin_jvp[float]
multi_margin_struct.backward_jvp_f64 = multi_margin_jvp[double]

cdef cynn_loss multilabel_margin_struct
multilabel_margin_struct.value_and_gradient_f32 = multilabel_margin_kernel[float]
multilabel_margin_struct.value_and_gradient_f64 = multilabel_margin_kernel[double]
multilabel_margin_struct.backward_jvp_f32 = flat_jvp[float]
multilabel_margin_struct.backward_jvp_f64 = flat_jvp[double]

cdef cynn_loss dice_struct
dice_struct.value_and_gradient_f32 = dice_kernel[float]
dice_struct.value_and_gradient_f64 = dice_kernel[double]
dice_struct.backward_jvp_f32 = dice_jvp[float]
dice_struct.backward_jvp_f64 = dice_jvp[double]

KERNELS = {
    "hinge": loss_capsule(&hinge_struct, CYNN_CLASS_INDEX),
    "squared_hinge": loss_capsule(&squared_hinge_struct, CYNN_CLASS_INDEX),
    "soft_margin": loss_capsule(&soft_margin_struct, CYNN_CLASS_INDEX),
    "binary_focal": loss_capsule(&binary_focal_struct, CYNN_CLASS_INDEX),
    "categorical_focal": loss_capsule(&categorical_focal_struct, CYNN_CLASS_INDEX),
    "categorical_hinge": loss_capsule(&categorical_hinge_struct, CYNN_CLASS_INDEX),
    "multi_margin": loss_capsule(&multi_margin_struct, CYNN_CLASS_INDEX),
    "multilabel_margin": loss_capsule(&multilabel_margin_struct, CYNN_CLASS_INDEX),
    "dice": loss_capsule(&dice_struct, CYNN_CLASS_INDEX),
}
