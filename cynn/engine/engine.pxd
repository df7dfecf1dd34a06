from cpython.buffer cimport Py_buffer
from libc.stdint cimport int64_t

from cynn.abi cimport floating
from cynn.kernels.tables cimport RowKernels, Rows
from cynn.engine.workspace cimport Workspace


ctypedef struct Categories:
    int64_t column
    int64_t count


# How the rows of a caller become value 0.
ctypedef struct Source:
    int64_t inputs
    double scale
    double offset
    const RowKernels *row_kernels
    Categories *categories     # columns that must hold some
    int64_t n_categories


cdef class RowMatrix:
    cdef Py_buffer buffer
    cdef Rows rows
    cdef int64_t convert(
        self, bint is_float32, int64_t begin, int64_t count, double scale, double offset, bint check_finite, void *out
    )


cdef class Engine:
    cdef Source source
    cdef readonly str dtype
    cdef readonly object seed
    cdef readonly list operations
    cdef readonly bint has_python
    cdef bint is_float32
    cdef object numpy_dtype
    cdef readonly list outputs          # by the numbers of their values
    cdef list own_arrays                # parameters and states
    cdef int64_t last_units, itemsize
    cdef double multiplications_of_row
    cdef list idle_workspaces
    cdef Workspace new_workspace(self, int64_t rows, bint training, list losses)
    cdef Workspace workspace(self)
    cdef bint describe_rows(self, object array, Rows *rows) noexcept
    cdef bint must_not_be_written(self, const Rows *rows, const char *begin, int64_t size) noexcept
    cdef bint lies_in_network(self, const char *begin, const char *end) noexcept
    cdef int forward_few(self, const Rows *rows, bint check_finite, void *out) except -1
    cdef bint forward_in_workspace(self, Workspace workspace, const Rows *rows, bint check_finite) noexcept nogil


cdef bint are_categories(const Source *source, int64_t rows, const floating *x) noexcept nogil
cdef int64_t gather_rows(
    const Source *source, const Rows *rows, const int64_t *index, int64_t count, int64_t ahead, double scale,
    double offset, bint check_finite, floating *out
) noexcept nogil
