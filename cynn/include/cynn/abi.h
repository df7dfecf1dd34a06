/* The plugin ABI of CyNN, in plain C: no Python.h, no library to link.
 *
 * A plugin fills one of the structs below and hands its address to CyNN in a PyCapsule of the name
 * given for that kind. The struct has static storage, or lives as long as its capsule: CyNN copies
 * what it knows of it whenever a network is composed, and calls the functions for as long as that
 * network lives, so the code behind them must stay loaded while the plugin's class exists.
 *
 * Memory
 *   CyNN owns every array, before, during and after a call. A kernel frees none, keeps no pointer
 *   after it returns, and writes only the arrays named as output: in these, every element, and no
 *   byte outside of rows * cols elements. It reads no byte outside of them either.
 *   Matrices are C-contiguous rows: element (row, column) is at [row * cols + column]. Arrays are
 *   aligned for their element type, and for nothing more. rows may be 0; cols is at least 1.
 *   Arrays do not overlap, but where it is said below.
 *
 * Threads
 *   A kernel is called without the GIL, on any thread, from several threads at once, each with rows
 *   of its own and all with the same h. It may be called on a whole batch or on any part of its rows.
 *
 * Never, in a kernel
 *   - write to static or global state: another thread is in the same function;
 *   - call Python, or touch a Python object: the GIL is not held;
 *   - let an exception or a longjmp leave it, or end the process;
 *   - block: no locks, no input or output, no sleeping;
 *   - depend on anything but its arguments: the same input gives the same bits;
 *   - change the floating-point environment.
 *   A NaN or an infinity in the input is no error: let it through, and CyNN reports it.
 *
 * h
 *   The hyperparameters as doubles, in the order in which the plugin's class declares them; a switch
 *   is 0 or 1, a choice its place among the choices as the class lists them, from 0, and a whole number
 *   is exact: up to 2^53 it is allowed to be. NULL when it declares none. An optimizer's learning rate
 *   is an argument of its own and not among them. h is read-only, and the same for the whole of a run, but
 *   for a hyperparameter of an optimizer whose name is weight_decay: that may be another in every step, and
 *   0 for some parameters.
 *
 * dtypes
 *   _f32 and _f64 are the same function over float and double. A dtype whose functions are all NULL is
 *   not offered: CyNN says so when a network of that dtype is composed. One of the two at least is
 *   offered, and a dtype is offered whole.
 *
 * Versions
 *   The first 16 bytes (cynn_abi_prefix) never change. abi_major must be equal on both sides.
 *   Within one major version fields are only appended, never moved or given another meaning, and zero
 *   in an appended field means what was true before it. CyNN reads a field only when struct_size covers
 *   it, so an older plugin runs on a newer CyNN; it ignores what lies beyond the fields that it knows,
 *   so a newer plugin runs on an older CyNN, unless it sets a flag that this CyNN does not know.
 *   What CyNN hands to functions as a struct begins with its struct_size in the CyNN that calls, and is appended to
 *   likewise: an older plugin need not know what comes behind, and a newer one asks CYNN_HAS before it reads a field
 *   that was appended.
 */
#ifndef CYNN_ABI_H
#define CYNN_ABI_H

#include <stddef.h>
#include <stdint.h>

#define CYNN_ABI_MAJOR 1
#define CYNN_ABI_MINOR 1 /* 1: cynn_operation */

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
    uint16_t abi_minor;   /* CYNN_ABI_MINOR, likewise; for messages: what is there, struct_size says */
    uint32_t struct_size; /* sizeof the whole struct, likewise */
    uint64_t flags;       /* of the kind, below, or-ed together; an unknown one is refused */
} cynn_abi_prefix;

/* ---- activation: a = f(z) ---------------------------------------------------------------- */

#define CYNN_NEEDS_Z 1u  /* backward reads z, which is then kept for it */
#define CYNN_NEEDS_A 2u  /* backward reads a, likewise */
#define CYNN_ROWWISE 4u  /* an element of a depends on its whole row of z (softmax), and on no other row;
                            without it, on the element of z at the same place alone */
#define CYNN_IN_PLACE 8u /* forward may be called with a == z; not together with CYNN_NEEDS_Z */
#define CYNN_ACTIVATION_FLAGS 15u /* all that this version knows */

