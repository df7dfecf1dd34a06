from cynn.abi cimport cynn_activation
from cynn.engine.kernel_object cimport KernelObject


cdef class ActivationKernel(KernelObject):
    cdef cynn_activation functions
    cdef int check_functions(self) except -1
