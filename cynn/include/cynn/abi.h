/* The plugin ABI of CyNN, in plain C: no Python.h, no library to link.
 *
 * A plugin fills one of the structs below, and gives CyNN its address in a PyCapsule with the name of that
 * kind. The struct has static storage, or exists as long as its capsule. CyNN copies the fields that it
 * knows when a network is built, and calls the functions as long as that network exists, so their code must
 * stay loaded as long as the plugin's class exists.
 *
 * Memory
 *   CyNN owns every array, before, during and after a call. A kernel frees none, keeps no pointer
 *   after it returns, and writes only the arrays named as output: in these, every element, and no
 *   byte outside of rows * cols elements. It reads no byte outside of them either.
 *   Matrices are C-contiguous rows: element (row, column) is at [row * cols + column]. Arrays are
 *   aligned for their element type, and for nothing more. rows may be 0; cols is at least 1.
 *   Arrays do not overlap unless it is stated below.
 *
 * Threads
 *   A kernel is called without the GIL, on any thread, and from several threads at once: each with
 *   other rows, all with the same h. It may be called on a whole batch or on any part of its rows.
 *
 * Never, in a kernel
 *   - write to static or global state: another thread is in the same function;
 *   - call Python, or touch a Python object: the GIL is not held;
 *   - let an exception or a longjmp leave it, or end the process;
 *   - block: no locks, no input or output, no sleeping;
 *   - depend on anything but its arguments: the same input gives the same bits;
 *   - change the floating-point environment.
 *   A NaN or an infinity in the input is no error: compute with it, and CyNN reports it.
 *
 * h
 *   The hyperparameters as doubles, in the order in which the plugin's class declares them. A switch is
 *   0 or 1. A choice is the index, from 0, in the list of choices that the class declares. A whole number
 *   is exact, since it is at most 2^53. h is NULL if the class declares none. The learning rate of an
 *   optimizer is not in h, but an argument. h is read-only. It is the same for a whole run, except for an
 *   optimizer's hyperparameter weight_decay, which may change from step to step, and is 0 for some
 *   parameters.
 *
 * dtypes
 *   _f32 and _f64 are the same function over float and double. A dtype whose functions are all NULL is
 *   not offered: CyNN raises an error when a network of that dtype is built. At least one dtype must be
 *   offered, and a dtype that is offered needs all required functions.
 *
 * Versions
 *   The first 16 bytes (cynn_abi_prefix) never change. abi_major must be equal on both sides.
 *   Within one major version, fields are only appended: none is moved, and none changes its meaning. Zero
 *   in an appended field means the behaviour from before the field existed. CyNN reads a field only when
 *   struct_size covers it, so an older plugin runs on a newer CyNN. It ignores fields that it does not know,
 *   so a newer plugin runs on an older CyNN, unless it sets a flag that this CyNN does not know.
 *   The structs that CyNN passes to functions begin with struct_size, their size in the CyNN that calls. Their fields
 *   are only appended, too: an older plugin does not read the new ones, and a newer plugin asks CYNN_HAS before it
 *   reads one.
 */
#ifndef CYNN_ABI_H
#define CYNN_ABI_H

#include <stddef.h>
#include <stdint.h>

#define CYNN_ABI_MAJOR 1
#define CYNN_ABI_MINOR 2 /* 1: cynn_operation; 2: directional derivatives */

/* The names of the capsules, one per kind. */
#define CYNN_ACTIVATION_CAPSULE "cynn.activation"
#define CYNN_LOSS_CAPSULE "cynn.loss"
#define CYNN_OPTIMIZER_CAPSULE "cynn.optimizer"
#define CYNN_OPERATION_CAPSULE "cynn.operation"

/* Initializer of the frozen prefix: static cynn_activation k = {CYNN_ABI_PREFIX(cynn_activation, flags), ...} */
#define CYNN_ABI_PREFIX(type, flags) CYNN_ABI_MAJOR, CYNN_ABI_MINOR, (uint32_t)sizeof(type), (flags)

