# What the kernels of one CPU level hand to the engine: structs of function pointers, in capsules.
from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_New
from libc.stdint cimport int64_t, uint32_t, uint64_t

from cynn.abi cimport cynn_activation


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


cdef extern from "prefetch.h" nogil:
    # Rows index[0..rows) of a matrix, which a product asks memory for on the way; the rest is its own.
    ctypedef struct Prefetch "cynn_prefetch":
        const char *data
        const int64_t *index
        int64_t row_stride
        int64_t row_bytes
        int64_t rows
        const char *at
        const char *end


ctypedef struct RowKernels:
    # out (count x columns) := scale * source[index[0..count)] + offset, in double before it is narrowed, or as
    # exactly. index NULL: rows 0..count.
    # Rows are prefetched up to `ahead` entries of index beyond count (-count: none). check_finite: returns the
    # place in index of the first row with a NaN or an infinity in out, and stops there; else, and for none, -1.
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


cdef enum:
    MAX_PARAMETERS = 2
    MAX_STATES = 2
    MAX_SAVED = 3


# What is true of one pass through the network, for all of its operations.
ctypedef struct Pass:
    int64_t rows        # of the whole batch
    const double *row_weight   # how often each is there, for statistics over the batch; NULL: once
    double total_weight        # their sum
    bint training       # False: a prediction
    bint updates        # running averages move
    uint64_t seed       # the random numbers of a pass depend on these alone
    uint32_t epoch
    uint32_t step
    Prefetch *prefetch  # what to prefetch on the way, or NULL


# An operation of a network, as its kernels see it. Matrices have a row for each row of the batch.
ctypedef struct Op:
    int64_t n_inputs
    int64_t *widths                        # of each input
    int64_t units                          # of the output
    void **x                               # n_inputs matrices
    void **dx                              # dC/dx: where it goes, NULL where it is not wanted
    void *out
    void *delta                            # dC/dout
    void *parameters[MAX_PARAMETERS]      # NULL: it has none
    int64_t parameter_rows[MAX_PARAMETERS]
    int64_t parameter_columns[MAX_PARAMETERS]
    void *states[MAX_STATES]              # what training changes beside parameters: running averages
    void *saved[MAX_SAVED]                # what forward leaves for backward
    const double *h                        # hyperparameters
    uint32_t number                        # its own random numbers
    cynn_activation activation             # of those that have one
    const double *activation_h
    void *python                           # its methods are Python: the engine calls these instead
    const OpKernels *kernels


# The functions of a kind of operation. Those over rows see begin..end of the batch, those over columns
# begin..end of the output's columns (backward: of the first input's) for the whole batch. A kind has
# the first, the second, or both; backward may find op.dx the same as op.delta, where it says that it can.
ctypedef struct OpKernels:
    bint propagates_nonfinite   # a row of x with a NaN or an infinity makes a row of out with one
    bint is_divisible      # out is the sum of what parts of x's columns, with their rows of parameter 0, make
    void (*forward_f32)(const Op *, const Pass *, int64_t begin, int64_t end, float *out) noexcept nogil
    void (*forward_f64)(const Op *, const Pass *, int64_t begin, int64_t end, double *out) noexcept nogil
    void (*backward_f32)(const Op *, const Pass *, int64_t begin, int64_t end, float *delta) noexcept nogil
    void (*backward_f64)(const Op *, const Pass *, int64_t begin, int64_t end, double *delta) noexcept nogil
    void (*forward_columns_f32)(
        const Op *, const Pass *, int64_t begin, int64_t end, float *out
    ) noexcept nogil
    void (*forward_columns_f64)(
        const Op *, const Pass *, int64_t begin, int64_t end, double *out
    ) noexcept nogil
    void (*backward_columns_f32)(
        const Op *, const Pass *, int64_t begin, int64_t end, float *delta
    ) noexcept nogil
    void (*backward_columns_f64)(
        const Op *, const Pass *, int64_t begin, int64_t end, double *delta
    ) noexcept nogil
    # grad := rows begin..end of dC/dparameter, over the whole batch
    void (*gradient_f32)(
        const Op *, const Pass *, int64_t parameter, int64_t begin, int64_t end, float *grad
    ) noexcept nogil
    void (*gradient_f64)(
        const Op *, const Pass *, int64_t parameter, int64_t begin, int64_t end, double *grad
    ) noexcept nogil
    # Optional: rows begin..end of parameter 0 := beta parameter + alpha gradient; scratch holds as much.
    void (*linear_step_f32)(
        const Op *, const Pass *, int64_t begin, int64_t end, double alpha, double beta, float *scratch
    ) noexcept nogil
    void (*linear_step_f64)(
        const Op *, const Pass *, int64_t begin, int64_t end, double alpha, double beta, double *scratch
    ) noexcept nogil
    # Optional: move the states; once a batch that is trained on, when nothing in it has turned out not finite.
    void (*update_states_f32)(const Op *, const Pass *) noexcept nogil
    void (*update_states_f64)(const Op *, const Pass *) noexcept nogil


cdef inline object capsule(const OpKernels *kernels):
    return PyCapsule_New(<void *>kernels, "cynn.kernels.operation", NULL)


cdef inline const OpKernels *in_capsule(object capsule_) except NULL:
    return <const OpKernels *>PyCapsule_GetPointer(capsule_, "cynn.kernels.operation")


ctypedef enum ConstraintKind:
    UNCONSTRAINED
    MAX_NORM          # the norm of each column is at most `value`
    UNIT_NORM         # the norm of each column is `value`
    NON_NEGATIVE


ctypedef struct UpdateKernels:
    # grad += dP/dw for P = sum of l1 |w| + l2 w²; returns P
    double (*regularize_f32)(int64_t size, const float *w, double l1, double l2, float *grad) noexcept nogil
    double (*regularize_f64)(int64_t size, const double *w, double l1, double l2, double *grad) noexcept nogil
    bint (*are_finite_f32)(int64_t size, const float *x) noexcept nogil
    bint (*are_finite_f64)(int64_t size, const double *x) noexcept nogil
    double (*norm_f32)(int64_t size, const float *x) noexcept nogil
    double (*norm_f64)(int64_t size, const double *x) noexcept nogil
    void (*scale_f32)(int64_t size, double factor, float *x) noexcept nogil
    void (*scale_f64)(int64_t size, double factor, double *x) noexcept nogil
    void (*add_f32)(int64_t size, const float *x, float *total) noexcept nogil
    void (*add_f64)(int64_t size, const double *x, double *total) noexcept nogil
    # x := x, or the nearer of -limit and limit
    void (*clip_f32)(int64_t size, double limit, float *x) noexcept nogil
    void (*clip_f64)(int64_t size, double limit, double *x) noexcept nogil
    # mean := momentum mean + (1 - momentum) w
    void (*average_f32)(int64_t size, const float *w, double momentum, float *mean) noexcept nogil
    void (*average_f64)(int64_t size, const double *w, double momentum, double *mean) noexcept nogil
    # columns begin..end of a whole parameter
    void (*constrain_f32)(
        ConstraintKind kind, double value, int64_t rows, int64_t columns, int64_t begin, int64_t end, float *w
    ) noexcept nogil
    void (*constrain_f64)(
        ConstraintKind kind, double value, int64_t rows, int64_t columns, int64_t begin, int64_t end, double *w
    ) noexcept nogil
