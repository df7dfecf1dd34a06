from libc.stdint cimport int64_t

from cynn.abi cimport cynn_optimizer, floating
from cynn.engine.kernel_object cimport KernelObject


cdef class OptimizerKernel(KernelObject):
    cdef cynn_optimizer functions
    cdef readonly int n_slots


cdef inline void step_on_piece(
    const cynn_optimizer *optimizer, const double *h, double learning_rate, int64_t t, int64_t rows,
    int64_t cols, floating *w, floating *grad, floating *const *slots
) noexcept nogil:
    if floating is float:
        optimizer.step_f32(h, learning_rate, t, rows, cols, w, grad, slots)
    else:
        optimizer.step_f64(h, learning_rate, t, rows, cols, w, grad, slots)
