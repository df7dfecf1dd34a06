"""Operations on single columns: a learned factor, a choice of columns, and the pieces of a line."""

from libc.stdint cimport int64_t
from libc.string cimport memset

from cynn.abi cimport (
    CYNN_AFFINE_IN_X,
    cynn_operands,
    cynn_operation,
    cynn_pass,
    cynn_tangents,
    floating,
    of_tangents,
    operation_capsule,
)
from cynn.sums cimport COLUMNS


# out = x s + b, where x is there as many times side by side as out is wider. b may be missing.

# Each of the three functions as the product of two things, of which either may be a tangent. With `adds`, the product
# is added to what is there.

cdef inline void scale_rows(
    const cynn_operands *op, const floating *x, const floating *s, const floating *b, int64_t begin, int64_t end,
    bint adds, floating *out
) noexcept nogil:
    cdef int64_t row, copy, j, width = op.widths[0], units = op.units
    cdef floating *a
    x += begin * width
    for row in range(begin, end):
        for copy in range(units // width):
            a = out + row * units + copy * width
            if adds:
                for j in range(width):
                    a[j] += x[j] * s[copy * width + j]
            elif b == NULL:
                for j in range(width):
                    a[j] = x[j] * s[copy * width + j]
            else:
                for j in range(width):
                    a[j] = x[j] * s[copy * width + j] + b[copy * width + j]
        x += width


cdef inline void scale_back_rows(
    const cynn_operands *op, const floating *delta, const floating *s, int64_t begin, int64_t end, bint adds,
    floating *dx
) noexcept nogil:
    cdef int64_t _row, copy, j, width = op.widths[0], units = op.units
    dx += begin * width
    delta += begin * units
    for _row in range(begin, end):
        for copy in range(units // width):
            for j in range(copy * width, (copy + 1) * width):
                if copy or adds:
                    dx[j - copy * width] += delta[j] * s[j]
                else:
                    dx[j] = delta[j] * s[j]
        dx += width
        delta += units


cdef inline void scale_sums(
    const cynn_operands *op, int64_t rows, int64_t parameter, const floating *x, const floating *delta, int64_t begin,
    int64_t end, bint adds, floating *grad
) noexcept nogil:
    """Both parameters have a number for each column of out, in rows of any length."""
    cdef double[COLUMNS] totals
    cdef int64_t row, j, first, n, width = op.widths[0], units = op.units
    cdef int64_t columns = op.parameter_columns[parameter], last = end * columns
    cdef const floating *x_row
    cdef const floating *d
    first = begin * columns
    while first < last:
        n = min(<int64_t>COLUMNS, last - first, width - first % width)  # one copy of x at a time
        for j in range(n):
            totals[j] = grad[first - begin * columns + j] if adds else 0
        for row in range(rows):
            x_row = x + row * width + first % width
            d = delta + row * units + first
            if parameter == 1:
                for j in range(n):
                    totals[j] += d[j]
            else:
                for j in range(n):
                    totals[j] += <double>d[j] * x_row[j]
        for j in range(n):
            grad[first - begin * columns + j] = <floating>totals[j]
        first += n


cdef void scale_forward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *out
) noexcept nogil:
    scale_rows(
        op, <const floating *>op.x[0], <const floating *>op.parameters[0], <const floating *>op.parameters[1],
        begin, end, False, out
    )


cdef void scale_backward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *delta
) noexcept nogil:
    if op.dx[0] != NULL:
        scale_back_rows(
            op, <const floating *>delta, <const floating *>op.parameters[0], begin, end, False, <floating *>op.dx[0]
        )


cdef void scale_gradient(
    const cynn_operands *op, const cynn_pass *pass_, int64_t parameter, int64_t begin, int64_t end, floating *grad
) noexcept nogil:
    scale_sums(
        op, pass_.rows, parameter, <const floating *>op.x[0], <const floating *>op.delta, begin, end, False, grad
    )


cdef void scale_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    floating *out
) noexcept nogil:
    """dx s + db + x ds."""
    scale_rows(
        op, <const floating *>tangents.x[0], <const floating *>op.parameters[0],
        <const floating *>tangents.parameters[1], begin, end, False, out
    )
    if tangents.parameters[0] != NULL:
        scale_rows(
            op, <const floating *>op.x[0], <const floating *>tangents.parameters[0], <const floating *>NULL,
            begin, end, True, out
        )


