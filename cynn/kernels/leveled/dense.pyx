"""The affine map of a dense layer, z = x W + b, forward and backward.

Small and narrow products have a kernel of our own (small_product.h). So do those of few rows and a transposed matrix
(transposed_product.h). Large ones have a third (packed_product.h), or BLAS if they have few rows. The choice depends
only on the shapes, so the bits do too.
"""

from cpython.pycapsule cimport PyCapsule_New
from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset

from cynn.abi cimport (
    CYNN_ABI_MAJOR,
    CYNN_ABI_MINOR,
    CYNN_AFFINE_IN_X,
    CYNN_DIVISIBLE,
    CYNN_PREFETCHES,
    CYNN_PROPAGATES_NONFINITE,
    cynn_operands,
    cynn_operation,
    cynn_pass,
    cynn_prefetch,
    cynn_tangents,
    floating,
    operation_capsule,
)
from cynn.blas cimport CYNN_BLAS_CAPSULE, cynn_blas
from cynn.kernels.blas cimport can_multiply, gemm, gemv
from cynn.sums cimport sums_of_columns

cdef extern from *:
    """
    #define T float
    #define NAME(x) x##_f32
    #define CYNN_ELEMENT_BYTES 4
    #include "transpose.h"
    #include "small_product.h"
    #include "transposed_product.h"
    #include "packed_product.h"
    #undef T
    #undef NAME
    #undef CYNN_ELEMENT_BYTES
    #define T double
    #define NAME(x) x##_f64
    #define CYNN_ELEMENT_BYTES 8
    #include "transpose.h"
    #include "small_product.h"
    #include "transposed_product.h"
    #include "packed_product.h"

    /* of the dtype of the matrix that is written */
    #define cynn_of(name, out) _Generic((out), float *: name##_f32, double *: name##_f64)
    #define cynn_any_small_product(m, n, k, A, row_stride, k_stride, B, ldb, bias, alpha, beta, C, ldc, prefetch) \\
        cynn_of(cynn_small_product, C)(m, n, k, A, row_stride, k_stride, B, ldb, bias, alpha, beta, C, ldc, prefetch)
    #define cynn_any_packed_product(m, n, k, A, row_stride, k_stride, B, row_stride_of_B, column_stride, bias, alpha, \\
                                    beta, C, ldc, prefetch) \\
        cynn_of(cynn_packed_product, C)(m, n, k, A, row_stride, k_stride, B, row_stride_of_B, column_stride, bias, \\
                                        alpha, beta, C, ldc, prefetch)
    #define cynn_any_transposed_product(m, n, k, A, lda, B, ldb, C, ldc) \\
        cynn_of(cynn_transposed_product, C)(m, n, k, A, lda, B, ldb, C, ldc)
    #define cynn_any_transpose(rows, columns, from, from_stride, to, to_stride) \\
        cynn_of(cynn_transpose, to)(rows, columns, from, from_stride, to, to_stride)
    """
    void small_product "cynn_any_small_product"(
        int64_t m, int64_t n, int64_t k, const void *A, int64_t row_stride, int64_t k_stride, const void *B,
        int64_t ldb, const void *bias, double alpha, double beta, void *C, int64_t ldc, cynn_prefetch *prefetch
    ) noexcept nogil
    bint packed_product "cynn_any_packed_product"(
        int64_t m, int64_t n, int64_t k, const void *A, int64_t row_stride, int64_t k_stride, const void *B,
        int64_t row_stride_of_B, int64_t column_stride, const void *bias, double alpha, double beta, void *C,
        int64_t ldc, cynn_prefetch *prefetch
    ) noexcept nogil
    bint transposed_product "cynn_any_transposed_product"(
        int64_t m, int64_t n, int64_t k, const void *A, int64_t lda, const void *B, int64_t ldb, void *C, int64_t ldc
    ) noexcept nogil
    void transpose "cynn_any_transpose"(
        int64_t rows, int64_t columns, const void *from_, int64_t from_stride, void *to, int64_t to_stride
    ) noexcept nogil
    int64_t VECTOR_BYTES "CYNN_VECTOR_BYTES"

