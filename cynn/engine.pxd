from cpython.buffer cimport Py_buffer
from cpython.ref cimport PyObject
from libc.stdint cimport int64_t

from cynn.abi cimport floating
from cynn.kernels.tables cimport Op, OpKernels, Pass, RowKernels, Rows


# An operation with its buffers in one workspace.
ctypedef struct Node:
    Op op
    int64_t value              # the number of what it makes
    bint gradient_in_place
    bint has_gradient          # something below it, or it itself, is trained
    bint forward_by_columns
    bint backward_by_columns
    int64_t column_piece
    int64_t n_sums             # gradients of its output beside op.delta, to be added to that
    void **sums


# How the rows of a caller become value 0.
ctypedef struct Source:
    int64_t inputs
    double scale
    double offset
    const RowKernels *row_kernels


cdef class RowMatrix:
    cdef Py_buffer buffer
    cdef Rows rows


cdef class Engine:
    cdef Source source
    cdef readonly str dtype
    cdef readonly object seed
    cdef readonly list operations
    cdef readonly bint has_python
    cdef bint is_float32
    cdef list h                     # array('d') of each operation's hyperparameters
    cdef object numpy_dtype
    cdef int64_t outputs
    cdef double multiplications_of_row
    cdef list idle_workspaces
    cdef Workspace workspace(self)
    cdef bint describe_rows(self, const Py_buffer *view, Rows *rows) noexcept
    cdef int forward_few(self, const Rows *rows, void *out) except -1
    cdef void forward_in_workspace(self, Workspace workspace, const Rows *rows) noexcept nogil


cdef class Workspace:
    cdef readonly list values, deltas, python
    cdef list keep                  # arrays that only the nodes point to
    cdef dict of_first_input        # dC/dx of the first input of an operation
    cdef Node *nodes
    cdef int64_t n_nodes
    cdef void *x
    cdef void ***takes_x            # where nodes hold the address of value 0
    cdef int64_t n_takes_x
    cdef int connect(self, Node *node, Engine engine, int64_t i) except -1
    cdef int allocate_deltas(self, Engine engine, list consumers, int64_t rows) except -1
    cdef void *hold(self, array) except NULL
    cdef void set_x(self, const void *x) noexcept nogil


cdef object aligned(object shape, object dtype)
cdef void *address_of(object array) except NULL

cdef int64_t gather_rows(
    const Source *source, const Rows *rows, const int64_t *index, int64_t count, int64_t ahead, double scale,
    double offset, bint check_finite, floating *out
) noexcept nogil

cdef int forward_node(
    const Node *node, const Pass *pass_, int64_t begin, int64_t end, floating *type_
) noexcept nogil
cdef int backward_node(
    const Node *node, const Pass *pass_, int64_t begin, int64_t end, floating *type_
) noexcept nogil
cdef void add_gradients(const Node *node, int64_t begin, int64_t end, floating *type_) noexcept nogil
