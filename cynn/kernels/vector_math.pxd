# exp and tanh for loops that the compiler vectorizes, written once over float and double.
from cynn.abi cimport floating

cdef extern from "vector_math.h" nogil:
    float cynn_exp_f32(float) noexcept
    double cynn_exp_f64(double) noexcept
    float cynn_tanh_f32(float) noexcept
    double cynn_tanh_f64(double) noexcept


cdef inline floating exp(floating x) noexcept nogil:
    return cynn_exp_f32(x) if floating is float else cynn_exp_f64(x)


cdef inline floating tanh(floating x) noexcept nogil:
    return cynn_tanh_f32(x) if floating is float else cynn_tanh_f64(x)


cdef inline floating sigmoid(floating z) noexcept nogil:
    # exp(-z) overflows to infinity for very negative z, and 1 / (1 + infinity) is the right 0
    return 1 / (1 + exp(-z))
