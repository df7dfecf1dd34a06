"""The built-in losses, each an ABI struct in a capsule, by name in `KERNELS`.

Every kernel returns the sum over rows of weight * loss(row) and, unless grad is NULL, writes the
gradient of that sum. The target of a row is an array of values, or the index of a class, which
means a one-hot row.
"""

from libc.math cimport exp as libm_exp
from libc.math cimport fabs, log, log1p
from libc.stdint cimport int64_t
from libc.string cimport memset

from cynn.abi cimport CYNN_CLASS_INDEX, cynn_loss, floating, loss_capsule
from cynn cimport vector_math
from cynn.loss_rows cimport cross_entropy_curvature_of_rows, target_at, weight_of
from cynn.sums cimport largest_of, sum_of, sum_of_exp

# Losses that are given probabilities instead of z clip them to this distance from 0 and 1.
cdef double SMALLEST_PROBABILITY = 1e-7

cdef enum:
    LANES = 16  # the number of partial sums
    # Softmax processes this many rows at once if their elements fit in the L1 cache.
    ROWS_AT_ONCE = 32
    ELEMENTS_AT_ONCE = 2048


cdef bint are_equal(int64_t n, const floating *values) noexcept nogil:
    cdef int64_t i
    cdef bint differ = False
    for i in range(1, n):
        differ |= values[i] != values[0]
    return not differ


