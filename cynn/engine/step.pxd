# A training step as C structs, and the phases that the threads run.
from libc.stdint cimport int64_t

from cynn.abi cimport CYNN_MAX_SLOTS, cynn_loss, cynn_operands, cynn_operation, cynn_optimizer, cynn_pass, cynn_tangents
from cynn.engine.dtypes cimport Dtype, at
from cynn.engine.row_matrix cimport Source
from cynn.engine.workspace cimport Node
from cynn.kernels.tables cimport ConstraintKind, Rows


cdef extern from *:
    """
    #include <time.h>
    static inline double cynn_seconds(void) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec + 1e-9 * now.tv_nsec;
    }
    """
    double cynn_seconds() noexcept nogil


# The tasks of the first phase.
cdef enum Task:
    GATHER            # the rows of x, or some of their columns
    GATHER_TARGETS
    FORWARD           # of a node
    FORWARD_PARTS     # of the first node, each on some columns of x
    ADD_PARTS         # of the output of the first node
    LOSS
    DIFFERENTIATE     # the passes of Step.tangents, instead of ADD and BACKWARD
    ADD               # the gradients of a node's output, if several operations use it
    BACKWARD          # of a node

ctypedef struct Instruction:
    Task task
    Node *node
    bint only_predicts   # its output is needed for predictions only


# The kinds of pieces of a stage.
cdef enum Pieces:
    TILES             # rows
    PARTS_OF_TILES    # some columns of x in these rows
    COLUMNS           # columns of the whole batch
    WHOLE_BATCH       # one piece, for methods in Python


# Instructions that need not wait for other tiles: a thread runs all of them for a piece.
ctypedef struct Stage:
    int64_t begin
    int64_t end
    Pieces pieces
    int64_t columns      # if pieces are COLUMNS, their total number
    int64_t piece_size   # columns, or rows
    bint has_losses      # and with them the predictions


# Some columns of x, with an operation for them. The output of the first node is the sum of these operations.
ctypedef struct Part:
    int64_t first
    int64_t last
    cynn_operands op
    int64_t width        # with several parts, op.widths and op.parameter_rows point to width, and op.x to x
    void *x


# The first phase.
ctypedef struct Schedule:
    Instruction *instructions
    Stage *stages
    int64_t n_stages
    Stage *stage         # the current one
    int64_t tile         # rows
    int64_t n_losses     # of each output: one for each piece of their stage
    Part *parts
    int64_t n_parts      # 1: all inputs


# An output of the network, and its loss.
ctypedef struct Head:
    int64_t outputs                  # columns
    cynn_loss loss
    const double *loss_h
    bint fused                       # computed from z, the input of the last activation
    bint one_hot                     # the loss does not support classes, so they are converted to one-hot rows
    double loss_weight
    # the data of the whole run
    const Rows *target_source        # NULL: classes
    const int64_t *classes           # NULL: target_source
    const double *sample_weight      # of the rows in this loss; NULL: all ones
    # buffers of one batch
    void *target
    int64_t *batch_classes
    void *weight                     # for each row: loss_weight * sample_weight / rows of the step
    double *tile_loss
    const void *loss_input           # the input of the loss
    void *loss_gradient
    const void *output
    void *predictions                # for all rows of the epoch, or NULL
    void *python_loss                # a loss with Python methods, its number, and the functions that call it
    int64_t number
    int (*call_python_loss)(void *python_loss, int64_t head, int64_t rows, double *value) noexcept nogil
    int (*call_python_product)(void *python_loss, int64_t head, int64_t rows) noexcept nogil


# The targets of the batch from row `begin` on, in the form that the loss reads: classes or values. The other is NULL.
cdef inline const int64_t *classes_at(const Head *head, int64_t begin) noexcept nogil:
    return head.batch_classes + begin if head.classes != NULL and not head.one_hot else NULL


cdef inline const void *values_at(const Dtype *dtype, const Head *head, int64_t begin) noexcept nogil:
    return at(dtype, head.target, begin * head.outputs) if head.classes == NULL or head.one_hot else NULL


