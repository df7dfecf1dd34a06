"""Normalization of columns over a batch (batch norm), and of each row (layer norm, RMS norm)."""

from libc.math cimport NAN, fabs, fmax, isfinite
from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset

from cynn.abi cimport (
    CYNN_AFFINE_IN_X,
    CYNN_IN_PLACE,
    cynn_operands,
    cynn_operation,
    cynn_pass,
    cynn_tangents,
    floating,
    operation_capsule,
)
from cynn.kernels.moving_norm cimport batch_backward_jvp, batch_gradient_jvp, batch_jvp, deviation
from cynn.moments cimport without_subnormal
from cynn.sums cimport sums_of_columns

cdef enum:
    PIECE = 64      # how many columns are processed together
    LANES = 16      # the number of partial sums of a row
    PART = 256      # how many terms of a row are added in the dtype itself before double takes over


# Batch norm. parameters: gamma, beta, each perhaps NULL; states: moving mean, moving variance;
# saved: mean and variance of the batch, then dC/dgamma and dC/dbeta; h: momentum, epsilon.
# Sums over the batch are kept in double, since batches may be long. A row with weight w counts w times. One row has no
# variance: it is normalized by the moving averages, and does not update them.

cdef inline double row_weight_of(const cynn_pass *pass_, int64_t row) noexcept nogil:
    return 1 if pass_.row_weight == NULL else pass_.row_weight[row]


cdef inline bint has_statistics(const cynn_pass *pass_) noexcept nogil:
    return pass_.rows > 1


cdef inline void normalize_columns(
    const cynn_operands *op, const floating *mean, const floating *variance, int64_t begin_row, int64_t end_row,
    int64_t begin, int64_t n, floating *out
) noexcept nogil:
    """out := gamma (x - mean) / sqrt(variance + epsilon) + beta for n columns from `begin` on."""
    cdef floating[PIECE] slope, center, offset
    cdef const floating *gamma = <const floating *>op.parameters[0]
    cdef const floating *beta = <const floating *>op.parameters[1]
    cdef const floating *x
    cdef floating epsilon = <floating>op.h[1]
    cdef int64_t row, j
    for j in range(n):
        center[j] = mean[begin + j]
        slope[j] = (1 if gamma == NULL else gamma[begin + j]) / deviation(variance[begin + j] + epsilon)
        offset[j] = 0 if beta == NULL else beta[begin + j]
    for row in range(begin_row, end_row):
        x = <const floating *>op.x[0] + row * op.units + begin
        for j in range(n):
            out[row * op.units + begin + j] = (x[j] - center[j]) * slope[j] + offset[j]


