"""The affine map of a dense layer, z = x W + b, forward and backward.

Small and narrow products have their own kernel (small_product.h). Large ones use another (packed_product.h), or BLAS
if they have few rows. The choice depends only on the shapes, so the bits do too.
"""

from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset

from cynn.abi cimport (
    CYNN_DIVISIBLE,
    CYNN_PREFETCHES,
    CYNN_PROPAGATES_NONFINITE,
    cynn_operands,
    cynn_operation,
    cynn_pass,
    cynn_prefetch,
    floating,
    operation_capsule,
)
from cynn.kernels.blas cimport gemm, gemv
from cynn.sums cimport sums_of_columns

cdef extern from *:
    """
    #define T float
    #define NAME(x) x##_f32
    #define CYNN_ELEMENT_BYTES 4
    #include "transpose.h"
    #include "small_product.h"
    #include "packed_product.h"
    #undef T
    #undef NAME
    #undef CYNN_ELEMENT_BYTES
    #define T double
    #define NAME(x) x##_f64
    #define CYNN_ELEMENT_BYTES 8
    #include "transpose.h"
    #include "small_product.h"
    #include "packed_product.h"
    """
    void cynn_small_product_f32(
        int64_t m, int64_t n, int64_t k, const float *A, int64_t row_stride, int64_t k_stride, const float *B,
        int64_t ldb, const float *bias, float alpha, float beta, float *C, int64_t ldc,
        cynn_prefetch *prefetch
    ) noexcept nogil
    void cynn_small_product_f64(
        int64_t m, int64_t n, int64_t k, const double *A, int64_t row_stride, int64_t k_stride,
        const double *B, int64_t ldb, const double *bias, double alpha, double beta, double *C, int64_t ldc,
        cynn_prefetch *prefetch
    ) noexcept nogil
    bint cynn_packed_product_f32(
        int64_t m, int64_t n, int64_t k, const float *A, int64_t row_stride, int64_t k_stride, const float *B,
        int64_t row_stride_of_B, int64_t column_stride, const float *bias, float alpha, float beta, float *C,
        int64_t ldc, cynn_prefetch *prefetch
    ) noexcept nogil
    bint cynn_packed_product_f64(
        int64_t m, int64_t n, int64_t k, const double *A, int64_t row_stride, int64_t k_stride,
        const double *B, int64_t row_stride_of_B, int64_t column_stride, const double *bias, double alpha,
        double beta, double *C, int64_t ldc, cynn_prefetch *prefetch
    ) noexcept nogil
    void cynn_transpose_f32(
        int64_t rows, int64_t columns, const float *from_, int64_t from_stride, float *to, int64_t to_stride
    ) noexcept nogil
    void cynn_transpose_f64(
        int64_t rows, int64_t columns, const double *from_, int64_t from_stride, double *to, int64_t to_stride
    ) noexcept nogil
    int64_t cynn_lanes_f32
    int64_t cynn_lanes_f64

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


cdef inline bint is_whole(int64_t n, floating *type_) noexcept nogil:
    """Whether vectors cover n columns without overlap."""
    if floating is float:
        return n % cynn_lanes_f32 == 0
    else:
        return n % cynn_lanes_f64 == 0


