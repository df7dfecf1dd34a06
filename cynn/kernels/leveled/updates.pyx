"""Changes a gradient before the optimizer's step, and a parameter after it.

Elements are processed in order, and sums are computed in double, so a result depends only on its piece.
"""

from cpython.pycapsule cimport PyCapsule_New
from libc.math cimport isfinite, sqrt
from libc.stdint cimport int64_t

from cynn.abi cimport floating
from cynn.moments cimport moving_average
from cynn.sums cimport LANES, norm_of, scale_for, sum_of_lanes
from cynn.kernels.tables cimport (
    NON_NEGATIVE,
    UNIT_NORM,
    Array,
    ConstArray,
    ConstDoubleArray,
    ConstFloatArray,
    ConstraintKind,
    DoubleArray,
    FloatArray,
    UpdateKernels,
    set_update_kernels,
)

cdef enum:
    AT_ONCE = 64  # columns or elements at a time


cdef inline double regularize(
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


cdef inline bint are_finite(int64_t size, const floating *x) noexcept nogil:
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


cdef inline void scale(int64_t size, double factor, floating *x) noexcept nogil:
    cdef int64_t i
    cdef floating factor_ = <floating>factor
    for i in range(size):
        x[i] *= factor_


cdef inline void add(int64_t size, const floating *x, floating *total) noexcept nogil:
    cdef int64_t i
    for i in range(size):
        total[i] += x[i]


cdef inline void clip(int64_t size, double limit, floating *x) noexcept nogil:
    cdef int64_t i
    cdef floating most = <floating>limit
    for i in range(size):
        x[i] = most if x[i] > most else (-most if x[i] < -most else x[i])


cdef inline void average(int64_t size, const floating *w, double momentum, floating *mean) noexcept nogil:
    cdef int64_t i
    for i in range(size):
        mean[i] = moving_average(momentum, mean[i], w[i])


cdef inline void constrain(
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


# The functions of the tables.


cdef double regularize_untyped(int64_t size, const void *w, double l1, double l2, Array grad) noexcept nogil:
    return regularize(size, <Array>w, l1, l2, grad)


cdef bint are_finite_untyped(int64_t size, ConstArray x) noexcept nogil:
    return are_finite(size, x)


cdef double norm_untyped(int64_t size, ConstArray x) noexcept nogil:
    return norm_of(size, x)


cdef void scale_untyped(int64_t size, double factor, Array x) noexcept nogil:
    scale(size, factor, x)


cdef void add_untyped(int64_t size, const void *x, Array total) noexcept nogil:
    add(size, <Array>x, total)


cdef void clip_untyped(int64_t size, double limit, Array x) noexcept nogil:
    clip(size, limit, x)


cdef void average_untyped(int64_t size, const void *w, double momentum, Array mean) noexcept nogil:
    average(size, <Array>w, momentum, mean)


cdef void constrain_untyped(
    ConstraintKind kind, double value, int64_t rows, int64_t columns, int64_t begin, int64_t end, Array w
) noexcept nogil:
    constrain(kind, value, rows, columns, begin, end, w)


cdef UpdateKernels[2] tables  # of float32 and of float64
set_update_kernels(
    &tables[0], regularize_untyped[FloatArray], are_finite_untyped[ConstFloatArray], norm_untyped[ConstFloatArray],
    scale_untyped[FloatArray], add_untyped[FloatArray], clip_untyped[FloatArray], average_untyped[FloatArray],
    constrain_untyped[FloatArray]
)
set_update_kernels(
    &tables[1], regularize_untyped[DoubleArray], are_finite_untyped[ConstDoubleArray], norm_untyped[ConstDoubleArray],
    scale_untyped[DoubleArray], add_untyped[DoubleArray], clip_untyped[DoubleArray], average_untyped[DoubleArray],
    constrain_untyped[DoubleArray]
)

TABLES = PyCapsule_New(tables, "cynn.kernels.updates", NULL)
