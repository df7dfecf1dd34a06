"""Operations with several inputs: their sum, and their concatenation by columns."""

from libc.stdint cimport int64_t
from libc.string cimport memcpy

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


cdef void add_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    floating *out
) noexcept nogil:
    cdef cynn_operands moved = of_tangents(op, tangents)
    add_forward(&moved, pass_, begin, end, out)


cdef void add_backward_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    const floating *ddelta
) noexcept nogil:
    cdef cynn_operands moved = of_tangents(op, tangents)
    add_backward(&moved, pass_, begin, end, <floating *>ddelta)


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


cdef void concatenate_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    floating *out
) noexcept nogil:
    cdef cynn_operands moved = of_tangents(op, tangents)
    concatenate_forward(&moved, pass_, begin, end, out)


cdef void concatenate_backward_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    const floating *ddelta
) noexcept nogil:
    cdef cynn_operands moved = of_tangents(op, tangents)
    concatenate_backward(&moved, pass_, begin, end, <floating *>ddelta)


cdef cynn_operation add
add.forward_f32 = add_forward[float]
add.forward_f64 = add_forward[double]
add.backward_f32 = add_backward[float]
add.backward_f64 = add_backward[double]
add.jvp_f32 = add_jvp[float]
add.jvp_f64 = add_jvp[double]
add.backward_jvp_f32 = add_backward_jvp[float]
add.backward_jvp_f64 = add_backward_jvp[double]

cdef cynn_operation concatenate
concatenate.forward_f32 = concatenate_forward[float]
concatenate.forward_f64 = concatenate_forward[double]
concatenate.backward_f32 = concatenate_backward[float]
concatenate.backward_f64 = concatenate_backward[double]
concatenate.jvp_f32 = concatenate_jvp[float]
concatenate.jvp_f64 = concatenate_jvp[double]
concatenate.backward_jvp_f32 = concatenate_backward_jvp[float]
concatenate.backward_jvp_f64 = concatenate_backward_jvp[double]

KERNELS = {
    "add": operation_capsule(&add, CYNN_AFFINE_IN_X),
    "concatenate": operation_capsule(&concatenate, CYNN_AFFINE_IN_X),
}
