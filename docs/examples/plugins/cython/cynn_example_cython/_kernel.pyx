"""The kernels. The rules for them are in cynn/abi.h."""

from libc.math cimport sqrt
from libc.stdint cimport int64_t

from cynn.abi cimport (
    CYNN_ELEMENTWISE,
    CYNN_NEEDS_Z,
    activation_capsule,
    cynn_activation,
    cynn_optimizer,
    floating,
    optimizer_capsule,
)


cdef void bent_identity_forward(
    const double *h, int64_t rows, int64_t cols,
    const floating *z, floating *a
) noexcept nogil:
    cdef int64_t i
    cdef floating half = <floating>(h[0] / 2)
    for i in range(rows * cols):
        a[i] = z[i] + half * (<floating>sqrt(z[i] * z[i] + 1) - 1)


cdef void bent_identity_backward(
    const double *h, int64_t rows, int64_t cols,
    const floating *z, const floating *a, floating *grad
) noexcept nogil:
    cdef int64_t i
    cdef floating half = <floating>(h[0] / 2), root
    for i in range(rows * cols):
        root = <floating>sqrt(z[i] * z[i] + 1)
        grad[i] = grad[i] * (1 + half * z[i] / root)


cdef cynn_activation bent_identity
bent_identity.forward_f32 = bent_identity_forward[float]
bent_identity.backward_f32 = bent_identity_backward[float]
bent_identity.forward_f64 = bent_identity_forward[double]
bent_identity.backward_f64 = bent_identity_backward[double]

# backward reads z
BENT_IDENTITY = activation_capsule(&bent_identity, CYNN_NEEDS_Z)


cdef void signum_step(
    const double *h, double learning_rate, int64_t t,
    int64_t rows, int64_t cols,
    floating *w, floating *grad, floating *const *slots
) noexcept nogil:
    cdef int64_t i
    cdef floating momentum = <floating>h[0]
    cdef floating rest = <floating>(1 - h[0])
    cdef floating rate = <floating>learning_rate
    cdef floating *v = slots[0]
    for i in range(rows * cols):
        v[i] = momentum * v[i] + rest * grad[i]
        if v[i] > 0:
            w[i] -= rate
        elif v[i] < 0:
            w[i] += rate
        else:
            w[i] -= 0 * v[i]  # nothing, or a NaN


cdef cynn_optimizer signum
signum.step_f32 = signum_step[float]
signum.step_f64 = signum_step[double]

SIGNUM = optimizer_capsule(&signum, CYNN_ELEMENTWISE, 1)  # one slot: v
