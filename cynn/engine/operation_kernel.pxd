from libc.stdint cimport int64_t

from cynn.abi cimport cynn_operation


cdef class OperationKernel:
    cdef cynn_operation functions
    cdef readonly object layer
    cdef readonly object capsule
    cdef int check_functions(self) except -1
    cdef int check_same_columns(self, list widths, int64_t units) except -1
    cdef int check_divisible(self, list widths, list shapes) except -1
