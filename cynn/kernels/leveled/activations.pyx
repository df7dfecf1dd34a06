"""The built-in activations, each an ABI struct in a capsule, by name in `KERNELS`; with functions of vector_math.h."""

from libc.stdint cimport int64_t
from libc.string cimport memcpy

from cynn.abi cimport (
    CYNN_IN_PLACE,
    CYNN_NEEDS_A,
    CYNN_ROWWISE,
    activation_capsule,
    cynn_activation,
    floating,
)
from cynn cimport vector_math
from cynn.sums cimport softmax_gradient_jvp_of_rows, softmax_gradient_of_rows, softmax_of_rows


cdef void identity_forward(
    const double *h, int64_t rows, int64_t cols, const floating *z, floating *a
) noexcept nogil:
    cdef int64_t i
    for i in range(rows * cols):
        a[i] = z[i]


cdef void identity_backward(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, floating *grad
) noexcept nogil:
    pass


cdef void identity_backward_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, const floating *grad,
    const floating *dz, const floating *da, floating *dgrad
) noexcept nogil:
    pass


cdef void sigmoid_forward(
    const double *h, int64_t rows, int64_t cols, const floating *z, floating *a
) noexcept nogil:
    cdef int64_t i
    for i in range(rows * cols):
        a[i] = vector_math.sigmoid(z[i])


cdef void sigmoid_backward(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, floating *grad
) noexcept nogil:
    cdef int64_t i
    for i in range(rows * cols):
        grad[i] = grad[i] * a[i] * (1 - a[i])


cdef void sigmoid_backward_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, const floating *grad,
    const floating *dz, const floating *da, floating *dgrad
) noexcept nogil:
    cdef int64_t i
    for i in range(rows * cols):
        dgrad[i] = a[i] * (1 - a[i]) * dgrad[i] + (1 - 2 * a[i]) * da[i] * grad[i]


cdef void tanh_forward(
    const double *h, int64_t rows, int64_t cols, const floating *z, floating *a
) noexcept nogil:
    cdef int64_t i
    for i in range(rows * cols):
        a[i] = vector_math.tanh(z[i])


cdef void tanh_backward(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, floating *grad
) noexcept nogil:
    cdef int64_t i
    for i in range(rows * cols):
        grad[i] = grad[i] * (1 - a[i] * a[i])


cdef void tanh_backward_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, const floating *grad,
    const floating *dz, const floating *da, floating *dgrad
) noexcept nogil:
    cdef int64_t i
    for i in range(rows * cols):
        dgrad[i] = (1 - a[i] * a[i]) * dgrad[i] - 2 * a[i] * da[i] * grad[i]


cdef void relu_forward(
    const double *h, int64_t rows, int64_t cols, const floating *z, floating *a
) noexcept nogil:
    cdef int64_t i
    for i in range(rows * cols):
        a[i] = 0 if z[i] < 0 else z[i]  # keeps NaN


cdef void relu_backward(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, floating *grad
) noexcept nogil:
    cdef int64_t i
    for i in range(rows * cols):
        grad[i] = grad[i] if a[i] > 0 else 0


cdef void relu_backward_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, const floating *grad,
    const floating *dz, const floating *da, floating *dgrad
) noexcept nogil:
    relu_backward(h, rows, cols, z, a, dgrad)  # f'' = 0


# a has the sign of z, since the slope is positive.

cdef void leaky_relu_forward(
    const double *h, int64_t rows, int64_t cols, const floating *z, floating *a
) noexcept nogil:
    cdef int64_t i
    cdef floating negative_slope = <floating>h[0]
    for i in range(rows * cols):
        a[i] = z[i] * negative_slope if z[i] < 0 else z[i]


cdef void leaky_relu_backward(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, floating *grad
) noexcept nogil:
    cdef int64_t i
    cdef floating negative_slope = <floating>h[0]
    for i in range(rows * cols):
        grad[i] = grad[i] if a[i] > 0 else grad[i] * negative_slope


cdef void leaky_relu_backward_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, const floating *grad,
    const floating *dz, const floating *da, floating *dgrad
) noexcept nogil:
    leaky_relu_backward(h, rows, cols, z, a, dgrad)  # f'' = 0


