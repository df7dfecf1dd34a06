"""Changes a gradient before the optimizer's step, and a parameter after it.

Elements are processed in order, and sums are computed in double, so the result depends only on the piece.
"""

from cpython.pycapsule cimport PyCapsule_New
from libc.math cimport isfinite, sqrt
from libc.stdint cimport int64_t

from cynn.abi cimport floating
from cynn.sums cimport LANES, norm_of, scale_for, sum_of_lanes
from cynn.kernels.tables cimport NON_NEGATIVE, UNIT_NORM, ConstraintKind, UpdateKernels

cdef enum:
    AT_ONCE = 64  # columns or elements at a time


cdef double regularize(
    int64_t size, const floating *w, double l1, double l2, floating *grad
) noexcept nogil:
    cdef double[LANES] sums
    cdef int64_t i, j, k
    cdef floating l1_ = <floating>l1, twice_l2 = <floating>(2 * l2), value
    for j in range(LANES):
        sums[j] = 0
    for k in range((size + LANES - 1) // LANES):
        i = k * LANES
        for j in range(min(<int64_t>LANES, size - i)):
            value = w[i + j]
            sums[j] += l2 * value * value + l1 * (value if value > 0 else -value)
            grad[i + j] += twice_l2 * value + (l1_ if value > 0 else (-l1_ if value < 0 else 0))
    return sum_of_lanes(sums)


cdef bint are_finite(int64_t size, const floating *x) noexcept nogil:
    cdef floating[AT_ONCE] sums
    cdef floating total = 0
    cdef int64_t i, j
    for j in range(AT_ONCE):
        sums[j] = 0
    for i in range(size // AT_ONCE):
        for j in range(AT_ONCE):
            sums[j] += x[i * AT_ONCE + j] - x[i * AT_ONCE + j]  # 0, or NaN, which is kept
    for i in range(size % AT_ONCE):
        sums[i] += x[size - size % AT_ONCE + i] - x[size - size % AT_ONCE + i]
    for i in range(1, AT_ONCE // LANES):
        for j in range(LANES):
            sums[j] += sums[i * LANES + j]
    for j in range(LANES):
        total += sums[j]
    return total == 0


cdef double norm(int64_t size, const floating *x) noexcept nogil:
    return norm_of(size, x)


cdef void scale(int64_t size, double factor, floating *x) noexcept nogil:
    cdef int64_t i
    cdef floating factor_ = <floating>factor
    for i in range(size):
        x[i] *= factor_


cdef void add(int64_t size, const floating *x, floating *total) noexcept nogil:
    cdef int64_t i
    for i in range(size):
        total[i] += x[i]


cdef void clip(int64_t size, double limit, floating *x) noexcept nogil:
    cdef int64_t i
    cdef floating most = <floating>limit
    for i in range(size):
        x[i] = most if x[i] > most else (-most if x[i] < -most else x[i])


cdef void average(int64_t size, const floating *w, double momentum, floating *mean) noexcept nogil:
    cdef int64_t i
    cdef floating kept = <floating>momentum, rest = <floating>(1 - momentum)
    for i in range(size):
        mean[i] = kept * mean[i] + rest * w[i]


cdef void constrain(
    ConstraintKind kind, double value, int64_t rows, int64_t columns, int64_t begin, int64_t end, floating *w
) noexcept nogil:
    cdef double[AT_ONCE] squares, factors
    cdef double norm, scale
    cdef int64_t i, j, k, first, n
    cdef floating *row
    for k in range((end - begin + AT_ONCE - 1) // AT_ONCE):
        first = begin + k * AT_ONCE
        n = min(<int64_t>AT_ONCE, end - first)
        if kind == NON_NEGATIVE:
            for i in range(rows):
                row = w + i * columns + first
                for j in range(n):
                    row[j] = row[j] if row[j] > 0 else 0
            continue
        for j in range(n):
            squares[j] = 0
        for i in range(rows):
            row = w + i * columns + first
            for j in range(n):
                squares[j] += <double>row[j] * row[j]
        for j in range(n):
            scale = scale_for(squares[j])
            if scale != 1:
                squares[j] = 0
                for i in range(rows):
                    squares[j] += (scale * w[i * columns + first + j]) * (scale * w[i * columns + first + j])
            norm = sqrt(squares[j]) / scale
            factors[j] = 1
            if norm > 0 and (kind == UNIT_NORM or norm > value) and isfinite(value / norm):
                factors[j] = value / norm
        for i in range(rows):
            row = w + i * columns + first
            for j in range(n):
                row[j] = <floating>(row[j] * factors[j])


cdef UpdateKernels table
table.regularize_f32 = regularize[float]
table.regularize_f64 = regularize[double]
table.are_finite_f32 = are_finite[float]
table.are_finite_f64 = are_finite[double]
table.norm_f32 = norm[float]
table.norm_f64 = norm[double]
table.scale_f32 = scale[float]
table.scale_f64 = scale[double]
table.add_f32 = add[float]
table.add_f64 = add[double]
table.clip_f32 = clip[float]
table.clip_f64 = clip[double]
table.average_f32 = average[float]
table.average_f64 = average[double]
table.constrain_f32 = constrain[float]
table.constrain_f64 = constrain[double]

TABLE = PyCapsule_New(&table, "cynn.kernels.updates", NULL)
