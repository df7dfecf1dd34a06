/* The functions of an activation, of the dtype of what they write. */
#ifndef CYNN_ACTIVATION_CALLS_H
#define CYNN_ACTIVATION_CALLS_H

#define cynn_activation_forward(activation, h, rows, cols, z, a) \
    _Generic((a), float *: (activation)->forward_f32, double *: (activation)->forward_f64)(h, rows, cols, z, a)
#define cynn_activation_backward(activation, h, rows, cols, z, a, grad) \
    _Generic((grad), float *: (activation)->backward_f32, double *: (activation)->backward_f64)( \
        h, rows, cols, z, a, grad)

#endif
