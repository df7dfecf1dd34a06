"""Activations in pieces, each a polynomial. A NaN fails every comparison and falls through as it is."""

from libc.stdint cimport int64_t

from cynn.abi cimport CYNN_IN_PLACE, CYNN_NEEDS_A, CYNN_NEEDS_Z, activation_capsule, cynn_activation, floating
from cynn_plugins.activations.curvature cimport add_curvature


cdef void relu6_forward(
    const double *h, int64_t rows, int64_t cols, const floating *z, floating *a
) noexcept nogil:
    cdef int64_t i
    for i in range(rows * cols):
        a[i] = 0 if z[i] < 0 else (6 if z[i] > 6 else z[i])


cdef void relu6_backward(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, floating *grad
) noexcept nogil:
    cdef int64_t i
    for i in range(rows * cols):
        grad[i] = grad[i] if a[i] > 0 and a[i] < 6 else 0


cdef void relu6_backward_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, const floating *grad,
    const floating *dz, const floating *da, floating *dgrad
) noexcept nogil:
    relu6_backward(h, rows, cols, z, a, dgrad)  # f'' = 0


cdef void hardtanh_forward(
    const double *h, int64_t rows, int64_t cols, const floating *z, floating *a
) noexcept nogil:
    cdef int64_t i
    cdef floating smallest = <floating>h[0]
    cdef floating largest = <floating>h[1]
    for i in range(rows * cols):
        a[i] = smallest if z[i] < smallest else (largest if z[i] > largest else z[i])


cdef void hardtanh_backward(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, floating *grad
) noexcept nogil:
    cdef int64_t i
    cdef floating smallest = <floating>h[0]
    cdef floating largest = <floating>h[1]
    for i in range(rows * cols):
        grad[i] = grad[i] if a[i] > smallest and a[i] < largest else 0


cdef void hardtanh_backward_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, const floating *grad,
    const floating *dz, const floating *da, floating *dgrad
) noexcept nogil:
    hardtanh_backward(h, rows, cols, z, a, dgrad)  # f'' = 0


cdef void hard_sigmoid_forward(
    const double *h, int64_t rows, int64_t cols, const floating *z, floating *a
) noexcept nogil:
    cdef int64_t i
    for i in range(rows * cols):
        a[i] = 0 if z[i] <= -3 else (1 if z[i] >= 3 else (z[i] + 3) / 6)


cdef void hard_sigmoid_backward(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, floating *grad
) noexcept nogil:
    cdef int64_t i
    for i in range(rows * cols):
        grad[i] = grad[i] / 6 if z[i] > -3 and z[i] < 3 else 0


cdef void hard_sigmoid_backward_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, const floating *grad,
    const floating *dz, const floating *da, floating *dgrad
) noexcept nogil:
    hard_sigmoid_backward(h, rows, cols, z, a, dgrad)  # f'' = 0


cdef void hard_swish_forward(
    const double *h, int64_t rows, int64_t cols, const floating *z, floating *a
) noexcept nogil:
    cdef int64_t i
    for i in range(rows * cols):
        a[i] = 0 if z[i] <= -3 else (z[i] if z[i] >= 3 else z[i] * (z[i] + 3) / 6)


cdef void hard_swish_backward(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, floating *grad
) noexcept nogil:
    cdef int64_t i
    for i in range(rows * cols):
        grad[i] = 0 if z[i] <= -3 else (grad[i] if z[i] >= 3 else grad[i] * (2 * z[i] + 3) / 6)


cdef double hard_swish_second(const double *h, double z, double a) noexcept nogil:
    return 1.0 / 3 if -3 < z < 3 else 0


cdef void hard_swish_backward_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, const floating *grad,
    const floating *dz, const floating *da, floating *dgrad
) noexcept nogil:
    hard_swish_backward(h, rows, cols, z, a, dgrad)
    add_curvature(hard_swish_second, h, rows * cols, z, a, grad, dz, dgrad)


cdef void squared_relu_forward(
    const double *h, int64_t rows, int64_t cols, const floating *z, floating *a
) noexcept nogil:
    cdef int64_t i
    for i in range(rows * cols):
        a[i] = 0 if z[i] < 0 else z[i] * z[i]


cdef void squared_relu_backward(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, floating *grad
) noexcept nogil:
    cdef int64_t i
    for i in range(rows * cols):
        grad[i] = 0 if z[i] < 0 else 2 * grad[i] * z[i]


cdef double squared_relu_second(const double *h, double z, double a) noexcept nogil:
    return 2 if z > 0 else 0