/* z, a, grad: rows x cols. */
typedef struct {
    uint16_t abi_major, abi_minor; /* the prefix */
    uint32_t struct_size;
    uint64_t flags;
    /* Writes a = f(z). z is not changed. z and a are apart, or with CYNN_IN_PLACE perhaps the same. */
    void (*forward_f32)(const double *h, int64_t rows, int64_t cols, const float *z, float *a);
    /* In place on grad: dC/da in, dC/dz out. z and a are those of forward, and are not changed. z is
     * undefined, and may be NULL, unless CYNN_NEEDS_Z is set; so is a, unless CYNN_NEEDS_A is set. */
    void (*backward_f32)(const double *h, int64_t rows, int64_t cols, const float *z, const float *a, float *grad);
    /* The same over double. */
    void (*forward_f64)(const double *h, int64_t rows, int64_t cols, const double *z, double *a);
    void (*backward_f64)(const double *h, int64_t rows, int64_t cols, const double *z, const double *a, double *grad);
} cynn_activation;

/* ---- loss: the sum over rows of weight * loss(prediction, target) ------------------------- */

#define CYNN_CLASS_INDEX 1u /* takes class_index; without it CyNN writes classes as one-hot rows */
#define CYNN_LOSS_FLAGS 1u  /* all that this version knows */

/* prediction, z, target, grad: rows x cols. None of the inputs is changed.
 * Of target and class_index exactly one is given, the other is NULL: target holds a number for each
 * output; class_index one integer in [0, cols) for each row, which stands for a one-hot row of target.
 * class_index is given only with CYNN_CLASS_INDEX.
 * sample_weight: a number >= 0 for each row, or NULL for all ones. The weights are scaled beforehand, and may have any
 * sum: in a step, that of the rows of a batch is seldom 1. A row of weight w stands for w rows.
 * Returns the sum over rows of weight * loss of that row, in double; 0 where rows is 0. A kernel divides it neither by
 * the number of rows nor by the sum of the weights.
 * grad receives the gradient of that sum. It is NULL where the value alone is wanted. */
typedef struct {
    uint16_t abi_major, abi_minor; /* the prefix */
    uint32_t struct_size;
    uint64_t flags;
    /* The loss of what the last layer returned, and dC/dprediction. */
    double (*value_and_gradient_f32)(const double *h, int64_t rows, int64_t cols, const float *prediction,
                                     const float *target, const int64_t *class_index,
                                     const float *sample_weight, float *grad);
    double (*value_and_gradient_f64)(const double *h, int64_t rows, int64_t cols, const double *prediction,
                                     const double *target, const int64_t *class_index,
                                     const double *sample_weight, double *grad);
    /* The name of an activation of the last layer, with which this loss has a stable closed form; NULL
     * for none. A string of the plugin's, which lives as long as the struct. */
    const char *fuses_with;
    /* Called instead behind that activation: the loss as a function of z, what the activation would have
     * taken, and dC/dz. Given for each dtype that is offered if fuses_with is given; else not read. */
    double (*fused_value_and_gradient_f32)(const double *h, int64_t rows, int64_t cols, const float *z,
                                           const float *target, const int64_t *class_index,
                                           const float *sample_weight, float *grad);
    double (*fused_value_and_gradient_f64)(const double *h, int64_t rows, int64_t cols, const double *z,
                                           const double *target, const int64_t *class_index,
                                           const double *sample_weight, double *grad);
} cynn_loss;

/* ---- optimizer: one step on one parameter -------------------------------------------------- */

#define CYNN_ELEMENTWISE 1u     /* each element is updated by itself: may be called on any piece */
#define CYNN_OPTIMIZER_FLAGS 1u /* all that this version knows */
#define CYNN_MAX_SLOTS 16       /* n_slots is at most this */
#define CYNN_MOST_SLOTS CYNN_MAX_SLOTS /* its old name */

/* w, grad, slots[i]: rows x cols. A bias is a matrix of one row. Without CYNN_ELEMENTWISE a call gets a
 * whole parameter; with it, any piece: any part of its elements, as a matrix of any shape.
 * learning_rate: of this step. t: the number of this step, from 1; it goes on where training goes on. */
typedef struct {
    uint16_t abi_major, abi_minor; /* the prefix */
    uint32_t struct_size;
    uint64_t flags;
    /* The arrays of w's size that the optimizer remembers for each parameter. CyNN allocates them, sets
     * them to zero before step 1, and saves and restores them; there is no other memory. */
    int64_t n_slots;
    /* Updates w and the slots in place. grad is dC/dw; it is scratch, and may be overwritten. slots has
     * n_slots addresses. */
    void (*step_f32)(const double *h, double learning_rate, int64_t t, int64_t rows, int64_t cols, float *w,
                     float *grad, float *const *slots);
    /* The same over double. */
    void (*step_f64)(const double *h, double learning_rate, int64_t t, int64_t rows, int64_t cols, double *w,
                     double *grad, double *const *slots);
    /* Optional: NULL, or not covered by struct_size, unless the whole step is w := beta w + alpha grad, as in
     * plain gradient descent. Writes alpha and beta of step t. CyNN may then do the step within the product
     * that gives the gradient, and not call step_f32 or step_f64. Only together with CYNN_ELEMENTWISE and
     * without slots. */
    void (*linear_step)(const double *h, double learning_rate, int64_t t, double *alpha, double *beta);
} cynn_optimizer;

