from libc.stddef cimport size_t
from libc.stdint cimport int64_t

from cynn.abi cimport cynn_operands, cynn_operation, cynn_pass
from cynn.engine.dtypes cimport Dtype


cdef extern from *:
    """
    #ifdef CYNN_DEBUG
    enum { CYNN_IS_DEBUG = 1 };
    #else
    enum { CYNN_IS_DEBUG = 0 };
    #endif
    """
    const bint IS_DEBUG "CYNN_IS_DEBUG"


# An operation with its buffers in one workspace.
ctypedef struct Node:
    cynn_operands op
    const cynn_operation *operation
    void *python               # a PythonOperation that is called instead, or NULL
    int64_t value              # the number of its output value
    bint gradient_in_place
    bint only_training         # in prediction mode, the output is the first input
    bint saves                 # in prediction mode, too, forward saves what backward reads
    bint has_gradient          # this operation or an earlier one is trained, or dC/dx of the network is wanted
    bint forward_by_columns
    bint backward_by_columns
    int64_t column_piece
    int64_t n_sums             # the gradients of its output that are added to op.delta
    void **sums


cdef class Workspace:
    cdef readonly list values, deltas, python
    cdef readonly list loss_gradients   # for each loss
    cdef readonly list root         # for each value, the value whose buffer it uses
    cdef list saved                 # for each node, the matrices that forward saves for backward
    cdef list scratch               # every array made by allocate
    cdef list keep                  # keeps arrays alive that the nodes point to
    cdef dict input_gradients       # for each node, dC/dx of each input; None if it is not wanted
    cdef Node *nodes
    cdef int64_t n_nodes
    cdef Node input                 # dC/dx of the network, with its sums
    cdef void *x
    cdef void ***x_fields           # the fields of nodes that hold the address of value 0
    cdef int64_t n_x_fields
    cdef void **wanted              # where to copy each value in a pass over a small batch; NULL if it is not wanted
    cdef bint copies_x              # x must be copied to the array of value 0, which Python methods read
    cdef int connect(self, Node *node, operation) except -1
    cdef int set_parameters(self, cynn_operands *op, list parameters) except -1
    cdef void **addresses(self, int64_t n, list arrays=*) except NULL
    cdef int64_t *whole_numbers(self, list values) except NULL
    cdef int allocate_deltas(
        self, list operations, str dtype, list consumers, int64_t rows, list losses, bint by_inputs,
        bint whole
    ) except -1
    cdef int hold_sums(self, Node *node, list sums) except -1
    cdef object allocate(self, object shape, object dtype)
    cdef int begin_pass(self) except -1
    cdef void *hold(self, array) except NULL
    cdef void set_x(self, const void *x) noexcept nogil


cdef object aligned(object shape, object dtype)
cdef void *address_of(object array) except NULL
cdef void *zeroed(list keep, size_t size) except NULL

cdef int forward_node(
    const Dtype *dtype, const Node *node, const cynn_pass *pass_, int64_t begin, int64_t end
) noexcept nogil
cdef int backward_node(
    const Dtype *dtype, const Node *node, const cynn_pass *pass_, int64_t begin, int64_t end
) noexcept nogil
cdef void add_gradients(const Dtype *dtype, const Node *node, int64_t begin, int64_t end) noexcept nogil