cdef void softmax_forward(
    const double *h, int64_t rows, int64_t cols, const floating *z, floating *a
) noexcept nogil:
    softmax_of_rows(1, rows, cols, z, a)


cdef void softmax_backward(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, floating *grad
) noexcept nogil:
    softmax_gradient_of_rows(1, rows, cols, a, grad)


cdef void softmax_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, const floating *dz, floating *da
) noexcept nogil:
    memcpy(da, dz, rows * cols * sizeof(floating))
    softmax_gradient_of_rows(1, rows, cols, a, da)  # the derivative is symmetric


cdef void softmax_backward_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, const floating *grad,
    const floating *dz, const floating *da, floating *dgrad
) noexcept nogil:
    softmax_gradient_jvp_of_rows(1, rows, cols, a, grad, da, dgrad)


cdef cynn_activation identity
identity.forward_f32 = identity_forward[float]
identity.backward_f32 = identity_backward[float]
identity.forward_f64 = identity_forward[double]
identity.backward_f64 = identity_backward[double]
identity.backward_jvp_f32 = identity_backward_jvp[float]
identity.backward_jvp_f64 = identity_backward_jvp[double]

cdef cynn_activation sigmoid
sigmoid.forward_f32 = sigmoid_forward[float]
sigmoid.backward_f32 = sigmoid_backward[float]
sigmoid.forward_f64 = sigmoid_forward[double]
sigmoid.backward_f64 = sigmoid_backward[double]
sigmoid.backward_jvp_f32 = sigmoid_backward_jvp[float]
sigmoid.backward_jvp_f64 = sigmoid_backward_jvp[double]

cdef cynn_activation tanh
tanh.forward_f32 = tanh_forward[float]
tanh.backward_f32 = tanh_backward[float]
tanh.forward_f64 = tanh_forward[double]
tanh.backward_f64 = tanh_backward[double]
tanh.backward_jvp_f32 = tanh_backward_jvp[float]
tanh.backward_jvp_f64 = tanh_backward_jvp[double]

cdef cynn_activation relu
relu.forward_f32 = relu_forward[float]
relu.backward_f32 = relu_backward[float]
relu.forward_f64 = relu_forward[double]
relu.backward_f64 = relu_backward[double]
relu.backward_jvp_f32 = relu_backward_jvp[float]
relu.backward_jvp_f64 = relu_backward_jvp[double]

cdef cynn_activation leaky_relu
leaky_relu.forward_f32 = leaky_relu_forward[float]
leaky_relu.backward_f32 = leaky_relu_backward[float]
leaky_relu.forward_f64 = leaky_relu_forward[double]
leaky_relu.backward_f64 = leaky_relu_backward[double]
leaky_relu.backward_jvp_f32 = leaky_relu_backward_jvp[float]
leaky_relu.backward_jvp_f64 = leaky_relu_backward_jvp[double]

cdef cynn_activation softmax
softmax.forward_f32 = softmax_forward[float]
softmax.backward_f32 = softmax_backward[float]
softmax.forward_f64 = softmax_forward[double]
softmax.backward_f64 = softmax_backward[double]
softmax.jvp_f32 = softmax_jvp[float]
softmax.jvp_f64 = softmax_jvp[double]
softmax.backward_jvp_f32 = softmax_backward_jvp[float]
softmax.backward_jvp_f64 = softmax_backward_jvp[double]

KERNELS = {
    "identity": activation_capsule(&identity, CYNN_IN_PLACE),
    "sigmoid": activation_capsule(&sigmoid, CYNN_NEEDS_A | CYNN_IN_PLACE),
    "tanh": activation_capsule(&tanh, CYNN_NEEDS_A | CYNN_IN_PLACE),
    "relu": activation_capsule(&relu, CYNN_NEEDS_A | CYNN_IN_PLACE),
    "leaky_relu": activation_capsule(&leaky_relu, CYNN_NEEDS_A | CYNN_IN_PLACE),
    "softmax": activation_capsule(&softmax, CYNN_NEEDS_A | CYNN_ROWWISE | CYNN_IN_PLACE),
}