/* ---- operation: what a layer is made of ---------------------------------------------------- */

#define CYNN_PROPAGATES_NONFINITE 1u /* a row of x[0] with a NaN or an infinity makes a row of out with one */
#define CYNN_DIVISIBLE 2u            /* out is the sum of what parts of the columns of x[0] make, each with its rows of
                                        parameter 0, and the first part alone with the other parameters: they are NULL
                                        for the rest. Of one input, with a row of parameter 0 for each of its columns;
                                        the gradients of the other parameters do not depend on x */
#define CYNN_GRADIENT_IN_PLACE 4u    /* backward works in place: its delta is dx[0], dC/dout in, dC/dx[0] out; without
                                        dx[0] it is not called. Of as many columns as x[0] */
/*      CYNN_IN_PLACE 8u                forward may be called with out == x[0], which is then lost. Likewise */
#define CYNN_NEEDS_OUT 16u           /* backward or gradient reads out, which is then kept for it */
#define CYNN_ONLY_TRAINING 32u       /* in a prediction out is x[0], and CyNN may leave out the call. Likewise */
#define CYNN_PREFETCHES 64u          /* forward, gradient and linear_step hand pass->prefetch on to a product */
#define CYNN_OPERATION_FLAGS 127u    /* all that this version knows */
#define CYNN_MAX_PARAMETERS 16       /* an operation has at most so many parameters, ... */
#define CYNN_MAX_STATES 16           /* ... states, ... */
#define CYNN_MAX_SAVED 16            /* ... and matrices that forward saves for backward */

/* Whether a struct that CyNN hands over is so large that it has a field. */
#define CYNN_HAS(given, field) \
    ((size_t)((const char *)&(given)->field - (const char *)(given)) + sizeof((given)->field) <= (given)->struct_size)

/* Rows of the caller's data that will be wanted soon: for the products of cynn/blas.h. */
typedef struct cynn_prefetch cynn_prefetch;

/* What is true of a pass through the network, for all of its operations: one batch of training, or a prediction, of
 * which training, rows and prefetch alone are set. */
typedef struct {
    uint32_t struct_size;     /* sizeof this struct in the CyNN that calls */
    int32_t training;         /* 1: forward saves what backward reads; 0: a prediction, forward alone */
    int32_t updates;          /* 1: a step is taken on the gradients, and states move */
    uint32_t epoch, step;     /* the number of the epoch, and of the batch in it, from 0 */
    uint64_t seed;            /* that of the network */
    int64_t rows;             /* of the whole batch */
    const double *row_weight; /* how often each row of the batch is there, for statistics over it; NULL: once. dC/dout
                                 of a row is that of so many rows */
    double total_weight;      /* their sum */
    cynn_prefetch *prefetch;  /* what to fetch on the way, for one product of cynn/blas.h; NULL: nothing */
} cynn_pass;

/* What an operation works on. Matrices have a row for each row of the batch, all of them: a function works on its own
 * part, from begin to end. Of arrays of addresses each address is that of an array of the dtype. */
typedef struct {
    uint32_t struct_size;           /* sizeof this struct in the CyNN that calls */
    uint32_t number;                /* of an operation that draws random numbers: these are its own */
    int64_t n_inputs;               /* at least 1 */
    const int64_t *widths;          /* columns of each input */
    int64_t units;                  /* columns of the output */
    const void *const *x;           /* the inputs. In backward and gradient they are as forward got them, but for one
                                       that it has overwritten */
    void *const *dx;                /* dC/dx of each: backward writes it; NULL where nobody wants it */
    void *out;                      /* the output. In backward and gradient only with CYNN_NEEDS_OUT */
    void *delta;                    /* dC/dout, for gradient; NULL in a prediction. Backward may overwrite it, where
                                       there are no parameters or gradient does not read it */
    int64_t n_parameters;           /* what the optimizer moves, as the layer has handed them over */
    void *const *parameters;        /* NULL for one that the layer lacks */
    const int64_t *parameter_rows;  /* of each. An array of one dimension is one row; of more than two, all
                                       dimensions but the last count together */
    const int64_t *parameter_columns;
    int64_t n_states;               /* what training changes beside parameters, such as moving averages */
    void *const *states;
    int64_t n_saved;                /* what forward leaves for backward, gradient and update_states, and backward for
                                       the latter two: of rows as many as the batch, or of one, as the layer has said */
    void *const *saved;             /* each NULL in a prediction */
    int64_t n_h;
    const double *h;                /* the hyperparameters, as the layer has handed them over */
    const cynn_activation *activation; /* of an operation with an activation within it, whose functions it calls with
                                          activation_h; otherwise NULL. Read it only as far as its struct_size goes */
    const double *activation_h;
} cynn_operands;

