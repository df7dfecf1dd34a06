"""Operations on single columns: a learned factor, a choice of columns, and the pieces of a line."""

from libc.stdint cimport int64_t
from libc.string cimport memset

from cynn.abi cimport cynn_operands, cynn_operation, cynn_pass, floating, operation_capsule
from cynn.sums cimport COLUMNS


# out = x s + b, where x is there as many times side by side as out is wider. b may be missing.

cdef void scale_forward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *out
) noexcept nogil:
    cdef int64_t row, copy, j, width = op.widths[0], units = op.units
    cdef const floating *s = <const floating *>op.parameters[0]
    cdef const floating *b = <const floating *>op.parameters[1]
    cdef const floating *x
    cdef floating *a
    for row in range(begin, end):
        x = <const floating *>op.x[0] + row * width
        for copy in range(units // width):
            a = out + row * units + copy * width
            if b == NULL:
                for j in range(width):
                    a[j] = x[j] * s[copy * width + j]
            else:
                for j in range(width):
                    a[j] = x[j] * s[copy * width + j] + b[copy * width + j]


cdef void scale_backward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *delta
) noexcept nogil:
    cdef int64_t row, copy, j, width = op.widths[0], units = op.units
    cdef const floating *s = <const floating *>op.parameters[0]
    cdef const floating *d
    cdef floating *dx
    if op.dx[0] == NULL:
        return
    for row in range(begin, end):
        dx = <floating *>op.dx[0] + row * width
        d = delta + row * units
        for j in range(width):
            dx[j] = d[j] * s[j]
        for copy in range(1, units // width):
            for j in range(copy * width, (copy + 1) * width):
                dx[j - copy * width] += d[j] * s[j]


cdef void scale_gradient(
    const cynn_operands *op, const cynn_pass *pass_, int64_t parameter, int64_t begin, int64_t end, floating *grad
) noexcept nogil:
    """Both have a number for each column of out, in rows of any length."""
    cdef double[COLUMNS] totals
    cdef int64_t row, j, first, n, width = op.widths[0], units = op.units
    cdef int64_t columns = op.parameter_columns[parameter], last = end * columns
    cdef const floating *x
    cdef const floating *d
    first = begin * columns
    while first < last:
        n = min(<int64_t>COLUMNS, last - first, width - first % width)  # one copy of x at a time
        for j in range(n):
            totals[j] = 0
        for row in range(pass_.rows):
            x = <const floating *>op.x[0] + row * width + first % width
            d = <const floating *>op.delta + row * units + first
            if parameter == 1:
                for j in range(n):
                    totals[j] += d[j]
            else:
                for j in range(n):
                    totals[j] += <double>d[j] * x[j]
        for j in range(n):
            grad[first - begin * columns + j] = <floating>totals[j]
        first += n


# h: the columns that are chosen

cdef void select_forward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *out
) noexcept nogil:
    cdef int64_t row, j
    for row in range(begin, end):
        for j in range(op.units):
            out[row * op.units + j] = (<const floating *>op.x[0])[row * op.widths[0] + <int64_t>op.h[j]]


cdef void select_backward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *delta
) noexcept nogil:
    cdef int64_t row, j, width = op.widths[0]
    cdef floating *dx = <floating *>op.dx[0]
    if dx == NULL:
        return
    memset(dx + begin * width, 0, (end - begin) * width * sizeof(floating))
    for row in range(begin, end):
        for j in range(op.units):
            dx[row * width + <int64_t>op.h[j]] = delta[row * op.units + j]


# h: for each column the number of its pieces, behind these the borders of all: one more than pieces for each column.
# Piece t of a column goes from 0 to 1 between its borders; before the first and after the last the line goes on.

cdef inline bint is_inside(
    floating x, const double *border, int64_t piece, int64_t pieces
) noexcept nogil:
    return (x >= border[piece] or piece == 0) and (x < border[piece + 1] or piece == pieces - 1)


cdef void pieces_forward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *out
) noexcept nogil:
    cdef int64_t row, column, piece, pieces, width = op.widths[0]
    cdef const double *border
    cdef const floating *x
    cdef floating *a
    for row in range(begin, end):
        x = <const floating *>op.x[0] + row * width
        a = out + row * op.units
        border = op.h + width
        for column in range(width):
            pieces = <int64_t>op.h[column]
            for piece in range(pieces):
                if is_inside(x[column], border, piece, pieces) or x[column] != x[column]:
                    a[piece] = <floating>((x[column] - border[piece]) / (border[piece + 1] - border[piece]))
                else:
                    a[piece] = 1 if x[column] >= border[piece] else 0
            a += pieces
            border += pieces + 1


cdef void pieces_backward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *delta
) noexcept nogil:
    cdef int64_t row, column, piece, pieces, width = op.widths[0]
    cdef const double *border
    cdef const floating *x
    cdef const floating *d
    cdef floating *dx
    if op.dx[0] == NULL:
        return
    for row in range(begin, end):
        x = <const floating *>op.x[0] + row * width
        dx = <floating *>op.dx[0] + row * width
        d = delta + row * op.units
        border = op.h + width
        for column in range(width):
            pieces = <int64_t>op.h[column]
            dx[column] = 0
            for piece in range(pieces):
                if is_inside(x[column], border, piece, pieces):
                    dx[column] += <floating>(d[piece] / (border[piece + 1] - border[piece]))
            d += pieces
            border += pieces + 1


cdef cynn_operation scale
scale.forward_f32 = scale_forward[float]
scale.forward_f64 = scale_forward[double]
scale.backward_f32 = scale_backward[float]
scale.backward_f64 = scale_backward[double]
scale.gradient_f32 = scale_gradient[float]
scale.gradient_f64 = scale_gradient[double]

cdef cynn_operation select
select.forward_f32 = select_forward[float]
select.forward_f64 = select_forward[double]
select.backward_f32 = select_backward[float]
select.backward_f64 = select_backward[double]

cdef cynn_operation pieces
pieces.forward_f32 = pieces_forward[float]
pieces.forward_f64 = pieces_forward[double]
pieces.backward_f32 = pieces_backward[float]
pieces.backward_f64 = pieces_backward[double]

KERNELS = {
    "pieces": operation_capsule(&pieces, 0),
    "scale": operation_capsule(&scale, 0),
    "select": operation_capsule(&select, 0),
}
