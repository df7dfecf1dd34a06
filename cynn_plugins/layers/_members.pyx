"""Members side by side in a row: a product that they share, their mean, and a mixture with weights."""

from libc.stdint cimport int64_t

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
from cynn.blas cimport gemm


# Every member's part of x times W: as the members lie side by side, (rows * members) x inputs is x, too.

# As products of two things, of which either may be a tangent, times beta what is there.

cdef inline void shared_rows(
    const cynn_operands *op, const floating *x, const floating *W, int64_t begin, int64_t end, floating beta,
    floating *out
) noexcept nogil:
    cdef int64_t inputs = op.parameter_rows[0], units = op.parameter_columns[0], members = op.widths[0] // inputs
    cdef floating one = 1
    gemm(
        False, False, (end - begin) * members, units, inputs, one, x + begin * op.widths[0], inputs, W, units, beta,
        out + begin * op.units, units
    )


cdef inline void shared_back_rows(
    const cynn_operands *op, const floating *delta, const floating *W, int64_t begin, int64_t end, floating beta,
    floating *dx
) noexcept nogil:
    cdef int64_t inputs = op.parameter_rows[0], units = op.parameter_columns[0], members = op.widths[0] // inputs
    cdef floating one = 1
    gemm(
        False, True, (end - begin) * members, inputs, units, one, delta + begin * op.units, units, W, units, beta,
        dx + begin * op.widths[0], inputs
    )


cdef inline void shared_sums(
    const cynn_operands *op, int64_t rows, const floating *x, const floating *delta, int64_t begin, int64_t end,
    floating beta, floating *grad
) noexcept nogil:
    cdef int64_t inputs = op.parameter_rows[0], units = op.parameter_columns[0], members = op.widths[0] // inputs
    cdef floating one = 1
    gemm(
        True, False, end - begin, units, rows * members, one, x + begin, inputs, delta, units, beta, grad, units
    )


cdef void shared_forward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *out
) noexcept nogil:
    shared_rows(op, <const floating *>op.x[0], <const floating *>op.parameters[0], begin, end, 0, out)


cdef void shared_backward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *delta
) noexcept nogil:
    if op.dx[0] != NULL:
        shared_back_rows(
            op, <const floating *>delta, <const floating *>op.parameters[0], begin, end, 0, <floating *>op.dx[0]
        )


cdef void shared_gradient(
    const cynn_operands *op, const cynn_pass *pass_, int64_t parameter, int64_t begin, int64_t end, floating *grad
) noexcept nogil:
    shared_sums(op, pass_.rows, <const floating *>op.x[0], <const floating *>op.delta, begin, end, 0, grad)


cdef void shared_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    floating *out
) noexcept nogil:
    """dx W + x dW."""
    shared_rows(op, <const floating *>tangents.x[0], <const floating *>op.parameters[0], begin, end, 0, out)
    if tangents.parameters[0] != NULL:
        shared_rows(op, <const floating *>op.x[0], <const floating *>tangents.parameters[0], begin, end, 1, out)


cdef void shared_backward_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    const floating *ddelta
) noexcept nogil:
    """ddelta Wᵀ + delta dWᵀ."""
    cdef floating *ddx = <floating *>tangents.dx[0]
    if ddx == NULL:
        return
    shared_back_rows(op, ddelta, <const floating *>op.parameters[0], begin, end, 0, ddx)
    if tangents.parameters[0] != NULL:
        shared_back_rows(
            op, <const floating *>op.delta, <const floating *>tangents.parameters[0], begin, end, 1, ddx
        )


cdef void shared_gradient_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t parameter, int64_t begin,
    int64_t end, floating *grad
) noexcept nogil:
    """xᵀ ddelta + dxᵀ delta."""
    shared_sums(op, pass_.rows, <const floating *>op.x[0], <const floating *>tangents.delta, begin, end, 0, grad)
    shared_sums(op, pass_.rows, <const floating *>tangents.x[0], <const floating *>op.delta, begin, end, 1, grad)


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


cdef void mean_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    floating *out
) noexcept nogil:
    cdef cynn_operands moved = of_tangents(op, tangents)
    mean_forward(&moved, pass_, begin, end, out)


cdef void mean_backward_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    const floating *ddelta
) noexcept nogil:
    cdef cynn_operands moved = of_tangents(op, tangents)
    mean_backward(&moved, pass_, begin, end, <floating *>ddelta)


# The first input has a weight for each member, the second the members.

