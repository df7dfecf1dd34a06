cdef class KernelObject:
    cdef readonly object component
    cdef readonly bint is_python  # its methods work on NumPy arrays; there are no functions
    cdef readonly object values   # array('d') of hyperparameters: h points into it
    cdef double[::1] held         # a view of these
    cdef const double *h


cdef int check_pair(object first, object second, str first_name, str second_name) except -1
cdef bint is_plain(object given, int number) noexcept
cdef object as_matrix(object array_like, str name)
