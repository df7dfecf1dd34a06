"""Activations with a parameter or several inputs per output: PReLU, the maximum in maxout, the product in GLU."""

from libc.stdint cimport int64_t
from libc.string cimport memcpy

from cynn.abi cimport (
    CYNN_AFFINE_IN_X,
    CYNN_NEEDS_OUT,
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


cdef void prelu_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    floating *out
) noexcept nogil:
    cdef int64_t row, j, units = op.units
    cdef const floating *alpha = <const floating *>op.parameters[0]
    cdef const floating *dalpha = <const floating *>tangents.parameters[0]
    cdef const floating *z
    cdef const floating *dz
    for row in range(begin, end):
        z = <const floating *>op.x[0] + row * units
        dz = <const floating *>tangents.x[0] + row * units
        for j in range(units):
            out[row * units + j] = alpha[j] * dz[j] if z[j] < 0 else dz[j]
            if dalpha != NULL and z[j] < 0:
                out[row * units + j] += dalpha[j] * z[j]


cdef void prelu_backward_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    const floating *ddelta
) noexcept nogil:
    cdef int64_t row, j, units = op.units
    cdef const floating *alpha = <const floating *>op.parameters[0]
    cdef const floating *dalpha = <const floating *>tangents.parameters[0]
    cdef const floating *z
    cdef floating *ddz
    if tangents.dx[0] == NULL:
        return
    for row in range(begin, end):
        z = <const floating *>op.x[0] + row * units
        ddz = <floating *>tangents.dx[0] + row * units
        for j in range(units):
            ddz[j] = ddelta[row * units + j] * (alpha[j] if z[j] < 0 else 1)
            if dalpha != NULL and z[j] < 0:
                ddz[j] += (<const floating *>op.delta)[row * units + j] * dalpha[j]


cdef void prelu_gradient_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t parameter, int64_t begin,
    int64_t end, floating *grad
) noexcept nogil:
    """Σ ddelta z + delta dz, of the rows in which z < 0."""
    cdef int64_t row, j, units = op.units
    cdef const floating *z = <const floating *>op.x[0]
    cdef const floating *dz = <const floating *>tangents.x[0]
    cdef const floating *delta = <const floating *>op.delta
    cdef const floating *ddelta = <const floating *>tangents.delta
    cdef double total
    for j in range(units):
        total = 0
        for row in range(pass_.rows):
            if z[row * units + j] < 0:
                total += <double>ddelta[row * units + j] * z[row * units + j]
                total += <double>delta[row * units + j] * dz[row * units + j]
        grad[j] = <floating>total


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


cdef void maximum_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    floating *out
) noexcept nogil:
    """The tangent of the first of the largest pieces."""
    cdef int64_t row, _, j, units = op.units, width = op.widths[0]
    cdef const floating *z
    cdef const floating *dz
    cdef const floating *a
    for row in range(begin, end):
        a = <const floating *>op.out + row * units
        # from the last piece to the first, so that of equal pieces the first is written last
        z = <const floating *>op.x[0] + (row + 1) * width
        dz = <const floating *>tangents.x[0] + (row + 1) * width
        for _ in range(width // units):
            z -= units
            dz -= units
            for j in range(units):
                out[row * units + j] = dz[j] if z[j] == a[j] else out[row * units + j]


cdef void maximum_backward_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    const floating *ddelta
) noexcept nogil:
    cdef int64_t row, piece, j, first, units = op.units, width = op.widths[0]
    cdef const floating *z
    cdef const floating *a
    cdef floating *ddz
    if tangents.dx[0] == NULL:
        return
    for row in range(begin, end):
        z = <const floating *>op.x[0] + row * width
        a = <const floating *>op.out + row * units
        ddz = <floating *>tangents.dx[0] + row * width
        for j in range(units):
            first = -1
            for piece in range(width // units):
                if first < 0 and z[piece * units + j] == a[j]:
                    first = piece
                ddz[piece * units + j] = ddelta[row * units + j] if first == piece else 0


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


# The tangents of the gates are saved, too.

cdef void product_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    floating *out
) noexcept nogil:
    cdef int64_t row, j, units = op.units
    cdef const floating *z
    cdef const floating *dz
    cdef const floating *gate
    cdef floating *dgate
    for row in range(begin, end):
        z = <const floating *>op.x[0] + row * 2 * units
        dz = <const floating *>tangents.x[0] + row * 2 * units
        gate = <const floating *>op.saved[0] + row * units
        dgate = <floating *>tangents.saved[0] + row * units
        activation_jvp(op.activation, op.activation_h, 1, units, z + units, gate, dz + units, dgate)
        for j in range(units):
            out[row * units + j] = dz[j] * gate[j] + z[j] * dgate[j]


