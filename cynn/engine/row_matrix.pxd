from cpython.buffer cimport Py_buffer
from libc.stdint cimport int64_t

from cynn.engine.dtypes cimport Dtype
from cynn.kernels.tables cimport Categories, Rows


# How the caller's rows become value 0.
ctypedef struct Source:
    int64_t inputs
    double scale
    double offset
    const Dtype *dtype         # of value 0
    Categories *categories     # the columns with categories
    int64_t n_categories


cdef class RowMatrix:
    cdef Py_buffer buffer
    cdef object kept           # keeps the arrays of sparse rows alive
    cdef Rows rows
    cdef set_sparse(self, array)
    cdef int64_t convert(
        self, const Dtype *dtype, int64_t begin, int64_t count, double scale, double offset, bint check_finite,
        void *out
    )


cdef inline Rows from_row(const Rows *rows, int64_t begin) noexcept nogil:
    """The rows from row `begin` on."""
    cdef Rows found = rows[0]
    found.data += begin * found.row_stride
    if found.starts != NULL:
        found.starts += begin
    return found


cdef bint are_categories(const Source *source, int64_t rows, const void *x) noexcept nogil
cdef const void *gathered(const Source *source, const Rows *rows, bint check_finite, void *x) noexcept nogil
