"""Members side by side in a row: a product that they share, their mean, and a mixture with weights."""

from libc.stdint cimport int64_t

from cynn.abi cimport cynn_operands, cynn_operation, cynn_pass, floating, operation_capsule
from cynn.blas cimport gemm


# Every member's part of x times W: as the members lie side by side, (rows * members) x inputs is x, too.

cdef void shared_forward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *out
) noexcept nogil:
    cdef int64_t inputs = op.parameter_rows[0], units = op.parameter_columns[0], members = op.widths[0] // inputs
    cdef floating one = 1, zero = 0
    gemm(
        False, False, (end - begin) * members, units, inputs, one,
        <const floating *>op.x[0] + begin * op.widths[0], inputs, <const floating *>op.parameters[0], units, zero,
        out + begin * op.units, units
    )


cdef void shared_backward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *delta
) noexcept nogil:
    cdef int64_t inputs = op.parameter_rows[0], units = op.parameter_columns[0], members = op.widths[0] // inputs
    cdef floating one = 1, zero = 0
    if op.dx[0] == NULL:
        return
    gemm(
        False, True, (end - begin) * members, inputs, units, one, <const floating *>delta + begin * op.units, units,
        <const floating *>op.parameters[0], units, zero, <floating *>op.dx[0] + begin * op.widths[0], inputs
    )


cdef void shared_gradient(
    const cynn_operands *op, const cynn_pass *pass_, int64_t parameter, int64_t begin, int64_t end, floating *grad
) noexcept nogil:
    cdef int64_t inputs = op.parameter_rows[0], units = op.parameter_columns[0], members = op.widths[0] // inputs
    cdef floating one = 1, zero = 0
    gemm(
        True, False, end - begin, units, pass_.rows * members, one, <const floating *>op.x[0] + begin, inputs,
        <const floating *>op.delta, units, zero, grad, units
    )


cdef void mean_forward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *out
) noexcept nogil:
    cdef int64_t row, member, j, units = op.units, members = op.widths[0] // units
    cdef floating share = <floating>(1.0 / members)
    cdef const floating *x
    cdef floating *a
    for row in range(begin, end):
        x = <const floating *>op.x[0] + row * op.widths[0]
        a = out + row * units
        for j in range(units):
            a[j] = x[j]
        for member in range(1, members):
            for j in range(units):
                a[j] += x[member * units + j]
        for j in range(units):
            a[j] *= share


cdef void mean_backward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *delta
) noexcept nogil:
    cdef int64_t row, member, j, units = op.units, members = op.widths[0] // units
    cdef floating share = <floating>(1.0 / members)
    cdef floating *dx
    if op.dx[0] == NULL:
        return
    for row in range(begin, end):
        dx = <floating *>op.dx[0] + row * op.widths[0]
        for member in range(members):
            for j in range(units):
                dx[member * units + j] = share * delta[row * units + j]


# The first input has a weight for each member, the second the members.

cdef void mixture_forward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *out
) noexcept nogil:
    cdef int64_t row, member, j, units = op.units, members = op.widths[0]
    cdef const floating *weight
    cdef const floating *x
    cdef floating *a
    for row in range(begin, end):
        weight = <const floating *>op.x[0] + row * members
        x = <const floating *>op.x[1] + row * members * units
        a = out + row * units
        for j in range(units):
            a[j] = weight[0] * x[j]
        for member in range(1, members):
            for j in range(units):
                a[j] += weight[member] * x[member * units + j]


cdef void mixture_backward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *delta
) noexcept nogil:
    cdef int64_t row, member, j, units = op.units, members = op.widths[0]
    cdef const floating *weight
    cdef const floating *x
    cdef const floating *d
    cdef floating *dx
    cdef floating total
    for row in range(begin, end):
        weight = <const floating *>op.x[0] + row * members
        x = <const floating *>op.x[1] + row * members * units
        d = delta + row * units
        if op.dx[0] != NULL:
            for member in range(members):
                total = 0
                for j in range(units):
                    total += d[j] * x[member * units + j]
                (<floating *>op.dx[0])[row * members + member] = total
        if op.dx[1] != NULL:
            dx = <floating *>op.dx[1] + row * members * units
            for member in range(members):
                for j in range(units):
                    dx[member * units + j] = weight[member] * d[j]


cdef cynn_operation shared
shared.forward_f32 = shared_forward[float]
shared.forward_f64 = shared_forward[double]
shared.backward_f32 = shared_backward[float]
shared.backward_f64 = shared_backward[double]
shared.gradient_f32 = shared_gradient[float]
shared.gradient_f64 = shared_gradient[double]

cdef cynn_operation mean
mean.forward_f32 = mean_forward[float]
mean.forward_f64 = mean_forward[double]
mean.backward_f32 = mean_backward[float]
mean.backward_f64 = mean_backward[double]

cdef cynn_operation mixture
mixture.forward_f32 = mixture_forward[float]
mixture.forward_f64 = mixture_forward[double]
mixture.backward_f32 = mixture_backward[float]
mixture.backward_f64 = mixture_backward[double]

KERNELS = {
    "mean": operation_capsule(&mean, 0),
    "mixture": operation_capsule(&mixture, 0),
    "shared": operation_capsule(&shared, 0),
}
