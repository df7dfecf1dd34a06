"""Waves of every column, and a linear map for each column by itself."""

from libc.math cimport cos, cosf, sin, sinf
from libc.stdint cimport int64_t

from cynn.abi cimport CYNN_NEEDS_OUT, cynn_operands, cynn_operation, cynn_pass, floating, operation_capsule
from cynn.sums cimport COLUMNS

cdef enum:
    PHASES = 1  # the number of the parameter

cdef extern from *:
    """
    #define CYNN_TWO_PI 6.283185307179586476925287
    """
    const double TWO_PI "CYNN_TWO_PI"


cdef inline floating sine_of(floating x) noexcept nogil:
    return sinf(x) if floating is float else sin(x)


cdef inline floating cosine_of(floating x) noexcept nogil:
    return cosf(x) if floating is float else cos(x)


# v = 2π frequency x + phase. out has cos v, and without phases sin v behind it for each column.
# saved: sin v, and what backward finds as dC/dv.

cdef void waves_forward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *out
) noexcept nogil:
    cdef int64_t row, column, k, width = op.widths[0], n = op.parameter_columns[0], step = op.units // width
    cdef const floating *frequencies = <const floating *>op.parameters[0]
    cdef const floating *phases = <const floating *>op.parameters[PHASES]
    cdef floating *sines = <floating *>op.saved[0]
    cdef floating *a
    cdef floating x, v, s
    for row in range(begin, end):
        for column in range(width):
            x = <floating>TWO_PI * (<const floating *>op.x[0])[row * width + column]
            a = out + row * op.units + column * step
            for k in range(n):
                v = frequencies[column * n + k] * x
                if phases != NULL:
                    v += phases[column * n + k]
                a[k] = cosine_of(v)
                if phases != NULL and sines == NULL:
                    continue
                s = sine_of(v)
                if phases == NULL:
                    a[n + k] = s
                if sines != NULL:
                    sines[(row * width + column) * n + k] = s


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


# Column by column: out = x W + b, of the pieces of x and out that belong to a column. h: the columns.
# W: inputs of a column one below the other, those of all columns; b: a row for each column.

cdef void columns_forward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *out
) noexcept nogil:
    cdef int64_t row, column, k, j, n_columns = <int64_t>op.h[0]
    cdef int64_t n = op.widths[0] // n_columns, units = op.units // n_columns
    cdef const floating *W
    cdef const floating *b
    cdef const floating *x
    cdef floating *a
    for row in range(begin, end):
        for column in range(n_columns):
            x = <const floating *>op.x[0] + row * op.widths[0] + column * n
            a = out + row * op.units + column * units
            b = <const floating *>op.parameters[1] + column * units
            for j in range(units):
                a[j] = b[j]
            for k in range(n):
                W = <const floating *>op.parameters[0] + (column * n + k) * units
                for j in range(units):
                    a[j] += x[k] * W[j]


cdef void columns_backward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *delta
) noexcept nogil:
    cdef int64_t row, column, k, j, n_columns = <int64_t>op.h[0]
    cdef int64_t n = op.widths[0] // n_columns, units = op.units // n_columns
    cdef const floating *W
    cdef const floating *d
    cdef floating *dx
    cdef floating total
    if op.dx[0] == NULL:
        return
    for row in range(begin, end):
        for column in range(n_columns):
            dx = <floating *>op.dx[0] + row * op.widths[0] + column * n
            d = delta + row * op.units + column * units
            for k in range(n):
                W = <const floating *>op.parameters[0] + (column * n + k) * units
                total = 0
                for j in range(units):
                    total += W[j] * d[j]
                dx[k] = total


cdef void columns_gradient(
    const cynn_operands *op, const cynn_pass *pass_, int64_t parameter, int64_t begin, int64_t end, floating *grad
) noexcept nogil:
    cdef double[COLUMNS] totals
    cdef int64_t row, r, column, j, piece, first, m, n_columns = <int64_t>op.h[0]
    cdef int64_t n = 1 if parameter == 1 else op.widths[0] // n_columns, units = op.units // n_columns
    cdef const floating *d
    cdef double x
    for r in range(begin, end):
        column = r // n
        for piece in range((units + COLUMNS - 1) // COLUMNS):
            first = piece * COLUMNS
            m = min(<int64_t>COLUMNS, units - first)
            for j in range(m):
                totals[j] = 0
            for row in range(pass_.rows):
                d = <const floating *>op.delta + row * op.units + column * units + first
                x = 1 if parameter == 1 else (<const floating *>op.x[0])[row * op.widths[0] + r]
                for j in range(m):
                    totals[j] += x * d[j]
            for j in range(m):
                grad[(r - begin) * units + first + j] = <floating>totals[j]


cdef cynn_operation waves
waves.forward_f32 = waves_forward[float]
waves.forward_f64 = waves_forward[double]
waves.backward_f32 = waves_backward[float]
waves.backward_f64 = waves_backward[double]
waves.gradient_f32 = waves_gradient[float]
waves.gradient_f64 = waves_gradient[double]

cdef cynn_operation columns
columns.forward_f32 = columns_forward[float]
columns.forward_f64 = columns_forward[double]
columns.backward_f32 = columns_backward[float]
columns.backward_f64 = columns_backward[double]
columns.gradient_f32 = columns_gradient[float]
columns.gradient_f64 = columns_gradient[double]

KERNELS = {
    "columns": operation_capsule(&columns, 0),
    "waves": operation_capsule(&waves, CYNN_NEEDS_OUT),
}