#ifdef __cplusplus
extern "C" {
#endif

/* How each of the structs starts. */
typedef struct {
    uint16_t abi_major;   /* CYNN_ABI_MAJOR of the header that the plugin was compiled with */
    uint16_t abi_minor;   /* CYNN_ABI_MINOR of that header, for messages alone: struct_size says which fields exist */
    uint32_t struct_size; /* sizeof the whole struct in that header */
    uint64_t flags;       /* flags of the kind, see below, or-ed together; an unknown one is refused */
} cynn_abi_prefix;

/* ---- activation: a = f(z) ---------------------------------------------------------------- */

#define CYNN_NEEDS_Z 1u  /* backward reads z, which is then kept for it */
#define CYNN_NEEDS_A 2u  /* backward reads a, which is then kept for it */
#define CYNN_ROWWISE 4u  /* an element of a depends on its whole row of z (softmax), and on no other row;
                            without it, only on the element of z at the same place */
#define CYNN_IN_PLACE 8u /* forward may be called with a == z; not together with CYNN_NEEDS_Z */
#define CYNN_ACTIVATION_FLAGS 15u /* all that this version knows */

/* z, a, grad: rows x cols. */
typedef struct {
    uint16_t abi_major, abi_minor; /* the prefix */
    uint32_t struct_size;
    uint64_t flags;
    /* Writes a = f(z) and leaves z as it is. z and a do not overlap; with CYNN_IN_PLACE they may be the same array. */
    void (*forward_f32)(const double *h, int64_t rows, int64_t cols, const float *z, float *a);
    /* In place on grad: dC/da in, dC/dz out. z and a are those of forward, and are not changed. z is
     * undefined, and may be NULL, unless CYNN_NEEDS_Z is set; so is a, unless CYNN_NEEDS_A is set. */
    void (*backward_f32)(const double *h, int64_t rows, int64_t cols, const float *z, const float *a, float *grad);
    /* The same over double. */
    void (*forward_f64)(const double *h, int64_t rows, int64_t cols, const double *z, double *a);
    void (*backward_f64)(const double *h, int64_t rows, int64_t cols, const double *z, const double *a, double *grad);
    /* The functions below are optional: each may be NULL, or not covered by struct_size. They compute directional
     * derivatives: the tangent of an output, from the tangents of the inputs. z, a and grad are those of forward and
     * backward, and all are given, whatever the flags. No two arrays overlap. */
    /* Writes da, the tangent of a, from dz, the tangent of z. Only with CYNN_ROWWISE: without it, the derivative of a
     * by z is diagonal, and backward on dz does the same. */
    void (*jvp_f32)(const double *h, int64_t rows, int64_t cols, const float *z, const float *a, const float *dz,
                    float *da);
    void (*jvp_f64)(const double *h, int64_t rows, int64_t cols, const double *z, const double *a, const double *dz,
                    double *da);
    /* In place on dgrad: the tangent of dC/da in, the tangent of dC/dz out. grad is dC/da; dz, da are the tangents of
     * z and a. Without CYNN_ROWWISE: dgrad := f'(z) dgrad + f''(z) dz grad. */
    void (*backward_jvp_f32)(const double *h, int64_t rows, int64_t cols, const float *z, const float *a,
                             const float *grad, const float *dz, const float *da, float *dgrad);
    void (*backward_jvp_f64)(const double *h, int64_t rows, int64_t cols, const double *z, const double *a,
                             const double *grad, const double *dz, const double *da, double *dgrad);
} cynn_activation;

/* ---- loss: the sum over rows of weight * loss(prediction, target) ------------------------- */

#define CYNN_CLASS_INDEX 1u /* class_index is supported; without it, CyNN gives classes as one-hot rows of target */
#define CYNN_LOSS_FLAGS 1u  /* all that this version knows */

/* prediction, z, target, grad: rows x cols. None of the inputs is changed.
 * Exactly one of target and class_index is given, and the other is NULL. target has one number per row and
 * output. class_index has one integer in [0, cols) per row, which stands for a one-hot row of target. It is
 * given only with CYNN_CLASS_INDEX.
 * sample_weight: one number >= 0 per row, or NULL for all ones. A row of weight w counts as w rows. The weights are
 * scaled already, so their sum over a batch may be any number.
 * Returns the sum over rows of weight * loss of that row, in double; 0 if rows is 0. A kernel does not divide it by the
 * number of rows or by the sum of the weights.
 * grad receives the gradient of that sum. It is NULL if only the value is needed. */
typedef struct {
    uint16_t abi_major, abi_minor; /* the prefix */
    uint32_t struct_size;
    uint64_t flags;
    /* The loss of the output of the last layer, and dC/dprediction. */
    double (*value_and_gradient_f32)(const double *h, int64_t rows, int64_t cols, const float *prediction,
                                     const float *target, const int64_t *class_index,
                                     const float *sample_weight, float *grad);
    double (*value_and_gradient_f64)(const double *h, int64_t rows, int64_t cols, const double *prediction,
                                     const double *target, const int64_t *class_index,
                                     const double *sample_weight, double *grad);
    /* The name of an activation, or NULL. If the last layer has it, the two functions below are called instead,
     * which compute the loss from z without loss of accuracy. The string must exist as long as the struct. */
    const char *fuses_with;
    /* The loss as a function of z, the input of that activation, and dC/dz. With fuses_with, required for each
     * dtype that is offered; without it, not read. */
    double (*fused_value_and_gradient_f32)(const double *h, int64_t rows, int64_t cols, const float *z,
                                           const float *target, const int64_t *class_index,
                                           const float *sample_weight, float *grad);
    double (*fused_value_and_gradient_f64)(const double *h, int64_t rows, int64_t cols, const double *z,
                                           const double *target, const int64_t *class_index,
                                           const double *sample_weight, double *grad);
    /* The functions below are optional: each may be NULL, or not covered by struct_size. */
    /* Writes dgrad, the directional derivative of grad along dprediction: the Hessian of the sum times dprediction. */
    void (*backward_jvp_f32)(const double *h, int64_t rows, int64_t cols, const float *prediction, const float *target,
                             const int64_t *class_index, const float *sample_weight, const float *dprediction,
                             float *dgrad);
    void (*backward_jvp_f64)(const double *h, int64_t rows, int64_t cols, const double *prediction,
                             const double *target, const int64_t *class_index, const double *sample_weight,
                             const double *dprediction, double *dgrad);
    /* The same as a function of z. With fuses_with, given together with backward_jvp; without it, not read. */
    void (*fused_backward_jvp_f32)(const double *h, int64_t rows, int64_t cols, const float *z, const float *target,
                                   const int64_t *class_index, const float *sample_weight, const float *dz,
                                   float *dgrad);
    void (*fused_backward_jvp_f64)(const double *h, int64_t rows, int64_t cols, const double *z, const double *target,
                                   const int64_t *class_index, const double *sample_weight, const double *dz,
                                   double *dgrad);
} cynn_loss;

/* ---- optimizer: one step on one parameter -------------------------------------------------- */

#define CYNN_ELEMENTWISE 1u     /* each element is updated independently: step may be called on any piece */
#define CYNN_OPTIMIZER_FLAGS 1u /* all that this version knows */
#define CYNN_MAX_SLOTS 16       /* n_slots is at most this */
#define CYNN_MOST_SLOTS CYNN_MAX_SLOTS /* its old name */

/* w, grad, slots[i]: rows x cols. A bias is a matrix of one row. Without CYNN_ELEMENTWISE, a call gets a
 * whole parameter; with it, any part of its elements, as a matrix of any shape.
 * learning_rate: of this step. t: the number of this step, from 1. It goes on when training is continued. */
typedef struct {
    uint16_t abi_major, abi_minor; /* the prefix */
    uint32_t struct_size;
    uint64_t flags;
    /* The number of arrays of w's size that the optimizer keeps for each parameter. CyNN allocates them, sets
     * them to zero before step 1, and saves and restores them. An optimizer has no other memory. */
    int64_t n_slots;
    /* Updates w and the slots in place. grad is dC/dw, and may be overwritten. slots has n_slots addresses. */
    void (*step_f32)(const double *h, double learning_rate, int64_t t, int64_t rows, int64_t cols, float *w,
                     float *grad, float *const *slots);
    /* The same over double. */
    void (*step_f64)(const double *h, double learning_rate, int64_t t, int64_t rows, int64_t cols, double *w,
                     double *grad, double *const *slots);
    /* Optional: it may be NULL, or not covered by struct_size. For an optimizer whose whole step is
     * w := beta w + alpha grad, such as plain gradient descent: writes alpha and beta of step t. CyNN may then
     * take the step within the product that computes the gradient, without a call of step_f32 or step_f64.
     * Requires CYNN_ELEMENTWISE and n_slots 0. */
    void (*linear_step)(const double *h, double learning_rate, int64_t t, double *alpha, double *beta);
} cynn_optimizer;

/* ---- operation: what a layer is made of ---------------------------------------------------- */

#define CYNN_PROPAGATES_NONFINITE 1u /* if a row of x[0] has a NaN or an infinity, that row of out has one */
#define CYNN_DIVISIBLE 2u            /* out is a sum over parts of the columns of x[0]. CyNN may call forward once per
                                        part, with some columns of x[0] and the same rows of parameter 0, and add the
                                        results. The other parameters are given to the first part alone, and are NULL
                                        for the rest. Requires one input, one row of parameter 0 per column of it, and
                                        other parameters whose gradients do not depend on x */
#define CYNN_GRADIENT_IN_PLACE 4u    /* backward works in place: delta and dx[0] are one array, dC/dout before the call
                                        and dC/dx[0] after it. It is not called if dx[0] is NULL. Requires an output
                                        with as many columns as x[0] */
/*      CYNN_IN_PLACE 8u                forward may be called with out == x[0], whose values are then lost. Requires an
                                        output with as many columns as x[0] */
#define CYNN_NEEDS_OUT 16u           /* backward or gradient reads out, which is then kept for it */
#define CYNN_ONLY_TRAINING 32u       /* in a prediction out equals x[0], and CyNN may skip the call. Requires an output
                                        with as many columns as x[0] */
#define CYNN_PREFETCHES 64u          /* forward, gradient and linear_step pass pass->prefetch to one product */
#define CYNN_AFFINE_IN_X 128u        /* out is A x + b as a function of x: backward_jvp does not read the tangents of x */
#define CYNN_OPERATION_FLAGS 255u    /* all that this version knows */
#define CYNN_MAX_PARAMETERS 16       /* the largest number of parameters of an operation, ... */
#define CYNN_MAX_STATES 16           /* ... of states, ... */
#define CYNN_MAX_SAVED 16            /* ... and of matrices that forward saves for backward */

/* Whether a struct that CyNN passes is large enough to have a field. */
#define CYNN_HAS(given, field) \
    ((size_t)((const char *)&(given)->field - (const char *)(given)) + sizeof((given)->field) <= (given)->struct_size)

/* Rows of the caller's data that are needed soon. The products of cynn/blas.h prefetch them. */
typedef struct cynn_prefetch cynn_prefetch;

/* One pass through the network, the same for all operations: a batch of training, or a prediction, in which only
 * training, rows and prefetch are set. */
typedef struct {
    uint32_t struct_size;     /* sizeof this struct in the CyNN that calls */
    int32_t training;         /* 1: forward saves what backward reads; 0: a prediction. For derivatives of a prediction,
                                 forward gets 1 if the operation saves something and has no CYNN_ONLY_TRAINING. Then
                                 backward and gradient get 0, and backward_columns is not called */
    int32_t updates;          /* 1: the optimizer takes a step, and states are updated */
    uint32_t epoch, step;     /* the number of the epoch, and of the batch in it, from 0 */
    uint64_t seed;            /* the seed of the network */
    int64_t rows;             /* of the whole batch */
    const double *row_weight; /* how many times each row of the batch counts in statistics over rows; NULL: once.
                                 dC/dout of a row includes this factor already */
    double total_weight;      /* the sum of row_weight */
    cynn_prefetch *prefetch;  /* what to prefetch during one product of cynn/blas.h; NULL: nothing */
} cynn_pass;

/* The arrays of an operation. Matrices have one row per row of the whole batch; a function works on the rows from begin
 * to end. The addresses in x, dx, parameters, states and saved are those of arrays of the network's dtype. */
typedef struct {
    uint32_t struct_size;           /* sizeof this struct in the CyNN that calls */
    uint32_t number;                /* for random numbers: each operation that draws some has a number of its own */
    int64_t n_inputs;               /* at least 1 */
    const int64_t *widths;          /* columns of each input */
    int64_t units;                  /* columns of the output */
    const void *const *x;           /* the inputs. In backward and gradient, they are as before forward, unless forward
                                       has overwritten x[0] */
    void *const *dx;                /* dC/dx of each input: backward writes it; NULL if it is not needed */
    void *out;                      /* the output; in backward and gradient, only with CYNN_NEEDS_OUT */
    void *delta;                    /* dC/dout, for gradient; NULL in a prediction. backward may overwrite it if
                                       there are no parameters or gradient does not read it */
    int64_t n_parameters;           /* what the optimizer updates, in the order of the layer */
    void *const *parameters;        /* NULL for a parameter that the layer does not have */
    const int64_t *parameter_rows;  /* of each parameter. An array of one dimension is one row. An array of more than
                                       two has as many rows as the product of all dimensions but the last */
    const int64_t *parameter_columns;
    int64_t n_states;               /* what training changes besides parameters, such as moving averages */
    void *const *states;
    int64_t n_saved;                /* matrices that forward writes for backward, gradient and update_states, and that
                                       backward may write for the last two. Each has one row per row of the batch, or a
                                       single row, as the layer declares */
    void *const *saved;             /* each NULL in a prediction */
    int64_t n_h;
    const double *h;                /* the hyperparameters, in the order of the layer */
    const cynn_activation *activation; /* the activation within this operation, whose functions it calls with
                                          activation_h; NULL if there is none. Read only fields that its struct_size
                                          covers */
    const double *activation_h;
} cynn_operands;

/* The tangents of an operation's arrays. A tangent is the derivative along one direction, in which the inputs of the
 * network or its parameters move. Matrices and addresses are as in cynn_operands. */
typedef struct {
    uint32_t struct_size;          /* sizeof this struct in the CyNN that calls */
    const void *const *x;          /* of each input */
    const void *const *parameters; /* of each parameter; NULL: 0, for example if only the inputs move */
    void *out;                     /* of the output: jvp writes it */
    const void *delta;             /* of dC/dout */
    void *const *dx;               /* of dC/dx of each input: backward_jvp writes it; NULL if it is not needed */
    void *const *saved;            /* matrices of the sizes of op->saved: jvp writes them for backward_jvp and
                                      gradient_jvp, and backward_jvp may write them for gradient_jvp */
} cynn_tangents;

/* forward and backward work on rows begin..end of the batch (begin included, end not). forward_columns and
 * backward_columns work on all rows, and on columns begin..end of out (forward) or of x[0] (backward). The arguments
 * out and delta are the whole matrices op->out and op->delta.
 * In training, forward is called for all rows, then backward, then gradient: each piece on one thread, several pieces
 * at once. The pieces depend on shapes alone, and the last bits of a result may depend on the pieces. */
typedef struct {
    uint16_t abi_major, abi_minor; /* the prefix */
    uint32_t struct_size;
    uint64_t flags;
    /* Writes these rows of out and, in training, of the saved matrices that have one row per row of the batch. */
    void (*forward_f32)(const cynn_operands *op, const cynn_pass *pass, int64_t begin, int64_t end, float *out);
    void (*forward_f64)(const cynn_operands *op, const cynn_pass *pass, int64_t begin, int64_t end, double *out);
    /* Writes these rows of each dx that is not NULL. */
    void (*backward_f32)(const cynn_operands *op, const cynn_pass *pass, int64_t begin, int64_t end, float *delta);
    void (*backward_f64)(const cynn_operands *op, const cynn_pass *pass, int64_t begin, int64_t end, double *delta);
    /* Writes rows begin..end of dC/dparameter, the sum over all rows of the batch, to grad: (end - begin) x
     * parameter_columns[parameter]. May be NULL if no parameter is trained. */
    void (*gradient_f32)(const cynn_operands *op, const cynn_pass *pass, int64_t parameter, int64_t begin, int64_t end,
                         float *grad);
    void (*gradient_f64)(const cynn_operands *op, const cynn_pass *pass, int64_t parameter, int64_t begin, int64_t end,
                         double *grad);
    /* The functions below are optional: each may be NULL, or not covered by struct_size. */
    /* Called in training instead of forward, backward or both: for wide matrices; or if the layer needs the whole batch
     * and asks for columns, then with at most as many columns at a time as the layer declares. */
    void (*forward_columns_f32)(const cynn_operands *op, const cynn_pass *pass, int64_t begin, int64_t end, float *out);
    void (*forward_columns_f64)(const cynn_operands *op, const cynn_pass *pass, int64_t begin, int64_t end,
                                double *out);
    void (*backward_columns_f32)(const cynn_operands *op, const cynn_pass *pass, int64_t begin, int64_t end,
                                 float *delta);
    void (*backward_columns_f64)(const cynn_operands *op, const cynn_pass *pass, int64_t begin, int64_t end,
                                 double *delta);
    /* Rows begin..end of parameter 0 := beta parameter + alpha gradient, for an optimizer with a linear_step. scratch
     * has as many elements as these rows. */
    void (*linear_step_f32)(const cynn_operands *op, const cynn_pass *pass, int64_t begin, int64_t end, double alpha,
                            double beta, float *scratch);
    void (*linear_step_f64)(const cynn_operands *op, const cynn_pass *pass, int64_t begin, int64_t end, double alpha,
                            double beta, double *scratch);
    /* Updates the states, which are op->states: once per batch with pass->updates, after the gradients, and only if
     * there was no NaN and no infinity in the batch. */
    void (*update_states_f32)(const cynn_operands *op, const cynn_pass *pass, float *const *states);
    void (*update_states_f64)(const cynn_operands *op, const cynn_pass *pass, double *const *states);
    /* Directional derivatives: the tangents of what forward, backward and gradient write. op is as in backward and
     * gradient, with out and delta, whatever the flags. No array of op has been overwritten, and none may be. They work
     * on rows, never on columns.
     * jvp writes these rows of out, the tangent of the output. */
    void (*jvp_f32)(const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass, int64_t begin,
                    int64_t end, float *out);
    void (*jvp_f64)(const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass, int64_t begin,
                    int64_t end, double *out);
    /* Writes these rows of the tangent of each dx that is not NULL. delta: the tangent of dC/dout. */
    void (*backward_jvp_f32)(const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass,
                             int64_t begin, int64_t end, const float *delta);
    void (*backward_jvp_f64)(const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass,
                             int64_t begin, int64_t end, const double *delta);
    /* Writes rows begin..end of the tangent of dC/dparameter. May be NULL if no parameter is trained. */
    void (*gradient_jvp_f32)(const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass,
                             int64_t parameter, int64_t begin, int64_t end, float *grad);
    void (*gradient_jvp_f64)(const cynn_operands *op, const cynn_tangents *tangents, const cynn_pass *pass,
                             int64_t parameter, int64_t begin, int64_t end, double *grad);
} cynn_operation;

/* The sizes up to the last required field. No struct may be smaller; the fields after it are optional. */
#define CYNN_ACTIVATION_SMALLEST_SIZE (offsetof(cynn_activation, backward_f64) + sizeof(void (*)(void)))
#define CYNN_LOSS_SMALLEST_SIZE (offsetof(cynn_loss, fused_value_and_gradient_f64) + sizeof(void (*)(void)))
#define CYNN_OPTIMIZER_SMALLEST_SIZE (offsetof(cynn_optimizer, step_f64) + sizeof(void (*)(void)))
#define CYNN_OPERATION_SMALLEST_SIZE (offsetof(cynn_operation, gradient_f64) + sizeof(void (*)(void)))

#ifdef __cplusplus
}
#endif

#endif
