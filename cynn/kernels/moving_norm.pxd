# The directional derivatives of batch norm with its moving averages.
from libc.math cimport INFINITY
from libc.stdint cimport int64_t

from cynn cimport vector_math
from cynn.abi cimport cynn_operands, cynn_pass, cynn_tangents, floating


cdef inline floating deviation(floating variance) noexcept nogil:
    """The standard deviation to divide by. Infinity if the variance and epsilon are 0, so that the result is 0."""
    return vector_math.sqrt(variance) if variance != 0 else <floating>INFINITY


# The moving averages are constants. With the statistics of a batch, there are no directional derivatives: the
# derivative of a row would depend on all other rows.

cdef inline void batch_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    floating *out
) noexcept nogil:
    """slope dx + dgamma normal + dbeta."""
    cdef int64_t row, j, units = op.units
    cdef const floating *gamma = <const floating *>op.parameters[0]
    cdef const floating *dgamma = <const floating *>tangents.parameters[0]
    cdef const floating *dbeta = <const floating *>tangents.parameters[1]
    cdef const floating *mean = <const floating *>op.states[0]
    cdef const floating *variance = <const floating *>op.states[1]
    cdef const floating *x = <const floating *>op.x[0]
    cdef const floating *dx = <const floating *>tangents.x[0]
    cdef floating scale, moved
    for j in range(units):
        scale = 1 / deviation(variance[j] + <floating>op.h[1])
        for row in range(begin, end):
            moved = dx[row * units + j] * scale * (1 if gamma == NULL else gamma[j])
            if dgamma != NULL:
                moved += dgamma[j] * scale * (x[row * units + j] - mean[j])
            out[row * units + j] = moved + (0 if dbeta == NULL else dbeta[j])


cdef inline void batch_backward_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    const floating *ddelta
) noexcept nogil:
    """slope ddelta + dgamma delta / deviation."""
    cdef int64_t row, j, units = op.units
    cdef const floating *gamma = <const floating *>op.parameters[0]
    cdef const floating *dgamma = <const floating *>tangents.parameters[0]
    cdef const floating *variance = <const floating *>op.states[1]
    cdef const floating *delta = <const floating *>op.delta
    cdef floating *ddx = <floating *>tangents.dx[0]
    cdef floating scale
    if ddx == NULL:
        return
    for j in range(units):
        scale = 1 / deviation(variance[j] + <floating>op.h[1])
        for row in range(begin, end):
            ddx[row * units + j] = ddelta[row * units + j] * scale * (1 if gamma == NULL else gamma[j])
            if dgamma != NULL:
                ddx[row * units + j] += delta[row * units + j] * scale * dgamma[j]


cdef inline void batch_gradient_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t parameter, int64_t begin,
    int64_t end, floating *grad
) noexcept nogil:
    """Σ ddelta normal + delta dx / deviation for gamma, Σ ddelta for beta."""
    cdef int64_t row, j, k, units = op.units
    cdef const floating *mean = <const floating *>op.states[0]
    cdef const floating *variance = <const floating *>op.states[1]
    cdef const floating *x = <const floating *>op.x[0]
    cdef const floating *dx = <const floating *>tangents.x[0]
    cdef const floating *delta = <const floating *>op.delta
    cdef const floating *ddelta = <const floating *>tangents.delta
    cdef double total, scale
    for j in range(units):
        scale = 1 / deviation(variance[j] + <floating>op.h[1])
        total = 0
        for row in range(pass_.rows):
            k = row * units + j
            if parameter == 1:
                total += ddelta[k]
            else:
                total += scale * (<double>ddelta[k] * (x[k] - mean[j]) + <double>delta[k] * dx[k])
        grad[j] = <floating>total
