# Functions for loops that the compiler vectorizes, for float and double. Plugins use them by
# `from cynn cimport vector_math`. Accuracy and conditions are in include/cynn/vector_math.h.
from libc.math cimport cos as libm_cos
from libc.math cimport cosf as libm_cosf
from libc.math cimport sin as libm_sin
from libc.math cimport sinf as libm_sinf
from libc.math cimport sqrt as libm_sqrt
from libc.math cimport sqrtf as libm_sqrtf
from libc.stdint cimport int64_t

from cynn.abi cimport floating

cdef extern from "cynn/vector_math.h" nogil:
    float cynn_exp_f32(float) noexcept
    double cynn_exp_f64(double) noexcept
    float cynn_expm1_f32(float) noexcept
    double cynn_expm1_f64(double) noexcept
    float cynn_log_f32(float) noexcept
    double cynn_log_f64(double) noexcept
    float cynn_log1p_f32(float) noexcept
    double cynn_log1p_f64(double) noexcept
    float cynn_tanh_f32(float) noexcept
    double cynn_tanh_f64(double) noexcept
    float cynn_erf_f32(float) noexcept
    double cynn_erf_f64(double) noexcept
    float cynn_erfc_f32(float) noexcept
    double cynn_erfc_f64(double) noexcept
    float cynn_sin_f32(float) noexcept
    double cynn_sin_f64(double) noexcept
    float cynn_cos_f32(float) noexcept
    double cynn_cos_f64(double) noexcept
    const float CYNN_FAR_F32
    const double CYNN_FAR_F64
    int cynn_nonfinite_f32(float) noexcept
    int cynn_nonfinite_f64(double) noexcept


cdef inline floating exp(floating x) noexcept nogil:
    return cynn_exp_f32(x) if floating is float else cynn_exp_f64(x)


cdef inline floating expm1(floating x) noexcept nogil:
    return cynn_expm1_f32(x) if floating is float else cynn_expm1_f64(x)


cdef inline floating log(floating x) noexcept nogil:
    return cynn_log_f32(x) if floating is float else cynn_log_f64(x)


cdef inline floating log1p(floating x) noexcept nogil:
    return cynn_log1p_f32(x) if floating is float else cynn_log1p_f64(x)


cdef inline floating tanh(floating x) noexcept nogil:
    return cynn_tanh_f32(x) if floating is float else cynn_tanh_f64(x)


cdef inline floating erf(floating x) noexcept nogil:
    return cynn_erf_f32(x) if floating is float else cynn_erf_f64(x)


cdef inline floating erfc(floating x) noexcept nogil:
    return cynn_erfc_f32(x) if floating is float else cynn_erfc_f64(x)


cdef inline floating sin(floating x) noexcept nogil:
    return cynn_sin_f32(x) if floating is float else cynn_sin_f64(x)


cdef inline floating cos(floating x) noexcept nogil:
    return cynn_cos_f32(x) if floating is float else cynn_cos_f64(x)


cdef inline bint is_far(floating x) noexcept nogil:
    # too large for the range reduction of sin and cos, or NaN
    cdef floating far = CYNN_FAR_F32 if floating is float else CYNN_FAR_F64
    return not absolute(x) <= far


# out := sin(scale x), for numbers of any size
cdef inline void sines(int64_t n, floating scale, const floating *x, floating *out) noexcept nogil:
    cdef int64_t i
    cdef int any_far = 0
    for i in range(n):
        any_far |= is_far(scale * x[i])
        out[i] = sin(scale * x[i])
    if any_far:
        for i in range(n):
            if is_far(scale * x[i]):
                out[i] = libm_sinf(scale * x[i]) if floating is float else libm_sin(scale * x[i])


# out := cos(scale x), likewise
cdef inline void cosines(int64_t n, floating scale, const floating *x, floating *out) noexcept nogil:
    cdef int64_t i
    cdef int any_far = 0
    for i in range(n):
        any_far |= is_far(scale * x[i])
        out[i] = cos(scale * x[i])
    if any_far:
        for i in range(n):
            if is_far(scale * x[i]):
                out[i] = libm_cosf(scale * x[i]) if floating is float else libm_cos(scale * x[i])


cdef inline int nonfinite(floating x) noexcept nogil:
    return cynn_nonfinite_f32(x) if floating is float else cynn_nonfinite_f64(x)


cdef inline floating sigmoid(floating z) noexcept nogil:
    # exp(-z) overflows to infinity for very negative z, and 1 / (1 + infinity) is the right 0
    return 1 / (1 + exp(-z))


cdef inline floating softplus(floating z) noexcept nogil:
    # log(1 + exp(z)) = max(z, 0) + log(1 + exp(-|z|)), which does not overflow
    return (0 if z < 0 else z) + log1p(exp(-z if z > 0 else z))


cdef inline floating sqrt(floating x) noexcept nogil:
    return libm_sqrtf(x) if floating is float else libm_sqrt(x)


cdef inline floating absolute(floating x) noexcept nogil:
    return -x if x < 0 else x
