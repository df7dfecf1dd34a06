# Cython's view of include/cynn/abi.h, for compiled plugins: from cynn.abi cimport cynn_activation, ...
from cpython.pycapsule cimport PyCapsule_New
from libc.stdint cimport int32_t, int64_t, uint16_t, uint32_t, uint64_t

ctypedef fused floating:
    float
    double

cdef extern from "cynn/abi.h" nogil:
    enum:
        CYNN_ABI_MAJOR
        CYNN_ABI_MINOR
        CYNN_NEEDS_Z
        CYNN_NEEDS_A
        CYNN_ROWWISE
        CYNN_IN_PLACE
        CYNN_ACTIVATION_FLAGS
        CYNN_CLASS_INDEX
        CYNN_LOSS_FLAGS
        CYNN_ELEMENTWISE
        CYNN_OPTIMIZER_FLAGS
        CYNN_PROPAGATES_NONFINITE
        CYNN_DIVISIBLE
        CYNN_GRADIENT_IN_PLACE
        CYNN_NEEDS_OUT
        CYNN_ONLY_TRAINING
        CYNN_PREFETCHES
        CYNN_AFFINE_IN_X
        CYNN_OPERATION_FLAGS
        CYNN_MAX_PARAMETERS
        CYNN_MAX_STATES
        CYNN_MAX_SAVED
        CYNN_MAX_SLOTS
        CYNN_MOST_SLOTS
        CYNN_ACTIVATION_SMALLEST_SIZE
        CYNN_LOSS_SMALLEST_SIZE
        CYNN_OPTIMIZER_SMALLEST_SIZE
        CYNN_OPERATION_SMALLEST_SIZE
    const char *CYNN_ACTIVATION_CAPSULE
    const char *CYNN_LOSS_CAPSULE
    const char *CYNN_OPTIMIZER_CAPSULE
    const char *CYNN_OPERATION_CAPSULE

    ctypedef struct cynn_abi_prefix:
        uint16_t abi_major
        uint16_t abi_minor
        uint32_t struct_size
        uint64_t flags

    ctypedef struct cynn_activation:
        uint16_t abi_major
        uint16_t abi_minor
        uint32_t struct_size
        uint64_t flags
        void (*forward_f32)(const double *, int64_t, int64_t, const float *, float *) noexcept nogil
        void (*backward_f32)(
            const double *, int64_t, int64_t, const float *, const float *, float *
        ) noexcept nogil
        void (*forward_f64)(const double *, int64_t, int64_t, const double *, double *) noexcept nogil
        void (*backward_f64)(
            const double *, int64_t, int64_t, const double *, const double *, double *
        ) noexcept nogil
        void (*jvp_f32)(
            const double *, int64_t, int64_t, const float *, const float *, const float *, float *
        ) noexcept nogil
        void (*jvp_f64)(
            const double *, int64_t, int64_t, const double *, const double *, const double *, double *
        ) noexcept nogil
        void (*backward_jvp_f32)(
            const double *, int64_t, int64_t, const float *, const float *, const float *, const float *,
            const float *, float *
        ) noexcept nogil
        void (*backward_jvp_f64)(
            const double *, int64_t, int64_t, const double *, const double *, const double *, const double *,
            const double *, double *
        ) noexcept nogil

    ctypedef struct cynn_loss:
        uint16_t abi_major
        uint16_t abi_minor
        uint32_t struct_size
        uint64_t flags
        double (*value_and_gradient_f32)(
            const double *, int64_t, int64_t, const float *, const float *, const int64_t *, const float *,
            float *
        ) noexcept nogil
        double (*value_and_gradient_f64)(
            const double *, int64_t, int64_t, const double *, const double *, const int64_t *, const double *,
            double *
        ) noexcept nogil
        const char *fuses_with
        double (*fused_value_and_gradient_f32)(
            const double *, int64_t, int64_t, const float *, const float *, const int64_t *, const float *,
            float *
        ) noexcept nogil
        double (*fused_value_and_gradient_f64)(
            const double *, int64_t, int64_t, const double *, const double *, const int64_t *, const double *,
            double *
        ) noexcept nogil
        void (*backward_jvp_f32)(
            const double *, int64_t, int64_t, const float *, const float *, const int64_t *, const float *,
            const float *, float *
        ) noexcept nogil
        void (*backward_jvp_f64)(
            const double *, int64_t, int64_t, const double *, const double *, const int64_t *, const double *,
            const double *, double *
        ) noexcept nogil
        void (*fused_backward_jvp_f32)(
            const double *, int64_t, int64_t, const float *, const float *, const int64_t *, const float *,
            const float *, float *
        ) noexcept nogil
        void (*fused_backward_jvp_f64)(
            const double *, int64_t, int64_t, const double *, const double *, const int64_t *, const double *,
            const double *, double *
        ) noexcept nogil

    ctypedef struct cynn_optimizer:
        uint16_t abi_major
        uint16_t abi_minor
        uint32_t struct_size
        uint64_t flags
        int64_t n_slots
        void (*step_f32)(
            const double *, double, int64_t, int64_t, int64_t, float *, float *, float *const *
        ) noexcept nogil
        void (*step_f64)(
            const double *, double, int64_t, int64_t, int64_t, double *, double *, double *const *
        ) noexcept nogil
        void (*linear_step)(const double *, double, int64_t, double *, double *) noexcept nogil

    ctypedef struct cynn_prefetch:
        pass

    ctypedef struct cynn_pass:
        uint32_t struct_size
        bint training
        bint updates
        uint32_t epoch
        uint32_t step
        uint64_t seed
        int64_t rows
        const double *row_weight
        double total_weight
        cynn_prefetch *prefetch

    ctypedef struct cynn_operands:
        uint32_t struct_size
        uint32_t number
        int64_t n_inputs
        const int64_t *widths
        int64_t units
        const void *const *x
        void *const *dx
        void *out
        void *delta
        int64_t n_parameters
        void *const *parameters
        const int64_t *parameter_rows
        const int64_t *parameter_columns
        int64_t n_states
        void *const *states
        int64_t n_saved
        void *const *saved
        int64_t n_h
        const double *h
        const cynn_activation *activation
        const double *activation_h

    ctypedef struct cynn_tangents:
        uint32_t struct_size
        const void *const *x
        const void *const *parameters
        void *out
        const void *delta
        void *const *dx
        void *const *saved

    ctypedef struct cynn_operation:
        uint16_t abi_major
        uint16_t abi_minor
        uint32_t struct_size
        uint64_t flags
        void (*forward_f32)(const cynn_operands *, const cynn_pass *, int64_t, int64_t, float *) noexcept nogil
        void (*forward_f64)(const cynn_operands *, const cynn_pass *, int64_t, int64_t, double *) noexcept nogil
        void (*backward_f32)(const cynn_operands *, const cynn_pass *, int64_t, int64_t, float *) noexcept nogil
        void (*backward_f64)(const cynn_operands *, const cynn_pass *, int64_t, int64_t, double *) noexcept nogil
        void (*gradient_f32)(
            const cynn_operands *, const cynn_pass *, int64_t, int64_t, int64_t, float *
        ) noexcept nogil
        void (*gradient_f64)(
            const cynn_operands *, const cynn_pass *, int64_t, int64_t, int64_t, double *
        ) noexcept nogil
        void (*forward_columns_f32)(
            const cynn_operands *, const cynn_pass *, int64_t, int64_t, float *
        ) noexcept nogil
        void (*forward_columns_f64)(
            const cynn_operands *, const cynn_pass *, int64_t, int64_t, double *
        ) noexcept nogil
        void (*backward_columns_f32)(
            const cynn_operands *, const cynn_pass *, int64_t, int64_t, float *
        ) noexcept nogil
        void (*backward_columns_f64)(
            const cynn_operands *, const cynn_pass *, int64_t, int64_t, double *
        ) noexcept nogil
        void (*linear_step_f32)(
            const cynn_operands *, const cynn_pass *, int64_t, int64_t, double, double, float *
        ) noexcept nogil
        void (*linear_step_f64)(
            const cynn_operands *, const cynn_pass *, int64_t, int64_t, double, double, double *
        ) noexcept nogil
        void (*update_states_f32)(const cynn_operands *, const cynn_pass *, float *const *) noexcept nogil
        void (*update_states_f64)(const cynn_operands *, const cynn_pass *, double *const *) noexcept nogil
        void (*jvp_f32)(
            const cynn_operands *, const cynn_tangents *, const cynn_pass *, int64_t, int64_t, float *
        ) noexcept nogil
        void (*jvp_f64)(
            const cynn_operands *, const cynn_tangents *, const cynn_pass *, int64_t, int64_t, double *
        ) noexcept nogil
        void (*backward_jvp_f32)(
            const cynn_operands *, const cynn_tangents *, const cynn_pass *, int64_t, int64_t, const float *
        ) noexcept nogil
        void (*backward_jvp_f64)(
            const cynn_operands *, const cynn_tangents *, const cynn_pass *, int64_t, int64_t, const double *
        ) noexcept nogil
        void (*gradient_jvp_f32)(
            const cynn_operands *, const cynn_tangents *, const cynn_pass *, int64_t, int64_t, int64_t, float *
        ) noexcept nogil
        void (*gradient_jvp_f64)(
            const cynn_operands *, const cynn_tangents *, const cynn_pass *, int64_t, int64_t, int64_t, double *
        ) noexcept nogil