cdef void batch_forward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *out
) noexcept nogil:
    """Normalize with the moving averages: for predictions, and for a layer that is frozen."""
    cdef int64_t piece, column
    for piece in range((op.units + PIECE - 1) // PIECE):
        column = piece * PIECE
        normalize_columns(
            op, <const floating *>op.states[0], <const floating *>op.states[1], begin, end, column,
            min(<int64_t>PIECE, op.units - column), out
        )


cdef void batch_backward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *delta
) noexcept nogil:
    """The gradient if the moving averages were used, which are constants."""
    cdef floating[PIECE] slope
    cdef const floating *gamma = <const floating *>op.parameters[0]
    cdef const floating *variance = <const floating *>op.states[1]
    cdef floating *dx = <floating *>op.dx[0]
    cdef floating epsilon = <floating>op.h[1]
    cdef int64_t piece, column, row, j, n, units = op.units
    if dx == NULL:
        return
    for piece in range((units + PIECE - 1) // PIECE):
        column = piece * PIECE
        n = min(<int64_t>PIECE, units - column)
        for j in range(n):
            slope[j] = (1 if gamma == NULL else gamma[column + j]) / deviation(variance[column + j] + epsilon)
        for row in range(begin, end):
            for j in range(n):
                dx[row * units + column + j] = delta[row * units + column + j] * slope[j]


cdef void batch_forward_columns(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *out
) noexcept nogil:
    cdef double[PIECE] total
    cdef floating *mean = <floating *>op.saved[0]
    cdef floating *variance = mean + op.units
    cdef const floating *x = <const floating *>op.x[0] + begin
    cdef floating[PIECE] center
    cdef double weight
    cdef int64_t row, j, n = end - begin
    if not has_statistics(pass_):
        memcpy(mean + begin, <const floating *>op.states[0] + begin, n * sizeof(floating))
        memcpy(variance + begin, <const floating *>op.states[1] + begin, n * sizeof(floating))
        normalize_columns(op, mean, variance, 0, pass_.rows, begin, n, out)
        return
    memset(total, 0, sizeof(total))
    for row in range(pass_.rows):
        weight = row_weight_of(pass_, row)
        for j in range(n):
            total[j] += weight * x[row * op.units + j]
    for j in range(n):
        center[j] = mean[begin + j] = <floating>(total[j] / pass_.total_weight)
    memset(total, 0, sizeof(total))
    for row in range(pass_.rows):
        weight = row_weight_of(pass_, row)
        for j in range(n):
            total[j] += weight * ((x[row * op.units + j] - center[j]) * (x[row * op.units + j] - center[j]))
    for j in range(n):
        variance[begin + j] = <floating>(total[j] / pass_.total_weight)
        # an infinite variance must lead to NaN: divided by infinity, all rows would become equal
        variance[begin + j] = variance[begin + j] if isfinite(variance[begin + j]) else <floating>NAN
    normalize_columns(op, mean, variance, 0, pass_.rows, begin, n, out)


cdef void batch_backward_columns(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *delta
) noexcept nogil:
    """dx := gamma / deviation (delta - w mean of delta - w normal mean of (delta normal)). w is the weight of the row,
    which its delta includes. (Ioffe and Szegedy, 2015.)
    """
    cdef double[PIECE] of_delta, of_product
    cdef floating[PIECE] center, scale, slope, mean_delta, mean_product
    cdef const floating *gamma = <const floating *>op.parameters[0]
    cdef const floating *mean = <const floating *>op.saved[0]
    cdef const floating *variance = mean + op.units
    cdef floating *dgamma = <floating *>op.saved[1]
    cdef floating *dbeta = dgamma + op.units
    cdef floating *dx = <floating *>op.dx[0]
    cdef floating epsilon = <floating>op.h[1]
    cdef floating weight
    cdef const floating *x
    cdef const floating *d
    cdef int64_t row, j, n = end - begin
    memset(of_delta, 0, sizeof(of_delta))
    memset(of_product, 0, sizeof(of_product))
    for j in range(n):
        center[j] = mean[begin + j]
        scale[j] = 1 / deviation(variance[begin + j] + epsilon)
    for row in range(pass_.rows):
        x = <const floating *>op.x[0] + row * op.units + begin
        d = delta + row * op.units + begin
        for j in range(n):
            of_delta[j] += d[j]
            of_product[j] += d[j] * ((x[j] - center[j]) * scale[j])
    for j in range(n):
        dbeta[begin + j] = <floating>of_delta[j]
        dgamma[begin + j] = <floating>of_product[j]
        # without statistics of the batch, mean and variance are constants
        mean_delta[j] = <floating>(of_delta[j] / pass_.total_weight) if has_statistics(pass_) else 0
        mean_product[j] = <floating>(of_product[j] / pass_.total_weight) if has_statistics(pass_) else 0
        slope[j] = scale[j] * (1 if gamma == NULL else gamma[begin + j])
    if dx == NULL:
        return
    dx += begin
    for row in range(pass_.rows):
        x = <const floating *>op.x[0] + row * op.units + begin
        d = delta + row * op.units + begin
        weight = <floating>row_weight_of(pass_, row)
        for j in range(n):
            dx[row * op.units + j] = slope[j] * (
                d[j] - weight * mean_delta[j] - (x[j] - center[j]) * scale[j] * (weight * mean_product[j])
            )


cdef void gradient_of_prediction(
    const cynn_operands *op, const cynn_pass *pass_, int64_t parameter, floating *grad
) noexcept nogil:
    """Σ delta normal, or Σ delta, if rows are normalized by the moving averages."""
    cdef double[PIECE] total
    cdef floating[PIECE] center, scale
    cdef const floating *mean = <const floating *>op.states[0]
    cdef const floating *variance = <const floating *>op.states[1]
    cdef floating epsilon = <floating>op.h[1]
    cdef const floating *x
    cdef const floating *d
    cdef int64_t piece, column, row, j, n
    for piece in range((op.units + PIECE - 1) // PIECE):
        column = piece * PIECE
        n = min(<int64_t>PIECE, op.units - column)
        memset(total, 0, sizeof(total))
        for j in range(n):
            center[j] = mean[column + j]
            scale[j] = 1 / deviation(variance[column + j] + epsilon)
        for row in range(pass_.rows):
            x = <const floating *>op.x[0] + row * op.units + column
            d = <const floating *>op.delta + row * op.units + column
            for j in range(n):
                total[j] += d[j] * ((x[j] - center[j]) * scale[j]) if parameter == 0 else d[j]
        for j in range(n):
            grad[column + j] = <floating>total[j]


cdef void batch_gradient(
    const cynn_operands *op, const cynn_pass *pass_, int64_t parameter, int64_t begin, int64_t end,
    floating *grad
) noexcept nogil:
    if pass_.training:
        memcpy(grad, <const floating *>op.saved[1] + parameter * op.units, op.units * sizeof(floating))
    else:
        gradient_of_prediction(op, pass_, parameter, grad)


cdef void batch_update_states(
    const cynn_operands *op, const cynn_pass *pass_, floating *const *states
) noexcept nogil:
    cdef floating momentum = <floating>op.h[0]
    cdef const floating *mean
    cdef const floating *variance
    cdef floating *moving_mean = states[0]
    cdef floating *moving_variance = states[1]
    cdef int64_t j
    if op.n_saved == 0 or not has_statistics(pass_):
        return  # the layer is frozen, or this batch has one row
    mean = <const floating *>op.saved[0]
    variance = mean + op.units
    for j in range(op.units):
        moving_mean[j] = without_subnormal(momentum * moving_mean[j] + (1 - momentum) * mean[j])
        moving_variance[j] = without_subnormal(momentum * moving_variance[j] + (1 - momentum) * variance[j])


# Layer norm and RMS norm. parameters: gamma, beta, each perhaps NULL; saved: the normalized rows, and
# 1 / deviation of each row; h: epsilon, and whether the mean is subtracted.

cdef inline floating part_sum(int64_t n, const floating *x, const floating *y, const floating *gamma) noexcept nogil:
    """Σ x y gamma; y and gamma may be NULL. Partial sums in a fixed order, independent of the compiler."""
    cdef floating[LANES] sums
    cdef floating total = 0
    cdef int64_t _, j
    for j in range(LANES):
        sums[j] = 0
    for _ in range(n // LANES):
        if y == NULL and gamma == NULL:
            for j in range(LANES):
                sums[j] += x[j]
        elif gamma == NULL:
            for j in range(LANES):
                sums[j] += x[j] * y[j]
        elif y == NULL:
            for j in range(LANES):
                sums[j] += x[j] * gamma[j]
        else:
            for j in range(LANES):
                sums[j] += x[j] * y[j] * gamma[j]
        x += LANES
        y = NULL if y == NULL else y + LANES
        gamma = NULL if gamma == NULL else gamma + LANES
    for j in range(n % LANES):
        sums[j] += x[j] * (1 if y == NULL else y[j]) * (1 if gamma == NULL else gamma[j])
    for j in range(LANES):
        total += sums[j]
    return total


cdef inline floating row_sum(int64_t n, const floating *x, const floating *y, const floating *gamma) noexcept nogil:
    """The same for a row of any length: no partial sum has more than PART / LANES terms in the dtype itself."""
    cdef double total = 0
    cdef int64_t part, begin
    if n <= PART:
        return part_sum[floating](n, x, y, gamma)
    for part in range((n + PART - 1) // PART):
        begin = part * PART
        total += part_sum[floating](
            min(<int64_t>PART, n - begin), x + begin, NULL if y == NULL else y + begin,
            NULL if gamma == NULL else gamma + begin
        )
    return <floating>total


cdef floating normalize_large_row(
    int64_t n, const floating *x, bint is_centered, double epsilon, floating *normal
) noexcept nogil:
    """Normalize a row whose sums or squares overflow: compute with x / largest, in double. Returns 1 / deviation."""
    cdef double largest = 1, mean = 0, squares = 0, scale  # fmax ignores NaN, so a row of NaN gives 1
    cdef int64_t j
    for j in range(n):
        largest = fmax(largest, fabs(x[j]))
    for j in range(n if is_centered else 0):
        mean += x[j] / largest / n
    for j in range(n):
        squares += (x[j] / largest - mean) * (x[j] / largest - mean) / n
    scale = 1 / deviation[double](squares + epsilon / largest / largest)
    for j in range(n):
        normal[j] = <floating>((x[j] / largest - mean) * scale)
    return <floating>(scale / largest)


cdef void row_forward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *out
) noexcept nogil:
    cdef int64_t row, j, units = op.units
    cdef const floating *gamma = <const floating *>op.parameters[0]
    cdef const floating *beta = <const floating *>op.parameters[1]
    cdef floating epsilon = <floating>op.h[0]
    cdef bint is_centered = op.h[1] != 0
    cdef floating mean, variance, scale
    cdef const floating *x
    cdef floating *normal
    for row in range(begin, end):
        x = <const floating *>op.x[0] + row * units
        # if nothing is saved, the memory of the output is used
        normal = (out if op.saved[0] == NULL else <floating *>op.saved[0]) + row * units
        mean = row_sum[floating](units, x, NULL, NULL) / units if is_centered else 0
        for j in range(units):
            normal[j] = x[j] - mean
        variance = row_sum[floating](units, normal, normal, NULL) / units
        if isfinite(variance):
            scale = 1 / deviation(variance + epsilon)
            for j in range(units):
                normal[j] *= scale
        else:
            scale = normalize_large_row(units, x, is_centered, op.h[0], normal)
        if op.saved[1] != NULL:
            (<floating *>op.saved[1])[row] = scale
        if gamma == NULL and beta == NULL:
            if normal != out + row * units:
                memcpy(out + row * units, normal, units * sizeof(floating))
            continue
        for j in range(units):
            out[row * units + j] = (
                normal[j] * (1 if gamma == NULL else gamma[j]) + (0 if beta == NULL else beta[j])
            )


cdef void row_backward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *delta
) noexcept nogil:
    """dx := (g - mean of g - normal mean of (g normal)) / deviation, with g = gamma delta (Ba et al., 2016)."""
    cdef int64_t row, j, units = op.units
    cdef const floating *gamma = <const floating *>op.parameters[0]
    cdef bint is_centered = op.h[1] != 0
    cdef floating mean, mean_product, scale
    cdef const floating *normal
    cdef const floating *d
    cdef floating *dx
    if op.dx[0] == NULL:
        return
    for row in range(begin, end):
        normal = <const floating *>op.saved[0] + row * units
        d = delta + row * units
        dx = <floating *>op.dx[0] + row * units
        scale = (<const floating *>op.saved[1])[row]
        mean = row_sum[floating](units, d, NULL, gamma) / units if is_centered else 0
        mean_product = row_sum[floating](units, d, normal, gamma) / units
        for j in range(units):
            dx[j] = scale * (d[j] * (1 if gamma == NULL else gamma[j]) - mean - normal[j] * mean_product)


cdef void row_gradient(
    const cynn_operands *op, const cynn_pass *pass_, int64_t parameter, int64_t begin, int64_t end,
    floating *grad
) noexcept nogil:
    sums_of_columns(
        pass_.rows, op.units, <const floating *>op.delta, <const floating *>op.saved[0] if parameter == 0 else NULL,
        grad
    )


# Directional derivatives. saved: the tangents of the normalized rows and of 1 / deviation.

cdef void row_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    floating *out
) noexcept nogil:
    """dnormal := scale (dx - mean of dx - normal mean of (normal dx)); dscale := -scale² mean of (normal dx)."""
    cdef int64_t row, j, units = op.units
    cdef const floating *gamma = <const floating *>op.parameters[0]
    cdef const floating *dgamma = <const floating *>tangents.parameters[0]
    cdef const floating *dbeta = <const floating *>tangents.parameters[1]
    cdef const floating *normal
    cdef const floating *dx
    cdef floating *dnormal
    cdef floating mean, mean_product, scale, moved
    cdef bint is_centered = op.h[1] != 0
    for row in range(begin, end):
        normal = <const floating *>op.saved[0] + row * units
        dnormal = <floating *>tangents.saved[0] + row * units
        scale = (<const floating *>op.saved[1])[row]
        dx = <const floating *>tangents.x[0] + row * units
        mean = row_sum[floating](units, dx, NULL, NULL) / units if is_centered else 0
        mean_product = row_sum[floating](units, dx, normal, NULL) / units
        (<floating *>tangents.saved[1])[row] = -scale * scale * mean_product
        for j in range(units):
            dnormal[j] = scale * (dx[j] - mean - normal[j] * mean_product)
            moved = dnormal[j] * (1 if gamma == NULL else gamma[j])
            if dgamma != NULL:
                moved += dgamma[j] * normal[j]
            out[row * units + j] = moved + (0 if dbeta == NULL else dbeta[j])


cdef void row_backward_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    const floating *ddelta
) noexcept nogil:
    """The tangent of dx := scale (g - mean of g - normal mean of (g normal)), g = gamma delta, by the product rule."""
    cdef int64_t row, j, units = op.units
    cdef const floating *gamma = <const floating *>op.parameters[0]
    cdef const floating *dgamma = <const floating *>tangents.parameters[0]
    cdef const floating *normal
    cdef const floating *dnormal
    cdef const floating *d
    cdef const floating *dd
    cdef floating *ddx
    cdef floating scale, dscale, mean, dmean, product, dproduct, g, dg
    cdef bint is_centered = op.h[1] != 0
    if tangents.dx[0] == NULL:
        return
    for row in range(begin, end):
        normal = <const floating *>op.saved[0] + row * units
        dnormal = <const floating *>tangents.saved[0] + row * units
        scale, dscale = (<const floating *>op.saved[1])[row], (<const floating *>tangents.saved[1])[row]
        d, dd = <const floating *>op.delta + row * units, ddelta + row * units
        ddx = <floating *>tangents.dx[0] + row * units
        mean = dmean = 0
        if is_centered:
            mean = row_sum[floating](units, d, NULL, gamma) / units
            dmean = row_sum[floating](units, dd, NULL, gamma) / units
            if dgamma != NULL:
                dmean += row_sum[floating](units, d, NULL, dgamma) / units
        product = row_sum[floating](units, d, normal, gamma) / units
        dproduct = (row_sum[floating](units, dd, normal, gamma) + row_sum[floating](units, d, dnormal, gamma)) / units
        if dgamma != NULL:
            dproduct += row_sum[floating](units, d, normal, dgamma) / units
        for j in range(units):
            g = d[j] * (1 if gamma == NULL else gamma[j])
            dg = dd[j] * (1 if gamma == NULL else gamma[j]) + (0 if dgamma == NULL else d[j] * dgamma[j])
            ddx[j] = (
                dscale * (g - mean - normal[j] * product)
                + scale * (dg - dmean - dnormal[j] * product - normal[j] * dproduct)
            )


