# The functions of each dtype. An engine selects one table of them when it is built.
from libc.stdint cimport int64_t

from cynn.abi cimport (
    cynn_activation,
    cynn_loss,
    cynn_operands,
    cynn_operation,
    cynn_optimizer,
    cynn_pass,
    cynn_tangents,
)
from cynn.kernels.tables cimport DirectionKernels, ElementKind, RowKernels, UpdateKernels


cdef extern from "dtype_table.h" nogil:
    ctypedef struct Dtype "cynn_dtype":
        ElementKind kind
        int64_t itemsize
        RowKernels rows
        UpdateKernels updates
        DirectionKernels directions
        void (*forward)(
            const cynn_operation *, const cynn_operands *, const cynn_pass *, int64_t, int64_t
        ) noexcept nogil
        void (*backward)(
            const cynn_operation *, const cynn_operands *, const cynn_pass *, int64_t, int64_t, void *
        ) noexcept nogil
        void (*forward_columns)(
            const cynn_operation *, const cynn_operands *, const cynn_pass *, int64_t, int64_t
        ) noexcept nogil
        void (*backward_columns)(
            const cynn_operation *, const cynn_operands *, const cynn_pass *, int64_t, int64_t, void *
        ) noexcept nogil
        void (*gradient)(
            const cynn_operation *, const cynn_operands *, const cynn_pass *, int64_t, int64_t, int64_t, void *
        ) noexcept nogil
        bint (*has_linear_step)(const cynn_operation *) noexcept nogil
        bint (*has_forward_columns)(const cynn_operation *) noexcept nogil
        bint (*has_backward_columns)(const cynn_operation *) noexcept nogil
        void (*linear_step)(
            const cynn_operation *, const cynn_operands *, const cynn_pass *, int64_t, int64_t, double, double, void *
        ) noexcept nogil
        void (*update_states)(const cynn_operation *, const cynn_operands *, const cynn_pass *) noexcept nogil
        bint (*has_jvp)(const cynn_operation *) noexcept nogil
        bint (*has_backward_jvp)(const cynn_operation *) noexcept nogil
        bint (*has_gradient_jvp)(const cynn_operation *) noexcept nogil
        void (*jvp)(
            const cynn_operation *, const cynn_operands *, const cynn_tangents *, const cynn_pass *, int64_t, int64_t
        ) noexcept nogil
        void (*backward_jvp)(
            const cynn_operation *, const cynn_operands *, const cynn_tangents *, const cynn_pass *, int64_t, int64_t
        ) noexcept nogil
        void (*gradient_jvp)(
            const cynn_operation *, const cynn_operands *, const cynn_tangents *, const cynn_pass *, int64_t, int64_t,
            int64_t, void *
        ) noexcept nogil
        bint (*has_activation_jvp)(const cynn_activation *) noexcept nogil
        bint (*has_activation_backward_jvp)(const cynn_activation *) noexcept nogil
        void (*activation_jvp)(
            const cynn_activation *, const double *, int64_t, int64_t, const void *, const void *, const void *, void *
        ) noexcept nogil
        void (*activation_backward_jvp)(
            const cynn_activation *, const double *, int64_t, int64_t, const void *, const void *, const void *,
            const void *, const void *, void *
        ) noexcept nogil
        bint (*has_loss_backward_jvp)(const cynn_loss *, bint) noexcept nogil
        void (*loss_backward_jvp)(
            const cynn_loss *, const double *, bint, int64_t, int64_t, const void *, const void *, const int64_t *,
            const void *, const void *, void *
        ) noexcept nogil
        void (*activation_forward)(
            const cynn_activation *, const double *, int64_t, int64_t, const void *, void *
        ) noexcept nogil
        void (*activation_backward)(
            const cynn_activation *, const double *, int64_t, int64_t, const void *, const void *, void *
        ) noexcept nogil
        double (*loss)(
            const cynn_loss *, const double *, bint, int64_t, int64_t, const void *, const void *, const int64_t *,
            const void *, void *
        ) noexcept nogil
        void (*optimizer_step)(
            const cynn_optimizer *, const double *, double, int64_t, int64_t, int64_t, int64_t, void *, void *,
            void *const *
        ) noexcept nogil


cdef const Dtype *dtype_named(str name) except NULL
cdef const Dtype *dtype_of(object array) except NULL


cdef inline void *at(const Dtype *dtype, const void *array, int64_t element) noexcept nogil:
    """The address of an element of an array of that dtype."""
    return <char *>array + element * dtype.itemsize


cdef inline double element_at(const Dtype *dtype, const void *array, int64_t element) noexcept nogil:
    return (<const float *>array)[element] if dtype.itemsize == 4 else (<const double *>array)[element]


cdef inline void set_element(const Dtype *dtype, void *array, int64_t element, double value) noexcept nogil:
    if dtype.itemsize == 4:
        (<float *>array)[element] = <float>value
    else:
        (<double *>array)[element] = value
