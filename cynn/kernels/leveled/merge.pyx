"""Operations with several inputs: their sum, and their concatenation by columns."""

from libc.stdint cimport int64_t
from libc.string cimport memcpy

from cynn.abi cimport cynn_operands, cynn_operation, cynn_pass, floating, operation_capsule


cdef void add_forward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *out
) noexcept nogil:
    cdef int64_t i, j, offset = begin * op.units, size = (end - begin) * op.units
    cdef const floating *x
    out += offset
    memcpy(out, <const floating *>op.x[0] + offset, size * sizeof(floating))
    for i in range(1, op.n_inputs):
        x = <const floating *>op.x[i] + offset
        for j in range(size):
            out[j] += x[j]


cdef void add_backward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *delta
) noexcept nogil:
    cdef int64_t i, offset = begin * op.units, size = (end - begin) * op.units
    for i in range(op.n_inputs):
        if op.dx[i] != NULL:
            memcpy(<floating *>op.dx[i] + offset, delta + offset, size * sizeof(floating))


cdef void concatenate_forward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *out
) noexcept nogil:
    cdef int64_t i, row, width, column = 0
    for i in range(op.n_inputs):
        width = op.widths[i]
        for row in range(begin, end):
            memcpy(
                out + row * op.units + column, <const floating *>op.x[i] + row * width, width * sizeof(floating)
            )
        column += width


cdef void concatenate_backward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *delta
) noexcept nogil:
    cdef int64_t i, row, width, column = 0
    for i in range(op.n_inputs):
        width = op.widths[i]
        if op.dx[i] != NULL:
            for row in range(begin, end):
                memcpy(
                    <floating *>op.dx[i] + row * width, delta + row * op.units + column, width * sizeof(floating)
                )
        column += width


cdef cynn_operation add
add.forward_f32 = add_forward[float]
add.forward_f64 = add_forward[double]
add.backward_f32 = add_backward[float]
add.backward_f64 = add_backward[double]

cdef cynn_operation concatenate
concatenate.forward_f32 = concatenate_forward[float]
concatenate.forward_f64 = concatenate_forward[double]
concatenate.backward_f32 = concatenate_backward[float]
concatenate.backward_f64 = concatenate_backward[double]

KERNELS = {
    "add": operation_capsule(&add, 0),
    "concatenate": operation_capsule(&concatenate, 0),
}
