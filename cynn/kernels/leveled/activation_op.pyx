"""The operation of a network that applies an activation, by calling the functions of its ABI struct."""

from libc.stdint cimport int64_t

from cynn.abi cimport (
    CYNN_GRADIENT_IN_PLACE,
    CYNN_NEEDS_A,
    CYNN_NEEDS_Z,
    cynn_operands,
    cynn_operation,
    cynn_pass,
    floating,
    operation_capsule,
)
from cynn.kernels.tables cimport activation_backward, activation_forward


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


cdef cynn_operation table
table.forward_f32 = forward[float]
table.forward_f64 = forward[double]
table.backward_f32 = backward[float]
table.backward_f64 = backward[double]

KERNELS = {"activation": operation_capsule(&table, CYNN_GRADIENT_IN_PLACE)}
