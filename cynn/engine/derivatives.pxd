# Derivatives of the outputs by the inputs, in prediction mode.
from libc.stdint cimport int64_t

from cynn.engine.directions cimport Kind
from cynn.engine.engine cimport Engine
from cynn.engine.workspace cimport Node, Workspace
from cynn.kernels.tables cimport Rows


# An array with one row per row of the tile.
ctypedef struct Matrix:
    char *data
    int64_t row_bytes


# What an operation does to a block of gradients, which has a row for each row and output.
ctypedef struct Part:
    Kind kind
    bint takes_one          # whether the gradient of its output is one block for all rows
    int64_t *repeats        # for each input, whether its gradient must have a block for each row nevertheless
    void *slope             # f'(z) of an elementwise activation, for each row


# The buffers of a tile, for code without the GIL.
ctypedef struct Buffers:
    void *x
    Node *nodes
    int64_t n_nodes
    Node *input             # dC/dx
    void **head_gradients   # dC/d(output) of each head
    int64_t *starts_as_one  # for each of these, whether it is one block for all rows
    Part *parts             # one per node
    Matrix *matrices        # what operations read of each row that are not linear or elementwise
    int64_t n_matrices


cdef class BackwardWorkspace(Workspace):
    cdef Buffers buffers


cdef class InputDerivatives:
    cdef readonly Engine engine
    cdef object numpy_dtype
    cdef bint has_one_output
    cdef list heads               # the numbers of their values
    cdef object units             # of each head
    cdef const int64_t[::1] units_view
    cdef int64_t n_outputs
    cdef int64_t outputs_at_once  # the size of a group
    cdef int64_t stack            # rows of a workspace
    cdef list idle_workspaces
    cdef BackwardWorkspace workspace(self)
    cdef int run(
        self, const Rows *rows, bint unit_vectors, void **vectors, void **out, int n_threads, bint check_finite
    ) except -1
