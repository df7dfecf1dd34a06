"""Waves of every column, and a linear map for each column by itself."""

from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset

from cynn cimport vector_math
from cynn.abi cimport (
    CYNN_AFFINE_IN_X,
    CYNN_NEEDS_OUT,
    cynn_operands,
    cynn_operation,
    cynn_pass,
    cynn_tangents,
    floating,
    operation_capsule,
)
from cynn.blas cimport cynn_blas, import_blas, product
from cynn.sums cimport COLUMNS

cdef enum:
    PHASES = 1  # numbers of parameters
    BIASES = 1

cdef extern from *:
    """
    #define CYNN_TWO_PI 6.283185307179586476925287
    """
    const double TWO_PI "CYNN_TWO_PI"


cdef const cynn_blas *blas = import_blas()


# v = 2π frequency x + phase. out has cos v, and without phases sin v behind it for each column.
# saved: sin v, and what backward finds as dC/dv.

cdef void waves_forward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *out
) noexcept nogil:
    cdef int64_t row, column, k, piece, first, m, place, width = op.widths[0], n = op.parameter_columns[0]
    cdef int64_t step = op.units // width
    cdef const floating *frequencies = <const floating *>op.parameters[0]
    cdef const floating *phases = <const floating *>op.parameters[PHASES]
    cdef floating *sines = <floating *>op.saved[0]
    cdef floating *a
    cdef floating[COLUMNS] v
    cdef floating x
    for row in range(begin, end):
        for column in range(width):
            x = <floating>TWO_PI * (<const floating *>op.x[0])[row * width + column]
            for piece in range((n + COLUMNS - 1) // COLUMNS):
                first = piece * COLUMNS
                m = min(<int64_t>COLUMNS, n - first)
                place = column * n + first
                for k in range(m):
                    v[k] = frequencies[place + k] * x
                if phases != NULL:
                    for k in range(m):
                        v[k] += phases[place + k]
                a = out + row * op.units + column * step + first
                vector_math.cosines(m, <floating>1, v, a)
                if phases == NULL:
                    vector_math.sines(m, <floating>1, v, a + n)
                if sines != NULL:
                    vector_math.sines(m, <floating>1, v, sines + row * width * n + place)


cdef void waves_backward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *delta
) noexcept nogil:
    cdef int64_t row, column, k, place, width = op.widths[0], n = op.parameter_columns[0], step = op.units // width
    cdef const floating *frequencies = <const floating *>op.parameters[0]
    cdef const floating *sines = <const floating *>op.saved[0]
    cdef floating *dv = <floating *>op.saved[1]
    cdef floating *dx = <floating *>op.dx[0]
    cdef const floating *a
    cdef const floating *d
    cdef floating total
    for row in range(begin, end):
        for column in range(width):
            a = <const floating *>op.out + row * op.units + column * step
            d = delta + row * op.units + column * step
            place = (row * width + column) * n
            total = 0
            for k in range(n):
                dv[place + k] = -sines[place + k] * d[k]
                if step > n:
                    dv[place + k] += a[k] * d[n + k]
                total += frequencies[column * n + k] * dv[place + k]
            if dx != NULL:
                dx[row * width + column] = <floating>TWO_PI * total