cdef extern from "prefetch.h" nogil:
    void cynn_prefetch_rest(cynn_prefetch *)

cdef enum:
    # Measured: up to this size the second factor stays in the L2 cache, and skipping BLAS's packing is faster.
    SMALL_BYTES = 1 << 20
    SMALL_COLUMNS = 512
    # Sums over more rows than this are computed in double.
    SHORT_SUM = 512
    # A W with at most this many elements is transposed on the stack for dx = delta Wᵀ.
    TRANSPOSED = 4096


cdef inline bint is_small(int64_t n, int64_t k, int64_t element_bytes) noexcept nogil:
    return n <= SMALL_COLUMNS and n * k * element_bytes <= SMALL_BYTES


cdef inline bint is_whole(int64_t n, int64_t element_bytes) noexcept nogil:
    """Whether vectors cover n columns without overlap."""
    return n * element_bytes % VECTOR_BYTES == 0


cdef inline bint own_product(
    int64_t m, int64_t n, int64_t k, const floating *A, int64_t row_stride, int64_t k_stride,
    const floating *B, int64_t ldb, const floating *bias, floating alpha, floating beta, floating *C, int64_t ldc,
    cynn_prefetch *prefetch
) noexcept nogil:
    """C := alpha A.B + beta C, or A.B + bias, by our own kernel. Returns False if BLAS is faster.

    With beta 0, alpha is taken as 1.
    """
    if n == 1 and ldb == 1 and ldc == 1 and row_stride == 1 and bias == NULL and beta == 0:
        # B is a contiguous column, so it is also a row: vectors run along the columns of A
        return own_product(1, m, k, B, 0, 1, A, k_stride, bias, alpha, beta, C, m, prefetch)
    # a kernel that computes some columns twice must not add to them twice
    if is_small(n, k, sizeof(floating)) and (beta == 0 or is_whole(n, sizeof(floating))):
        small_product(m, n, k, A, row_stride, k_stride, B, ldb, bias, alpha, beta, C, ldc, prefetch)
        return True
    return False


cdef inline void fill_rows(
    int64_t rows, int64_t units, const floating *b, floating *z, int64_t row_length
) noexcept nogil:
    """Initialize the rows of z with b, or with zeros if b is NULL."""
    cdef int64_t row
    for row in range(rows):
        if b == NULL:
            memset(z + row * row_length, 0, units * sizeof(floating))
        else:
            memcpy(z + row * row_length, b, units * sizeof(floating))


cdef inline void large_product(
    int64_t m, int64_t n, int64_t k, const floating *A, int64_t row_stride, int64_t k_stride,
    const floating *B, int64_t ldb, bint transpose_b, const floating *bias, floating alpha, floating beta,
    floating *C, int64_t ldc, cynn_prefetch *prefetch
) noexcept nogil:
    """C (m x n) := alpha A.op(B) + beta C, or A.op(B) + bias, where one of A's strides is 1."""
    cdef int64_t row_stride_of_b = 1 if transpose_b else ldb, column_stride = ldb if transpose_b else 1
    # If A is one row or one column, both strides may be 1, but BLAS requires a leading dimension that fits the matrix.
    cdef bint by_rows = k_stride == 1 and (m == 1 or row_stride >= k)
    cdef int64_t lda = (k if m == 1 else row_stride) if by_rows else (m if k == 1 else k_stride)
    if packed_product(
        m, n, k, A, row_stride, k_stride, B, row_stride_of_b, column_stride, bias, alpha, beta, C, ldc, prefetch
    ):
        return
    if bias != NULL:
        beta = 1
        fill_rows(m, n, bias, C, ldc)
    gemm[floating](not by_rows, transpose_b, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc)
    cynn_prefetch_rest(prefetch)


