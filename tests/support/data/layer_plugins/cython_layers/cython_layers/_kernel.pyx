"""The operations of the layers of this package."""

from libc.stdint cimport int64_t

from cynn.abi cimport (
    CYNN_DIVISIBLE,
    CYNN_PREFETCHES,
    CYNN_PROPAGATES_NONFINITE,
    cynn_operands,
    cynn_operation,
    cynn_pass,
    floating,
    operation_capsule,
)
from cynn.blas cimport affine, cynn_blas, import_blas, product

cdef const cynn_blas *blas = import_blas()


# x: rows x inputs; parameters: W (inputs x units) and b (units) or NULL

cdef void dense_forward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *out
) noexcept nogil:
    cdef int64_t inputs = op.widths[0]
    affine(
        blas, end - begin, inputs, op.units, <const floating *>op.x[0] + begin * inputs,
        <const floating *>op.parameters[0], <const floating *>op.parameters[1], out + begin * op.units, pass_.prefetch
    )


cdef void dense_backward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *delta
) noexcept nogil:
    """dx := delta Wᵀ."""
    cdef int64_t inputs = op.widths[0], units = op.units
    if op.dx[0] != NULL:
        product(
            blas, False, True, end - begin, inputs, units, 1, delta + begin * units, units,
            <const floating *>op.parameters[0], units, 0, <floating *>op.dx[0] + begin * inputs, inputs, NULL
        )


cdef void dense_gradient(
    const cynn_operands *op, const cynn_pass *pass_, int64_t parameter, int64_t begin, int64_t end, floating *grad
) noexcept nogil:
    """Rows of xᵀ delta, or the sum of the rows of delta."""
    cdef int64_t inputs = op.widths[0], units = op.units, row, j
    cdef const floating *delta = <const floating *>op.delta
    if parameter == 0:
        product(
            blas, True, False, end - begin, units, pass_.rows, 1, <const floating *>op.x[0] + begin, inputs, delta,
            units, 0, grad, units, pass_.prefetch
        )
        return
    for j in range(units):
        grad[j] = 0
    for row in range(pass_.rows):
        for j in range(units):
            grad[j] += delta[row * units + j]


cdef void prelu_forward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *out
) noexcept nogil:
    cdef int64_t row, j, units = op.units
    cdef const floating *alpha = <const floating *>op.parameters[0]
    cdef const floating *z = <const floating *>op.x[0]
    for row in range(begin, end):
        for j in range(units):
            out[row * units + j] = alpha[j] * z[row * units + j] if z[row * units + j] < 0 else z[row * units + j]


cdef void prelu_backward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *delta
) noexcept nogil:
    cdef int64_t row, j, units = op.units
    cdef const floating *alpha = <const floating *>op.parameters[0]
    cdef const floating *z = <const floating *>op.x[0]
    cdef floating *dz = <floating *>op.dx[0]
    if dz == NULL:
        return
    for row in range(begin, end):
        for j in range(units):
            dz[row * units + j] = delta[row * units + j] * (alpha[j] if z[row * units + j] < 0 else 1)


cdef void prelu_gradient(
    const cynn_operands *op, const cynn_pass *pass_, int64_t parameter, int64_t begin, int64_t end, floating *grad
) noexcept nogil:
    cdef double[64] totals
    cdef int64_t piece, first, row, j, n, units = op.units
    cdef const floating *z
    cdef const floating *delta
    for piece in range((units + 63) // 64):
        first = piece * 64
        n = min(<int64_t>64, units - first)
        for j in range(n):
            totals[j] = 0
        for row in range(pass_.rows):
            z = <const floating *>op.x[0] + row * units + first
            delta = <const floating *>op.delta + row * units + first
            for j in range(n):
                totals[j] += <double>delta[j] * (z[j] if z[j] < 0 else 0)
        for j in range(n):
            grad[first + j] = <floating>totals[j]


cdef cynn_operation dense
dense.forward_f32 = dense_forward[float]
dense.forward_f64 = dense_forward[double]
dense.backward_f32 = dense_backward[float]
dense.backward_f64 = dense_backward[double]
dense.gradient_f32 = dense_gradient[float]
dense.gradient_f64 = dense_gradient[double]
DENSE = operation_capsule(&dense, CYNN_PROPAGATES_NONFINITE | CYNN_DIVISIBLE | CYNN_PREFETCHES)

cdef cynn_operation prelu
prelu.forward_f32 = prelu_forward[float]
prelu.forward_f64 = prelu_forward[double]
prelu.backward_f32 = prelu_backward[float]
prelu.backward_f64 = prelu_backward[double]
prelu.gradient_f32 = prelu_gradient[float]
prelu.gradient_f64 = prelu_gradient[double]
PRELU = operation_capsule(&prelu, 0)
