# What the kernels of one CPU level hand to the engine: structs of function pointers, in capsules.
from libc.stdint cimport int64_t


ctypedef enum ElementKind:
    UINT8
    FLOAT32
    FLOAT64


# A caller's matrix as it lies in memory; strides in bytes, of either sign.
ctypedef struct Rows:
    const char *data
    ElementKind kind
    int64_t rows
    int64_t columns
    int64_t row_stride
    int64_t column_stride


cdef extern from "ahead.h" nogil:
    # Rows index[0..rows) of a matrix, which a product asks memory for on the way; the rest is its own.
    ctypedef struct Ahead "cynn_ahead":
        const char *data
        const int64_t *index
        int64_t row_stride
        int64_t row_bytes
        int64_t rows
        const char *at
        const char *end


ctypedef struct RowKernels:
    # out (count x columns) := scale * source[index[0..count)] + offset. index NULL: rows 0..count.
    # Rows are prefetched up to `ahead` entries of index beyond count (-count: none). check_finite: returns the
    # place in index of the first row with a NaN or an infinity, and stops there; else, and for none, -1.
    int64_t (*gather_f32)(
        const Rows *source, const int64_t *index, int64_t count, int64_t ahead, double scale, double offset,
        bint check_finite, float *out
    ) noexcept nogil
    int64_t (*gather_f64)(
        const Rows *source, const int64_t *index, int64_t count, int64_t ahead, double scale, double offset,
        bint check_finite, double *out
    ) noexcept nogil
    # the first row with a NaN or an infinity, -1 for none
    int64_t (*first_nonfinite_row)(const Rows *source) noexcept nogil


ctypedef struct DenseKernels:
    # z (rows x units) := x W + b, with x (rows x inputs), W (inputs x units), b (units) or NULL;
    # ahead: what to fetch on the way, or NULL
    void (*forward_f32)(
        int64_t rows, int64_t inputs, int64_t units, const float *x, const float *W, const float *b,
        float *z, Ahead *ahead
    ) noexcept nogil
    void (*forward_f64)(
        int64_t rows, int64_t inputs, int64_t units, const double *x, const double *W, const double *b,
        double *z, Ahead *ahead
    ) noexcept nogil
    # dx (rows x inputs) := delta Wᵀ, with delta (rows x units) = dC/dz
    void (*backward_f32)(
        int64_t rows, int64_t inputs, int64_t units, const float *delta, const float *W, float *dx
    ) noexcept nogil
    void (*backward_f64)(
        int64_t rows, int64_t inputs, int64_t units, const double *delta, const double *W, double *dx
    ) noexcept nogil
    # dW (end - begin x units) := rows begin..end of xᵀ delta
    void (*weight_gradient_f32)(
        int64_t rows, int64_t inputs, int64_t units, int64_t begin, int64_t end, const float *x,
        const float *delta, float *dW, Ahead *ahead
    ) noexcept nogil
    void (*weight_gradient_f64)(
        int64_t rows, int64_t inputs, int64_t units, int64_t begin, int64_t end, const double *x,
        const double *delta, double *dW, Ahead *ahead
    ) noexcept nogil
    # rows begin..end of W := beta W + alpha xᵀ delta; W points to the first of them, scratch holds as much
    void (*weight_step_f32)(
        int64_t rows, int64_t inputs, int64_t units, int64_t begin, int64_t end, const float *x,
        const float *delta, double alpha, double beta, float *W, float *scratch, Ahead *ahead
    ) noexcept nogil
    void (*weight_step_f64)(
        int64_t rows, int64_t inputs, int64_t units, int64_t begin, int64_t end, const double *x,
        const double *delta, double alpha, double beta, double *W, double *scratch, Ahead *ahead
    ) noexcept nogil
    # db (units) := column sums of delta
    void (*bias_gradient_f32)(int64_t rows, int64_t units, const float *delta, float *db) noexcept nogil
    void (*bias_gradient_f64)(int64_t rows, int64_t units, const double *delta, double *db) noexcept nogil