cdef double squared_error_of_elements(
    int64_t n, floating factor, const floating *prediction, const floating *target, floating *grad
) noexcept nogil:
    """Returns the sum of (prediction - target)², and writes factor times the differences to grad."""
    cdef int64_t i, lane, block
    cdef double[LANES] totals
    cdef floating[LANES] differences
    cdef floating difference
    cdef double total = 0
    for lane in range(LANES):
        totals[lane] = 0
    for block in range(n // LANES):
        i = LANES * block
        for lane in range(LANES):
            differences[lane] = prediction[i + lane] - target[i + lane]
        for lane in range(LANES):
            totals[lane] += differences[lane] * differences[lane]
        for lane in range(LANES):
            grad[i + lane] = factor * differences[lane]
    for lane in range(LANES):
        total += totals[lane]
    for i in range(n - n % LANES, n):
        difference = prediction[i] - target[i]
        total += difference * difference
        grad[i] = factor * difference
    return total


cdef double mean_squared_error_kernel(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, floating *grad
) noexcept nogil:
    cdef int64_t row, j
    cdef double total = 0, row_total, weight, share = 1.0 / cols
    cdef floating difference, factor
    if rows and grad != NULL and class_index == NULL and (sample_weight == NULL or are_equal(rows, sample_weight)):
        # usually all rows have the same weight: then the batch is one long row, and vectors may cross row borders
        weight = share * weight_of(sample_weight, 0)
        return weight * squared_error_of_elements(
            rows * cols, <floating>(2 * weight), prediction, target, grad
        )
    for row in range(rows):
        weight = share * weight_of(sample_weight, row)
        factor = <floating>(2 * weight)
        row_total = 0
        for j in range(cols):
            difference = prediction[row * cols + j] - target_at(target, class_index, row, cols, j)
            row_total += difference * difference
            if grad != NULL:
                grad[row * cols + j] = factor * difference
        total += weight * row_total
    return total


cdef double mean_absolute_error_kernel(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, floating *grad
) noexcept nogil:
    cdef int64_t row, j
    cdef double total = 0, row_total, weight
    cdef floating difference, factor
    for row in range(rows):
        weight = weight_of(sample_weight, row)
        factor = <floating>(weight / cols)
        row_total = 0
        for j in range(cols):
            difference = prediction[row * cols + j] - target_at(target, class_index, row, cols, j)
            row_total += fabs(difference)
            if grad != NULL:
                grad[row * cols + j] = factor if difference > 0 else (-factor if difference < 0 else 0)
        total += weight * row_total / cols
    return total


cdef inline double clipped(double probability) noexcept nogil:
    if probability < SMALLEST_PROBABILITY:
        return SMALLEST_PROBABILITY
    if probability > 1 - SMALLEST_PROBABILITY:
        return 1 - SMALLEST_PROBABILITY
    return probability  # also NaN


cdef double binary_cross_entropy_kernel(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, floating *grad
) noexcept nogil:
    # outside the clipping range, C is continued by its tangent line, so that grad is its gradient there, too
    cdef int64_t row, j
    cdef double total = 0, row_total, weight, p, t, slope
    for row in range(rows):
        weight = weight_of(sample_weight, row)
        row_total = 0
        for j in range(cols):
            p = clipped(prediction[row * cols + j])
            t = target_at(target, class_index, row, cols, j)
            slope = (p - t) / (p * (1 - p))
            row_total += slope * (prediction[row * cols + j] - p) - t * log(p) - (1 - t) * log1p(-p)
            if grad != NULL:
                grad[row * cols + j] = <floating>(weight / cols * slope)
        total += weight * row_total / cols
    return total


cdef double binary_cross_entropy_from_z(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *target,
    const int64_t *class_index, const floating *sample_weight, floating *grad
) noexcept nogil:
    # C = max(z, 0) - z t + log(1 + exp(-|z|)), dC/dz = sigmoid(z) - t
    cdef int64_t row, j
    cdef double total = 0, row_total, weight
    cdef floating t, z_j, factor
    for row in range(rows):
        weight = weight_of(sample_weight, row)
        factor = <floating>(weight / cols)
        row_total = 0
        for j in range(cols):
            z_j = z[row * cols + j]
            t = target_at(target, class_index, row, cols, j)
            row_total += (0 if z_j < 0 else z_j) - z_j * t + log1p(libm_exp(-fabs(z_j)))
            if grad != NULL:
                grad[row * cols + j] = factor * (vector_math.sigmoid(z_j) - t)
        total += weight * row_total / cols
    return total


cdef double cross_entropy_kernel(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, floating *grad
) noexcept nogil:
    # below the clipping range, C is continued by its tangent line, so that grad is its gradient there, too
    cdef int64_t row, j
    cdef double total = 0, row_total, weight, p, t
    cdef double kept = 1 - h[0], spread = h[0] / cols
    for row in range(rows):
        weight = weight_of(sample_weight, row)
        row_total = 0
        for j in range(cols):
            t = kept * target_at(target, class_index, row, cols, j) + spread
            p = prediction[row * cols + j]
            p = SMALLEST_PROBABILITY if p < SMALLEST_PROBABILITY else p
            if t != 0:
                row_total -= t * (log(p) + (prediction[row * cols + j] - p) / p)
            if grad != NULL:
                grad[row * cols + j] = <floating>(-weight * t / p)
        total += weight * row_total
    return total


cdef inline void sums_of_exp(
    int64_t rows, int64_t cols, const floating *z, const floating *largest, floating *exp_z, double *sums
) noexcept nogil:
    """For each row the sum of exp(z - largest). Unless exp_z is NULL, the exponentials are written to it."""
    cdef int64_t row, i
    if exp_z != NULL:
        # rows are usually short: one loop over all of them, in which vectors may cross row borders
        for row in range(rows):
            for i in range(row * cols, (row + 1) * cols):
                exp_z[i] = z[i] - largest[row]
        for i in range(rows * cols):
            exp_z[i] = vector_math.exp(exp_z[i])
    for row in range(rows):
        if exp_z == NULL:
            sums[row] = sum_of_exp(cols, z + row * cols, largest[row])
        else:
            sums[row] = sum_of(cols, exp_z + row * cols)


cdef double cross_entropy_of_few_rows(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *target,
    const int64_t *class_index, const floating *sample_weight, floating *grad
) noexcept nogil:
    """`cross_entropy_from_z` for up to ROWS_AT_ONCE rows."""
    # C = sum(t) log(sum(exp(z))) - sum(t z), dC/dz = sum(t) softmax(z) - t
    # The largest element of each row is subtracted from z, so nothing overflows. Label smoothing: t is kept t + spread.
    cdef int64_t row, j
    cdef double total = 0, weight, total_of_t, t_dot_z, total_of_z
    cdef double kept = 1 - h[0], spread = h[0] / cols
    cdef double[ROWS_AT_ONCE] sums, logarithms
    cdef floating[ROWS_AT_ONCE] largest
    cdef floating factor, weight_t, weight_spread
    for row in range(rows):
        largest[row] = largest_of(cols, z + row * cols)
    sums_of_exp(rows, cols, z, largest, grad, sums)
    for row in range(rows):
        logarithms[row] = vector_math.log(sums[row])
    for row in range(rows):
        weight = weight_of(sample_weight, row)
        if class_index != NULL:
            total_of_t = 1
            t_dot_z = <double>z[class_index[row]] - largest[row]
        else:
            total_of_t = 0
            t_dot_z = 0
            for j in range(cols):
                total_of_t += target[j]
                t_dot_z += target[j] * (<double>z[j] - largest[row])
        if spread != 0:
            total_of_z = 0
            for j in range(cols):
                total_of_z += <double>z[j] - largest[row]
            total_of_t = kept * total_of_t + h[0]
            t_dot_z = kept * t_dot_z + spread * total_of_z
        total += weight * (total_of_t * logarithms[row] - t_dot_z)
        if grad != NULL:
            factor = <floating>(weight * total_of_t / sums[row])
            weight_t = <floating>(weight * kept)
            for j in range(cols):
                grad[j] = grad[j] * factor
            if class_index != NULL:
                grad[class_index[row]] -= weight_t
            else:
                for j in range(cols):
                    grad[j] -= weight_t * target[j]
            if spread != 0:
                weight_spread = <floating>(weight * spread)
                for j in range(cols):
                    grad[j] -= weight_spread
            grad += cols
        if target != NULL:
            target += cols
        z += cols
    return total


cdef double cross_entropy_from_z(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *target,
    const int64_t *class_index, const floating *sample_weight, floating *grad
) noexcept nogil:
    cdef int64_t row = 0, count
    cdef double total = 0
    while row < rows:
        count = max(1, min(rows - row, ROWS_AT_ONCE, ELEMENTS_AT_ONCE // cols))
        total += cross_entropy_of_few_rows(
            h, count, cols, z + row * cols, NULL if target == NULL else target + row * cols,
            NULL if class_index == NULL else class_index + row,
            NULL if sample_weight == NULL else sample_weight + row, NULL if grad == NULL else grad + row * cols
        )
        row += count
    return total


# The Hessian of each loss times a vector: the directional derivative of grad.

cdef void mean_squared_error_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, const floating *dprediction, floating *dgrad
) noexcept nogil:
    cdef int64_t row, j
    cdef floating factor
    for row in range(rows):
        factor = <floating>(2 * weight_of(sample_weight, row) / cols)
        for j in range(row * cols, (row + 1) * cols):
            dgrad[j] = factor * dprediction[j]


cdef void mean_absolute_error_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, const floating *dprediction, floating *dgrad
) noexcept nogil:
    memset(dgrad, 0, rows * cols * sizeof(floating))


cdef void binary_cross_entropy_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, const floating *dprediction, floating *dgrad
) noexcept nogil:
    cdef int64_t row, j
    cdef double weight, p, t
    for row in range(rows):
        weight = weight_of(sample_weight, row) / cols
        for j in range(cols):
            p = prediction[row * cols + j]
            t = target_at(target, class_index, row, cols, j)
            if clipped(p) == p:
                t = (p * p - 2 * p * t + t) / (p * (1 - p)) / (p * (1 - p))
                dgrad[row * cols + j] = <floating>(weight * t * dprediction[row * cols + j])
            else:
                dgrad[row * cols + j] = 0