cdef inline void product(
    bint transpose_a, bint transpose_b, int64_t m, int64_t n, int64_t k, floating alpha, const floating *A,
    int64_t lda, const floating *B, int64_t ldb, floating beta, floating *C, int64_t ldc, cynn_prefetch *prefetch
) noexcept nogil:
    """C := alpha op(A).op(B) + beta C, by the fastest method for the shape."""
    cdef floating[TRANSPOSED] transposed
    cdef int64_t row_stride = 1 if transpose_a else lda, k_stride = lda if transpose_a else 1
    if alpha != 1 and beta == 0:  # kernels of our own would take alpha as 1
        gemm[floating](transpose_a, transpose_b, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc)
        cynn_prefetch_rest(prefetch)
        return
    if not transpose_b:
        if own_product(
            m, n, k, A, row_stride, k_stride, B, ldb, <floating *>NULL, alpha, beta, C, ldc, prefetch
        ):
            return
    elif n * k <= TRANSPOSED:
        transpose(k, n, B, ldb, transposed, n)
        if own_product(
            m, n, k, A, row_stride, k_stride, transposed, n, <floating *>NULL, alpha, beta, C, ldc, prefetch
        ):
            return
    elif not transpose_a and beta == 0 and transposed_product(m, n, k, A, lda, B, ldb, C, ldc):
        cynn_prefetch_rest(prefetch)
        return
    large_product(
        m, n, k, A, row_stride, k_stride, B, ldb, transpose_b, <floating *>NULL, alpha, beta, C, ldc, prefetch
    )


cdef inline void affine_rows(
    int64_t rows, int64_t inputs, int64_t units, const floating *x, const floating *W, const floating *b,
    floating *z, cynn_prefetch *prefetch
) noexcept nogil:
    """z (rows x units) := x W + b, with x (rows x inputs), W (inputs x units), b (units) or NULL."""
    if units == 1:
        fill_rows(rows, units, b, z, units)
        gemv[floating](False, rows, inputs, 1, x, inputs, W, 1, z)
    elif rows == 1 and not is_small(units, inputs, sizeof(floating)):
        fill_rows(rows, units, b, z, units)
        gemv[floating](True, inputs, units, 1, W, units, x, 1, z)
    elif not own_product(rows, units, inputs, x, inputs, 1, W, units, b, 1, 0, z, units, prefetch):
        large_product(rows, units, inputs, x, inputs, 1, W, units, False, b, 1, 0, z, units, prefetch)


cdef void forward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *out
) noexcept nogil:
    cdef int64_t inputs = op.widths[0]
    affine_rows(
        end - begin, inputs, op.units, <const floating *>op.x[0] + begin * inputs,
        <const floating *>op.parameters[0], <const floating *>op.parameters[1], out + begin * op.units,
        pass_.prefetch
    )


cdef void backward(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *delta
) noexcept nogil:
    """dx := delta Wᵀ."""
    cdef int64_t inputs = op.widths[0], units = op.units
    cdef floating *dx = <floating *>op.dx[0]
    if dx != NULL:
        product(
            False, True, end - begin, inputs, units, 1, delta + begin * units, units,
            <const floating *>op.parameters[0], units, 0, dx + begin * inputs, inputs, NULL
        )


cdef void forward_columns(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *out
) noexcept nogil:
    """Columns begin..end of z, from the same columns of W: a wide W is read once for the whole batch."""
    cdef int64_t inputs = op.widths[0], units = op.units
    cdef const floating *b = <const floating *>op.parameters[1]
    large_product(
        pass_.rows, end - begin, inputs, <const floating *>op.x[0], inputs, 1,
        <const floating *>op.parameters[0] + begin, units, False, NULL if b == NULL else b + begin, 1, 0,
        out + begin, units, pass_.prefetch
    )


cdef void backward_columns(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *delta
) noexcept nogil:
    """Columns begin..end of dx, from the same rows of W."""
    cdef int64_t inputs = op.widths[0], units = op.units
    if op.dx[0] != NULL:
        large_product(
            pass_.rows, end - begin, units, delta, units, 1, <const floating *>op.parameters[0] + begin * units,
            units, True, <floating *>NULL, 1, 0, <floating *>op.dx[0] + begin, inputs, NULL
        )


cdef inline void times_number(
    int64_t n, floating factor, const floating *delta, floating *out
) noexcept nogil:
    """out := factor * delta, with the bits of a sum that starts at 0: -0 becomes 0."""
    cdef int64_t j
    for j in range(n):
        out[j] = factor * delta[j] + 0


