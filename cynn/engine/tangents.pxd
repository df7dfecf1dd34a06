# The tangents of a workspace, and the passes of directional derivatives through its nodes.
from libc.stdint cimport int64_t

from cynn.abi cimport cynn_pass, cynn_tangents
from cynn.engine.dtypes cimport Dtype
from cynn.engine.workspace cimport Workspace


cdef class Tangents:
    cdef Workspace workspace
    cdef const Dtype *dtype
    cdef readonly list values           # the tangent of each value
    cdef readonly list loss_gradients   # the tangent of each loss gradient
    cdef cynn_tangents *nodes
    cdef dict by_address                # from the address of an array to its tangent
    cdef list keep                      # what the C structs point to
    cdef void *first                    # the tangent of value 0
    cdef void **entries                 # the loss gradients of the workspace
    cdef void **entry_tangents
    cdef int64_t inputs                 # columns of value 0
    cdef void ***sums                   # of each node: the tangents of the gradients that are added to delta
    cdef int64_t **saved_columns        # of each node; negative for a matrix of one row
    cdef void *scratch                  # a gradient that backward may overwrite
    cdef int64_t widest                 # its columns
    cdef object tangent_of(self, void *array, int64_t rows, int64_t columns)
    cdef void **addresses(self, list arrays) except NULL
    cdef int set_parameters(self, int64_t node, list directions) except -1
    cdef void copy(self, const void *source, void *target, int64_t begin, int64_t end, int64_t columns) noexcept nogil
    cdef int jvp(self, const cynn_pass *pass_, int64_t begin, int64_t end) noexcept nogil
    cdef int jvp_at(self, int64_t i, const cynn_pass *pass_, int64_t begin, int64_t end) noexcept nogil
    cdef int forward(self, const cynn_pass *pass_, int64_t begin, int64_t end) noexcept nogil

    cdef void add_tangents(self, int64_t i, int64_t begin, int64_t end) noexcept nogil
    cdef int backward_at(self, int64_t i, const cynn_pass *pass_, int64_t begin, int64_t end) noexcept nogil
    cdef int backward_jvp_at(self, int64_t i, const cynn_pass *pass_, int64_t begin, int64_t end) noexcept nogil
    cdef void repeat_saved(
        self, Tangents wide, int64_t i, int64_t j, int64_t copies, int64_t begin, int64_t end
    ) noexcept nogil


cdef void repeat_values(Tangents base, Tangents wide, int64_t copies, int64_t begin, int64_t end) noexcept nogil
cdef void repeat_rows(
    const Dtype *dtype, const void *source, void *target, int64_t copies, int64_t begin, int64_t end, int64_t columns
) noexcept nogil
