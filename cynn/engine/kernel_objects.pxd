from libc.stdint cimport int64_t

from cynn.abi cimport cynn_activation, cynn_loss, cynn_optimizer, floating


cdef class KernelObject:
    cdef readonly object component
    cdef readonly bint is_python  # its methods work on NumPy arrays; there are no functions
    cdef readonly object values   # array('d') of hyperparameters: h points into it
    cdef double[::1] held         # these, as long as this lives
    cdef const double *h


cdef class ActivationKernel(KernelObject):
    cdef cynn_activation functions
    cdef int check_functions(self) except -1


cdef class LossKernel(KernelObject):
    cdef cynn_loss functions
    cdef int check_functions(self) except -1


cdef class OptimizerKernel(KernelObject):
    cdef cynn_optimizer functions
    cdef readonly int n_slots


# One call over both dtypes.

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


cdef inline void step_on_piece(
    const cynn_optimizer *optimizer, const double *h, double learning_rate, int64_t t, int64_t rows,
    int64_t cols, floating *w, floating *grad, floating *const *slots
) noexcept nogil:
    if floating is float:
        optimizer.step_f32(h, learning_rate, t, rows, cols, w, grad, slots)
    else:
        optimizer.step_f64(h, learning_rate, t, rows, cols, w, grad, slots)
