"""Activations that depend on more than one number: PReLU, the maximum in maxout, the product in GLU."""

from libc.stdint cimport int64_t
from libc.string cimport memcpy

from cynn.abi cimport CYNN_NEEDS_OUT, cynn_operands, cynn_operation, cynn_pass, floating, operation_capsule
from cynn.kernels.tables cimport activation_backward, activation_forward
from cynn.sums cimport COLUMNS


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
    const cynn_operands *op, const cynn_pass *pass_, int64_t parameter, int64_t begin, int64_t end,
    floating *grad
) noexcept nogil:
    cdef double[COLUMNS] totals
    cdef int64_t piece, first, row, j, n, units = op.units
    cdef const floating *z
    cdef const floating *d
    for piece in range((units + COLUMNS - 1) // COLUMNS):
        first = piece * COLUMNS
        n = min(<int64_t>COLUMNS, units - first)
        for j in range(n):
            totals[j] = 0
        for row in range(pass_.rows):
            z = <const floating *>op.x[0] + row * units + first
            d = <const floating *>op.delta + row * units + first
            for j in range(n):
                totals[j] += <double>d[j] * (z[j] if z[j] < 0 else 0)
        for j in range(n):
            grad[first + j] = <floating>totals[j]


# The pieces of maxout are stored one after another in a row: piece p of unit j is in column p * units + j.

cdef void maximum_forward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *out
) noexcept nogil:
    cdef int64_t row, _, j, units = op.units, width = op.widths[0]
    cdef const floating *z
    cdef floating *a
    for row in range(begin, end):
        z = <const floating *>op.x[0] + row * width
        a = out + row * units
        memcpy(a, z, units * sizeof(floating))
        for _ in range(1, width // units):
            z += units
            for j in range(units):
                a[j] = z[j] if z[j] > a[j] or z[j] != z[j] else a[j]  # keeps NaN


cdef void maximum_backward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *delta
) noexcept nogil:
    """Pass delta to the first of the largest pieces. Overwrites delta with 0 where it has been passed on."""
    cdef int64_t row, _, j, units = op.units, width = op.widths[0]
    cdef const floating *z
    cdef const floating *a
    cdef floating *d
    cdef floating *dz
    if op.dx[0] == NULL:
        return
    for row in range(begin, end):
        z = <const floating *>op.x[0] + row * width
        a = <const floating *>op.out + row * units
        d = delta + row * units
        dz = <floating *>op.dx[0] + row * width
        for _ in range(width // units):
            for j in range(units):
                dz[j] = d[j] if z[j] == a[j] else 0
                d[j] = 0 if z[j] == a[j] else d[j]
            z += units
            dz += units


# In a row of GLU, the values come first and the gates after them. The sigmoids of the gates are saved.

cdef void product_forward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *out
) noexcept nogil:
    cdef int64_t row, j, units = op.units
    cdef const floating *z
    cdef floating *a
    for row in range(begin, end):
        z = <const floating *>op.x[0] + row * 2 * units
        a = out + row * units
        activation_forward(op.activation, op.activation_h, 1, units, z + units, a)
        if op.saved[0] != NULL:
            memcpy(<floating *>op.saved[0] + row * units, a, units * sizeof(floating))
        for j in range(units):
            a[j] *= z[j]


cdef void product_backward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *delta
) noexcept nogil:
    cdef int64_t row, j, units = op.units
    cdef const floating *z
    cdef const floating *gate
    cdef const floating *d
    cdef floating *dz
    if op.dx[0] == NULL:
        return
    for row in range(begin, end):
        z = <const floating *>op.x[0] + row * 2 * units
        gate = <const floating *>op.saved[0] + row * units
        d = delta + row * units
        dz = <floating *>op.dx[0] + row * 2 * units
        for j in range(units):
            dz[j] = d[j] * gate[j]
            dz[units + j] = d[j] * z[j]
        activation_backward(op.activation, op.activation_h, 1, units, z + units, gate, dz + units)


cdef cynn_operation prelu
prelu.forward_f32 = prelu_forward[float]
prelu.forward_f64 = prelu_forward[double]
prelu.backward_f32 = prelu_backward[float]
prelu.backward_f64 = prelu_backward[double]
prelu.gradient_f32 = prelu_gradient[float]
prelu.gradient_f64 = prelu_gradient[double]

cdef cynn_operation maximum
maximum.forward_f32 = maximum_forward[float]
maximum.forward_f64 = maximum_forward[double]
maximum.backward_f32 = maximum_backward[float]
maximum.backward_f64 = maximum_backward[double]

cdef cynn_operation product
product.forward_f32 = product_forward[float]
product.forward_f64 = product_forward[double]
product.backward_f32 = product_backward[float]
product.backward_f64 = product_backward[double]

KERNELS = {
    "maximum": operation_capsule(&maximum, CYNN_NEEDS_OUT),
    "prelu": operation_capsule(&prelu, 0),
    "product": operation_capsule(&product, 0),
}