cdef void waves_gradient(
    const cynn_operands *op, const cynn_pass *pass_, int64_t parameter, int64_t begin, int64_t end, floating *grad
) noexcept nogil:
    """Rows are columns of x."""
    cdef double[COLUMNS] totals
    cdef int64_t row, column, k, piece, first, m, width = op.widths[0], n = op.parameter_columns[0]
    cdef const floating *dv
    cdef double x
    for column in range(begin, end):
        for piece in range((n + COLUMNS - 1) // COLUMNS):
            first = piece * COLUMNS
            m = min(<int64_t>COLUMNS, n - first)
            for k in range(m):
                totals[k] = 0
            for row in range(pass_.rows):
                dv = <const floating *>op.saved[1] + (row * width + column) * n + first
                x = 1 if parameter == PHASES else TWO_PI * (<const floating *>op.x[0])[row * width + column]
                for k in range(m):
                    totals[k] += x * dv[k]
            for k in range(m):
                grad[(column - begin) * n + first + k] = <floating>totals[k]


# saved tangents: dv, and that of what is saved as dC/dv, which is found again here, since backward may come later.

cdef void waves_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    floating *out
) noexcept nogil:
    cdef int64_t row, column, k, width = op.widths[0], n = op.parameter_columns[0], step = op.units // width
    cdef const floating *frequencies
    cdef const floating *dfrequencies = <const floating *>tangents.parameters[0]
    cdef const floating *dphases = <const floating *>tangents.parameters[PHASES]
    cdef const floating *sines
    cdef const floating *a
    cdef floating *da
    cdef floating *dv
    cdef floating x, dx
    for row in range(begin, end):
        for column in range(width):
            x = <floating>TWO_PI * (<const floating *>op.x[0])[row * width + column]
            dx = <floating>TWO_PI * (<const floating *>tangents.x[0])[row * width + column]
            frequencies = <const floating *>op.parameters[0] + column * n
            sines = <const floating *>op.saved[0] + (row * width + column) * n
            dv = <floating *>tangents.saved[0] + (row * width + column) * n
            a = <const floating *>op.out + row * op.units + column * step
            da = out + row * op.units + column * step
            for k in range(n):
                dv[k] = frequencies[k] * dx
                if dfrequencies != NULL:
                    dv[k] += dfrequencies[column * n + k] * x
                if dphases != NULL:
                    dv[k] += dphases[column * n + k]
                da[k] = -sines[k] * dv[k]
                if step > n:
                    da[n + k] = a[k] * dv[k]


cdef inline floating slope_of_wave(
    int64_t n, int64_t step, const floating *a, const floating *sines, const floating *d, int64_t k
) noexcept nogil:
    """dC/dv"""
    return a[k] * d[n + k] - sines[k] * d[k] if step > n else -sines[k] * d[k]


cdef void waves_backward_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    const floating *ddelta
) noexcept nogil:
    """2π (df dC/dv + f ddC/dv)"""
    cdef int64_t row, column, k, place, width = op.widths[0], n = op.parameter_columns[0], step = op.units // width
    cdef const floating *frequencies
    cdef const floating *dfrequencies
    cdef const floating *sines
    cdef const floating *dv
    cdef const floating *a
    cdef const floating *d
    cdef floating *slopes
    cdef floating *ddx = <floating *>tangents.dx[0]
    cdef floating total
    for row in range(begin, end):
        for column in range(width):
            place = row * op.units + column * step
            a, d = <const floating *>op.out + place, <const floating *>op.delta + place
            frequencies = <const floating *>op.parameters[0] + column * n
            dfrequencies = NULL
            if tangents.parameters[0] != NULL:
                dfrequencies = <const floating *>tangents.parameters[0] + column * n
            sines = <const floating *>op.saved[0] + (row * width + column) * n
            dv = <const floating *>tangents.saved[0] + (row * width + column) * n
            slopes = <floating *>tangents.saved[1] + (row * width + column) * n
            total = 0
            for k in range(n):
                slopes[k] = slope_of_wave(n, step, a, sines, ddelta + place, k) - a[k] * dv[k] * d[k]
                if step > n:
                    slopes[k] -= sines[k] * dv[k] * d[n + k]
                total += frequencies[k] * slopes[k]
                if dfrequencies != NULL:
                    total += dfrequencies[k] * slope_of_wave(n, step, a, sines, d, k)
            if ddx != NULL:
                ddx[row * width + column] = <floating>TWO_PI * total