cdef void weight_gradient(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *dW
) noexcept nogil:
    """Rows begin..end of xᵀ delta."""
    cdef int64_t inputs = op.widths[0], units = op.units, i
    if pass_.rows == 1 and pass_.prefetch == NULL:  # as for a row of a Jacobian: no sum over rows
        if units == 1:
            times_number(end - begin, (<const floating *>op.delta)[0], <const floating *>op.x[0] + begin, dW)
            return
        for i in range(begin, end):
            times_number(units, (<const floating *>op.x[0])[i], <const floating *>op.delta, dW + (i - begin) * units)
        return
    product(
        True, False, end - begin, units, pass_.rows, 1, <const floating *>op.x[0] + begin, inputs,
        <const floating *>op.delta, units, 0, dW, units, pass_.prefetch
    )


cdef void bias_gradient(
    const cynn_operands *op, const cynn_pass *pass_, const floating *delta, floating *db
) noexcept nogil:
    """Column sums of delta: the product of a row of ones and delta. Sums over many rows are computed in double."""
    cdef int64_t units = op.units
    cdef floating one = 1  # with strides of 0, it is a row of ones
    if pass_.rows == 1:
        times_number(units, one, delta, db)
        return
    if pass_.rows <= SHORT_SUM and is_small(units, pass_.rows, sizeof(floating)):
        own_product(1, units, pass_.rows, &one, 0, 0, delta, units, <floating *>NULL, 1, 0, db, units, NULL)
    else:
        sums_of_columns(pass_.rows, units, delta, <const floating *>NULL, db)


cdef void gradient(
    const cynn_operands *op, const cynn_pass *pass_, int64_t parameter, int64_t begin, int64_t end,
    floating *grad
) noexcept nogil:
    if parameter == 0:
        weight_gradient(op, pass_, begin, end, grad)
    else:
        bias_gradient(op, pass_, <const floating *>op.delta, grad)


cdef void linear_step(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, double alpha, double beta,
    floating *scratch
) noexcept nogil:
    cdef int64_t inputs = op.widths[0], units = op.units, rows = pass_.rows
    cdef int64_t i
    cdef floating alpha_ = <floating>alpha, beta_ = <floating>beta
    cdef floating *W = <floating *>op.parameters[0] + begin * units
    if beta_ == 0 or is_small(units, rows, sizeof(floating)) and not is_whole(units, sizeof(floating)):
        # a kernel that computes some columns twice must not add to them twice
        weight_gradient(op, pass_, begin, end, scratch)
        for i in range((end - begin) * units):
            W[i] = beta_ * W[i] + alpha_ * scratch[i]
    else:
        product(
            True, False, end - begin, units, rows, alpha_, <const floating *>op.x[0] + begin, inputs,
            <const floating *>op.delta, units, beta_, W, units, pass_.prefetch
        )


# Directional derivatives, by the product rule. The tangent of W is NULL if only the inputs move.

cdef void jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    floating *out
) noexcept nogil:
    """dx W + x dW + db."""
    cdef int64_t inputs = op.widths[0], units = op.units, rows = end - begin
    cdef const floating *dW = <const floating *>tangents.parameters[0]
    out += begin * units
    affine_rows(
        rows, inputs, units, <const floating *>tangents.x[0] + begin * inputs, <const floating *>op.parameters[0],
        <const floating *>tangents.parameters[1], out, NULL
    )
    if dW != NULL:
        product(
            False, False, rows, units, inputs, 1, <const floating *>op.x[0] + begin * inputs, inputs, dW, units, 1,
            out, units, NULL
        )


cdef void backward_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t begin, int64_t end,
    const floating *ddelta
) noexcept nogil:
    """ddelta Wᵀ + delta dWᵀ."""
    cdef int64_t inputs = op.widths[0], units = op.units, rows = end - begin
    cdef const floating *dW = <const floating *>tangents.parameters[0]
    cdef floating *ddx = <floating *>tangents.dx[0]
    if ddx == NULL:
        return
    ddx += begin * inputs
    product(
        False, True, rows, inputs, units, 1, ddelta + begin * units, units, <const floating *>op.parameters[0],
        units, 0, ddx, inputs, NULL
    )
    if dW != NULL:
        product(
            False, True, rows, inputs, units, 1, <const floating *>op.delta + begin * units, units, dW, units, 1, ddx,
            inputs, NULL
        )