# Operations that are linear in their inputs differentiate by their own functions, applied to tangents.
cdef inline cynn_operands of_tangents(const cynn_operands *op, const cynn_tangents *tangents) noexcept nogil:
    """The operands with the tangents in the place of the values."""
    cdef cynn_operands moved = op[0]
    moved.x, moved.dx, moved.out, moved.delta = tangents.x, tangents.dx, tangents.out, <void *>tangents.delta
    return moved


# Each of these writes the frozen prefix and wraps the struct, which must have static storage
# (a `cdef` variable of the module), in the capsule that a plugin's class names as its `kernel`.

cdef inline object activation_capsule(cynn_activation *kernel, uint64_t flags):
    _write_prefix(<cynn_abi_prefix *>kernel, sizeof(cynn_activation), flags)
    return PyCapsule_New(kernel, CYNN_ACTIVATION_CAPSULE, NULL)


cdef inline object loss_capsule(cynn_loss *kernel, uint64_t flags):
    _write_prefix(<cynn_abi_prefix *>kernel, sizeof(cynn_loss), flags)
    return PyCapsule_New(kernel, CYNN_LOSS_CAPSULE, NULL)


cdef inline object optimizer_capsule(cynn_optimizer *kernel, uint64_t flags, int64_t n_slots):
    _write_prefix(<cynn_abi_prefix *>kernel, sizeof(cynn_optimizer), flags)
    kernel.n_slots = n_slots
    return PyCapsule_New(kernel, CYNN_OPTIMIZER_CAPSULE, NULL)


cdef inline object operation_capsule(cynn_operation *kernel, uint64_t flags):
    _write_prefix(<cynn_abi_prefix *>kernel, sizeof(cynn_operation), flags)
    return PyCapsule_New(kernel, CYNN_OPERATION_CAPSULE, NULL)


cdef inline void _write_prefix(cynn_abi_prefix *prefix, uint32_t struct_size, uint64_t flags) noexcept:
    prefix.abi_major = CYNN_ABI_MAJOR
    prefix.abi_minor = CYNN_ABI_MINOR
    prefix.struct_size = struct_size
    prefix.flags = flags
