# One training step as C structs, and the phases that threads carry out on it.
from libc.stdint cimport int64_t

from cynn.abi cimport CYNN_MAX_SLOTS, cynn_loss, cynn_operands, cynn_operation, cynn_optimizer, cynn_pass
from cynn.engine.dtypes cimport Dtype
from cynn.engine.row_matrix cimport Source
from cynn.engine.workspace cimport Node
from cynn.kernels.tables cimport ConstraintKind, Rows


cdef extern from *:
    """
    #include <time.h>
    static double cynn_seconds(void) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec + 1e-9 * now.tv_nsec;
    }
    """
    double cynn_seconds() noexcept nogil


# What the first phase does one after the other.
cdef enum Task:
    GATHER            # rows of x, or some of their columns
    GATHER_TARGETS
    FORWARD           # of a node
    FORWARD_PARTS     # of the first node, on some columns of x each
    ADD_PARTS         # of its output
    LOSS
    ADD               # gradients of a node's output, where several operations take it
    BACKWARD          # of a node

ctypedef struct Instruction:
    Task task
    Node *node
    bint only_predicts   # nothing but a prediction takes what it makes


# What the pieces of a stage are.
cdef enum Pieces:
    TILES             # rows
    PARTS_OF_TILES    # some columns of x in these rows
    COLUMNS           # columns of the whole batch


# Instructions that need not wait for other tiles: they are carried out together for each piece.
ctypedef struct Stage:
    int64_t begin
    int64_t end
    Pieces pieces
    int64_t columns      # of one instruction
    int64_t piece_size   # columns, or rows


# Some columns of x, for which the first node is an operation of their own: those together sum to it.
ctypedef struct Part:
    int64_t first
    int64_t last
    cynn_operands op
    int64_t width        # what op.widths, op.parameter_rows and op.x point to, where there are several parts
    void *x


# The first phase.
ctypedef struct Schedule:
    Instruction *instructions
    Stage *stages
    int64_t n_stages
    Stage *stage         # the one at work
    int64_t tile         # rows
    int64_t n_tiles
    Part *parts
    int64_t n_parts      # 1: all inputs


# An output of the network, and its loss.
ctypedef struct Head:
    int64_t outputs                  # columns
    cynn_loss loss
    const double *loss_h
    bint fused                       # computed from what the last activation takes
    bint one_hot                     # the loss takes no classes: they are written as one-hot rows
    double loss_weight
    # the data of the whole run
    const Rows *target_source        # NULL: classes
    const int64_t *classes           # NULL: target_source
    const double *sample_weight      # how much a row counts in this loss, 1 in the mean; NULL: all ones
    # buffers of one batch
    void *target
    int64_t *batch_classes
    void *weight                     # of each row: loss_weight * sample_weight / rows of the step
    double *tile_loss
    const void *loss_input           # what the loss is computed from
    void *loss_gradient
    const void *output
    void *predictions                # of the epoch, or NULL
    void *python_loss                # whose methods are Python: what is called with it, and its number
    int64_t number
    int (*call_python_loss)(void *python_loss, int64_t head, int64_t rows, double *value) noexcept nogil


# The rows of this batch.
ctypedef struct Batch:
    const int64_t *order
    int64_t first_row                # in the epoch
    int64_t rows_left                # entries of order after this batch
    int64_t rows_of_step             # of all batches whose gradients make the step that this one is for
    double *row_weight               # how often each is there
    bint predicts                    # predictions are wanted
    bint check_finite                # look at every row of x that is gathered


# Rows of x that are asked for before they are gathered.
ctypedef struct Prefetching:
    bint has_first                   # those of the first tile were asked for in the step before
    int64_t rows                     # of the next batch's first tile, asked for in the course of the step
    int64_t max_rows                 # 0 where the first operation prefetches nothing on the way


# What an optimizer moves, and what holds for it.
ctypedef struct Parameter:
    void *w                          # NULL: there is none in this place
    void *gradient                   # the whole of it; NULL where the optimizer steps on each block at once
    void *slots[CYNN_MAX_SLOTS]
    void *average
    double l1
    double l2
    double norm                      # of the gradient
    double factor                    # what the gradient is multiplied by before the step
    double learning_rate_factor
    const double *h                  # the optimizer's hyperparameters, with weight decay or without
    double alpha                     # where the step is linear: w := beta w + alpha grad
    double beta
    ConstraintKind constraint
    double constraint_value
    bint constrains_rows             # or else columns


# Some rows of a parameter.
ctypedef struct Block:
    const cynn_operation *operation
    const cynn_operands *op          # those of the part, where there are parts
    int64_t number                   # of the parameter in its operation
    Parameter *parameter
    int64_t begin
    int64_t end
    const Part *part                 # that the rows belong to, or NULL
    double penalty                   # what the regularizer adds to the loss
    double norm                      # of the gradient


# The second phase, and those behind it.
ctypedef struct Blocks:
    Block *blocks
    int64_t n_blocks
    Block *updated                   # blocks, or whole parameters, whichever the optimizer takes
    int64_t n_updated
    Block *constrained               # begin and end are columns, or rows where these are constrained
    int64_t n_constrained
    void **gradient                  # of one block, for each thread


# What becomes of gradients. A limit of 0 is none.
ctypedef struct Updates:
    cynn_optimizer optimizer
    double learning_rate
    int64_t t
    bint is_elementwise
    bint is_direct                   # the optimizer steps on each block as soon as its gradient is there
    bint is_linear                   # w := beta w + alpha grad, within the product that gives grad
    bint is_added                    # to the gradients of the batches before, for one step on all
    double clip_value
    double clip_norm                 # of each parameter's gradient
    double global_clip_norm          # of all gradients
    double average_momentum          # 0: there are no averages


ctypedef struct Step:
    const Dtype *dtype
    const Source *source
    const Rows *x                    # of the whole run
    const double *row_weight         # how often a row of x is there; NULL: once
    Node *nodes
    int64_t n_nodes
    Head *heads
    int64_t n_heads
    Parameter *parameters            # at their places
    int64_t n_parameters
    cynn_pass pass_
    Schedule schedule
    Batch batch
    Prefetching prefetching
    Blocks blocks
    Updates updates
    int unusable                     # a flag: a row has a NaN or an infinity, or no category where there must be one
    int failed                       # a flag: Python raised


cdef list block_borders(int64_t rows, int64_t columns, int64_t batch_size, int64_t n_parts)
cdef int64_t pieces_of(const Step *step, const Stage *stage) noexcept nogil
cdef int plan_stages(Step *step, set only_predicted) except -1
cdef void stage_phase(void *context, int64_t piece, int thread) noexcept nogil
cdef void block_phase(void *context, int64_t piece, int thread) noexcept nogil
cdef void norms_phase(void *context, int64_t piece, int thread) noexcept nogil
cdef void update_phase(void *context, int64_t piece, int thread) noexcept nogil
cdef void constraint_phase(void *context, int64_t piece, int thread) noexcept nogil