cdef void binary_cross_entropy_jvp_from_z(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *target,
    const int64_t *class_index, const floating *sample_weight, const floating *dz, floating *dgrad
) noexcept nogil:
    cdef int64_t row, j
    cdef floating factor, p
    for row in range(rows):
        factor = <floating>(weight_of(sample_weight, row) / cols)
        for j in range(row * cols, (row + 1) * cols):
            p = vector_math.sigmoid(z[j])
            dgrad[j] = factor * p * (1 - p) * dz[j]


cdef void cross_entropy_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *prediction, const floating *target,
    const int64_t *class_index, const floating *sample_weight, const floating *dprediction, floating *dgrad
) noexcept nogil:
    cdef int64_t row, j
    cdef double weight, p, t
    cdef double kept = 1 - h[0], spread = h[0] / cols
    for row in range(rows):
        weight = weight_of(sample_weight, row)
        for j in range(cols):
            t = kept * target_at(target, class_index, row, cols, j) + spread
            p = prediction[row * cols + j]
            dgrad[row * cols + j] = 0
            if not p < SMALLEST_PROBABILITY:
                dgrad[row * cols + j] = <floating>(weight * t / p / p * dprediction[row * cols + j])


cdef void cross_entropy_jvp_from_z(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *target,
    const int64_t *class_index, const floating *sample_weight, const floating *dz, floating *dgrad
) noexcept nogil:
    cross_entropy_curvature_of_rows(h[0], rows, cols, z, target, class_index, sample_weight, dz, dgrad)