cdef inline void mix_rows(
    const cynn_operands *op, const floating *weights, const floating *x, int64_t begin, int64_t end, bint adds,
    floating *out
) noexcept nogil:
    cdef int64_t row, member, j, units = op.units, members = op.widths[0]
    cdef const floating *weight
    cdef const floating *of_row
    cdef floating *a
    for row in range(begin, end):
        weight = weights + row * members
        of_row = x + row * members * units
        a = out + row * units
        for member in range(members):
            if member or adds:
                for j in range(units):
                    a[j] += weight[member] * of_row[member * units + j]
            else:
                for j in range(units):
                    a[j] = weight[0] * of_row[j]


cdef inline void mix_back_rows(
    const cynn_operands *op, const floating *weights, const floating *x, const floating *delta, int64_t begin,
    int64_t end, bint adds, floating *dweights, floating *dx
) noexcept nogil:
    cdef int64_t row, member, j, units = op.units, members = op.widths[0]
    cdef const floating *d
    cdef floating total
    for row in range(begin, end):
        d = delta + row * units
        for member in range(row * members, (row + 1) * members):
            if dweights != NULL:
                total = 0
                for j in range(units):
                    total += d[j] * x[member * units + j]
                dweights[member] = dweights[member] + total if adds else total
            if dx != NULL and adds:
                for j in range(units):
                    dx[member * units + j] += weights[member] * d[j]
            elif dx != NULL:
                for j in range(units):
                    dx[member * units + j] = weights[member] * d[j]


cdef void mixture_forward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *out
) noexcept nogil:
    mix_rows(op, <const floating *>op.x[0], <const floating *>op.x[1], begin, end, False, out)


cdef void mixture_backward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *delta
) noexcept nogil:
    mix_back_rows(
        op, <const floating *>op.x[0], <const floating *>op.x[1], <const floating *>delta, begin, end, False,
        <floating *>op.dx[0], <floating *>op.dx[1]
    )


cdef void mixture_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    floating *out
) noexcept nogil:
    mix_rows(op, <const floating *>tangents.x[0], <const floating *>op.x[1], begin, end, False, out)
    mix_rows(op, <const floating *>op.x[0], <const floating *>tangents.x[1], begin, end, True, out)


cdef void mixture_backward_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    const floating *ddelta
) noexcept nogil:
    mix_back_rows(
        op, <const floating *>op.x[0], <const floating *>op.x[1], ddelta, begin, end, False,
        <floating *>tangents.dx[0], <floating *>tangents.dx[1]
    )
    mix_back_rows(
        op, <const floating *>tangents.x[0], <const floating *>tangents.x[1], <const floating *>op.delta, begin, end,
        True, <floating *>tangents.dx[0], <floating *>tangents.dx[1]
    )


cdef cynn_operation shared
shared.forward_f32 = shared_forward[float]
shared.forward_f64 = shared_forward[double]
shared.backward_f32 = shared_backward[float]
shared.backward_f64 = shared_backward[double]
shared.gradient_f32 = shared_gradient[float]
shared.gradient_f64 = shared_gradient[double]
shared.jvp_f32 = shared_jvp[float]
shared.jvp_f64 = shared_jvp[double]
shared.backward_jvp_f32 = shared_backward_jvp[float]
shared.backward_jvp_f64 = shared_backward_jvp[double]
shared.gradient_jvp_f32 = shared_gradient_jvp[float]
shared.gradient_jvp_f64 = shared_gradient_jvp[double]

cdef cynn_operation mean
mean.forward_f32 = mean_forward[float]
mean.forward_f64 = mean_forward[double]
mean.backward_f32 = mean_backward[float]
mean.backward_f64 = mean_backward[double]
mean.jvp_f32 = mean_jvp[float]
mean.jvp_f64 = mean_jvp[double]
mean.backward_jvp_f32 = mean_backward_jvp[float]
mean.backward_jvp_f64 = mean_backward_jvp[double]

cdef cynn_operation mixture
mixture.forward_f32 = mixture_forward[float]
mixture.forward_f64 = mixture_forward[double]
mixture.backward_f32 = mixture_backward[float]
mixture.backward_f64 = mixture_backward[double]
mixture.jvp_f32 = mixture_jvp[float]
mixture.jvp_f64 = mixture_jvp[double]
mixture.backward_jvp_f32 = mixture_backward_jvp[float]
mixture.backward_jvp_f64 = mixture_backward_jvp[double]

KERNELS = {
    "mean": operation_capsule(&mean, CYNN_AFFINE_IN_X),
    "mixture": operation_capsule(&mixture, 0),
    "shared": operation_capsule(&shared, CYNN_AFFINE_IN_X),
}
