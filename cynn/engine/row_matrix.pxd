from cpython.buffer cimport Py_buffer
from libc.stdint cimport int64_t

from cynn.abi cimport floating
from cynn.kernels.tables cimport RowKernels, Rows


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


cdef const RowKernels *kernels_of_rows

cdef bint are_categories(const Source *source, int64_t rows, const floating *x) noexcept nogil
cdef int64_t gather_rows(
    const Source *source, const Rows *rows, const int64_t *index, int64_t count, int64_t ahead, double scale,
    double offset, bint check_finite, floating *out
) noexcept nogil
cdef const floating *gathered(
    const Source *source, const Rows *rows, bint check_finite, floating *x
) noexcept nogil