# The rows of this batch.
ctypedef struct Batch:
    const int64_t *order
    int64_t first_row                # its position in the epoch
    int64_t rows_left                # entries of order after this batch
    int64_t rows_of_step             # of all batches of this step
    double *row_weight               # the weights of the rows
    bint predicts                    # predictions are wanted
    bint check_finite                # check every row of x that is gathered


# The rows of x that are prefetched before they are gathered.
ctypedef struct Prefetching:
    bint has_first                   # the rows of the first tile were prefetched in the last step
    int64_t rows                     # of the next batch's first tile, which are prefetched during this step
    int64_t max_rows                 # 0 if the first operation cannot prefetch


# A parameter that an optimizer updates, and its rules.
ctypedef struct Parameter:
    void *w                          # NULL: this entry has no parameter
    void *gradient                   # of the whole parameter; NULL if the optimizer updates each block at once
    void *slots[CYNN_MAX_SLOTS]
    void *average
    double l1
    double l2
    double norm                      # of the gradient
    double factor                    # multiplies the gradient before the step
    double learning_rate_factor
    const double *h                  # the optimizer's hyperparameters, with weight decay or without
    double alpha                     # if the step is linear: w := beta w + alpha grad
    double beta
    ConstraintKind constraint
    double constraint_value
    bint constrains_rows             # otherwise columns


# Some rows of a parameter.
ctypedef struct Block:
    const cynn_operation *operation
    const cynn_operands *op          # those of the part if there are parts
    const cynn_tangents *tangents    # if the step has some
    int64_t number                   # of the parameter in its operation
    Parameter *parameter
    int64_t begin
    int64_t end
    const Part *part                 # the part of these rows, or NULL
    double penalty                   # what the regularizer adds to the loss for this block
    double norm                      # of the gradient


# The second phase, and the later ones.
ctypedef struct Blocks:
    Block *blocks
    int64_t n_blocks
    Block *updated                   # blocks or whole parameters, depending on the optimizer
    int64_t n_updated
    Block *constrained               # begin and end are columns, or rows if rows are constrained
    int64_t n_constrained
    void **gradient                  # of one block, for each thread


# How gradients are changed and used. A limit of 0 means no limit.
ctypedef struct Updates:
    cynn_optimizer optimizer
    double learning_rate
    int64_t t
    bint is_elementwise
    bint is_direct                   # the optimizer updates each block as soon as its gradient is computed
    bint is_linear                   # w := beta w + alpha grad, within the product that computes grad
    bint is_added                    # gradients are added to those of earlier batches of the step
    double clip_value
    double clip_norm                 # of each parameter's gradient
    double global_clip_norm          # of all gradients
    double average_momentum          # of those parameters that have an average


ctypedef struct Step:
    const Dtype *dtype
    const Source *source
    const Rows *x                    # of the whole run
    const double *row_weight         # the weights of the rows of x in statistics; NULL: all ones
    Node *nodes
    int64_t n_nodes
    Node *input                      # dC/dx of the network; NULL if it is not wanted
    Head *heads
    int64_t n_heads
    Parameter *parameters            # indexed by Engine.places
    int64_t n_parameters
    cynn_pass pass_
    Schedule schedule
    Batch batch
    Prefetching prefetching
    Blocks blocks
    Updates updates
    int unusable                     # a flag: a row has a NaN, an infinity or an invalid category
    int failed                       # a flag: Python code raised an error
    void *tangents                   # a TangentStep or NULL, and the function that runs it
    int (*differentiate)(void *tangents, Step *step, int64_t piece, int64_t begin, int64_t end) noexcept nogil
    int64_t copies                   # of each row, when a TangentStep computes the gradients


cdef list block_borders(int64_t rows, int64_t columns, int64_t batch_size, int64_t n_parts)
cdef int64_t pieces_of(const Step *step, const Stage *stage) noexcept nogil
cdef int plan_stages(Step *step, set only_predicted, bint has_python_loss) except -1
cdef void stage_phase(void *context, int64_t piece, int thread) noexcept nogil
cdef void block_phase(void *context, int64_t piece, int thread) noexcept nogil
cdef void norms_phase(void *context, int64_t piece, int thread) noexcept nogil
cdef void update_phase(void *context, int64_t piece, int thread) noexcept nogil
cdef void constraint_phase(void *context, int64_t piece, int thread) noexcept nogil
