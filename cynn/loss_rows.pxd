# Shared by losses: the target and the weight of a row, loops over independent outputs, and softmax in double.
from libc.math cimport exp, log
from libc.stdint cimport int64_t

from cynn.abi cimport floating
from cynn.sums cimport largest_of, softmax_of_rows

# The loss of one output, computed in double; writes its derivative by the prediction to slope.
ctypedef double (*OutputLoss)(const double *h, double prediction, double target, double *slope) noexcept nogil
# The second derivative by the prediction.
ctypedef double (*OutputCurvature)(const double *h, double prediction, double target) noexcept nogil


# Element j of a row's target, from target values or, if class_index is not NULL, one-hot
cdef inline floating target_at(
    const floating *target, const int64_t *class_index, int64_t row, int64_t cols, int64_t j
) noexcept nogil:
    if class_index != NULL:
        return 1 if class_index[row] == j else 0
    return target[row * cols + j]


# The weight of a row; 1 without weights
cdef inline double weight_of(const floating *sample_weight, int64_t row) noexcept nogil:
    return sample_weight[row] if sample_weight != NULL else 1.0


# Σ over rows of weight * share * Σ over outputs of loss(prediction, target); writes its gradient unless grad is NULL
cdef inline double sum_over_outputs(
    OutputLoss loss, double share, const double *h, int64_t rows, int64_t cols, const floating *prediction,
    const floating *target, const int64_t *class_index, const floating *sample_weight, floating *grad
) noexcept nogil:
    cdef int64_t row, j
    cdef double total = 0, row_total, factor
    cdef double slope = 0
    for row in range(rows):
        factor = share * weight_of(sample_weight, row)
        row_total = 0
        for j in range(cols):
            row_total += loss(
                h, prediction[row * cols + j], target_at(target, class_index, row, cols, j), &slope
            )
            if grad != NULL:
                grad[row * cols + j] = <floating>(factor * slope)
        total += factor * row_total
    return total


# The (diagonal) Hessian of that sum, times dprediction
cdef inline void curvature_over_outputs(
    OutputCurvature curvature, double share, const double *h, int64_t rows, int64_t cols, const floating *prediction,
    const floating *target, const int64_t *class_index, const floating *sample_weight, const floating *dprediction,
    floating *dgrad
) noexcept nogil:
    cdef int64_t row, j
    cdef double factor, second
    for row in range(rows):
        factor = share * weight_of(sample_weight, row)
        for j in range(cols):
            second = curvature(h, prediction[row * cols + j], target_at(target, class_index, row, cols, j))
            dgrad[row * cols + j] = <floating>(factor * second * dprediction[row * cols + j])


# The Hessian of -Σ t log(softmax(z)) times dz: w Σt p (dz - Σ p dz) for each row, with p = softmax(z)
cdef inline void cross_entropy_curvature_of_rows(
    double label_smoothing, int64_t rows, int64_t cols, const floating *z, const floating *target,
    const int64_t *class_index, const floating *sample_weight, const floating *dz, floating *dgrad
) noexcept nogil:
    cdef int64_t row, j
    cdef double weight, total_of_t, mean
    softmax_of_rows(1, rows, cols, z, dgrad)
    for row in range(rows):
        weight = weight_of(sample_weight, row)
        total_of_t, mean = 0, 0
        for j in range(row * cols, (row + 1) * cols):
            total_of_t += target_at(target, class_index, row, cols, j - row * cols)
            mean += dgrad[j] * dz[j]
        weight *= (1 - label_smoothing) * total_of_t + label_smoothing
        for j in range(row * cols, (row + 1) * cols):
            dgrad[j] = <floating>(weight * dgrad[j] * (dz[j] - mean))


# log(Σ exp(z - largest)) of a row. With p = softmax(z), log(p) = z - largest - this
cdef inline double log_total_of(int64_t cols, const floating *z, double *largest) noexcept nogil:
    cdef int64_t j
    cdef double total = 0
    largest[0] = largest_of(cols, z)
    for j in range(cols):
        total += exp(z[j] - largest[0])
    return log(total)


# max(x, smallest), for logarithms of numbers that should be positive; NaN stays NaN. Below `smallest`, a loss continues
# along its tangent, so that its gradient does not vanish: value += slope * (x - at_least(x, smallest)).
cdef inline double at_least(double x, double smallest) noexcept nogil:
    return smallest if x < smallest else x
