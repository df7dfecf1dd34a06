# Checks batches in the usual form, and copies them to the arrays that the engine reads.
from libc.stdint cimport int64_t

from cynn.engine.dtypes cimport Dtype


# A matrix to which rows are copied.
ctypedef struct Target:
    char *data
    int number           # NumPy's number of the dtype
    int64_t columns
    int64_t itemsize


cdef class BatchCopier:
    cdef const Dtype *dtype
    cdef object keep
    cdef Target rows
    cdef Target values
    cdef int64_t *classes
    cdef int64_t n_classes
    cdef const int64_t[::1] weights     # the addresses of all weights of rows
    cdef int64_t capacity
    cdef void *converted                # a buffer for converted targets, which are checked there

    cdef bint put_values(self, int64_t begin, int64_t n, y, bint check_finite) noexcept
    cdef bint put_classes(self, int64_t begin, int64_t n, y) noexcept
