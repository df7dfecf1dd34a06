/* Calls of an activation's functions, selected by the dtype of the array that they write. */
#ifndef CYNN_ACTIVATION_CALLS_H
#define CYNN_ACTIVATION_CALLS_H

#include <string.h>

#include "cynn/abi.h"

#define cynn_activation_forward(activation, h, rows, cols, z, a) \
    _Generic((a), float *: (activation)->forward_f32, double *: (activation)->forward_f64)(h, rows, cols, z, a)
#define cynn_activation_backward(activation, h, rows, cols, z, a, grad) \
    _Generic((grad), float *: (activation)->backward_f32, double *: (activation)->backward_f64)( \
        h, rows, cols, z, a, grad)
#define cynn_activation_jvp(activation, h, rows, cols, z, a, dz, da) \
    _Generic((da), float *: cynn_jvp_f32, double *: cynn_jvp_f64)(activation, h, rows, cols, z, a, dz, da)
#define cynn_activation_backward_jvp(activation, h, rows, cols, z, a, grad, dz, da, dgrad) \
    _Generic((dgrad), float *: (activation)->backward_jvp_f32, double *: (activation)->backward_jvp_f64)( \
        h, rows, cols, z, a, grad, dz, da, dgrad)

/* da, the tangent of a. Without jvp, the derivative is diagonal, and backward multiplies by it, too. */
#define CYNN_ACTIVATION_JVP(T, suffix) \
    static inline void cynn_jvp_##suffix(const cynn_activation *activation, const double *h, int64_t rows, \
                                         int64_t cols, const T *z, const T *a, const T *dz, T *da) \
    { \
        if (activation->jvp_##suffix) { \
            activation->jvp_##suffix(h, rows, cols, z, a, dz, da); \
            return; \
        } \
        memcpy(da, dz, (size_t)(rows * cols) * sizeof(T)); \
        activation->backward_##suffix(h, rows, cols, z, a, da); \
    }
CYNN_ACTIVATION_JVP(float, f32)
CYNN_ACTIVATION_JVP(double, f64)

#endif