cdef inline bint own_product(
    int64_t m, int64_t n, int64_t k, const floating *A, int64_t row_stride, int64_t k_stride,
    const floating *B, int64_t ldb, const floating *bias, floating alpha, floating beta, floating *C,
    cynn_prefetch *prefetch
) noexcept nogil:
    """C := alpha A.B + beta C, or A.B + bias, by our own kernel. Returns False if BLAS is faster."""
    if n == 1 and ldb == 1 and row_stride == 1 and bias == NULL and beta == 0:
        # B is a contiguous column, so it is also a row: vectors run along the columns of A
        return own_product(1, m, k, B, 0, 1, A, k_stride, bias, alpha, beta, C, prefetch)
    if is_small(n, k, sizeof(floating)):
        if floating is float:
            cynn_small_product_f32(m, n, k, A, row_stride, k_stride, B, ldb, bias, alpha, beta, C, n, prefetch)
        else:
            cynn_small_product_f64(m, n, k, A, row_stride, k_stride, B, ldb, bias, alpha, beta, C, n, prefetch)
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
    if floating is float:
        if cynn_packed_product_f32(
            m, n, k, A, row_stride, k_stride, B, row_stride_of_b, column_stride, bias, alpha, beta, C, ldc, prefetch
        ):
            return
    else:
        if cynn_packed_product_f64(
            m, n, k, A, row_stride, k_stride, B, row_stride_of_b, column_stride, bias, alpha, beta, C, ldc, prefetch
        ):
            return
    if bias != NULL:
        beta = 1
        fill_rows(m, n, bias, C, ldc)
    gemm[floating](not by_rows, transpose_b, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc)
    cynn_prefetch_rest(prefetch)


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
    elif not own_product(rows, units, inputs, x, inputs, 1, W, units, b, 1, 0, z, prefetch):
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
    cdef floating[TRANSPOSED] transposed
    cdef int64_t inputs = op.widths[0], units = op.units, rows = end - begin
    cdef const floating *W = <const floating *>op.parameters[0]
    cdef floating *dx = <floating *>op.dx[0]
    if dx == NULL:
        return
    dx += begin * inputs
    delta += begin * units
    if inputs * units <= TRANSPOSED:
        if floating is float:
            cynn_transpose_f32(units, inputs, W, units, transposed, inputs)
        else:
            cynn_transpose_f64(units, inputs, W, units, transposed, inputs)
        if own_product(rows, inputs, units, delta, units, 1, transposed, inputs, <floating *>NULL, 1, 0, dx, NULL):
            return
    large_product(
        rows, inputs, units, delta, units, 1, W, units, True, <floating *>NULL, 1, 0, dx, inputs, NULL
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


cdef void weight_gradient(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, floating *dW
) noexcept nogil:
    """Rows begin..end of xᵀ delta."""
    cdef int64_t inputs = op.widths[0], units = op.units, rows = pass_.rows
    cdef const floating *x = <const floating *>op.x[0]
    cdef const floating *delta = <const floating *>op.delta
    if not own_product(
        end - begin, units, rows, x + begin, 1, inputs, delta, units, <floating *>NULL, 1, 0, dW, pass_.prefetch
    ):
        large_product(
            end - begin, units, rows, x + begin, 1, inputs, delta, units, False, <floating *>NULL, 1, 0, dW, units,
            pass_.prefetch
        )


cdef void bias_gradient(const cynn_operands *op, const cynn_pass *pass_, floating *db) noexcept nogil:
    """Column sums of delta: the product of a row of ones and delta. Sums over many rows are computed in double."""
    cdef const floating *delta = <const floating *>op.delta
    cdef int64_t units = op.units
    cdef floating one = 1  # strides of 0 make a row of ones of it
    if pass_.rows <= SHORT_SUM and is_small(units, pass_.rows, sizeof(floating)):
        own_product(1, units, pass_.rows, &one, 0, 0, delta, units, <floating *>NULL, 1, 0, db, NULL)
    else:
        sums_of_columns(pass_.rows, units, delta, <const floating *>NULL, db)


cdef void gradient(
    const cynn_operands *op, const cynn_pass *pass_, int64_t parameter, int64_t begin, int64_t end,
    floating *grad
) noexcept nogil:
    if parameter == 0:
        weight_gradient(op, pass_, begin, end, grad)
    else:
        bias_gradient(op, pass_, grad)


cdef void linear_step(
    const cynn_operands *op, const cynn_pass *pass_, int64_t begin, int64_t end, double alpha, double beta,
    floating *scratch
) noexcept nogil:
    cdef int64_t inputs = op.widths[0], units = op.units, rows = pass_.rows
    cdef int64_t i
    cdef floating alpha_ = <floating>alpha, beta_ = <floating>beta
    cdef const floating *x = <const floating *>op.x[0]
    cdef const floating *delta = <const floating *>op.delta
    cdef floating *W = <floating *>op.parameters[0] + begin * units
    if beta_ == 0 or is_small(units, rows, sizeof(floating)) and not is_whole(units, <floating *>NULL):
        # a kernel that computes some columns twice must not add to them twice
        weight_gradient(op, pass_, begin, end, scratch)
        for i in range((end - begin) * units):
            W[i] = beta_ * W[i] + alpha_ * scratch[i]
    elif not own_product(
        end - begin, units, rows, x + begin, 1, inputs, delta, units, <floating *>NULL, alpha_, beta_, W,
        pass_.prefetch
    ):
        large_product(
            end - begin, units, rows, x + begin, 1, inputs, delta, units, False, <floating *>NULL, alpha_, beta_, W,
            units, pass_.prefetch
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

# NaN and infinity are propagated: 0 times either is NaN
KERNELS = {
    "affine": operation_capsule(&table, CYNN_PROPAGATES_NONFINITE | CYNN_DIVISIBLE | CYNN_PREFETCHES),
}
