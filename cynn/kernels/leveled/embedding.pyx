"""Embedding: replaces columns of categories by vectors, which are rows of a table."""

from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset

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

# h: the number of columns with categories; these columns in the order of their vectors; the same in ascending order


cdef inline int64_t category(floating x, int64_t n) noexcept nogil:
    """The row of the table for a category. x has been checked before; clamping keeps any access inside the table."""
    if not x > 0:
        return 0
    return n - 1 if x >= n - 1 else <int64_t>x


cdef void forward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *out
) noexcept nogil:
    cdef int64_t width = op.widths[0], n_columns = <int64_t>op.h[0]
    cdef int64_t n = op.parameter_rows[0], size = op.parameter_columns[0]
    cdef int64_t _, j, first, stop
    cdef const double *columns = op.h + 1
    cdef const double *ascending = columns + n_columns
    cdef const floating *W = <const floating *>op.parameters[0]
    cdef const floating *x = <const floating *>op.x[0] + begin * width
    out += begin * op.units
    for _ in range(end - begin):
        first = 0
        for j in range(n_columns + 1):  # copies the columns between those with categories
            stop = <int64_t>ascending[j] if j < n_columns else width
            memcpy(out, x + first, (stop - first) * sizeof(floating))
            out += stop - first
            first = stop + 1
        for j in range(n_columns):
            memcpy(out, W + category(x[<int64_t>columns[j]], n) * size, size * sizeof(floating))
            out += size
        x += width


cdef void backward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *delta
) noexcept nogil:
    cdef int64_t width = op.widths[0], n_columns = <int64_t>op.h[0]
    cdef int64_t row, j, first, stop
    cdef const double *ascending = op.h + 1 + n_columns
    cdef floating *dx = <floating *>op.dx[0]
    cdef const floating *d
    if dx == NULL:
        return
    for row in range(begin, end):
        first = 0
        d = delta + row * op.units
        for j in range(n_columns + 1):
            stop = <int64_t>ascending[j] if j < n_columns else width
            memcpy(dx + row * width + first, d, (stop - first) * sizeof(floating))
            if j < n_columns:
                dx[row * width + stop] = 0
            d += stop - first
            first = stop + 1


cdef void gradient(
    const cynn_operands *op, const cynn_pass *pass_, int64_t parameter, int64_t begin, int64_t end,
    floating *grad
) noexcept nogil:
    """The gradient by rows begin..end of the table: the sum of the gradients by all copies of each row."""
    cdef int64_t width = op.widths[0], n_columns = <int64_t>op.h[0]
    cdef int64_t n = op.parameter_rows[0], size = op.parameter_columns[0]
    cdef int64_t row, i, j, k
    cdef const double *columns = op.h + 1
    cdef const floating *x = <const floating *>op.x[0]
    cdef const floating *delta
    memset(grad, 0, (end - begin) * size * sizeof(floating))
    for row in range(pass_.rows):
        for j in range(n_columns):
            k = category(x[row * width + <int64_t>columns[j]], n) - begin
            if 0 <= k < end - begin:
                delta = <const floating *>op.delta + row * op.units + width - n_columns + j * size
                for i in range(size):
                    grad[k * size + i] += delta[i]


# Directional derivatives. The derivative by a category is 0, so its tangent is not read.

cdef void jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    floating *out
) noexcept nogil:
    cdef int64_t width = op.widths[0], n_columns = <int64_t>op.h[0]
    cdef int64_t n = op.parameter_rows[0], size = op.parameter_columns[0]
    cdef int64_t row, j, first, stop
    cdef const double *columns = op.h + 1
    cdef const double *ascending = columns + n_columns
    cdef const floating *dW = <const floating *>tangents.parameters[0]
    cdef const floating *x
    cdef const floating *dx
    out += begin * op.units
    for row in range(begin, end):
        x = <const floating *>op.x[0] + row * width
        dx = <const floating *>tangents.x[0] + row * width
        first = 0
        for j in range(n_columns + 1):
            stop = <int64_t>ascending[j] if j < n_columns else width
            memcpy(out, dx + first, (stop - first) * sizeof(floating))
            out += stop - first
            first = stop + 1
        for j in range(n_columns):
            if dW == NULL:
                memset(out, 0, size * sizeof(floating))
            else:
                memcpy(out, dW + category(x[<int64_t>columns[j]], n) * size, size * sizeof(floating))
            out += size


cdef void backward_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    const floating *ddelta
) noexcept nogil:
    cdef cynn_operands moved = of_tangents(op, tangents)
    backward(&moved, pass_, begin, end, <floating *>ddelta)


cdef void gradient_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t parameter, int64_t begin,
    int64_t end, floating *grad
) noexcept nogil:
    cdef cynn_operands moved = of_tangents(op, tangents)
    moved.x = op.x  # the categories
    gradient(&moved, pass_, parameter, begin, end, grad)


cdef cynn_operation table
table.forward_f32 = forward[float]
table.forward_f64 = forward[double]
table.backward_f32 = backward[float]
table.backward_f64 = backward[double]
table.gradient_f32 = gradient[float]
table.gradient_f64 = gradient[double]
table.jvp_f32 = jvp[float]
table.jvp_f64 = jvp[double]
table.backward_jvp_f32 = backward_jvp[float]
table.backward_jvp_f64 = backward_jvp[double]
table.gradient_jvp_f32 = gradient_jvp[float]
table.gradient_jvp_f64 = gradient_jvp[double]

KERNELS = {"embedding": operation_capsule(&table, CYNN_AFFINE_IN_X)}
