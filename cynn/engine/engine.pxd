from libc.stdint cimport int64_t

from cynn.engine.row_matrix cimport Source
from cynn.engine.workspace cimport Workspace
from cynn.kernels.tables cimport Rows


cdef double MIN_TEAM_MULTIPLICATIONS
cdef double MIN_NOGIL_MULTIPLICATIONS


cdef class Engine:
    cdef Source source
    cdef readonly str dtype
    cdef readonly object seed
    cdef readonly list operations
    cdef readonly bint has_python
    cdef object numpy_dtype
    cdef tuple scalings                 # own the arrays of `source`
    cdef readonly list places           # for each operation, the index of its first parameter in trained_parameters()
    cdef readonly list outputs          # the numbers of their values
    cdef list own_arrays                # all parameters and states
    cdef list widths                    # of each value
    cdef int64_t last_units
    cdef double multiplications_of_row
    cdef list idle_workspaces
    cdef Workspace new_workspace(self, int64_t rows, bint training, list losses, bint by_inputs=*)
    cdef int64_t rows_of_tile(self, int64_t rows) noexcept
    cdef Workspace workspace(self)
    cdef bint describe_rows(self, object array, Rows *rows) noexcept
    cdef bint must_not_be_written(self, const Rows *rows, const char *begin, int64_t size) noexcept
    cdef bint lies_in_network(self, const char *begin, const char *end) noexcept
    cdef int forward_small_batch(self, const Rows *rows, bint check_finite, void *out) except -1
    cdef int forward_rows(self, Workspace workspace, const Rows *rows, bint check_finite, int64_t last) except -1
    cdef bint forward_in_workspace(
        self, Workspace workspace, const Rows *rows, bint check_finite, int64_t last
    ) noexcept nogil