/* forward and backward over rows work on rows begin..end of the batch (begin included, end not), on any of its parts;
 * those over columns on all rows, of columns begin..end of out (forward) or of x[0] (backward). Their out and delta are
 * op->out and op->delta, from their first row and column on.
 * In training, all rows go forward, then backward, then come the gradients: each piece on one thread, several at once.
 * What CyNN makes pieces of depends on shapes alone, and so may the result of a function, in its last bits. */
typedef struct {
    uint16_t abi_major, abi_minor; /* the prefix */
    uint32_t struct_size;
    uint64_t flags;
    /* Writes these rows of out, and in training of what is saved for each row. */
    void (*forward_f32)(const cynn_operands *op, const cynn_pass *pass, int64_t begin, int64_t end, float *out);
    void (*forward_f64)(const cynn_operands *op, const cynn_pass *pass, int64_t begin, int64_t end, double *out);
    /* Writes these rows of each dx that is not NULL. */
    void (*backward_f32)(const cynn_operands *op, const cynn_pass *pass, int64_t begin, int64_t end, float *delta);
    void (*backward_f64)(const cynn_operands *op, const cynn_pass *pass, int64_t begin, int64_t end, double *delta);
    /* Writes rows begin..end of dC/dparameter, the sum over all rows of the batch, to grad: (end - begin) x
     * parameter_columns[parameter]. NULL without parameters that are trained. */
    void (*gradient_f32)(const cynn_operands *op, const cynn_pass *pass, int64_t parameter, int64_t begin, int64_t end,
                         float *grad);
    void (*gradient_f64)(const cynn_operands *op, const cynn_pass *pass, int64_t parameter, int64_t begin, int64_t end,
                         double *grad);
    /* What follows is optional: NULL, or not covered by struct_size. */
    /* Called in training in place of the two over rows, both or one: where the layer asks for columns, since it needs
     * the whole batch, and then of at most so many at a time as it asks for; and for wide matrices. */
    void (*forward_columns_f32)(const cynn_operands *op, const cynn_pass *pass, int64_t begin, int64_t end, float *out);
    void (*forward_columns_f64)(const cynn_operands *op, const cynn_pass *pass, int64_t begin, int64_t end,
                                double *out);
    void (*backward_columns_f32)(const cynn_operands *op, const cynn_pass *pass, int64_t begin, int64_t end,
                                 float *delta);
    void (*backward_columns_f64)(const cynn_operands *op, const cynn_pass *pass, int64_t begin, int64_t end,
                                 double *delta);
    /* Rows begin..end of parameter 0 := beta parameter + alpha gradient, for an optimizer with a linear_step. scratch
     * holds as many numbers as these rows. */
    void (*linear_step_f32)(const cynn_operands *op, const cynn_pass *pass, int64_t begin, int64_t end, double alpha,
                            double beta, float *scratch);
    void (*linear_step_f64)(const cynn_operands *op, const cynn_pass *pass, int64_t begin, int64_t end, double alpha,
                            double beta, double *scratch);
    /* Moves the states, which are op->states: once per batch with pass->updates, after the gradients, if nothing in
     * it has turned out not to be finite. */
    void (*update_states_f32)(const cynn_operands *op, const cynn_pass *pass, float *const *states);
    void (*update_states_f64)(const cynn_operands *op, const cynn_pass *pass, double *const *states);
    /* Directional derivatives (jvp, backward_jvp) are to be appended here. */
} cynn_operation;

/* The sizes up to the last required field: no struct is shorter, and what follows is optional. */
#define CYNN_ACTIVATION_SMALLEST_SIZE (offsetof(cynn_activation, backward_f64) + sizeof(void (*)(void)))
#define CYNN_LOSS_SMALLEST_SIZE (offsetof(cynn_loss, fused_value_and_gradient_f64) + sizeof(void (*)(void)))
#define CYNN_OPTIMIZER_SMALLEST_SIZE (offsetof(cynn_optimizer, step_f64) + sizeof(void (*)(void)))
#define CYNN_OPERATION_SMALLEST_SIZE (offsetof(cynn_operation, gradient_f64) + sizeof(void (*)(void)))

#ifdef __cplusplus
}
#endif

#endif
