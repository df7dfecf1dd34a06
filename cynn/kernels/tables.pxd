# Declares tables.h for Cython: the structs that the kernels of one CPU level give to the engine, in capsules.
from libc.stdint cimport int64_t

from cynn.abi cimport cynn_activation


cdef extern from "activation_calls.h" nogil:
    void activation_forward "cynn_activation_forward"(
        const cynn_activation *, const double *, int64_t, int64_t, const void *z, void *a
    ) noexcept
    void activation_backward "cynn_activation_backward"(
        const cynn_activation *, const double *, int64_t, int64_t, const void *z, const void *a, void *grad
    ) noexcept


cdef extern from "tables.h" nogil:
    ctypedef enum ElementKind "cynn_element_kind":
        UINT8 "CYNN_UINT8"
        FLOAT32 "CYNN_FLOAT32"
        FLOAT64 "CYNN_FLOAT64"

    ctypedef struct Rows "cynn_rows":
        const char *data
        ElementKind kind
        int64_t rows
        int64_t columns
        int64_t row_stride
        int64_t column_stride

    ctypedef struct Categories "cynn_categories":
        int64_t column
        int64_t count

    ctypedef struct RowKernels "cynn_row_kernels":
        int64_t (*gather_f32)(
            const Rows *, const int64_t *, int64_t, int64_t, double, double, bint, float *
        ) noexcept nogil
        int64_t (*gather_f64)(
            const Rows *, const int64_t *, int64_t, int64_t, double, double, bint, double *
        ) noexcept nogil
        int64_t (*first_nonfinite_row)(const Rows *) noexcept nogil
        bint (*are_categories_f32)(int64_t, const Categories *, int64_t, int64_t, const float *) noexcept nogil
        bint (*are_categories_f64)(int64_t, const Categories *, int64_t, int64_t, const double *) noexcept nogil
        void (*one_hot_f32)(const int64_t *, const int64_t *, int64_t, int64_t, float *) noexcept nogil
        void (*one_hot_f64)(const int64_t *, const int64_t *, int64_t, int64_t, double *) noexcept nogil
        void (*weigh_f32)(const double *, const int64_t *, int64_t, double, float *) noexcept nogil
        void (*weigh_f64)(const double *, const int64_t *, int64_t, double, double *) noexcept nogil

    # The rows to prefetch during a product. The other fields are private.
    ctypedef struct Prefetch "cynn_prefetch":
        const char *data
        const int64_t *index
        int64_t row_stride
        int64_t row_bytes
        int64_t rows
        const char *at
        const char *end

    ctypedef enum ConstraintKind "cynn_constraint_kind":
        UNCONSTRAINED "CYNN_UNCONSTRAINED"
        MAX_NORM "CYNN_MAX_NORM"
        UNIT_NORM "CYNN_UNIT_NORM"
        NON_NEGATIVE "CYNN_NON_NEGATIVE"

    ctypedef struct UpdateKernels "cynn_update_kernels":
        double (*regularize_f32)(int64_t, const float *, double, double, float *) noexcept nogil
        double (*regularize_f64)(int64_t, const double *, double, double, double *) noexcept nogil
        bint (*are_finite_f32)(int64_t, const float *) noexcept nogil
        bint (*are_finite_f64)(int64_t, const double *) noexcept nogil
        double (*norm_f32)(int64_t, const float *) noexcept nogil
        double (*norm_f64)(int64_t, const double *) noexcept nogil
        void (*scale_f32)(int64_t, double, float *) noexcept nogil
        void (*scale_f64)(int64_t, double, double *) noexcept nogil
        void (*add_f32)(int64_t, const float *, float *) noexcept nogil
        void (*add_f64)(int64_t, const double *, double *) noexcept nogil
        void (*clip_f32)(int64_t, double, float *) noexcept nogil
        void (*clip_f64)(int64_t, double, double *) noexcept nogil
        void (*average_f32)(int64_t, const float *, double, float *) noexcept nogil
        void (*average_f64)(int64_t, const double *, double, double *) noexcept nogil
        void (*constrain_f32)(ConstraintKind, double, int64_t, int64_t, int64_t, int64_t, float *) noexcept nogil
        void (*constrain_f64)(ConstraintKind, double, int64_t, int64_t, int64_t, int64_t, double *) noexcept nogil