cdef cynn_loss mean_squared_error
mean_squared_error.value_and_gradient_f32 = mean_squared_error_kernel[float]
mean_squared_error.value_and_gradient_f64 = mean_squared_error_kernel[double]
mean_squared_error.backward_jvp_f32 = mean_squared_error_jvp[float]
mean_squared_error.backward_jvp_f64 = mean_squared_error_jvp[double]

cdef cynn_loss mean_absolute_error
mean_absolute_error.value_and_gradient_f32 = mean_absolute_error_kernel[float]
mean_absolute_error.value_and_gradient_f64 = mean_absolute_error_kernel[double]
mean_absolute_error.backward_jvp_f32 = mean_absolute_error_jvp[float]
mean_absolute_error.backward_jvp_f64 = mean_absolute_error_jvp[double]

cdef cynn_loss binary_cross_entropy
binary_cross_entropy.value_and_gradient_f32 = binary_cross_entropy_kernel[float]
binary_cross_entropy.value_and_gradient_f64 = binary_cross_entropy_kernel[double]
binary_cross_entropy.fuses_with = b"sigmoid"
binary_cross_entropy.fused_value_and_gradient_f32 = binary_cross_entropy_from_z[float]
binary_cross_entropy.fused_value_and_gradient_f64 = binary_cross_entropy_from_z[double]
binary_cross_entropy.backward_jvp_f32 = binary_cross_entropy_jvp[float]
binary_cross_entropy.backward_jvp_f64 = binary_cross_entropy_jvp[double]
binary_cross_entropy.fused_backward_jvp_f32 = binary_cross_entropy_jvp_from_z[float]
binary_cross_entropy.fused_backward_jvp_f64 = binary_cross_entropy_jvp_from_z[double]

cdef cynn_loss cross_entropy
cross_entropy.value_and_gradient_f32 = cross_entropy_kernel[float]
cross_entropy.value_and_gradient_f64 = cross_entropy_kernel[double]
cross_entropy.fuses_with = b"softmax"
cross_entropy.fused_value_and_gradient_f32 = cross_entropy_from_z[float]
cross_entropy.fused_value_and_gradient_f64 = cross_entropy_from_z[double]
cross_entropy.backward_jvp_f32 = cross_entropy_jvp[float]
cross_entropy.backward_jvp_f64 = cross_entropy_jvp[double]
cross_entropy.fused_backward_jvp_f32 = cross_entropy_jvp_from_z[float]
cross_entropy.fused_backward_jvp_f64 = cross_entropy_jvp_from_z[double]

KERNELS = {
    "mean_squared_error": loss_capsule(&mean_squared_error, CYNN_CLASS_INDEX),
    "mean_absolute_error": loss_capsule(&mean_absolute_error, CYNN_CLASS_INDEX),
    "binary_cross_entropy": loss_capsule(&binary_cross_entropy, CYNN_CLASS_INDEX),
    "cross_entropy": loss_capsule(&cross_entropy, CYNN_CLASS_INDEX),
}