cdef void squared_relu_backward_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, const floating *grad,
    const floating *dz, const floating *da, floating *dgrad
) noexcept nogil:
    squared_relu_backward(h, rows, cols, z, a, dgrad)
    add_curvature(squared_relu_second, h, rows * cols, z, a, grad, dz, dgrad)


cdef void sparse_plus_forward(
    const double *h, int64_t rows, int64_t cols, const floating *z, floating *a
) noexcept nogil:
    cdef int64_t i
    for i in range(rows * cols):
        a[i] = 0 if z[i] <= -1 else (z[i] if z[i] >= 1 else (z[i] + 1) * (z[i] + 1) / 4)


cdef void sparse_plus_backward(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, floating *grad
) noexcept nogil:
    cdef int64_t i
    for i in range(rows * cols):
        grad[i] = 0 if z[i] <= -1 else (grad[i] if z[i] >= 1 else grad[i] * (z[i] + 1) / 2)


cdef double sparse_plus_second(const double *h, double z, double a) noexcept nogil:
    return 0.5 if -1 < z < 1 else 0


cdef void sparse_plus_backward_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, const floating *grad,
    const floating *dz, const floating *da, floating *dgrad
) noexcept nogil:
    sparse_plus_backward(h, rows, cols, z, a, dgrad)
    add_curvature(sparse_plus_second, h, rows * cols, z, a, grad, dz, dgrad)


# 0 * z: 0, or a NaN.

cdef void softshrink_forward(
    const double *h, int64_t rows, int64_t cols, const floating *z, floating *a
) noexcept nogil:
    cdef int64_t i
    cdef floating bound = <floating>h[0]
    for i in range(rows * cols):
        a[i] = z[i] - bound if z[i] > bound else (z[i] + bound if z[i] < -bound else 0 * z[i])


cdef void softshrink_backward(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, floating *grad
) noexcept nogil:
    cdef int64_t i
    for i in range(rows * cols):
        grad[i] = grad[i] if a[i] != 0 else 0


cdef void softshrink_backward_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, const floating *grad,
    const floating *dz, const floating *da, floating *dgrad
) noexcept nogil:
    softshrink_backward(h, rows, cols, z, a, dgrad)  # f'' = 0


cdef void hardshrink_forward(
    const double *h, int64_t rows, int64_t cols, const floating *z, floating *a
) noexcept nogil:
    cdef int64_t i
    cdef floating bound = <floating>h[0]
    for i in range(rows * cols):
        a[i] = z[i] if z[i] > bound or z[i] < -bound else 0 * z[i]


cdef void hardshrink_backward(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, floating *grad
) noexcept nogil:
    cdef int64_t i
    for i in range(rows * cols):
        grad[i] = grad[i] if a[i] != 0 else 0


cdef void hardshrink_backward_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, const floating *grad,
    const floating *dz, const floating *da, floating *dgrad
) noexcept nogil:
    hardshrink_backward(h, rows, cols, z, a, dgrad)  # f'' = 0


cdef void threshold_forward(
    const double *h, int64_t rows, int64_t cols, const floating *z, floating *a
) noexcept nogil:
    cdef int64_t i
    cdef floating bound = <floating>h[0]
    cdef floating value = <floating>h[1]
    for i in range(rows * cols):
        a[i] = value if z[i] <= bound else z[i]


cdef void threshold_backward(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, floating *grad
) noexcept nogil:
    cdef int64_t i
    cdef floating bound = <floating>h[0]
    for i in range(rows * cols):
        grad[i] = 0 if z[i] <= bound else grad[i]


cdef void threshold_backward_jvp(
    const double *h, int64_t rows, int64_t cols, const floating *z, const floating *a, const floating *grad,
    const floating *dz, const floating *da, floating *dgrad
) noexcept nogil:
    threshold_backward(h, rows, cols, z, a, dgrad)  # f'' = 0


cdef cynn_activation relu6
relu6.forward_f32 = relu6_forward[float]
relu6.backward_f32 = relu6_backward[float]
relu6.forward_f64 = relu6_forward[double]
relu6.backward_f64 = relu6_backward[double]
relu6.backward_jvp_f32 = relu6_backward_jvp[float]
relu6.backward_jvp_f64 = relu6_backward_jvp[double]