cdef void row_gradient_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t parameter, int64_t begin,
    int64_t end, floating *grad
) noexcept nogil:
    """Σ ddelta normal + delta dnormal for gamma, Σ ddelta for beta."""
    cdef int64_t row, j, units = op.units
    cdef const floating *normal = <const floating *>op.saved[0]
    cdef const floating *dnormal = <const floating *>tangents.saved[0]
    cdef const floating *delta = <const floating *>op.delta
    cdef const floating *ddelta = <const floating *>tangents.delta
    cdef double total
    for j in range(units):
        total = 0
        for row in range(pass_.rows):
            if parameter == 1:
                total += ddelta[row * units + j]
            else:
                total += <double>ddelta[row * units + j] * normal[row * units + j]
                total += <double>delta[row * units + j] * dnormal[row * units + j]
        grad[j] = <floating>total


cdef cynn_operation batch
batch.forward_f32 = batch_forward[float]
batch.forward_f64 = batch_forward[double]
batch.backward_f32 = batch_backward[float]
batch.backward_f64 = batch_backward[double]
batch.jvp_f32 = batch_jvp[float]
batch.jvp_f64 = batch_jvp[double]
batch.backward_jvp_f32 = batch_backward_jvp[float]
batch.backward_jvp_f64 = batch_backward_jvp[double]
batch.gradient_jvp_f32 = batch_gradient_jvp[float]
batch.gradient_jvp_f64 = batch_gradient_jvp[double]
batch.forward_columns_f32 = batch_forward_columns[float]
batch.forward_columns_f64 = batch_forward_columns[double]
batch.backward_columns_f32 = batch_backward_columns[float]
batch.backward_columns_f64 = batch_backward_columns[double]
batch.gradient_f32 = batch_gradient[float]
batch.gradient_f64 = batch_gradient[double]
batch.update_states_f32 = batch_update_states[float]
batch.update_states_f64 = batch_update_states[double]

cdef cynn_operation by_row
by_row.forward_f32 = row_forward[float]
by_row.forward_f64 = row_forward[double]
by_row.backward_f32 = row_backward[float]
by_row.backward_f64 = row_backward[double]
by_row.gradient_f32 = row_gradient[float]
by_row.gradient_f64 = row_gradient[double]
by_row.jvp_f32 = row_jvp[float]
by_row.jvp_f64 = row_jvp[double]
by_row.backward_jvp_f32 = row_backward_jvp[float]
by_row.backward_jvp_f64 = row_backward_jvp[double]
by_row.gradient_jvp_f32 = row_gradient_jvp[float]
by_row.gradient_jvp_f64 = row_gradient_jvp[double]

#: The largest number of columns in one call of the kernels over columns.
COLUMN_PIECE = PIECE

KERNELS = {
    "batch": operation_capsule(&batch, CYNN_AFFINE_IN_X),
    "row": operation_capsule(&by_row, CYNN_IN_PLACE),
}
