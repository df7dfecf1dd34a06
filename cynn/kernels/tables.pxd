# Declares tables.h for Cython: the structs in which the kernels of one CPU level give their functions to the engine.
from libc.stdint cimport int32_t, int64_t

from cynn.abi cimport cynn_activation


cdef extern from "activation_calls.h" nogil:
    void activation_forward "cynn_activation_forward"(
        const cynn_activation *, const double *, int64_t, int64_t, const void *z, void *a
    ) noexcept
    void activation_backward "cynn_activation_backward"(
        const cynn_activation *, const double *, int64_t, int64_t, const void *z, const void *a, void *grad
    ) noexcept
    void activation_jvp "cynn_activation_jvp"(
        const cynn_activation *, const double *, int64_t, int64_t, const void *z, const void *a, const void *dz,
        void *da
    ) noexcept
    void activation_backward_jvp "cynn_activation_backward_jvp"(
        const cynn_activation *, const double *, int64_t, int64_t, const void *z, const void *a, const void *grad,
        const void *dz, const void *da, void *dgrad
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
        const int64_t *starts
        const int32_t *column_of
        int64_t first_column

    ctypedef struct Scaling "cynn_scaling":
        double scale
        double offset
        const double *scales
        const double *offsets

    const Scaling AS_IT_IS "cynn_as_it_is"

    ctypedef struct Categories "cynn_categories":
        int64_t column
        int64_t count

    ctypedef struct RowKernels "cynn_row_kernels":
        int64_t (*gather)(
            const Rows *, const int64_t *, int64_t, int64_t, const Scaling *, bint, void *
        ) noexcept nogil
        int64_t (*first_nonfinite_row)(const Rows *) noexcept nogil
        bint (*are_categories)(int64_t, const Categories *, int64_t, int64_t, const void *) noexcept nogil
        void (*one_hot)(const int64_t *, const int64_t *, int64_t, int64_t, void *) noexcept nogil
        void (*weigh)(const double *, const int64_t *, int64_t, double, void *) noexcept nogil

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
        double (*regularize)(int64_t, const void *, double, double, void *) noexcept nogil
        bint (*are_finite)(int64_t, const void *) noexcept nogil
        double (*norm)(int64_t, const void *) noexcept nogil
        void (*scale)(int64_t, double, void *) noexcept nogil
        void (*add)(int64_t, const void *, void *) noexcept nogil
        void (*clip)(int64_t, double, void *) noexcept nogil
        void (*average)(int64_t, const void *, double, void *) noexcept nogil
        void (*constrain)(ConstraintKind, double, int64_t, int64_t, int64_t, int64_t, void *) noexcept nogil

    ctypedef struct CurvatureTerm "cynn_curvature_term":
        const void *J
        const void *c
        int64_t width
        int64_t stride

    ctypedef struct DirectionKernels "cynn_direction_kernels":
        void (*multiply)(int64_t, int64_t, int64_t, const void *, const void *, int64_t, void *) noexcept nogil
        void (*add_curvature)(
            int64_t, int64_t, const CurvatureTerm *, int64_t, void *, int64_t
        ) noexcept nogil
        void (*add_diagonal)(
            int64_t, int64_t, const CurvatureTerm *, int64_t, void *, int64_t
        ) noexcept nogil

    # In C, these are void *, so that functions of both dtypes have the type of the table's field. In Cython, they have
    # the type of the elements, so that a function calls the kernel of its dtype.
    ctypedef float *FloatArray "cynn_array"
    ctypedef double *DoubleArray "cynn_array"
    ctypedef const float *ConstFloatArray "cynn_const_array"
    ctypedef const double *ConstDoubleArray "cynn_const_array"

    void set_row_kernels "cynn_set_row_kernels"(RowKernels *table, ...)
    void set_update_kernels "cynn_set_update_kernels"(UpdateKernels *table, ...)
    void set_direction_kernels "cynn_set_direction_kernels"(DirectionKernels *table, ...)

ctypedef fused Array:
    FloatArray
    DoubleArray

ctypedef fused ConstArray:
    ConstFloatArray
    ConstDoubleArray
