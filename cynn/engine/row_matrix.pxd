from cpython.buffer cimport Py_buffer
from libc.stdint cimport int64_t

from cynn.engine.dtypes cimport Dtype
from cynn.kernels.tables cimport Categories, Rows, Scaling


# How the caller's rows become value 0.
ctypedef struct Source:
    int64_t inputs
    Scaling scaling
    Scaling slope              # of derivatives by the caller's x: without the offset
    const Dtype *dtype         # of value 0
    Categories *categories     # the columns with categories
    int64_t n_categories


cdef class InputScaling:
    cdef Scaling scaling
    cdef object kept           # the arrays that it points to
    cdef InputScaling slope(self, int64_t copies)


cdef class RowMatrix:
    cdef Py_buffer buffer
    cdef object kept           # keeps the arrays of sparse rows alive
    cdef Rows rows
    cdef set_sparse(self, array)
    cdef InputScaling scaling(self, scale, offset)
    cdef int64_t convert(
        self, const Dtype *dtype, int64_t begin, int64_t count, const int64_t *index, InputScaling scaling,
        bint check_finite, void *out
    )


cdef inline Rows from_row(const Rows *rows, int64_t begin) noexcept nogil:
    """The rows from row `begin` on."""
    cdef Rows found = rows[0]
    found.data += begin * found.row_stride
    if found.starts != NULL:
        found.starts += begin
    return found


cdef inline double scale_of(const Scaling *scaling, int64_t column) noexcept nogil:
    return scaling.scale if scaling.scales == NULL else scaling.scales[column]


cdef inline bint changes_nothing(const Scaling *scaling) noexcept nogil:
    return scaling.scales == NULL and scaling.scale == 1 and scaling.offset == 0


cdef bint are_categories(const Source *source, int64_t rows, const void *x) noexcept nogil
cdef const void *gathered(const Source *source, const Rows *rows, bint check_finite, void *x) noexcept nogil
cdef void scale_gradients(const Source *source, int64_t rows, void *gradients) noexcept nogil