cdef cynn_activation hardtanh
hardtanh.forward_f32 = hardtanh_forward[float]
hardtanh.backward_f32 = hardtanh_backward[float]
hardtanh.forward_f64 = hardtanh_forward[double]
hardtanh.backward_f64 = hardtanh_backward[double]
hardtanh.backward_jvp_f32 = hardtanh_backward_jvp[float]
hardtanh.backward_jvp_f64 = hardtanh_backward_jvp[double]

cdef cynn_activation hard_sigmoid
hard_sigmoid.forward_f32 = hard_sigmoid_forward[float]
hard_sigmoid.backward_f32 = hard_sigmoid_backward[float]
hard_sigmoid.forward_f64 = hard_sigmoid_forward[double]
hard_sigmoid.backward_f64 = hard_sigmoid_backward[double]
hard_sigmoid.backward_jvp_f32 = hard_sigmoid_backward_jvp[float]
hard_sigmoid.backward_jvp_f64 = hard_sigmoid_backward_jvp[double]

cdef cynn_activation hard_swish
hard_swish.forward_f32 = hard_swish_forward[float]
hard_swish.backward_f32 = hard_swish_backward[float]
hard_swish.forward_f64 = hard_swish_forward[double]
hard_swish.backward_f64 = hard_swish_backward[double]
hard_swish.backward_jvp_f32 = hard_swish_backward_jvp[float]
hard_swish.backward_jvp_f64 = hard_swish_backward_jvp[double]

cdef cynn_activation squared_relu
squared_relu.forward_f32 = squared_relu_forward[float]
squared_relu.backward_f32 = squared_relu_backward[float]
squared_relu.forward_f64 = squared_relu_forward[double]
squared_relu.backward_f64 = squared_relu_backward[double]
squared_relu.backward_jvp_f32 = squared_relu_backward_jvp[float]
squared_relu.backward_jvp_f64 = squared_relu_backward_jvp[double]

cdef cynn_activation sparse_plus
sparse_plus.forward_f32 = sparse_plus_forward[float]
sparse_plus.backward_f32 = sparse_plus_backward[float]
sparse_plus.forward_f64 = sparse_plus_forward[double]
sparse_plus.backward_f64 = sparse_plus_backward[double]
sparse_plus.backward_jvp_f32 = sparse_plus_backward_jvp[float]
sparse_plus.backward_jvp_f64 = sparse_plus_backward_jvp[double]

cdef cynn_activation softshrink
softshrink.forward_f32 = softshrink_forward[float]
softshrink.backward_f32 = softshrink_backward[float]
softshrink.forward_f64 = softshrink_forward[double]
softshrink.backward_f64 = softshrink_backward[double]
softshrink.backward_jvp_f32 = softshrink_backward_jvp[float]
softshrink.backward_jvp_f64 = softshrink_backward_jvp[double]

cdef cynn_activation hardshrink
hardshrink.forward_f32 = hardshrink_forward[float]
hardshrink.backward_f32 = hardshrink_backward[float]
hardshrink.forward_f64 = hardshrink_forward[double]
hardshrink.backward_f64 = hardshrink_backward[double]
hardshrink.backward_jvp_f32 = hardshrink_backward_jvp[float]
hardshrink.backward_jvp_f64 = hardshrink_backward_jvp[double]

cdef cynn_activation threshold
threshold.forward_f32 = threshold_forward[float]
threshold.backward_f32 = threshold_backward[float]
threshold.forward_f64 = threshold_forward[double]
threshold.backward_f64 = threshold_backward[double]
threshold.backward_jvp_f32 = threshold_backward_jvp[float]
threshold.backward_jvp_f64 = threshold_backward_jvp[double]

KERNELS = {
    "relu6": activation_capsule(&relu6, CYNN_NEEDS_A | CYNN_IN_PLACE),
    "hardtanh": activation_capsule(&hardtanh, CYNN_NEEDS_A | CYNN_IN_PLACE),
    "hard_sigmoid": activation_capsule(&hard_sigmoid, CYNN_NEEDS_Z),
    "hard_swish": activation_capsule(&hard_swish, CYNN_NEEDS_Z),
    "squared_relu": activation_capsule(&squared_relu, CYNN_NEEDS_Z),
    "sparse_plus": activation_capsule(&sparse_plus, CYNN_NEEDS_Z),
    "softshrink": activation_capsule(&softshrink, CYNN_NEEDS_A | CYNN_IN_PLACE),
    "hardshrink": activation_capsule(&hardshrink, CYNN_NEEDS_A | CYNN_IN_PLACE),
    "threshold": activation_capsule(&threshold, CYNN_NEEDS_Z),
}
