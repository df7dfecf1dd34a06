# The lock of a network's weights.
from libc.stdint cimport int64_t


cdef class Holder:
    cdef WeightsLock lock
    cdef str call
    cdef unsigned long thread
    cdef int64_t forks

    cdef bint is_alive(self) noexcept
    cdef bint is_this_thread(self) noexcept
    cdef int refuse(self, str call) except -1


cdef class Training(Holder):
    cdef bint within_another    # called by a callback of the call that trains


cdef class Turn(Holder):
    cdef bint sets_weights      # during training, only the thread that trains may do this

    cdef int begin(self) except -1
    cdef int end(self) except -1


cdef class WeightsLock:
    cdef Holder training
    cdef list queue             # turns: the first is active, the others wait

    cpdef Turn turn(self)
