# Sums over rows, and softmax: computed in double, in LANES partial sums, in an order that depends on neither the
# compiler nor the CPU. Short rows are summed in their own dtype: few rounding errors add up, and conversions would cost
# more than the sum.
from libc.math cimport sqrt
from libc.stdint cimport int64_t
from libc.string cimport memset

from cynn cimport vector_math
from cynn.abi cimport floating

cdef enum:
    LANES = 16    # partial sums, which vectorize and are added up in a fixed order
    SHORT = 32
    AT_ONCE = 1024  # elements of short rows per block, which stay in the L1 cache
    COLUMNS = 64  # columns that are summed together, and elements whose powers are computed together

# Sums of squares outside these bounds overflow or lose bits in double; a factor of 2^600 or 2^-600 prevents it.
cdef extern from *:
    """
    #define CYNN_SMALLEST_SQUARES 1e-280
    #define CYNN_LARGEST_SQUARES 1e300
    #define CYNN_SCALE_DOWN 0x1p-600
    #define CYNN_SCALE_UP 0x1p600
    """
    const double SMALLEST_SQUARES "CYNN_SMALLEST_SQUARES"
    const double LARGEST_SQUARES "CYNN_LARGEST_SQUARES"
    const double SCALE_DOWN "CYNN_SCALE_DOWN"
    const double SCALE_UP "CYNN_SCALE_UP"


cdef inline double sum_of_lanes(const double *sums) noexcept nogil:
    cdef double total = 0
    cdef int64_t j
    for j in range(LANES):
        total += sums[j]
    return total


