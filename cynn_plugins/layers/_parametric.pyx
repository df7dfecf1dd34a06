"""An activation that is mixed with the identity, by a learned number for every unit."""

from libc.stdint cimport int64_t
from libc.string cimport memcpy

from cynn.abi cimport cynn_operands, cynn_operation, cynn_pass, floating, operation_capsule
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


cdef cynn_operation mixed
mixed.forward_f32 = mixed_forward[float]
mixed.forward_f64 = mixed_forward[double]
mixed.backward_f32 = mixed_backward[float]
mixed.backward_f64 = mixed_backward[double]
mixed.gradient_f32 = mixed_gradient[float]
mixed.gradient_f64 = mixed_gradient[double]

KERNELS = {"mixed": operation_capsule(&mixed, 0)}
