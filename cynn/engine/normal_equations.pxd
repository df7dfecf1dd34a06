# The residuals of a network, their Jacobian J by its weights, and the products Jᵀ J and Jᵀ r.
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint64_t

from cynn.abi cimport cynn_operands
from cynn.engine.dtypes cimport Dtype
from cynn.engine.engine cimport Engine
from cynn.engine.row_matrix cimport RowMatrix, Source
from cynn.engine.thread_team cimport Team
from cynn.engine.workspace cimport Node
from cynn.kernels.tables cimport Rows


# An operation with trained parameters, and pointers to one of its rows.
ctypedef struct RowOperation:
    const Node *node
    cynn_operands op
    void **x                      # of this row
    void **saved
    const int64_t *saved_columns  # 0 for what is saved once for all rows
    const int64_t *places         # where each parameter begins in a row of J; -1: it is not trained


# The buffers of one thread.
ctypedef struct Buffers:
    Node *nodes
    int64_t n_nodes
    void *x
    void **outputs                # of each head
    void **seeds                  # dr/d(output) of each head
    RowOperation *operations
    int64_t n_operations
    void *gradient                # of one parameter, in the dtype of the network


# Some rows of the batch, so few that their part of J fits in the cache.
ctypedef struct Panel:
    const Dtype *dtype
    const Source *source
    const Rows *x
    const int64_t *order          # the numbers of these rows
    int64_t rows
    int64_t tile                  # rows
    const double *targets         # of all rows of x: rows x outputs
    const double *scales          # likewise, or NULL: all ones
    const int64_t *widths         # of each head
    int64_t n_heads
    int64_t outputs               # of all heads
    int64_t n_parameters
    uint64_t seed
    Buffers *buffers              # of each thread
    double *residuals             # rows x outputs
    double *squares               # for each tile, the sum of r² of each output
    double *jacobian              # (rows * outputs) x parameters; NULL: residuals alone
    int64_t row_length            # of jacobian
    int64_t slabs                 # parts of its rows, each with its own sums
    double *products              # for each slab, the upper triangle of Jᵀ J is added to it
    int64_t sums_length           # the row length of products
    double *right                 # for each slab, Jᵀ r is added to it
    const double *factors         # rows x outputs: a vector to multiply Jᵀ with; NULL: none
    double *tile_sums             # for each tile, Jᵀ times its factors; NULL: none
    int64_t block                 # columns of J
    int failed
    int unusable


cdef class NormalEquations:
    cdef Engine engine
    cdef RowMatrix x
    cdef Team team
    cdef Panel panel
    cdef list keep, workspaces
    cdef readonly list parameters
    cdef readonly int64_t n_parameters, n_outputs
    cdef int64_t panel_rows, padded_length
    cdef double *own_jacobian
    cdef double *slab_sums

    cdef void *hold(self, array) except NULL
    cdef const double *hold_view(self, array) except NULL
    cdef int make_buffers(self, list values, list places) except -1
    cdef void *zeros(self, int64_t n, size_t size) except NULL
    cdef double *begin_sums(self, double *products, double *right) except NULL
    cdef object run(
        self, const int64_t[::1] order, double *residuals, double *jacobian, double *products, double *right,
        const double *factors
    )