# sums[j] += x of the elements j, j + LANES, ...
cdef inline void add_to_lanes(int64_t n, const floating *x, double *sums) noexcept nogil:
    cdef int64_t i, j
    for i in range(n // LANES):
        for j in range(LANES):
            sums[j] += x[i * LANES + j]
    for j in range(n % LANES):
        sums[j] += x[n - n % LANES + j]


# Σ x
cdef inline double sum_of(int64_t n, const floating *x) noexcept nogil:
    cdef double[LANES] sums
    cdef floating total = 0
    cdef int64_t j
    if n < SHORT:
        for j in range(n):
            total += x[j]
        return total
    memset(sums, 0, sizeof(sums))
    add_to_lanes(n, x, sums)
    return sum_of_lanes(sums)


# Σ exp(z - largest), with the same bits as sum_of over the powers
cdef inline double sum_of_exp(int64_t n, const floating *z, floating largest) noexcept nogil:
    cdef double[LANES] sums
    cdef floating[COLUMNS] powers
    cdef floating total = 0
    cdef int64_t piece, first, count, j
    if n < SHORT:
        for j in range(n):
            total += vector_math.exp(z[j] - largest)
        return total
    memset(sums, 0, sizeof(sums))
    for piece in range((n + COLUMNS - 1) // COLUMNS):
        first = piece * COLUMNS
        count = min(<int64_t>COLUMNS, n - first)
        for j in range(count):
            powers[j] = vector_math.exp(z[first + j] - largest)
        add_to_lanes(count, powers, sums)
    return sum_of_lanes(sums)


# With sign 1 the largest z, with -1 the smallest; NaNs after the first element are ignored
cdef inline floating extreme_of(int sign, int64_t n, const floating *z) noexcept nogil:
    cdef int64_t j
    cdef floating extreme = z[0]
    for j in range(1, n):
        extreme = z[j] if sign * z[j] > sign * extreme else extreme
    return extreme


cdef inline floating largest_of(int64_t n, const floating *z) noexcept nogil:
    return extreme_of(1, n, z)


# Σ (scale x) (scale y)
cdef inline double sum_of_scaled_products(
    int64_t n, const floating *x, const floating *y, double scale
) noexcept nogil:
    cdef double[LANES] sums
    cdef int64_t i, j
    memset(sums, 0, sizeof(sums))
    for i in range(n // LANES):
        for j in range(LANES):
            sums[j] += (scale * x[i * LANES + j]) * (scale * y[i * LANES + j])
    for j in range(n % LANES):
        sums[j] += (scale * x[n - n % LANES + j]) * (scale * y[n - n % LANES + j])
    return sum_of_lanes(sums)


# Σ x y
cdef inline double sum_of_products(int64_t n, const floating *x, const floating *y) noexcept nogil:
    cdef floating total = 0
    cdef int64_t j
    if n < SHORT:
        for j in range(n):
            total += x[j] * y[j]
        return total
    return sum_of_scaled_products(n, x, y, 1)


# The factor for numbers before they are squared, given the sum of their squares without a factor
cdef inline double scale_for(double squares) noexcept nogil:
    if SMALLEST_SQUARES <= squares <= LARGEST_SQUARES:
        return 1
    return SCALE_DOWN if squares > 1 else SCALE_UP


# √Σ x², without overflow of the squares
cdef inline double norm_of(int64_t n, const floating *x) noexcept nogil:
    cdef double squares = sum_of_scaled_products(n, x, x, 1)
    cdef double scale = scale_for(squares)
    if scale != 1:
        squares = sum_of_scaled_products(n, x, x, scale)
    return sqrt(squares) / scale


# sums := Σ over rows of x, or of x y unless y is NULL
cdef inline void sums_of_columns(
    int64_t rows, int64_t columns, const floating *x, const floating *y, floating *sums
) noexcept nogil:
    cdef double[COLUMNS] totals
    cdef int64_t piece, first, row, j, n
    for piece in range((columns + COLUMNS - 1) // COLUMNS):
        first = piece * COLUMNS
        n = min(<int64_t>COLUMNS, columns - first)
        for j in range(n):
            totals[j] = 0
        for row in range(rows):
            if y == NULL:
                for j in range(n):
                    totals[j] += x[row * columns + first + j]
            else:
                for j in range(n):
                    totals[j] += <double>x[row * columns + first + j] * y[row * columns + first + j]
        for j in range(n):
            sums[first + j] = <floating>totals[j]


# For each row a := exp(sign z) / Σ exp(sign z): softmax with sign 1, softmin with -1. The powers of many short rows are
# computed in one loop, which avoids a remainder loop per row.
cdef inline void softmax_of_rows(
    int sign, int64_t rows, int64_t cols, const floating *z, floating *a
) noexcept nogil:
    cdef int64_t at_once = max(1, AT_ONCE // max(1, cols)), piece, first, end, i, j
    cdef floating extreme, total
    for piece in range((rows + at_once - 1) // at_once):
        first = piece * at_once
        end = min(first + at_once, rows)
        for i in range(first, end):
            extreme = extreme_of(sign, cols, z + i * cols)
            for j in range(cols):
                a[i * cols + j] = sign * (z[i * cols + j] - extreme)
        for i in range(first * cols, end * cols):
            a[i] = vector_math.exp(a[i])
        for i in range(first, end):
            total = <floating>sum_of(cols, a + i * cols)
            for j in range(cols):
                a[i * cols + j] = a[i * cols + j] / total


# dC/dz = sign a (dC/da - Σ dC/da a), written over grad
cdef inline void softmax_gradient_of_rows(
    int sign, int64_t rows, int64_t cols, const floating *a, floating *grad
) noexcept nogil:
    cdef int64_t _row, j
    cdef floating total
    for _row in range(rows):
        total = <floating>(sign * sum_of_products(cols, grad, a))
        for j in range(cols):
            grad[j] = a[j] * (sign * grad[j] - total)
        a += cols
        grad += cols


# The directional derivative of that. dgrad: the tangent of dC/da on entry, of dC/dz on return. da: the tangent of a
cdef inline void softmax_gradient_jvp_of_rows(
    int sign, int64_t rows, int64_t cols, const floating *a, const floating *grad, const floating *da, floating *dgrad
) noexcept nogil:
    cdef int64_t _row, j
    cdef double total, tangent
    for _row in range(rows):
        total, tangent = 0, 0
        for j in range(cols):
            total += a[j] * grad[j]
            tangent += a[j] * dgrad[j] + da[j] * grad[j]
        for j in range(cols):
            dgrad[j] = <floating>(sign * (a[j] * (dgrad[j] - tangent) + da[j] * (grad[j] - total)))
        a += cols
        grad += cols
        da += cols
        dgrad += cols