cdef void product_backward_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    const floating *ddelta
) noexcept nogil:
    cdef int64_t row, j, units = op.units
    cdef const floating *z
    cdef const floating *dz
    cdef const floating *gate
    cdef const floating *dgate
    cdef const floating *delta
    cdef const floating *d
    cdef floating *ddz
    if tangents.dx[0] == NULL:
        return
    for row in range(begin, end):
        z = <const floating *>op.x[0] + row * 2 * units
        dz = <const floating *>tangents.x[0] + row * 2 * units
        gate = <const floating *>op.saved[0] + row * units
        dgate = <const floating *>tangents.saved[0] + row * units
        delta = <const floating *>op.delta + row * units
        d = ddelta + row * units
        ddz = <floating *>tangents.dx[0] + row * 2 * units
        for j in range(units):
            ddz[j] = delta[j] * z[j]  # the gradient by the gates, until the last loop overwrites it
            ddz[units + j] = d[j] * z[j] + delta[j] * dz[j]
        activation_backward_jvp(
            op.activation, op.activation_h, 1, units, z + units, gate, ddz, dz + units, dgate, ddz + units
        )
        for j in range(units):
            ddz[j] = d[j] * gate[j] + delta[j] * dgate[j]


cdef cynn_operation prelu
prelu.forward_f32 = prelu_forward[float]
prelu.forward_f64 = prelu_forward[double]
prelu.backward_f32 = prelu_backward[float]
prelu.backward_f64 = prelu_backward[double]
prelu.gradient_f32 = prelu_gradient[float]
prelu.gradient_f64 = prelu_gradient[double]
prelu.jvp_f32 = prelu_jvp[float]
prelu.jvp_f64 = prelu_jvp[double]
prelu.backward_jvp_f32 = prelu_backward_jvp[float]
prelu.backward_jvp_f64 = prelu_backward_jvp[double]
prelu.gradient_jvp_f32 = prelu_gradient_jvp[float]
prelu.gradient_jvp_f64 = prelu_gradient_jvp[double]

cdef cynn_operation maximum
maximum.forward_f32 = maximum_forward[float]
maximum.forward_f64 = maximum_forward[double]
maximum.backward_f32 = maximum_backward[float]
maximum.backward_f64 = maximum_backward[double]
maximum.jvp_f32 = maximum_jvp[float]
maximum.jvp_f64 = maximum_jvp[double]
maximum.backward_jvp_f32 = maximum_backward_jvp[float]
maximum.backward_jvp_f64 = maximum_backward_jvp[double]

cdef cynn_operation product
product.forward_f32 = product_forward[float]
product.forward_f64 = product_forward[double]
product.backward_f32 = product_backward[float]
product.backward_f64 = product_backward[double]
product.jvp_f32 = product_jvp[float]
product.jvp_f64 = product_jvp[double]
product.backward_jvp_f32 = product_backward_jvp[float]
product.backward_jvp_f64 = product_backward_jvp[double]

KERNELS = {
    "maximum": operation_capsule(&maximum, CYNN_NEEDS_OUT | CYNN_AFFINE_IN_X),
    "prelu": operation_capsule(&prelu, CYNN_AFFINE_IN_X),
    "product": operation_capsule(&product, 0),
}
