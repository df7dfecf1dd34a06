"""The operation of a network that applies an activation, by calling the functions of its ABI struct."""

from libc.stdint cimport int64_t
from libc.string cimport memcpy

from cynn.abi cimport (
    CYNN_GRADIENT_IN_PLACE,
    CYNN_NEEDS_A,
    CYNN_NEEDS_Z,
    cynn_operands,
    cynn_operation,
    cynn_pass,
    cynn_tangents,
    floating,
    operation_capsule,
)
from cynn.kernels.tables cimport (
    activation_backward,
    activation_backward_jvp,
    activation_forward,
    activation_jvp,
)


cdef void forward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *out
) noexcept nogil:
    cdef const floating *z = <const floating *>op.x[0] + begin * op.units
    activation_forward(op.activation, op.activation_h, end - begin, op.units, z, out + begin * op.units)


cdef void backward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *delta
) noexcept nogil:
    # works in place on delta: the engine gives dx and delta the same memory
    cdef int64_t offset = begin * op.units
    cdef const floating *z = NULL
    cdef const floating *a = NULL
    if op.activation.flags & CYNN_NEEDS_Z:
        z = <const floating *>op.x[0] + offset
    if op.activation.flags & CYNN_NEEDS_A:
        a = <const floating *>op.out + offset
    activation_backward(op.activation, op.activation_h, end - begin, op.units, z, a, delta + offset)


cdef void jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    floating *out
) noexcept nogil:
    cdef int64_t offset = begin * op.units
    activation_jvp(
        op.activation, op.activation_h, end - begin, op.units, <const floating *>op.x[0] + offset,
        <const floating *>op.out + offset, <const floating *>tangents.x[0] + offset, out + offset
    )


cdef void backward_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    const floating *ddelta
) noexcept nogil:
    cdef int64_t offset = begin * op.units, size = (end - begin) * op.units
    cdef floating *ddx = <floating *>tangents.dx[0]
    if ddx == NULL:
        return
    memcpy(ddx + offset, ddelta + offset, size * sizeof(floating))
    activation_backward_jvp(
        op.activation, op.activation_h, end - begin, op.units, <const floating *>op.x[0] + offset,
        <const floating *>op.out + offset, <const floating *>op.delta + offset,
        <const floating *>tangents.x[0] + offset, <const floating *>tangents.out + offset, ddx + offset
    )


cdef cynn_operation table
table.forward_f32 = forward[float]
table.forward_f64 = forward[double]
table.backward_f32 = backward[float]
table.backward_f64 = backward[double]
table.jvp_f32 = jvp[float]
table.jvp_f64 = jvp[double]
table.backward_jvp_f32 = backward_jvp[float]
table.backward_jvp_f64 = backward_jvp[double]

KERNELS = {"activation": operation_capsule(&table, CYNN_GRADIENT_IN_PLACE)}
