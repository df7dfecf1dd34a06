"""An activation that is mixed with the identity, by a learned number for every unit."""

from libc.stdint cimport int64_t
from libc.string cimport memcpy

from cynn.abi cimport cynn_operands, cynn_operation, cynn_pass, cynn_tangents, floating, operation_capsule
from cynn.sums cimport COLUMNS


# a = x + alpha (f(x) - x). saved: f(x)

cdef void mixed_forward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *out
) noexcept nogil:
    cdef int64_t row, j, units = op.units, first = begin * units
    cdef const floating *alpha = <const floating *>op.parameters[0]
    cdef const floating *x = <const floating *>op.x[0]
    if floating is float:
        op.activation.forward_f32(op.activation_h, end - begin, units, x + first, out + first)
    else:
        op.activation.forward_f64(op.activation_h, end - begin, units, x + first, out + first)
    if op.saved[0] != NULL:
        memcpy(<floating *>op.saved[0] + first, out + first, (end - begin) * units * sizeof(floating))
    for row in range(begin, end):
        for j in range(units):
            out[row * units + j] = x[row * units + j] + alpha[j] * (out[row * units + j] - x[row * units + j])


cdef void mixed_backward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *delta
) noexcept nogil:
    cdef int64_t row, j, units = op.units, first = begin * units
    cdef const floating *alpha = <const floating *>op.parameters[0]
    cdef const floating *x = <const floating *>op.x[0]
    cdef const floating *f = <const floating *>op.saved[0]
    cdef floating *dx = <floating *>op.dx[0]
    if dx == NULL:
        return
    for row in range(begin, end):
        for j in range(units):
            dx[row * units + j] = alpha[j] * delta[row * units + j]
    if floating is float:
        op.activation.backward_f32(op.activation_h, end - begin, units, x + first, f + first, dx + first)
    else:
        op.activation.backward_f64(op.activation_h, end - begin, units, x + first, f + first, dx + first)
    for row in range(begin, end):
        for j in range(units):
            dx[row * units + j] += (1 - alpha[j]) * delta[row * units + j]


cdef void mixed_gradient(
    const cynn_operands *op, const cynn_pass *pass_, int64_t parameter, int64_t begin, int64_t end, floating *grad
) noexcept nogil:
    cdef double[COLUMNS] totals
    cdef int64_t piece, first, row, j, n, units = op.units
    cdef const floating *x
    cdef const floating *f
    cdef const floating *d
    for piece in range((units + COLUMNS - 1) // COLUMNS):
        first = piece * COLUMNS
        n = min(<int64_t>COLUMNS, units - first)
        for j in range(n):
            totals[j] = 0
        for row in range(pass_.rows):
            x = <const floating *>op.x[0] + row * units + first
            f = <const floating *>op.saved[0] + row * units + first
            d = <const floating *>op.delta + row * units + first
            for j in range(n):
                totals[j] += <double>d[j] * (f[j] - x[j])
        for j in range(n):
            grad[first + j] = <floating>totals[j]


# saved tangents: that of f(x). The activation is one of single elements, so its own backward multiplies by f'.

cdef void mixed_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    floating *out
) noexcept nogil:
    cdef int64_t row, j, k, units = op.units, first = begin * units
    cdef const floating *alpha = <const floating *>op.parameters[0]
    cdef const floating *dalpha = <const floating *>tangents.parameters[0]
    cdef const floating *x = <const floating *>op.x[0]
    cdef const floating *dx = <const floating *>tangents.x[0]
    cdef const floating *f = <const floating *>op.saved[0]
    cdef floating *df = <floating *>tangents.saved[0]
    memcpy(df + first, dx + first, (end - begin) * units * sizeof(floating))
    if floating is float:
        op.activation.backward_f32(op.activation_h, end - begin, units, x + first, f + first, df + first)
    else:
        op.activation.backward_f64(op.activation_h, end - begin, units, x + first, f + first, df + first)
    for row in range(begin, end):
        for j in range(units):
            k = row * units + j
            out[k] = dx[k] + alpha[j] * (df[k] - dx[k])
            if dalpha != NULL:
                out[k] += dalpha[j] * (f[k] - x[k])