cdef void scale_backward_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    const floating *ddelta
) noexcept nogil:
    """ddelta s + delta ds."""
    cdef floating *ddx = <floating *>tangents.dx[0]
    if ddx == NULL:
        return
    scale_back_rows(op, ddelta, <const floating *>op.parameters[0], begin, end, False, ddx)
    if tangents.parameters[0] != NULL:
        scale_back_rows(
            op, <const floating *>op.delta, <const floating *>tangents.parameters[0], begin, end, True, ddx
        )


cdef void scale_gradient_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t parameter, int64_t begin,
    int64_t end, floating *grad
) noexcept nogil:
    """x ddelta + dx delta."""
    scale_sums(
        op, pass_.rows, parameter, <const floating *>op.x[0], <const floating *>tangents.delta, begin, end, False, grad
    )
    if parameter == 0:
        scale_sums(
            op, pass_.rows, parameter, <const floating *>tangents.x[0], <const floating *>op.delta, begin, end, True,
            grad
        )


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


cdef void select_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    floating *out
) noexcept nogil:
    cdef cynn_operands moved = of_tangents(op, tangents)
    select_forward(&moved, pass_, begin, end, out)


cdef void select_backward_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    const floating *ddelta
) noexcept nogil:
    cdef cynn_operands moved = of_tangents(op, tangents)
    select_backward(&moved, pass_, begin, end, <floating *>ddelta)


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


cdef void pieces_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    floating *out
) noexcept nogil:
    cdef int64_t row, column, piece, pieces, width = op.widths[0]
    cdef const double *border
    cdef const floating *x
    cdef const floating *dx
    cdef floating *a
    for row in range(begin, end):
        x = <const floating *>op.x[0] + row * width
        dx = <const floating *>tangents.x[0] + row * width
        a = out + row * op.units
        border = op.h + width
        for column in range(width):
            pieces = <int64_t>op.h[column]
            for piece in range(pieces):
                a[piece] = 0
                if is_inside(x[column], border, piece, pieces):
                    a[piece] = <floating>(dx[column] / (border[piece + 1] - border[piece]))
            a += pieces
            border += pieces + 1


cdef void pieces_backward_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    const floating *ddelta
) noexcept nogil:
    cdef cynn_operands moved = of_tangents(op, tangents)
    moved.x = op.x  # which says in which piece it is
    pieces_backward(&moved, pass_, begin, end, <floating *>ddelta)


cdef cynn_operation scale
scale.forward_f32 = scale_forward[float]
scale.forward_f64 = scale_forward[double]
scale.backward_f32 = scale_backward[float]
scale.backward_f64 = scale_backward[double]
scale.gradient_f32 = scale_gradient[float]
scale.gradient_f64 = scale_gradient[double]
scale.jvp_f32 = scale_jvp[float]
scale.jvp_f64 = scale_jvp[double]
scale.backward_jvp_f32 = scale_backward_jvp[float]
scale.backward_jvp_f64 = scale_backward_jvp[double]
scale.gradient_jvp_f32 = scale_gradient_jvp[float]
scale.gradient_jvp_f64 = scale_gradient_jvp[double]

cdef cynn_operation select
select.forward_f32 = select_forward[float]
select.forward_f64 = select_forward[double]
select.backward_f32 = select_backward[float]
select.backward_f64 = select_backward[double]
select.jvp_f32 = select_jvp[float]
select.jvp_f64 = select_jvp[double]
select.backward_jvp_f32 = select_backward_jvp[float]
select.backward_jvp_f64 = select_backward_jvp[double]

cdef cynn_operation pieces
pieces.forward_f32 = pieces_forward[float]
pieces.forward_f64 = pieces_forward[double]
pieces.backward_f32 = pieces_backward[float]
pieces.backward_f64 = pieces_backward[double]
pieces.jvp_f32 = pieces_jvp[float]
pieces.jvp_f64 = pieces_jvp[double]
pieces.backward_jvp_f32 = pieces_backward_jvp[float]
pieces.backward_jvp_f64 = pieces_backward_jvp[double]

KERNELS = {
    "pieces": operation_capsule(&pieces, CYNN_AFFINE_IN_X),
    "scale": operation_capsule(&scale, CYNN_AFFINE_IN_X),
    "select": operation_capsule(&select, CYNN_AFFINE_IN_X),
}
