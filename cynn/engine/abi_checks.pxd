from libc.stddef cimport size_t
from libc.stdint cimport uint64_t


cdef int copy_struct(
    object component, object capsule, const char *capsule_name, uint64_t flags, size_t smallest, void *target,
    size_t size
) except -1
cdef int check_offer(
    object component, str dtype, bint first, bint second, str first_name, str second_name
) except -1
cdef object nothing_offered(object component, str functions)
cdef object missing_dtype(object component, str dtype)
cdef object require_overridden(object component, str method)
