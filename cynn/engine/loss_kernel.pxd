from libc.stdint cimport int64_t

from cynn.abi cimport cynn_loss, floating
from cynn.engine.kernel_object cimport KernelObject


cdef class LossKernel(KernelObject):
    cdef cynn_loss functions
    cdef int check_functions(self) except -1


cdef inline double loss_of_rows(
    const cynn_loss *loss, const double *h, bint fused, int64_t rows, int64_t cols,
    const floating *prediction, const floating *target, const int64_t *class_index,
    const floating *sample_weight, floating *grad
) noexcept nogil:
    if floating is float:
        if fused:
            return loss.fused_value_and_gradient_f32(
                h, rows, cols, prediction, target, class_index, sample_weight, grad
            )
        return loss.value_and_gradient_f32(
            h, rows, cols, prediction, target, class_index, sample_weight, grad
        )
    else:
        if fused:
            return loss.fused_value_and_gradient_f64(
                h, rows, cols, prediction, target, class_index, sample_weight, grad
            )
        return loss.value_and_gradient_f64(
            h, rows, cols, prediction, target, class_index, sample_weight, grad
        )