cdef void gradient_jvp(
    const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass_, int64_t parameter, int64_t begin,
    int64_t end, floating *grad
) noexcept nogil:
    """xᵀ ddelta + dxᵀ delta."""
    cdef int64_t inputs = op.widths[0], units = op.units
    if parameter == 1:
        bias_gradient(op, pass_, <const floating *>tangents.delta, grad)
        return
    product(
        True, False, end - begin, units, pass_.rows, 1, <const floating *>op.x[0] + begin, inputs,
        <const floating *>tangents.delta, units, 0, grad, units, NULL
    )
    product(
        True, False, end - begin, units, pass_.rows, 1, <const floating *>tangents.x[0] + begin, inputs,
        <const floating *>op.delta, units, 1, grad, units, NULL
    )


cdef cynn_operation table
table.forward_f32 = forward[float]
table.forward_f64 = forward[double]
table.backward_f32 = backward[float]
table.backward_f64 = backward[double]
table.forward_columns_f32 = forward_columns[float]
table.forward_columns_f64 = forward_columns[double]
table.backward_columns_f32 = backward_columns[float]
table.backward_columns_f64 = backward_columns[double]
table.gradient_f32 = gradient[float]
table.gradient_f64 = gradient[double]
table.linear_step_f32 = linear_step[float]
table.linear_step_f64 = linear_step[double]
table.jvp_f32 = jvp[float]
table.jvp_f64 = jvp[double]
table.backward_jvp_f32 = backward_jvp[float]
table.backward_jvp_f64 = backward_jvp[double]
table.gradient_jvp_f32 = gradient_jvp[float]
table.gradient_jvp_f64 = gradient_jvp[double]

# NaN and infinity are propagated: 0 times either is NaN
KERNELS = {
    "affine": operation_capsule(
        &table, CYNN_PROPAGATES_NONFINITE | CYNN_DIVISIBLE | CYNN_PREFETCHES | CYNN_AFFINE_IN_X
    ),
}


# The functions for plugins: the products above, with checks of their arguments.

cdef void checked_product(
    int transpose_a, int transpose_b, int64_t m, int64_t n, int64_t k, floating alpha, const floating *A, int64_t lda,
    const floating *B, int64_t ldb, floating beta, floating *C, int64_t ldc, cynn_prefetch *prefetch
) noexcept nogil:
    if can_multiply(transpose_a, transpose_b, m, n, k, A, lda, B, ldb, C, ldc) and m > 0 and n > 0:
        product(transpose_a, transpose_b, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc, prefetch)


cdef void checked_affine(
    int64_t rows, int64_t inputs, int64_t units, const floating *x, const floating *W, const floating *b, floating *z,
    cynn_prefetch *prefetch
) noexcept nogil:
    if can_multiply(False, False, rows, units, inputs, x, inputs, W, units, z, units) and rows > 0:
        affine_rows(rows, inputs, units, x, W, b, z, prefetch)


cdef void checked_gemv(
    int transpose_a, int64_t m, int64_t n, floating alpha, const floating *A, int64_t lda, const floating *x,
    floating beta, floating *y
) noexcept nogil:
    gemv(transpose_a, m, n, alpha, A, lda, x, beta, y)


cdef cynn_blas functions
functions.abi_major, functions.abi_minor, functions.struct_size = CYNN_ABI_MAJOR, CYNN_ABI_MINOR, sizeof(cynn_blas)
functions.gemm_f32 = checked_product[float]
functions.gemm_f64 = checked_product[double]
functions.affine_f32 = checked_affine[float]
functions.affine_f64 = checked_affine[double]
functions.gemv_f32 = checked_gemv[float]
functions.gemv_f64 = checked_gemv[double]

#: The functions for plugins. `noise.add_random_numbers` adds those for random numbers.
BLAS = PyCapsule_New(&functions, CYNN_BLAS_CAPSULE, NULL)