cdef void mixed_backward_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    const floating *ddelta
) noexcept nogil:
    cdef floating[COLUMNS] scaled  # alpha delta, the gradient of some elements of f(x)
    cdef int64_t row, j, piece, n, first, units = op.units
    cdef const floating *alpha
    cdef const floating *dalpha
    cdef const floating *x = <const floating *>op.x[0]
    cdef const floating *f = <const floating *>op.saved[0]
    cdef const floating *dx = <const floating *>tangents.x[0]
    cdef const floating *df = <const floating *>tangents.saved[0]
    cdef const floating *delta = <const floating *>op.delta
    cdef floating *ddx = <floating *>tangents.dx[0]
    if ddx == NULL:
        return
    for row in range(begin, end):
        for piece in range((units + COLUMNS - 1) // COLUMNS):
            first = row * units + piece * COLUMNS
            n = min(<int64_t>COLUMNS, (row + 1) * units - first)
            alpha = <const floating *>op.parameters[0] + first - row * units
            dalpha = NULL
            if tangents.parameters[0] != NULL:
                dalpha = <const floating *>tangents.parameters[0] + first - row * units
            for j in range(n):
                scaled[j] = alpha[j] * delta[first + j]
                ddx[first + j] = alpha[j] * ddelta[first + j]
                if dalpha != NULL:
                    ddx[first + j] += dalpha[j] * delta[first + j]
            if floating is float:
                op.activation.backward_jvp_f32(
                    op.activation_h, 1, n, x + first, f + first, scaled, dx + first, df + first, ddx + first
                )
            else:
                op.activation.backward_jvp_f64(
                    op.activation_h, 1, n, x + first, f + first, scaled, dx + first, df + first, ddx + first
                )
            for j in range(n):
                ddx[first + j] += (1 - alpha[j]) * ddelta[first + j]
                if dalpha != NULL:
                    ddx[first + j] -= dalpha[j] * delta[first + j]


cdef void mixed_gradient_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t parameter, int64_t begin,
    int64_t end, floating *grad
) noexcept nogil:
    """ddelta (f - x) + delta (df - dx)."""
    cdef int64_t row, j, k, units = op.units
    cdef const floating *x = <const floating *>op.x[0]
    cdef const floating *f = <const floating *>op.saved[0]
    cdef const floating *dx = <const floating *>tangents.x[0]
    cdef const floating *df = <const floating *>tangents.saved[0]
    cdef const floating *delta = <const floating *>op.delta
    cdef const floating *ddelta = <const floating *>tangents.delta
    cdef double total
    for j in range(units):
        total = 0
        for row in range(pass_.rows):
            k = row * units + j
            total += <double>ddelta[k] * (f[k] - x[k]) + <double>delta[k] * (df[k] - dx[k])
        grad[j] = <floating>total


cdef cynn_operation mixed
mixed.forward_f32 = mixed_forward[float]
mixed.forward_f64 = mixed_forward[double]
mixed.backward_f32 = mixed_backward[float]
mixed.backward_f64 = mixed_backward[double]
mixed.gradient_f32 = mixed_gradient[float]
mixed.gradient_f64 = mixed_gradient[double]
mixed.jvp_f32 = mixed_jvp[float]
mixed.jvp_f64 = mixed_jvp[double]
mixed.backward_jvp_f32 = mixed_backward_jvp[float]
mixed.backward_jvp_f64 = mixed_backward_jvp[double]
mixed.gradient_jvp_f32 = mixed_gradient_jvp[float]
mixed.gradient_jvp_f64 = mixed_gradient_jvp[double]

KERNELS = {"mixed": operation_capsule(&mixed, 0)}
