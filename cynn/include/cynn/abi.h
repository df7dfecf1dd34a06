/* The plugin ABI of CyNN, in plain C: no Python.h, no library to link.
 *
 * A plugin fills one of the structs below (static storage: it must outlive the process's use of
 * it) and hands CyNN its address in a PyCapsule of the given name, or as an integer.
 *
 * Rules for every kernel
 *   - It is called without the GIL, on any thread, from several threads at once: no static or
 *     global state may be written, no Python may be called, no exception or longjmp may leave it.
 *   - Matrices are C-contiguous rows: element (row, column) is at [row * cols + column].
 *     rows may be 0. CyNN owns every array; a kernel keeps no pointer after it returns.
 *   - It writes nothing but the arrays named as output, and no byte outside rows * cols elements.
 *   - The same input gives the same bits.
 *   - `h` are the hyperparameters, in the order in which the plugin's class declares them
 *     (NULL when it declares none).
 *   - A kernel for a dtype that is not offered is NULL; CyNN says so when a network of that dtype
 *     is composed.
 *
 * Versions
 *   The first 16 bytes (`cynn_abi_prefix`) never change. abi_major must be equal on both sides.
 *   Within one major version fields are only appended; a reader looks at a field only when
 *   struct_size covers it, so older plugins run on a newer CyNN and newer ones on an older CyNN.
 */
#ifndef CYNN_ABI_H
#define CYNN_ABI_H

#include <stdint.h>

#define CYNN_ABI_MAJOR 1
#define CYNN_ABI_MINOR 0

#define CYNN_ACTIVATION_CAPSULE "cynn.activation"
#define CYNN_LOSS_CAPSULE "cynn.loss"
#define CYNN_OPTIMIZER_CAPSULE "cynn.optimizer"

/* Initializer of the frozen prefix: static cynn_activation k = {CYNN_ABI_PREFIX(cynn_activation, flags), ...} */
#define CYNN_ABI_PREFIX(type, flags) CYNN_ABI_MAJOR, CYNN_ABI_MINOR, (uint32_t)sizeof(type), (flags)

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    uint16_t abi_major;   /* CYNN_ABI_MAJOR of the header that the plugin was compiled with */
    uint16_t abi_minor;   /* CYNN_ABI_MINOR, likewise */
    uint32_t struct_size; /* sizeof the whole struct, likewise */
    uint64_t flags;       /* the flags of that kind, below; an unknown one is refused */
} cynn_abi_prefix;

/* ---- activation: a = f(z) ---------------------------------------------------------------- */

#define CYNN_NEEDS_Z 1u  /* backward reads z */
#define CYNN_NEEDS_A 2u  /* backward reads a */
#define CYNN_ROWWISE 4u  /* an element of a depends on its whole row of z (softmax) */
#define CYNN_IN_PLACE 8u /* forward may be called with a == z (only without CYNN_NEEDS_Z) */
#define CYNN_ACTIVATION_FLAGS 15u

/* z, a, grad: rows x cols.
 * forward: writes a = f(z). z and a do not overlap, unless CYNN_IN_PLACE allows a == z.
 * backward: in place on grad, dC/da in, dC/dz out. z is NULL unless CYNN_NEEDS_Z is set, a is
 * NULL unless CYNN_NEEDS_A is set; neither overlaps grad. */
typedef struct {
    uint16_t abi_major, abi_minor;
    uint32_t struct_size;
    uint64_t flags;
    void (*forward_f32)(const double *h, int64_t rows, int64_t cols, const float *z, float *a);
    void (*backward_f32)(const double *h, int64_t rows, int64_t cols, const float *z, const float *a, float *grad);
    void (*forward_f64)(const double *h, int64_t rows, int64_t cols, const double *z, double *a);
    void (*backward_f64)(const double *h, int64_t rows, int64_t cols, const double *z, const double *a, double *grad);
} cynn_activation;

/* ---- loss: C = sum over rows of weight * loss(prediction, target) ------------------------- */

#define CYNN_CLASS_INDEX 1u /* takes class_index; without it CyNN writes classes as one-hot rows */
#define CYNN_LOSS_FLAGS 1u

/* prediction, target, grad: rows x cols. class_index: rows integers in [0, cols).
 * Exactly one of target and class_index is not NULL. sample_weight: rows, or NULL for all ones.
 * Returns the sum over rows; grad receives dC/dprediction of that sum. grad may be NULL: the value
 * alone is wanted.
 * fuses_with: the name of the activation of the output layer whose pairing with this loss has a
 * stable closed form, or NULL. With it the fused kernels are called instead, `prediction` is then
 * z, what that activation would have taken, and grad receives dC/dz. */
typedef struct {
    uint16_t abi_major, abi_minor;
    uint32_t struct_size;
    uint64_t flags;
    double (*value_and_gradient_f32)(const double *h, int64_t rows, int64_t cols, const float *prediction,
                                     const float *target, const int64_t *class_index,
                                     const float *sample_weight, float *grad);
    double (*value_and_gradient_f64)(const double *h, int64_t rows, int64_t cols, const double *prediction,
                                     const double *target, const int64_t *class_index,
                                     const double *sample_weight, double *grad);
    const char *fuses_with;
    double (*fused_value_and_gradient_f32)(const double *h, int64_t rows, int64_t cols, const float *z,
                                           const float *target, const int64_t *class_index,
                                           const float *sample_weight, float *grad);
    double (*fused_value_and_gradient_f64)(const double *h, int64_t rows, int64_t cols, const double *z,
                                           const double *target, const int64_t *class_index,
                                           const double *sample_weight, double *grad);
} cynn_loss;

/* ---- optimizer: one step on one parameter -------------------------------------------------- */

#define CYNN_ELEMENTWISE 1u /* each element is updated by itself: may be called on any piece */
#define CYNN_OPTIMIZER_FLAGS 1u

/* linear_step: NULL, or for an optimizer whose whole step is w := beta w + alpha grad (plain gradient
 * descent): writes alpha and beta of step t. CyNN may then do the step within the product that gives
 * the gradient, and not call step_f32 or step_f64.
 *
 * w, grad, slots[i]: rows x cols. t counts the steps from 1.
 * Updates w and the slots in place; grad is scratch, and may be overwritten.
 * slots: n_slots arrays that CyNN allocates, zeroes before step 1, saves and restores. A bias is a
 * matrix of one row. Without CYNN_ELEMENTWISE a call gets a whole parameter. */
typedef struct {
    uint16_t abi_major, abi_minor;
    uint32_t struct_size;
    uint64_t flags;
    int64_t n_slots;
    void (*step_f32)(const double *h, double learning_rate, int64_t t, int64_t rows, int64_t cols, float *w,
                     float *grad, float *const *slots);
    void (*step_f64)(const double *h, double learning_rate, int64_t t, int64_t rows, int64_t cols, double *w,
                     double *grad, double *const *slots);
    void (*linear_step)(const double *h, double learning_rate, int64_t t, double *alpha, double *beta);
} cynn_optimizer;

#ifdef __cplusplus
}
#endif

#endif