cdef void waves_gradient_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t parameter, int64_t begin,
    int64_t end, floating *grad
) noexcept nogil:
    cdef int64_t row, column, k, place, width = op.widths[0], n = op.parameter_columns[0], step = op.units // width
    cdef const floating *sines
    cdef const floating *slopes
    cdef double total, x, dx
    for column in range(begin, end):
        for k in range(n):
            total = 0
            for row in range(pass_.rows):
                slopes = <const floating *>tangents.saved[1] + (row * width + column) * n
                if parameter == PHASES:
                    total += slopes[k]
                    continue
                place = row * op.units + column * step
                sines = <const floating *>op.saved[0] + (row * width + column) * n
                x = (<const floating *>op.x[0])[row * width + column]
                dx = (<const floating *>tangents.x[0])[row * width + column]
                total += TWO_PI * (x * slopes[k] + dx * slope_of_wave(
                    n, step, <const floating *>op.out + place, sines, <const floating *>op.delta + place, k
                ))
            grad[(column - begin) * n + k] = <floating>total


# Column by column: out = x W + b, of the pieces of x and out that belong to a column. h: the columns.
# W: inputs of a column one below the other, those of all columns; b: a row for each column.

# As products of two things, of which either may be a tangent. With `adds`, the product is added to what is there.

cdef inline void map_columns(
    const cynn_operands *op, const floating *x, const floating *W, const floating *b, int64_t begin, int64_t end,
    bint adds, floating *out
) noexcept nogil:
    cdef int64_t row, column, n_columns = <int64_t>op.h[0]
    cdef int64_t n = op.widths[0] // n_columns, units = op.units // n_columns
    if not adds:
        for row in range(begin, end):
            if b == NULL:
                memset(out + row * op.units, 0, op.units * sizeof(floating))
            else:
                memcpy(out + row * op.units, b, op.units * sizeof(floating))
    for column in range(n_columns):
        product(
            blas, False, False, end - begin, units, n, 1, x + begin * op.widths[0] + column * n, op.widths[0],
            W + column * n * units, units, 1, out + begin * op.units + column * units, op.units, NULL
        )


cdef inline void map_columns_back(
    const cynn_operands *op, const floating *delta, const floating *W, int64_t begin, int64_t end, bint adds,
    floating *dx
) noexcept nogil:
    cdef int64_t column, n_columns = <int64_t>op.h[0]
    cdef int64_t n = op.widths[0] // n_columns, units = op.units // n_columns
    for column in range(n_columns):
        product(
            blas, False, True, end - begin, n, units, 1, delta + begin * op.units + column * units, op.units,
            W + column * n * units, units, adds, dx + begin * op.widths[0] + column * n, op.widths[0], NULL
        )


cdef inline void sum_columns(
    const cynn_operands *op, int64_t rows, int64_t parameter, const floating *x, const floating *delta, int64_t begin,
    int64_t end, bint adds, floating *grad
) noexcept nogil:
    """Of the biases in double."""
    cdef double[COLUMNS] totals
    cdef int64_t r = begin, row, j, piece, first, m, n_columns = <int64_t>op.h[0]
    cdef int64_t n = op.widths[0] // n_columns, units = op.units // n_columns, size = (end - begin) * units
    while r < end and parameter != BIASES:
        m = min(end, (r // n + 1) * n) - r
        product(
            blas, True, False, m, units, rows, 1, x + r, op.widths[0], delta + r // n * units, op.units, adds,
            grad + (r - begin) * units, units, NULL
        )
        r += m
    for piece in range((size + COLUMNS - 1) // COLUMNS if parameter == BIASES else 0):
        first = piece * COLUMNS
        m = min(<int64_t>COLUMNS, size - first)
        for j in range(m):
            totals[j] = 0
        for row in range(rows):
            for j in range(m):
                totals[j] += delta[row * op.units + begin * units + first + j]
        for j in range(m):
            grad[first + j] = <floating>totals[j]


cdef void columns_forward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *out
) noexcept nogil:
    map_columns(
        op, <const floating *>op.x[0], <const floating *>op.parameters[0], <const floating *>op.parameters[1], begin,
        end, False, out
    )


cdef void columns_backward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *delta
) noexcept nogil:
    if op.dx[0] != NULL:
        map_columns_back(
            op, <const floating *>delta, <const floating *>op.parameters[0], begin, end, False, <floating *>op.dx[0]
        )


cdef void columns_gradient(
    const cynn_operands *op, const cynn_pass *pass_, int64_t parameter, int64_t begin, int64_t end, floating *grad
) noexcept nogil:
    sum_columns(
        op, pass_.rows, parameter, <const floating *>op.x[0], <const floating *>op.delta, begin, end, False, grad
    )


cdef void columns_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    floating *out
) noexcept nogil:
    """dx W + db + x dW."""
    map_columns(
        op, <const floating *>tangents.x[0], <const floating *>op.parameters[0],
        <const floating *>tangents.parameters[1], begin, end, False, out
    )
    if tangents.parameters[0] != NULL:
        map_columns(
            op, <const floating *>op.x[0], <const floating *>tangents.parameters[0], <const floating *>NULL, begin,
            end, True, out
        )


cdef void columns_backward_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    const floating *ddelta
) noexcept nogil:
    """ddelta Wᵀ + delta dWᵀ."""
    cdef floating *ddx = <floating *>tangents.dx[0]
    if ddx == NULL:
        return
    map_columns_back(op, ddelta, <const floating *>op.parameters[0], begin, end, False, ddx)
    if tangents.parameters[0] != NULL:
        map_columns_back(
            op, <const floating *>op.delta, <const floating *>tangents.parameters[0], begin, end, True, ddx
        )


cdef void columns_gradient_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t parameter, int64_t begin,
    int64_t end, floating *grad
) noexcept nogil:
    """xᵀ ddelta + dxᵀ delta."""
    sum_columns(
        op, pass_.rows, parameter, <const floating *>op.x[0], <const floating *>tangents.delta, begin, end, False, grad
    )
    if parameter == 0:
        sum_columns(
            op, pass_.rows, parameter, <const floating *>tangents.x[0], <const floating *>op.delta, begin, end, True,
            grad
        )


cdef cynn_operation waves
waves.forward_f32 = waves_forward[float]
waves.forward_f64 = waves_forward[double]
waves.backward_f32 = waves_backward[float]
waves.backward_f64 = waves_backward[double]
waves.gradient_f32 = waves_gradient[float]
waves.gradient_f64 = waves_gradient[double]
waves.jvp_f32 = waves_jvp[float]
waves.jvp_f64 = waves_jvp[double]
waves.backward_jvp_f32 = waves_backward_jvp[float]
waves.backward_jvp_f64 = waves_backward_jvp[double]
waves.gradient_jvp_f32 = waves_gradient_jvp[float]
waves.gradient_jvp_f64 = waves_gradient_jvp[double]

cdef cynn_operation columns
columns.forward_f32 = columns_forward[float]
columns.forward_f64 = columns_forward[double]
columns.backward_f32 = columns_backward[float]
columns.backward_f64 = columns_backward[double]
columns.gradient_f32 = columns_gradient[float]
columns.gradient_f64 = columns_gradient[double]
columns.jvp_f32 = columns_jvp[float]
columns.jvp_f64 = columns_jvp[double]
columns.backward_jvp_f32 = columns_backward_jvp[float]
columns.backward_jvp_f64 = columns_backward_jvp[double]
columns.gradient_jvp_f32 = columns_gradient_jvp[float]
columns.gradient_jvp_f64 = columns_gradient_jvp[double]

KERNELS = {
    "columns": operation_capsule(&columns, CYNN_AFFINE_IN_X),
    "waves": operation_capsule(&waves, CYNN_NEEDS_OUT),
}
